"""Sources whose inputs are paths of files: tables of paths, folders with a sub-folder per label."""

import csv
import hashlib
import os
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

from seqtasks.data.columns import Columns, read_columns
from seqtasks.data.media_segments import SEGMENT, SegmentColumns, with_segments
from seqtasks.data.memory import array_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Records
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError


def open_paths(
    records: Records, columns: Columns, reading: Reading, suffixes: Sequence[str], kind: str,
    beside: Sequence[str] = (), root: str | Path | None = None, segments: SegmentColumns | None = None,
) -> Source:  # fmt: skip
    """The source of records of targets and paths, which are relative to the folder of their table.

    An array in memory (`seqtasks.data.memory.keep_array`) can stand in the place of a path. In the place of a file
    there can be a folder of the same name without a suffix.

    Args:
        records: the records.
        columns: their columns; the text is the path.
        reading: `labelled`, `carry` and `group`.
        suffixes: the suffixes that files may have.
        kind: what messages call such a file.
        beside: names of folders next to the table in which files are searched too.
        root: the folder that paths are relative to, if it is not that of the table.
        segments: None, or the columns with start and end of a segment; inputs are then such as `a.wav#t=1.5,3`.

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
    if segments:
        records, reading = with_segments(records, reading, segments)
    source = read_columns(records, columns, reading)
    folder = Path(records.name).parent if Path(records.name).is_file() else Path()
    folders = [folder, *(folder / name for name in beside if (folder / name).is_dir())]
    if root is not None:
        folders = [Path(root)]
        if not folders[0].is_dir():
            raise UserError("no such folder", where=root, remedy="give the folder that paths are relative to")

    def found(example: Example) -> Example | Faulty:
        fields = dict(example.fields)
        segment = fields.pop(SEGMENT, "")
        example = example._replace(fields=tuple(fields.items()))
        name, where = example.input.strip(), source.where(example)
        if array_of(name) is not None:
            if segment:
                what, remedy = "a segment of an array", "give the array of the segment alone"
                return Faulty(UserError(what, where=where, remedy=remedy))
            return example
        path = find_path(name, folders)
        if path is None:
            remedy = f"give paths relative to {'the folder of the table' if root is None else root}"
            gone = folders[0] / name
            error = UserError(f"no such file {gone}", where=where, remedy=remedy)
            return Faulty(error, fields=(("file", f"{gone}{segment}"), *example.fields))
        if path.is_file() and suffix_of(path) not in suffixes:
            remedy = f"{kind}s end in {', '.join(suffixes)}"
            return Faulty(UserError(f"{path.name} is not a {kind}", where=where, remedy=remedy))
        return example._replace(input=f"{path}{segment}")

    return source.map(found)


def find_path(name: str, folders: Iterable[Path]) -> Path | None:
    """The file or folder of a name in the first of some folders that holds it, or None.

    Without such a file it is the folder of that name without a suffix, as tools make it that unpack a file. Backslashes
    also separate folders.

    Args:
        name: a path, relative to a folder.
        folders: where to look.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a" / "1").mkdir(parents=True)
        >>> find_path("a\\\\1.avi", [folder]) == folder / "a" / "1", find_path("b.avi", [folder])
        (True, None)
    """
    for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
        for folder in folders:
            path = folder / spelling
            if path.exists():
                return path
            if path.suffix and path.with_suffix("").is_dir():
                return path.with_suffix("")
    return None


def open_labelled(
    folder: Path, suffixes: Sequence[str], kind: str, remedy: str, hidden: str = ".",
    find: Callable[[Path], Iterable[Path]] | None = None,
) -> Source:  # fmt: skip
    """The source of a folder with a sub-folder per label. The labels are mixed, in an order that depends only on names.

    Other files in these sub-folders, and such files beside them, are counted in a warning.

    Args:
        folder: the folder.
        suffixes: the suffixes that files may have.
        kind: what messages call such a file.
        remedy: the remedy if there are no such files.
        hidden: sub-folders whose names start with one of these characters are not labels.
        find: None, or `find(sub-folder) -> paths`, what in the sub-folder of a label is an input; by default the files
            directly in it. What is deeper has the name of the folder on its way as its group.

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
    named = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name[0] not in {*hidden, "."}]
    labels: dict[Path, Path] = {}  # the sub-folder of each input
    for label in named:
        inside = find(label) if find else (p for p in sorted(label.iterdir()) if p.is_file())
        labels |= dict.fromkeys((p for p in inside if p.is_dir() or _is_read(p, suffixes)), label)
    if not labels:
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise UserError(f"no {kind}s in sub-folders here (found {listed})", where=folder, remedy=remedy)
    warn_of_others(folder, (p for label in named for p in _unread(label, labels)), (), kind)
    if beside := sum(_is_read(p, suffixes) for p in folder.iterdir()):
        warnings.warn(f"{folder}: {beside} {kind}s outside the folders of the labels were not read", stacklevel=2)

    def example(path: Path) -> Example:
        label, deeper = labels[path], path.relative_to(labels[path]).parts[:-1]
        return Example(str(path), label.name, str(path), f"{label.name}/{deeper[0]}" if deeper else "")

    examples = [example(path) for path in mixed(labels)]
    return Source(lambda: iter(examples), str(folder), sum(p.stat().st_size for p in labels))


def _unread(folder: Path, read: Container[Path]) -> Iterator[Path]:
    """The files below a folder that are not read, and are not in a folder that is."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and Path(place, name) not in read]
        yield from (path for name in names if (path := Path(place, name)) not in read)


def _is_read(path: Path, suffixes: Sequence[str]) -> bool:
    return suffix_of(path) in suffixes and path.name[0] != "."


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
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        started = Path(folder) / path.name
        with started.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        started.rename(path)
