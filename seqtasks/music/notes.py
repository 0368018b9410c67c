"""Notes: what MIDI files, piano rolls, performances and tunes have in common."""

import math
from typing import NamedTuple

from seqtasks.errors import UserError

LONGEST = 500_000  # steps of a piece: 83 minutes in steps of 10 ms, and more than any other grid needs


class Note(NamedTuple):
    """A key that is down for a while. `pitch` is its MIDI number (60 is middle C), `velocity` goes from 1 to 127.

    `start` and `end` are seconds, quarter notes or steps of a grid: functions say which.
    """

    pitch: int
    start: float
    end: float
    velocity: int = 64


def cut(notes):
    """The notes in the order of their starts, then of pitch, with each key down once at a time.

    A note ends where the next of its pitch begins. Of notes that begin together one is left, with the latest end and
    the largest velocity.

    Args:
        notes: in any order and unit.

    Example:
        >>> [tuple(note) for note in cut([Note(60, 2, 3), Note(60, 0, 5), Note(64, 0, 1, 80), Note(64, 0, 2)])]
        [(60, 0, 2, 64), (64, 0, 2, 80), (60, 2, 3, 64)]
    """
    kept, latest = [], {}
    for note in sorted(notes, key=lambda note: (note.start, note.pitch)):
        place = latest.get(note.pitch)
        before = None if place is None else kept[place]
        if before and before.start == note.start:
            both = max(before.end, note.end), max(before.velocity, note.velocity)
            kept[place] = Note(note.pitch, note.start, *both)
            continue
        if before and before.end > note.start:
            kept[place] = before._replace(end=note.start)
        latest[note.pitch] = len(kept)
        kept.append(note)
    return kept


def on_grid(notes, step):
    """The notes `cut`, with times rounded to steps of a grid, halves up; each lasts one step at least.

    Args:
        notes: in any order.
        step: length of a step, in the unit of the notes.

    Returns:
        Notes with times in steps (int).

    Raises:
        UserError: if the last of them ends after more than `LONGEST` steps.

    Example:
        >>> [tuple(note) for note in on_grid([Note(60, 0.26, 0.74), Note(62, 1.0, 1.01)], 0.5)]
        [(60, 1, 2, 64), (62, 2, 3, 64)]
    """
    last = max((note.end for note in notes), default=0) / step
    if last > LONGEST:
        raise UserError(f"{last:.0f} steps, more than {LONGEST}", remedy="cut the piece, or take longer steps")
    rounded = []
    for note in notes:
        start, end = (math.floor(time / step + 0.5) for time in (note.start, note.end))
        rounded.append(note._replace(start=start, end=max(start + 1, end)))
    return cut(rounded)


def timed(notes, step):
    """The notes with their times multiplied by `step`: from steps of a grid to its unit, or from one tempo to another.

    Example:
        >>> [tuple(note) for note in timed([Note(60, 1, 3)], 0.5)]
        [(60, 0.5, 1.5, 64)]
    """
    return [note._replace(start=note.start * step, end=note.end * step) for note in notes]
