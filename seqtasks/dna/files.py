"""Sources of labelled DNA: FASTA and FASTQ, tables, and intervals of a genome, each also `.gz` (except the genome).

The input of an example is the sequence as given; its target is the label, or the labels of its bases separated by
spaces.
"""

import contextlib
import dataclasses
import functools
import heapq
import importlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seqtasks.data.sources import (
    LINES,
    TABLES,
    UNREADABLE,
    Columns,
    Example,
    Source,
    faults,
    open_bytes,
    open_source,
    suffix_of,
)
from seqtasks.dna.bed import Annotation, Interval, nearest_chromosome, read_bed
from seqtasks.dna.encoding import REMEDY, reverse_complement, wrong_letter
from seqtasks.errors import UserError

SEQUENCE_NAMES = ("sequence", "seq", "dna")
BASE_NAMES = ("bases", "labels", "tags", "label")  # usual names of the column with a label for each base
FASTA = {".fa": "fasta", ".fasta": "fasta", ".fna": "fasta", ".fq": "fastq", ".fastq": "fastq"}
SUFFIXES = (*FASTA, ".bed", *TABLES, *LINES)


@dataclass(frozen=True)
class DnaOptions:
    """How sequences and labels are read.

    Args:
        task: `classify`: a label for each sequence. `tag`: one for each base, given as a string of one character per
            base, as labels separated by spaces, as a list (JSON Lines), or by `annotation`.
        label_field: where the header of a record has the label: a name for `NAME=label`, or the number (from 1) of a
            field separated by `|`, or of a word if there is no `|`. None: `label=...`, else the last field after a
            `|`, else the second of two words.
        genome: the FASTA file that BED intervals refer to; its index, `.fai`, is written next to it if possible.
        annotation: a BED file with the labels (column 4) of intervals of the records, or of the genome; for `tag`.
        outside: the label of bases in no interval of `annotation`.
        columns: how tables are read.
    """

    task: Literal["classify", "tag"] = "classify"
    label_field: str | None = None
    genome: str | None = None
    annotation: str | None = None
    outside: str = "other"
    columns: Columns = field(default_factory=Columns)


def open_dna(path: str | Path, options: DnaOptions = DnaOptions()) -> Source:
    """Opens a file, or a folder of FASTA files, as a source of examples.

    The FASTA files of a folder have the names of their classes (`promoter.fa`, `other.fa`), or are in sub-folders that
    have; the classes are interleaved in proportion to their sizes.

    Args:
        path: the file or folder.
        options: how sequences and labels are read.

    Raises:
        UserError: if `path` does not exist or has an unknown format; while reading, for a record that is not valid,
            with file, line and remedy.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "a.fa"
        >>> _ = path.write_text(">x label=promoter\\nACGT\\n>y label=other\\nTT\\n")
        >>> [(example.input, example.target) for example in open_dna(path)]
        [('ACGT', 'promoter'), ('TT', 'other')]
    """
    path = Path(path)
    if not path.exists():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    if path.is_dir():
        return _open_folder(path, options)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise UserError(
            f"unknown format {suffix or '(no suffix)'!r}",
            where=path,
            remedy=f"files end in {', '.join(SUFFIXES)}, also with .gz; or give a folder of FASTA files",
        )
    open_bytes(path).close()  # raises if the file is empty
    if suffix in FASTA:
        return _open_fasta(path, {None: [path]}, options)
    if suffix == ".bed":
        return _open_bed(path, options)
    return _open_table(path, options)


def sequences(text: str | bytes) -> Iterator[tuple[str, dict[str, str]]]:
    """The sequences of an input of `predict`: those of a FASTA or FASTQ file if it is a path, else the text itself.

    Args:
        text: `str`, or UTF-8 `bytes`.

    Yields:
        (sequence, metadata): the metadata of a record is its `id`.

    Raises:
        UserError: if a letter is not an IUPAC code, or a sequence is empty.

    Example:
        >>> list(sequences("ACGT"))
        [('ACGT', {})]
    """
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    text = text.strip()
    if suffix_of(text) in FASTA:
        for record in _parse(text):
            name = (record.name.split() or [""])[0]
            if fault := _fault(record.sequence):
                raise UserError(fault[0], where=f"{text}:{name}", remedy=fault[1])
            yield record.sequence, {"id": name}
    else:
        if fault := _fault(text):
            raise UserError(fault[0], where="input", remedy=fault[1])
        yield text, {}


def _fault(sequence: str, of: str = "") -> tuple[str, str] | None:
    """What is wrong with a sequence, and the remedy; None if it is valid. `of` is ` of NAME`, for the message."""
    if not sequence:
        return f"the sequence{of} is empty", "give it bases, or leave it out"
    if wrong := wrong_letter(sequence):
        return f"{wrong[0]!r} at position {wrong[1]}{of} is not an IUPAC code", REMEDY
    return None


