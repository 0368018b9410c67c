"""Sources: every format, plain and gzip, and every fault told with file, line and remedy."""

import gzip
import json

import pytest

from seqtasks.data.sources import Columns, open_source
from seqtasks.errors import UserError

ROWS = [("a fine film", "good"), ('she said "no", twice', "bad"), ("好电影", "good")]
CONTENT = {
    "rows.csv": 'text,label\na fine film,good\n"she said ""no"", twice",bad\n好电影,good\n',
    "rows.tsv": 'a fine film\tgood\nshe said "no", twice\tbad\n好电影\tgood\n',
    "rows.jsonl": "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in ROWS),
}


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def pairs(path, **columns):
    return [(e.input, e.target) for e in open_source(path, Columns(**columns))]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", CONTENT)
def test_every_format_gives_the_same_examples_again_and_again(tmp_path, name, ending):
    source = open_source(write(tmp_path / (name + ending), CONTENT[name]))
    for _ in range(2):
        assert [(e.input, e.target) for e in source] == ROWS
    assert [len(chunk) for chunk in source.chunks(2)] == [2, 1]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_per_class_mixes_the_classes_and_leaves_out_unsup(tmp_path, ending):
    for label in ("neg", "pos", "unsup"):
        (tmp_path / label).mkdir()
        for i in range(20):
            write(tmp_path / label / f"{i}.txt{ending}", f"{label} {i}\nsecond line")
    found = pairs(tmp_path)
    assert sorted(found) == sorted((f"{y} {i}\nsecond line", y) for y in ("neg", "pos") for i in range(20))
    assert {label for _, label in found[:20]} == {"neg", "pos"}


def test_columns_by_usual_name_by_name_by_number_and_by_place(tmp_path):
    usual = write(tmp_path / "a.csv", "id,Review,Sentiment\n1,fine,good\n")
    assert pairs(usual) == [("fine", "good")]
    named = write(tmp_path / "b.csv", "id,words,mood\n1,fine,good\n")
    assert pairs(named, text="words", label="mood") == [("fine", "good")]
    numbered = write(tmp_path / "c.csv", "5,fine,x\n1,dull,y\n")
    assert pairs(numbered, text="2", label="1") == [("fine", "5"), ("dull", "1")]
    headed = write(tmp_path / "d.csv", "what,how\nfine,good\n")
    assert pairs(headed) == [("what", "how"), ("fine", "good")]
    assert pairs(headed, text="1", label="2", header=True) == [("fine", "good")]


def test_byte_order_mark_line_ends_nul_bytes_and_lines_inside_quotes(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbftext,label\r\n"two\nlines",a\r\nn\x00ul,b\r\n\r\n')
    assert pairs(path) == [("two\nlines", "a"), ("n\x00ul", "b")]
    assert [e.place for e in open_source(path)] == [3, 4]


def test_labels_of_json_lines_may_be_numbers(tmp_path):
    assert pairs(write(tmp_path / "a.jsonl", '{"review": "x", "stars": 5}\n\n')) == [("x", "5")]


FAULTS = {
    "a.csv": [
        ("", ": the file is empty; give a file"),
        ("text,label\nx\n", ":2: 1 field where 2 are due; give every line a text and a label"),
        ("text,label\nx,a\n1,2,b\n", ":3: 3 fields where 2 are due; quote fields that hold a comma"),
        ("text,label\nx,\n", ":2: the label is missing; give every line a label"),
        ('text,label\n"x,a\n', ":2: not a table"),
        (b"text,label\nx,a\n\xff,b\n", ":3: not UTF-8 (byte 0xff at offset 15); save the file as UTF-8"),
        ("a,b,c\n1,2,3\n", ": no text and label among 'a', 'b', 'c'; name them with --text_column"),
    ],
    "a.csv.gz": [(b"", ": cannot be read (")],
    "a.jsonl": [
        ("[1]\n", ":1: not a JSON object"),
        ('{"text": "x", "label": "a"}\n{"text"\n', ":2: not JSON ("),
        ('{"text": "x"}\n', ":1: no label or sentiment among the fields text; name the field with --label_column"),
        ('{"text": 3, "label": "a"}\n', ":1: the text is no string: 3; put it in quotes"),
    ],
}


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in FAULTS.items() for c, e in cases])
def test_faults_name_file_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(CONTENT["rows.csv"].encode())[:-9])
    with pytest.raises(UserError) as fault:
        list(open_source(path))
    assert str(fault.value).startswith(f"{path}{expected}")


def test_what_is_no_source(tmp_path):
    with pytest.raises(UserError, match="no such file or folder; check the path"):
        open_source(tmp_path / "no.csv")
    with pytest.raises(UserError, match="unknown format '.xlsx'; files end in .csv, .tsv"):
        open_source(write(tmp_path / "a.xlsx", "x"))
    with pytest.raises(UserError, match=r"no text files in sub-folders here \(found a.xlsx\)"):
        open_source(tmp_path)
    with pytest.raises(UserError, match="no column 'words'; the columns are 'text', 'label'"):
        pairs(write(tmp_path / "a.csv", "text,label\nx,a\n"), text="words")
