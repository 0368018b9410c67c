"""Word and character error rates (jiwer)."""

import numpy as np

from seqtasks.errors import needs


def transcription_counts(references, transcripts):
    """What the metrics of transcripts follow from, a row for each, by the alignments of jiwer.

    Args:
        references, transcripts: sequences of strings; words stand between spaces.

    Returns:
        int array (transcripts, 9): of words the hits, substitutions, deletions and insertions, the same of characters,
        and whether the two are equal.

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
        found = jiwer.process_words(*pair), jiwer.process_characters(*pair)
        rows.append([*(getattr(aligned, name) for aligned in found for name in names), pair[0] == pair[1]])
    return np.array(rows, "int64").reshape(-1, 9)


def wer(_, counts):
    """Word error rate: substitutions, deletions and insertions for each word of the references.

    The counts, as of `transcription_counts`, are added up first; the first argument has no part in it.
    """
    return _error_rate(counts[:, :4])


def cer(_, counts):
    """Character error rate, the same of characters, spaces too."""
    return _error_rate(counts[:, 4:8])


def _error_rate(counts):
    hits, substitutions, deletions, insertions = counts.sum(0).tolist()
    return (substitutions + deletions + insertions) / max(hits + substitutions + deletions, 1)


def same_text(_, counts):
    """Share of transcripts that are equal to their reference."""
    return float(counts[:, 8].mean())


TRANSCRIPTION = {"wer": wer, "cer": cer, "accuracy": same_text}
