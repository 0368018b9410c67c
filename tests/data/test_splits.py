"""Splits: by name, by hash, from TFDS."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import Formats, find_splits, part
from seqtasks.errors import UserError


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

    def opened(path, options):
        return Source(lambda: iter([Example(path.name, options, 1)]), str(path))

    for name in ("train.en", "train.de", "train.log", "dev.de", "dev.en", "test.csv", "other.en", "README.md"):
        write(tmp_path / name, [name])
    formats = Formats(opened, (".csv",), several=several)
    splits = find_splits(tmp_path, "how", formats=formats)
    assert [tuple(e) for _, source in splits for e in source] == [
        ("train", "how", 1),
        ("dev", "how", 1),
        ("test.csv", "how", 1),
    ]
    write(tmp_path / "test.en", ["x"])
    with pytest.raises(UserError, match="several files for test: test.csv, test; name one with --test"):
        find_splits(tmp_path, "how", formats=formats)
    with pytest.raises(UserError, match="dev, test.csv but no train"):
        for name in ("train.en", "train.de", "test.en"):
            (tmp_path / name).unlink()
        find_splits(tmp_path, "how", formats=formats)
