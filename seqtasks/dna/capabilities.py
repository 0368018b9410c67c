"""Capabilities of DNA classifiers: scanning a genome, and the effect of substitutions and of variants."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.capabilities import Answer, Capability, Command, Explains, Predictor, Run
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError
from seqtasks.options import Count, Declared, Probability, option

if TYPE_CHECKING:
    from seqtasks.dna.bed import Hit


VCF = ".vcf"


@dataclasses.dataclass(frozen=True)
class ScanOptions(Declared):
    """How a genome is scanned."""

    window: Count | None = option(None, "bases of a window that moves along each genome given as INPUT", "answering")
    stride: Count | None = option(None, "bases between the starts of two windows; none for the window", "answering")
    threshold: Probability = option(0.5, "smallest probability of a window that is reported", "answering")
    label: str | None = option(None, "the only label that is reported", "answering")


@dataclasses.dataclass(frozen=True)
class Scans(Capability):
    """`seqtasks predict RUN GENOME --window N`, `run.scan(path, window, ...)`: where a genome has which label."""

    def commands(self) -> tuple[Command, ...]:
        def run(run: Run, inputs: Iterable[str | bytes], options: ScanOptions) -> Iterator[Answer]:
            for path in inputs:
                for hit in scan(run, os.fsdecode(path), **dataclasses.asdict(options)):
                    yield hit._asdict()

        return (
            Command(
                "predict",
                "add --window N to scan a genome",
                run,
                ScanOptions,
                applies=lambda options, given: options.window is not None,
                writers={".bed": _write_bed},
            ),
        )

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        return {"scan": scan}


def scan(
    run: Run, path: str | Path, window: int, stride: int | None = None, threshold: float = 0.5, label: str | None = None
) -> "Iterator[Hit]":
    """What a classifier finds along a genome, window by window; see `seqtasks.dna.scan.scan`.

    Args:
        run: a run that classifies sequences.
        path: FASTA or 2bit file.
        window, stride, threshold, label: as in `ScanOptions`.

    Raises:
        UserError: if the run labels every base.
    """
    from seqtasks.dna.scan import scan as scan_genome

    check_classifies(run.predictor, "--window")
    return scan_genome(run.predictor, path, window, stride or window, threshold, label)


def explain(predictor: Predictor, sequence: str) -> list[Answer]:
    """The effect of every substitution on the predicted class; see `seqtasks.dna.mutagenesis`.

    Raises:
        UserError: if the run labels every base.
    """
    from seqtasks.dna.mutagenesis import effect_rows

    check_classifies(predictor, "explain")
    return effect_rows(predictor, sequence)


@dataclasses.dataclass(frozen=True)
class VariantOptions(Declared):
    """How the variants of a VCF file are explained."""

    window: Count | None = option(None, "bases around each variant of a VCF file given as INPUT", "answering")


@dataclasses.dataclass(frozen=True)
class ExplainsVariants(Explains):
    """`Explains`, and `seqtasks explain RUN FILE.vcf --genome GENOME --window N`, `run.explain_variants(path, ...)`."""

    def commands(self) -> tuple[Command, ...]:
        (command,) = super().commands()

        def run(run: Run, inputs: Iterable[Any], options: VariantOptions) -> Iterator[Answer]:
            for item in inputs:
                path = os.fsdecode(item) if isinstance(item, str | bytes) else ""
                if suffix_of(path) == VCF:
                    yield from explain_variants(run, path, None, options.window)
                elif options.window is not None:
                    raise UserError("has no effect on a sequence", where="--window", remedy="give a VCF file")
                else:
                    yield from self._rows(run, item)

        return (dataclasses.replace(command, run=run, Options=VariantOptions),)

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        return {**super().methods(), "explain_variants": explain_variants}


def explain_variants(
    run: Run, path: str | Path, genome: str | Path | None = None, window: int | None = None
) -> Iterator[Answer]:
    """How the answer changes with each variant of a VCF file; see `seqtasks.dna.variants.variant_rows`.

    Args:
        run: a run that classifies sequences.
        path: the VCF file.
        genome: the genome that it refers to; None for that of the run.
        window: bases around a variant that are classified.

    Raises:
        UserError: if the run labels every base, or the file is not understood.
    """
    from seqtasks.dna.variants import variant_rows

    check_classifies(run.predictor, "explain")
    return variant_rows(run.predictor, path, genome or run.config.genome, window)


def check_classifies(predictor: Predictor, where: str) -> None:
    """Raise `UserError` if the model has no single label per sequence."""
    from seqtasks.tasks import Classification

    if not isinstance(predictor.task, Classification):
        raise UserError("not for this run", where=where, remedy="use a run that classifies sequences")


def _write_bed(run: Run, options: ScanOptions, answers: Iterable[Answer], path: Path) -> Iterable[Answer]:
    from seqtasks.atomic_files import replacing
    from seqtasks.dna.bed import Hit, write_bed

    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        write_bed(file, (Hit(**answer) for answer in answers))
    return ()
