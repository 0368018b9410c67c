"""Reads tables (CSV, TSV) and JSON Lines row by row; every error names the file and the line."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from seqtasks.data.text_files import reading, suffix_of, without_nul
from seqtasks.errors import UserError

TABLES = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".json", ".ndjson")
SUFFIXES = (*TABLES, *LINES)


def read_rows(
    path: str | Path,
    too_few: str = "give every line the same number of fields",
    tsv_newline: Literal["", "\n"] = "",
    reject_nul: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table that are not empty; all have as many fields as the first.

    Tab-separated files keep quotes as they are. A comma-separated field may be quoted; it can then contain anything.

    Args:
        path: a file that ends in `.csv` or `.tsv`, also with `.gz`.
        too_few: the remedy for a row with fewer fields than the first.
        tsv_newline: what ends a line of a TSV file: `"\\n"` for `\\n` and `\\r\\n`, `""` for these and a lone `\\r`.
        reject_nul: whether a NUL byte is an error, since the file is binary or UTF-16.

    Yields:
        (line, fields): the number of the line in which the row ends, from 1, and its fields.

    Raises:
        UserError: at a row with another number of fields, at a quote that is not closed, at a byte that is not UTF-8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text('text,label\\n"fine, really",good\\n\\ndull,bad\\n')
        >>> list(read_rows(path))
        [(1, ['text', 'label']), (2, ['fine, really', 'good']), (4, ['dull', 'bad'])]
    """
    tabs, width = TABLES[suffix_of(path)] == "\t", None
    with reading(path, reject_nul) as file:
        if tabs:
            file.reconfigure(newline=tsv_newline)
        lines = without_nul(file, path) if reject_nul else file
        for number, fields in _tab_separated(lines) if tabs else _comma_separated(lines, path):
            width = width or len(fields)
            if len(fields) != width:
                what = f"{len(fields)} field{'s' * (len(fields) != 1)}, expected {width}"
                too_many = "a field cannot contain a tab" if tabs else "quote fields that contain a comma"
                remedy = too_many if len(fields) > width else too_few
                raise UserError(what, where=f"{path}:{number}", remedy=remedy)
            yield number, fields


def _tab_separated(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if line := line.removesuffix("\n").removesuffix("\r"):
            yield number, line.split("\t")


def _comma_separated(lines: Iterable[str], path: str | Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows = csv.reader(lines, strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        remedy = "close every quote, and double quotes inside a quoted field"
        raise UserError(f"not a table ({error})", where=f"{path}:{rows.line_num}", remedy=remedy) from None


def read_records(path: str | Path, remedy: str, reject_nul: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON Lines; empty lines are skipped.

    Args:
        path: the file, also with `.gz`.
        remedy: what to write, for a line that holds another JSON value.
        reject_nul: whether a NUL byte is an error, since the file is binary or UTF-16.

    Yields:
        (line, record): the number of the line, from 1, and its object.

    Raises:
        UserError: at a line that is not a JSON object, at a byte that is not UTF-8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
        >>> _ = path.write_text('{"text": "fine"}\\n\\n{"text": "dull"}\\n')
        >>> list(read_records(path, 'write {"text": ...}'))
        [(1, {'text': 'fine'}), (3, {'text': 'dull'})]
    """
    with reading(path, reject_nul) as file:
        for number, record in json_lines(without_nul(file, path) if reject_nul else file, path):
            if not isinstance(record, dict):
                raise UserError("not a JSON object", where=f"{path}:{number}", remedy=remedy)
            yield number, record


def json_lines(lines: Iterable[str], path: str | Path) -> Iterator[tuple[int, Any]]:
    """The values of lines of JSON: pairs (number of the line, value); empty lines are skipped.

    Args:
        lines: the lines of a file.
        path: the file, for messages.

    Raises:
        UserError: at a line that is not JSON.

    Example:
        >>> list(json_lines(['{"a": 1}', "", "[2]"], "a.jsonl"))
        [(1, {'a': 1}), (3, [2])]
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                what = f"not JSON ({error.msg} at column {error.colno})"
                raise UserError(what, where=f"{path}:{number}", remedy="put one JSON object on each line") from None


def missing_field(record: dict[str, Any], names: Sequence[str], where: str, option: str) -> UserError:
    """The error for a record without a field.

    Args:
        record: the record.
        names: the names that the field may have; the message gives the first two.
        where: file and line of the record.
        option: the option that names the field.

    Example:
        >>> str(missing_field({"a": 1}, ["text", "sentence"], "a.jsonl:1", "--text_column"))
        'a.jsonl:1: no text or sentence among the fields a; name the field with --text_column'
    """
    what = f"no {' or '.join(names[:2])} among the fields {', '.join(record) or '(none)'}"
    return UserError(what, where=where, remedy=f"name the field with {option}")
