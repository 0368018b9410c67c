"""Tunes as text, in a notation that people can read and check.

Tunes are separated by empty lines; lines that begin with `#` are comments:

    title: Hot Cross Buns
    origin: England, 18th century
    metre: 4/4
    melody: E4 D4 C4:2 | E4 D4 C4:2 |
    melody: C4:0.5 C4:0.5 C4 D4:0.5 D4:0.5 D4 | E4 D4 C4:2
    bass: C3:4 | C3:4 | G2:4 | C3:4

A note is a letter, `#` or `b` if it is sharp or flat, an octave (C4 is middle C), and after a colon its length in
quarter notes, by default 1. `R` is a rest, `-` extends the note or rest before it. `melody` and `bass` may have several
lines. Bars are separated by `|`; each has the length of the metre, except that an upbeat and the last bar together make
one bar.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seqtasks.data.text_files import reading
from seqtasks.errors import UserError
from seqtasks.music.notes import Note

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {"": 0, "#": 1, "b": -1}
NOTE = re.compile(r"(?:([A-G])([#b]?)([0-8])|R|-)(?::([0-9]+(?:\.[0-9]+)?))?")
FIELDS = ("title", "origin", "metre", "melody", "bass")
KEYS = range(-6, 6)  # semitones from the key of a tune to all twelve keys

Bar = list[tuple[int | str, float]]  # of notes and rests: pitch, `R` or `-`, and length in quarter notes


class Tune(NamedTuple):
    """A tune. `bar` is the length of a bar; the unit of `bar` and of the times of the notes is a quarter note."""

    title: str
    bar: float
    notes: tuple[Note, ...]


def read_tunes(path: Path | str, encoding: str | None = None) -> list[Tune]:
    """Reads the tunes of a text file, which may be compressed (`.gz`).

    Args:
        path: the file.
        encoding: of the file; None for UTF-8.

    Raises:
        UserError: if a note is invalid, a bar has the wrong length, the voices differ in length, or there is no tune.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "tunes.txt"
        >>> _ = path.write_text("title: Bells\\nmetre: 3/4\\nmelody: Bb4 C5:2 | -:3")
        >>> title, bar, notes = read_tunes(path)[0]
        >>> title, bar, [tuple(note) for note in notes]
        ('Bells', 3.0, [(70, 0.0, 1.0, 64), (72, 1.0, 6.0, 64)])
    """
    tunes = []
    for tune in each_tune(path, encoding):
        if isinstance(tune, UserError):
            raise tune
        tunes.append(tune)
    return tunes


def each_tune(path: Path | str, encoding: str | None = None) -> list[Tune | UserError]:
    """As `read_tunes`, with the error of a tune that is invalid in its place.

    Raises:
        UserError: if a line is no field of a tune, or there is no tune.
    """
    with reading(path, encoding=encoding) as file:
        lines = [line.strip() for line in file]
    tunes: list[Tune | UserError] = []
    fields: dict[str, str] = {}
    last = ""
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("#"):
            continue
        if line:
            name, colon, value = line.partition(":")
            if name not in FIELDS or not colon:
                raise UserError(f"{name!r:.40} is not a field of a tune", where=f"{path}:{number}", remedy=_layout())
            fields[name] = f"{fields.get(name, '')} {value}".strip()
        elif last and fields:
            try:
                tunes.append(_tune(fields, f"{path}: {fields.get('title', f'the tune before line {number}')}"))
            except UserError as error:
                tunes.append(error)
            fields = {}
        last = line
    if not tunes:
        raise UserError("no tunes in the file", where=path, remedy=_layout())
    return tunes


def in_key(tune: Tune, semitones: int) -> list[Note]:
    """The notes of a tune, transposed by `semitones`.

    Example:
        >>> [tuple(note) for note in in_key(Tune("", 4, (Note(60, 0, 4),)), -2)]
        [(58, 0, 4, 64)]
    """
    return [note._replace(pitch=note.pitch + semitones) for note in tune.notes]


def _layout() -> str:
    return f"begin each line with {', '.join(f'{name}:' for name in FIELDS)}, and put an empty line between tunes"


def _tune(fields: dict[str, str], where: str) -> Tune:
    missing = [name for name in ("title", "metre", "melody") if not fields.get(name)]
    if missing:
        raise UserError(f"no {missing[0]}", where=where, remedy=_layout())
    metre = re.fullmatch("([1-9][0-9]?)/([1-9][0-9]?)", fields["metre"])
    if not metre:
        raise UserError(f"{fields['metre']!r:.40} is not a metre", where=where, remedy="write it like 3/4")
    bar_length = int(metre[1]) * 4 / int(metre[2])
    voices = {
        name: _voice(fields[name], bar_length, f"{where}, {name}") for name in ("melody", "bass") if name in fields
    }
    lengths = [[sum(length for _, length in bar) for bar in bars] for bars in voices.values()]
    if lengths[1:] and lengths[1] != lengths[0]:
        what = f"the bass has {sum(lengths[1]):g} quarter notes, the melody {sum(lengths[0]):g}"
        raise UserError(what, where=where, remedy="give both voices the same bars, upbeat and last bar included")
    return Tune(fields["title"], bar_length, tuple(note for bars in voices.values() for note in _notes(bars)))


def _voice(text: str, length: float, where: str) -> list[Bar]:
    """The bars of a voice; a bar has `length` quarter notes."""
    bars: list[Bar] = []
    for number, tokens in enumerate(text.rstrip("| ").split("|"), 1):
        bar: Bar = []
        for token in tokens.split():
            match = NOTE.fullmatch(token)
            if not match:
                remedy = "write notes like C4, F#4:0.5, Bb3:2, rests as R, and - to extend"
                raise UserError(f"{token!r:.40} is not a note", where=f"{where}, bar {number}", remedy=remedy)
            bar.append((_pitch(match) or token[0], float(match[4] or 1)))
        bars.append(bar)
    lengths = [sum(duration for _, duration in bar) for bar in bars]
    for number, found in enumerate(lengths, 1):
        upbeat = number == 1 and 0 < found < length and len(lengths) > 1
        expected = length - (lengths[0] % length) if number == len(lengths) > 1 else length
        if found != expected and not upbeat:
            what = f"{found:g} quarter notes, expected {expected:g}"
            raise UserError(what, where=f"{where}, bar {number}", remedy="an upbeat and the last bar make one bar")
    return bars


def _pitch(match: re.Match[str]) -> int | None:
    """The MIDI number of a note; None for a rest or an extension."""
    return 12 * (int(match[3]) + 1) + SEMITONES[match[1]] + SIGNS[match[2]] if match[1] else None


def _notes(bars: Sequence[Bar]) -> list[Note]:
    notes: list[Note] = []
    now, rest = 0.0, True
    for bar in bars:
        for sound, length in bar:
            if sound == "-" and not rest:
                notes[-1] = notes[-1]._replace(end=now + length)
            elif isinstance(sound, int):
                notes.append(Note(sound, now, now + length))
            rest = not isinstance(sound, int) and (rest if sound == "-" else True)
            now += length
    return notes
