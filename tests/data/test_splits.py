"""Splits: by name, by hash, by group, stratified, in small data, of data sets, in folds."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data import splits as splitting
from seqtasks.data.partition import fold, number_of, part, place_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import Formats, has_splits, open_data
from seqtasks.errors import UserError
from seqtasks.text.files import formats as text_formats

TEXTS = text_formats()


def find_splits(data, formats=TEXTS, reading=Reading(), **given):
    return splitting.find_splits(data, formats, reading, **given)


def write(path, texts):
    path.write_text("text,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts)))


def texts(source):
    return [e.input for e in source]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_part_is_the_sha256_modulo_ten(text):
    assert part(text) == int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % 10


def test_one_file_is_split_by_the_hash_of_the_text(tmp_path):
    rows = [f"film {i % 400}" for i in range(500)]
    write(tmp_path / "all.csv", rows)
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken"):
        splits = find_splits(tmp_path / "all.csv")
    parts = {name: texts(source) for name, source in splits}
    assert sorted(sum(parts.values(), [])) == sorted(rows)
    assert not set(parts["train"]) & set(parts["test"]) and not set(parts["train"]) & set(parts["validation"])
    assert all(part(t) == 0 for t in parts["test"]) and all(part(t) == 1 for t in parts["validation"])
    assert 0.7 < len(parts["train"]) / 500 < 0.9


def test_files_by_name_and_a_validation_split_from_train(tmp_path):
    rows = [f"film {i}" for i in range(100)]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "test.csv", ["other"])
    with pytest.warns(UserWarning, match="no validation split given; 10 % of train taken"):
        splits = find_splits(tmp_path)
    assert texts(splits.test) == ["other"]
    assert sorted(texts(splits.train) + texts(splits.validation)) == sorted(rows)
    write(tmp_path / "dev.csv", ["held out"])
    splits = find_splits(tmp_path)
    assert texts(splits.validation) == ["held out"] and texts(splits.train) == rows
    assert texts(find_splits(tmp_path, test=tmp_path / "dev.csv").test) == ["held out"]


def test_equal_texts_stay_on_one_side_whatever_their_labels(tmp_path):
    write(tmp_path / "all.csv", [f"film {i // 7}" for i in range(700)])  # seven times each, both labels
    with pytest.warns(UserWarning):
        splits = find_splits(tmp_path / "all.csv")
    for text in {f"film {i}" for i in range(100)}:
        assert sorted(texts(source).count(text) for _, source in splits) == [0, 0, 7]


def test_folders_by_name_with_a_folder_per_class(tmp_path):
    for split, count in (("train", 30), ("test", 3)):
        for label in ("neg", "pos", "unsup"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.txt").write_text(f"{split} {label} {i}")
    with pytest.warns(UserWarning, match="no validation split given; 10 % of train taken by the hash of the text"):
        splits = find_splits(tmp_path)
    assert sorted(texts(splits.test)) == sorted(f"test {y} {i}" for y in ("neg", "pos") for i in range(3))
    assert all(part(t) == 1 for t in texts(splits.validation)) and not any(part(t) == 1 for t in texts(splits.train))
    assert len(texts(splits.train) + texts(splits.validation)) == 60


def test_files_named_one_by_one(tmp_path, recwarn):
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.csv", [f"of {name}"])
    splits = find_splits(
        None, **{n: tmp_path / f"{f}.csv" for n, f in zip(("train", "valid", "test"), "abc", strict=True)}
    )
    assert {name: texts(source) for name, source in splits} == {
        "train": ["of a"],
        "validation": ["of b"],
        "test": ["of c"],
    }
    assert not recwarn.list


def test_invalid_splits_raise(tmp_path):
    write(tmp_path / "test.csv", ["x"])
    with pytest.raises(UserError, match=r"test.csv but no train\.\*; add one, or name it with --train"):
        find_splits(tmp_path)
    write(tmp_path / "train.csv", ["x"])
    (tmp_path / "train.tsv").write_text("x\ty\n")
    with pytest.raises(UserError, match="several files for train: train.csv, train.tsv; name one with --train"):
        find_splits(tmp_path)
    (tmp_path / "train.tsv").unlink()
    for name in ("valid.jsonl", "dev.csv.gz"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="several files for validation: dev.csv.gz, valid.jsonl; name one with --valid"):
        find_splits(tmp_path)
    with pytest.raises(UserError, match="nothing to train on"):
        find_splits(None)


def test_tfds_by_name():
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=60), pytest.warns(UserWarning, match="no validation split"):
        splits = find_splits("tfds:imdb_reviews")
        assert len(texts(splits.test)) == 60
        assert len(texts(splits.train)) + len(texts(splits.validation)) == 60
        assert {e.target for e in splits.test} <= {"neg", "pos"}


def test_a_split_of_several_files(tmp_path):
    def several(paths):
        assert paths == sorted(paths)
        return sorted({p.with_suffix("") for p in paths if p.suffix in (".en", ".de")})

    def opened(path, reading):
        return Source(lambda: iter([Example(path.name, "", 1)]), str(path))

    for name in ("train.en", "train.de", "train.log", "dev.de", "dev.en", "test.csv", "other.en", "README.md"):
        write(tmp_path / name, [name])
    formats = Formats(None, opened, (".csv",), tables=(), several=several)
    splits = find_splits(tmp_path, formats)
    assert [e.input for _, source in splits for e in source] == ["train", "dev", "test.csv"]
    write(tmp_path / "test.en", ["x"])
    with pytest.raises(UserError, match="several files for test: test.csv, test; name one with --test"):
        find_splits(tmp_path, formats)
    with pytest.raises(UserError, match="dev, test.csv but no train"):
        for name in ("train.en", "train.de", "test.en"):
            (tmp_path / name).unlink()
        find_splits(tmp_path, formats)


def rows(*labels):
    return [(f"text {number}", label) for number, label in enumerate(labels)]


def taken(data, **reading):
    with pytest.warns(UserWarning, match="split given"):
        return {name: list(source) for name, source in find_splits(data, reading=Reading(**reading))}


def test_place_has_the_part_as_its_first_decimal():
    assert all(int(10 * place_of(f"text {n}")) == part(f"text {n}") for n in range(300))


def test_shares_are_those_asked_for_and_nested():
    data = rows(*"ab" * 2000)
    usual, small = taken(data), taken(data, split="0.9/0.05/0.05")
    assert {name: len(found) / 4000 for name, found in small.items()} == pytest.approx(
        {"train": 0.9, "validation": 0.05, "test": 0.05}, abs=0.02
    )
    assert {e.input for e in small["test"]} <= {e.input for e in usual["test"]}
    with pytest.raises(UserError, match="--split: '80/10/10' is not three shares above 0 that add up to 1; give the"):
        find_splits(data, reading=Reading(split="80/10/10"))


def test_stratified_splits_have_the_shares_of_each_label():
    data = rows(*(["rare"] * 40 + ["often"] * 960))
    found = {name: Counter(e.target for e in examples) for name, examples in taken(data, stratify=True).items()}
    assert found["test"] == found["validation"] == {"rare": 4, "often": 96}
    assert found["train"] == {"rare": 32, "often": 768}


def test_a_text_with_several_labels_is_in_one_stratified_split():
    data = [(f"text {n // 2}", "a" if n % 2 else "bc"[n % 6 == 0]) for n in range(2000)]
    found = {name: {e.input for e in examples} for name, examples in taken(data, stratify=True).items()}
    assert sum(map(len, found.values())) == 1000
    assert len(found["test"]) == pytest.approx(100, abs=10)


def test_groups_stay_on_one_side():
    data = [{"text": f"text {n}", "label": "ab"[n % 2], "speaker": f"s{n % 40}"} for n in range(400)]
    found = taken(data, group="speaker")
    sides = [{int(e.input.split()[1]) % 40 for e in examples} for examples in found.values()]
    assert all(sides) and sum(map(len, sides)) == 40
    with pytest.raises(UserError, match="list: --group: no column 'talker'|no value of the group 'talker'"):
        list(open_data(data, TEXTS, Reading(group="talker")))
    with pytest.raises(UserError, match="--stratify and --group exclude each other"):
        find_splits(data, reading=Reading(group="speaker", stratify=True))


@pytest.mark.parametrize("number", range(20))
def test_the_only_example_of_a_class_stays_in_train(number):
    data = [*rows(*"ab" * 60), (f"single {number}", "rare")]
    found = taken(data)
    assert [e.target for e in found["train"]].count("rare") == 1
    plain = taken(data[:-1])
    assert found["test"] == plain["test"] and found["validation"] == plain["validation"]


@pytest.mark.parametrize("count", range(4, 30))
def test_small_data_has_an_example_in_each_split(count):
    found = taken(rows(*("ab" * count)[:count]))
    assert all(found.values()) and {e.target for e in found["train"]} == {"a", "b"}
    assert sum(map(len, found.values())) == count


def test_groups_of_small_data_fill_each_split():
    data = [{"text": f"text {n}", "label": "ab"[n % 2], "g": str(n // 3)} for n in range(24)]
    found = taken(data, group="g")
    sides = [{int(e.input.split()[1]) // 3 for e in examples} for examples in found.values()]
    assert all(sides) and sum(map(len, sides)) == 8


def test_a_pattern_a_list_and_shards_of_one_split(tmp_path):
    for number in range(3):
        write(tmp_path / f"train-{number:05}-of-00003.csv", [f"{number} {i}" for i in range(5)])
    write(tmp_path / "test.csv", ["held out"])
    every = [f"{number} {i}" for number in range(3) for i in range(5)]
    assert texts(open_data(str(tmp_path / "train-*.csv"), TEXTS)) == every
    assert texts(open_data(sorted(tmp_path.glob("train-*.csv")), TEXTS)) == every
    with pytest.warns(UserWarning, match="no validation split"):
        splits = find_splits(tmp_path)
    assert sorted(texts(splits.train) + texts(splits.validation)) == every and texts(splits.test) == ["held out"]
    both = f"{tmp_path}/train-00000-of-00003.csv,{tmp_path}/test.csv"
    assert texts(open_data(both, TEXTS)) == [*every[:5], "held out"]
    with pytest.raises(UserError, match="no file matches; check the pattern"):
        open_data(str(tmp_path / "x*.csv"), TEXTS)


def test_a_url_is_copied_once_and_again_when_it_changes(tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path))
    for content in ("fine", "really fine"):
        if tf.io.gfile.exists("ram://bucket/reviews.csv"):
            tf.io.gfile.remove("ram://bucket/reviews.csv")
        with tf.io.gfile.GFile("ram://bucket/reviews.csv", "w") as file:
            file.write(f"text,label\n{content},good\n")
        for _ in range(2):
            assert texts(open_data("ram://bucket/reviews.csv", TEXTS)) == [content]
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UserError, match="ram://bucket/none.csv: no such file or folder; check the URL"):
        open_data("ram://bucket/none.csv", TEXTS)
    with pytest.raises(UserError, match=r"nosuch://bucket/a.csv: cannot be read \(.*; copy the data to this machine"):
        open_data("nosuch://bucket/a.csv", TEXTS)


def test_folders_and_files_with_a_dot_are_no_classes_and_no_splits(tmp_path):
    for name in (".ipynb_checkpoints", "good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text(name)
        (tmp_path / name / ".2.txt").write_text(name)
    assert sorted(e.target for e in open_data(tmp_path, TEXTS)) == ["bad", "good"]


def test_evaluation_data_is_not_altered_and_train_is(tmp_path):
    write(tmp_path / "train.csv", [f"film {n}" for n in range(40)])
    with open(tmp_path / "train.csv", "a") as file:
        file.write("no label,\n")
    write(tmp_path / "dev.csv", ["a", "b"])
    (tmp_path / "test.csv").write_text("text,label\nfine,1\nno label,\n")
    splits = find_splits(tmp_path)
    with pytest.warns(UserWarning, match="of 41 records 1 left out: .*train.csv:42: the label is missing"):
        assert len(texts(splits.train)) == 40
    with pytest.raises(UserError, match="test.csv:3: the label is missing"):
        list(splits.test)
    with pytest.raises(UserError, match="train.csv:42: the label is missing"):
        list(find_splits(tmp_path, reading=Reading(strict=True)).train)


def test_data_with_a_test_split_of_its_own(tmp_path):
    write(tmp_path / "train.csv", ["x"])
    assert not has_splits(tmp_path) and not has_splits(tmp_path / "train.csv") and not has_splits([("x", "y")])
    write(tmp_path / "test.csv", ["x"])
    assert has_splits(tmp_path) and has_splits("tfds:imdb") and has_splits({"test": []})


def test_folds_are_by_the_hash_and_disjoint():
    source = open_data(rows(*"ab" * 200), TEXTS)
    seen = Counter()
    for number in range(5):
        parts = fold(source, TEXTS, number, 5)
        assert all(number_of(e.input) % 5 == number for e in parts["test"])
        held_out = [e for e in source if number_of(e.input) % 5 != number and number_of(e.input) // 5 % 20 == 0]
        assert list(parts["validation"]) == held_out
        assert len(list(parts["train"])) == 400 - len(list(parts["test"])) - len(held_out)
        seen.update(e.input for e in parts["test"])
    assert set(seen.values()) == {1} and len(seen) == 400
