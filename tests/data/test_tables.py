"""Rows of tables and records of JSON Lines: every format, with the line of each row and of each error."""

import gzip

import pytest

from seqtasks.data.tables import read_records, read_rows
from seqtasks.errors import UserError


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_rows_of_csv_and_tsv_with_the_line_in_which_they_end(tmp_path, ending):
    path = write(tmp_path / f"a.csv{ending}", b'\xef\xbb\xbfa,b\r\n\r\n"two\nlines","a ""quote"""\n')
    assert list(read_rows(path)) == [(1, ["a", "b"]), (4, ["two\nlines", 'a "quote"'])]
    path = write(tmp_path / f"a.tsv{ending}", b'\xef\xbb\xbfa\tb\r\n\r\n"c\t""\n')
    assert list(read_rows(path)) == [(1, ["a", "b"]), (3, ['"c', '""'])]


def test_lone_carriage_returns_end_lines_of_tsv_unless_excluded(tmp_path):
    path = write(tmp_path / "a.tsv", "a\tb\rc\td\u2028e\n")
    assert list(read_rows(path)) == [(1, ["a", "b"]), (2, ["c", "d\u2028e"])]
    path = write(tmp_path / "b.tsv", "a\tb\rc\n")
    assert list(read_rows(path, tsv_newline="\n")) == [(1, ["a", "b\rc"])]


def test_nul_bytes_are_kept_or_rejected(tmp_path):
    path = write(tmp_path / "a.csv", "a\0,b\n")
    assert list(read_rows(path)) == [(1, ["a\0", "b"])]
    with pytest.raises(UserError, match=r"a.csv:1: a binary file \(byte 0x00 at offset 1\); give only text files"):
        list(read_rows(path, reject_nul=True))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "a,b\nc\n", ":2: 1 field, expected 2; both"),
        ("a.csv", "a,b\n\nc,d,e\n", ":3: 3 fields, expected 2; quote fields that contain a comma"),
        ("a.tsv", "a\nb\tc\n", ":2: 2 fields, expected 1; a field cannot contain a tab"),
        ("a.csv", 'a\n"b\n', ":2: not a table (unexpected end of data); close every quote"),
        ("a.csv", b"a\n\xff\n", ":2: not UTF-8 (byte 0xff at offset 2); save the file as UTF-8"),
        ("a.tsv", b"a\n\xff\n", ":2: not UTF-8 (byte 0xff at offset 2); save the file as UTF-8"),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    with pytest.raises(UserError) as error:
        list(read_rows(path, too_few="both"))
    assert str(error.value).startswith(f"{path}{expected}")


def test_records_are_objects(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", '{"a": 1}\n \n{"a": 2}\n[3]\n')
    records = read_records(path, "write an object")
    assert [next(records), next(records)] == [(1, {"a": 1}), (3, {"a": 2})]
    with pytest.raises(UserError, match=r"a.jsonl.gz:4: not a JSON object; write an object$"):
        next(records)
