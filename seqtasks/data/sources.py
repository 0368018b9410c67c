"""Sources: files of every format as streams of examples that can be read again and again.

A source holds no data: each iteration opens the files anew, so that a file larger than memory is no special case.
"""

import codecs
import csv
import gzip
import hashlib
import io
import itertools
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqtasks.errors import UserError

TEXT_NAMES = ("text", "sentence", "review", "content", "document", "comment", "tweet", "message", "body")
LABEL_NAMES = ("label", "sentiment", "class", "category", "target", "stars", "rating", "score", "polarity")
TABLES = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".json", ".ndjson")
SUFFIXES = (*TABLES, *LINES)
UNREADABLE = (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError, PermissionError)
UNLABELLED_FOLDERS = ("unsup",)  # aclImdb keeps its unlabelled reviews beside the classes


class Example(NamedTuple):
    """One example. `place` is a line number of the source's file, or a path."""

    input: str
    target: str
    place: int | str


@dataclass(frozen=True)
class Source:
    """A stream of examples that starts anew with every iteration.

    Args:
        read: a function that returns a new iterator of `Example`.
        name: where the examples come from, for messages.
        size: bytes on disk, or None where unknown.
    """

    read: Callable[[], Iterator[Example]]
    name: str
    size: int | None = None

    def __iter__(self):
        return self.read()

    def where(self, example):
        """The place of an example as a person looks for it: file:line, or the file."""
        return f"{self.name}:{example.place}" if isinstance(example.place, int) else str(example.place)

    def select(self, keep, name=None):
        """The source with those examples alone for which `keep(example)` is true."""
        return Source(lambda: (example for example in self if keep(example)), name or self.name, self.size)

    def chunks(self, size=512):
        """Lists of `size` examples: what a pipeline takes at a time."""
        stream = iter(self)
        return iter(lambda: list(itertools.islice(stream, size)), [])


class InMemorySource(Source):
    """A source whose examples are all in memory."""


@dataclass(frozen=True)
class Columns:
    """How a table is to be read.

    Args:
        text: name or number (from 1) of the column with the text; None looks for a usual name.
        label: the same for the label. A table of two columns without usual names is text, label.
        header: whether the first line holds names; None decides by whether it holds the names looked for.
        text_names, label_names: the usual names, the first that is there counts.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    text_names: tuple[str, ...] = TEXT_NAMES
    label_names: tuple[str, ...] = LABEL_NAMES


def suffix_of(path):
    """The format of a file by its name, a final `.gz` aside.

    Example:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    names = [s.lower() for s in Path(path).suffixes]
    if names and names[-1] == ".gz":
        names.pop()
    return names[-1] if names else ""


def open_source(path, columns=Columns()):
    """The source behind a file or a folder with a sub-folder per class.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    if path.is_dir():
        return open_folder(path)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise UserError(
            f"unknown format {suffix or '(no suffix)'!r}",
            where=path,
            remedy=f"files end in {', '.join(SUFFIXES)}, also with .gz; or give a folder with one sub-folder per class",
        )
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file with a text and a label on each line")
    if suffix in LINES:
        return Source(lambda: _read_lines(path, columns), str(path), path.stat().st_size)
    return Source(lambda: _read_table(path, TABLES[suffix], columns), str(path), path.stat().st_size)


def open_text(path):
    """The file as text: UTF-8 with or without a byte order mark, gzip by its name, line ends untouched."""
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def open_bytes(path):
    """A file as bytes, without a byte order mark, gzip by its name.

    Raises:
        UserError: if there is no such file, nothing in it, or no gzip where there should be.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file that holds records")
    try:
        file = io.BufferedReader(gzip.GzipFile(path)) if path.name.lower().endswith(".gz") else path.open("rb")
        if file.peek(3)[:3] == codecs.BOM_UTF8:
            file.read(3)
    except UNREADABLE as error:
        raise faults(path, error) from None
    return file


def faults(path, error):
    """What a person can do about a file that cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        opener = gzip.open if str(path).lower().endswith(".gz") else open
        offset = 0
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as found:
                    byte = f"byte 0x{line[found.start]:02x} at offset {offset + found.start}"
                    return UserError(f"not UTF-8 ({byte})", where=f"{path}:{number}", remedy="save the file as UTF-8")
                offset += len(line)
    return UserError(f"cannot be read ({error})", where=path, remedy="check that the file is complete and readable")


def _read_table(path, delimiter, columns):
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    # Tab-separated files carry quotes as they are; a comma-separated field may be quoted, and then hold anything.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    try:
        with open_text(path) as file:
            rows = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
            first = next((row for row in rows if row), None)
            if first is None:
                raise UserError("the file is empty", where=path, remedy="give a text and a label on each line")
            text, label, header = _find_columns(path, first, columns)
            start = [] if header else [(rows.line_num, first)]
            for line, row in itertools.chain(start, ((rows.line_num, row) for row in rows)):
                if not row:
                    continue
                if len(row) != len(first):
                    more = f"quote fields that hold a {'tab' if delimiter == chr(9) else 'comma'}"
                    raise UserError(
                        f"{len(row)} field{'s' * (len(row) != 1)} where {len(first)} are due",
                        where=f"{path}:{line}",
                        remedy=more if len(row) > len(first) else "give every line a text and a label",
                    )
                if not row[label].strip():
                    raise UserError("the label is missing", where=f"{path}:{line}", remedy="give every line a label")
                yield Example(row[text], row[label].strip(), line)
    except csv.Error as error:
        remedy = "close every quote, and double quotes inside a quoted field"
        raise UserError(f"not a table ({error})", where=f"{path}:{rows.line_num}", remedy=remedy) from None
    except UNREADABLE as error:
        raise faults(path, error) from None


def _find_columns(path, first, columns):
    """The places of text and label in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]

    def find(wanted, usual):
        if wanted is None:
            return next((names.index(name) for name in usual if name in names), None)
        if wanted.isdigit() and wanted not in names:
            return int(wanted) - 1 if 0 < int(wanted) <= len(first) else None
        return names.index(wanted.lower()) if wanted.lower() in names else None

    text, label = find(columns.text, columns.text_names), find(columns.label, columns.label_names)
    named = ((columns.text, text), (columns.label, label))
    missing = next((name for name, place in named if name is not None and place is None), None)
    by_number = all((c or "").isdigit() for c in (columns.text, columns.label))
    header = columns.header
    if header is None:
        header = text is not None and label is not None and not by_number
    if not header:
        names = []  # the first row is data: only numbers, or the order text, label, can say what it holds
        text, label = find(columns.text, ()), find(columns.label, ())
        if len(first) == 2 and columns.text is None and columns.label is None:
            return 0, 1, False
    if text is None or label is None or text == label:
        found = ", ".join(repr(name[:40]) for name in first)
        raise UserError(
            f"no column {missing!r}; the columns are {found}" if missing else f"no text and label among {found}",
            where=path,
            remedy="name them with --text_column and --label_column (a name of the header, or a number from 1)",
        )
    return text, label, header


