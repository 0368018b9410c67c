"""Running text: pieces make up the file again, documents stay whole, every error names its place."""

import contextlib
import gzip
import json
import re
import tracemalloc
from pydoc_data.topics import topics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.language.documents import LONGEST, LONGEST_LINE, PIECE
from seqtasks.language.files import Options, formats

LINES, PARAGRAPHS = Options("line"), Options("paragraph")
NAMES = ("train", "validation", "test")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)
    return path


def opened(data, options=Options(), **reading):
    return open_data(data, formats(options), Reading(**reading))


def splits_of(data, options=Options(), train=None, valid=None, test=None, **reading):
    return find_splits(data, formats(options), Reading(**reading), train, valid, test)


def rows(source):
    return [e[:3] for e in source]


def documents(source):
    """The texts up to each end; what has no end comes last."""
    found = [""]
    for e in source:
        found[-1] += e.input
        found += [""] * (e.target == "end")
    return found if found[-1] else found[:-1]


def fault(path, options=Options()):
    with pytest.raises(UserError) as found:
        list(opened(path, options))
    return str(found.value)


def halves(splits):
    return {name: rows(source) for name, source in splits}


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
STRETCHES = st.builds(
    lambda text, times, end: text * times + end,
    WORDS,
    st.sampled_from([1, 1, 50, 400, 2000]),
    st.sampled_from(["\n", "\r\n", "\n\n", "\r\n \t\r\n", "\r", ""]),
)
TEXTS = st.lists(STRETCHES, min_size=1, max_size=12).map("".join)
NARROW = st.lists(st.sampled_from(["a", "\r", "\n", " ", "\r\n", "é" * 7997, "b" * 8000, " " * 8000]), max_size=9)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("prose") / "text.txt"


def expected_documents(text, kind):
    """The documents as Python's own string methods find them in the whole text."""
    text = text.replace("\r\n", "\n")
    if kind == "file":
        return [text]
    lines = text.split("\n")
    if kind == "line":
        return [line for line in lines if line.strip()]
    paragraphs = "\n".join(line if line.strip() else "" for line in lines)
    return [p for p in re.split("\n\n+", paragraphs.strip("\n")) if p]


@given(TEXTS | NARROW.map("".join), st.sampled_from(["file", "paragraph", "line"]), st.booleans())
@example("x" * (LONGEST_LINE - 1) + "\r\ny", "file", False)
@example("x" * (LONGEST_LINE - 2) + "  \n" + "y\n", "paragraph", False)
@example("\n".join(["z" * 999] * 70), "paragraph", True)
@example("z\r\n\r\n \r\ny", "line", True)
def test_pieces_join_to_the_documents(file, text, kind, mark):
    if not text.strip() or text.startswith("\ufeff"):
        return
    write(file, b"\xef\xbb\xbf" * mark + text.encode())
    found = rows(opened(file, Options(kind)))
    assert found[-1][1] == "end" and {target for _, target, _ in found} <= {"", "end"}
    begun = expected_documents(text, kind)
    if " " * LONGEST_LINE not in text:  # white space as long as that at the start of a line may be left out
        assert documents(opened(file, Options(kind))) == begun
    lines = text.replace("\r\n", "\n").split("\n")
    for piece, target, line in found:
        assert piece.split("\n")[0] in lines[line - 1]
        assert len(piece) <= (PIECE + LONGEST_LINE if kind == "file" else LONGEST + LONGEST_LINE)
        if not target:  # the shortest number of lines that makes up a piece
            assert len(piece) >= PIECE
            last = piece.removesuffix("\n").rpartition("\n")[0]
            assert len(last) < PIECE
    if kind != "file":
        assert sum(len(d) <= LONGEST for d in begun) <= sum(target == "end" for _, target, _ in found)


