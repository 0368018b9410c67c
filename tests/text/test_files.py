"""Labelled texts: every format, plain and compressed, and every error with file, line and remedy."""

import gzip
import json

import pytest

from seqtasks.data.columns import LABEL_NAMES, TEXT_NAMES, Columns
from seqtasks.data.reading import Reading
from seqtasks.data.splits import open_data
from seqtasks.errors import UserError
from seqtasks.text.files import formats

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


def open_source(path, columns=Columns(), **reading):
    return open_data(path, formats(columns), Reading(**reading))


def pairs(path, **columns):
    return [(e.input, e.target) for e in open_source(path, Columns(**columns))]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", CONTENT)
def test_every_format_gives_the_same_examples_in_every_iteration(tmp_path, name, ending):
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


def test_columns_by_usual_name_name_number_and_order(tmp_path):
    usual = write(tmp_path / "a.csv", "id,Review,Sentiment\n1,fine,good\n")
    assert pairs(usual) == [("fine", "good")]
    named = write(tmp_path / "b.csv", "id,words,mood\n1,fine,good\n")
    assert pairs(named, text="words", label="mood") == [("fine", "good")]
    numbered = write(tmp_path / "c.csv", "5,fine,x\n1,dull,y\n")
    assert pairs(numbered, text="2", label="1") == [("fine", "5"), ("dull", "1")]
    headed = write(tmp_path / "d.csv", "what,how\nfine,good\n")
    assert pairs(headed) == [("what", "how"), ("fine", "good")]
    assert pairs(headed, text="1", label="2", header=True) == [("fine", "good")]


def test_unusual_names_over_labels_that_repeat_are_names(tmp_path):
    rows = [(f"film {n}", "xy"[n % 2]) for n in range(10)]
    body = "".join(f"{text},{label}\n" for text, label in rows)
    assert pairs(write(tmp_path / "a.csv", "words,mood\n" + body)) == rows
    assert pairs(write(tmp_path / "b.csv", body)) == rows
    rare = [*rows, ("odd", "z")]  # a label that occurs once need not be a name
    assert pairs(write(tmp_path / "c.csv", "odd,z\n" + body)) == rows
    assert pairs(write(tmp_path / "d.csv", body + "odd,z\n")) == rare
    assert pairs(write(tmp_path / "e.csv", "odd,z\n" + body), header=False) == [("odd", "z"), *rows]


def test_columns_by_number_leave_out_the_names_above_them(tmp_path):
    rows = [(f"film {n}", "xy"[n % 2]) for n in range(10)]
    body = "".join(f"{n},{text},{label}\n" for n, (text, label) in enumerate(rows))
    for first in ("id,text,label", "id,words,Label", "id,words,mood"):
        path = write(tmp_path / "a.csv", f"{first}\n{body}")
        assert pairs(path, text="2", label="3") == rows
        inputs = open_source(path, Columns("2", "3"), labelled=False)
        assert [e.input for e in inputs] == [text for text, _ in rows]
    assert pairs(write(tmp_path / "b.csv", body), text="2", label="3") == rows
    path = write(tmp_path / "c.csv", "id,text\n1,fine\n")
    assert [e.input for e in open_source(path, Columns("2"), labelled=False)] == ["fine"]
    assert (
        pairs(write(tmp_path / "d.csv", "id,text,label\n1,fine,good\n"), text="2", label="3", header=False)[0][1]
        == "label"
    )


def test_a_carriage_return_alone_ends_no_line_of_inputs(tmp_path):
    path = write(tmp_path / "a.txt", b"one\r\n\ntwo\rthree\n")
    assert [e.input for e in open_source(path, labelled=False)] == ["one", "", "two\rthree"]


@pytest.mark.parametrize("label", ["stars", "3"])
def test_inputs_need_no_column_of_labels(tmp_path, label):
    path = write(tmp_path / "a.csv", "text,n\nfine,1\ndull,2\n")
    found = open_source(path, Columns(label=label), labelled=False)
    assert [e.input for e in found] == ["fine", "dull"]


