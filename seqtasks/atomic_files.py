"""Writes files under a temporary name and renames them, so that no file is ever incomplete, and removes no others."""

import contextlib
import csv
import errno
import fnmatch
import io
import json
import os
import shutil
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
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(path) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(directory: Path) -> Iterator[Path]:
    """A temporary path that takes the place of a folder when the block ends, and is deleted if it fails.

    Yields:
        The temporary path; its parent exists.

    Raises:
        UserError: if the folder cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "new" / "model"
        >>> with whole_folder(folder) as temporary:
        ...     temporary.mkdir()
        >>> folder.is_dir()
        True
    """
    temporary, made = directory.with_name(f".{os.getpid()}.{directory.name}"), not directory.parent.exists()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if directory.exists():
            shutil.rmtree(directory)
        temporary.rename(directory)
        made = False
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(directory) from None
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise
        raise UserError(f"cannot be written ({error.strerror})", where=directory, remedy="take another") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                directory.parent.rmdir()


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
