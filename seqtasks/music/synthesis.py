"""Renders notes as sound, and writes them as MIDI or WAV files."""

import io
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqtasks.errors import UserError
from seqtasks.music.midi import Setting, to_midi, write_midi
from seqtasks.music.notes import Note

RATE = 44_100  # samples per second
PEAK = 0.9  # of the 16-bit range
HARMONICS = (1, 0.4, 0.2, 0.1)  # amplitudes of a tone; harmonics above half the rate are omitted
SUFFIXES = (".mid", ".midi")  # of MIDI files that are written


def write(notes: Sequence[Note], path: Path | str, tempo: float | None = None, setting: Setting | None = None) -> None:
    """Writes notes as a MIDI file (`.mid`), or rendered as a WAV file (`.wav`, 16 bits, one channel).

    Args:
        notes: in any order.
        path: the file; its suffix selects the format.
        tempo: quarter notes per minute, if the times of the notes are quarter notes; None if they are seconds.
        setting: tempi, metres and instrument; its tempi replace `tempo`. None for a piano.

    Raises:
        UserError: if the suffix is unknown.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.wav"
        >>> write([Note(69, 0, 1)], path, tempo=120)  # half a second, and a second of fading
        >>> with wave.open(str(path)) as file:
        ...     file.getnchannels(), file.getsampwidth(), file.getnframes() / file.getframerate()
        (1, 2, 1.5)
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES:
        write_midi(notes, path, tempo, setting)
    elif suffix == ".wav":
        Path(path).write_bytes(wav(render(notes, tempo, setting=setting)))
    else:
        raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy="name a .mid or .wav file")


def render(
    notes: Sequence[Note], tempo: float | None = None, rate: int = RATE, setting: Setting | None = None
) -> np.ndarray:
    """Renders notes as a waveform; all instruments sound alike.

    Args:
        notes: in any order.
        tempo: as for `write`.
        rate: samples per second.
        setting: as for `write`.

    Returns:
        float64 array (samples,); the largest absolute value is 1. It ends a second after the last note.
    """
    if not notes:
        return np.zeros(0)
    tuned = setting and setting._replace(drums=False)  # pretty_midi has no sound for percussion
    samples = to_midi(notes, tempo, tuned).synthesize(rate, wave=_tone, normalize=False)
    return samples / (np.abs(samples).max() or 1)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Encodes a waveform as a WAV file, 16 bits, one channel.

    Args:
        samples: float (samples,), from -1 to 1; 1 becomes 0.9 of the 16-bit range.
        rate: samples per second.

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
        file.writeframes(np.round(samples * (PEAK * 32767)).astype("<i2").tobytes())
    return content.getvalue()


def _tone(phase: np.ndarray) -> np.ndarray | int:
    """The sum of the harmonics at the phases of the fundamental; harmonics that would alias are omitted."""
    step = phase[1] - phase[0] if len(phase) > 1 else 0  # radians of the fundamental from sample to sample
    return sum(amplitude * np.sin(n * phase) for n, amplitude in enumerate(HARMONICS, 1) if n * step < np.pi)
