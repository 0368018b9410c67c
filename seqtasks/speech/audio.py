"""Waveforms: from sound files, from arrays in memory, and from streams of samples."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from seqtasks.data.columns import Columns
from seqtasks.data.media_segments import segment_of
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError, needs
from seqtasks.speech.decoding import MAX_CHANNELS, Part, check_length, decode, incomplete, samples_of

ARRAY = ".npy"
SOUNDS = (
    *(
        ".wav",
        ".flac",
        ".ogg",
        ".opus",
        ".mp3",
        ".m4a",
        ".aac",
        ".webm",
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".snd",
        ".sph",
    ),
    *(".w64", ".caf", ".amr", ".wma", ".mka", ".mp4", ".3gp", ".3g2", ".m4b", ".mov", ".mkv", ".weba", ".oga", ".spx"),
    *(".wave", ".rf64", ".mp2", ".ac3", ".wv", ".ape", ".tta", ".voc", ".nist"),
)
RECORDINGS = (*SOUNDS, ARRAY)
SILENT_RANGE = 1e-4  # a recording is silent if the range of its samples is smaller; the full range is 2
FULL = 2**15  # largest 16-bit sample, plus 1


@dataclass(frozen=True)
class Options:
    """Options for reading recordings.

    Args:
        sample_rate: samples per second of the waveforms.
        longest: maximum length of a recording, in seconds.
        columns: how to read tables; the text column holds the path, the label column the transcript.
        media_root: the folder of the recordings that tables name; None for the folder of the table.
    """

    sample_rate: int = 16_000
    longest: float = 60.0
    columns: Columns = field(default_factory=Columns)
    media_root: str | None = None


def read(path: Path | str, options: Options = Options()) -> np.ndarray:
    """Reads the waveform of a recording, or of a part of it: the mean of its channels, resampled.

    The content of the file decides how it is decoded, not its suffix. Length, completeness, sample rate and channels
    are checked. An MP3 without a Xing or Info tag, and a recording of a browser, do not state their length: they are
    decoded up to `options.longest`, and truncation is not detected.

    Args:
        path: a file that libsndfile or FFmpeg reads, or an array (`.npy`), float32 (samples,) at
            `options.sample_rate`. `talk.wav#t=10,12.5` is the part from 10 to 12.5 seconds.
        options: see `Options`.

    Returns:
        float32 array (samples,), mostly from -1 to 1.

    Raises:
        UserError: if the file is not a recording, is truncated, empty or silent, contains values that are not finite,
            lasts longer than `options.longest` seconds, has less than 4,000 or more than 192,000 samples per second, or
            more than 8 channels.

    References:
        Parts: W3C, Media Fragments URI 1.0, https://www.w3.org/TR/media-frags/

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.array([0.5, -0.5], "float32"))
        >>> read(path).tolist()
        [0.5, -0.5]
        >>> np.save(path, np.arange(160_000, dtype="float32"))
        >>> read(f"{path}#t=2,2.5").shape
        (8000,)
        >>> read(path, Options(longest=5))
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.npy: lasts 10.0 seconds, maximum 5; cut it into parts, or raise the maximum
    """
    path, part = file_and_part(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise incomplete(path, "the file is empty")
    if suffix_of(path) == ARRAY:
        waveform, rate = _load_array(path, options, part), options.sample_rate
    else:
        waveform, rate = decode(path, options.longest, part)
    return _finished(waveform, rate, options, path)


def file_and_part(name: Path | str) -> tuple[Path, Part]:
    """The file of a name, and the part of it that is meant.

    Example:
        >>> file_and_part("talk.wav#t=10,12.5")[1]
        Part(start=10.0, end=12.5)
    """
    file, start, end = segment_of(str(name))
    return Path(file), Part(start, end)


def from_array(array: np.ndarray, rate: int, options: Options = Options(), where: str = "array") -> np.ndarray:
    """The waveform of an array in memory: the mean of its channels, resampled, with the checks of `read`.

    Args:
        array: (samples,), or with channels (samples, channels) or (channels, samples); whole numbers are scaled to
            values from -1 to 1.
        rate: its samples per second.
        options: see `Options`.
        where: its name, for messages.

    Raises:
        UserError: as for `read`.

    Example:
        >>> from_array(np.array([16384, -16384], "int16"), 16_000).tolist()
        [0.5, -0.5]
    """
    array = np.asarray(array)
    if (
        array.dtype.kind not in "fiu"
        or array.ndim not in (1, 2)
        or min(array.shape[1:], default=1) > MAX_CHANNELS < len(array)
    ):
        what = f"array of type {array.dtype} and shape {array.shape}"
        raise UserError(what, where=where, remedy="give numbers (samples,)")
    waveform = mono(array)
    check_length(where, len(waveform) / rate, options.longest)
    return _finished(waveform, rate, options, where)


def mono(array: np.ndarray) -> np.ndarray:
    """The mean of the channels, float32 (samples,), from -1 to 1.

    Args:
        array: numbers (samples,), (samples, channels) or (channels, samples). Whole numbers of more than 32 bits have
            the range of 16.

    Example:
        >>> mono(np.array([[0, 128], [255, 128]], "uint8")).tolist()
        [-0.5, 0.49609375]
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    samples = array.astype("float32")
    if kind == "u":
        samples -= 2 ** (8 * size - 1)
    if kind in "iu":
        samples /= 2 ** (8 * size - 1) if size <= 4 else FULL
    return samples if samples.ndim == 1 else samples.mean(int(samples.shape[0] >= samples.shape[1]), dtype="float32")


