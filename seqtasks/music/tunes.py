"""Tunes written down as text, in a notation that people can read and check.

Tunes are separated by empty lines; what follows a `#` at the start of a line is a comment:

    title: Hot Cross Buns
    origin: England, 18th century
    metre: 4/4
    melody: E4 D4 C4:2 | E4 D4 C4:2 |
    melody: C4:0.5 C4:0.5 C4 D4:0.5 D4:0.5 D4 | E4 D4 C4:2
    bass: C3:4 | C3:4 | G2:4 | C3:4

A note is a letter, `#` or `b` if it is sharp or flat, an octave (C4 is middle C), and behind a colon its length in
quarter notes, without which it is 1. `R` is a rest, `-` holds on what is before it. `melody` and `bass` go on over
lines; bars, between `|`, add up to the metre, except for an upbeat and the last bar, which it shortens.
"""

import re
from typing import NamedTuple

from seqtasks.data.sources import UNREADABLE, faults, open_text
from seqtasks.errors import UserError
from seqtasks.music.notes import Note

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {"": 0, "#": 1, "b": -1}
NOTE = re.compile(r"(?:([A-G])([#b]?)([0-8])|R|-)(?::([0-9]+(?:\.[0-9]+)?))?")
FIELDS = ("title", "origin", "metre", "melody", "bass")
KEYS = range(-6, 6)  # semitones to the twelve keys that are nearest


class Tune(NamedTuple):
    """A tune: `bar` is the length of its bars in quarter notes, which are also the unit of its notes."""

    title: str
    bar: float
    notes: tuple[Note, ...]


def read_tunes(path):
    """The tunes of a file, also `.gz`.

    Returns:
        List of `Tune`.

    Raises:
        UserError: for what is no note, a bar that does not add up, voices of unequal length; if there is no tune.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "tunes.txt"
        >>> _ = path.write_text("title: Bells\\nmetre: 3/4\\nmelody: Bb4 C5:2 | -:3")
        >>> title, bar, notes = read_tunes(path)[0]
        >>> title, bar, [tuple(note) for note in notes]
        ('Bells', 3.0, [(70, 0.0, 1.0, 64), (72, 1.0, 6.0, 64)])
    """
    try:
        with open_text(path) as file:
            lines = [line.strip() for line in file]
    except UNREADABLE as error:
        raise faults(path, error) from None
    tunes, fields, last = [], {}, ""
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("#"):
            continue
        if line:
            name, colon, value = line.partition(":")
            if name not in FIELDS or not colon:
                raise UserError(f"{name!r:.40} is no field of a tune", where=f"{path}:{number}", remedy=_known())
            fields[name] = f"{fields.get(name, '')} {value}".strip()
        elif last and fields:
            tunes.append(_tune(fields, f"{path}: {fields.get('title', f'the tune before line {number}')}"))
            fields = {}
        last = line
    if not tunes:
        raise UserError("no tunes in the file", where=path, remedy=_known())
    return tunes


def in_key(tune, semitones):
    """The notes of a tune, moved up by `semitones`.

    Example:
        >>> [tuple(note) for note in in_key(Tune("", 4, (Note(60, 0, 4),)), -2)]
        [(58, 0, 4, 64)]
    """
    return [note._replace(pitch=note.pitch + semitones) for note in tune.notes]


def _known():
    return f"begin each line with {', '.join(f'{name}:' for name in FIELDS)}, and put an empty line between tunes"


def _tune(fields, where):
    missing = [name for name in ("title", "metre", "melody") if not fields.get(name)]
    if missing:
        raise UserError(f"no {missing[0]}", where=where, remedy=_known())
    metre = re.fullmatch("([1-9][0-9]?)/([1-9][0-9]?)", fields["metre"])
    if not metre:
        raise UserError(f"{fields['metre']!r:.40} is no metre", where=where, remedy="write it like 3/4")
    bar = int(metre[1]) * 4 / int(metre[2])
    voices = {name: _voice(fields[name], bar, f"{where}, {name}") for name in ("melody", "bass") if name in fields}
    lengths = [[sum(length for _, length in part) for part in bars] for bars in voices.values()]
    if lengths[1:] and lengths[1] != lengths[0]:
        what = f"{sum(lengths[1]):g} quarter notes of bass under {sum(lengths[0]):g} of melody"
        raise UserError(what, where=where, remedy="give both voices the same bars, upbeat and last bar included")
    return Tune(fields["title"], bar, tuple(note for bars in voices.values() for note in _notes(bars)))


def _voice(text, bar, where):
    """The bars of a voice: lists of (what sounds, its length); what sounds is a pitch, `R` or `-`."""
    bars = []
    for number, part in enumerate(text.rstrip("| ").split("|"), 1):
        found = [(token, NOTE.fullmatch(token)) for token in part.split()]
        wrong = next((token for token, match in found if not match), None)
        if wrong:
            remedy = "write notes like C4, F#4:0.5, Bb3:2, rests as R, and - to hold on"
            raise UserError(f"{wrong!r:.40} is no note", where=f"{where}, bar {number}", remedy=remedy)
        bars.append([(_pitch(match) or token[0], float(match[4] or 1)) for token, match in found])
    sums = [sum(length for _, length in part) for part in bars]
    for number, length in enumerate(sums, 1):
        upbeat = number == 1 and 0 < length < bar and len(sums) > 1
        due = bar - (sums[0] % bar) if number == len(sums) > 1 else bar
        if length != due and not upbeat:
            what = f"{length:g} quarter notes where {due:g} are due"
            raise UserError(what, where=f"{where}, bar {number}", remedy="an upbeat and the last bar make one bar")
    return bars


def _pitch(match):
    """MIDI number of a note, None of a rest or what holds on."""
    return 12 * (int(match[3]) + 1) + SEMITONES[match[1]] + SIGNS[match[2]] if match[1] else None


def _notes(bars):
    notes, now, rest = [], 0.0, True
    for part in bars:
        for sound, length in part:
            if sound == "-" and not rest:
                notes[-1] = notes[-1]._replace(end=now + length)
            elif isinstance(sound, int):
                notes.append(Note(sound, now, now + length))
            rest = not isinstance(sound, int) and (rest if sound == "-" else True)
            now += length
    return notes
