"""Genomes that intervals refer to: FASTA files of any form, and 2bit files, with random access."""

import contextlib
import functools
import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.data.fasta import pieces
from seqtasks.data.text_files import open_bytes, suffix_of
from seqtasks.dna.fasta import ANNOTATED, FASTA, read_sequences
from seqtasks.errors import UserError, needs

TWO_BIT = ".2bit"


@dataclass(frozen=True)
class Reference:
    """An open genome.

    Args:
        names: of its chromosomes.
        length: `length(chromosome)`, its bases.
        fetch: `fetch(chromosome, start, end)`, the bases from `start` to `end`, from 0, `end` excluded.
    """

    names: Collection[str]
    length: Callable[[str], int]
    fetch: Callable[[str, int, int], str]


@contextlib.contextmanager
def open_reference(path: str | Path) -> Iterator[Reference]:
    """A genome with random access.

    FASTA files, also of bgzip, are read through their index, which is written next to them where that is possible.
    Files that cannot be indexed (gzip, lines of different lengths, GenBank) are copied to a temporary one first.

    Args:
        path: FASTA, 2bit, GenBank or EMBL.

    Raises:
        UserError: if it is none.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "genome.fa"
        >>> _ = path.write_text(">chr1\\nACGTAC\\nGTA\\nCG\\n")
        >>> with warnings.catch_warnings(action="ignore"), open_reference(path) as genome:
        ...     list(genome.names), genome.length("chr1"), genome.fetch("chr1", 4, 8)
        (['chr1'], 11, 'ACGT')
    """
    path = Path(path)
    open_bytes(path).close()  # raises if the file is missing or empty
    if path.suffix.lower() == TWO_BIT:
        with open_two_bit(path) as file:
            lengths = file.chroms()
            yield Reference(lengths, lengths.__getitem__, file.sequence)
        return
    if suffix_of(path.with_suffix("") if path.suffix.lower() == ".bgz" else path) not in (*FASTA, *ANNOTATED):
        remedy = f"give FASTA ({', '.join(FASTA[:3])}, also with .gz) or {TWO_BIT}"
        raise UserError("not a genome for intervals", where=path, remedy=remedy)
    needs("pyfaidx", extra="dna")
    with _open_fasta(path) as genome:
        yield Reference(
            dict.fromkeys(genome.keys()),
            lambda name: len(genome[name]),
            lambda name, start, end: genome[name][start:end],
        )


@contextlib.contextmanager
def open_two_bit(path: Path) -> Iterator[Any]:
    """The object of `py2bit` of a 2bit file; soft-masked bases are in upper case.

    Raises:
        UserError: if it is no 2bit file.
    """
    needs("py2bit", extra="dna")
    try:
        file = importlib.import_module("py2bit").open(str(path))
    except RuntimeError:
        file = None
    if file is None:
        raise UserError("not a 2bit file", where=path, remedy="check that the file is complete")
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def _open_fasta(path: Path) -> Iterator[Any]:
    """The `pyfaidx.Fasta` of a genome, or of a copy of it."""
    import pyfaidx

    stamp = path.stat().st_mtime_ns
    try:
        genome = _indexed(path, stamp) if _is_plain(path) else _indexed(_copied(path, stamp), stamp)
    except pyfaidx.FastaIndexingError:
        try:
            genome = _indexed(_copied(path, stamp), stamp)
        except (pyfaidx.FastaIndexingError, ValueError) as error:
            raise UserError(f"cannot be indexed ({error})", where=path, remedy="correct the file") from None
    except (ValueError, OSError) as error:
        raise UserError(f"cannot be indexed ({error})", where=path, remedy="check that it is a FASTA file") from None
    with genome:
        yield genome


def _indexed(path: Path, stamp: int) -> Any:
    import pyfaidx

    writable = os.access(path.parent, os.W_OK) or Path(f"{path}.fai").exists()
    index = Path(path if writable else Path(_temporary(path, stamp).name) / path.name)
    names = {"indexname": f"{index}.fai", "gzi_indexname": f"{index}.gzi"}
    return pyfaidx.Fasta(str(path), as_raw=True, **names)


def _is_plain(path: Path) -> bool:
    """Whether pyfaidx can read a file: FASTA that is not compressed, or compressed by bgzip."""
    if suffix_of(path) in ANNOTATED:
        return False
    with open(path, "rb") as file:
        start = file.read(18)
    is_bgzip = start[:4] == b"\x1f\x8b\x08\x04" and start[12:14] == b"BC"
    return is_bgzip or path.suffix.lower() in FASTA


@functools.lru_cache(maxsize=8)
def _temporary(path: Path, stamp: int) -> "tempfile.TemporaryDirectory[str]":
    """A folder for what belongs to a file of this time; it is removed when the program ends."""
    return tempfile.TemporaryDirectory(prefix="seqtasks")


def _copied(path: Path, stamp: int) -> Path:
    """A copy that can be indexed: each sequence is one line."""
    copy = Path(_temporary(path, stamp).name) / "genome.fa"
    if copy.exists():
        return copy
    how = "compress it with bgzip, or not at all, with lines of one length, to read it as it is"
    warnings.warn(f"{path}: cannot be indexed, and is copied to a temporary file; {how}", stacklevel=4)
    started = copy.with_suffix(".part")
    with started.open("wb") as file:
        if suffix_of(path) in ANNOTATED:
            for record in read_sequences(path):
                file.write(f">{record.header}\n{record.letters}\n".encode())
        else:
            for number, (_, header, piece) in enumerate(pieces(path)):
                if header is not None:
                    file.write(b"\n" * (number > 0) + f">{header}\n".encode())
                file.write(piece.translate(None, b" \t\r\n"))
            file.write(b"\n")
    started.rename(copy)
    return copy
