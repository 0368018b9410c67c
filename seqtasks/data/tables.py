"""Tables of every format as streams of records: CSV, TSV, JSON, Parquet, Arrow, Excel.

A record is a mapping from the names of columns to values. Every error names the file and the line.
"""

import contextlib
import csv
import functools
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.data.json_files import read_json
from seqtasks.data.reading import Reading
from seqtasks.data.text_files import check_text, suffix_of
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError, needs

DELIMITED = (".csv", ".tsv", ".tab")
LINES = (".jsonl", ".json", ".ndjson")
ARROW = (".parquet", ".arrow", ".feather")
EXCEL = (".xlsx",)
SUFFIXES = (*DELIMITED, *LINES, *ARROW, *EXCEL)
DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
SNIFFED = ",;\t|"
QUOTES: tuple[str | None, ...] = ('"', "'", None)
SAMPLE_ROWS = 30  # rows from which the delimiter is detected
BATCH_ROWS = 1024  # rows of a Parquet file that are in memory

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """Records that can be read repeatedly: a table, JSON, a data set of a library, or objects in memory.

    Args:
        read: a function that returns a new iterator of pairs of place and record, or the error of a faulty record. The
            place is a number from 1, or names the file too.
        name: where they come from, for messages.
        names: the names of the columns in order; empty if each record has its own, as in JSON.
        header: whether these are names; False if they are numbers from 1.
        unsure: whether the first record may hold the names nevertheless, since none of them is usual.
        size: bytes on disk, or None if unknown.

    Example:
        >>> records = Records(lambda: iter([(1, {"text": "fine"})]), "memory", ("text",))
        >>> [record["text"] for _, record in records.read()]
        ['fine']
    """

    read: Callable[[], Iterator[tuple[int | str, Record | UserError]]]
    name: str
    names: tuple[str, ...] = ()
    header: bool = True
    size: int | None = None
    unsure: bool = False

    def where(self, place: int | str) -> str:
        """A place for messages."""
        return f"{self.name}:{place}" if isinstance(place, int) else place


def value_of(record: Record, name: str) -> Any:
    """The value of a column, or of a field inside a field by a dotted name; None if there is none.

    Example:
        >>> value_of({"data": {"text": "fine"}}, "data.text"), value_of({"a.b": 1}, "a.b"), value_of({}, "x")
        ('fine', 1, None)
    """
    if name in record or "." not in name:
        return record.get(name)
    found: Any = record
    for part in name.split("."):
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def open_records(
    path: str | Path, reading: Reading = Reading(), is_header: Callable[[list[str]], bool] = lambda first: True
) -> Records:
    """The records of a file.

    Args:
        path: a file that ends in one of `SUFFIXES`, also compressed.
        reading: `encoding` and `delimiter`.
        is_header: whether the first row of a table holds the names of the columns.

    Raises:
        UserError: if there is no such file, it is empty, or it is no table; while reading, if a record cannot be read
            and no later one either. The error of a record that is faulty alone takes its place.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text('text,label\\n"fine, really",good\\n\\ndull,bad\\n')
        >>> list(open_records(path).read())
        [(2, {'text': 'fine, really', 'label': 'good'}), (4, {'text': 'dull', 'label': 'bad'})]
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    size = path.stat().st_size
    if size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file with one record on each line")
    suffix = suffix_of(path)
    if suffix in (*DELIMITED, *LINES):
        check_text(path, reading.encoding)
    if suffix in LINES:
        return Records(lambda: _json_records(path, reading.encoding), str(path), size=size)
    if suffix in ARROW:
        return _arrow(path, size)
    if suffix not in (*DELIMITED, *EXCEL):
        remedy = f"tables end in {', '.join(SUFFIXES)}, also with .gz, .bz2, .xz or .zst"
        raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)
    rows: Callable[[], Iterator[tuple[int, list[str] | UserError]]] = functools.partial(_excel_rows, path)
    if suffix in DELIMITED:
        rows = functools.partial(read_rows, path, dialect_of(path, reading), reading.encoding)
    return of_rows(rows, str(path), is_header, size)


def of_rows(
    rows: Callable[[], Iterator[tuple[int, list[str] | UserError]]], name: str,
    is_header: Callable[[list[str]], bool] = lambda first: True, size: int | None = None,
) -> Records:  # fmt: skip
    """The records of rows of strings, of which the first may hold the names.

    Args:
        rows: returns a new iterator of (line, fields).
        name: for messages.
        is_header: whether the first row holds the names.
        size: bytes on disk.

    Raises:
        UserError: if there is no row.
    """
    first = next(rows(), None)
    if first is None:
        raise UserError("the file is empty", where=name, remedy="give a file with one record on each line")
    if isinstance(first[1], UserError):
        raise first[1]
    header = is_header(first[1])
    names = distinct([field.strip() for field in first[1]] if header else map(str, range(1, len(first[1]) + 1)))

    def read() -> Iterator[tuple[int, Record | UserError]]:
        for line, row in itertools.islice(rows(), int(header), None):
            yield line, row if isinstance(row, UserError) else dict(zip(names, row, strict=True))

    return Records(read, name, names, header, size, unsure=not header)


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Names of columns, of which each is there once: a second column of the same name is found by its number only.

    Example:
        >>> distinct(["text", "label", "text"])
        ('text', 'label', 'text (3)')
    """
    found: list[str] = []
    for name in names:
        found.append(f"{name} ({len(found) + 1})" if name in found else name)
    return tuple(found)


