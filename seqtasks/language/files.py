"""Sources of running text for language models: text files, folders of them, tables, TensorFlow Datasets.

The examples are pieces of documents; see `seqtasks.language.documents`.
"""

import functools
import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.data import tfds
from seqtasks.data.sources import TEXT_NAMES, Example, Source
from seqtasks.data.splits import TEST, VALIDATION, Formats, Splits, find_splits, part
from seqtasks.data.tables import LINES, SUFFIXES, missing_field, read_records, read_rows
from seqtasks.data.text_files import not_text_error, reading, replace_surrogates, suffix_of
from seqtasks.errors import UserError
from seqtasks.language.documents import END, PIECE, Document, Line, Text, count_if_few, lines_of, pieces_of, texts_of
from seqtasks.language.sample import SAMPLE, open_sample


@dataclass(frozen=True)
class Options:
    """How text is read.

    Args:
        document: what a document is: a `file`, or a row of a table; a `paragraph`, up to a blank line; or a `line`.
        text_column: name or number (from 1) of the column with the text; None looks for a usual name.
    """

    document: Document = "file"
    text_column: str | None = None


def load_splits(
    data: str | Path | None,
    options: Options = Options(),
    train: str | Path | Source | None = None,
    valid: str | Path | Source | None = None,
    test: str | Path | Source | None = None,
) -> Splits:
    """The splits of running text.

    A split that is missing is taken from train: lines, paragraphs and rows by the hash (`seqtasks.data.splits.part`) of
    the text, files by that of the name. If train has fewer than ten files or rows, the end is cut off, a tenth of the
    pieces for each split. The pieces of a document are in one split, except where the end is cut off.

    Args:
        data: a folder with `train`, `valid` and `test`, which are folders, tables or `.txt` files; a path that
            `open_prose` takes; or `tfds:NAME`.
        options: see `Options`.
        train, valid, test: paths or sources that replace the splits of `data`.

    Raises:
        UserError: if there is nothing to train on, or too little to split.
    """
    return find_splits(data, options, train, valid, test, FORMATS)