def _finished(waveform: np.ndarray, rate: int, options: Options, where: Path | str) -> np.ndarray:
    """A waveform that is checked and resampled."""
    if not np.isfinite(waveform).all():
        raise incomplete(where, "contains samples that are not finite")
    if len(waveform) and np.ptp(waveform) < SILENT_RANGE:
        raise UserError("the recording is silent", where=where, remedy="give a recording with sound")
    waveform = resample(waveform, rate, options.sample_rate)
    if len(waveform) == 0:
        raise incomplete(where, "contains no samples")
    return waveform


def resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Changes the sample rate of a waveform with soxr.

    Args:
        waveform: float32 (samples,).
        rate: its samples per second.
        sample_rate: samples per second of the result.

    Returns:
        float32 array (samples * sample_rate / rate,), rounded to a whole number of samples.

    Example:
        >>> resample(np.ones(48_000, "float32"), 48_000, 16_000).shape
        (16000,)
    """
    if rate == sample_rate or len(waveform) == 0:
        return waveform
    needs("soxr", extra="speech")
    import soxr

    return soxr.resample(waveform, rate, sample_rate)


def pcm_chunks(file: BinaryIO, sample_rate: int, seconds: float) -> Iterator[np.ndarray]:
    """Reads a stream of 16-bit little-endian PCM with one channel, in chunks.

    Args:
        file: binary file; `read` may return fewer bytes than requested. Half a sample at the end is dropped.
        sample_rate: samples per second.
        seconds: maximum length of a chunk.

    Yields:
        float32 arrays (samples,), from -1 to 1.

    Example:
        >>> import io
        >>> [chunk.tolist() for chunk in pcm_chunks(io.BytesIO(bytes([0, 64, 0, 128, 0, 32, 7])), 2, seconds=1)]
        [[0.5, -1.0], [0.25]]
    """
    size, rest = 2 * max(1, round(sample_rate * seconds)), b""
    while data := file.read(size - len(rest)):
        data = rest + data
        rest = data[len(data) & ~1 :]
        if len(data) > 1:
            yield np.frombuffer(data, "<i2", len(data) // 2).astype("float32") / FULL


def _load_array(path: Path, options: Options, part: Part) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"not an array ({error})", where=path, remedy="write it with numpy.save") from None
    if array.dtype != np.float32 or array.ndim != 1:
        what = f"array of type {array.dtype} and shape {array.shape}"
        raise UserError(what, where=path, remedy="give float32 (samples,)")
    first, last = samples_of(path, part, len(array), options.sample_rate, options.longest)
    return np.array(array[first:last])
