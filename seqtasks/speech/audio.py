"""Waveforms of recordings, and of a stream of samples."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seqtasks.data.sources import Columns, suffix_of
from seqtasks.errors import UserError, needs

ARRAY = ".npy"
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
RECORDINGS = (*SOUNDS, ARRAY)
RATES = 4000, 192_000  # the lowest and the highest number of samples a second
CHANNELS = 8
QUIET = 1e-4  # from the lowest to the highest sample, of 2: nothing is to be heard
UNKNOWN = 2**62  # frames that libsndfile tells of a FLAC that does not tell its own
PIPED = 0x7FFF0000  # bytes that a WAV tells, or more, if its writer did not know their number
SLACK = 2304  # samples, two frames of MP3: some encoders count a frame that holds no sound
MPEG_1 = 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320  # kilobits a second, by their number
MPEG_2 = 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160
FULL = 2**15  # the largest 16-bit sample, plus 1


@dataclass(frozen=True)
class Options:
    """How recordings are to be read.

    Args:
        sample_rate: samples a second of a waveform.
        longest: seconds that a recording may last.
        columns: how tables are to be read; their text is the path, their label what is said.
    """

    sample_rate: int = 16_000
    longest: float = 60.0
    columns: Columns = field(default_factory=Columns)


def read(path, options=Options()):
    """The waveform of a recording: the mean of its channels, resampled.

    How long a recording is, and that it is complete, is checked by what its file tells of itself. An MP3 without a Xing
    or Info tag tells nothing: it is decoded up to `options.longest`, and may have been cut.

    Args:
        path: WAV, FLAC, OGG (Vorbis, Opus) or MP3, or an array (`.npy`), float32 (samples,) at `options.sample_rate`.
        options: see `Options`.

    Returns:
        float32 array (samples,), mostly from -1 to 1.

    Raises:
        UserError: if it is no recording, is not complete, is empty or silent, holds what is no number, lasts longer
            than `options.longest` seconds, has less than 4,000 or more than 192,000 samples a second, or more than 8
            channels. All that its file tells is checked before it is decoded.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.array([0.5, -0.5], "float32"))
        >>> read(path).tolist()
        [0.5, -0.5]
        >>> np.save(path, np.zeros(160_000, "float32"))
        >>> read(path, Options(longest=5))
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...a.npy: lasts 10.0 seconds, longer than 5; cut it into parts, or allow more
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if path.stat().st_size == 0:
        raise broken(path, "the file is empty")
    waveform, rate = (_array if suffix_of(path) == ARRAY else _decoded)(path, options)
    if not np.isfinite(waveform).all():
        raise broken(path, "holds samples that are no numbers")
    if len(waveform) and np.ptp(waveform) < QUIET:
        raise UserError("silent", where=path, remedy="give a recording in which something is to be heard")
    waveform = resample(waveform, rate, options.sample_rate)
    if len(waveform) == 0:
        raise broken(path, "no sound in it")
    return waveform


def resample(waveform, rate, sample_rate):
    """A waveform (samples,) of `rate` samples a second as one of `sample_rate`, by soxr.

    Example:
        >>> resample(np.ones(48_000, "float32"), 48_000, 16_000).shape
        (16000,)
    """
    if rate == sample_rate or len(waveform) == 0:
        return waveform
    needs("soxr", extra="speech")
    import soxr

    return soxr.resample(waveform, rate, sample_rate)


