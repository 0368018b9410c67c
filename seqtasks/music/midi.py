"""Reads notes from Standard MIDI Files and writes them, with pretty_midi."""

import bisect
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from seqtasks.errors import UserError, needs
from seqtasks.music.notes import Note, cut

SUFFIXES = (".mid", ".midi")
TEMPO = 120  # default, in quarter notes per minute
PEDAL, DOWN = 64, 64  # number of the controller; the pedal is down from this value on
TICKS = 480  # per quarter note: halves, thirds and fifths of an eighth are whole numbers of ticks
TICKS_OF_SECONDS = 500  # if times are seconds: at `TEMPO` a tick is a millisecond


def read_midi(path: Path | str, unit: Literal["seconds", "quarters"] = "seconds") -> list[Note]:
    """Reads the notes of all instruments of a MIDI file, without percussion.

    The sustain pedal becomes part of the notes: a note that ends while the pedal is down (controller 64, values from 64
    on) lasts until the pedal goes up, or until its key is struck again. Notes of equal pitch are `cut` where the next
    note begins.

    Args:
        path: the file.
        unit: of the times: `seconds`, or `quarters` (quarter notes, independent of the tempo).

    Returns:
        Notes by start, then pitch.

    Raises:
        UserError: if it is not a MIDI file, or has no notes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.mid"
        >>> write_midi([Note(60, 0, 1.5), Note(64, 1, 2, 100)], path, tempo=90)
        >>> [tuple(note) for note in read_midi(path, "quarters")]
        [(60, 0.0, 1.5, 64), (64, 1.0, 2.0, 100)]
        >>> round(read_midi(path)[0].end, 3)
        1.0
    """
    needs("pretty_midi", extra="music")
    import pretty_midi

    if not Path(path).is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tempo changes on tracks other than the first
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # the parser raises many types of errors; all mean that the file is invalid
        what = f"not a MIDI file ({type(error).__name__}: {error})"
        raise UserError(what, where=path, remedy="give a Standard MIDI File") from None
    notes = [note for instrument in midi.instruments if not instrument.is_drum for note in _sustained(instrument)]
    if unit == "quarters":
        notes = [note._replace(start=_quarters(midi, note.start), end=_quarters(midi, note.end)) for note in notes]
    if not notes:
        raise UserError("no notes", where=path, remedy="give a file with an instrument that is not percussion")
    return cut(notes)


def write_midi(notes: Iterable[Note], path: Path | str, tempo: float | None = None) -> None:
    """Writes notes as a MIDI file of one piano.

    Args:
        notes: in any order.
        path: the file; an existing file is replaced.
        tempo: quarter notes per minute, if the times of the notes are quarter notes; they are rounded to 1/480. None if
            they are seconds; they are rounded to milliseconds.
    """
    to_midi(notes, tempo).write(str(path))


def to_midi(notes: Iterable[Note], tempo: float | None = None) -> Any:
    """Converts notes to a `pretty_midi.PrettyMIDI`; arguments as for `write_midi`."""
    needs("pretty_midi", extra="music")
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(resolution=TICKS if tempo else TICKS_OF_SECONDS, initial_tempo=tempo or TEMPO)
    piano, unit = pretty_midi.Instrument(0), 60 / tempo if tempo else 1  # seconds per unit of time
    piano.notes = [
        pretty_midi.Note(note.velocity, note.pitch, float(note.start * unit), float(note.end * unit))
        for note in cut(notes)
    ]
    midi.instruments.append(piano)
    return midi


def _quarters(midi: Any, seconds: float) -> float:
    return int(midi.time_to_tick(seconds)) / midi.resolution


def _sustained(instrument: Any) -> Iterator[Note]:
    """The notes of an instrument, extended by the pedal, without those of length 0."""
    downs: list[float] = []
    ups: list[float] = []
    for change in sorted(instrument.control_changes, key=lambda change: change.time):
        if change.number == PEDAL and (change.value >= DOWN) == (len(downs) == len(ups)):
            (downs if change.value >= DOWN else ups).append(change.time)
    ups += [instrument.get_end_time()] * (len(downs) - len(ups))
    for note in instrument.notes:
        place = bisect.bisect_right(downs, note.end) - 1
        end = max(note.end, ups[place]) if place >= 0 else note.end
        if end > note.start:
            yield Note(note.pitch, float(note.start), float(end), note.velocity)
