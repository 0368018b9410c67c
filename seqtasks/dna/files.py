"""Sources of labelled sequences: FASTA, FASTQ, GenBank, intervals of a genome, tables, and folders of these.

The input of an example is the sequence as given; its target is the label, or the labels of its letters separated by
spaces.
"""

import contextlib
import dataclasses
import heapq
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from seqtasks.data.columns import Columns, read_columns, with_fields
from seqtasks.data.path_sources import warn_of_others
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import Formats, open_data
from seqtasks.data.tables import Record, Records
from seqtasks.data.targets import split_labels
from seqtasks.data.text_files import suffix_of
from seqtasks.data.values import plain
from seqtasks.dna import bed, fasta
from seqtasks.dna.alphabets import DNA, Alphabet
from seqtasks.dna.bed import Annotation
from seqtasks.dna.labels import NoLabel, label_of_features, label_of_header, labels_of_letters
from seqtasks.dna.references import Reference, open_reference
from seqtasks.errors import UserError

SEQUENCE_NAMES = ("sequence", "seq", "dna", "rna", "protein", "peptide")
LETTER_NAMES = ("bases", "labels", "tags", "label")  # usual names of the column with a label for each letter
BLANKS = " \t\n\v\f\r"  # around a sequence; those that `tf.strings.strip` knows
SUFFIXES = (*fasta.SUFFIXES, *bed.SUFFIXES)


@dataclasses.dataclass(frozen=True)
class DnaOptions:
    """How sequences and labels are read.

    Args:
        task: `classify`: a label for each sequence. `tag`: one for each letter, given as a string of one character per
            letter, as labels separated by spaces, as a list, or by `annotation`.
        label_field: where a record has the label. Of a FASTA header: a name for `NAME=label`, or the number (from 1) of
            a field separated by `|`, or of a word if there is no `|`; None: `label=...`, else the last field after a
            `|`, else the second of two words. Of a BED file: the number of a column; None: 4. Of GenBank: the name of
            an annotation or of a qualifier of the source, for `tag` types of features such as `CDS,tRNA`.
        genome: the genome that BED intervals refer to; an index, `.fai`, is written next to it if possible.
        annotation: a BED file with the labels (column 4) of intervals of the records, or of the genome; for `tag`.
        outside: the label of letters in no interval of `annotation`.
        alphabet: the letters of sequences.
        columns: how tables are read.
        separator: what separates several labels of a record; None if each has one.
    """

    task: Literal["classify", "tag"] = "classify"
    label_field: str | None = None
    genome: str | Path | None = None
    annotation: str | Path | None = None
    outside: str = "other"
    alphabet: Alphabet = DNA
    columns: Columns = Columns()
    separator: str | None = None


def formats(options: DnaOptions = DnaOptions()) -> Formats:
    """How labelled sequences are read.

    Splits are taken by the sequence as the network sees it, for DNA by one of its two strands.

    Args:
        options: of the application.

    Example:
        >>> formats().group("acguu"), formats().group("AACGT")
        ('AACGT', 'AACGT')
    """
    tag = options.task == "tag"
    names = LETTER_NAMES if tag else options.columns.label_names
    columns = dataclasses.replace(
        options.columns, text_names=SEQUENCE_NAMES, label_names=names, text_option="--sequence_column"
    )
    options = dataclasses.replace(options, columns=columns)
    return Formats(
        records=lambda records, reading: _open_table(records, options, reading),
        open=lambda path, reading: open_dna(path, options, reading),
        suffixes=SUFFIXES,
        is_header=lambda first, reading: columns.is_header(first, reading.labelled),
        group=options.alphabet.key,
        grouped="sequence",
        labels=(lambda target: sorted(set(target.split()))) if tag else split_labels,
    )


def open_dna(path: str | Path, options: DnaOptions = DnaOptions(), reading: Reading = Reading()) -> Source:
    """Opens a file, or a folder of files, as a source of examples.

    The files of a folder have the names of their classes (`promoter.fa`, `other.bed`), or are in sub-folders that have;
    there a `.txt` file can be one sequence. The classes are interleaved in proportion to their sizes.

    Args:
        path: the file or folder.
        options: how sequences and labels are read.
        reading: `labelled`, `encoding`, `group` and `carry`.

    Raises:
        UserError: if there are no sequences. Records that are not right are `Faulty`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.fa"
        >>> _ = path.write_text(">x label=promoter\\nACGT\\n>y label=other\\nTT\\n")
        >>> [(example.input, example.target) for example in open_dna(path)]
        [('ACGT', 'promoter'), ('TT', 'other')]
    """
    path = Path(path)
    if path.is_dir():
        others = [Path(p).resolve() for p in (options.genome, options.annotation) if p]
        return _source(path, _classes(path, others), options, reading)
    if suffix_of(path) in fasta.TEXT and not fasta.begins_with_header(path, reading.encoding):
        remedy = "begin each sequence with a line '>name', or give a table (.csv, .tsv)"
        raise UserError("a text file that is not FASTA", where=path, remedy=remedy)
    return _source(path, {None: [path]}, options, reading)