def _open_folder(path: Path, options: DnaOptions) -> Source:
    def fasta_files(folder: Path) -> list[Path]:
        return sorted(p for p in folder.iterdir() if p.is_file() and suffix_of(p) in FASTA and p.name[0] != ".")

    classes: dict[str | None, list[Path]] = {}
    for file in fasta_files(path):
        classes.setdefault(re.sub(r"\.gz$", "", file.name, flags=re.I).rpartition(".")[0], []).append(file)
    if not classes:
        classes = {p.name: fasta_files(p) for p in sorted(path.iterdir()) if p.is_dir() and fasta_files(p)}
    if not classes:
        remedy = f"give one file for each class, or a folder for each ({', '.join(FASTA)})"
        raise UserError("no FASTA files in this folder", where=path, remedy=remedy)
    return _open_fasta(path, classes, options)


def _open_fasta(path: Path, classes: Mapping[str | None, list[Path]], options: DnaOptions) -> Source:
    """The records of files by class, interleaved: next comes the class of which the smallest share has been read."""
    _package("dnaio")
    sizes = [sum(file.stat().st_size for file in files) for files in classes.values()]

    def read() -> Iterator[Example]:
        annotation = _annotation(options)
        streams = [_records(files, name, options, annotation) for name, files in classes.items()]
        queue = [(0.0, number) for number in range(len(streams))]  # a heap of (share read, number of the stream)
        while queue:
            share, number = queue[0]
            if (example := next(streams[number], None)) is None:
                heapq.heappop(queue)
            else:
                yield example
                heapq.heapreplace(queue, (share + len(example.input) / max(sizes[number], 1), number))
        if annotation:
            annotation.check_used(path)

    return Source(read, str(path), sum(sizes))


def _records(
    files: list[Path], label: str | None, options: DnaOptions, annotation: Annotation | None
) -> Iterator[Example]:
    """The examples of the files of a class; without a label, each header has one."""
    for path in files:
        number = 0
        for number, record in enumerate(_parse(path), 1):
            name = (record.name.split() or [f"record {number}"])[0]

            def where(path: Path = path, number: int = number) -> str:
                return f"{path}:{_line(path, number)}"

            length, target = len(record.sequence), label
            if annotation:
                target = " ".join(annotation.labels(name, 0, length, length))
            elif label is None or options.task == "tag":
                target = _label(record.name, options.label_field)
            if target is None:
                field = f"field {options.label_field!r}" if options.label_field else "label"
                remedy = "write '>name label=promoter' or '>name|promoter', or name its field with --label_field"
                raise UserError(f"no {field} in the header of {name!r}", where=where(), remedy=remedy)
            yield _example(record.sequence, target, f"{path}:{name}", where, options, f" of {name}")
        if not number:
            raise UserError("no sequence in the file", where=path, remedy="begin each sequence with a line '>name'")


def _parse(path: str | Path) -> Iterator[Any]:
    """The `dnaio` records of a file."""
    dnaio = _package("dnaio")
    try:
        with open_bytes(path) as file, dnaio.open(file, fileformat=FASTA[suffix_of(path)]) as records:
            yield from records
    except dnaio.FileFormatError as error:
        what, line = error.message.split(" (line number")[0], None if error.line is None else error.line + 1
        if "ASCII" in what:
            line = _line(path, matches=lambda line: not line.isascii())
        remedy = "check the file; names and sequences must be ASCII"
        raise UserError(what, where=f"{path}:{line}" if line else path, remedy=remedy) from None
    except UNREADABLE as error:
        raise faults(path, error) from None


def _line(path: str | Path, number: int = 1, matches: Callable[[bytes], bool] | None = None) -> int:
    """The line of a record by its number, which dnaio does not keep; or the n-th line that `matches`."""
    if matches is None and FASTA[suffix_of(path)] == "fastq":
        return 4 * number - 3
    matches = matches or (lambda line: line.lstrip()[:1] == b">")
    with open_bytes(path) as file:
        lines = (n for n, line in enumerate(file, 1) if matches(line))
        return next(n for count, n in enumerate(lines, 1) if count == number)


def _label(header: str, field: str | None) -> str | None:
    """The label in the header of a record, or None.

    Example:
        >>> _label("a|b|promoter", None), _label("a promoter", None), _label("a b c label=x", None), _label("a", None)
        ('promoter', 'promoter', 'x', None)
        >>> _label("a class=x", "class"), _label("a b x d", "3"), _label("a|b", "1")
        ('x', 'x', 'a')
    """
    fields = [part.strip() for part in header.split("|")] if "|" in header else header.split()
    if field is not None and field.isdecimal():
        return (fields[int(field) - 1] or None) if 0 < int(field) <= len(fields) else None
    named = re.search(rf"(?:^|[\s|;]){re.escape(field or 'label')}=([^\s|;]+)", header, re.I)
    if named or field is not None:
        return named and named[1]
    return (fields[-1] or None) if "|" in header or len(fields) == 2 else None


