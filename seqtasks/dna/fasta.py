"""Files of sequences as records: FASTA, FASTQ, GenBank and EMBL, and text files of one sequence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.data import fasta
from seqtasks.data.fasta import begins_with_header, blocks, letters_of, pieces
from seqtasks.data.text_files import UNREADABLE, open_bytes, reading, suffix_of
from seqtasks.errors import UserError, needs

TEXT = (".txt",)  # FASTA if it begins with >, else one sequence
FASTA = (*fasta.SUFFIXES, *TEXT)
FASTQ = (".fq", ".fastq")
ANNOTATED = {".gb": "genbank", ".gbk": "genbank", ".gbff": "genbank", ".genbank": "genbank", ".embl": "embl"}
SUFFIXES = (*FASTA, *FASTQ, *ANNOTATED)


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
        yield Sequence(1, Path(path).name.split(".")[0], letters_of(blocks(path, encoding)))
    else:
        line, header, parts = 0, "", list[bytes]()
        for number, found, part in pieces(path, encoding):
            if found is not None:
                if line:
                    yield Sequence(line, header, letters_of(parts))
                line, header, parts = number, found, []
            parts.append(part)
        yield Sequence(line, header, letters_of(parts))


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
