"""BED files, read and written: intervals of chromosomes with names."""

import bisect
import itertools
from typing import NamedTuple

from seqtasks.data.sources import UNREADABLE, faults, open_bytes, open_text
from seqtasks.errors import UserError, nearest


class Interval(NamedTuple):
    """A line of a BED file: bases from `start` up to, but without, `end`, counted from 0."""

    chromosome: str
    start: int
    end: int
    name: str
    strand: str
    line: int


def read_bed(path, fields=4):
    """The intervals of a BED file, also `.gz`; comments and the lines `track` and `browser` are left out.

    Args:
        path: the file; fields are separated by tabs or, in a line without any, by spaces.
        fields: how many a line must have: 4 with a name, 3 without.

    Raises:
        UserError: for a line that is no interval, with file and line.
    """
    open_bytes(path).close()  # there is something in it
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip() and line[0] != "#" and line.split(None, 1)[0] not in ("track", "browser"):
                    row = line.strip("\r\n").split("\t") if "\t" in line else line.split()
                    yield _interval([field.strip() for field in row], fields, number, f"{path}:{number}")
    except UNREADABLE as error:
        raise faults(path, error) from None


def _interval(row, fields, number, where):
    if len(row) < fields:
        names = "chromosome, start, end" + ", name" * (fields > 3)
        raise UserError(f"{len(row)} columns where {fields} are due", where=where, remedy=f"give {names}, tabs between")
    if not (row[1].isdecimal() and row[2].isdecimal()):
        wrong = row[2] if row[1].isdecimal() else row[1]
        raise UserError(f"{wrong!r} is no position", where=where, remedy="columns 2 and 3 are whole numbers from 0")
    chromosome, start, end, name, _, strand = (row + ["", ".", "."][len(row) - 3 :])[:6]
    start, end = int(start), int(end)
    if start >= end:
        raise UserError(f"start {start} is not before end {end}", where=where, remedy="BED is half-open, from 0")
    if fields > 3 and name in ("", "."):
        raise UserError("the name is missing", where=where, remedy="column 4 is the label")
    if strand not in ("+", "-", "."):
        raise UserError(f"unknown strand {strand!r}", where=where, remedy="column 6 is +, - or .")
    return Interval(chromosome, start, end, name, strand, number)


class Annotation:
    """The labels of bases by intervals of a BED file, which is held in memory.

    Args:
        path: the BED file; column 4 is the label. The strand is not looked at.
        outside: the label of bases in no interval.

    Raises:
        UserError: if two intervals overlap, with both lines, or a label holds a space.
    """

    def __init__(self, path, outside="other"):
        self.path, self.outside, self.used, self.asked, self.intervals = path, outside, False, None, {}
        for interval in read_bed(path):
            if len(interval.name.split()) > 1:
                what = f"the label {interval.name!r} holds a space"
                raise UserError(what, where=f"{path}:{interval.line}", remedy="write it as one word")
            self.intervals.setdefault(interval.chromosome, []).append(interval)
        for intervals in self.intervals.values():
            intervals.sort(key=lambda interval: interval.start)
            for a, b in itertools.pairwise(intervals):
                if b.start < a.end:
                    first, second = sorted((a, b), key=lambda interval: interval.line)
                    what = f"{second.start}-{second.end} overlaps {first.start}-{first.end} of line {first.line}"
                    raise UserError(what, where=f"{path}:{second.line}", remedy="a base has one label")

    def labels(self, chromosome, start, end, length):
        """The labels of the bases from `start` to `end` of a chromosome that has `length` of them."""
        found = self.intervals.get(chromosome, [])
        if found and found[-1].end > length:
            what = f"{found[-1].start}-{found[-1].end} ends outside {chromosome}, which has {length} bases"
            raise UserError(what, where=f"{self.path}:{found[-1].line}", remedy="check that it annotates this file")
        self.used, self.asked = self.used or bool(found), self.asked or chromosome
        labels = [self.outside] * (end - start)
        for interval in itertools.islice(found, bisect.bisect_right(found, start, key=lambda i: i.end), None):
            if interval.start >= end:
                break
            here = range(max(interval.start, start), min(interval.end, end))
            labels[here.start - start : here.stop - start] = [interval.name] * len(here)
        return labels

    def check_used(self, path):
        """Refuse an annotation that labels no record of a file, as one with other names for the chromosomes does."""
        if self.asked and not self.used:
            remedy = nearest_chromosome(self.asked, self.intervals)
            raise UserError(f"no interval on any record of {path}, e.g. {self.asked!r}", where=self.path, remedy=remedy)


def nearest_chromosome(name, known):
    """The remedy for a chromosome that is missing: `1` for `chr1` and the other way round, else the nearest name.

    Example:
        >>> nearest_chromosome("chr1", ["1", "2"])
        "did you mean '1'?"
    """
    twin = name[3:] if name.lower().startswith("chr") else f"chr{name}"
    return nearest(twin, [twin]) if twin in known else nearest(name, list(known)[:1000])[:200]


class Hit(NamedTuple):
    """A stretch of a chromosome with a label and its probability."""

    chromosome: str
    start: int
    end: int
    label: str
    probability: float


def merge(hits, threshold=0.0):
    """Join the hits of one label that overlap or touch, keeping the highest probability.

    Args:
        hits: `Hit`s in the order of the genome, e.g. of windows. Only those that overlap one that still grows are held.
        threshold: hits of a smaller probability are left out.

    Yields:
        `Hit`s, still in the order of the genome.

    Example:
        >>> list(merge([Hit("1", 0, 9, "x", 0.8), Hit("1", 4, 13, "x", 0.9), Hit("1", 8, 17, "x", 0.2)], 0.5))
        [Hit(chromosome='1', start=0, end=13, label='x', probability=0.9)]
    """
    waiting, latest = {}, {}  # hits by number, in the order of their starts; label -> number
    for number, hit in enumerate(hits):
        if hit.probability < threshold:
            continue
        while waiting and _before(waiting[first := next(iter(waiting))], hit):
            yield waiting.pop(first)
        at = latest.get(hit.label)
        if at in waiting and not _before(waiting[at], hit):
            old = waiting[at]
            end, probability = max(old.end, hit.end), max(old.probability, hit.probability)
            waiting[at] = old._replace(end=end, probability=probability)
        else:
            latest[hit.label] = number
            waiting[number] = hit
    yield from waiting.values()


def _before(one, other):
    """Whether a hit ends before another begins, and with it all that follow."""
    return one.chromosome != other.chromosome or one.end < other.start


def write_bed(file, hits):
    """Write hits as BED: chromosome, start, end, label, score from 0 to 1000, strand `.`, and the probability.

    Args:
        file: an open text file.
        hits: `Hit`s in the order of the genome, which is that of the lines.

    Example:
        >>> import sys
        >>> write_bed(sys.stdout, [Hit("chr1", 0, 9, "promoter", 0.8125)])
        chr1	0	9	promoter	812	.	0.8125
    """
    for chromosome, start, end, label, probability in hits:
        label, score = " ".join(label.split()), round(1000 * probability)
        file.write(f"{chromosome}\t{start}\t{end}\t{label}\t{score}\t.\t{probability:.6g}\n")
