"""Reads notes from MIDI files, and writes them with pretty_midi."""

import bisect
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from seqtasks.data.text_files import UNREADABLE, open_bytes, read_error
from seqtasks.errors import UserError, needs
from seqtasks.music import smf
from seqtasks.music.notes import Note, cut

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
DRUMS = 9  # the channel of percussion, from 0
TEMPO = 120  # default, in quarter notes per minute
TICKS = 480  # per quarter note: halves, thirds and fifths of an eighth are whole numbers of ticks
TICKS_OF_SECONDS = 500  # if times are seconds: at `TEMPO` a tick is a millisecond
UNENDED = "notes without an end, which last to the end of their track"
REMEDY = "leave the file out"
CLIPPED = "data bytes above 127, which are read as 127"
Unit = Literal["seconds", "quarters"]
Instruments = Literal["melody", "drums", "all"]


class NoNotes(UserError):
    """A file without notes that can be used."""


class Setting(NamedTuple):
    """What a piece has besides its notes; times are quarter notes.

    Args:
        tempi: (time, quarter notes per minute) of each tempo; the first is at 0.
        metres: (time, numerator, denominator) of each time signature.
        program: number of the instrument with the most notes, from 0.
        drums: whether it is percussion.
    """

    tempi: Sequence[tuple[float, float]] = ((0.0, TEMPO),)
    metres: Sequence[tuple[float, int, int]] = ()
    program: int = 0
    drums: bool = False


class Piece(NamedTuple):
    """The notes of a piece, by start, then pitch; its setting; and how many notes of other instruments it has."""

    notes: list[Note]
    setting: Setting
    others: int = 0

    def check(self, where: Path | str) -> None:
        """Raise `NoNotes` if it has none."""
        if not self.notes and self.others:
            what, other = ("other instruments", "melody") if self.setting.drums else ("drums", "drums")
            raise NoNotes(
                f"only {what}, which --instruments {other} reads", where=where, remedy=f"give it, or {REMEDY}"
            )
        if not self.notes:
            raise NoNotes("no notes", where=where, remedy=REMEDY)


class Midi(NamedTuple):
    """What a MIDI file holds: its pieces, where it is cut short (or empty), and what else a reader should know."""

    pieces: tuple[Piece, ...]
    cut: str
    notices: tuple[str, ...]


def read_midi(path: Path | str, unit: Unit = "seconds", instruments: Instruments = "melody") -> list[Note]:
    """Reads the notes of a MIDI file of one piece.

    The sustain pedal becomes part of the notes: a note that ends while the pedal is down (controller 64, values from 64
    on) lasts until the pedal goes up, or until its key is struck again. Notes of equal pitch are `cut` where the next
    note begins.

    Args:
        path: the file.
        unit: of the times: `seconds`, or `quarters` (quarter notes, independent of the tempo).
        instruments: `melody`, all but percussion; `drums`, percussion alone; or `all`.

    Returns:
        Notes by start, then pitch.

    Raises:
        UserError: if it is not a MIDI file, is cut short, holds several pieces, or has no notes (`NoNotes`).

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.mid"
        >>> write_midi([Note(60, 0, 1.5), Note(64, 1, 2, 100)], path, tempo=90)
        >>> [tuple(note) for note in read_midi(path, "quarters")]
        [(60, 0.0, 1.5, 64), (64, 1.0, 2.0, 100)]
        >>> round(read_midi(path)[0].end, 3)
        1.0
    """
    midi = parse_midi(file_bytes(path), path, unit, instruments)
    if midi.cut:
        raise cut_short(midi.cut, path)
    for notice in midi.notices:
        warnings.warn(f"{path}: {notice}", stacklevel=2)
    if len(midi.pieces) != 1:
        raise UserError(f"{len(midi.pieces)} pieces in one file", where=path, remedy="give a file of one piece")
    midi.pieces[0].check(path)
    return midi.pieces[0].notes


