"""Sources of running text for language models: text files, folders of them, tables, TensorFlow Datasets.

A text comes in documents, a document in one or more pieces. The input of an example is a piece; its target is `end`
where the document ends with it, and empty where the document goes on in the next example.
"""

import contextlib
import csv
import io
import itertools
import sys
import warnings
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtasks.data.sources import (
    LINES,
    SUFFIXES,
    TABLES,
    TEXT_NAMES,
    UNREADABLE,
    Example,
    Source,
    faults,
    json_lines,
    open_bytes,
    open_text,
    suffix_of,
)
from seqtasks.data.splits import TEST, VALIDATION, Formats, find_splits, part
from seqtasks.errors import UserError

END = "end"
PIECE = 1000  # characters: a piece has no more lines than it takes to fill so many
LONGEST_LINE = 8 * PIECE  # a longer one is cut
LONGEST = 64 * PIECE  # a paragraph or line up to this length is one piece
SAMPLE = "pydoc:topics"
MANY = 10  # documents, of which each can go to a split as a whole


@dataclass(frozen=True)
class Options:
    """How text is to be read.

    Args:
        document: what a document is: a `file`, or a row of a table; a `paragraph`, up to a blank line; or a `line`.
        text_column: name or number (from 1) of the column with the text; None looks for a usual name.
    """

    document: Literal["file", "paragraph", "line"] = "file"
    text_column: str | None = None


def load_splits(data, options=Options(), train=None, valid=None, test=None):
    """The splits of running text.

    A split that is missing is taken from train: lines, paragraphs and rows by the hash (`seqtasks.data.splits.part`) of
    the text, files by that of the name, and of a train of fewer than ten files or rows the end is cut off, a tenth of
    the pieces for each split. A document of several pieces stays on one side, save where the end is cut off.

    Args:
        data: a folder with `train`, `valid` and `test`, which are folders, tables or `.txt` files; a path that
            `open_prose` takes; or `tfds:NAME`.
        options: see `Options`.
        train, valid, test: paths that take the place of what `data` holds.

    Raises:
        UserError: if there is nothing to train on, or too little to split.
    """
    return find_splits(data, options, train, valid, test, FORMATS)


def open_prose(path, options=Options()):
    """The source behind a text file, a table, a folder of these at any depth, or `pydoc:topics`.

    A file is a table if it ends in `.csv`, `.tsv`, `.jsonl`, `.json` or `.ndjson`, else text, whatever its name; each
    also with `.gz`. Hidden files are left out, and what holds white space alone. `\\r\\n` is read as `\\n`. No more is
    held in memory than a piece, or a row.

    Args:
        path: the file or folder; `pydoc:topics` is the help on Python's language that comes with it.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.

    Example:
        >>> first = next(iter(open_prose("pydoc:topics", Options("paragraph"))))
        >>> first.input, first.target, first.place
        ('The "assert" statement\\n**********************', 'end', 'pydoc_data.topics: assert')
    """
    if str(path) == SAMPLE:
        return _open_sample(options)
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, options)
    if not path.is_file():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    if next(_texts(path, options), None) is None:
        what = "white space alone" if path.stat().st_size else "the file is empty"
        raise UserError(what, where=path, remedy="give a file with text")
    return Source(lambda: _read(_texts(path, options), options), str(path), path.stat().st_size)


def open_tfds(name, split, options=Options(), **loading):
    """One split of a data set of TensorFlow Datasets with a text; each is a document as the row of a table is.

    Args:
        name: as `tfds.load` takes it, e.g. `lm1b`.
        split: e.g. `train`.
        options: see `Options`.
        loading: passed to `tfds.load` (`data_dir`).
    """
    import tensorflow_datasets as tfds

    data, info = tfds.load(name, split=split, with_info=True, shuffle_files=False, **loading)
    features = list(info.features)
    column = options.text_column or next((f for f in TEXT_NAMES if f in features), None)
    if column not in features:
        what = f"no {options.text_column or 'text'} among the features {', '.join(features)}"
        raise UserError(what, where=f"tfds:{name}", remedy="name the feature with --text_column")

    def rows():
        for number, record in enumerate(tfds.as_numpy(data), 1):
            yield number, record[column].decode("utf-8", "replace")

    size = info.splits[split].num_bytes if split in info.splits else None
    return Source(lambda: _read(_of_rows(rows()), options), f"tfds:{name}/{split}", size)


def _open_sample(options):
    from pydoc_data.topics import topics

    named = [(f"pydoc_data.topics: {name}", topics[name]) for name in sorted(topics)]
    return Source(lambda: _read(_of_rows(named), options), SAMPLE, sum(len(text.encode()) for _, text in named))


def _open_folder(folder, options):
    inside = sorted(p for p in folder.rglob("*") if p.is_file())
    files = [p for p in inside if not any(name.startswith(".") for name in p.relative_to(folder).parts)]
    if not any(next(_texts(file, options), None) for file in files):
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise UserError(f"no text here (found {found})", where=folder, remedy="give a folder with text files")

    def read():
        for file in files:
            for example in _read(_texts(file, options), options):
                yield example._replace(place=f"{file}:{example.place}")

    return Source(read, str(folder), sum(file.stat().st_size for file in files))


