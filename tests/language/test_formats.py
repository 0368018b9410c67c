"""Running text as people have it: every encoding, tables, data sets, data in memory; faulty rows and files."""

import bz2
import gzip
import json
import lzma
import warnings

import pytest

from seqtasks.data.partition import place_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.language.documents import PIECE
from seqtasks.language.files import Options, formats
from seqtasks.language.task import TextModelling
from seqtasks.text.tokenizer import Tokenizer

LINES = Options("line")
TEXT = "Zeile 1\n\nüber Straßen"


def opened(data, options=Options(), **reading):
    return open_data(data, formats(options), Reading(**reading))


def splits_of(data=None, options=Options(), train=None, valid=None, test=None, **reading):
    return find_splits(data, formats(options), Reading(**reading), train, valid, test)


def inputs(source):
    return [e.input for e in source]


def fault(data, options=Options(), **reading):
    with pytest.raises(UserError) as found:
        list(opened(data, options, **reading))
    return str(found.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32", "latin-1", "utf-16-be"])
@pytest.mark.parametrize(("ending", "compress"), [("", bytes), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_text_files_of_every_encoding(tmp_path, encoding, ending, compress):
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compress(TEXT.replace("\n", "\r\n").encode(encoding)))
    named = encoding if encoding in ("latin-1", "utf-16-be") else None
    assert inputs(opened(path, encoding=named)) == [TEXT]
    assert [e[:3] for e in opened(path, LINES, encoding=named)] == [
        ("Zeile 1", "end", 1),
        ("über Straßen", "end", 3),
    ]
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / path.name)
    assert inputs(opened(tmp_path / "folder", encoding=named)) == [TEXT]


def test_tables_of_every_kind(tmp_path):
    pandas, texts = pytest.importorskip("pandas"), ["one", "two\nlines", "drei ß"]
    frame = pandas.DataFrame({"id": [1, 2, 3], "text": texts})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";", encoding="utf-16")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_json(tmp_path / "a.json", orient="records")
    for name in ("a.csv", "a.parquet", "a.xlsx", "a.json"):
        assert inputs(opened(tmp_path / name)) == texts
        assert inputs(opened(tmp_path / name, LINES)) == ["one", "two", "lines", "drei ß"]
    assert inputs(opened(tmp_path)) == texts * 4  # tables in a folder
    frame.rename(columns={"text": "body of it"}).to_csv(tmp_path / "b.csv", index=False)
    for column in ("body of it", "2"):
        assert inputs(opened(tmp_path / "b.csv", Options("file", column, header=True))) == texts
    assert "no text among 'id', 'body of it'; name it with --text_column (a n" in fault(tmp_path / "b.csv")
    (tmp_path / "c.jsonl").write_text('{"data": {"prose": "deep"}}\n')
    assert inputs(opened(tmp_path / "c.jsonl", Options("file", "data.prose"))) == ["deep"]


def test_data_in_memory_and_data_sets(tmp_path):
    pandas, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    texts = ["one", "", "two\nlines"]
    for data in (texts, pandas.DataFrame({"text": texts}), [{"content": text} for text in texts]):
        assert inputs(opened(data)) == ["one", "two\nlines"]
        assert [e.place for e in opened(data)] == [1, 3]
    saved = datasets.DatasetDict({name: datasets.Dataset.from_dict({"text": texts}) for name in ("train", "test")})
    saved["validation"] = saved["test"]
    saved.save_to_disk(str(tmp_path / "saved"))
    splits = splits_of(f"hf:{tmp_path / 'saved'}", LINES)
    assert [inputs(source) for _, source in splits] == [["one", "two", "lines"]] * 3