def open_prose(path: str | Path, options: Options = Options()) -> Source:
    """The source of a text file, a table, a folder of these at any depth, or `pydoc:topics`.

    A file is a table if it ends in `.csv`, `.tsv`, `.jsonl`, `.json` or `.ndjson`, else text; each also with `.gz`.
    Hidden files and texts of only white space are left out. `\\r\\n` is read as `\\n`. Memory holds one piece, or one
    row, at a time.

    Args:
        path: the file or folder; `pydoc:topics` is the help on Python's language that comes with it.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("First line.\\nSecond line.\\n")
        >>> [tuple(example) for example in open_prose(path, Options("line"))]
        [('First line.', 'end', 1), ('Second line.', 'end', 2)]
    """
    if str(path) == SAMPLE:
        return open_sample(options.document)
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, options)
    if not path.is_file():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    if next(_texts(path, options), None) is None:
        what = "only white space" if path.stat().st_size else "the file is empty"
        raise UserError(what, where=path, remedy="give a file with text")
    return Source(lambda: pieces_of(_texts(path, options), options.document), str(path), path.stat().st_size)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with a text; a record is a document as the row of a table is.

    Args:
        name: as `tfds.load` takes it, e.g. `lm1b`.
        split: e.g. `train`.
        options: see `Options`.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there is no text.
    """
    data = tfds.open_dataset(name, split, **loading)
    column = options.text_column or next((f for f in TEXT_NAMES if f in data.features), "")
    if column not in data.features:
        raise data.no_feature(options.text_column or "text", "name the feature with --text_column")

    def read() -> Iterator[Example]:
        rows = ((number, record[column].decode("utf-8", "replace")) for number, record in data.records())
        return pieces_of(texts_of(rows), options.document)

    return Source(read, data.place, data.size)


def _open_folder(folder: Path, options: Options) -> Source:
    inside = sorted(p for p in folder.rglob("*") if p.is_file())
    files = [p for p in inside if not any(name.startswith(".") for name in p.relative_to(folder).parts)]
    if not any(next(_texts(file, options), None) for file in files):
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise UserError(f"no text here (found {listed})", where=folder, remedy="give a folder with text files")

    def read() -> Iterator[Example]:
        for file in files:
            for example in pieces_of(_texts(file, options), options.document):
                yield example._replace(place=f"{file}:{example.place}")

    return Source(read, str(folder), sum(file.stat().st_size for file in files))


def _complete(sources: dict[str, Source], options: Options) -> dict[str, Source]:
    """Takes the splits that are missing from train."""
    missing = [split for split in ("validation", "test") if split not in sources]
    if not missing:
        return sources
    train = sources["train"]
    pieces = count_if_few(train) if options.document == "file" else None
    by_name = options.document == "file" and any(isinstance(e.place, str) for e in itertools.islice(train, 1))
    how = "from its end" if pieces else f"by the hash of the {'name' if by_name else 'text'}"
    what = f"no {' and no '.join(sorted(missing))} split given; 10 % of train {'each ' * (len(missing) > 1)}taken {how}"
    warnings.warn(f"{train.name}: {what}", stacklevel=3)
    return sources | (_cut(train, pieces, missing) if pieces else _by_hash(train, missing, by_name))


FORMATS = Formats(open_prose, (".txt", *SUFFIXES), open_tfds, complete=_complete)


def _cut(train: Source, pieces: int, missing: list[str]) -> dict[str, Source]:
    """Train without its end, and a tenth of the pieces at its end for each split that is missing, in their order."""
    tenth = max(1, pieces // 10)
    starts = [pieces - tenth * number for number in range(len(missing), 0, -1)]
    if starts[0] < 1:
        what = f"too short to take a split from ({pieces} piece{'s' * (pieces > 1)} of about {PIECE} characters)"
        raise UserError(what, where=train.name, remedy="give more text, or name files with --valid and --test")

    def between(start: int, end: int) -> Iterator[Example]:
        return itertools.islice(iter(train), start, end)

    return {
        split: Source(functools.partial(between, *bounds), train.name, train.size)
        for split, bounds in zip(("train", *missing), itertools.pairwise([0, *starts, pieces]), strict=True)
    }


def _by_hash(train: Source, missing: list[str], by_name: bool) -> dict[str, Source]:
    """The documents of train in splits, by the hash of their names, or of the text of their first piece."""
    parts = {number: split for split, number in (("validation", VALIDATION), ("test", TEST)) if split in missing}

    def documents(split: str) -> Iterator[Example]:
        first = True
        for example in train:
            if first:  # the name does not depend on where the folder lies
                name = str(example.place).removeprefix(train.name) if by_name else example.input
                chosen = parts.get(part(name), "train") == split
            first = example.target == END
            if chosen:
                yield example

    return {split: Source(functools.partial(documents, split), train.name, train.size) for split in ("train", *missing)}


def _texts(path: Path, options: Options) -> Iterator[Text]:
    """The texts of a file that hold more than white space: the file itself, or the rows of a table."""
    if suffix_of(path) in SUFFIXES:
        read = _read_json if suffix_of(path) in LINES else _read_table
        yield from texts_of(read(path, options))
    elif any(not line.isspace() for _, line in _file_lines(path)):
        yield None, _file_lines(path)


def _file_lines(path: Path) -> Iterator[Line]:
    with reading(path, reject_nul=True) as file:
        file.reconfigure(newline="\n")
        for number, line in lines_of(file):
            if "\0" in line:
                raise not_text_error(path)
            yield number, line


def _read_table(path: Path, options: Options) -> Iterator[Line]:
    column: int | None = None
    for line, row in read_rows(path, reject_nul=True):
        if column is None:
            column, header = _column(path, row, options.text_column)
            if header:
                continue
        yield line, row[column]


def _column(path: Path, first: list[str], wanted: str | None) -> tuple[int, bool]:
    """The index of the text in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]
    wanted = wanted and wanted.strip().lower()
    usual = next((names.index(name) for name in TEXT_NAMES if name in names), None)
    if wanted is not None and wanted in names:
        return names.index(wanted), True
    if wanted and wanted.isdigit() and 0 < int(wanted) <= len(first):
        return int(wanted) - 1, usual is not None
    if wanted is None and (usual is not None or len(first) == 1):
        return usual or 0, usual is not None
    listed = ", ".join(repr(name[:40]) for name in first)
    what = f"no column {wanted!r}; the columns are {listed}" if wanted else f"no text among {listed}"
    raise UserError(what, where=path, remedy="name it with --text_column (a name of the header, or a number from 1)")


def _read_json(path: Path, options: Options) -> Iterator[Line]:
    names = (options.text_column,) if options.text_column else TEXT_NAMES
    for line, record in read_records(path, 'write {"text": ...}', reject_nul=True):
        where = f"{path}:{line}"
        text = next((record[name] for name in names if record.get(name) is not None), None)
        if text is None:
            raise missing_field(record, names, where, "--text_column")
        if not isinstance(text, str):
            raise UserError(f"the text is not a string: {text!r:.40}", where=where, remedy="put it in quotes")
        yield line, replace_surrogates(text)
