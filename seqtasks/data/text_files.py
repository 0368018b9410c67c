"""Opens files: text in any encoding, plain or compressed, with errors that name the file, the line and the byte."""

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqtasks.errors import UserError, nearest, needs

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
MOST, TIMES = 2**26, 100  # bytes that any compressed file may expand to, and as many times its size
UNREADABLE = (  # see `read_error`
    UnicodeDecodeError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, PermissionError,
)  # fmt: skip
BYTE_ORDER_MARKS = (  # the longest first: UTF-32 begins as UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = {  # the first bytes of files that are no text, by the suffix that they should have
    ".gz": b"\x1f\x8b", ".xz": b"\xfd7zXZ", ".zst": b"\x28\xb5\x2f\xfd", ".bz2": b"BZh",
    ".xlsx": b"PK\x03\x04", ".parquet": b"PAR1",
}  # fmt: skip


def suffix_of(path: str | Path) -> str:
    """The format of a file by its name, without a final `.gz`, `.bz2`, `.xz` or `.zst`.

    Example:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    names = [s.lower() for s in Path(path).suffixes]
    if names and names[-1] in COMPRESSED:
        names.pop()
    return names[-1] if names else ""


def encoding_of(path: str | Path, encoding: str | None = None) -> str:
    """The encoding of a text file: that of its byte order mark, else `encoding`, else UTF-8.

    Args:
        path: the file.
        encoding: a name that Python knows, such as `latin-1`; None for UTF-8.

    Raises:
        UserError: if there is no such encoding.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("text", "utf-16")
        >>> encoding_of(path)
        'utf-16'
    """
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            remedy = nearest(encoding, ["utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "shift_jis"])
            raise UserError(f"unknown encoding {encoding!r}", where="--encoding", remedy=remedy) from None
    with raw_bytes(path) as file:
        start = file.read(4)
    return next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), encoding or "utf-8")


def open_text(path: str | Path, encoding: str | None = None) -> io.TextIOWrapper:
    """The file as text, without a byte order mark, decompressed by its name, line ends unchanged.

    Args:
        path: the file.
        encoding: see `encoding_of`.
    """
    return io.TextIOWrapper(raw_bytes(path), encoding=encoding_of(path, encoding), newline="")


def open_bytes(path: str | Path) -> "io.BufferedReader[Any]":
    """A file as bytes, without a byte order mark of UTF-8, decompressed by its name.

    Raises:
        UserError: if there is no such file, if it is empty, or if it is not compressed as its name says.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a file that holds records")
    try:
        file: io.BufferedReader[Any] = io.BufferedReader(raw_bytes(path))
        if file.peek(3)[:3] == codecs.BOM_UTF8:
            file.read(3)
    except (*UNREADABLE, OSError) as error:
        raise read_error(path, error) from None
    return file


def raw_bytes(path: str | Path) -> IO[bytes]:
    """The bytes of a file, decompressed by its name. Those that a small file expands to without end are an `EOFError`.

    Raises:
        UserError: if the package for its compression is missing.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in COMPRESSED:
        return open(path, "rb")
    if suffix == ".zst":
        needs("zstandard", extra="formats")
    opened = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": _Zstandard}[suffix]
    return io.BufferedReader(_Bounded(opened(path), Path(path).stat().st_size), 2**17)  # type: ignore[operator]


class _Bounded(io.RawIOBase):
    """The bytes of a decompressed file, as long as they are not far more than those of the file."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.place, self.end = file, 0, MOST + TIMES * size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = self.file.seek(offset, whence)
        return self.place

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer)
        self.place += count
        if self.place > self.end:
            raise EOFError(f"it expands to more than {TIMES} times its size; decompress it first if that is meant")
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


class _Zstandard(io.RawIOBase):
    """The bytes of a Zstandard file, which may have several frames. A file that is cut off is an `EOFError`."""

    def __init__(self, path: str | Path) -> None:
        import zstandard

        self.file, self.fault = open(path, "rb"), zstandard.ZstdError  # noqa: SIM115 it is closed with the stream
        self.make = zstandard.ZstdDecompressor().decompressobj
        self.frame, self.waiting, self.started = self.make(), b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.waiting:
            if self.frame.eof:
                rest = self.frame.unused_data
                self.frame = self.make()
            else:
                rest = b""
            compressed = rest or self.file.read(2**17)
            if not compressed:
                if self.started and not self.frame.eof:
                    raise EOFError("the file is cut off")
                return 0
            try:
                self.waiting = self.frame.decompress(compressed)
            except self.fault as error:
                raise EOFError(str(error)) from None
            self.started = not self.frame.eof
        size = min(len(buffer), len(self.waiting))
        buffer[:size], self.waiting = self.waiting[:size], self.waiting[size:]
        return size

    def close(self) -> None:
        self.file.close()
        super().close()


