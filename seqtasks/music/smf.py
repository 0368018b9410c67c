"""Standard MIDI Files as bytes: chunks, events, and the notes of each track in ticks.

The reader accepts what players accept: RIFF around a file, chunks that are unknown, a wrong number of tracks, data
bytes above 127, notes without an end, and a file that is cut short. It says what it found.

References:
    Standard MIDI Files 1.0, RP-001, https://midi.org/standard-midi-files-specification
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from seqtasks.errors import UserError

PEDAL, DOWN = 64, 64  # number of the controller; the pedal is down from this value on
SOUND_OFF, NOTES_OFF = 120, 123  # controllers that end all notes of a channel
MACBINARY = 128  # bytes of a header that old Macintosh files have
PATTERNS = 2  # the format of a file whose tracks are pieces of their own
REMEDY = "give a Standard MIDI File"


class Sounding(NamedTuple):
    """A note of a track: `start` and `end` in ticks, `channel` from 0 to 15."""

    channel: int
    pitch: int
    start: int
    end: int
    velocity: int
    program: int


@dataclass
class Track:
    """What a track holds.

    Args:
        notes: in the order of their ends.
        pedals: channel: (tick, value) of each change of the sustain pedal.
        last: channel: tick of its last event.
        tempi: (tick, microseconds of a quarter note).
        metres: (tick, numerator, denominator).
        end: last tick.
        unended: number of notes without an end.
        clipped: number of data bytes above 127.
        cut: whether the track ends inside an event, or without its end.
    """

    notes: list[Sounding] = field(default_factory=list)
    pedals: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    last: dict[int, int] = field(default_factory=dict)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    end: int = 0
    unended: int = 0
    clipped: int = 0
    cut: bool = False


@dataclass(frozen=True)
class MidiFile:
    """The content of a file.

    Args:
        format: 0, 1, or 2, whose tracks are pieces of their own.
        resolution: ticks of a quarter note, or of a second if `timed`.
        timed: whether ticks are parts of a second (SMPTE) instead of a quarter note.
        tracks: of the file.
        cut: where it is cut short, or empty.
    """

    format: int
    resolution: float
    timed: bool
    tracks: tuple[Track, ...]
    cut: str


def parse(data: bytes, where: Path | str) -> MidiFile:
    """Parses a file.

    Args:
        data: the bytes of the file.
        where: its name, for messages.

    Raises:
        UserError: if it is not a MIDI file, or has an event that is none.

    Example:
        >>> track = bytes.fromhex("00 90 3c 50 83 60 80 3c 00 00 ff 2f 00")
        >>> head = b"MThd" + bytes.fromhex("00000006 0000 0001 01e0")
        >>> parse(head + b"MTrk" + len(track).to_bytes(4) + track, "a.mid").tracks[0].notes
        [Sounding(channel=0, pitch=60, start=0, end=480, velocity=80, program=0)]
    """
    start = data.find(b"MThd", 0, len(data) if data[:4] == b"RIFF" else MACBINARY + 4)
    if start < 0:
        raise UserError("not a MIDI file (no MThd)", where=where, remedy=REMEDY)
    size = int.from_bytes(data[start + 4 : start + 8])
    head = data[start + 8 : start + 14]
    if len(head) < 6:
        return MidiFile(1, 1.0, False, (), "ends within its header")
    kind, count, division = (int.from_bytes(head[i : i + 2]) for i in (0, 2, 4))
    timed = division >= 0x8000
    rate = 256 - (division >> 8)  # frames of a second
    resolution = (30_000 / 1001 if rate == 29 else rate) * (division & 255) if timed else division
    if not resolution:
        raise UserError("not a MIDI file (ticks without a length)", where=where, remedy=REMEDY)
    tracks: list[Track] = []
    place = start + 8 + size
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8])
        place += 8
        if name == b"MTrk":
            tracks.append(_track(data[place : place + size], size, f"{where}: track {len(tracks) + 1}"))
        place += size
    cut = next((f"ends within track {n} of {max(count, n)}" for n, t in enumerate(tracks, 1) if t.cut), "")
    if not cut and len(tracks) < count:
        cut = f"ends before track {len(tracks) + 1} of {count}"
    return MidiFile(kind, resolution, timed, tuple(tracks), cut)


def _track(data: bytes, size: int, where: str) -> Track:
    """The content of the chunk of a track, which should have `size` bytes."""
    track = Track()
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}  # channel and pitch: start and velocity
    programs = [0] * 16
    tick = status = at = 0
    try:
        while at < len(data):
            delta, at = (data[at], at + 1) if data[at] < 128 else _number(data, at, where)
            tick += delta
            first = data[at]
            if first > 127:
                at += 1
                status = first if first < 0xF0 else status
            elif not status:
                raise UserError("not a MIDI file (data without a status)", where=where, remedy=REMEDY)
            kind = first if first >= 0xF0 else status & 0xF0
            if kind < 0xF0:
                channel, length = status & 15, 1 if kind in (0xC0, 0xD0) else 2
                one, two = data[at], (data[at + 1] if length == 2 else 0)
                at += length
                if one > 127 or two > 127:
                    track.clipped += (one > 127) + (two > 127)
                    one, two = min(one, 127), min(two, 127)
                track.last[channel] = tick
                if kind == 0x90 and two:
                    sounding.setdefault((channel, one), []).append((tick, two))
                elif kind in (0x80, 0x90):
                    _end(track, sounding, (channel, one), tick, programs)
                elif kind == 0xC0:
                    programs[channel] = one
                elif kind == 0xB0 and one == PEDAL:
                    track.pedals[channel].append((tick, two))
                elif kind == 0xB0 and one in (SOUND_OFF, NOTES_OFF):
                    for key in [key for key in sounding if key[0] == channel]:
                        _end(track, sounding, key, tick, programs)
            elif kind == 0xFF:
                length, begin = _number(data, at + 1, where)
                content, code, at = data[begin : begin + length], data[at], begin + length
                if at > len(data):
                    raise IndexError
                if code == 0x2F:
                    break
                _meta(track, code, content, tick)
            elif kind in (0xF0, 0xF7):
                length, at = _number(data, at, where)
                at += length
            else:
                at += {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(kind, 0)
            track.end = tick
        else:  # no event says that the track ends
            track.cut = at > len(data) or len(data) < size
    except IndexError:
        track.cut = True
    track.end = track.end if track.cut else tick
    for (channel, pitch), begun in sounding.items():
        track.unended += len(begun)
        track.notes += [
            Sounding(channel, pitch, start, max(track.end, start + 1), velocity, programs[channel])
            for start, velocity in begun
        ]
    return track


def _number(data: bytes, at: int, where: str) -> tuple[int, int]:
    """A number of variable length, and the place after it."""
    number = data[at]
    at += 1
    if number < 128:
        return number, at
    number &= 127
    for _ in range(3):
        byte = data[at]
        at += 1
        number = number << 7 | byte & 127
        if byte < 128:
            return number, at
    raise UserError("not a MIDI file (a number of more than four bytes)", where=where, remedy=REMEDY)


def _end(
    track: Track, sounding: dict[tuple[int, int], list[tuple[int, int]]], key: tuple[int, int], tick: int,
    programs: list[int],
) -> None:  # fmt: skip
    """End the notes of a key. A note that began at this tick sounds on if the end is that of earlier ones."""
    begun = sounding.pop(key, [])
    ended = [(start, velocity) for start, velocity in begun if start != tick]
    if ended and len(ended) < len(begun):
        sounding[key] = [note for note in begun if note[0] == tick]
    channel, pitch = key
    track.notes += [Sounding(channel, pitch, start, tick, velocity, programs[channel]) for start, velocity in ended]


def _meta(track: Track, code: int, content: bytes, tick: int) -> None:
    if code == 0x51 and len(content) >= 3 and any(content[:3]):
        track.tempi.append((tick, int.from_bytes(content[:3])))
    elif code == 0x58 and len(content) >= 2 and content[0] and content[1] < 8:
        track.metres.append((tick, content[0], 2 ** content[1]))
