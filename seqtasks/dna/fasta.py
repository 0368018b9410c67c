"""Files of sequences as records: FASTA, FASTQ, GenBank and EMBL, and text files of one sequence."""

import codecs
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from seqtasks.data.text_files import UNREADABLE, encoding_of, open_bytes, raw_bytes, read_error, reading, suffix_of
from seqtasks.errors import UserError, needs

TEXT = (".txt",)  # FASTA if it begins with >, else one sequence
FASTA = (".fa", ".fasta", ".fna", ".ffn", ".fas", ".fsa", ".frn", ".faa", ".mfa", *TEXT)
FASTQ = (".fq", ".fastq")
ANNOTATED = {".gb": "genbank", ".gbk": "genbank", ".gbff": "genbank", ".genbank": "genbank", ".embl": "embl"}
SUFFIXES = (*FASTA, *FASTQ, *ANNOTATED)
BLOCK = 1 << 20  # bytes that are read at once
NO_HEADER = "begin each sequence with a line '>name'"
_SPACE = b" \t\r\n"
_COMMENT, _COMMENT_INSIDE = re.compile(rb"(\n|\A);[^\n]*"), re.compile(rb"(\n);[^\n]*")


class Sequence(NamedTuple):
    """A record of a file.

    Args:
        line: where it begins in the file, from 1; the number of the record where formats have no such lines.
        header: its name and description.
        letters: the sequence.
        features: of annotated formats, the `SeqRecord` of Biopython.
    """

    line: int
    header: str
    letters: str
    features: Any = None


def read_sequences(path: str | Path, encoding: str | None = None) -> Iterator[Sequence]:
    """The records of a file.

    Args:
        path: the file, also compressed, by its suffix one of `SUFFIXES`.
        encoding: of its headers; None for UTF-8. Headers in another encoding do not stop the reading.

    Raises:
        UserError: if there is no such file, or no sequence in it; at what is not of its format.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.fa"
        >>> _ = path.write_text(">a first\\nAC\\nGT\\n>b\\nTT\\n")
        >>> [record[:3] for record in read_sequences(path)]
        [(1, 'a first', 'ACGT'), (4, 'b', 'TT')]
    """
    suffix = suffix_of(path)
    if suffix in FASTQ:
        yield from _fastq(path, encoding)
    elif suffix in ANNOTATED:
        yield from _annotated(path, encoding)
    elif suffix in TEXT and not begins_with_header(path, encoding):
        yield Sequence(1, Path(path).name.split(".")[0], _letters([*_blocks(path, encoding)]))
    else:
        line, header, parts = 0, "", list[bytes]()
        for number, found, part in pieces(path, encoding):
            if found is not None:
                if line:
                    yield Sequence(line, header, _letters(parts))
                line, header, parts = number, found, []
            parts.append(part)
        yield Sequence(line, header, _letters(parts))


def _letters(parts: list[bytes]) -> str:
    return b"".join(parts).translate(None, _SPACE).decode("utf-8", "replace")


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
    for data in itertools.chain(_blocks(path, encoding), [b""]):
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
                raise UserError("not a FASTA file", where=path, remedy=NO_HEADER)
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


def _blocks(path: str | Path, encoding: str | None) -> Iterator[bytes]:
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


def _fastq(path: str | Path, encoding: str | None) -> Iterator[Sequence]:
    needs("Bio", extra="dna")
    from Bio.SeqIO.QualityIO import FastqGeneralIterator

    open_bytes(path).close()  # raises if the file is missing or empty
    number = 0
    with reading(path, encoding=encoding) as file:
        file.reconfigure(newline=None, errors="replace")
        try:
            for number, (header, letters, _) in enumerate(FastqGeneralIterator(file), 1):
                yield Sequence(4 * number - 3, header, letters)
        except UNREADABLE:
            raise
        except ValueError as error:
            remedy = "check that the file is complete"
            raise UserError(f"not FASTQ ({error})", where=f"{path}:{4 * number + 1}", remedy=remedy) from None
    if not number:
        raise UserError("no sequence in the file", where=path, remedy="begin each sequence with a line '@name'")


def _annotated(path: str | Path, encoding: str | None) -> Iterator[Sequence]:
    needs("Bio", extra="dna")
    from Bio import SeqIO
    from Bio.Seq import UndefinedSequenceError

    open_bytes(path).close()
    kind, number = ANNOTATED[suffix_of(path)], 0
    with reading(path, encoding=encoding) as file:
        file.reconfigure(newline=None, errors="replace")
        try:
            for number, record in enumerate(SeqIO.parse(file, kind), 1):
                try:
                    letters = str(record.seq)
                except UndefinedSequenceError:
                    letters = ""
                yield Sequence(number, f"{record.id} {record.description}", letters, record)
        except UNREADABLE:
            raise
        except Exception as error:  # its parser has no error of its own
            what = f"record {number + 1} is not {kind} ({error})"
            raise UserError(what, where=path, remedy="check that the file is complete") from None
    if not number:
        raise UserError("no sequence in the file", where=path, remedy="begin each record with a line LOCUS or ID")
