"""A trained model slid along a genome of any size, in constant memory."""

from seqtasks.dna.bed import Hit, merge
from seqtasks.dna.genome import total_bases, windows
from seqtasks.errors import UserError

BATCH = 1024  # windows answered at once


def scan(predictor, path, window, stride, threshold=0.5, label=None):
    """What a classifier finds in each window of a genome; overlapping windows of one label are joined.

    Args:
        predictor: the trained model of a `Classification` task over sequences.
        path: FASTA file, gzip by its name.
        window: bases of a window.
        stride: bases between the starts of two windows.
        threshold: windows whose label has a smaller probability are left out.
        label: the one label that is wanted; None takes the most probable one of each window.

    Yields:
        `seqtasks.dna.bed.Hit`s in the order of the genome.

    Raises:
        UserError: if a number is too small, the label is unknown, or the file is no genome.
    """
    labels = predictor.assets["labels"].tokens
    for name, value in (("--window", window), ("--stride", stride)):
        if value < 1:
            raise UserError(f"{value} is too small", where=name, remedy="take at least 1")
    if not 0 <= threshold <= 1:
        raise UserError(f"{threshold} is no probability", where="--threshold", remedy="take a number from 0 to 1")
    if label is not None and label not in labels:
        raise UserError(f"unknown label {label!r}", where="--label", remedy=f"the labels are {', '.join(labels)}")

    def hits():
        with _progress(path) as advance:
            for chromosome, starts, sequences in windows(path, window, stride, BATCH):
                scores = predictor.predict_batch(sequences, BATCH)["scores"]
                best = scores.argmax(-1) if label is None else [labels.index(label)] * len(scores)
                for start, sequence, row, place in zip(starts.tolist(), sequences, scores, best, strict=True):
                    yield Hit(chromosome, start, start + len(sequence), labels[place], float(row[place]))
                advance(len(sequences) * stride)

    return merge(hits(), threshold)


class _progress:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, path):
        from rich.console import Console
        from rich.progress import Progress

        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.total = total_bases(path)

    def __enter__(self):
        self.bar.__enter__()
        task = self.bar.add_task("bases", total=self.total)
        return lambda bases: self.bar.advance(task, bases)

    def __exit__(self, *error):
        return self.bar.__exit__(*error)
