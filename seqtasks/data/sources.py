"""Sources: files of every format as streams of examples that can be read repeatedly.

A source holds no data: each iteration opens the files again, so that a file may be larger than memory.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.data import tfds
from seqtasks.data.tables import LINES, SUFFIXES, TABLES, missing_field, read_records, read_rows
from seqtasks.data.text_files import UNREADABLE, open_bytes, open_text, reading, replace_surrogates, suffix_of
from seqtasks.data.text_files import read_error as faults
from seqtasks.errors import UserError

__all__ = [
    "LABEL_NAMES",
    "LINES",
    "SUFFIXES",
    "TABLES",
    "TEXT_NAMES",
    "UNREADABLE",
    "Columns",
    "Example",
    "InMemorySource",
    "Source",
    "faults",
    "open_bytes",
    "open_folder",
    "open_source",
    "open_text",
    "open_tfds",
    "suffix_of",
]

TEXT_NAMES = ("text", "sentence", "review", "content", "document", "comment", "tweet", "message", "body")
LABEL_NAMES = ("label", "sentiment", "class", "category", "target", "stars", "rating", "score", "polarity")
UNLABELLED_FOLDERS = ("unsup",)  # aclImdb keeps its unlabelled reviews next to the classes


class Example(NamedTuple):
    """One example. `place` is a line number of the source's file, or a path."""

    input: str
    target: str
    place: int | str


@dataclass(frozen=True)
class Source:
    """A stream of examples that starts again with every iteration.

    Args:
        read: a function that returns a new iterator of `Example`.
        name: where the examples come from, for messages.
        size: bytes on disk, or None if unknown.

    Example:
        >>> rows = [Example("a fine film", "good", 1), Example("a dull film", "bad", 2)]
        >>> [e.input for e in Source(lambda: iter(rows), "memory").select(lambda e: e.target == "good")]
        ['a fine film']
    """

    read: Callable[[], Iterator[Example]]
    name: str
    size: int | None = None

    def __iter__(self) -> Iterator[Example]:
        return self.read()

    def where(self, example: Example) -> str:
        """The place of an example for messages: file:line, or the file."""
        return f"{self.name}:{example.place}" if isinstance(example.place, int) else str(example.place)

    def select(self, keep: Callable[[Example], bool], name: str | None = None) -> "Source":
        """A source of the examples for which `keep(example)` is true."""
        return Source(lambda: (example for example in self if keep(example)), name or self.name, self.size)

    def chunks(self, size: int = 512) -> Iterator[list[Example]]:
        """Lists of `size` examples; the last may be shorter."""
        stream = iter(self)
        return iter(lambda: list(itertools.islice(stream, size)), [])


class InMemorySource(Source):
    """A source whose examples are all in memory."""


@dataclass(frozen=True)
class Columns:
    """How a table is read.

    Args:
        text: name or number (from 1) of the column with the text; None looks for a usual name.
        label: the same for the label. A table of two columns without usual names is read as text, label.
        header: whether the first line holds names; None: if it holds the names that are looked for.
        text_names, label_names: the usual names; the first that is present is taken.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    text_names: tuple[str, ...] = TEXT_NAMES
    label_names: tuple[str, ...] = LABEL_NAMES


def open_source(path: str | Path, columns: Columns = Columns()) -> Source:
    """The source of a file (`.csv`, `.tsv`, JSON Lines, also with `.gz`) or a folder with a sub-folder per class.

    Args:
        path: the file or folder.
        columns: which columns hold text and label.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read; while reading, at a faulty line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text("text,label\\na fine film,good\\n")
        >>> list(open_source(path))
        [Example(input='a fine film', target='good', place=2)]
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
    read = _read_json if suffix in LINES else _read_table
    return Source(lambda: read(path, columns), str(path), path.stat().st_size)


def _read_table(path: Path, columns: Columns) -> Iterator[Example]:
    rows = read_rows(path, too_few="give every line a text and a label")
    first = next(rows, None)
    if first is None:
        raise UserError("the file is empty", where=path, remedy="give a text and a label on each line")
    text, label, header = _find_columns(path, first[1], columns)
    for line, row in itertools.chain([] if header else [first], rows):
        if not row[label].strip():
            raise UserError("the label is missing", where=f"{path}:{line}", remedy="give every line a label")
        yield Example(row[text], row[label].strip(), line)