def stream(file, sample_rate, seconds):
    """The waveform that flows in from a binary file of 16-bit little-endian PCM, one channel, in chunks.

    Args:
        file: with `read(size)`; what it gives may be cut anywhere. Half a sample at the end is left out.
        sample_rate: samples a second.
        seconds: of a chunk, at most.

    Yields:
        float32 arrays (samples,), from -1 to 1.

    Example:
        >>> import io
        >>> [chunk.tolist() for chunk in stream(io.BytesIO(bytes([0, 64, 0, 128, 0, 32, 7])), 2, seconds=1)]
        [[0.5, -1.0], [0.25]]
    """
    size, held = 2 * max(1, round(sample_rate * seconds)), b""
    while data := file.read(size - len(held)):
        data = held + data
        held = data[len(data) & ~1 :]
        if len(data) > 1:
            yield np.frombuffer(data, "<i2", len(data) // 2).astype("float32") / FULL


def broken(path, what):
    """The fault of a recording that is not whole."""
    return UserError(what, where=path, remedy="give a complete recording")


def _decoded(path, options):
    """The mean of the channels and the samples a second of a file that libsndfile reads."""
    needs("soundfile", extra="speech")
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            stated, limit = _stated(file, path), int(options.longest * file.samplerate)
            _check_rates(path, file.samplerate, file.channels)
            if stated is not None:
                _check_length(path, stated / file.samplerate, options)
            _check_whole(file, path)
            found = file.read(limit + 1, "float32", always_2d=True)  # (frames, channels)
            found = found @ np.full(file.channels, 1 / file.channels, "float32")  # many times as fast as mean
            if stated is None and len(found) > limit:
                remedy = "cut it into parts, or allow more"
                raise UserError(f"lasts longer than {options.longest:g} seconds", where=path, remedy=remedy)
            if stated is not None and len(found) < stated - SLACK:
                seconds = [f"{frames / file.samplerate:.1f}" for frames in (len(found), stated)]
                raise broken(path, f"breaks off after {seconds[0]} of {seconds[1]} seconds")
            return found, file.samplerate
    except soundfile.LibsndfileError as error:
        raise broken(path, f"cannot be read as a recording ({error.error_string.strip(' .') or error.code})") from None


def _stated(file, path):
    """How many frames a file that is open says it has; None where it does not."""
    if file.frames >= UNKNOWN:
        raise UserError("does not tell how long it is", where=path, remedy="write it anew, to a file and no pipe")
    if file.format != "MP3" or (counted := _counted(path)) is None:
        return file.frames
    if counted > file.frames + SLACK:  # libsndfile expects the bit rate of its beginning, and would read no further
        raise UserError("of variable bit rate and without a Xing tag", where=path, remedy="write it anew, with one")
    return None


def _check_whole(file, path):
    """Refuse a file that was cut, where this can be told without decoding it."""
    if file.format == "OGG" and not _ends(path):
        raise broken(path, "breaks off: its last page is missing, or one before it is damaged")
    # libsndfile reads what there is of a WAV that was cut; its log tells so
    for told, there in re.findall(r"(?:data|Riff size) : (\d+) \(should be (\d+)\)", file.extra_info):
        if int(there) < int(told) < PIPED:
            raise broken(path, f"breaks off after {there} of {told} bytes")


def _counted(path):
    """How many samples the frames of an MP3 hold, by their headers; None if the first frame tells it, in a tag."""
    data, place, count = path.read_bytes(), 0, 0
    if data[:3] == b"ID3":  # its size is written in groups of 7 bits
        place = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    if b"Xing" in data[place : place + 200] or b"Info" in data[place : place + 200]:
        return None
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] >= 0xE0:
        version, rate, bits = data[place + 1] >> 3 & 3, data[place + 2] >> 2 & 3, data[place + 2] >> 4
        if rate == 3 or bits in (0, 15):
            break
        rate = (44_100, 48_000, 32_000)[rate] >> (2, 1, 1, 0)[version]  # of MPEG 2.5, none, 2 and 1
        samples, kilobits = (1152, MPEG_1[bits]) if version == 3 else (576, MPEG_2[bits])
        place += samples * 125 * kilobits // rate + (data[place + 2] >> 1 & 1)
        count += samples
    return count


def _ends(path):
    """Whether the pages of an Ogg file follow each other, up to one that is marked as the last."""
    data, place = path.read_bytes(), 0
    while data[place : place + 4] == b"OggS" and place + 27 <= len(data):
        sizes = data[place + 27 : place + 27 + data[place + 26]]
        last = data[place + 5] & 4
        place += 27 + data[place + 26] + sum(sizes)
        if last:
            return place <= len(data)
    return False


def _check_rates(path, rate, channels):
    lowest, highest = RATES
    if not lowest <= rate <= highest:
        what, remedy = f"{rate} samples a second", f"give from {lowest} to {highest}"
        raise UserError(what, where=path, remedy=remedy)
    if channels > CHANNELS:
        raise UserError(f"{channels} channels", where=path, remedy=f"give {CHANNELS} at most")


def _check_length(path, seconds, options):
    if seconds > options.longest:
        what = f"lasts {seconds:.1f} seconds, longer than {options.longest:g}"
        raise UserError(what, where=path, remedy="cut it into parts, or allow more")


def _array(path, options):
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"no array ({error})", where=path, remedy="write it by numpy.save") from None
    if found.dtype != np.float32 or found.ndim != 1:
        raise UserError(f"an array {found.dtype} {found.shape}", where=path, remedy="give float32 (samples,)")
    _check_length(path, len(found) / options.sample_rate, options)
    return np.array(found), options.sample_rate
