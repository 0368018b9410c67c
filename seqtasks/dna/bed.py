"""BED files: reading and writing of named intervals of chromosomes."""

import bisect
import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from seqtasks.data.text_files import open_bytes, reading
from seqtasks.errors import UserError, nearest

SUFFIXES = (".bed", ".narrowpeak", ".broadpeak")


class Interval(NamedTuple):
    """A line of a BED file: the bases from `start` to `end`, counted from 0, `end` excluded.

    Attributes:
        chromosome: its name.
        start, end: positions; `start` is less than `end`.
        name: the label; empty where the file gives none.
        strand: `+`, `-` or `.` for unknown.
        line: number of the line in the file, from 1.
        row: all fields of the line.
    """

    chromosome: str
    start: int
    end: int
    name: str
    strand: str
    line: int
    row: tuple[str, ...]


def read_bed(path: str | Path, encoding: str | None = None) -> Iterator[Interval | UserError]:
    """Reads the intervals of a BED file with three columns or more, also of narrowPeak and broadPeak files.

    Comments, a line with the names of the columns, and the lines `track` and `browser` are skipped.

    Args:
        path: the file, also compressed; fields are separated by tabs, or by spaces in a line without tabs.
        encoding: of the file; None for UTF-8.

    Yields:
        `Interval`s in the order of the file, or the error of a line that is none.

    Raises:
        UserError: if the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.bed"
        >>> _ = path.write_text("chr1\\t5\\t9\\tpromoter\\n")
        >>> [(interval.start, interval.end, interval.name) for interval in read_bed(path)]
        [(5, 9, 'promoter')]
    """
    open_bytes(path).close()  # raises if the file is missing or empty
    first = True
    with reading(path, encoding=encoding) as file:
        for number, line in enumerate(file, 1):
            if line.strip() and line[0] != "#" and line.split(None, 1)[0] not in ("track", "browser"):
                row = [f.strip() for f in (line.strip("\r\n").split("\t") if "\t" in line else line.split())]
                if first and len(row) > 2 and row[1].isidentifier() and row[2].isidentifier():
                    first = False  # the names of the columns
                    continue
                first = False
                try:
                    yield _interval(row, number, f"{path}:{number}")
                except UserError as error:
                    yield error


def _interval(row: list[str], number: int, where: str) -> Interval:
    """The interval of a line; `where` is its place for messages."""
    if len(row) < 3:
        remedy = "give chromosome, start and end, tabs between"
        raise UserError(f"{len(row)} column{'s' * (len(row) > 1)}, expected 3 or more", where=where, remedy=remedy)
    if not (row[1].isdecimal() and row[2].isdecimal()):
        wrong = row[2] if row[1].isdecimal() else row[1]
        raise UserError(f"{wrong!r} is not a position", where=where, remedy="columns 2 and 3 are whole numbers from 0")
    chromosome, _, _, name, _, strand = (row + ["", ".", "."][len(row) - 3 :])[:6]
    start, end = int(row[1]), int(row[2])
    if start >= end:
        raise UserError(f"start {start} is not before end {end}", where=where, remedy="BED is half-open, from 0")
    if strand not in ("+", "-", "."):
        raise UserError(f"unknown strand {strand!r}", where=where, remedy="column 6 is +, - or .")
    return Interval(chromosome, start, end, "" if name == "." else name, strand, number, tuple(row))


