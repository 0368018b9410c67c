"""Reads waveforms from audio files and from streams of samples."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seqtasks.data.sources import Columns, suffix_of
from seqtasks.errors import UserError, needs

ARRAY = ".npy"
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
RECORDINGS = (*SOUNDS, ARRAY)
MIN_RATE, MAX_RATE = 4000, 192_000  # samples per second
MAX_CHANNELS = 8
SILENT_RANGE = 1e-4  # a recording is silent if the range of its samples is smaller; the full range is 2
UNKNOWN_FRAMES = 2**62  # libsndfile reports at least this many frames for a FLAC without a length in its header
UNKNOWN_BYTES = 0x7FFF0000  # a WAV header has at least this size if its writer did not know the length
SLACK = 2304  # samples, two MP3 frames: some encoders count a frame without sound
MPEG_1 = 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320  # kilobits per second, by bit rate index
MPEG_2 = 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160
FULL = 2**15  # largest 16-bit sample, plus 1


@dataclass(frozen=True)
class Options:
    """Options for reading recordings.

    Args:
        sample_rate: samples per second of the waveforms.
        longest: maximum length of a recording, in seconds.
        columns: how to read tables; the text column holds the path, the label column the transcript.
    """

    sample_rate: int = 16_000
    longest: float = 60.0
    columns: Columns = field(default_factory=Columns)


def read(path: Path | str, options: Options = Options()) -> np.ndarray:
    """Reads the waveform of a recording: the mean of its channels, resampled.

    The header of the file is checked before decoding: length, completeness, sample rate, channels. An MP3 without a
    Xing or Info tag does not contain its length: it is decoded up to `options.longest`, and truncation is not detected.

    Args:
        path: WAV, FLAC, OGG (Vorbis, Opus) or MP3 file, or an array (`.npy`), float32 (samples,) at
            `options.sample_rate`.
        options: see `Options`.

    Returns:
        float32 array (samples,), mostly from -1 to 1.

    Raises:
        UserError: if the file is not a recording, is truncated, empty or silent, contains values that are not finite,
            lasts longer than `options.longest` seconds, has less than 4,000 or more than 192,000 samples per second, or
            more than 8 channels.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.array([0.5, -0.5], "float32"))
        >>> read(path).tolist()
        [0.5, -0.5]
        >>> np.save(path, np.zeros(160_000, "float32"))
        >>> read(path, Options(longest=5))
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.npy: lasts 10.0 seconds, maximum 5; cut it into parts, or raise the maximum
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise _incomplete(path, "the file is empty")
    waveform, rate = (_load_array if suffix_of(path) == ARRAY else _decode)(path, options)
    if not np.isfinite(waveform).all():
        raise _incomplete(path, "contains samples that are not finite")
    if len(waveform) and np.ptp(waveform) < SILENT_RANGE:
        raise UserError("the recording is silent", where=path, remedy="give a recording with sound")
    waveform = resample(waveform, rate, options.sample_rate)
    if len(waveform) == 0:
        raise _incomplete(path, "contains no samples")
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


def _incomplete(path: Path, what: str) -> UserError:
    return UserError(what, where=path, remedy="give a complete recording")


def _too_long(path: Path, what: str) -> UserError:
    return UserError(what, where=path, remedy="cut it into parts, or raise the maximum")


def _decode(path: Path, options: Options) -> tuple[np.ndarray, int]:
    """The mean of the channels, float32 (samples,), and the sample rate of a file that libsndfile can read."""
    needs("soundfile", extra="speech")
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            stated, limit = _stated_frames(file, path), int(options.longest * file.samplerate)
            _check_rates(path, file.samplerate, file.channels)
            if stated is not None:
                _check_length(path, stated / file.samplerate, options)
            _check_complete(file, path)
            samples = file.read(limit + 1, "float32", always_2d=True)  # (frames, channels)
            samples = samples @ np.full(file.channels, 1 / file.channels, "float32")  # much faster than mean
            if stated is None and len(samples) > limit:
                raise _too_long(path, f"lasts longer than the maximum of {options.longest:g} seconds")
            if stated is not None and len(samples) < stated - SLACK:
                seconds = [f"{frames / file.samplerate:.1f}" for frames in (len(samples), stated)]
                raise _incomplete(path, f"truncated after {seconds[0]} of {seconds[1]} seconds")
            return samples, file.samplerate
    except soundfile.LibsndfileError as error:
        what = f"cannot be read as a recording ({error.error_string.strip(' .') or error.code})"
        raise _incomplete(path, what) from None