def json_lines(file, path):
    """The values of the lines of an open file that hold something: pairs (number of the line, value)."""
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                what = f"not JSON ({error.msg} at column {error.colno})"
                raise UserError(what, where=f"{path}:{number}", remedy="put one JSON object on each line") from None


def _read_lines(path, columns):
    text_names = (columns.text,) if columns.text else columns.text_names
    label_names = (columns.label,) if columns.label else columns.label_names
    try:
        with open_text(path) as file:
            for number, record in json_lines(file, path):
                where = f"{path}:{number}"
                if not isinstance(record, dict):
                    raise UserError("not a JSON object", where=where, remedy='write {"text": ..., "label": ...}')
                text = _field(record, text_names, where, "--text_column")
                label = _field(record, label_names, where, "--label_column")
                if not isinstance(text, str):
                    raise UserError(f"the text is no string: {text!r:.40}", where=where, remedy="put it in quotes")
                text = text.encode("utf-8", "replace").decode("utf-8")  # half an emoji (a lone surrogate) is no text
                label = label.strip() if isinstance(label, str) else json.dumps(label)
                if not label:
                    raise UserError("the label is empty", where=where, remedy="give one, or leave the line out")
                yield Example(text, label, number)
    except UNREADABLE as error:
        raise faults(path, error) from None


def _field(record, names, where, option):
    for name in names:
        if record.get(name) is not None and record[name] != "":
            return record[name]
    if any(record.get(name) == "" for name in names) and option == "--text_column":
        return ""
    raise UserError(
        f"no {' or '.join(names[:2])} among the fields {', '.join(record) or '(none)'}",
        where=where,
        remedy=f"name the field with {option}",
    )


def open_folder(path):
    """A folder with a sub-folder per class and a text file per example, the layout of aclImdb.

    The classes come mixed, in an order that depends on the names of the files alone.
    """
    path = Path(path)
    classes = sorted(p for p in path.iterdir() if p.is_dir() and p.name not in UNLABELLED_FOLDERS)
    files = [
        (file, folder.name)
        for folder in classes
        for file in folder.iterdir()
        if file.is_file() and suffix_of(file) in (".txt", "") and not file.name.startswith(".")
    ]
    if not files:
        found = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        raise UserError(
            f"no text files in sub-folders here (found {found})",
            where=path,
            remedy="give a folder with one sub-folder per class and a .txt file per example, or train/valid/test files",
        )
    files.sort(key=lambda item: hashlib.sha256(f"{item[1]}/{item[0].name}".encode()).digest())

    def read():
        for file, label in files:
            try:
                with open_text(file) as text:
                    yield Example(text.read(), label, str(file))
            except UNREADABLE as error:
                raise faults(file, error) from None

    return Source(read, str(path), sum(file.stat().st_size for file, _ in files))


def open_tfds(name, split, columns=Columns(), **options):
    """One split of a data set of TensorFlow Datasets.

    Args:
        name: as `tfds.load` takes it, e.g. `imdb_reviews/plain_text`.
        split: e.g. `train`.
        columns: the features with the text and the label, where they have no usual name.
        options: passed to `tfds.load` (`data_dir`).
    """
    import tensorflow_datasets as tfds

    data, info = tfds.load(name, split=split, with_info=True, shuffle_files=False, **options)
    features = list(info.features)
    text = columns.text or next((f for f in TEXT_NAMES if f in features), None)
    label = columns.label or next((f for f in LABEL_NAMES if f in features), None)
    if text not in features or label not in features:
        raise UserError(
            f"no text and label among the features {', '.join(features)}",
            where=f"tfds:{name}",
            remedy="name them with --text_column and --label_column",
        )
    naming = getattr(info.features[label], "int2str", str)

    def read():
        for number, record in enumerate(tfds.as_numpy(data), 1):
            value = record[label]
            if not isinstance(value, bytes) and value < 0:
                raise UserError("no labels", where=f"tfds:{name}/{split}", remedy="name a labelled file with --test")
            value = value.decode() if isinstance(value, bytes) else naming(value.item())
            yield Example(record[text].decode("utf-8", "replace"), value, number)

    return Source(read, f"tfds:{name}/{split}", info.splits[split].num_bytes if split in info.splits else None)
