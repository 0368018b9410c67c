"""Genomes: windows over a FASTA file of any size."""

import gzip
import itertools
from pathlib import Path

import numpy as np

from seqtasks.data.sources import UNREADABLE, faults, open_bytes
from seqtasks.dna.encoding import REMEDY, wrong_letter
from seqtasks.errors import UserError

CHUNK = 1 << 20  # bases of a chromosome held beside one window
LINE = 1 << 16  # bytes of a line read at once: a chromosome may be one line


def windows(path, window, stride, batch):
    """Windows over all chromosomes of a FASTA file, in its order, in constant memory and without an index.

    Windows start at 0, `stride`, 2 `stride`...; where the last of these does not end with the chromosome, one more
    does. A chromosome shorter than `window` is one shorter window. A batch holds windows of one chromosome.

    Args:
        path: the FASTA file, also `.gz`.
        window: bases of a window.
        stride: bases from the start of one to that of the next.
        batch: windows of a batch, at most.

    Yields:
        (chromosome, starts from 0 as an int64 array, list of sequences).

    Raises:
        UserError: for a letter that is no IUPAC code, with chromosome and position; for what is no FASTA file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "genome.fa"
        >>> _ = path.write_text(">chr1 the first\\nACGT\\nAC\\n>chr2\\nTT\\n")
        >>> [(name, starts.tolist(), found) for name, starts, found in windows(path, 3, 2, 8)]
        [('chr1', [0, 2, 3], ['ACG', 'GTA', 'TAC']), ('chr2', [0], ['TT'])]
    """
    if min(window, stride, batch) < 1:
        raise UserError(f"window {window}, stride {stride}, batch {batch}", remedy="each is at least 1")
    try:
        with open_bytes(path) as file:
            for name, pieces in _chromosomes(path, file):
                places = _slide(pieces, window, stride)
                while found := list(itertools.islice(places, batch)):
                    starts, sequences = zip(*found, strict=True)
                    yield name, np.array(starts, np.int64), list(sequences)
    except UNREADABLE as error:
        raise faults(path, error) from None


def total_bases(path):
    """About how many bases a FASTA file holds: exact up to a megabyte, else by the share of bases in the first one."""
    open_bytes(path).close()  # there is something in it
    size = Path(path).stat().st_size
    with open(path, "rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if str(path).lower().endswith(".gz") else raw
        try:
            sample, used, rest = file.read(CHUNK), raw.tell(), file.read(1)
        except UNREADABLE as error:
            raise faults(path, error) from None
    bases = sum(len(line.strip()) for line in sample.split(b"\n") if not line.startswith(b">"))
    return round(bases * size / used) if rest else bases


def _chromosomes(path, file):
    """The name of each record and an iterator of its sequence in pieces."""
    lines = itertools.groupby(_lines(path, file), key=lambda line: line[:2])
    for (_, name), parts in lines:
        yield name, _pieces(path, name, (part for _, _, part in parts))


def _lines(path, file):
    """(number of the record, its name, a line), the line empty for a header; a very long line comes in parts."""
    number, name, fresh, header = 0, None, True, False
    while part := file.readline(LINE):
        begins, fresh = fresh, part.endswith(b"\n")
        if begins and (header := part.startswith(b">")):
            number, name = number + 1, (part[1:].decode("utf-8", "replace").split() or [f"record {number + 1}"])[0]
            yield number, name, b""
        elif name is None and part.strip():
            raise UserError("no FASTA file", where=path, remedy="begin each sequence with a line '>name'")
        elif not header and name is not None:
            yield number, name, part
    if name is None:
        raise UserError("no sequence in the file", where=path, remedy="begin each sequence with a line '>name'")


def _pieces(path, name, lines):
    """A chromosome in strings of about `CHUNK` bases, their letters checked."""
    position = 0

    def joined():
        piece = b"".join(held).translate(None, b" \t\r\n").decode("latin-1")
        if wrong := wrong_letter(piece):
            what = f"{wrong[0]!r} at position {position + wrong[1]} of {name} is no IUPAC code"
            raise UserError(what, where=path, remedy=REMEDY)
        return piece

    held, size = [], 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= CHUNK:
            yield (piece := joined())
            held, size, position = [], 0, position + len(piece)
    yield (piece := joined())
    if not position + len(piece):
        raise UserError(f"{name} has no bases", where=path, remedy="give it a sequence, or take its header out")


def _slide(pieces, window, stride):
    """(start, sequence) of each window; holds the bases from the next start, or the last `window`, and one piece."""
    held, offset, start, last = "", 0, 0, -1
    for piece in pieces:
        drop = max(0, min(start - offset, len(held) - window))
        held, offset = held[drop:] + piece, offset + drop
        for last in range(start, offset + len(held) - window + 1, stride):
            yield last, held[last - offset : last - offset + window]
        start = last + stride if last >= 0 else 0
    final = max(0, offset + len(held) - window)
    if last < final or last < 0:
        yield final, held[final - offset :]