def _stated_frames(file: Any, path: Path) -> int | None:
    """The number of frames according to the header of an open file; None if the header does not contain it."""
    if file.frames >= UNKNOWN_FRAMES:
        remedy = "write it again, to a file instead of a pipe"
        raise UserError("the header does not contain the length", where=path, remedy=remedy)
    if file.format != "MP3" or (counted := _count_mp3_samples(path)) is None:
        return file.frames
    if counted > file.frames + SLACK:  # libsndfile assumes the bit rate of the first frame and would stop too early
        what = "MP3 of variable bit rate without a Xing tag"
        raise UserError(what, where=path, remedy="write it again, with the tag")
    return None


def _check_complete(file: Any, path: Path) -> None:
    """Rejects truncated files that can be detected without decoding."""
    if file.format == "OGG" and not _has_last_page(path):
        raise _incomplete(path, "truncated: the last page is missing, or an earlier page is damaged")
    # libsndfile accepts a truncated WAV; only its log mentions it
    for stated, present in re.findall(r"(?:data|Riff size) : (\d+) \(should be (\d+)\)", file.extra_info):
        if int(present) < int(stated) < UNKNOWN_BYTES:
            raise _incomplete(path, f"truncated after {present} of {stated} bytes")


def _count_mp3_samples(path: Path) -> int | None:
    """The number of samples of an MP3, from the headers of its frames; None if a tag in the first frame states it."""
    data, offset, count = path.read_bytes(), 0, 0
    if data[:3] == b"ID3":  # its size is written in groups of 7 bits
        offset = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    if b"Xing" in data[offset : offset + 200] or b"Info" in data[offset : offset + 200]:
        return None
    while offset + 4 <= len(data) and data[offset] == 0xFF and data[offset + 1] >= 0xE0:
        version, rate, bits = data[offset + 1] >> 3 & 3, data[offset + 2] >> 2 & 3, data[offset + 2] >> 4
        if rate == 3 or bits in (0, 15):
            break
        rate = (44_100, 48_000, 32_000)[rate] >> (2, 1, 1, 0)[version]  # MPEG 2.5, unused, 2 and 1
        samples, kilobits = (1152, MPEG_1[bits]) if version == 3 else (576, MPEG_2[bits])
        offset += samples * 125 * kilobits // rate + (data[offset + 2] >> 1 & 1)
        count += samples
    return count


def _has_last_page(path: Path) -> bool:
    """Whether the pages of an Ogg file follow each other without a gap, up to a page that is marked as the last."""
    data, offset = path.read_bytes(), 0
    while data[offset : offset + 4] == b"OggS" and offset + 27 <= len(data):
        sizes = data[offset + 27 : offset + 27 + data[offset + 26]]
        last = data[offset + 5] & 4
        offset += 27 + data[offset + 26] + sum(sizes)
        if last:
            return offset <= len(data)
    return False


def _check_rates(path: Path, rate: int, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        remedy = f"give a rate from {MIN_RATE} to {MAX_RATE}"
        raise UserError(f"{rate} samples per second", where=path, remedy=remedy)
    if channels > MAX_CHANNELS:
        raise UserError(f"{channels} channels", where=path, remedy=f"give {MAX_CHANNELS} at most")


def _check_length(path: Path, seconds: float, options: Options) -> None:
    if seconds > options.longest:
        raise _too_long(path, f"lasts {seconds:.1f} seconds, maximum {options.longest:g}")


def _load_array(path: Path, options: Options) -> tuple[np.ndarray, int]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"not an array ({error})", where=path, remedy="write it with numpy.save") from None
    if array.dtype != np.float32 or array.ndim != 1:
        what = f"array of type {array.dtype} and shape {array.shape}"
        raise UserError(what, where=path, remedy="give float32 (samples,)")
    _check_length(path, len(array) / options.sample_rate, options)
    return np.array(array), options.sample_rate