def test_inputs_whose_names_cannot_be_told_from_data_are_refused(tmp_path):
    def inputs(content, **columns):
        source = open_source(write(tmp_path / "a.csv", content), Columns(**columns), labelled=False)
        return [e.input for e in source]

    body = "".join(f"film {n},{'xy'[n % 2]}\n" for n in range(10))
    assert inputs("words,mood\n" + body) == inputs(body) == [f"film {n}" for n in range(10)]
    for content in ("words,n\nfine,1\ndull,2\n", "words\nfine\ndull\n"):
        with pytest.raises(
            UserError, match=r"cannot tell whether 'words'.* are the names of columns; name the column with"
        ):
            inputs(content)
        assert inputs(content, header=True, text="1") == inputs(content, text="words") == ["fine", "dull"]
        assert inputs(content, header=False) == ["words", "fine", "dull"]
    assert inputs("7,words\n8,fine\n", text="2") == ["words", "fine"]  # numbers suggest that there are no names
    assert inputs("text\nfine\n") == ["fine"]


def test_byte_order_mark_line_ends_nul_bytes_and_lines_inside_quotes(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbftext,label\r\n"two\nlines",a\r\nn\x00ul,b\r\n\r\n')
    assert pairs(path) == [("two\nlines", "a"), ("n\x00ul", "b")]
    assert [e.place for e in open_source(path)] == [3, 4]


@pytest.mark.parametrize("name", CONTENT)
def test_byte_order_mark_and_windows_line_ends_in_every_format(tmp_path, name):
    content = b"\xef\xbb\xbf" + CONTENT[name].replace("\n", "\r\n").encode()
    assert pairs(write(tmp_path / name, content)) == ROWS


@pytest.mark.parametrize("header", ["Sentence\tClass", "stars\tbody", "n\t TWEET \tpolarity"])
def test_usual_names_in_any_case_and_column(tmp_path, header):
    found = pairs(write(tmp_path / "a.tsv", f"{header}\n" + "\t".join("abc"[: header.count("\t") + 1]) + "\n"))
    names = header.lower().split("\t")
    text, label = (next(i for i, n in enumerate(names) if n.strip() in known) for known in (TEXT_NAMES, LABEL_NAMES))
    assert found == [("abc"[text], "abc"[label])]


def test_the_order_of_a_folder_does_not_depend_on_its_path_and_hidden_files_are_left_out(tmp_path):
    found = []
    for place in ("here", "there"):
        for label in ("neg", "pos"):
            (tmp_path / place / label).mkdir(parents=True)
            write(tmp_path / place / label / ".DS_Store", b"\x00\xff")
            for i in range(10):
                write(tmp_path / place / label / f"{i}_7.txt", f"{label} {i}")
        found.append(pairs(tmp_path / place))
    assert found[0] == found[1] and len(found[0]) == 20
    assert found[0] != sorted(found[0], key=lambda pair: pair[1])


def test_an_example_knows_its_place(tmp_path):
    source = open_source(write(tmp_path / "a.tsv", "x\ta\n\ny\tb\n"))
    assert [source.where(e) for e in source] == [f"{tmp_path}/a.tsv:1", f"{tmp_path}/a.tsv:3"]
    assert [e.input for e in source.select(lambda e: e.target == "b")] == ["y"]
    (tmp_path / "pos").mkdir()
    file = write(tmp_path / "pos" / "1.txt", "z")
    folder = open_source(tmp_path)
    assert [folder.where(e) for e in folder] == [str(file)]


def test_lone_surrogates_become_question_marks(tmp_path):
    assert pairs(write(tmp_path / "a.jsonl", r'{"text": "a \ud83d b \ud83d\ude00", "label": "x"}')) == [
        ("a ? b 😀", "x")
    ]


def test_fields_of_json_lines_by_name(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"q": "x", "mood": "a", "label": "no"}\n{"q": "", "mood": true}\n')
    assert pairs(path, text="q", label="mood") == [("x", "a"), ("", "true")]


def test_tab_separated_fields_keep_their_quotes(tmp_path):
    path = write(tmp_path / "a.tsv", '"never" again\tbad\n"the start of a quote\tgood\n""\tbad\n')
    assert pairs(path) == [('"never" again', "bad"), ('"the start of a quote', "good"), ('""', "bad")]


def test_labels_of_json_lines_may_be_numbers(tmp_path):
    assert pairs(write(tmp_path / "a.jsonl", '{"review": "x", "stars": 5}\n\n')) == [("x", "5")]
    assert pairs(write(tmp_path / "a.jsonl", '{"text": "x", "label": " good "}\n')) == [("x", "good")]


FAULTS = {
    "a.csv": [
        ("", ": the file is empty; give a file"),
        ("text,label\nx\n", ":2: 1 field, expected 2; give every line the same number of fields"),
        ("text,label\nx,a\n1,2,b\n", ":3: 3 fields, expected 2; quote fields that contain a delimiter"),
        ("text,label\nx,\n", ":2: the label is missing; give every record a text and a label"),
        ('text,label\n"x, y,a\n', ":2: not a table"),
        (b"text,label\nx,a\n\xff,b\n", ":3: not UTF-8 (byte 0xff at offset 15); save the file as UTF-8"),
        ("a,b,c\n1,2,3\n", ": no text and label among 'a', 'b', 'c'; name them with --text_column"),
    ],
    "a.tsv": [
        ("x\ta\ny\tb\tc\n", ":2: 3 fields, expected 2; a field cannot contain a tab"),
        (b"x\ta\r\ny\xc3\tb\r\n", ":2: not UTF-8 (byte 0xc3 at offset 6)"),
    ],
    "a.tsv.gz": [(b"\xef\xbb\xbfx\ta\n\xe9t\xe9\tb\n", ":2: not UTF-8 (byte 0xe9 at offset 7)")],
    "a.jsonl": [
        ('{"text": "x", "label": " "}', ":1: the label is missing; give every record a text and a label"),
        ("[1]\n", ":1: not a JSON object"),
        ('{"text": "x", "label": "a"}\n{"text"\n', ":2: not JSON ("),
        ('{"text": "x"}\n', ":1: no label or sentiment among the fields text; name the field with --label_column"),
        ('{"text": 3, "label": "a"}\n', ":1: the text is not a string: 3; put it in quotes"),
    ],
}


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in FAULTS.items() for c, e in cases])
def test_errors_name_file_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    with pytest.raises(UserError) as fault:
        list(open_source(path))
    assert str(fault.value).startswith(f"{path}{expected}")