def sequences(text: str | bytes, options: DnaOptions = DnaOptions(), reading: Reading = Reading()) -> Iterator[Example]:
    """The sequences of an input of `predict`: those of a file or folder of this name, else the text itself.

    Args:
        text: `str`, or UTF-8 `bytes`.
        options: how files are read.
        reading: `encoding`.

    Yields:
        Examples without target; the fields name the record.

    Raises:
        UserError: if the file cannot be read, if a letter is not of the alphabet, or if a sequence is empty.

    Example:
        >>> [example.input for example in sequences("ACGT")]
        ['ACGT']
    """
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    text, known = text.strip(BLANKS), formats(options)
    if os.path.exists(text) or suffix_of(text) in {*known.suffixes, *known.tables}:
        yield from open_data(text, known, dataclasses.replace(reading, labelled=False, group=None))
        return
    if fault := options.alphabet.fault(text, "input"):
        raise fault
    yield Example(text, "", 1)


def _classes(folder: Path, others: Sequence[Path]) -> dict[str | None, list[Path]]:
    """The files of a folder by class, without `others`."""

    def found(inside: Path, text: bool) -> list[Path]:
        files = (p for p in sorted(inside.iterdir()) if p.is_file() and p.name[0] != "." and suffix_of(p) in SUFFIXES)
        files = (p for p in files if p.resolve() not in others) if others else files
        return [p for p in files if text or suffix_of(p) not in fasta.TEXT or fasta.begins_with_header(p)]

    classes: dict[str | None, list[Path]] = {}
    for file in found(folder, text=False):
        classes.setdefault(file.name[: file.name.lower().rindex(suffix_of(file))], []).append(file)
    if classes:
        warn_of_others(folder, folder.iterdir(), SUFFIXES, "sequences")
        return classes
    inside = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name[0] != "."]
    classes = {p.name: files for p in inside if (files := found(p, text=True))}
    if not classes:
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        remedy = f"give one file for each class, or a folder for each ({', '.join(SUFFIXES)})"
        raise UserError(f"no sequences in this folder (found {listed})", where=folder, remedy=remedy)
    warn_of_others(folder, folder.glob("*/*"), SUFFIXES, "sequences")
    return classes


def _source(path: Path, classes: Mapping[str | None, list[Path]], options: DnaOptions, reading: Reading) -> Source:
    """The examples of files by class, interleaved: next comes the class of which the smallest share has been read."""
    files = [file for several in classes.values() for file in several]
    intervals = any(suffix_of(file) in bed.SUFFIXES for file in files)
    if intervals and options.genome is None:
        raise UserError("intervals need a genome", where=path, remedy="name its FASTA or 2bit file with --genome")
    sizes = [sum(file.stat().st_size for file in several) for several in classes.values()]

    def read() -> Iterator[tuple[str, Record | UserError]]:
        labelled = options.task == "tag" and reading.labelled
        annotation = Annotation(options.annotation, options.outside) if options.annotation and labelled else None
        with contextlib.ExitStack() as stack:
            genome = stack.enter_context(open_reference(options.genome)) if intervals and options.genome else None
            streams = [_records(f, label, options, reading, annotation, genome) for label, f in classes.items()]
            queue = [(0.0, number) for number in range(len(streams))]  # a heap of (share read, number of the stream)
            while queue:
                share, number = queue[0]
                if (item := next(streams[number], None)) is None:
                    heapq.heappop(queue)
                    continue
                yield item
                size = 1 if isinstance(item[1], UserError) else len(item[1]["sequence"])
                heapq.heapreplace(queue, (share + size / max(sizes[number], 1), number))
        if annotation:
            annotation.check_used(path)

    return _examples(Records(read, str(path), size=sum(sizes)), options, reading)


def _records(
    files: Sequence[Path], label: str | None, options: DnaOptions, reading: Reading, annotation: Annotation | None,
    genome: Reference | None,
) -> Iterator[tuple[str, Record | UserError]]:  # fmt: skip
    """The records of the files of a class; without a label of it, each record has one."""
    for path in files:
        cut = genome if suffix_of(path) in bed.SUFFIXES else None
        for place, record in _intervals(path, options, reading, cut) if cut else _sequences(path, reading):
            try:
                if isinstance(record, UserError):
                    raise record
                target = _target(place, record, label, options, annotation) if reading.labelled else ""
                yield place, {**record, "label": target}
            except UserError as error:
                yield place, error


def _sequences(path: Path, reading: Reading) -> Iterator[tuple[str, Record]]:
    wanted = reading.group or reading.carry or reading.columns
    for line, header, letters, features in fasta.read_sequences(path, reading.encoding):
        name = (header.split(None, 1) or [f"record {line}"])[0]
        words = header.replace("|", " ").split() if wanted else ()
        fields = dict(word.split("=", 1) for word in words if "=" in word)
        yield f"{path}:{line}", {**fields, "id": name, "header": header, "sequence": letters, "features": features}


