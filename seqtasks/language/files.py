"""Sources of running text for language models: text files, folders, FASTA, tables, data sets, texts in memory.

The examples are pieces of documents; see `seqtasks.language.documents`.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqtasks.data import fasta
from seqtasks.data.columns import TEXT_NAMES, Columns, read_columns
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import Formats
from seqtasks.data.tables import SUFFIXES, Records, open_records
from seqtasks.data.text_files import UNREADABLE, not_text_error, raw_bytes, suffix_of
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError
from seqtasks.language import held_out
from seqtasks.language.documents import END, PIECE, Document, Line, lines_of, pieces_of, texts_of
from seqtasks.language.sample import SAMPLE, open_sample

OWN = (".txt", *fasta.SUFFIXES)  # usual suffixes of files that are no tables
BLOCK = 2**20
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # its byte order marks: text with NUL bytes


@dataclass(frozen=True)
class Options:
    """How text is read.

    Args:
        document: what a document is: a `file`, or a row of a table; a `paragraph`, up to a blank line; or a `line`.
        text_column: name or number (from 1) of the column with the text; None looks for a usual name.
        header: whether the first line of a table holds names; None to detect it.
    """

    document: Document = "file"
    text_column: str | None = None
    header: bool | None = None


def formats(options: Options = Options()) -> Formats:
    """How running text is read.

    Args:
        options: see `Options`.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.splits import open_data
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("First line.\\nSecond line.\\n")
        >>> [(e.input, e.target, e.place) for e in open_data(path, formats(Options("line")))]
        [('First line.', 'end', 1), ('Second line.', 'end', 2)]
    """
    return Formats(
        records=lambda records, reading: read_texts(records, options, reading),
        open=lambda path, reading: open_prose(path, options, reading),
        suffixes=OWN,
        is_header=lambda first, reading: is_header(first, options),
        several=_of_other_names,
        complete=lambda sources, reading: held_out.complete(sources, options.document, reading),
    )


def _of_other_names(paths: Sequence[Path]) -> list[Path]:
    """Files of any suffix, such as `train.md`, where a split has no file of a usual one."""
    usual = [path for path in paths if path.is_dir() or suffix_of(path) in (*OWN, *SUFFIXES)]
    return [] if usual else [path for path in paths if path.is_file()]


def is_header(first: Sequence[str], options: Options = Options()) -> bool:
    """Whether the first row of a table holds the names of its columns.

    Example:
        >>> is_header(["id", "Text"]), is_header(["1", "a line"]), is_header(["id", "body2"], Options("file", "body2"))
        (True, False, True)
    """
    if options.header is not None:
        return options.header
    if options.text_column and not options.text_column.isdigit():
        return True
    return any(name.strip().lower() in TEXT_NAMES for name in first)


def read_texts(records: Records, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The pieces of records with a text; each record is a document, or holds several. Empty texts are left out.

    Args:
        records: the records.
        options: see `Options`.
        reading: the options of reading; without `labelled`, each record is one example, whatever its length.

    Raises:
        UserError: if there is no text among the columns. A record without a text is `Faulty`.

    Example:
        >>> records = Records(lambda: iter([(1, {"text": "one\\ntwo"})]), "memory", ("text",))
        >>> [example.input for example in read_texts(records, Options("line"))]
        ['one', 'two']
    """
    texts = _rows(records, options, reading)
    return _with_text(_pieces(texts, options)) if reading.labelled else texts


def _rows(records: Records, options: Options, reading: Reading) -> Source:
    """The texts of records."""
    if not records.header and len(records.names) > 1 and options.text_column is None:
        first = next((record for _, record in records.read() if not isinstance(record, UserError)), {})
        listed = ", ".join(repr(str(value)[:40]) for value in first.values())
        remedy = "name it with --text_column (a name of the header, or a number from 1)"
        raise UserError(f"no text among {listed}", where=records.name, remedy=remedy)
    if reading.labelled:  # a corpus: an unusual name above it is one short text more
        records = replace(records, unsure=False)
    return read_columns(records, Columns(options.text_column), replace(reading, labelled=False))


def _pieces(texts: Source, options: Options) -> Source:
    """The pieces of whole texts."""

    def read() -> Iterator[Example | Faulty]:
        for item in texts.read():
            if isinstance(item, Faulty):
                yield item
                continue
            for piece in pieces_of(texts_of([(item.place, item.input)]), options.document):
                yield piece._replace(group=item.group)

    return Source(read, texts.name, texts.size)


