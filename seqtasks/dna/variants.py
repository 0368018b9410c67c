"""Variants of a VCF file: how the answer changes between the reference and the alternative allele."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seqtasks.data.text_files import open_bytes, reading
from seqtasks.dna.bed import nearest_chromosome
from seqtasks.dna.references import Reference, open_reference
from seqtasks.errors import UserError

if TYPE_CHECKING:
    from seqtasks.capabilities import Predictor

BASES = re.compile("[ACGTNacgtn]+")
BATCH = 512  # variants that are answered together


class Variant(NamedTuple):
    """One alternative allele. The position is that of the first base of `reference`, from 1."""

    chromosome: str
    position: int
    id: str
    reference: str
    alternative: str


def read_variants(path: str | Path) -> Iterator[Variant]:
    """The alleles of a VCF file, one for each alternative. Those that are no bases (`<DEL>`) are counted and left out.

    Args:
        path: the file, also compressed.

    Raises:
        UserError: at a line that is no variant.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.vcf"
        >>> _ = path.write_text("#CHROM\\tPOS\\tID\\tREF\\tALT\\nchr1\\t5\\trs1\\tA\\tC,G\\n")
        >>> [tuple(variant) for variant in read_variants(path)]
        [('chr1', 5, 'rs1', 'A', 'C'), ('chr1', 5, 'rs1', 'A', 'G')]
    """
    open_bytes(path).close()  # raises if the file is missing or empty
    left_out = 0
    with reading(path) as file:
        for number, line in enumerate(file, 1):
            if line[0] == "#" or not line.strip():
                continue
            row = line.rstrip("\r\n").split("\t")
            if len(row) < 5 or not row[1].isdecimal() or not BASES.fullmatch(row[3]):
                remedy = "give CHROM, POS, ID, REF and ALT, tabs between"
                raise UserError("not a variant", where=f"{path}:{number}", remedy=remedy)
            for alternative in row[4].split(","):
                if BASES.fullmatch(alternative):
                    yield Variant(row[0], int(row[1]), row[2], row[3], alternative)
                else:
                    left_out += 1
    if left_out:
        warnings.warn(f"{path}: {left_out} alleles that are no bases were left out", stacklevel=2)


def variant_rows(
    predictor: "Predictor", path: str | Path, genome: str | Path | None, window: int | None
) -> Iterator[dict[str, Any]]:
    """The answers of `seqtasks explain` for a VCF file, one for each alternative allele.

    Args:
        predictor: a trained model of a `Classification` task over sequences.
        path: the VCF file.
        genome: the genome that it refers to.
        window: bases around a variant that are classified.

    Yields:
        Dicts with the variant, the `label` and `score` of the window with the reference allele, the `change` of that
        score with the alternative one, and the `alternative_label`.

    Raises:
        UserError: if genome or window is missing, or the reference allele is not that of the genome.
    """
    if genome is None:
        raise UserError("variants need a genome", where=path, remedy="name its FASTA or 2bit file with --genome")
    if window is None:
        remedy = "give the length of the training sequences"
        raise UserError("variants need a window", where="--window", remedy=remedy)
    labels, waiting = predictor.assets["labels"].tokens, list[tuple[Variant, str, str]]()

    def answers() -> Iterator[dict[str, Any]]:
        found = predictor.predict_batch([text for _, *pair in waiting for text in pair])
        names = [name.decode() for name in found["label"]]
        for number, (variant, *_) in enumerate(waiting):
            (label, alternative), (before, after) = (x[2 * number : 2 * number + 2] for x in (names, found["scores"]))
            best = labels.index(label)
            yield {
                **variant._asdict(),
                "label": label,
                "score": float(before[best]),
                "change": float(after[best] - before[best]),
                "alternative_label": alternative,
            }
        waiting.clear()

    with open_reference(genome) as opened:
        for variant in read_variants(path):
            waiting.append((variant, *_alleles(opened, variant, window, path)))
            if len(waiting) == BATCH:
                yield from answers()
        if waiting:
            yield from answers()


def _alleles(genome: Reference, variant: Variant, window: int, path: str | Path) -> tuple[str, str]:
    """The windows with the reference and with the alternative allele in the middle, of equal lengths."""
    chromosome, position, _, reference, alternative = variant
    where = f"{path}: {chromosome}:{position}"
    if chromosome not in genome.names:
        remedy = nearest_chromosome(chromosome, genome.names)
        raise UserError(f"no chromosome {chromosome!r} in the genome", where=where, remedy=remedy)
    length, place = genome.length(chromosome), position - 1
    found = genome.fetch(chromosome, place, min(place + len(reference), length)) if 0 <= place < length else ""
    if found.upper() != reference.upper():
        what = f"the reference allele is {reference}, the genome has {found.upper() or 'no base'} there"
        raise UserError(what, where=where, remedy="check that the variants are of this genome")
    start = max(0, min(place - window // 2, length - window))
    left, after = genome.fetch(chromosome, start, place) if start < place else "", place + len(reference)
    right = genome.fetch(chromosome, after, min(after + window, length)) if after < length else ""
    return (left + reference + right)[:window], (left + alternative + right)[:window]
