"""Notes: the form that MIDI files, piano rolls, performances and tunes are converted from and to."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seqtasks.errors import UserError

LONGEST = 500_000  # steps of a piece: 83 minutes in steps of 10 ms


class Note(NamedTuple):
    """A note. `pitch` is a MIDI number (60 is middle C), `velocity` a number from 1 to 127.

    The unit of `start` and `end` is a second, a quarter note or a step of a grid, as documented by each function.
    """

    pitch: int
    start: float
    end: float
    velocity: int = 64


def cut(notes: Iterable[Note]) -> list[Note]:
    """Sorts notes and cuts overlaps, so that no two notes of one pitch sound at a time.

    A note ends where the next note of its pitch begins. Notes of one pitch that begin together become one note, with
    the latest end and the largest velocity.

    Args:
        notes: in any order and unit.

    Returns:
        Notes by start, then pitch.

    Example:
        >>> [tuple(note) for note in cut([Note(60, 2, 3), Note(60, 0, 5), Note(64, 0, 1, 80), Note(64, 0, 2)])]
        [(60, 0, 2, 64), (64, 0, 2, 80), (60, 2, 3, 64)]
    """
    kept: list[Note] = []
    latest: dict[int, int] = {}  # place in `kept` of the last note of each pitch
    for note in sorted(notes, key=lambda note: (note.start, note.pitch)):
        place = latest.get(note.pitch)
        before = None if place is None else kept[place]
        if place is not None and before:
            if before.start == note.start:
                both = max(before.end, note.end), max(before.velocity, note.velocity)
                kept[place] = Note(note.pitch, note.start, *both)
                continue
            if before.end > note.start:
                kept[place] = before._replace(end=note.start)
        latest[note.pitch] = len(kept)
        kept.append(note)
    return kept


def on_grid(notes: Sequence[Note], step: float) -> list[Note]:
    """Rounds the times of notes to steps of a grid, halves up, and cuts overlaps; a note lasts at least one step.

    Args:
        notes: in any order.
        step: length of a step, in the unit of the notes.

    Returns:
        Notes by start, then pitch; times are steps (int).

    Raises:
        UserError: if the last note ends after more than `LONGEST` steps.

    Example:
        >>> [tuple(note) for note in on_grid([Note(60, 0.26, 0.74), Note(62, 1.0, 1.01)], 0.5)]
        [(60, 1, 2, 64), (62, 2, 3, 64)]
    """
    last = max((note.end for note in notes), default=0) / step
    if last > LONGEST:
        raise UserError(f"{last:.0f} steps, maximum {LONGEST}", remedy="cut the piece, or take longer steps")
    rounded = []
    for note in notes:
        start, end = (math.floor(time / step + 0.5) for time in (note.start, note.end))
        rounded.append(note._replace(start=start, end=max(start + 1, end)))
    return cut(rounded)


def timed(notes: Iterable[Note], step: float) -> list[Note]:
    """Multiplies the times of notes by `step`, to convert steps of a grid to its unit, or to change the tempo.

    Example:
        >>> [tuple(note) for note in timed([Note(60, 1, 3)], 0.5)]
        [(60, 0.5, 1.5, 64)]
    """
    return [note._replace(start=note.start * step, end=note.end * step) for note in notes]


def words(text: str) -> list[str]:
    """The words of a text, as `tf.strings.split` finds them: only the blanks of ASCII separate, not U+001C to U+001F.

    Example:
        >>> words(" 60 64\\t67"), words("60\\x1c64")
        (['60', '64', '67'], ['60\\x1c64'])
    """
    return re.findall(r"[^ \t\n\v\f\r]+", text)
