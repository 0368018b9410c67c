"""Writes files under a temporary name and renames them, so that no file is ever incomplete, and removes no others."""

import contextlib
import csv
import errno
import fnmatch
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.errors import UserError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, which is renamed to it when the block ends, and deleted if it fails.

    Yields:
        The temporary path.

    Raises:
        UserError: if the disk is full.

    Example:
        >>> import tempfile
        >>> with replacing(Path(tempfile.mkdtemp()) / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(path) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: str | Path) -> None:
    """Waits until the content of a file, or the names in a folder, are on the disk and outlast a power failure.

    Args:
        path: the file, or the folder; of a folder it does nothing where the system cannot do it.

    Example:
        >>> sync(".")
    """
    if os.name != "posix" and Path(path).is_dir():
        return
    number = os.open(path, os.O_RDONLY if Path(path).is_dir() else os.O_RDWR)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that does not sync folders
            raise
    finally:
        os.close(number)


def full(path: str | Path) -> UserError:
    """The error for a full disk while writing `path`."""
    return UserError("no space left on the device", where=path, remedy="free some space; --resume continues a training")


def check_own(directory: Path, patterns: Sequence[str], remedy: str) -> None:
    """Raise `UserError` if a directory that is to be replaced holds a file that was not written by the program.

    Args:
        directory: the directory.
        patterns: of the paths of files that are written there, relative to it, as `fnmatch` takes them. Unfinished
            files, whose names begin with a dot and a number, belong to them.
        remedy: what to do instead.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "thesis.txt").write_text("years of work")
        >>> check_own(folder, ["config.yaml", "logs/*"], "take another --run")
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...: holds thesis.txt, which is kept: nothing is overwritten; take another --run
    """
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        unfinished = fnmatch.fnmatchcase(path.name, ".[0-9]*")
        if not path.is_dir() and not unfinished and not any(fnmatch.fnmatchcase(name, p) for p in patterns):
            what = f"holds {name}, which is kept: nothing is overwritten"
            raise UserError(what, where=directory, remedy=remedy)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Writes a value as indented JSON; NaN and infinity are errors."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as CSV; the columns are all keys, in the order of their first appearance.

    Args:
        path: the file.
        rows: {column: value} for each row; a missing value is an empty field.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> write_csv(path, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "accuracy": 0.9}])
        >>> path.read_text()
        'epoch,loss,accuracy\\n1,0.5,\\n2,,0.9\\n'
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