def open_prose(path: str | Path, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of a text file of any name, FASTA, a folder of these and of tables at any depth, or `pydoc:topics`.

    Hidden files and texts of only white space are left out. `\\r\\n` is read as `\\n`. Memory holds one piece.
    Each record of a FASTA file is a document: its letters, in upper case.

    Args:
        path: the file or folder; `pydoc:topics` is the help on Python's language that comes with it.
        options: see `Options`.
        reading: `encoding`; without `labelled`, each document is one example, whatever its length.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read. In a folder, a file that cannot be
            decoded is `Faulty`.
    """
    if str(path) == SAMPLE:
        return open_sample(options.document)
    path = Path(path)
    if reading.group or reading.carry:
        remedy = f"leave out {'--group' if reading.group else '--carry'}, or give a table"
        raise UserError("text files have no columns", where=path, remedy=remedy)
    if path.is_dir():
        source = _open_folder(path, options, reading)
    elif path.is_file():
        if not path.stat().st_size:
            raise UserError("the file is empty", where=path, remedy="give a file with text")
        source = _with_text(_open_file(path, options, reading))
    else:
        raise UserError("no such file or folder", where=path, remedy="check the path")
    return source if reading.labelled else whole(source)


def _with_text(source: Source) -> Source:
    """The source, if it holds anything."""
    if next(source.read(), None) is None:
        raise UserError("only white space", where=source.name, remedy="give a file with text")
    return source


def _open_file(path: Path, options: Options, reading: Reading) -> Source:
    """The pieces of a file that is no table."""
    if suffix_of(path) in fasta.SUFFIXES:
        return Source(lambda: _sequences(path, options, reading), str(path), path.stat().st_size)

    def read() -> Iterator[Example]:
        if any(not line.isspace() for _, line in _lines(path, reading)):
            yield from pieces_of([(None, _lines(path, reading))], options.document)

    return Source(read, str(path), path.stat().st_size)


def _lines(path: Path, reading: Reading) -> Iterator[Line]:
    with opened(path, reject_nul=True, encoding=reading.encoding) as file:
        file.reconfigure(newline="\n")
        for number, line in lines_of(file):
            if "\0" in line:
                raise not_text_error(path)
            yield number, line


def _sequences(path: Path, options: Options, reading: Reading) -> Iterator[Example]:
    """The pieces of the sequences of a FASTA file. The group of a sequence in several pieces is its name."""
    for line, name, parts in fasta.records(path, reading.encoding):
        lines = ((line, part[i : i + PIECE].upper()) for part in parts for i in range(0, len(part), PIECE))
        if (first := next(lines, None)) is None:
            continue
        pieces = pieces_of([(None, itertools.chain([first], lines))], options.document)
        start = next(pieces)
        group = "" if start.target == END else name
        for piece in itertools.chain([start], pieces):
            yield piece._replace(group=group)


def _open_folder(folder: Path, options: Options, reading: Reading) -> Source:
    inside = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
    files = [p for p in inside if not any(name.startswith(".") for name in p.relative_to(folder).parts)]
    faults: dict[Path, UserError | None] = {}  # of text files: a piece of a file is read only if all of it can be

    def read_file(file: Path) -> Iterator[Example | Faulty]:
        if suffix_of(file) in SUFFIXES:
            records = open_records(file, reading, lambda first: is_header(first, options))
            yield from _pieces(_rows(records, options, reading), options).read()
            return
        if file not in faults:
            faults[file] = None if suffix_of(file) in fasta.SUFFIXES else _fault(file, reading)
        error = faults[file]
        yield from [Faulty(error)] if error else _open_file(file, options, reading).read()

    def read() -> Iterator[Example | Faulty]:
        for file in files:
            for item in read_file(file):
                yield item._replace(place=f"{file}:{item.place}") if isinstance(item, Example) else item

    if next(read(), None) is None:
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise UserError(f"no text here (found {listed})", where=folder, remedy="give a folder with text files")
    return Source(read, str(folder), sum(file.stat().st_size for file in files))


def _fault(path: Path, reading: Reading) -> UserError | None:
    """Why a text file cannot be decoded, or None.

    Raises:
        UserError: if it is no text.
    """
    try:
        with opened(path, reject_nul=True, encoding=reading.encoding) as file:
            while file.read(BLOCK):
                pass
    except UserError as error:
        if _is_binary(path):
            raise
        return error
    return None


def _is_binary(path: Path) -> bool:
    """Whether a file that cannot be decoded holds NUL bytes."""
    try:
        with raw_bytes(path) as file:
            start = block = file.read(BLOCK)
            while block and b"\0" not in block:
                block = file.read(BLOCK)
    except UNREADABLE:
        return False
    return bool(block) and not start.startswith(UTF16)


def whole(source: Source) -> Source:
    """The documents of a source, each as one example.

    Example:
        >>> rows = [Example("one ", "", 1), Example("two", "end", 2), Example("three", "end", 3)]
        >>> [example.input for example in whole(Source(lambda: iter(rows), "memory"))]
        ['one two', 'three']
    """

    def read() -> Iterator[Example | Faulty]:
        held: list[Example] = []
        for item in source.read():
            if isinstance(item, Faulty):
                yield item
                continue
            held.append(item)
            if item.target == END:
                yield held[0]._replace(input="".join(piece.input for piece in held), target="")
                held = []

    return Source(read, source.name, source.size)
