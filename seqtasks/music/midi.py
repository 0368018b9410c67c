"""Notes from and to Standard MIDI Files, by pretty_midi."""

import bisect
import warnings
from pathlib import Path

from seqtasks.errors import UserError, needs
from seqtasks.music.notes import Note, cut

SUFFIXES = (".mid", ".midi")
TEMPO = 120  # quarter notes a minute, where nothing says otherwise
PEDAL, DOWN = 64, 64  # number of the controller, and the value from which on the pedal is down
TICKS = 480  # of a quarter note: halves, thirds and fifths of an eighth are whole numbers of them
TICKS_OF_SECONDS = 500  # where times are seconds: at `TEMPO` a tick is a millisecond


def read_midi(path, unit="seconds"):
    """The notes of a MIDI file, all its instruments together, percussion left out.

    The sustain pedal is written into the notes: what ends while the pedal is down (controller 64, values from 64 on)
    lasts until it goes up, or until its key is struck again. Notes of equal pitch are `cut` where the next begins.

    Args:
        path: the file.
        unit: of the times: `seconds` or `quarters` (quarter notes, whatever the tempo).

    Returns:
        Notes by start, then pitch.

    Raises:
        UserError: if it is no MIDI file, or has no notes.

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
            warnings.simplefilter("ignore")  # that tempi stand on another track than the first
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # a parser of anybody's bytes: whatever it says, the file is at fault
        what = f"no MIDI file ({type(error).__name__}: {error})"
        raise UserError(what, where=path, remedy="give a Standard MIDI File") from None
    notes = [note for played in midi.instruments if not played.is_drum for note in _sustained(played)]
    if unit == "quarters":
        notes = [note._replace(start=_quarters(midi, note.start), end=_quarters(midi, note.end)) for note in notes]
    if not notes:
        raise UserError("no notes", where=path, remedy="give a file with an instrument that is no percussion")
    return cut(notes)


def write_midi(notes, path, tempo=None):
    """Write notes as a MIDI file of one piano.

    Args:
        notes: in any order.
        path: the file, written anew.
        tempo: quarter notes a minute; the times of the notes are then quarter notes, kept to 1/480. None: they are
            seconds, kept to the millisecond.
    """
    midi_of(notes, tempo).write(str(path))


def midi_of(notes, tempo=None):
    """The notes as a `pretty_midi.PrettyMIDI`; arguments as of `write_midi`."""
    needs("pretty_midi", extra="music")
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(resolution=TICKS if tempo else TICKS_OF_SECONDS, initial_tempo=tempo or TEMPO)
    piano, second = pretty_midi.Instrument(0), 60 / tempo if tempo else 1
    piano.notes = [
        pretty_midi.Note(note.velocity, note.pitch, float(note.start * second), float(note.end * second))
        for note in cut(notes)
    ]
    midi.instruments.append(piano)
    return midi


def _quarters(midi, seconds):
    return int(midi.time_to_tick(seconds)) / midi.resolution


def _sustained(played):
    """The notes of an instrument as long as they sound, those that last no time left out."""
    downs, ups = [], []
    for change in sorted(played.control_changes, key=lambda change: change.time):
        if change.number == PEDAL and (change.value >= DOWN) == (len(downs) == len(ups)):
            (downs if change.value >= DOWN else ups).append(change.time)
    ups += [played.get_end_time()] * (len(downs) - len(ups))
    for note in played.notes:
        place = bisect.bisect_right(downs, note.end) - 1
        end = max(note.end, ups[place]) if place >= 0 else note.end
        if end > note.start:
            yield Note(note.pitch, float(note.start), float(end), note.velocity)