def test_pieces_are_whole_lines_with_the_number_of_the_first(tmp_path):
    lines = [f"{'y' * 299}\n"] * 9
    source = opened(write(tmp_path / "a", "".join(lines)))
    wanted = [("".join(lines[:4]), "", 1), ("".join(lines[4:8]), "", 5), (lines[8], "end", 9)]
    assert rows(source) == rows(source) == wanted
    assert source.where(list(source)[1]) == f"{tmp_path / 'a'}:5"
    assert source.size == 2700


def test_long_paragraphs_and_lines_are_cut(tmp_path):
    line = "w" * 499 + "\n"
    path = write(tmp_path / "a.md", line * 128 + "\n\n" + line * 129 + "\nend\n")
    found = rows(opened(path, PARAGRAPHS))
    assert found[0] == (line * 127 + line[:-1], "end", 1)  # LONGEST, the end of the last line aside
    assert found[1] == (line * 2, "", 131) and found[65] == (line[:-1], "end", 259) and found[66] == ("end", "end", 261)
    long = "v" * (LONGEST + 1)
    assert documents(opened(write(path, f"a\n{long}\nb"), LINES)) == ["a", long, "b"]
    assert [(t, n) for _, t, n in rows(opened(path, LINES))] == [("end", 1), *[("", 2)] * 8, ("end", 2), ("end", 3)]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", ["a.txt", "a.text", "a.md", "README", "Makefile.am"])
def test_files_of_any_name_are_text(tmp_path, name, ending):
    path = write(tmp_path / (name + ending), "Zeile 1\r\n\r\nZeile 3 好")
    assert rows(opened(path)) == [("Zeile 1\n\nZeile 3 好", "end", 1)]
    assert rows(opened(path, LINES)) == [("Zeile 1", "end", 1), ("Zeile 3 好", "end", 3)]


TABLES = [
    ("a.csv", 'id,Text\n1,"one\r\ntwo"\n2, \n3,three\n', None, [("one\ntwo", 3), ("three", 5)]),
    ("a.csv", "one\ntwo\n", None, [("one", 1), ("two", 2)]),
    ("a.csv", "review\none\n", None, [("one", 2)]),
    ("a.csv", "a,prose\n1,one\n", "Prose", [("one", 2)]),
    ("a.csv", "1,one\n\n2,two\n", "2", [("one", 1), ("two", 3)]),
    ("a.csv", "text,own\n1,one\n", "2", [("one", 2)]),
    ("a.tsv", 'text\tx\n"one\t\n', None, [('"one', 2)]),
    ("a.jsonl", '{"text": "one"}\n\n{"id": 1, "content": "two\\r\\n"}\n{"text": ""}', None, [("one", 1), ("two\n", 3)]),
    ("a.json", '{"text": "x", "prose": "one"}', "prose", [("one", 1)]),
    ("a.ndjson", r'{"text": "a \ud83d b \ud83d\ude00"}', None, [("a ? b 😀", 1)]),
]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(("name", "content", "column", "expected"), TABLES)
def test_a_row_of_a_table_is_a_document(tmp_path, name, content, column, expected, ending):
    path = write(tmp_path / (name + ending), content)
    assert rows(opened(path, Options(text_column=column))) == [(text, "end", line) for text, line in expected]
    by_line = [(part, line) for text, line in expected for part in text.split("\n") if part]
    assert rows(opened(path, Options("line", column))) == [(text, "end", line) for text, line in by_line]


