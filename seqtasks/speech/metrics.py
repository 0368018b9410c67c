"""Word and character error rates (jiwer)."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from seqtasks.errors import needs


def transcription_counts(references: Iterable[str], transcripts: Iterable[str]) -> np.ndarray:
    """Counts from which the metrics of transcripts are computed, by the alignments of jiwer.

    Args:
        references: strings with spaces between the words.
        transcripts: the same, one for each reference.

    Returns:
        int64 array (transcripts, 9): hits, substitutions, deletions and insertions of words, the same of characters,
        and whether transcript and reference are equal.

    Example:
        >>> counts = transcription_counts(["one two two", "six"], ["one to", "six"])
        >>> counts.tolist()
        [[1, 1, 1, 0, 6, 0, 5, 0, 0], [1, 0, 0, 0, 3, 0, 0, 0, 1]]
        >>> wer(None, counts), round(cer(None, counts), 4), same_text(None, counts)
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


def wer(_: Any, counts: np.ndarray) -> float:
    """Word error rate: substitutions, deletions and insertions per word of the references.

    Args:
        _: not used.
        counts: int (transcripts, 9), as returned by `transcription_counts`; the sum over all transcripts counts.
    """
    return _error_rate(counts[:, :4])


def cer(_: Any, counts: np.ndarray) -> float:
    """Character error rate, spaces included; arguments as for `wer`."""
    return _error_rate(counts[:, 4:8])


def _error_rate(counts: np.ndarray) -> float:
    hits, substitutions, deletions, insertions = counts.sum(0).tolist()
    return (substitutions + deletions + insertions) / max(hits + substitutions + deletions, 1)


def same_text(_: Any, counts: np.ndarray) -> float:
    """Fraction of transcripts that are equal to their reference; arguments as for `wer`."""
    return float(counts[:, 8].mean())


TRANSCRIPTION = {"wer": wer, "cer": cer, "accuracy": same_text}