class Annotation:
    """Labels of bases from the intervals of a BED file, which is held in memory.

    Args:
        path: the BED file; column 4 is the label. The strand is ignored.
        outside: the label of bases in no interval.

    Raises:
        UserError: if two intervals overlap, with both lines, or a label contains a space.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.bed"
        >>> _ = path.write_text("chr1\\t1\\t3\\texon\\n")
        >>> Annotation(path).labels("chr1", 0, 4, length=9)
        ['other', 'exon', 'exon', 'other']
    """

    def __init__(self, path: str | Path, outside: str = "other") -> None:
        self.path, self.outside = path, outside
        self.used = False  # whether a chromosome that was asked for has intervals
        self.first_chromosome: str | None = None  # the first that was asked for
        self.intervals: dict[str, list[Interval]] = {}
        for interval in read_bed(path):
            if isinstance(interval, UserError):
                raise interval
            if len(interval.name.split()) != 1:
                what = f"the label {interval.name!r} contains a space" if interval.name else "the name is missing"
                remedy = "write it as one word" if interval.name else "column 4 is the label"
                raise UserError(what, where=f"{path}:{interval.line}", remedy=remedy)
            self.intervals.setdefault(interval.chromosome, []).append(interval)
        for intervals in self.intervals.values():
            intervals.sort(key=lambda interval: interval.start)
            for a, b in itertools.pairwise(intervals):
                if b.start < a.end:
                    first, second = sorted((a, b), key=lambda interval: interval.line)
                    what = f"{second.start}-{second.end} overlaps {first.start}-{first.end} of line {first.line}"
                    raise UserError(what, where=f"{path}:{second.line}", remedy="a base has one label")

    def labels(self, chromosome: str, start: int, end: int, length: int) -> list[str]:
        """The labels of the bases from `start` to `end` of a chromosome.

        Args:
            chromosome: its name.
            start, end: positions from 0, `end` excluded.
            length: bases of the chromosome.

        Raises:
            UserError: if an interval ends after the chromosome.
        """
        intervals = self.intervals.get(chromosome, [])
        if intervals and intervals[-1].end > length:
            last = intervals[-1]
            what = f"{last.start}-{last.end} ends outside {chromosome}, which has {length} bases"
            raise UserError(what, where=f"{self.path}:{last.line}", remedy="check that it annotates this file")
        self.used, self.first_chromosome = self.used or bool(intervals), self.first_chromosome or chromosome
        labels = [self.outside] * (end - start)
        first = bisect.bisect_right(intervals, start, key=lambda interval: interval.end)
        for interval in itertools.islice(intervals, first, None):
            if interval.start >= end:
                break
            bases = range(max(interval.start, start), min(interval.end, end))
            labels[bases.start - start : bases.stop - start] = [interval.name] * len(bases)
        return labels

    def check_used(self, path: str | Path) -> None:
        """Checks that the annotation labels some record of a file.

        Args:
            path: the file whose records were labelled.

        Raises:
            UserError: if no record has an interval, e.g. because the chromosomes have other names.
        """
        if self.first_chromosome and not self.used:
            remedy = nearest_chromosome(self.first_chromosome, self.intervals)
            what = f"no interval on any record of {path}, e.g. {self.first_chromosome!r}"
            raise UserError(what, where=self.path, remedy=remedy)


def nearest_chromosome(name: str, known: Collection[str]) -> str:
    """The remedy for an unknown chromosome: `1` for `chr1` and vice versa, else the nearest name.

    Args:
        name: the unknown name.
        known: the names of the chromosomes.

    Example:
        >>> nearest_chromosome("chr1", ["1", "2"])
        "did you mean '1'?"
    """
    twin = twin_of(name)
    return nearest(twin, [twin]) if twin in known else nearest(name, list(known)[:1000])[:200]


def twin_of(name: str) -> str:
    """The other usual name of a chromosome.

    Example:
        >>> twin_of("chr1"), twin_of("1")
        ('1', 'chr1')
    """
    return name[3:] if name.lower().startswith("chr") else f"chr{name}"


class Hit(NamedTuple):
    """An interval of a chromosome with a label and its probability; positions from 0, `end` excluded."""

    chromosome: str
    start: int
    end: int
    label: str
    probability: float


def merge(hits: Iterable[Hit], threshold: float = 0.0) -> Iterator[Hit]:
    """Merges hits of one label that overlap or touch, with the highest of their probabilities.

    Args:
        hits: `Hit`s in the order of the genome, e.g. of windows. Only hits that can still grow, and those after them,
            are held in memory.
        threshold: hits with a smaller probability are dropped.

    Yields:
        `Hit`s in the order of the genome.

    Example:
        >>> list(merge([Hit("1", 0, 9, "x", 0.8), Hit("1", 4, 13, "x", 0.9), Hit("1", 8, 17, "x", 0.2)], 0.5))
        [Hit(chromosome='1', start=0, end=13, label='x', probability=0.9)]
    """
    waiting: dict[int, Hit] = {}  # hits by number, in the order of their starts
    latest: dict[str, int] = {}  # label -> number of its last hit
    for number, hit in enumerate(hits):
        if hit.probability < threshold:
            continue
        while waiting and _before(waiting[first := next(iter(waiting))], hit):
            yield waiting.pop(first)
        last = latest.get(hit.label, -1)
        if last in waiting and not _before(waiting[last], hit):
            old = waiting[last]
            end, probability = max(old.end, hit.end), max(old.probability, hit.probability)
            waiting[last] = old._replace(end=end, probability=probability)
        else:
            latest[hit.label] = number
            waiting[number] = hit
    yield from waiting.values()


def _before(one: Hit, other: Hit) -> bool:
    """Whether a hit ends before another begins, and so before all later ones."""
    return one.chromosome != other.chromosome or one.end < other.start


def write_bed(file: TextIO, hits: Iterable[Hit]) -> None:
    """Writes hits as BED: chromosome, start, end, label, score from 0 to 1000, strand `.`, and the probability.

    Args:
        file: an open text file.
        hits: `Hit`s in the order of the genome; each is a line.

    Example:
        >>> import sys
        >>> write_bed(sys.stdout, [Hit("chr1", 0, 9, "promoter", 0.8125)])
        chr1	0	9	promoter	812	.	0.8125
    """
    for chromosome, start, end, label, probability in hits:
        label, score = " ".join(label.split()), round(1000 * probability)
        file.write(f"{chromosome}\t{start}\t{end}\t{label}\t{score}\t.\t{probability:.6g}\n")