def read_error(path: str | Path, error: BaseException, encoding: str | None = None) -> UserError:
    """The error for a file that cannot be read.

    Args:
        path: the file.
        error: what was raised, one of `UNREADABLE`.
        encoding: the encoding that the file was read with; None for UTF-8.

    Returns:
        The error to raise. For text that is not UTF-8 it names the line, the byte and its offset in the file.

    Example:
        >>> str(read_error("a.csv", PermissionError("Permission denied")))
        'a.csv: cannot be read (Permission denied); check that the file is complete and readable'
    """
    if isinstance(error, UnicodeDecodeError):
        name = encoding_of(path, encoding)
        if not name.startswith("utf-8"):
            remedy = "name the encoding it was saved in with --encoding"
            return UserError(f"not {name} ({error.reason})", where=path, remedy=remedy)
        offset = 0
        with raw_bytes(path) as lines:
            for number, line in enumerate(io.BufferedReader(lines), 1):  # type: ignore[type-var]
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as wrong:
                    byte = f"byte 0x{line[wrong.start]:02x} at offset {offset + wrong.start}"
                    remedy = "save the file as UTF-8, or name its encoding with --encoding, such as latin-1"
                    return UserError(f"not UTF-8 ({byte})", where=f"{path}:{number}", remedy=remedy)
                offset += len(line)
    return UserError(f"cannot be read ({error})", where=path, remedy="check that the file is complete and readable")


def not_text_error(path: str | Path, error: BaseException | None = None) -> UserError:
    """As `read_error`, but a file with NUL bytes is reported as binary.

    Args:
        path: the file.
        error: one of `UNREADABLE`; None if reading succeeded and a NUL byte was found.
    """
    if error is None or isinstance(error, UnicodeDecodeError):
        with contextlib.suppress(*UNREADABLE), open_bytes(path) as file:
            offset, number = file.tell(), 1  # after a byte order mark
            while line := file.readline(2**20):
                if b"\0" in line:
                    what = f"a binary file (byte 0x00 at offset {offset + line.index(0)})"
                    return UserError(what, where=f"{path}:{number}", remedy="give only text files, in UTF-8")
                offset += len(line)
                number += line.endswith(b"\n")
    return read_error(path, error or ValueError("a NUL byte"))


@contextlib.contextmanager
def reading(path: str | Path, reject_nul: bool = False, encoding: str | None = None) -> Iterator[io.TextIOWrapper]:
    """`open_text` as a context; what goes wrong while the file is read is raised as a `UserError`.

    Args:
        path: the file.
        reject_nul: whether errors come from `not_text_error` instead of `read_error`.
        encoding: see `encoding_of`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_bytes(b"one\\ntw\\xff\\n")
        >>> with reading(path) as file:
        ...     file.read()
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.txt:2: not UTF-8 (byte 0xff at offset 6); save the file as UTF-8, or ...
    """
    try:
        with open_text(path, encoding) as file:
            yield file
    except (*UNREADABLE, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, UNREADABLE) and error.errno is not None:
            raise  # a fault of the machine, not of the file: bz2 reports its faults without a number
        if reject_nul and encoding is None:
            raise not_text_error(path, error) from None
        raise read_error(path, error, encoding) from None


def check_text(path: str | Path, encoding: str | None = None) -> None:
    """Check that a file is text: not binary, and not UTF-16 without a byte order mark.

    Args:
        path: the file.
        encoding: its encoding, if it is known; then it is not checked.

    Raises:
        UserError: if more than a tenth of its first bytes are zero, or if it is a compressed file or a workbook.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_bytes("text".encode("utf-16-le"))
        >>> check_text(path)
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.csv: not text (half of its bytes are zero); name its encoding with --encoding...
    """
    try:
        if encoding_of(path, encoding) != "utf-8":
            return
        with raw_bytes(path) as file:
            start = file.read(4096)
    except (*UNREADABLE, OSError) as error:
        raise read_error(path, error) from None
    packed = next((name for name, magic in MAGIC.items() if start.startswith(magic)), None)
    if packed and (b"\0" in start or not start.isascii()):
        raise UserError(f"not text, it begins as {packed} files do", where=path, remedy=f"let its name end in {packed}")
    share = start.count(0) / max(len(start), 1)
    if share > 0.1:
        much = "half" if share > 0.35 else "many"
        remedy = "name its encoding with --encoding, such as utf-16-le, or give a text file"
        raise UserError(f"not text ({much} of its bytes are zero)", where=path, remedy=remedy)


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
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
