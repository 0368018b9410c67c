"""Sources of labelled texts: tables, a folder per class, fastText's lines."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from seqtasks.data import pairs
from seqtasks.data.columns import Columns, read_columns
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import Formats
from seqtasks.data.tables import SUFFIXES
from seqtasks.data.targets import join_labels, split_labels
from seqtasks.data.text_files import reading as opened
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError

UNLABELLED_FOLDERS = ("unsup",)  # aclImdb keeps its unlabelled reviews next to the classes
FASTTEXT = (".txt", ".ft", ".train", ".valid", ".test")
MARK = "__label__"


def formats(columns: Columns = Columns()) -> Formats:
    """How labelled texts are read.

    Args:
        columns: which columns of a table hold text and label.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.splits import open_data
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text("text,label\\na fine film,good\\n")
        >>> [(example.input, example.target) for example in open_data(path, formats())]
        [('a fine film', 'good')]
    """
    return Formats(
        records=lambda records, reading: read_columns(records, columns, reading),
        open=lambda path, reading: open_texts(path, reading, bool(columns.texts)),
        suffixes=FASTTEXT,
        lines=(),
        is_header=lambda first, reading: columns.is_header(first, reading.labelled),
        labels=split_labels,
    )


def open_texts(path: str | Path, reading: Reading = Reading(), paired: bool = False) -> Source:
    """The source of a folder with a sub-folder per class, or of a file of fastText: `__label__good a fine film`.

    Args:
        path: the file or folder.
        reading: `encoding`; without `labelled`, each line of a file is a text.
        paired: whether an input is two texts; without `labelled`, those of a line have a tab between them.

    Raises:
        UserError: if there are no texts; while reading, at a file that cannot be decoded.
    """
    path = Path(path)
    if paired and (path.is_dir() or reading.labelled):
        what, remedy = "holds one text for each label, not pairs", "give a table with the columns of the two texts"
        raise UserError(what, where=path, remedy=remedy)
    return open_folder(path, reading) if path.is_dir() else _open_lines(path, reading, paired)


def _open_lines(path: Path, reading: Reading, paired: bool = False) -> Source:
    if reading.carry:
        raise UserError("lines have no columns", where=path, remedy="leave out --carry, or give a table")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file with a label and a text on each line")
    with opened(path, reject_nul=True, encoding=reading.encoding) as file:
        marked = any(line.startswith(MARK) for line in _lines(file, 20))
    if not marked and reading.labelled:
        remedy = f"write {MARK}good a fine film on each line, or give a table (.csv, .tsv, .jsonl) with a label"
        raise UserError("lines without labels", where=path, remedy=remedy)

    def read() -> Iterator[Example | Faulty]:
        with opened(path, reject_nul=True, encoding=reading.encoding) as file:
            if not reading.labelled:  # an answer for each line, and a carriage return alone ends none
                file.reconfigure(newline="\n")
            for number, line in enumerate(file, 1):
                words = line.split()
                labels = [word.removeprefix(MARK) for word in words if word.startswith(MARK)] if marked else []
                text = " ".join(w for w in words if not w.startswith(MARK)) if marked else line.rstrip("\r\n")
                if not reading.labelled:
                    text = pairs.from_line(text, f"{path}:{number}") if paired else text
                    yield Example(text, "", number)
                elif not words:
                    continue
                elif not labels:
                    yield Faulty(UserError(f"no {MARK}", where=f"{path}:{number}", remedy="give each line a label"))
                else:
                    yield Example(text, labels[0] if len(labels) == 1 else join_labels(labels), number)

    return Source(read, str(path), path.stat().st_size)


def _lines(file: Iterator[str], count: int) -> Iterator[str]:
    return (line for line, _ in zip(file, range(count), strict=False))


def open_folder(path: str | Path, reading: Reading = Reading()) -> Source:
    """A folder with a sub-folder per class and a text file per example, the layout of aclImdb.

    The classes are mixed, in an order that depends only on the names of the files. Names that begin with a dot are
    neither classes nor texts.

    Args:
        path: the folder.
        reading: `encoding`.

    Raises:
        UserError: if there is no such file; while reading, at a file that cannot be decoded.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "good").mkdir()
        >>> _ = (folder / "good" / "1.txt").write_text("a fine film")
        >>> [(example.input, example.target) for example in open_folder(folder)]
        [('a fine film', 'good')]
    """
    path = Path(path)
    classes = sorted(
        p for p in path.iterdir() if p.is_dir() and p.name not in UNLABELLED_FOLDERS and not p.name.startswith(".")
    )
    files = [
        (file, folder.name)
        for folder in classes
        for file in folder.iterdir()
        if file.is_file() and suffix_of(file) in (".txt", "") and not file.name.startswith(".")
    ]
    if not files:
        listed = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        remedy = "give a folder with one sub-folder per class and a .txt file per example, or train/valid/test files"
        if tables := sorted({suffix_of(p) for p in path.iterdir()} & {*SUFFIXES}):
            remedy = f'give "{path}/*{tables[0]}" to read all of them, or name them train, valid and test'
        raise UserError(f"no text files in sub-folders here (found {listed})", where=path, remedy=remedy)
    files.sort(key=lambda item: hashlib.sha256(f"{item[1]}/{item[0].name}".encode()).digest())

    def read() -> Iterator[Example | Faulty]:
        for file, label in files:
            try:
                with opened(file, encoding=reading.encoding) as text:
                    yield Example(text.read(), label if reading.labelled else "", str(file))
            except UserError as error:
                yield Faulty(error)

    return Source(read, str(path), sum(file.stat().st_size for file, _ in files))