@pytest.mark.parametrize("content", [gzip.compress(b"x" * 99, mtime=0)[:15], b"x,a\n"], ids=["cut", "plain"])
@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "pos/1.txt.gz"])
def test_truncated_or_invalid_gzip_raises(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError) as fault:
        list(open_source(tmp_path if "/" in name else path))
    assert str(fault.value).startswith(f"{path}: cannot be read (")
    assert str(fault.value).endswith("; check that the file is complete and readable")


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({"text": "words"}, "words"),
        ({"label": "mood"}, "mood"),
        ({"text": "text", "label": "mood"}, "mood"),
        ({"text": "words", "label": "label"}, "words"),
        ({"text": "3", "label": "1"}, "3"),
        ({"text": "1", "label": "0"}, "0"),
    ],
)
def test_errors_name_the_missing_column_and_those_present(tmp_path, columns, missing):
    with pytest.raises(UserError) as fault:
        pairs(write(tmp_path / "a.csv", "text,label\nx,a\n"), **columns)
    listed = "'1', '2'" if missing == "3" else "'text', 'label'"  # without usual names a column has a number
    assert f"a.csv: no column '{missing}'; the columns are {listed}; name the" in str(fault.value)


def test_invalid_paths_raise(tmp_path):
    with pytest.raises(UserError, match="no such file or folder; check the path"):
        open_source(tmp_path / "no.csv")
    with pytest.raises(UserError, match=r"unknown format '\(no suffix\)'; files end in .txt, .ft"):
        open_source(write(tmp_path / "a", "x"))
    (tmp_path / "a").unlink()
    with pytest.raises(UserError, match="unknown format '.pdf'; files end in .txt, .ft"):
        open_source(write(tmp_path / "a.pdf", "x"))
    with pytest.raises(UserError, match=r"no text files in sub-folders here \(found a.pdf\)"):
        open_source(tmp_path)
