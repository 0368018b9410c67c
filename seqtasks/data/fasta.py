"""FASTA: the sequences of a file of any size in pieces, and what its headers say."""

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqtasks.data.text_files import UNREADABLE, encoding_of, open_bytes, raw_bytes, read_error
from seqtasks.errors import UserError

SUFFIXES = (".fa", ".fasta", ".fna", ".ffn", ".fas", ".fsa", ".frn", ".faa", ".mfa")
BLOCK = 1 << 20  # bytes that are read at once
NO_HEADER = "begin each sequence with a line '>name'"
SPACE = b" \t\r\n"
_COMMENT, _COMMENT_INSIDE = re.compile(rb"(\n|\A);[^\n]*"), re.compile(rb"(\n);[^\n]*")


def pieces(path: str | Path, encoding: str | None = None) -> Iterator[tuple[int, str | None, bytes]]:
    """The sequences of a FASTA file in pieces, in constant memory.

    Args:
        path: the file, also compressed.
        encoding: of its headers.

    Yields:
        (line, header, piece): the first piece of a record has the number of the line of its header, and the header; the
        others have None. Pieces contain white space.

    Raises:
        UserError: if the file is not FASTA, or has no record.
    """
    line, rest, begun = 0, b"\n", False  # the line break before each header is part of its mark
    for data in itertools.chain(blocks(path, encoding), [b""]):
        block, rest = rest + data, b""
        if data:
            header = block.rfind(b"\n>")
            if header >= 0 and block.find(b"\n", header + 1) < 0:  # its line goes on in the next block
                block, rest = block[:header], block[header:]
            elif block.endswith(b"\n"):
                block, rest = block[:-1], b"\n"
        first, *others = block.split(b"\n>")
        if first:
            if not begun and first.strip():
                place = line + first[: -len(first.lstrip())].count(b"\n")
                raise UserError("not a FASTA file", where=f"{path}:{place}", remedy=NO_HEADER)
            line += first.count(b"\n")
            if begun:
                yield line, None, first
        for record in others:
            begun = True
            line += 1
            name, _, piece = record.partition(b"\n")
            yield line, name.decode("utf-8", "replace").strip(), piece
            line += record.count(b"\n")
    if not begun:
        raise UserError("no sequence in the file", where=path, remedy=NO_HEADER)


def records(path: str | Path, encoding: str | None = None) -> Iterator[tuple[int, str, Iterator[str]]]:
    """The records of a FASTA file, in constant memory.

    Args:
        path: the file, also compressed.
        encoding: of its headers.

    Yields:
        (line, name, parts): the line of the header, its first word (`record N` if there is none), and the letters in
        parts, which are to be read before the next record.

    Raises:
        UserError: if the file is not FASTA, or has no record.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.fa"
        >>> _ = path.write_text(">chr1 the first\\nAC\\nGT\\n>chr2\\nTT\\n")
        >>> [(line, name, "".join(parts)) for line, name, parts in records(path)]
        [(1, 'chr1', 'ACGT'), (4, 'chr2', 'TT')]
    """

    def named() -> Iterator[tuple[int, int, str, bytes]]:
        number, line, name = 0, 0, ""
        for found, header, piece in pieces(path, encoding):
            if header is not None:
                number, line, name = number + 1, found, (header.split() or [""])[0]
            yield number, line, name or f"record {number}", piece

    for (_, line, name), group in itertools.groupby(named(), key=lambda item: item[:3]):
        yield line, name, (letters_of([piece]) for *_, piece in group)


def blocks(path: str | Path, encoding: str | None = None) -> Iterator[bytes]:
    """The bytes of a text file in blocks, as UTF-8, without a byte order mark and without comments (`;`)."""
    begun = False  # a line, in the block before
    with _opened(path, encoding) as file:
        try:
            while block := file.read(BLOCK):
                if b"\n;" in block or (block[:1] == b";" and not begun):
                    block += file.readline()
                    block = (_COMMENT_INSIDE if begun else _COMMENT).sub(rb"\1", block)
                begun = not block.endswith(b"\n")
                yield block
        except (*UNREADABLE, OSError) as error:
            raise read_error(path, error, encoding) from None


def _opened(path: str | Path, encoding: str | None) -> Any:
    file: IO[bytes] = open_bytes(path)
    name = encoding_of(path, encoding)
    if name.startswith("utf-8"):
        return file
    file.close()
    return codecs.EncodedFile(raw_bytes(path), "utf-8", name, "replace")


def begins_with_header(path: str | Path, encoding: str | None = None) -> bool:
    """Whether a file begins with `>`, after comments and white space."""
    with _opened(path, encoding) as file:
        try:
            return _COMMENT.sub(rb"\1", file.read(9999)).lstrip()[:1] == b">"
        except (*UNREADABLE, OSError) as error:
            raise read_error(path, error, encoding) from None


def letters_of(parts: Iterable[bytes]) -> str:
    """The letters of pieces of a sequence, without white space.

    Example:
        >>> letters_of([b"AC\\r\\nG", b"T\\n"])
        'ACGT'
    """
    return b"".join(parts).translate(None, SPACE).decode("utf-8", "replace")
