"""What pieces of music are like, and how like a set of them is to another.

Pieces are lists of `seqtasks.music.notes.Note`; times may be in any unit, the same in all that is compared.
"""

import itertools
from typing import NamedTuple

import numpy as np

from seqtasks.errors import UserError

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
PROFILES = {  # how well each of the twelve notes from the tonic on fits a key
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
ONSETS = 4  # onsets in a row that count as a repetition


class Key(NamedTuple):
    """A key, `tonic` from 0 (C) to 11 (B), and how well it fits: the correlation, from -1 to 1."""

    tonic: int
    mode: str
    fit: float

    @property
    def name(self):
        return f"{TONICS[self.tonic]} {self.mode}"


def pitch_classes(notes):
    """How long each of the twelve notes sounds, from C on, as shares of all.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> pitch_classes([Note(60, 0, 3), Note(76, 0, 1)]).tolist()[:5]
        [0.75, 0.0, 0.0, 0.0, 0.25]
    """
    lengths = [note.end - note.start for note in notes]
    sounding = np.bincount([note.pitch % 12 for note in notes], lengths, 12)
    return sounding / sounding.sum()


def key(notes):
    """The major or minor key whose profile correlates best with `pitch_classes`, by Krumhansl and Schmuckler.

    Args:
        notes: of a piece, one at least.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> key([Note(pitch, i, i + 1) for i, pitch in enumerate([69, 71, 72, 74, 76, 69, 76, 72, 69])]).name
        'A minor'

    References:
        Krumhansl, 1990, Cognitive Foundations of Musical Pitch, chapter 4;
        https://doi.org/10.1093/acprof:oso/9780195148367.001.0001
    """
    sounding = pitch_classes(notes)
    fits = [
        Key(tonic, mode, _correlation(np.roll(profile, tonic), sounding))
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    ]
    return max(fits, key=lambda found: found.fit)


def pitch_range(notes):
    """The lowest and the highest MIDI number of a piece, which has one note at least."""
    pitches = [note.pitch for note in notes]
    return min(pitches), max(pitches)


def note_lengths(notes, step):
    """The share of notes of each length: {steps: share}, lengths rounded to steps, halves up.

    Args:
        notes: of a piece.
        step: length of a step, in the unit of the notes.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> note_lengths([Note(60, 0, 1), Note(62, 1, 1.5), Note(64, 1.5, 2), Note(65, 2, 2.5)], 0.5)
        {1: 0.75, 2: 0.25}
    """
    return _shares(_rounded([note.end - note.start for note in notes], step))


def onsets(notes):
    """What begins together, in its order: tuples of pitches, low ones first.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> onsets([Note(64, 0, 1), Note(60, 0, 2), Note(62, 1, 2)])
        [(60, 64), (62,)]
    """
    ordered = sorted(notes, key=lambda note: (note.start, note.pitch))
    return [tuple(n.pitch for n in found) for _, found in itertools.groupby(ordered, key=lambda note: note.start)]


def repetition(tokens, n):
    """The share of runs of `n` tokens that have come before; 0 where there are fewer than `n`.

    Args:
        tokens: anything hashable: `onsets(notes)`, the steps of a roll (`text.split(";")`), events (`text.split()`).
        n: tokens of a run.

    Example:
        >>> repetition("abcabc", 3)  # abc, bca, cab, and abc again
        0.25
    """
    runs = list(zip(*(tokens[i:] for i in range(n)), strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


STATISTICS = {  # name: (values of a piece, what they are rounded to for the overlap)
    "pitch": (lambda notes: [note.pitch for note in notes], 1),
    "pitch_class": (lambda notes: [note.pitch % 12 for note in notes], 1),
    "length": (lambda notes: [note.end - note.start for note in notes], 0.25),
    "range": (lambda notes: [np.ptp(pitch_range(notes))], 1),
    "key_fit": (lambda notes: [key(notes).fit], 0.1),
    "repetition": (lambda notes: [repetition(onsets(notes), ONSETS)], 0.1),
}


def compare(pieces, reference):
    """How a set of pieces differs from a reference set, for each statistic.

    Pitch, pitch class and length are those of all notes; range, fit of the key, and repetition (of four onsets in a
    row) those of each piece.

    Args:
        pieces: lists of notes; empty ones are left out.
        reference: the same.

    Returns:
        {statistic: {"mean", "reference", "overlap", "distance"}}: both means; the area under both histograms, from 0
        to 1, as Yang and Lerch compare sets; and the Wasserstein distance, in the unit of the statistic.

    Raises:
        UserError: if there is no note in one of them.

    Example:
        >>> from seqtasks.music.notes import Note
        >>> found = compare([[Note(60, 0, 1), Note(62, 1, 2)]], [[Note(62, 0, 1), Note(64, 1, 2)]])
        >>> found["pitch"]
        {'mean': 61.0, 'reference': 63.0, 'overlap': 0.5, 'distance': 2.0}

    References:
        Yang and Lerch, 2020, On the evaluation of generative models in music, https://doi.org/10.1007/s00521-018-3849-7
    """
    sets = [[notes for notes in found if notes] for found in (pieces, reference)]
    if not all(sets):
        raise UserError("no notes to compare", remedy="give pieces with notes on both sides")
    compared = {}
    for name, (values, grain) in STATISTICS.items():
        own, other = (np.array([v for notes in found for v in values(notes)], float) for found in sets)
        compared[name] = {
            "mean": float(own.mean()),
            "reference": float(other.mean()),
            "overlap": overlap(own, other, grain),
            "distance": wasserstein(own, other),
        }
    return compared


def overlap(first, second, grain):
    """The area that two histograms have in common, from 0 to 1; values are rounded to multiples of `grain`.

    Example:
        >>> overlap([1, 1, 2, 3], [1, 2, 2, 9], 1)
        0.5
    """
    first, second = (_shares(_rounded(values, grain)) for values in (first, second))
    return float(sum(min(share, second.get(value, 0)) for value, share in first.items()))


def wasserstein(first, second):
    """How far the mean value has to move to make one set of values the other: the area between their distributions.

    Example:
        >>> wasserstein([0, 1, 3], [5, 6, 8])
        5.0
    """
    values = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(x), values[:-1], side="right") / len(x) for x in (first, second)]
    return float(np.sum(np.abs(below[0] - below[1]) * np.diff(values)))


def _rounded(values, grain):
    return np.floor(np.asarray(values, float) / grain + 0.5).astype(int)


def _shares(values):
    found, counts = np.unique(values, return_counts=True)
    return {int(value): float(count / len(values)) for value, count in zip(found, counts, strict=True)}


def _correlation(first, second):
    """Pearson's correlation; 0 where all of one are equal."""
    first, second = (np.asarray(x, float) - np.mean(x) for x in (first, second))
    size = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.sum(first * second) / size) if size > 1e-12 else 0.0
