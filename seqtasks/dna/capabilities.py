"""Capabilities of DNA classifiers: scanning a genome, and the effect of substitutions."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.capabilities import Answer, Capability, Command, Predictor, Run
from seqtasks.errors import UserError
from seqtasks.options import Count, Declared, Probability, option

if TYPE_CHECKING:
    from seqtasks.dna.bed import Hit


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
        path: FASTA file.
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