def test_long_rows_are_cut_into_pieces(tmp_path):
    text = "row\n" * 600
    path = write(tmp_path / "a.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in (text, "short")))
    found = rows(opened(path))
    assert [(target, line) for _, target, line in found] == [("", 1), ("", 1), ("end", 1), ("end", 2)]
    assert documents(opened(path)) == [text, "short"]


def test_folders_are_read_in_order_without_hidden_files(tmp_path):
    write(tmp_path / "b.txt", "b\n" * 600)
    write(tmp_path / "a" / "deep" / "x.rst.gz", "x")
    write(tmp_path / "a" / "c.csv", "text\nrow\n")
    write(tmp_path / "a" / "empty.py", "")
    write(tmp_path / ".git" / "config", "hidden")
    write(tmp_path / ".hidden", b"\0")
    source = opened(tmp_path)
    places = [("a/c.csv:2", "end"), ("a/deep/x.rst.gz:1", "end"), ("b.txt:1", ""), ("b.txt:501", "end")]
    assert [(e.place, e.target) for e in source] == [(f"{tmp_path}/{place}", target) for place, target in places]
    assert source.where(next(iter(source))) == f"{tmp_path}/a/c.csv:2"
    assert documents(source) == ["row", "x", "b\n" * 600]


def test_the_sample_is_the_help_of_python():
    source = opened("pydoc:topics")
    assert documents(source) == [topics[name] for name in sorted(topics)]
    assert list(dict.fromkeys(e.place for e in source)) == [f"pydoc_data.topics: {name}" for name in sorted(topics)]
    assert source.where(next(iter(source))) == "pydoc_data.topics: assert"


NOT_UTF8 = "save the file as UTF-8, or name its encoding with --encoding, such as latin-1"
BINARY = "a binary file (byte 0x00 at offset {}); give only text files, in UTF-8"
COLUMN = "name it with --text_column (a name of the header, or a number from 1)"
FAULTS = [
    ("a.txt", "", ": the file is empty; give a file with text"),
    ("a.csv", "", ": the file is empty; give a file with one record on each line"),
    ("a.txt.gz", "", ": only white space; give a file with text"),
    ("a.txt", " \n\t\r\n\u2003", ": only white space; give a file with text"),
    ("a.csv", "text\n \n", ": only white space; give a file with text"),
    ("a.txt", b"ab\ncd\0e", f":2: {BINARY.format(5)}"),
    ("a.txt", b"\xef\xbb\xbf" + b"ab\ncd\0e", f":2: {BINARY.format(8)}"),
    ("a.gz", b"a\n" * 20000 + b"\0", f":20001: {BINARY.format(40000)}"),
    ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", f":3: {BINARY.format(8)}"),
    ("a.csv", b"text\nab\0\n", ": not text (many of its bytes are zero); name its encoding with --encoding"),
    ("a.jsonl", b'{"text": "a\0"}', ":1: not JSON (Invalid control character at); correct it"),
    ("a.txt", b"ab\ncaf\xe9\n", f":2: not UTF-8 (byte 0xe9 at offset 6); {NOT_UTF8}"),
    ("a.txt.gz", b"a\n" * 20000 + b"\xff", f":20001: not UTF-8 (byte 0xff at offset 40000); {NOT_UTF8}"),
    ("a.csv", b"text\n\xff\n", f":2: not UTF-8 (byte 0xff at offset 5); {NOT_UTF8}"),
    ("a.txt", "ab".encode("utf-16-le"), f":1: {BINARY.format(1)}"),
    ("a.csv", "a,b\n", f": no text among 'a', 'b'; {COLUMN}"),
    ("a.csv", "text\na,b\n", ":2: 2 fields, expected 1; quote fields that contain a delimiter"),
    ("a.tsv", "text\na\tb\n", ":2: 2 fields, expected 1; a field cannot contain a tab"),
    (
        "a.csv",
        'text\n"a\n',
        ":2: not a table (the row that begins here: unexpected end of data); close every quote",
    ),
    ("a.json", '["a"]', ":1: not a JSON object: ['a']; write one object with named fields"),
    ("a.json", "{", ":1: not JSON (Expecting property name enclosed in double quotes); correct it"),
    ("a.jsonl", '{"text"', ":1: not JSON ("),
    ("a.json", '{"a": 1}', ":1: no text or sentence among the fields a; name the field with --text_column"),
    ("a.json", '{"text": 1}', ":1: the text is not a string: 1; put it in quotes"),
]


@pytest.mark.parametrize(("name", "content", "expected"), FAULTS)
def test_errors_of_a_file(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    assert fault(path).startswith(f"{path}{expected}")


def test_other_errors(tmp_path):
    assert fault(tmp_path / "no.txt") == f"{tmp_path}/no.txt: no such file or folder; check the path"
    assert fault(tmp_path) == f"{tmp_path}: no text here (found nothing); give a folder with text files"
    whole = gzip.compress(b"words " * 9999, mtime=0)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(whole[: len(whole) // 2])
    assert fault(path).startswith(f"{path}: cannot be read (Compressed file ended")
    path.write_bytes(b"no gzip")
    assert fault(path).startswith(f"{path}: cannot be read (Not a gzipped file")
    path.unlink()
    table = write(tmp_path / "a.csv", "a,b\n1,2\n")
    missing = f"{table}: no column 'c'; the columns are 'a', 'b'; name the text with --text_column"
    assert fault(table, Options(text_column="c")).startswith(missing)
    assert fault(table, Options(text_column="3", header=True)).startswith(missing.replace("'c'", "'3'"))
    table.unlink()
    write(tmp_path / "a.txt", "text")
    write(tmp_path / "z" / "b.bin", b"a\0")
    assert fault(tmp_path) == f"{tmp_path}/z/b.bin:1: {BINARY.format(1)}"


def test_large_files_are_not_held_in_memory(tmp_path):
    with (tmp_path / "large.txt").open("w") as out:
        for number in range(10):
            out.write(f"{number} words in a line\n" * 4000 + f"{'long ' * 50}\n" * 2000 + "no end " * 50_000 + "\n")
    source = opened(tmp_path / "large.txt")
    assert source.size > 8e6
    tracemalloc.start()
    count = sum(1 for _ in source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 5000 and peak < 300_000


def test_splits_of_one_file_are_taken_from_its_end(tmp_path):
    path = write(tmp_path / "book.txt", "".join(f"line {n}\n" for n in range(3200)))
    pieces = rows(opened(path))
    with pytest.warns(UserWarning) as caught:
        found = halves(splits_of(path))
    assert [str(w.message) for w in caught] == [
        f"{path}: no test and no validation split given; 10 % of train each taken from its end"
    ]
    tenth = len(pieces) // 10
    assert tenth > 2 and [len(found[name]) for name in NAMES] == [len(pieces) - 2 * tenth, tenth, tenth]
    assert sum((found[name] for name in NAMES), []) == pieces
    other = write(tmp_path / "other.txt", "other")
    with pytest.warns(UserWarning, match="no validation split given; 10 % of train taken from its end"):
        found = halves(splits_of(path, test=other))
    assert found["validation"] == pieces[-tenth:] and found["train"] == pieces[:-tenth]
    assert found["test"] == [("other", "end", 1)]


def test_files_too_short_to_split_raise(tmp_path):
    path = write(tmp_path / "a.txt", "x\n" * 1000)
    with pytest.warns(UserWarning), pytest.raises(UserError) as caught:
        splits_of(path)
    assert str(caught.value) == (
        f"{path}: too short to take a split from (2 pieces of about 1000 characters); "
        "give more text, or name files with --valid and --test"
    )
    write(path, "x\n" * 1100)
    with pytest.warns(UserWarning):
        assert [len(found) for found in halves(splits_of(path)).values()] == [1, 1, 1]


def many(folder, count):
    for number in range(count):
        write(folder / f"{number}.txt", f"number {number}\n" * 150)
    return folder


def test_a_folder_of_many_files_is_split_by_their_names(tmp_path):
    here, there = many(tmp_path / "here", 40), many(tmp_path / "there" / "x", 40)
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"):
        splits = splits_of(here)
        moved = splits_of(there)
    found = {name: documents(source) for name, source in splits}
    assert found == {name: documents(source) for name, source in moved}
    assert sorted(sum(found.values(), [])) == sorted(f"number {n}\n" * 150 for n in range(40))
    for name, tenths in (("test", {0}), ("validation", {1}), ("train", set(range(2, 10)))):
        assert {part(f"/{text.split()[1]}.txt:1") for text in found[name]} <= tenths
        assert found[name]


def test_splits_of_few_files_are_taken_from_the_end(tmp_path):
    folder = many(tmp_path / "few", 9)
    pieces = rows(opened(folder))
    with pytest.warns(UserWarning, match="from its end"):
        found = halves(splits_of(folder))
    assert sum((found[name] for name in NAMES), []) == pieces and len(found["test"]) == len(pieces) // 10 == 1


def test_the_sample_is_split_by_topics():
    with pytest.warns(UserWarning, match="^pydoc:topics: no test and .* taken by the hash of the name"):
        splits = splits_of("pydoc:topics")
    found = {name: documents(source) for name, source in splits}
    assert sorted(sum(found.values(), [])) == sorted(topics.values())
    assert all(len(texts) > 3 for texts in found.values())


@pytest.mark.parametrize(("suffix", "kind"), [("txt", "line"), ("txt", "paragraph"), ("csv", "file"), ("csv", "line")])
def test_equal_texts_are_in_one_split(tmp_path, suffix, kind):
    blank = "\n" * (kind == "paragraph")
    texts = [f"line {n % 50}" for n in range(150)] + ["long " * LONGEST]
    path = write(tmp_path / f"a.{suffix}", "".join(f"{text}\n{blank}" for text in texts))
    with pytest.warns(UserWarning, match="by the hash of the text"):
        splits = splits_of(path, Options(kind))
    found = {name: documents(source) for name, source in splits}
    assert sorted(sum(found.values(), [])) == sorted(texts)
    for name, tenths in (("test", {0}), ("validation", {1}), ("train", set(range(2, 10)))):
        assert {part(text) for text in found[name] if len(text) < 99} <= tenths and found[name]


def test_given_splits(tmp_path, recwarn):
    write(tmp_path / "train.txt", "a b c")
    write(tmp_path / "valid" / "x.md", "d")
    write(tmp_path / "test.jsonl.gz", '{"text": "e"}')
    found = {name: documents(source) for name, source in splits_of(tmp_path)}
    assert found == {"train": ["a b c"], "validation": ["d"], "test": ["e"]}
    train = tmp_path / "test.jsonl.gz"
    assert documents(splits_of(tmp_path, train=train).train) == ["e"]
    assert documents(splits_of(None, LINES, train, train, opened(tmp_path / "train.txt")).test) == ["a b c"]
    assert not recwarn.list
    with pytest.raises(UserError, match="--train: nothing to train on; give --data or --train a file"):
        splits_of(None)


@contextlib.contextmanager
def mocked(records):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def dataset(self, *args, **kwargs):
        texts = tf.data.Dataset.from_tensor_slices(records)
        return texts.map(lambda text: {"text": text, "label": 0})

    with tfds.testing.mock_data(as_dataset_fn=dataset):
        yield


def test_tensorflow_datasets():
    texts = ["words\n" * 400, "", "é", *(f"text {n}" for n in range(12))]
    with mocked(texts):
        with pytest.warns(UserWarning, match="no validation split given; 10 % of train taken by the hash of the text"):
            splits = splits_of("tfds:imdb_reviews")
        assert documents(splits.test) == [text for text in texts if text]
        assert [e.place for e in splits.test][:4] == [1, 1, 1, 3]
        assert splits.test.name == "tfds:imdb_reviews/test"
        assert sorted(documents(splits.train) + documents(splits.validation)) == sorted(documents(splits.test))
        with pytest.raises(UserError, match="tfds:imdb_reviews/.*: no column 'prose'; the columns are 'text"):
            splits_of("tfds:imdb_reviews", Options(text_column="prose"))
