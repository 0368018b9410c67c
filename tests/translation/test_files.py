"""Sentence pairs: every layout gives the same pairs; every error names file, line and remedy."""

import gzip
import json
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.translation.directions import Options
from seqtasks.translation.files import filtered, formats, open_tfds

EN = ["Two young men are outside.", 'She said "no", twice.', "Good morning, 好 👩🏽"]
DE = ["Zwei junge Männer sind im Freien.", 'Sie sagte zweimal "nein".', "Guten Morgen"]
PAIRS = list(zip(EN, DE, strict=True))
EN_DE, NO_OPTIONS = Options("en", "de"), Options()


def opened(data, options=NO_OPTIONS, **reading):
    return open_data(data, formats(options), Reading(**reading))


def splits_of(data, options=NO_OPTIONS, train=None, valid=None, test=None, **reading):
    return find_splits(data, formats(options), Reading(**reading), train, valid, test)


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def table(header, between=",", quote=quoted):
    return "".join(f"{between.join(row)}\n" for row in ([header] if header else []) + [map(quote, p) for p in PAIRS])


def objects(wrap):
    return "".join(json.dumps(wrap(*pair)) + "\n" for pair in PAIRS)


ONE_FILE = [
    ("a.tsv", table(None, "\t", str), NO_OPTIONS),
    ("a.tsv", table(None, "\t", str), EN_DE),
    ("a.tsv", table(["Source", "target"], "\t", str), NO_OPTIONS),
    ("a.tsv", table(["source", "target"], "\t", str), EN_DE),
    ("a.tsv", table(["en", "de"], "\t", str), Options("en")),
    ("a.csv", table(["EN", " de "]), EN_DE),
    ("a.csv", table(["source", "target"]), NO_OPTIONS),
    ("a.csv", table(["question", "answer"]), Options("question", "Answer")),
    ("a.jsonl", objects(lambda en, de: {"source": en, "target": de, "id": 1}), NO_OPTIONS),
    ("a.json", objects(lambda en, de: {"id": 1, "de": de, "en": en}), EN_DE),
    ("a.ndjson", objects(lambda en, de: {"de": de, "en": en}), Options(target="de")),
    ("a.jsonl", objects(lambda en, de: {"id": "7", "translation": {"de": de, "en": en}}), EN_DE),
    ("a.jsonl", objects(lambda en, de: {"text": en, "translation": de}), Options("text", "translation")),
]


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def sides(stem, sources=EN, targets=DE, ending="", languages=("en", "de")):
    for language, sentences in zip(languages, (sources, targets), strict=True):
        write(stem.parent / f"{stem.name}.{language}{ending}", "".join(f"{s}\n" for s in sentences))
    return stem


def pairs(source):
    return [(e.input, e.target) for e in source]


