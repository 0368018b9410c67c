"""Sources whose inputs are paths of files: tables of them, folders with a sub-folder per label."""

import csv
import hashlib
import os
from pathlib import Path

from seqtasks.data.sources import Example, Source, open_source, suffix_of
from seqtasks.errors import UserError


def open_paths(path, columns, suffixes, kind, beside=""):
    """The source behind a table of paths, which are relative to its folder, and targets.

    Args:
        path: the table.
        columns: `seqtasks.data.sources.Columns`; their text is the path.
        suffixes: what files may end in.
        kind: what such a file is called in messages.
        beside: a folder in that of the table in which files are looked for too, if it is there.

    Raises:
        UserError: while reading, at a line that names no such file.
    """
    table, folder = open_source(path, columns), Path(path).parent
    beside = folder / beside if (folder / beside).is_dir() else folder

    def examples():
        for example in table:
            name = example.input.strip()
            found = folder / name if (folder / name).is_file() else beside / name
            if not found.is_file():
                remedy = "give paths relative to the folder of the table"
                raise UserError(f"no such file {found}", where=table.where(example), remedy=remedy)
            if suffix_of(found) not in suffixes:
                remedy = f"{kind}s end in {', '.join(suffixes)}"
                raise UserError(f"{found.name} is no {kind}", where=table.where(example), remedy=remedy)
            yield Example(str(found), example.target, example.place)

    return Source(examples, table.name, table.size)


def open_labelled(folder, suffixes, kind, remedy, hidden="."):
    """The source behind a folder with a sub-folder per label, mixed, in an order that depends on names alone.

    Args:
        folder: the folder.
        suffixes: what files may end in.
        kind: what such a file is called in messages.
        remedy: what would be right where there are none.
        hidden: the first characters of the names of sub-folders that are no labels.
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


def mixed(paths):
    """Paths in an order that depends on their last folders and names alone.

    Example:
        >>> [str(path) for path in mixed([Path("a/yes/1.wav"), Path("a/no/1.wav"), Path("a/yes/2.wav")])]
        ['a/yes/1.wav', 'a/yes/2.wav', 'a/no/1.wav']
    """
    return sorted(paths, key=lambda p: hashlib.sha256(f"{p.parent.name}/{p.name}".encode()).digest())


def recorded(path, take):
    """The last folder and the name of a file, wherever the data lie, without what only tells which take it is.

    Args:
        path: the file.
        take: pattern of what is left out of the name.
    """
    path = Path(path)
    return f"{path.parent.name}/{take.sub('', path.stem)}"


def write_table(path, rows):
    """Write a CSV of rows under its name when all of it is there."""
    started = path.with_suffix(f".{os.getpid()}")
    with started.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    started.rename(path)
