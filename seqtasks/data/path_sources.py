"""Sources whose inputs are paths of files: tables of paths, folders with a sub-folder per label."""

import csv
import hashlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqtasks.data.columns import Columns, read_columns
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Records
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError


def open_paths(
    records: Records, columns: Columns, reading: Reading, suffixes: Sequence[str], kind: str,
    beside: Sequence[str] = (),
) -> Source:  # fmt: skip
    """The source of records of targets and paths, which are relative to the folder of their table.

    Args:
        records: the records.
        columns: their columns; the text is the path.
        reading: `labelled`, `keep` and `group`.
        suffixes: the suffixes that files may have.
        kind: what messages call such a file.
        beside: names of folders next to the table in which files are searched too.

    Raises:
        UserError: if a column is not there. A record whose file does not exist or has another suffix is `Faulty`.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.tables import open_records
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.wav").touch()
        >>> write_table(folder / "train.csv", [("text", "label"), ("a.wav", "yes")])
        >>> source = open_paths(open_records(folder / "train.csv"), Columns(), Reading(), [".wav"], "recording")
        >>> [(Path(e.input).name, e.target) for e in source]
        [('a.wav', 'yes')]
    """
    source = read_columns(records, columns, reading)
    folder = Path(records.name).parent if Path(records.name).is_file() else Path()
    folders = [folder, *(folder / name for name in beside if (folder / name).is_dir())]

    def found(example: Example) -> Example | Faulty:
        name = example.input.strip()
        path = next((path for f in folders if (path := f / name).exists()), None)
        if path is None:
            remedy = "give paths relative to the folder of the table"
            return Faulty(UserError(f"no such file {folders[-1] / name}", where=source.where(example), remedy=remedy))
        if path.is_file() and suffix_of(path) not in suffixes:
            remedy = f"{kind}s end in {', '.join(suffixes)}"
            return Faulty(UserError(f"{path.name} is not a {kind}", where=source.where(example), remedy=remedy))
        return example._replace(input=str(path))

    return source.map(found)


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
    warn_of_others(folder, folder.glob("*/*"), suffixes, kind)
    examples = [Example(str(p), p.parent.name, str(p)) for p in mixed(files)]
    return Source(lambda: iter(examples), str(folder), sum(p.stat().st_size for p in files))


def warn_of_others(folder: Path, paths: Iterable[Path], suffixes: Sequence[str], kind: str) -> None:
    """Warn of files of a data set that are not read because of their suffix.

    Args:
        folder: of the data set.
        paths: its files; hidden ones are ignored.
        suffixes: the suffixes that are read.
        kind: what such a file is called.
    """
    others = Counter(
        suffix_of(p) or "(no suffix)"
        for p in paths
        if p.is_file() and p.name[0] != "." and p.parent.name[:1] != "." and suffix_of(p) not in suffixes
    )
    if others:
        listed = ", ".join(f"{count} of {suffix}" for suffix, count in others.most_common())
        warnings.warn(f"{folder}: files that are no {kind} were not read: {listed}", stacklevel=3)


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
