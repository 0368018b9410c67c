"""Scanning: a trained classifier applied to windows of a genome of any size, in constant memory."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seqtasks.dna.alphabets import alphabet_of
from seqtasks.dna.bed import Hit, merge
from seqtasks.dna.genome import total_bases, windows
from seqtasks.errors import UserError

if TYPE_CHECKING:
    from seqtasks.capabilities import Predictor

BATCH = 1024  # windows of a batch


def scan(
    predictor: "Predictor",
    path: str | Path,
    window: int,
    stride: int,
    threshold: float = 0.5,
    label: str | None = None,
) -> Iterator[Hit]:
    """Classifies the windows of a genome; overlapping windows with the same label are merged into one hit.

    Args:
        predictor: a trained model of a `Classification` task over sequences.
        path: FASTA file, also compressed, or 2bit file.
        window: bases of a window.
        stride: bases between the starts of two windows.
        threshold: windows whose label has a smaller probability are dropped.
        label: the only label to report; None for the most probable one of each window.

    Returns:
        An iterator of `seqtasks.dna.bed.Hit`s in the order of the genome.

    Raises:
        UserError: if a number is out of range, the label is unknown, or, while iterating, if the file is not valid.
    """
    labels = predictor.assets["labels"].tokens
    for name, value in (("--window", window), ("--stride", stride)):
        if value < 1:
            raise UserError(f"{value} is too small", where=name, remedy="take at least 1")
    if not 0 <= threshold <= 1:
        raise UserError(f"{threshold} is not a probability", where="--threshold", remedy="take a number from 0 to 1")
    if label is not None and label not in labels:
        raise UserError(f"unknown label {label!r}", where="--label", remedy=f"the labels are {', '.join(labels)}")
    return merge(_classified_windows(predictor, path, window, stride, label), threshold)


def _classified_windows(
    predictor: "Predictor", path: str | Path, window: int, stride: int, label: str | None
) -> Iterator[Hit]:
    """A hit for each window with a known letter, with `label` or else the most probable label."""
    labels, alphabet = predictor.assets["labels"].tokens, alphabet_of(predictor.config.alphabet)
    unknown = alphabet.unknown + alphabet.unknown.lower()
    places = {name.encode(): i for i, name in enumerate(labels)}
    with _progress(path) as advance:
        for chromosome, every, all_sequences in windows(path, window, stride, BATCH, alphabet):
            advance(len(all_sequences) * stride)
            known = [i for i, sequence in enumerate(all_sequences) if not unknown or sequence.strip(unknown)]
            if not known:
                continue
            starts, sequences = every[known], [all_sequences[i] for i in known]
            answers = predictor.predict_batch(sequences, BATCH)
            scores = answers["scores"]  # (windows, classes)
            best = [places[name] for name in answers["label"]] if label is None else [labels.index(label)] * len(scores)
            for start, sequence, row, index in zip(starts.tolist(), sequences, scores, best, strict=True):
                yield Hit(chromosome, start, start + len(sequence), labels[index], float(row[index]))


@contextlib.contextmanager
def _progress(path: str | Path) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error if that is a terminal; yields a function to which bases done are passed."""
    from rich.console import Console
    from rich.progress import Progress

    total = total_bases(path)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("bases", total=total)
        yield lambda bases: bar.advance(task, bases)