def _complete(sources, options):
    """Take the splits that are missing from train."""
    missing = [split for split in ("validation", "test") if split not in sources]
    if not missing:
        return sources
    train = sources["train"]
    pieces = _few(train) if options.document == "file" else None
    named = options.document == "file" and any(isinstance(e.place, str) for e in itertools.islice(train, 1))
    how = "from its end" if pieces else f"by the hash of the {'name' if named else 'text'}"
    told = f"no {' and no '.join(sorted(missing))} split given; 10 % of train {'each ' * (len(missing) > 1)}taken {how}"
    warnings.warn(f"{train.name}: {told}", stacklevel=3)
    return sources | (_cut(train, pieces, missing) if pieces else _by_hash(train, missing, named))


FORMATS = Formats(open_prose, (".txt", *SUFFIXES), open_tfds, complete=_complete)


def _few(source):
    """How many pieces there are, or None if they are of ten documents or more."""
    pieces = documents = 0
    for pieces, example in enumerate(source, 1):  # noqa: B007
        documents += example.target == END
        if documents == MANY:
            return None
    return pieces


def _cut(train, pieces, missing):
    """Train without its end, and as many tenths of its end as splits are missing, in their order."""
    tenth = max(1, pieces // 10)
    starts = [pieces - tenth * number for number in range(len(missing), 0, -1)]
    if starts[0] < 1:
        what = f"too short to take a split from ({pieces} piece{'s' * (pieces > 1)} of about {PIECE} characters)"
        raise UserError(what, where=train.name, remedy="give more text, or name files with --valid and --test")
    return {
        split: Source(lambda bounds=bounds: itertools.islice(iter(train), *bounds), train.name, train.size)
        for split, bounds in zip(("train", *missing), itertools.pairwise([0, *starts, pieces]), strict=True)
    }


def _by_hash(train, missing, named):
    """The documents of train in their splits, by their names or texts, of which the first piece counts."""
    parts = {number: split for split, number in (("validation", VALIDATION), ("test", TEST)) if split in missing}

    def documents(split):
        begins = True
        for example in train:
            if begins:  # the name does not depend on where the folder lies
                name = example.place.removeprefix(train.name) if named else example.input
                chosen = parts.get(part(name), "train") == split
            begins = example.target == END
            if chosen:
                yield example

    return {split: Source(lambda s=split: documents(s), train.name, train.size) for split in ("train", *missing)}


def _read(texts, options):
    """The examples of texts, which are pairs (place, lines); without a place, each piece has its line's."""
    for place, lines in texts:
        for document in _documents(lines, options.document):
            for number, piece, target in _pieces(document, 0 if options.document == "file" else LONGEST):
                if target == END and options.document != "file":
                    piece = piece.removesuffix("\n")
                yield Example(piece, target, number if place is None else place)


def _documents(lines, kind):
    """The documents of a text, each as its lines: pairs (number, line)."""
    if kind == "file":
        yield lines
        return
    for key, group in itertools.groupby(_keyed(lines, kind), key=lambda item: item[0]):
        if key is not None:
            yield (item[1:] for item in group)


def _keyed(lines, kind):
    """(key, number, line): what neighbours of one document share, None for a line of white space, also if it is cut."""
    last, blank = None, False
    for number, line in lines:
        blank = line.isspace() and (blank or number != last)
        last = number
        yield None if blank else number if kind == "line" else kind, number, line


def _pieces(lines, longest):
    """A document as one piece if it is no longer than `longest`, else in pieces: (number of a line, piece, target).

    Example:
        >>> lines = [(1, "a" * 600), (2, "b" * 600), (3, "c")]
        >>> [(number, len(piece), target) for number, piece, target in _pieces(iter(lines), 0)]
        [(1, 1200, ''), (3, 1, 'end')]
        >>> [(number, len(piece), target) for number, piece, target in _pieces(iter(lines), 2000)]
        [(1, 1201, 'end')]
    """
    begun, size = [], 0
    while size <= longest and (item := next(lines, None)):
        begun.append(item)
        size += len(item[1])
    if size <= longest:
        yield begun[0][0], "".join(line for _, line in begun), END
        return
    held, size = [], 0
    for number, line in itertools.chain(begun, lines):
        if size >= PIECE:
            yield held[0][0], "".join(line for _, line in held), ""
            held, size = [], 0
        held.append((number, line))
        size += len(line)
    yield held[0][0], "".join(line for _, line in held), END


def _texts(path, options):
    """The texts of a file that hold more than white space, as pairs (place, lines): itself, or its rows."""
    if suffix_of(path) in SUFFIXES:
        read = _read_json if suffix_of(path) in LINES else _read_table
        yield from _of_rows(read(path, options))
    elif any(not line.isspace() for _, line in _file_lines(path)):
        yield None, _file_lines(path)


def _of_rows(rows):
    return ((place, _lines(io.StringIO(text))) for place, text in rows if text.strip())


def _file_lines(path):
    with _opened(path) as file:
        file.reconfigure(newline="\n")
        for number, line in _lines(file):
            if "\0" in line:
                raise _fault(path)
            yield number, line


def _lines(file):
    """The lines of a text with their ends, which are `\\n` or `\\r\\n`, given as `\\n`; long ones in parts.

    Example:
        >>> [(number, len(line)) for number, line in _lines(io.StringIO("ab\\r\\n" + "c" * 20000))]
        [(1, 3), (2, 7998), (2, 8000), (2, 4002)]
    """
    number, held = 1, ""
    while line := file.readline(LONGEST_LINE):
        cut = len(line) == LONGEST_LINE and line[-1] != "\n"
        line = held + line
        line, held = (line[:-2], line[-2:]) if cut else (line, "")  # no line end apart, and none in two
        yield number, line[:-2] + "\n" if line.endswith("\r\n") else line
        number += line.endswith("\n")
    if held:
        yield number, held


@contextlib.contextmanager
def _opened(path):
    try:
        with open_text(path) as file:
            yield file
    except UNREADABLE as error:
        raise _fault(path, error) from None


def _fault(path, error=None):
    """What a person can do about a file that is no text: for `error`, or because there is a NUL byte in it."""
    if error is None or isinstance(error, UnicodeDecodeError):
        with contextlib.suppress(*UNREADABLE), open_bytes(path) as file:
            offset, number = file.tell(), 1  # behind a byte order mark
            if file.peek(2)[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
                what = f"UTF-16, not UTF-8 (byte 0x{file.peek(1)[0]:02x} at offset 0)"
                return UserError(what, where=f"{path}:1", remedy="save the file as UTF-8")
            while line := file.readline(2**20):
                if b"\0" in line:
                    what = f"a binary file (byte 0x00 at offset {offset + line.index(0)})"
                    return UserError(what, where=f"{path}:{number}", remedy="give text files alone, in UTF-8")
                offset += len(line)
                number += line.endswith(b"\n")
    return faults(path, error)


def _without_nul(file, path):
    for line in file:
        if "\0" in line:
            raise _fault(path)
        yield line


def _read_table(path, options):
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    delimiter = TABLES[suffix_of(path)]
    # Tab-separated files carry quotes as they are; a comma-separated field may be quoted, and then hold anything.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    width = None
    with _opened(path) as file:
        rows = csv.reader(_without_nul(file, path), delimiter=delimiter, quoting=quoting, strict=True)
        try:
            for row in filter(None, rows):
                if width is None:
                    width, (column, header) = len(row), _column(path, row, options.text_column)
                    if header:
                        continue
                if len(row) != width:
                    what = f"{len(row)} field{'s' * (len(row) != 1)} where {width} are due"
                    remedy = f"quote fields that hold a {'tab' if delimiter == chr(9) else 'comma'}"
                    raise UserError(what, where=f"{path}:{rows.line_num}", remedy=remedy)
                yield rows.line_num, row[column]
        except csv.Error as error:
            remedy = "close every quote, and double quotes inside a quoted field"
            raise UserError(f"not a table ({error})", where=f"{path}:{rows.line_num}", remedy=remedy) from None


def _column(path, first, wanted):
    """The place of the text in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]
    wanted = wanted and wanted.strip().lower()
    usual = next((names.index(name) for name in TEXT_NAMES if name in names), None)
    if wanted in names:
        return names.index(wanted), True
    if wanted and wanted.isdigit() and 0 < int(wanted) <= len(first):
        return int(wanted) - 1, usual is not None
    if wanted is None and (usual is not None or len(first) == 1):
        return usual or 0, usual is not None
    listed = ", ".join(repr(name[:40]) for name in first)
    what = f"no column {wanted!r}; the columns are {listed}" if wanted else f"no text among {listed}"
    raise UserError(what, where=path, remedy="name it with --text_column (a name of the header, or a number from 1)")


def _read_json(path, options):
    names = (options.text_column,) if options.text_column else TEXT_NAMES
    with _opened(path) as file:
        for number, record in json_lines(_without_nul(file, path), path):
            where = f"{path}:{number}"
            if not isinstance(record, dict):
                raise UserError("not a JSON object", where=where, remedy='write {"text": ...}')
            text = next((record[name] for name in names if record.get(name) is not None), None)
            if text is None:
                what = f"no {' or '.join(names[:2])} among the fields {', '.join(record) or '(none)'}"
                raise UserError(what, where=where, remedy="name the field with --text_column")
            if not isinstance(text, str):
                raise UserError(f"the text is no string: {text!r:.40}", where=where, remedy="put it in quotes")
            yield number, text.encode("utf-8", "replace").decode()  # half an emoji (a lone surrogate) is no text
