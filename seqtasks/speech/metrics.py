"""Word and character error rates (jiwer). Each is a `seqtasks.metrics.Metric` of `transcription_counts`."""

from collections.abc import Iterable

import numpy as np

from seqtasks.errors import needs
from seqtasks.metrics import Metric


def transcription_counts(references: Iterable[str], transcripts: Iterable[str]) -> np.ndarray:
    """The counts that the metrics of transcripts are computed from, a row per transcript, by the alignments of jiwer.

    Args:
        references, transcripts: sequences of strings; words are separated by spaces.

    Returns:
        int64 (transcripts, 9): the hits, substitutions, deletions and insertions of words, the same of characters, and
        whether the two texts are equal.

    Raises:
        UserError: if jiwer is not installed.

    Example:
        >>> counts = transcription_counts(["one two two", "six"], ["one to", "six"])
        >>> counts.tolist()
        [[1, 1, 1, 0, 6, 0, 5, 0, 0], [1, 0, 0, 0, 3, 0, 0, 0, 1]]
        >>> wer(counts), round(cer(counts), 4), same_text(counts)
        (0.5, 0.3571, 0.5)
    """
    needs("jiwer", extra="speech")
    import jiwer

    names = ("hits", "substitutions", "deletions", "insertions")
    rows = []
    for pair in zip(references, transcripts, strict=True):
        alignments = jiwer.process_words(*pair), jiwer.process_characters(*pair)
        rows.append([*(getattr(aligned, name) for aligned in alignments for name in names), pair[0] == pair[1]])
    return np.array(rows, "int64").reshape(-1, 9)


def wer(*statistics: np.ndarray) -> float:
    """Word error rate: substitutions, deletions and insertions per word of all references together.

    Args:
        statistics: the last one is what `transcription_counts` returns.
    """
    return _error_rate(statistics[-1][:, :4])


def cer(*statistics: np.ndarray) -> float:
    """Character error rate: the same of characters, including spaces; arguments as of `wer`."""
    return _error_rate(statistics[-1][:, 4:8])


def _error_rate(counts: np.ndarray) -> float:
    hits, substitutions, deletions, insertions = counts.sum(0).tolist()
    return (substitutions + deletions + insertions) / max(hits + substitutions + deletions, 1)


def same_text(*statistics: np.ndarray) -> float:
    """Share of transcripts that are equal to their reference; arguments as of `wer`."""
    return float(statistics[-1][:, 8].mean())


TRANSCRIPTION: dict[str, Metric] = {"wer": wer, "cer": cer, "accuracy": same_text}
