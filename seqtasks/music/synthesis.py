"""Notes as sound, and as files that other programs open."""

import wave
from pathlib import Path

import numpy as np

from seqtasks.data.midi import SUFFIXES, midi_of, write_midi
from seqtasks.errors import UserError

RATE = 44_100  # samples a second
LOUDEST = 0.9  # of what 16 bits hold
HARMONICS = (1, 0.4, 0.2, 0.1)  # of the tones; the fourth of the highest key of a piano stays below half of `RATE`


def write(notes, path, tempo=None):
    """Write notes as `.mid`, or rendered as `.wav` (16 bits, one channel).

    Args:
        notes: `seqtasks.data.notes.Note`, in any order.
        path: the file; its suffix says what it becomes.
        tempo: quarter notes a minute; the times of the notes are then quarter notes. None: they are seconds.

    Raises:
        UserError: for another suffix.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.notes import Note
        >>> path = Path(tempfile.mkdtemp()) / "a.wav"
        >>> write([Note(69, 0, 1)], path, tempo=120)  # half a second, and a second to fade out
        >>> with wave.open(str(path)) as file:
        ...     file.getnchannels(), file.getsampwidth(), file.getnframes() / file.getframerate()
        (1, 2, 1.5)
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES:
        write_midi(notes, path, tempo)
    elif suffix == ".wav":
        samples = np.round(render(notes, tempo) * (LOUDEST * 32767)).astype("<i2")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.tobytes())
    else:
        raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy="name a .mid or .wav file")


def render(notes, tempo=None):
    """The sound of notes, float (samples,) at `RATE`, its loudest sample 1 or -1; arguments as of `write`."""
    midi = midi_of(notes, tempo)
    return midi.synthesize(RATE, wave=_tone) if notes else np.zeros(0)


def _tone(phase):
    return sum(share * np.sin(number * phase) for number, share in enumerate(HARMONICS, 1))