def _intervals(
    path: Path, options: DnaOptions, reading: Reading, genome: Reference
) -> Iterator[tuple[str, Record | UserError]]:
    for interval in bed.read_bed(path, reading.encoding):
        if isinstance(interval, UserError):
            yield str(path), interval
            continue
        chromosome, start, end, name, strand, line, row = interval
        place = f"{path}:{line}"
        length = genome.length(chromosome) if chromosome in genome.names else None
        if length is None:
            remedy = bed.nearest_chromosome(chromosome, genome.names)
            error = UserError(f"no chromosome {chromosome!r} in {options.genome}", where=place, remedy=remedy)
            if bed.twin_of(chromosome) in genome.names:  # the whole file names them in another way
                raise error
            yield place, error
        elif end > length:
            what = f"{start}-{end} ends outside {chromosome}, which has {length} bases"
            yield place, UserError(what, where=place, remedy="check that the intervals are of this genome")
        else:
            letters = genome.fetch(chromosome, start, end)
            fields = {"chromosome": chromosome, "start": start, "end": end, "name": name, "strand": strand}
            letters = options.alphabet.reverse_complement(letters) if strand == "-" else letters
            yield place, {**fields, "row": row, "length": length, "sequence": letters}


def _target(place: str, record: Record, label: str | None, options: DnaOptions, annotation: Annotation | None) -> str:
    """The label of a record, or the labels of its letters."""
    letters = record["sequence"]
    if annotation:
        start, end = record.get("start", 0), record.get("end", len(letters))
        length = record.get("length", len(letters))
        labels = annotation.labels(record.get("chromosome") or record["id"], start, end, length)
        return " ".join(labels[::-1] if record.get("strand") == "-" else labels)
    if label is not None and options.task == "classify":
        return label
    field = options.label_field
    if "row" in record:
        found = record["name"]
        if field is not None:
            found = record["row"][int(field) - 1] if field.isdecimal() and 0 < int(field) <= len(record["row"]) else ""
        if not found:
            what = f"no label in column {field or 4}"
            remedy = "give the label there, or a folder with a file for each class"
            raise NoLabel(what, where=place, remedy=remedy)
        return found
    if record["features"] is not None:
        return label_of_features(record["features"], place, field, options.outside if options.task == "tag" else None)
    found = label_of_header(record["header"], field, options.separator)
    if not found:
        what = f"no {f'field {field!r}' if field else 'label'} in the header of {record['id']!r}"
        remedy = "write '>name label=promoter' or '>name|promoter', or name its field with --label_field"
        raise NoLabel(what, where=place, remedy=remedy)
    if "\ufffd" in found:
        raise UserError("the label is not UTF-8", where=place, remedy="name the encoding of the file with --encoding")
    return found


def _examples(records: Records, options: DnaOptions, reading: Reading) -> Source:
    """The examples of records of sequences. If the first one has no label, there is none where it is looked for."""
    add = with_fields(records, reading)

    def read() -> Iterator[Example | Faulty]:
        seen = False
        for place, record in records.read():
            if isinstance(record, UserError):
                if isinstance(record, NoLabel) and not seen:
                    raise record
                yield Faulty(record)
                continue
            seen = True
            example = Example(record["sequence"], record["label"], place)
            try:
                example = add(example, record)
            except UserError as error:
                yield Faulty(error)
                continue
            if not reading.labelled:
                names = ("id",) if "id" in record else ("chromosome", "start", "end", "strand")
                example = example._replace(fields=(*((name, record[name]) for name in names), *example.fields))
            yield example

    source = Source(read, records.name, records.size)
    return source.map(lambda example: _checked(example, source.where(example), options, reading))


def _open_table(records: Records, options: DnaOptions, reading: Reading) -> Source:
    if options.task == "tag":
        records = dataclasses.replace(records, read=lambda read=records.read: map(_lists_as_text, read()))  # type: ignore[misc]
    source = read_columns(records, options.columns, reading)
    return source.map(lambda example: _checked(example, source.where(example), options, reading))


def _lists_as_text(item: tuple[int | str, Record | UserError]) -> tuple[int | str, Record | UserError]:
    """A record with JSON in the place of lists, which hold labels of letters."""
    place, record = item
    if isinstance(record, UserError):
        return item
    lists = {n: plain(v) for n, v in record.items() if isinstance(v, list | tuple) or getattr(v, "ndim", 0) == 1}
    return place, {**record, **{name: json.dumps(value) for name, value in lists.items()}}


def _checked(example: Example, where: str, options: DnaOptions, reading: Reading) -> Example | Faulty:
    """An example whose letters and labels are right."""
    sequence, target = example.input.strip(BLANKS), example.target
    if fault := options.alphabet.fault(sequence, where):
        return Faulty(fault)
    if reading.labelled:
        try:
            target = labels_of_letters(target, len(sequence), where) if options.task == "tag" else target
        except UserError as error:
            return Faulty(error)
    return example._replace(input=sequence, target=target)