def _open_bed(path: Path, options: DnaOptions) -> Source:
    if options.genome is None:
        raise UserError("intervals need a genome", where=path, remedy="name its FASTA file with --genome")
    genome = Path(options.genome)
    open_bytes(genome).close()
    if suffix_of(genome) not in FASTA or genome.suffix.lower() == ".gz":
        remedy = "give a FASTA file that is not compressed: intervals need random access"
        raise UserError("not a genome for intervals", where=genome, remedy=remedy)
    _package("pyfaidx")
    index = genome.with_name(f"{genome.name}.fai")
    writable = index.exists() or os.access(genome.parent, os.W_OK)
    folder = None if writable else tempfile.TemporaryDirectory()  # lives as long as `read`

    def read() -> Iterator[Example]:
        annotation = _annotation(options)
        with _open_genome(genome, Path(folder.name, index.name) if folder else index) as sequences:
            for interval in read_bed(path, fields=3 if annotation else 4):
                yield _cut(interval, sequences, annotation, path, options)
        if annotation:
            annotation.check_used(path)

    return Source(read, str(path), path.stat().st_size)


@contextlib.contextmanager
def _open_genome(path: Path, index: Path) -> Iterator[Any]:
    """The `pyfaidx.Fasta` of a genome."""
    pyfaidx = _package("pyfaidx")
    try:
        genome = pyfaidx.Fasta(str(path), indexname=str(index), as_raw=True)
    except (pyfaidx.FastaIndexingError, ValueError, OSError) as error:
        raise UserError(f"cannot be indexed ({error})", where=path, remedy="check that it is a FASTA file") from None
    with genome:
        yield genome


def _cut(interval: Interval, genome: Any, annotation: Annotation | None, path: Path, options: DnaOptions) -> Example:
    """The example of an interval, read from the opposite strand if the strand is `-`."""
    chromosome, start, end, target, strand, line = interval
    where = f"{path}:{line}"
    if chromosome not in genome:
        remedy = nearest_chromosome(chromosome, genome.keys())
        raise UserError(f"no chromosome {chromosome!r} in {options.genome}", where=where, remedy=remedy)
    length = len(genome[chromosome])
    if end > length:
        what = f"{start}-{end} ends outside {chromosome}, which has {length} bases"
        raise UserError(what, where=where, remedy="check that the intervals are of this genome")
    sequence = genome[chromosome][start:end]
    sequence = reverse_complement(sequence) if strand == "-" else sequence
    if annotation:
        labels = annotation.labels(chromosome, start, end, length)
        target = " ".join(labels[::-1] if strand == "-" else labels)
    return _example(sequence, target, line, lambda: where, options, f" of {chromosome}:{start}-{end}")


def _open_table(path: Path, options: DnaOptions) -> Source:
    names = BASE_NAMES if options.task == "tag" else options.columns.label_names
    table = open_source(path, dataclasses.replace(options.columns, text_names=SEQUENCE_NAMES, label_names=names))

    def read() -> Iterator[Example]:
        for example in table:
            where = functools.partial(table.where, example)
            yield _example(example.input, example.target, example.place, where, options)

    return Source(read, table.name, table.size)


def _annotation(options: DnaOptions) -> Annotation | None:
    return Annotation(options.annotation, options.outside) if options.annotation and options.task == "tag" else None


def _example(
    sequence: str, target: str, place: int | str, where: Callable[[], str], options: DnaOptions, of: str = ""
) -> Example:
    """The example of a sequence and its target as they were read.

    Args:
        sequence: the sequence.
        target: the label, or the labels of its bases.
        place: `Example.place`.
        where: returns file and line, for messages.
        options: how sequences and labels are read.
        of: ` of NAME`, for messages.
    """
    if fault := _fault(sequence, of):
        raise UserError(fault[0], where=where(), remedy=fault[1])
    if options.task == "tag":
        labels = _labels(target, len(sequence))
        if len(labels) != len(sequence):
            what = f"{len(labels)} labels for the {len(sequence)} bases{of}"
            raise UserError(what, where=where(), remedy="give one per base: 'EEIIN', or 'exon exon intron'")
        if (wrong := next((label for label in labels if label.split() != [label]), None)) is not None:
            raise UserError(f"the label {wrong!r} is not a word", where=where(), remedy="write it without spaces")
        target = " ".join(labels)
    return Example(sequence, target, place)


def _labels(target: str, length: int) -> list[str]:
    """The labels of bases from a JSON list, from words, or from a string of one character per base.

    Example:
        >>> _labels('["exon", 0]', 2), _labels("exon intron", 2), _labels("EI", 2)
        (['exon', '0'], ['exon', 'intron'], ['E', 'I'])
    """
    if target.startswith("["):
        with contextlib.suppress(json.JSONDecodeError):
            return [str(label) for label in json.loads(target)]
    labels = target.split()
    return labels if len(labels) != 1 or length == 1 else list(labels[0])


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"DNA files need {name}", remedy="pip install 'seqtasks[dna]'") from None