def test_rows_without_a_text_are_left_out_and_counted(tmp_path):
    rows = [{"text": f"text {n}"} for n in range(50)] + [{"text": None}, {"id": 1}, {"text": 7}]
    for name in ("train", "valid"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = splits_of(tmp_path, test=["a test"])
    with pytest.warns(
        UserWarning, match="train.jsonl: of 53 records 3 left out: .*:51: the text is missing, .*:52: no "
    ):
        assert inputs(splits.train) == [f"text {n}" for n in range(50)]
    with pytest.raises(UserError, match="valid.jsonl:51: the text is missing"):
        inputs(splits.validation)
    many = [*rows, {"text": float("nan")}]
    with pytest.raises(UserError, match="4 of 54 records are faulty, more than --max_bad 0.01 allows: list:51: the"):
        inputs(splits_of({"train": many, "validation": ["v"], "test": ["a test"]}).train)


def test_a_file_of_a_folder_that_cannot_be_decoded_is_left_out_as_a_whole(tmp_path):
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text(f"text {number}\n" * 200)
    (tmp_path / "07.txt").write_bytes(b"begins well\n" * 300 + b"caf\xe9\n")
    (tmp_path / "23.txt.gz").write_bytes(gzip.compress(b"words\n" * 9999)[:-20])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = splits_of(tmp_path)
        found = "".join(sum((inputs(source) for _, source in splits), []))
    assert found.count("\n") == 39 * 200 and "begins" not in found and "words" not in found
    (told,) = [str(w.message) for w in caught if "left out" in str(w.message)]
    assert "2 left out: " in told and "07.txt:301: not UTF-8 (byte 0xe9" in told and "23.txt.gz: cannot be read" in told
    (tmp_path / "30.txt").write_bytes(b"PK\0\xff")
    with pytest.raises(UserError, match=r"30.txt:1: a binary file \(byte 0x00 at offset 2\)"):
        splits_of(tmp_path)


def test_splits_of_files_of_other_names(tmp_path):
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n")
    assert [inputs(source) for _, source in splits_of(tmp_path)] == [["# train\n"], ["# valid\n"], ["# test\n"]]
    assert inputs(opened(f"{tmp_path}/*.md")) == ["# test\n", "# train\n", "# valid\n"]


@pytest.mark.filterwarnings("ignore:.*taken by the hash")
def test_the_shares_of_splits_can_be_chosen(tmp_path):
    texts = [f"line {n}" for n in range(500)]
    splits = splits_of(texts, split="0.6/0.1/0.3")
    found = {name: set(inputs(source)) for name, source in splits}
    assert found["test"] == {text for text in texts if place_of(text) < 0.3}
    assert found["validation"] == {text for text in texts if 0.3 <= place_of(text) < 0.4}
    path = tmp_path / "book.txt"
    path.write_text("".join(f"{'y' * (PIECE - 1)}\n" * 40))
    with pytest.warns(UserWarning, match="no test and no validation split given; parts of train taken from its end"):
        splits = splits_of(path, split="0.5/0.2/0.3")
    assert [len(inputs(source)) for _, source in splits] == [20, 8, 12]


@pytest.mark.filterwarnings("ignore:.*taken by the hash")
def test_small_data_fills_every_split():
    for start in range(40):
        texts = [f"text {start} {n}" for n in range(12)]
        splits = splits_of(texts)
        found = [inputs(source) for _, source in splits]
        assert all(found) and sorted(sum(found, [])) == sorted(texts)


@pytest.mark.filterwarnings("ignore:.*taken by the hash of the column speaker")
def test_groups_stay_on_one_side(tmp_path):
    rows = [{"text": f"text {n}\n" * 150, "speaker": f"s{n % 15}"} for n in range(60)]
    splits = splits_of(rows, group="speaker")
    speakers = [{int(text.split()[1]) % 15 for text in inputs(source)} for _, source in splits]
    assert all(speakers) and sum(map(len, speakers)) == 15
    with pytest.raises(UserError, match="--stratify: the data has no classes; leave it out"):
        splits_of(rows, stratify=True)
    (tmp_path / "a.txt").write_text("text")
    assert fault(tmp_path / "a.txt", group="x") == (
        f"{tmp_path}/a.txt: text files have no columns; leave out --group, or give a table"
    )


def test_inputs_to_score_are_whole_texts(tmp_path):
    long = "word\n" * 900
    rows = [{"id": 1, "text": long}, {"id": 2, "text": "short"}, {"id": 3, "text": ""}]
    source = opened(rows, LINES, labelled=False, carry=("id",))
    assert [(e.input, e.fields) for e in source] == [(r["text"], (("id", r["id"]),)) for r in rows]
    (tmp_path / "a.md").write_text(long)
    (tmp_path / "b.md").write_text("one\ntwo")
    assert inputs(opened(tmp_path, labelled=False)) == [long, "one\ntwo"]
    assert inputs(opened(tmp_path / "b.md", LINES, labelled=False)) == ["one", "two"]


@pytest.mark.parametrize(("text", "share"), [("abcabc", 0), ("ab" * 48 + "я" * 4, 0), ("ab" * 40 + "я" * 20, 20)])
def test_unknown_tokens_are_warned_of(text, share):
    assets = {"tokens": Tokenizer.learn([["abc"]], "character")}
    source = Source(lambda: iter([Example(text, "end", 1)]), "new.txt")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TextModelling().check(assets, source)
    told = f"new.txt: {share} % of the tokens are not in the vocabulary and count as one, easily predicted token: the "
    assert [str(w.message)[: len(told)] for w in caught] == ([told] if share else [])