def _find_columns(path: Path, first: list[str], columns: Columns) -> tuple[int, int, bool]:
    """The indices of text and label in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]

    def find(wanted: str | None, usual: Sequence[str]) -> int | None:
        if wanted is None:
            return next((names.index(name) for name in usual if name in names), None)
        if wanted.isdigit() and wanted not in names:
            return int(wanted) - 1 if 0 < int(wanted) <= len(first) else None
        return names.index(wanted.lower()) if wanted.lower() in names else None

    text, label = find(columns.text, columns.text_names), find(columns.label, columns.label_names)
    wanted = ((columns.text, text), (columns.label, label))
    missing = next((name for name, index in wanted if name is not None and index is None), None)
    by_number = all((c or "").isdigit() for c in (columns.text, columns.label))
    header = columns.header
    if header is None:
        header = text is not None and label is not None and not by_number
    if not header:
        names = []  # the first row is data: columns are found by number, or are text, label in this order
        text, label = find(columns.text, ()), find(columns.label, ())
        if len(first) == 2 and columns.text is None and columns.label is None:
            return 0, 1, False
    if text is None or label is None or text == label:
        listed = ", ".join(repr(name[:40]) for name in first)
        raise UserError(
            f"no column {missing!r}; the columns are {listed}" if missing else f"no text and label among {listed}",
            where=path,
            remedy="name them with --text_column and --label_column (a name of the header, or a number from 1)",
        )
    return text, label, header


def _read_json(path: Path, columns: Columns) -> Iterator[Example]:
    text_names = (columns.text,) if columns.text else columns.text_names
    label_names = (columns.label,) if columns.label else columns.label_names
    for line, record in read_records(path, 'write {"text": ..., "label": ...}'):
        where = f"{path}:{line}"
        text = _field(record, text_names, where, "--text_column")
        label = _field(record, label_names, where, "--label_column")
        if not isinstance(text, str):
            raise UserError(f"the text is not a string: {text!r:.40}", where=where, remedy="put it in quotes")
        label = label.strip() if isinstance(label, str) else json.dumps(label)
        if not label:
            raise UserError("the label is empty", where=where, remedy="give one, or leave the line out")
        yield Example(replace_surrogates(text), label, line)


def _field(record: dict[str, Any], names: Sequence[str], where: str, option: str) -> Any:
    for name in names:
        if record.get(name) is not None and record[name] != "":
            return record[name]
    if any(record.get(name) == "" for name in names) and option == "--text_column":
        return ""
    raise missing_field(record, names, where, option)


def open_folder(path: str | Path) -> Source:
    """A folder with a sub-folder per class and a text file per example, the layout of aclImdb.

    The classes are mixed, in an order that depends only on the names of the files.

    Raises:
        UserError: if there is no such file; while reading, at a file that is not UTF-8.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "good").mkdir()
        >>> _ = (folder / "good" / "1.txt").write_text("a fine film")
        >>> [(example.input, example.target) for example in open_folder(folder)]
        [('a fine film', 'good')]
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
        listed = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        raise UserError(
            f"no text files in sub-folders here (found {listed})",
            where=path,
            remedy="give a folder with one sub-folder per class and a .txt file per example, or train/valid/test files",
        )
    files.sort(key=lambda item: hashlib.sha256(f"{item[1]}/{item[0].name}".encode()).digest())

    def read() -> Iterator[Example]:
        for file, label in files:
            with reading(file) as text:
                content = text.read()
            yield Example(content, label, str(file))

    return Source(read, str(path), sum(file.stat().st_size for file, _ in files))


def open_tfds(name: str, split: str, columns: Columns = Columns(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with a text and a label.

    Args:
        name: as `tfds.load` takes it, e.g. `imdb_reviews/plain_text`.
        split: e.g. `train`.
        columns: the features with the text and the label, if they have no usual name.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there is no text or no label; while reading, if the labels are unknown (-1).
    """
    data = tfds.open_dataset(name, split, **loading)
    text = columns.text or next((f for f in TEXT_NAMES if f in data.features), None)
    label = columns.label or next((f for f in LABEL_NAMES if f in data.features), None)
    if text is None or label is None or not {text, label} <= {*data.features}:
        raise data.no_feature("text and label", "name them with --text_column and --label_column")
    label_name = getattr(data.features[label], "int2str", str)

    def read() -> Iterator[Example]:
        for number, record in data.records():
            value = record[label]
            if not isinstance(value, bytes) and value < 0:
                raise UserError("no labels", where=data.place, remedy="name a labelled file with --test")
            value = value.decode() if isinstance(value, bytes) else label_name(value.item())
            yield Example(record[text].decode("utf-8", "replace"), value, number)

    return Source(read, data.place, data.size)