class Dialect(NamedTuple):
    """How the fields of a table are separated and quoted; without a quote, quotes are letters as others.

    With `spaces` a space after a delimiter is no part of the field.
    """

    delimiter: str
    quote: str | None = '"'
    spaces: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `csv.reader`."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, "skipinitialspace": self.spaces, **quoting}


def dialect_of(path: str | Path, reading: Reading = Reading()) -> Dialect:
    """The dialect of a table: as `reading` names it, as its line `sep=;` does, or as its first rows show.

    Args:
        path: the file.
        reading: `delimiter` and `encoding`.

    Raises:
        UserError: if the delimiter is not one character.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("text;label\\nfine, really;good\\n")
        >>> dialect_of(path).delimiter
        ';'
    """
    if reading.delimiter is not None:
        delimiter = DELIMITERS.get(reading.delimiter.lower(), reading.delimiter)
        if len(delimiter) != 1:
            remedy = "give one character, or tab"
            raise UserError(f"{reading.delimiter!r} is not a delimiter", where="--delimiter", remedy=remedy)
        return Dialect(delimiter)
    if suffix_of(path) != ".csv":
        return Dialect("\t")
    with opened(path, encoding=reading.encoding) as file:
        lines = [line[:10_000] for line in itertools.islice(file, SAMPLE_ROWS)]
    if named := re.fullmatch(r"sep=(.)\s*", lines[0] if lines else ""):
        return Dialect(named[1])
    for delimiter in SNIFFED.replace("\t", ""):  # "a fine film", "good"
        spaced = Dialect(delimiter, spaces=True)
        found = _widths(lines, spaced)
        if len(found) == 1 and found != {1} and all(f'{delimiter} "' in line for line in lines[1:] if line.strip()):
            return spaced if len(lines) > 1 else Dialect(delimiter)
    for quote in QUOTES:
        widths = {delimiter: _widths(lines, Dialect(delimiter, quote)) for delimiter in SNIFFED}
        regular = [d for d, found in widths.items() if len(found) == 1 and found != {1} and _quoted(lines, d, quote)]
        if len(regular) == 1 or regular[:1] == [","]:
            return Dialect(regular[0], quote)
        if (
            quote == '"'
            and all(found == {1} for found in widths.values())
            and all(_enclosed(line) for line in lines[1:])
        ):
            return Dialect(",")
    import clevercsv

    try:
        sniffed = clevercsv.Sniffer().sniff("".join(lines), delimiters=SNIFFED).delimiter
    except clevercsv.exceptions.Error:
        sniffed = ","
    return Dialect(sniffed or ",")


def _quoted(lines: Sequence[str], delimiter: str, quote: str | None) -> bool:
    """Whether a quote is as it should be: a single one encloses a field in each line after the first."""
    return quote != "'" or all(line.startswith(quote) or f"{delimiter}{quote}" in line for line in lines[1:])


def _enclosed(line: str) -> bool:
    """Whether a line is one quoted field."""
    return len(line) > 2 and line.strip()[:1] == line.strip()[-1:] == '"'


def _widths(lines: Sequence[str], dialect: Dialect) -> set[int]:
    """The numbers of fields of rows, without the last, which may be cut off inside a quoted field."""
    try:
        rows = [row for row in csv.reader(lines, strict=True, **dialect.options) if row]
    except csv.Error:
        return set()
    return {len(row) for row in (rows[:-1] if len(lines) == SAMPLE_ROWS else rows)}