def file_bytes(path: Path | str) -> bytes:
    """The content of a file, which may be compressed.

    Raises:
        UserError: if there is no such file, it is empty, or it cannot be decompressed.
    """
    with open_bytes(path) as file:
        try:
            return file.read()
        except UNREADABLE as error:
            raise read_error(path, error) from None


def cut_short(cut: str, where: Path | str) -> UserError:
    """The error for a file that is cut short."""
    return UserError(f"cut short: {cut}", where=where, remedy="give the complete file")


def parse_midi(data: bytes, where: Path | str, unit: Unit = "seconds", instruments: Instruments = "melody") -> Midi:
    """Reads the pieces of the bytes of a MIDI file; see `read_midi`.

    A file has one piece; one of format 2 has as many as it has tracks. Tempi and metres may be on any track. A note
    without an end lasts to the end of its track, or to controller 120 or 123. In SMPTE time quarter notes have the
    first tempo.

    Raises:
        UserError: if it is not a MIDI file.
    """
    file = smf.parse(data, where)
    groups = [[track] for track in file.tracks] if file.format == smf.PATTERNS else [list(file.tracks)]
    unended = any(track.unended for track in file.tracks if not track.cut)
    clipped = any(track.clipped for track in file.tracks)
    pieces = tuple(_piece(file, group, unit, instruments) for group in groups)
    if len(pieces) > 1:
        pieces = tuple(piece for piece in pieces if piece.notes) or pieces[:1]
    return Midi(pieces, file.cut, (UNENDED,) * unended + (CLIPPED,) * clipped)


def _piece(file: smf.MidiFile, tracks: Sequence[smf.Track], unit: Unit, instruments: Instruments) -> Piece:
    tempi = sorted((change for track in tracks for change in track.tempi), key=lambda change: change[0])
    clock = _Clock(file, tempi)
    found: list[smf.Sounding] = []
    others, programs = 0, Counter[tuple[int, bool]]()
    for track in tracks:
        for channel in sorted(track.last):
            notes = [note for note in track.notes if note.channel == channel]
            if instruments != "all" and (instruments == "drums") != (channel == DRUMS):
                others += len(notes)
            else:
                found += _sustained(track, channel, notes)
                programs.update((note.program, channel == DRUMS) for note in notes)
    ticks = np.array([(note.start, note.end) for note in found], "float64").reshape(-1, 2)
    times = (clock.seconds(ticks) if unit == "seconds" else clock.quarters(ticks)).tolist()
    placed = [Note(note.pitch, start, end, note.velocity) for note, (start, end) in zip(found, times, strict=True)]
    program, drums = programs.most_common(1)[0][0] if programs else (0, instruments == "drums")
    metres = sorted((change for track in tracks for change in track.metres), key=lambda change: change[0])
    placed_metres = tuple((float(clock.quarters(np.array(tick))), one, two) for tick, one, two in metres)
    return Piece(cut(placed), Setting(clock.tempi(), placed_metres, program, drums), others)


class _Clock:
    """The time of ticks."""

    def __init__(self, file: smf.MidiFile, tempi: Sequence[tuple[int, int]]) -> None:
        self.resolution, self.timed = file.resolution, file.timed
        self.changes: list[tuple[int, float]] = [(0, float(TEMPO))]  # tick and quarter notes per minute
        for tick, microseconds in tempi:
            tempo = 6e7 / microseconds
            if tick == 0:
                self.changes = [(0, tempo)]
            elif tempo != self.changes[-1][1]:
                self.changes.append((tick, tempo))
        self.first = np.array([tick for tick, _ in self.changes], float)
        self.scales = np.array([60.0 / (tempo * self.resolution) for _, tempo in self.changes])
        self.starts = np.zeros(len(self.changes))  # seconds
        for n in range(1, len(self.changes)):
            self.starts[n] = self.starts[n - 1] + self.scales[n - 1] * (self.first[n] - self.first[n - 1])

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        if self.timed:
            return ticks / self.resolution
        place = np.searchsorted(self.first, ticks, "right") - 1
        return self.starts[place] + self.scales[place] * (ticks - self.first[place])

    def quarters(self, ticks: np.ndarray) -> np.ndarray:
        return ticks / self.resolution * (self.changes[0][1] / 60 if self.timed else 1)

    def tempi(self) -> tuple[tuple[float, float], ...]:
        return tuple((float(self.quarters(np.array(tick))), round(tempo, 3)) for tick, tempo in self.changes)


