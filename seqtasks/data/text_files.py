"""Opens text files: UTF-8, plain or gzip, with errors that name the file, the line and the byte."""

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqtasks.errors import UserError

UNREADABLE = (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError, PermissionError)  # see `read_error`


def suffix_of(path: str | Path) -> str:
    """The format of a file by its name, without a final `.gz`.

    Example:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    names = [s.lower() for s in Path(path).suffixes]
    if names and names[-1] == ".gz":
        names.pop()
    return names[-1] if names else ""


def open_text(path: str | Path) -> io.TextIOWrapper:
    """The file as text: UTF-8 with or without a byte order mark, gzip by its name, line ends unchanged."""
    if _is_gzip(path):
        return io.TextIOWrapper(gzip.GzipFile(path), encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def open_bytes(path: str | Path) -> "io.BufferedReader[Any]":
    """A file as bytes, without a byte order mark, gzip by its name.

    Raises:
        UserError: if there is no such file, if it is empty, or if it should be gzip and is not.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file that holds records")
    try:
        file: io.BufferedReader[Any] = io.BufferedReader(gzip.GzipFile(path)) if _is_gzip(path) else path.open("rb")
        if file.peek(3)[:3] == codecs.BOM_UTF8:
            file.read(3)
    except UNREADABLE as error:
        raise read_error(path, error) from None
    return file


def read_error(path: str | Path, error: BaseException) -> UserError:
    """The error for a file that cannot be read.

    Args:
        path: the file.
        error: what was raised, one of `UNREADABLE`.

    Returns:
        The error to raise. For text that is not UTF-8 it names the line, the byte and its offset in the file.

    Example:
        >>> str(read_error("a.csv", PermissionError("Permission denied")))
        'a.csv: cannot be read (Permission denied); check that the file is complete and readable'
    """
    if isinstance(error, UnicodeDecodeError):
        offset = 0
        with _raw(path) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as wrong:
                    byte = f"byte 0x{line[wrong.start]:02x} at offset {offset + wrong.start}"
                    return UserError(f"not UTF-8 ({byte})", where=f"{path}:{number}", remedy="save the file as UTF-8")
                offset += len(line)
    return UserError(f"cannot be read ({error})", where=path, remedy="check that the file is complete and readable")


def not_text_error(path: str | Path, error: BaseException | None = None) -> UserError:
    """As `read_error`, but a file with NUL bytes is reported as binary or UTF-16.

    Args:
        path: the file.
        error: one of `UNREADABLE`; None if reading succeeded and a NUL byte was found.
    """
    if error is None or isinstance(error, UnicodeDecodeError):
        with contextlib.suppress(*UNREADABLE), open_bytes(path) as file:
            offset, number = file.tell(), 1  # after a byte order mark
            if file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                what = f"UTF-16, not UTF-8 (byte 0x{file.peek(1)[0]:02x} at offset 0)"
                return UserError(what, where=f"{path}:1", remedy="save the file as UTF-8")
            while line := file.readline(2**20):
                if b"\0" in line:
                    what = f"a binary file (byte 0x00 at offset {offset + line.index(0)})"
                    return UserError(what, where=f"{path}:{number}", remedy="give only text files, in UTF-8")
                offset += len(line)
                number += line.endswith(b"\n")
    return read_error(path, error or ValueError("a NUL byte"))


@contextlib.contextmanager
def reading(path: str | Path, reject_nul: bool = False) -> Iterator[io.TextIOWrapper]:
    """`open_text` as a context; what goes wrong while the file is read is raised as a `UserError`.

    Args:
        path: the file.
        reject_nul: whether errors come from `not_text_error` instead of `read_error`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_bytes(b"one\\ntw\\xff\\n")
        >>> with reading(path) as file:
        ...     file.read()
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.txt:2: not UTF-8 (byte 0xff at offset 6); save the file as UTF-8
    """
    try:
        with open_text(path) as file:
            yield file
    except UNREADABLE as error:
        raise (not_text_error if reject_nul else read_error)(path, error) from None


def without_nul(lines: Iterable[str], path: str | Path) -> Iterator[str]:
    """The lines of a text file, unchanged.

    Args:
        lines: the lines.
        path: the file, for the message.

    Raises:
        UserError: at a line with a NUL byte; see `not_text_error`.
    """
    for line in lines:
        if "\0" in line:
            raise not_text_error(path)
        yield line


def replace_surrogates(text: str) -> str:
    """The text with a question mark in place of each lone surrogate (half an emoji), which UTF-8 cannot encode.

    Example:
        >>> replace_surrogates("a \\ud83d b")
        'a ? b'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_gzip(path: str | Path) -> bool:
    return str(path).lower().endswith(".gz")


def _raw(path: str | Path) -> IO[bytes]:
    return gzip.GzipFile(path) if _is_gzip(path) else open(path, "rb")  # type: ignore[return-value]
