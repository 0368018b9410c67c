"""Genomes: windows over a FASTA or 2bit file of any size."""

import gzip
import itertools
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from seqtasks.data.fasta import NO_HEADER, records
from seqtasks.data.text_files import UNREADABLE, open_bytes, read_error
from seqtasks.dna.alphabets import DNA, Alphabet
from seqtasks.dna.references import TWO_BIT, open_two_bit
from seqtasks.errors import UserError

CHUNK = 1 << 20  # bases of a chromosome that are held in addition to one window


def windows(
    path: str | Path, window: int, stride: int, batch: int, alphabet: Alphabet = DNA
) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """Windows over all chromosomes of a genome, in order, in constant memory and without an index.

    Windows start at 0, `stride`, 2 `stride`...; if the last of these does not reach the end of the chromosome, one more
    window ends there. A chromosome shorter than `window` is one shorter window. The windows of a batch belong to one
    chromosome. A record without bases is skipped, with a warning.

    Args:
        path: the FASTA file, also compressed, or a 2bit file.
        window: bases of a window.
        stride: bases between the starts of two windows.
        batch: most windows of a batch.
        alphabet: the letters of the genome.

    Yields:
        (chromosome, starts, sequences): `starts` is an int64 array (windows,), positions from 0.

    Raises:
        UserError: if a number is less than 1; if a letter is not of the alphabet, with chromosome and position; if
            the file is no genome.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "genome.fa"
        >>> _ = path.write_text(">chr1 the first\\nACGT\\nAC\\n>chr2\\nTT\\n")
        >>> [(name, starts.tolist(), sequences) for name, starts, sequences in windows(path, 3, 2, 8)]
        [('chr1', [0, 2, 3], ['ACG', 'GTA', 'TAC']), ('chr2', [0], ['TT'])]
    """
    if min(window, stride, batch) < 1:
        raise UserError(f"window {window}, stride {stride}, batch {batch}", remedy="give numbers of at least 1")
    found = False
    for name, parts in _chromosomes(path):
        pairs = _slide(_checked(path, name, parts, alphabet), window, stride)
        empty = True
        while rows := list(itertools.islice(pairs, batch)):
            empty, found = False, True
            starts, sequences = zip(*rows, strict=True)
            yield name, np.array(starts, np.int64), list(sequences)
        if empty:
            warnings.warn(f"{path}: {name} has no bases, and is skipped", stacklevel=2)
    if not found:
        raise UserError("no sequence in the file", where=path, remedy=NO_HEADER)


def total_bases(path: str | Path) -> int:
    """Number of bases in a genome: exact up to one megabyte and of 2bit files, else estimated from the first megabyte.

    Args:
        path: the FASTA file, also `.gz`, or a 2bit file.

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
    if Path(path).suffix.lower() == TWO_BIT:
        with open_two_bit(Path(path)) as genome:
            return sum(genome.chroms().values())
    size = Path(path).stat().st_size
    with open(path, "rb") as raw:
        file: gzip.GzipFile | IO[bytes] = raw
        if str(path).lower().endswith(".gz"):
            file = gzip.GzipFile(fileobj=raw)
        try:
            sample, used, rest = file.read(CHUNK), raw.tell(), file.read(1)
        except UNREADABLE as error:
            raise read_error(path, error) from None
    bases = sum(len(line.strip()) for line in sample.split(b"\n") if not line.startswith(b">"))
    return round(bases * size / used) if rest else bases


def _chromosomes(path: str | Path) -> Iterator[tuple[str, Iterator[str]]]:
    """The name of each record and an iterator over the pieces of its sequence."""
    if Path(path).suffix.lower() == TWO_BIT:
        open_bytes(path).close()
        with open_two_bit(Path(path)) as genome:
            for name, size in genome.chroms().items():
                cuts = [(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK)]
                yield name, (genome.sequence(name, *cut) for cut in cuts)
        return
    for _, name, parts in records(path):
        yield name, parts


def _checked(path: str | Path, name: str, parts: Iterable[str], alphabet: Alphabet) -> Iterator[str]:
    """The pieces of a chromosome, whose letters have been checked."""
    position = 0
    for piece in parts:
        if wrong := alphabet.wrong_letter(piece):
            what = f"{wrong[0]!r} at position {position + wrong[1]} of {name} is not {alphabet.kind}"
            raise UserError(what, where=path, remedy=alphabet.remedy)
        position += len(piece)
        yield piece


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
    if buffer and (last < final or last < 0):
        yield final, buffer[final - offset :]