def fault(path, options=NO_OPTIONS):
    with pytest.raises(UserError) as found:
        list(opened(path, options))
    return str(found.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(("name", "content", "options"), ONE_FILE)
def test_every_layout_of_one_file_gives_the_pairs_in_every_iteration(tmp_path, name, content, options, ending):
    source = opened(write(tmp_path / (name + ending), content), options)
    assert pairs(source) == pairs(source) == PAIRS
    headed = content.split("\n")[0].lower().split("\t" if ".tsv" in name else ",")[0] in ("en", "source", "question")
    assert [source.where(e) for e in source] == [f"{tmp_path / name}{ending}:{n + headed}" for n in (1, 2, 3)]
    assert pairs(opened(tmp_path, options)) == PAIRS  # the folder that holds it


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("stem", ["train", "news.v1.de-en"])
def test_two_files_by_their_stem_by_one_of_them_and_by_their_folder(tmp_path, stem, ending):
    stem = sides(tmp_path / "corpus" / stem, ending=ending)
    english, german = (stem.parent / f"{stem.name}.{language}{ending}" for language in ("en", "de"))
    for path in (stem, english, german, stem.parent):
        source = opened(path, EN_DE)
        assert pairs(source) == pairs(source) == PAIRS
        assert [source.where(e) for e in source] == [f"{english}:{n}" for n in (1, 2, 3)]
        assert source.size == english.stat().st_size + german.stat().st_size
        assert pairs(opened(path, Options("de", "en"))) == [(de, en) for en, de in PAIRS]
        assert pairs(opened(path, Options(target="de"))) == PAIRS
    assert pairs(opened(english)) == PAIRS  # the one that is named is the source
    assert pairs(opened(german)) == [(de, en) for en, de in PAIRS]


def test_two_of_several_languages(tmp_path):
    stem = sides(tmp_path / "a", languages=("en", "pt_BR"))
    write(tmp_path / "a.zh-Hans", "一\n二\n三\n")
    assert pairs(opened(stem, Options("EN", "pt_br"))) == PAIRS
    assert pairs(opened(tmp_path, Options("zh-hans", "en"))) == list(zip("一二三", EN, strict=True))
    assert "cannot tell source and target among 'en', 'pt_br', 'zh-hans'" in fault(tmp_path / "a.en")
    assert "a: cannot tell source and target among" in fault(stem, Options("en"))


def test_lines_end_only_at_line_feeds(tmp_path):
    odd = ["a\x0bb\x0c\x1c\x85c\u2028d\u2029e", "x\ry", " z "]
    write(tmp_path / "a.en", b"\xef\xbb\xbf" + "\r\n".join(odd).encode())
    write(tmp_path / "a.de", "1\n2\n3")
    assert pairs(opened(tmp_path / "a", EN_DE)) == list(zip(odd, "123", strict=True))
    write(tmp_path / "b.tsv", b"\xef\xbb\xbf" + "".join(f"{o}\t1\r\n\r\n" for o in odd).encode())
    source = opened(tmp_path / "b.tsv")
    assert [(e.input, e.place) for e in source] == list(zip(odd, (1, 3, 5), strict=True))


def test_quotes_and_lines_inside_them(tmp_path):
    path = write(tmp_path / "a.csv", ',target,source\r\n0,"zwei\nZeilen","two ""lines"""\r\n\r\n1,b,a\r\n')
    assert [e[:3] for e in opened(path)] == [('two "lines"', "zwei\nZeilen", 3), ("a", "b", 5)]
    path = write(tmp_path / "a.tsv", '"a\tb\n""\t"\n')
    assert pairs(opened(path)) == [('"a', "b"), ('""', '"')]


def test_lone_surrogates_become_question_marks(tmp_path):
    path = write(tmp_path / "a.jsonl", r'{"source": "a \ud83d b \ud83d\ude00", "target": "\udc00"}')
    assert pairs(opened(path)) == [("a ? b 😀", "?")]


NUMBERS = "choose, e.g. --source_language 1 --target_language 2 (a number, or a name in the first line)"
CHOOSE = "choose, e.g. --source_language de --target_language en"
FAULTS = [
    ("a.tsv", "", NO_OPTIONS, ": the file is empty"),
    ("a.tsv", "a\tb\na\n", NO_OPTIONS, ":2: 1 field, expected 2; give every line the same number"),
    ("a.tsv", "id\ta\tb\n", Options("English"), f": no 'English' among 'id', 'a', 'b'; {NUMBERS}"),
    ("a.tsv", "de\ten\na\tb\n", NO_OPTIONS, f": cannot tell source and target among 'de', 'en'; {CHOOSE}"),
    (
        "a.tsv",
        "de\ten\na\tb\n",
        Options("fr", "de"),
        ": no 'fr' among 'de', 'en'; choose, e.g. --source_language en --target_lang",
    ),
    ("a.tsv", "de\ten\na\tb\n", Options("fr", "it"), f": no 'fr' among 'de', 'en'; {CHOOSE}"),
    ("a.tsv", "de\ten\na\tb\n", Options("de", "de"), f": cannot tell source and target among 'de', 'en'; {CHOOSE}"),
    ("a.tsv", b"a\tb\na\t\xff\n", NO_OPTIONS, ":2: not UTF-8 (byte 0xff at offset 6); save the file as UTF-8"),
    ("a.tsv.gz", b"\xef\xbb\xbfx\ty\n\xe9t\xe9\tb\n", NO_OPTIONS, ":2: not UTF-8 (byte 0xe9 at offset 7)"),
    (
        "a.csv",
        "A b,C\na,b\n",
        NO_OPTIONS,
        f": cannot tell source and target among 'A b', 'C'; {NUMBERS}",
    ),
    (
        "a.csv",
        "English\na\n",
        NO_OPTIONS,
        ": cannot tell source and target among 'English'; give a source and a target",
    ),
    ("a.csv", "source,target\na,b,c\n", NO_OPTIONS, ":2: 3 fields, expected 2; quote fields that contain a"),
    ("a.csv", 'source,target\n"a, c,b\n', NO_OPTIONS, ":2: not a table ("),
    ("a.csv", b"source,target\n\xff,b\n", NO_OPTIONS, ":2: not UTF-8 (byte 0xff at offset 14)"),
    ("a.jsonl", "[1]\n", NO_OPTIONS, ":1: not a JSON object: [1]; write one object with named fields a line"),
    ("a.jsonl", '{"de": "a", "en": "b"}', NO_OPTIONS, f": cannot tell source and target among 'de', 'en'; {CHOOSE}"),
    ("a.jsonl", '{"source": "a", "target": null}', NO_OPTIONS, ":1: no text in 'target'; give every sentence its"),
    ("a.jsonl", '{"source": "a", "target": 5}', NO_OPTIONS, ":1: the text is not a string: 5; put it in quotes"),
    ("a.jsonl", '{"de": "a", "en": "b"}\n\n{"de": "a"}', EN_DE, ":3: no text in 'en'; give every sentence its"),
    ("a.jsonl", '{"source"', NO_OPTIONS, ":1: not JSON ("),
    ("a.xlsx", "PK", NO_OPTIONS, ": cannot be read as a workbook ("),
    (
        "a.pdf",
        "PDF",
        NO_OPTIONS,
        ": no file with the translations; name it a.LANGUAGE in the same folder, give both as",
    ),
]


@pytest.mark.parametrize(("name", "content", "options", "expected"), FAULTS)
def test_errors_of_one_file(tmp_path, name, content, options, expected):
    path = tmp_path / name
    write(path, content) if content else path.touch()
    assert fault(path, options).startswith(f"{path}{expected}")


def test_errors_of_two_files(tmp_path):
    stem = sides(tmp_path / "a", EN, DE[:2])
    english, german = tmp_path / "a.en", tmp_path / "a.de"
    assert fault(stem) == f"{stem}: cannot tell source and target among 'de', 'en'; {CHOOSE}"
    assert fault(stem, Options("en", "fr")).startswith(
        f"{stem}: no 'fr' among 'de', 'en'; choose, e.g. --source_language en --targ"
    )
    unequal = "line n of one file must translate line n of the other"
    assert fault(stem, EN_DE) == f"{english}: 3 lines, but 2 in a.de; {unequal}"
    assert fault(stem, Options("de", "en")) == f"{german}: 2 lines, but 3 in a.en; {unequal}"
    write(german, b"a\nb\n\xc3\n")
    write(english, "a\nb\nc\n")
    assert fault(stem, EN_DE).startswith(f"{german}:3: not UTF-8 (byte 0xc3 at offset 4); save the file as UTF-8, or")
    german.write_bytes(b"")
    assert fault(stem, EN_DE).startswith(f"{german}: the file is empty")
    german.unlink()
    assert fault(english).startswith(f"{english}: no file with the translations; name it a.LANGUAGE")
    (tmp_path / "a.de.gz").write_bytes(gzip.compress(b"x" * 99, mtime=0)[:15])
    assert fault(stem, EN_DE).startswith(f"{german}.gz: cannot be read (")


def test_invalid_paths_raise(tmp_path):
    assert fault(tmp_path).startswith(f"{tmp_path}: no sentence pairs here (found nothing); give train.en and train.de")
    missing = tmp_path / "none" / "train"
    assert fault(missing) == (
        f"{missing}: no such file; give a file, or the common stem of two (train.en and train.de)"
    )
    assert fault(tmp_path / "a.tsv") == f"{tmp_path / 'a.tsv'}: no such file; check the path"
    write(tmp_path / "train.en", "a\n")
    assert "no sentence pairs here (found train.en);" in fault(tmp_path)
    write(tmp_path / "b.tsv", "a\tb\n")
    sides(tmp_path / "c")
    assert "several corpora here (b.tsv, c);" in fault(tmp_path)


def test_a_folder_of_splits(tmp_path, recwarn):
    for name, count in (("train", 3), ("dev", 2), ("test", 1)):
        sides(tmp_path / name, EN[:count], DE[:count], ending=".gz" * (name == "dev"))
    write(tmp_path / "README.md", "x")
    splits = splits_of(tmp_path, EN_DE)
    assert {name: pairs(source) for name, source in splits} == {
        "train": PAIRS,
        "validation": PAIRS[:2],
        "test": PAIRS[:1],
    }
    splits = splits_of(None, NO_OPTIONS, *(tmp_path / name for name in ("test.en", "dev.en.gz", "train.en")))
    assert [len(pairs(source)) for _, source in splits] == [1, 2, 3]
    assert not recwarn.list
    write(tmp_path / "train.tsv", "a\tb\n")
    with pytest.raises(UserError, match="several files for train: train.tsv, train; name one with --train"):
        splits_of(tmp_path, EN_DE)
    for name in ("train.tsv", "train.de"):
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"dev, test but no train\.\*"):
        splits_of(tmp_path, EN_DE)


