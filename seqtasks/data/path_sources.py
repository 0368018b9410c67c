"""Sources whose inputs are paths of files: tables of paths, folders with a sub-folder per label."""

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqtasks.data.sources import Columns, Example, Source, open_source
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError


def open_paths(path: str | Path, columns: Columns, suffixes: Sequence[str], kind: str, beside: str = "") -> Source:
    """The source of a table of targets and paths, which are relative to its folder.

    Args:
        path: the table.
        columns: the columns of the table; the text is the path.
        suffixes: the suffixes that files may have.
        kind: what messages call such a file.
        beside: the name of a folder next to the table in which files are searched too, if there is one.

    Raises:
        UserError: if the table cannot be read; while reading, at a line whose file does not exist or has another
            suffix.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.wav").touch()
        >>> write_table(folder / "train.csv", [("text", "label"), ("a.wav", "yes")])
        >>> [(Path(e.input).name, e.target) for e in open_paths(folder / "train.csv", Columns(), [".wav"], "recording")]
        [('a.wav', 'yes')]
    """
    table, folder = open_source(path, columns), Path(path).parent
    second = folder / beside if (folder / beside).is_dir() else folder

    def examples() -> Iterator[Example]:
        for example in table:
            name = example.input.strip()
            found = folder / name if (folder / name).is_file() else second / name
            if not found.is_file():
                remedy = "give paths relative to the folder of the table"
                raise UserError(f"no such file {found}", where=table.where(example), remedy=remedy)
            if suffix_of(found) not in suffixes:
                remedy = f"{kind}s end in {', '.join(suffixes)}"
                raise UserError(f"{found.name} is not a {kind}", where=table.where(example), remedy=remedy)
            yield Example(str(found), example.target, example.place)

    return Source(examples, table.name, table.size)


def open_labelled(folder: Path, suffixes: Sequence[str], kind: str, remedy: str, hidden: str = ".") -> Source:
    """The source of a folder with a sub-folder per label. The labels are mixed, in an order that depends only on names.

    Args:
        folder: the folder.
        suffixes: the suffixes that files may have.
        kind: what messages call such a file.
        remedy: the remedy if there are no such files.
        hidden: sub-folders whose names start with one of these characters are not labels.

    Raises:
        UserError: if there are no such files.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "yes").mkdir()
        >>> (folder / "yes" / "a.wav").touch()
        >>> [(Path(e.input).name, e.target) for e in open_labelled(folder, [".wav"], "recording", "record one")]
        [('a.wav', 'yes')]
    """
    files = [
        p
        for p in folder.glob("*/*")
        if suffix_of(p) in suffixes and p.parent.name[0] not in hidden and p.name[0] != "." and p.is_file()
    ]
    if not files:
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise UserError(f"no {kind}s in sub-folders here (found {listed})", where=folder, remedy=remedy)
    examples = [Example(str(p), p.parent.name, str(p)) for p in mixed(files)]
    return Source(lambda: iter(examples), str(folder), sum(p.stat().st_size for p in files))


def mixed(paths: Iterable[Path]) -> list[Path]:
    """Paths in the order of a hash of their last folders and names.

    Example:
        >>> [str(path) for path in mixed([Path("a/yes/1.wav"), Path("a/no/1.wav"), Path("a/yes/2.wav")])]
        ['a/yes/1.wav', 'a/yes/2.wav', 'a/no/1.wav']
    """
    return sorted(paths, key=lambda p: hashlib.sha256(f"{p.parent.name}/{p.name}".encode()).digest())


def recorded(path: str | Path, take: re.Pattern[str]) -> str:
    """The id of a recording, equal for all its takes: the last folder and the name of the file, without the take.

    Args:
        path: the file.
        take: pattern of the part of the name that tells the take.

    Example:
        >>> recorded("data/yes/ada_take_2.wav", re.compile("_take_[0-9]+$"))
        'yes/ada'
    """
    path = Path(path)
    return f"{path.parent.name}/{take.sub('', path.stem)}"


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes rows as CSV; the file gets its name when it is complete.

    Args:
        path: the file.
        rows: the header and the rows, each a sequence of fields.
    """
    started = path.with_suffix(f".{os.getpid()}")
    with started.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    started.rename(path)
