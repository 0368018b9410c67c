"""Notes as sound, and as files that other programs open."""

import io
import wave
from pathlib import Path

import numpy as np

from seqtasks.errors import UserError
from seqtasks.music.midi import SUFFIXES, midi_of, write_midi

RATE = 44_100  # samples a second
LOUDEST = 0.9  # of what 16 bits hold
HARMONICS = (1, 0.4, 0.2, 0.1)  # of the tones, as far as they stay below half the rate


def write(notes, path, tempo=None):
    """Write notes as `.mid`, or rendered as `.wav` (16 bits, one channel).

    Args:
        notes: `seqtasks.music.notes.Note`, in any order.
        path: the file; its suffix says what it becomes.
        tempo: quarter notes a minute; the times of the notes are then quarter notes. None: they are seconds.

    Raises:
        UserError: for another suffix.

    Example:
        >>> import tempfile
        >>> from seqtasks.music.notes import Note
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
        Path(path).write_bytes(wav(render(notes, tempo)))
    else:
        raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy="name a .mid or .wav file")


def render(notes, tempo=None, rate=RATE):
    """The sound of notes, float (samples,), its loudest sample 1 or -1.

    Args:
        notes, tempo: as of `write`.
        rate: samples a second.
    """
    if not notes:
        return np.zeros(0)
    samples = midi_of(notes, tempo).synthesize(rate, wave=_tone, normalize=False)
    return samples / (np.abs(samples).max() or 1)


def wav(samples, rate=RATE):
    """The bytes of a WAV file, 16 bits, one channel.

    Args:
        samples: float (samples,), from -1 to 1.
        rate: samples a second.

    Example:
        >>> with wave.open(io.BytesIO(wav(np.ones(3), rate=8000))) as file:
        ...     file.getframerate(), np.frombuffer(file.readframes(3), "<i2").tolist()
        (8000, [29490, 29490, 29490])
    """
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples * (LOUDEST * 32767)).astype("<i2").tobytes())
    return content.getvalue()


def _tone(phase):
    """The sum of the harmonics; those that would come back as other tones, at half the rate and above, are left out."""
    step = phase[1] - phase[0] if len(phase) > 1 else 0  # radians of the fundamental from sample to sample
    return sum(share * np.sin(n * phase) for n, share in enumerate(HARMONICS, 1) if n * step < np.pi)
