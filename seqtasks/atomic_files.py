"""Writes files under a temporary name and renames them, so that no file is ever incomplete, and removes no others."""

import contextlib
import csv
import errno
import fnmatch
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.errors import UserError

TEMPORARY = ".seqtasks-*"  # unfinished files
REFUSED = {
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EIO, errno.ENOENT,
}  # fmt: skip


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, which is renamed to it when the block ends, and deleted if it fails.

    Yields:
        The temporary path.

    Raises:
        UserError: if the disk is full, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with replacing(Path(tempfile.mkdtemp()) / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY[:-1]}{secrets.token_hex(8)}{path.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # new: never a link to another file
        try:
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename not in (None, os.fspath(temporary), temporary):
            raise  # of another file, which the block read
        raise cannot_write(path, error) from None


def cannot_write(path: str | Path, error: OSError) -> Exception:
    """The error for a file or folder that cannot be written: the user's where the disk or its rights are the reason.

    Args:
        path: what was to be written.
        error: what the operating system said.

    Returns:
        A `UserError`, or `error` itself if the reason is another one.

    Example:
        >>> cannot_write("run", OSError(errno.EROFS, "Read-only file system"))
        UserError('run: cannot be written (Read-only file system); take another place, or change its permissions')
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(path)
    if error.errno in REFUSED:
        remedy = "take another place, or change its permissions"
        return UserError(f"cannot be written ({error.strerror})", where=path, remedy=remedy)
    return error


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
    temporary, made = directory.with_name(f"{TEMPORARY[:-1]}{secrets.token_hex(8)}"), not directory.parent.exists()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if directory.exists():
            shutil.rmtree(directory)
        temporary.rename(directory)
        made = False
    except OSError as error:
        raise cannot_write(directory, error) from None
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
            files belong to them.
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
        unfinished = fnmatch.fnmatchcase(path.name, TEMPORARY)
        if not path.is_dir() and not unfinished and not any(fnmatch.fnmatchcase(name, p) for p in patterns):
            what = f"holds {name}, which is kept: nothing is overwritten"
            raise UserError(what, where=directory, remedy=remedy)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Writes a value as indented JSON; NaN and infinity are errors."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """A value as indented JSON, as `write_json` writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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