@pytest.mark.parametrize("layout", ["stem", "folder", "table"])
def test_one_corpus_is_split_by_the_hash_of_the_source_sentence(tmp_path, layout):
    english = [f"sentence {i % 150}" for i in range(200)]
    german = [f"Satz {i}" for i in range(200)]
    stem = sides(tmp_path / "corpus", english, german)
    if layout == "table":
        stem = write(tmp_path / "all.tsv", "".join(f"{e}\t{d}\n" for e, d in zip(english, german, strict=True)))
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"):
        splits = splits_of(tmp_path if layout == "folder" else stem, EN_DE)
    for name, source in splits:
        wanted = {"test": (0,), "validation": (1,), "train": range(2, 10)}[name]
        assert pairs(source) == [p for p in zip(english, german, strict=True) if part(p[0]) in wanted]


def test_pairs_are_left_out_of_train_alone(tmp_path):
    rows = [("a" * 31, "b" * 30), ("a" * 30, "b" * 30), ("a" * 30, "bb"), ("a" * 19, "b"), ("a" * 18, "bb"), ("a", "b")]
    rows += [("", "b"), ("a", " \u3000"), ("", "")]
    for name in ("train", "valid", "test"):
        sides(tmp_path / name, *zip(*rows, strict=True))
    splits = splits_of(tmp_path, Options("en", "de", max_characters=30, max_ratio=10.0))
    with pytest.warns(UserWarning) as caught:
        kept = pairs(splits.train)
    assert kept == [rows[1], *rows[3:6]]
    assert [str(w.message) for w in caught] == [
        f"{tmp_path}/train.en: 5 of 9 pairs left out: 1 longer than 30 characters, 3 with an empty side, "
        "1 with lengths more than 10.0 times apart (--max_characters, --max_ratio)"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        assert pairs(splits.train) == kept
    assert pairs(splits.validation) == pairs(splits.test) == rows  # evaluation leaves nothing out


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
    st.integers(1, 60),
    st.sampled_from([1.0, 1.5, 3.0]),
)
def test_filtered_by_its_definition(lengths, most, ratio):
    rows = [Example("ä" * a, "👩" * b, n) for n, (a, b) in enumerate(lengths, 1)]
    source, options = Source(lambda: iter(rows), "memory"), Options(max_characters=most, max_ratio=ratio)
    left_out = {r for r, pair in zip(rows, lengths, strict=True) if max(pair) > most or not min(pair)}
    left_out |= {
        r
        for r, (a, b) in zip(rows, lengths, strict=True)
        if min(a, b) and max(a, b) >= 20 and max(a / b, b / a) > ratio
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(filtered(source, options)) == [r for r in rows if r not in left_out]
    assert [str(w.message).split(":")[1].split("pairs")[0] for w in caught] == (
        [f" {len(left_out)} of {len(rows)} "] if left_out else []
    )


def mocked(rows):
    """`mock_data` whose examples are known."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_generator(
            lambda: rows, output_signature={name: tf.TensorSpec([], "string") for name in rows[0]}
        )

    return tfds.testing.mock_data(as_dataset_fn=dataset)


@pytest.mark.parametrize(
    ("name", "source", "target"), [("ted_hrlr_translate/pt_to_en", "pt", "en"), ("wmt16_translate/ro-en", "ro", "en")]
)
def test_tensorflow_datasets(name, source, target):
    rows = [{target: en, source: de} for en, de in PAIRS]
    turned = [(de, en) for en, de in PAIRS]
    with mocked(rows):
        found = open_tfds(name, "train")  # its own direction
        assert pairs(found) == pairs(found) == turned
        assert [found.where(e) for e in found] == [f"tfds:{name}/train:{n}" for n in (1, 2, 3)]
        assert pairs(open_tfds(name, "train", Options(target, source))) == PAIRS
        assert pairs(open_tfds(name, "train", Options(source=target))) == PAIRS
        with pytest.raises(UserError, match=f"tfds:{name}: no 'fr' among .*; choose, e.g. --source_language .*"):
            open_tfds(name, "train", Options("fr", target))
        with pytest.warns(UserWarning, match="no validation split given"):
            splits = splits_of(f"tfds:{name}")
        assert pairs(splits.test) == turned and set(pairs(splits.train)) <= set(turned)


def test_tensorflow_datasets_without_languages():
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(), pytest.raises(UserError, match="tfds:imdb_reviews: no two languages among the feat"):
        open_tfds("imdb_reviews", "train")


def test_real_files_match_plain_python(data_folder):
    folder = data_folder / "translation" / "multi30k-en-de"
    splits = splits_of(folder, EN_DE)
    for (name, source), count in zip(splits, (29000, 1014, 1000), strict=True):
        stem = folder / {"validation": "valid"}.get(name, name)
        rows = [(stem.parent / f"{stem.name}.{x}").read_bytes().decode().split("\n")[:-1] for x in ("en", "de")]
        rows = list(zip(*rows, strict=True))
        assert len(rows) == count
        if name == "train":  # two of its translations are but "@@"
            with pytest.warns(UserWarning, match="train.en: 2 of 29000 pairs left out: 2 with lengths more than 9.0"):
                assert pairs(source) == [row for row in rows if row[1] != "@@"]
        else:
            assert pairs(source) == rows
