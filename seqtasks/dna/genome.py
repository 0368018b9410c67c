"""Genomes: windows over a FASTA file of any size."""

import gzip
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from seqtasks.data.sources import UNREADABLE, faults, open_bytes
from seqtasks.dna.encoding import REMEDY, wrong_letter
from seqtasks.errors import UserError

CHUNK = 1 << 20  # bases of a chromosome that are held in addition to one window
LINE = 1 << 16  # most bytes of a line that are read at once: a chromosome may be one line


def windows(path: str | Path, window: int, stride: int, batch: int) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """Windows over all chromosomes of a FASTA file, in order, in constant memory and without an index.

    Windows start at 0, `stride`, 2 `stride`...; if the last of these does not reach the end of the chromosome, one more
    window ends there. A chromosome shorter than `window` is one shorter window. The windows of a batch belong to one
    chromosome.

    Args:
        path: the FASTA file, also `.gz`.
        window: bases of a window.
        stride: bases between the starts of two windows.
        batch: most windows of a batch.

    Yields:
        (chromosome, starts, sequences): `starts` is an int64 array (windows,), positions from 0.

    Raises:
        UserError: if a number is less than 1; if a letter is not an IUPAC code, with chromosome and position; if the
            file is not FASTA.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "genome.fa"
        >>> _ = path.write_text(">chr1 the first\\nACGT\\nAC\\n>chr2\\nTT\\n")
        >>> [(name, starts.tolist(), sequences) for name, starts, sequences in windows(path, 3, 2, 8)]
        [('chr1', [0, 2, 3], ['ACG', 'GTA', 'TAC']), ('chr2', [0], ['TT'])]
    """
    if min(window, stride, batch) < 1:
        raise UserError(f"window {window}, stride {stride}, batch {batch}", remedy="give numbers of at least 1")
    try:
        with open_bytes(path) as file:
            for name, pieces in _chromosomes(path, file):
                pairs = _slide(pieces, window, stride)
                while rows := list(itertools.islice(pairs, batch)):
                    starts, sequences = zip(*rows, strict=True)
                    yield name, np.array(starts, np.int64), list(sequences)
    except UNREADABLE as error:
        raise faults(path, error) from None


def total_bases(path: str | Path) -> int:
    """Number of bases in a FASTA file: exact up to one megabyte, else estimated from the first megabyte.

    Args:
        path: the file, also `.gz`.

    Raises:
        UserError: if the file is missing, empty or not readable.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "genome.fa"
        >>> _ = path.write_text(">chr1\\nACGT\\nAC\\n")
        >>> total_bases(path)
        6
    """
    open_bytes(path).close()  # raises if the file is missing or empty
    size = Path(path).stat().st_size
    with open(path, "rb") as raw:
        file: gzip.GzipFile | IO[bytes] = raw
        if str(path).lower().endswith(".gz"):
            file = gzip.GzipFile(fileobj=raw)
        try:
            sample, used, rest = file.read(CHUNK), raw.tell(), file.read(1)
        except UNREADABLE as error:
            raise faults(path, error) from None
    bases = sum(len(line.strip()) for line in sample.split(b"\n") if not line.startswith(b">"))
    return round(bases * size / used) if rest else bases


def _chromosomes(path: str | Path, file: IO[bytes]) -> Iterator[tuple[str, Iterator[str]]]:
    """The name of each record and an iterator over the pieces of its sequence."""
    records = itertools.groupby(_lines(path, file), key=lambda line: line[:2])
    for (_, name), lines in records:
        yield name, _pieces(path, name, (text for _, _, text in lines))


def _lines(path: str | Path, file: IO[bytes]) -> Iterator[tuple[int, str, bytes]]:
    """(number of the record, its name, a line); the line is empty for a header, and a very long line comes in parts."""
    number, name, header = 0, None, False
    line_start = True  # whether the next part begins a line
    while part := file.readline(LINE):
        begins, line_start = line_start, part.endswith(b"\n")
        if begins and (header := part.startswith(b">")):
            number += 1
            name = (part[1:].decode("utf-8", "replace").split() or [f"record {number}"])[0]
            yield number, name, b""
        elif name is None and part.strip():
            raise UserError("not a FASTA file", where=path, remedy="begin each sequence with a line '>name'")
        elif not header and name is not None:
            yield number, name, part
    if name is None:
        raise UserError("no sequence in the file", where=path, remedy="begin each sequence with a line '>name'")


def _pieces(path: str | Path, name: str, lines: Iterable[bytes]) -> Iterator[str]:
    """A chromosome in strings of about `CHUNK` bases, whose letters have been checked."""
    position, held, size = 0, [], 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= CHUNK:
            yield (piece := _checked(path, name, held, position))
            held, size, position = [], 0, position + len(piece)
    yield (piece := _checked(path, name, held, position))
    if not position + len(piece):
        raise UserError(f"{name} has no bases", where=path, remedy="give it a sequence, or remove its header")


def _checked(path: str | Path, name: str, lines: list[bytes], position: int) -> str:
    """The bases of some lines of a chromosome; `position` is the number of bases before them."""
    piece = b"".join(lines).translate(None, b" \t\r\n").decode("latin-1")
    if wrong := wrong_letter(piece):
        what = f"{wrong[0]!r} at position {position + wrong[1]} of {name} is not an IUPAC code"
        raise UserError(what, where=path, remedy=REMEDY)
    return piece


def _slide(pieces: Iterable[str], window: int, stride: int) -> Iterator[tuple[int, str]]:
    """(start, sequence) of each window; holds the bases from the next start, or the last `window`, and one piece."""
    buffer, offset, start, last = "", 0, 0, -1
    for piece in pieces:
        drop = max(0, min(start - offset, len(buffer) - window))
        buffer, offset = buffer[drop:] + piece, offset + drop
        for last in range(start, offset + len(buffer) - window + 1, stride):
            yield last, buffer[last - offset : last - offset + window]
        start = last + stride if last >= 0 else 0
    final = max(0, offset + len(buffer) - window)
    if last < final or last < 0:
        yield final, buffer[final - offset :]