def read_rows(
    path: str | Path, dialect: Dialect, encoding: str | None = None
) -> Iterator[tuple[int, list[str] | UserError]]:
    """The rows of a delimited file that are not empty. A row with more or fewer fields than the first is an error.

    Tab-separated files keep quotes as they are. In other files a field may be quoted; it can then contain anything.

    Args:
        path: the file, also compressed.
        dialect: how fields are separated and quoted.
        encoding: of the file; None for UTF-8.

    Yields:
        (line, fields): the number of the line in which the row ends, from 1, and its fields, or the error.

    Raises:
        UserError: at a quote that is not closed, at a byte that is not text.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("text,label\\nfine,good,really\\n")
        >>> [(line, str(row)[-24:]) for line, row in read_rows(path, Dialect(","))]
        [(1, "['text', 'label']"), (2, 'that contain a delimiter')]
    """
    width: int | None = None
    tabs = suffix_of(path) != ".csv" and dialect.delimiter == "\t"
    with opened(path, encoding=encoding) as file:
        if tabs:
            file.reconfigure(newline="\n")
        for number, fields in _tab_separated(file) if tabs else _delimited(file, dialect, path):
            if not any(fields):  # spreadsheets write rows of delimiters alone
                continue
            width = width or len(fields)
            if len(fields) == width:
                yield number, fields
                continue
            what = f"{len(fields)} field{'s' * (len(fields) != 1)}, expected {width}"
            too_many = "a field cannot contain a tab" if tabs else "quote fields that contain a delimiter"
            remedy = too_many if len(fields) > width else "give every line the same number of fields"
            yield number, UserError(what, where=f"{path}:{number}", remedy=remedy)


def _tab_separated(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if line := line.removesuffix("\n").removesuffix("\r"):
            yield number, line.split("\t")


def _delimited(lines: Iterator[str], dialect: Dialect, path: str | Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    first = next(lines, "")
    skipped = int(re.fullmatch(r"sep=.\s*", first) is not None)  # Excel's line that names the delimiter
    lines = lines if skipped else itertools.chain([first], lines)
    rows = csv.reader(lines, strict=True, **dialect.options)
    complete = skipped  # the last line of the row before
    try:
        for row in rows:
            complete = rows.line_num + skipped
            if row:
                yield complete, row
    except csv.Error as error:
        remedy = "close every quote, and double quotes inside a quoted field"
        what = f"not a table (the row that begins here: {error})"
        raise UserError(what, where=f"{path}:{complete + 1}", remedy=remedy) from None


def _excel_rows(path: Path) -> Iterator[tuple[int, list[str] | UserError]]:
    needs("openpyxl", extra="formats")
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl has no error of its own for a file that is no workbook
        what = f"cannot be read as a workbook ({error})"
        raise UserError(what, where=path, remedy="save it as .xlsx, or export it as CSV") from None
    with contextlib.closing(book):
        sheets = ([*sheet.iter_rows(values_only=True)] for sheet in book.worksheets)
        rows = next((rows for rows in sheets if any(value is not None for row in rows for value in row)), [])
        width = 0
        for line, row in enumerate(rows, 1):
            fields = ["" if value is None else str(value) for value in row]
            while not width and fields and not fields[-1]:
                fields.pop()
            width = width or len(fields)
            fields = [*fields, *[""] * width][:width]
            if any(fields):
                yield line, fields


def _arrow(path: Path, size: int) -> Records:
    needs("pyarrow", extra="formats")
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = "check that the file is complete"

    def batches() -> Iterator[Any]:
        if suffix_of(path) == ".parquet":
            with pq.ParquetFile(path, pre_buffer=False) as file:  # which would hold the whole file
                yield from file.iter_batches(BATCH_ROWS)
            return
        with pa.memory_map(str(path)) as mapped:
            try:
                file = pa.ipc.open_file(mapped)
            except pa.ArrowInvalid:
                mapped.seek(0)
                yield from pa.ipc.open_stream(mapped)
            else:
                yield from (file.get_batch(number) for number in range(file.num_record_batches))

    def read() -> Iterator[tuple[int, Record]]:
        try:
            named = (batch.rename_columns(list(distinct(batch.schema.names))) for batch in batches())
            rows = (row for batch in named for row in batch.to_pylist())
            yield from enumerate(rows, 1)
        except pa.ArrowInvalid as error:
            what = f"cannot be read as {suffix_of(path)[1:]} ({str(error).splitlines()[0]})"
            raise UserError(what, where=path, remedy=remedy) from None

    first = next(read(), None)
    if first is None:
        raise UserError("no rows in it", where=path, remedy="give a file that holds records")
    return Records(read, str(path), tuple(first[1]), size=size)


def _json_records(path: Path, encoding: str | None) -> Iterator[tuple[int, Record | UserError]]:
    for number, record in read_json(path, encoding):
        if isinstance(record, dict | UserError):
            yield number, record
        else:
            what = f"not a JSON object: {record!r:.40}"
            yield number, UserError(what, where=f"{path}:{number}", remedy="write one object with named fields a line")
