"""Statistics of pieces of music, and the comparison of two sets of pieces.

A piece is a list of `seqtasks.music.notes.Note`; its times may have any unit, the same for all pieces of a comparison.
"""

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seqtasks.errors import UserError
from seqtasks.music.notes import Note

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
PROFILES = {  # how well each of the twelve pitch classes, from the tonic on, fits a key
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
ONSETS = 4  # onsets in a row that count as a repetition


class Key(NamedTuple):
    """A key: `tonic` from 0 (C) to 11 (B), `mode` (`major`, `minor`), and the correlation `fit` from -1 to 1."""

    tonic: int
    mode: str
    fit: float

    @property
    def name(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"


def pitch_classes(notes: Sequence[Note]) -> np.ndarray:
    """The fraction of the total duration of each pitch class, (12,), from C on.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> pitch_classes([Note(60, 0, 3), Note(76, 0, 1)]).tolist()[:5]
        [0.75, 0.0, 0.0, 0.0, 0.25]
    """
    lengths = [note.end - note.start for note in notes]
    durations = np.bincount([note.pitch % 12 for note in notes], lengths, 12)
    return durations / durations.sum()


def key(notes: Sequence[Note]) -> Key:
    """The major or minor key whose profile correlates best with `pitch_classes`, by Krumhansl and Schmuckler.

    Args:
        notes: of a piece, at least one.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> key([Note(pitch, i, i + 1) for i, pitch in enumerate([69, 71, 72, 74, 76, 69, 76, 72, 69])]).name
        'A minor'

    References:
        Krumhansl, 1990, Cognitive Foundations of Musical Pitch, chapter 4;
        https://doi.org/10.1093/acprof:oso/9780195148367.001.0001
    """
    durations = pitch_classes(notes)
    fits = [
        Key(tonic, mode, _correlation(np.roll(profile, tonic), durations))
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    ]
    return max(fits, key=lambda candidate: candidate.fit)


def pitch_range(notes: Iterable[Note]) -> tuple[int, int]:
    """The lowest and the highest MIDI number of a piece with at least one note."""
    pitches = [note.pitch for note in notes]
    return min(pitches), max(pitches)


def note_lengths(notes: Iterable[Note], step: float) -> dict[int, float]:
    """The fraction of notes of each length: {steps: fraction}. Lengths are rounded to steps, halves up.

    Args:
        notes: of a piece.
        step: length of a step, in the unit of the notes.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> note_lengths([Note(60, 0, 1), Note(62, 1, 1.5), Note(64, 1.5, 2), Note(65, 2, 2.5)], 0.5)
        {1: 0.75, 2: 0.25}
    """
    return _fractions(_rounded([note.end - note.start for note in notes], step))


def onsets(notes: Iterable[Note]) -> list[tuple[int, ...]]:
    """The pitches that begin together, low ones first, for each onset in order of time.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> onsets([Note(64, 0, 1), Note(60, 0, 2), Note(62, 1, 2)])
        [(60, 64), (62,)]
    """
    ordered = sorted(notes, key=lambda note: (note.start, note.pitch))
    return [tuple(n.pitch for n in group) for _, group in itertools.groupby(ordered, key=lambda note: note.start)]


def repetition(tokens: Sequence[Hashable], n: int) -> float:
    """The fraction of n-grams that have appeared before; 0 if there are fewer than `n` tokens.

    Args:
        tokens: e.g. `onsets(notes)`, the steps of a roll (`text.split(";")`) or events (`text.split()`).
        n: tokens of an n-gram.

    Example:
        >>> repetition("abcabc", 3)  # abc, bca, cab, and abc again
        0.25
    """
    ngrams = list(zip(*(tokens[i:] for i in range(n)), strict=False))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


# name: (values of a piece, width of the bins of the histogram for the overlap)
STATISTICS: dict[str, tuple[Callable[[Sequence[Note]], list], float]] = {
    "pitch": (lambda notes: [note.pitch for note in notes], 1),
    "pitch_class": (lambda notes: [note.pitch % 12 for note in notes], 1),
    "length": (lambda notes: [note.end - note.start for note in notes], 0.25),
    "range": (lambda notes: [np.ptp(pitch_range(notes))], 1),
    "key_fit": (lambda notes: [key(notes).fit], 0.1),
    "repetition": (lambda notes: [repetition(onsets(notes), ONSETS)], 0.1),
}


def compare(pieces: Iterable[Sequence[Note]], reference: Iterable[Sequence[Note]]) -> dict[str, dict[str, float]]:
    """Compares a set of pieces with a reference set, for each statistic.

    Pitch, pitch class and length have a value per note; range, fit of the key, and repetition (of four onsets in a row)
    a value per piece.

    Args:
        pieces: lists of notes; empty lists are ignored.
        reference: the same.

    Returns:
        {statistic: {"mean", "reference", "overlap", "distance"}}: both means; the area under both histograms, from 0 to
        1, as Yang and Lerch compare sets; and the Wasserstein distance, in the unit of the statistic.

    Raises:
        UserError: if a set has no notes.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> compare([[Note(60, 0, 1), Note(62, 1, 2)]], [[Note(62, 0, 1), Note(64, 1, 2)]])["pitch"]
        {'mean': 61.0, 'reference': 63.0, 'overlap': 0.5, 'distance': 2.0}

    References:
        Yang and Lerch, 2020, On the evaluation of generative models in music, https://doi.org/10.1007/s00521-018-3849-7
    """
    sets = [[notes for notes in group if notes] for group in (pieces, reference)]
    if not all(sets):
        raise UserError("no notes to compare", remedy="give pieces with notes in both sets")
    compared = {}
    for name, (values, width) in STATISTICS.items():
        own, other = (np.array([v for notes in group for v in values(notes)], float) for group in sets)
        compared[name] = {
            "mean": float(own.mean()),
            "reference": float(other.mean()),
            "overlap": overlap(own, other, width),
            "distance": wasserstein(own, other),
        }
    return compared


def overlap(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, width: float) -> float:
    """The area that the histograms of two sets of values have in common, from 0 to 1.

    Args:
        first: values.
        second: the same.
        width: values are rounded to multiples of it, halves up.

    Example:
        >>> overlap([1, 1, 2, 3], [1, 2, 2, 9], 1)
        0.5
    """
    one, other = (_fractions(_rounded(values, width)) for values in (first, second))
    return float(sum(min(fraction, other.get(value, 0)) for value, fraction in one.items()))


def wasserstein(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """The Wasserstein distance of two sets of values: the area between their cumulative distributions.

    Example:
        >>> wasserstein([0, 1, 3], [5, 6, 8])
        5.0
    """
    values = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(x), values[:-1], side="right") / len(x) for x in (first, second)]
    return float(np.sum(np.abs(below[0] - below[1]) * np.diff(values)))


def _rounded(values: Sequence[float] | np.ndarray, width: float) -> np.ndarray:
    return np.floor(np.asarray(values, float) / width + 0.5).astype(int)


def _fractions(values: np.ndarray) -> dict[int, float]:
    distinct, counts = np.unique(values, return_counts=True)
    return {int(value): float(count / len(values)) for value, count in zip(distinct, counts, strict=True)}


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; 0 if all values of one array are equal."""
    first, second = (np.asarray(x, float) - np.mean(x) for x in (first, second))
    size = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.sum(first * second) / size) if size > 1e-12 else 0.0