def _sustained(track: smf.Track, channel: int, notes: Iterable[smf.Sounding]) -> Iterator[smf.Sounding]:
    """The notes of a channel, extended by the pedal."""
    downs: list[int] = []
    ups: list[int] = []
    for tick, value in track.pedals.get(channel, ()):
        if (value >= smf.DOWN) == (len(downs) == len(ups)):
            (downs if value >= smf.DOWN else ups).append(tick)
    ups += [track.last[channel]] * (len(downs) - len(ups))
    for note in notes:
        place = bisect.bisect_right(downs, note.end) - 1
        yield note._replace(end=max(note.end, ups[place])) if place >= 0 else note


def write_midi(
    notes: Iterable[Note], path: Path | str, tempo: float | None = None, setting: Setting | None = None
) -> None:
    """Writes notes as a MIDI file of one instrument.

    Args:
        notes: in any order.
        path: the file; an existing file is replaced.
        tempo: quarter notes per minute, if the times of the notes are quarter notes; they are rounded to 1/480. None if
            they are seconds; they are rounded to milliseconds.
        setting: tempi, metres and instrument; its tempi replace `tempo`. None for a piano.
    """
    to_midi(notes, tempo, setting).write(str(path))


def to_midi(notes: Iterable[Note], tempo: float | None = None, setting: Setting | None = None) -> Any:
    """Converts notes to a `pretty_midi.PrettyMIDI`; arguments as for `write_midi`."""
    needs("pretty_midi", extra="music")
    import pretty_midi

    setting = setting or Setting(((0.0, tempo or TEMPO),))
    slowest = min(tempo for _, tempo in setting.tempi)
    resolution = TICKS if tempo else min(32_767, max(TICKS_OF_SECONDS, round(TICKS_OF_SECONDS * TEMPO / slowest)))
    midi = pretty_midi.PrettyMIDI(resolution=resolution, initial_tempo=setting.tempi[0][1])
    if len(setting.tempi) > 1 or setting.metres:
        midi = pretty_midi.PrettyMIDI(mido_object=_conductor(setting, resolution))
    instrument = pretty_midi.Instrument(setting.program, setting.drums)

    def seconds(time: float) -> float:
        if tempo and len(setting.tempi) > 1:
            return float(midi.tick_to_time(round(time * resolution)))
        return float(time * (60 / setting.tempi[0][1] if tempo else 1))

    instrument.notes = [
        pretty_midi.Note(note.velocity, note.pitch, seconds(note.start), seconds(note.end)) for note in cut(notes)
    ]
    midi.instruments.append(instrument)
    return midi


def _conductor(setting: Setting, resolution: int) -> Any:
    """A file with the tempi and metres alone."""
    import mido

    changes = [(time, mido.MetaMessage("set_tempo", tempo=round(6e7 / tempo))) for time, tempo in setting.tempi]
    changes += [
        (time, mido.MetaMessage("time_signature", numerator=one, denominator=two)) for time, one, two in setting.metres
    ]
    track, before = mido.MidiTrack(), 0
    for time, message in sorted(changes, key=lambda change: change[0]):
        tick = round(time * resolution)
        track.append(message.copy(time=tick - before))
        before = tick
    return mido.MidiFile(tracks=[track], ticks_per_beat=resolution)
