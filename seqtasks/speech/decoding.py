"""Decodes sound files by their content: libsndfile reads most, FFmpeg (PyAV) the formats of telephones and browsers."""

import functools
import io
import itertools
import re
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqtasks.errors import UserError, needs

MIN_RATE, MAX_RATE = 4000, 192_000  # samples per second
MAX_CHANNELS = 8
UNKNOWN_FRAMES = 2**62  # libsndfile reports at least this many frames for a FLAC without a length in its header
UNKNOWN_BYTES = 0x7FFF0000  # a WAV header has at least this size if its writer did not know the length
SLACK = 2304  # samples, two MP3 frames: some encoders count a frame without sound
BEYOND = 0.25  # seconds by which a part may end after its recording
LEAD = 0.5  # seconds that FFmpeg decodes before a part: the first samples after a seek are not exact
MPEG_1 = 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320  # kilobits per second, by bit rate index
MPEG_2 = 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160
FOR_FFMPEG = re.compile(  # MP4, Matroska, ASF, AMR, ADTS, Flash, WavPack, Monkey's Audio, AC-3
    rb"....(?:ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|#!AMR|\xff[\xf0\xf1\xf8\xf9]|"
    rb"FLV|wvpk|MAC |\x0b\x77",
    re.DOTALL,
)
DEMUXERS = (  # of FFmpeg; none that opens other files
    "mov,mp4,matroska,webm,asf,amr,amrnb,amrwb,aac,loas,mp3,flac,ogg,wav,w64,nistsphere,sph,aiff,caf,avi,flv,mpegts,mpeg,"
    "ac3,eac3,ape,wv,tta,tak,shn,voc,au"
)
STATES_LENGTH = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf")  # FFmpeg estimates the length of other formats
CUT_SHORT = re.compile(r"(?:data|Riff size|riff|SSND|Data Size) +: (\d+) \(should be (\d+)\)")


class Part(NamedTuple):
    """The part of a recording from `start` to `end`, in seconds; `end` is None for the end of the recording."""

    start: float = 0.0
    end: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the whole recording."""
        return self.start == 0 and self.end is None


WHOLE = Part()


def incomplete(path: Path | str, what: str) -> UserError:
    """The error for a file that is not whole."""
    return UserError(what, where=path, remedy="give a complete recording")


def check_length(path: Path | str, seconds: float, longest: float) -> None:
    """Raise `UserError` if a recording, or a part of it, lasts longer than `longest` seconds."""
    if seconds > longest:
        raise _too_long(path, f"lasts {seconds:.1f} seconds, maximum {longest:g}")


def decode(path: Path, longest: float, part: Part = WHOLE) -> tuple[np.ndarray, int]:
    """The mean of the channels of a sound file.

    The content of the file decides how it is decoded, not its suffix.

    Args:
        path: the file.
        longest: maximum length, in seconds.
        part: the part to decode.

    Returns:
        (waveform, rate): float32 (samples,), and the samples per second.

    Raises:
        UserError: if it is not a sound file, is truncated or too long, or the part is not inside it.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if FOR_FFMPEG.match(start):
        return _with_ffmpeg(path, longest, part)
    needs("soundfile", extra="speech")
    import soundfile

    if start.startswith(b"OggS"):
        _check_pages(path)
    source = _mended_wav(path) if start.startswith((b"RIFF", b"RIFX")) else None
    try:
        file = soundfile.SoundFile(source or path)
    except soundfile.LibsndfileError as error:
        return _without_soundfile(path, longest, part, start, error)
    try:
        with file:
            if file.frames >= UNKNOWN_FRAMES or (file.format == "MP3" and _loses_end(file, path)):
                return _with_ffmpeg(path, longest, part)
            return _read(file, path, longest, part), file.samplerate
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from None


def _too_long(path: Path | str, what: str) -> UserError:
    return UserError(what, where=path, remedy="cut it into parts, or raise the maximum")


def _unreadable(path: Path, error: Any) -> UserError:
    return incomplete(path, f"cannot be read as a recording ({error.error_string.strip(' .') or error.code})")


def _without_soundfile(path: Path, longest: float, part: Part, start: bytes, error: Any) -> tuple[np.ndarray, int]:
    """What FFmpeg reads of a file that libsndfile does not; a malformed file is one for neither."""
    fault = _unreadable(path, error)
    if start.startswith(b"fLaC") or "malformed" in error.error_string or "end of file" in error.error_string.lower():
        raise fault from None
    try:
        needs("av", extra="speech")
    except UserError:
        raise fault from None
    return _with_ffmpeg(path, longest, part, fault)


def _read(file: Any, path: Path, longest: float, part: Part) -> np.ndarray:
    """The samples of a file that libsndfile has opened."""
    rate = file.samplerate
    _check_rates(path, rate, file.channels)
    tagged = file.format != "MP3" or _mp3_samples(str(path), path.stat().st_mtime_ns) is None
    stated = file.frames if tagged else None
    for size, present in CUT_SHORT.findall(file.extra_info):  # libsndfile only mentions it in its log
        if int(present) < int(size) < UNKNOWN_BYTES:
            raise incomplete(path, f"truncated after {present} of {size} bytes")
    _check_sphere(file, path)
    first, last = (0, None) if part.whole and stated is None else samples_of(path, part, file.frames, rate, longest)
    if first and file.seekable():
        file.seek(first)
    elif first:
        file.read(first, "float32")
    limit = int(longest * rate)
    samples = file.read(limit + 1 if last is None else last - first, "float32", always_2d=True)  # (frames, channels)
    if stated is None and len(samples) > limit:
        raise _too_long(path, f"lasts longer than the maximum of {longest:g} seconds")
    expected = None if stated is None else (stated if last is None else last) - first
    if expected is not None and len(samples) < expected - SLACK:
        seconds = [f"{frames / rate:.1f}" for frames in (len(samples), expected)]
        raise incomplete(path, f"truncated after {seconds[0]} of {seconds[1]} seconds")
    return samples @ np.full(file.channels, 1 / file.channels, "float32")  # much faster than mean


def samples_of(path: Path | str, part: Part, frames: int, rate: int, longest: float) -> tuple[int, int | None]:
    """The first sample of a part, and the one after its last; None for the end of the recording.

    Raises:
        UserError: if the part is too long, or not inside the recording.
    """
    if part.whole:
        check_length(path, frames / rate, longest)
        return 0, None
    end = frames / rate if part.end is None else part.end
    if part.start >= frames / rate or end > frames / rate + BEYOND:
        what = f"the part from {part.start:g} to {end:g} seconds is not inside the {frames / rate:.2f} seconds"
        raise UserError(what, where=path, remedy="give times in seconds")
    check_length(path, end - part.start, longest)
    return round(part.start * rate), min(round(end * rate), frames)


def _check_rates(path: Path, rate: int, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        remedy = f"give a rate from {MIN_RATE} to {MAX_RATE}"
        raise UserError(f"{rate} samples per second", where=path, remedy=remedy)
    if channels > MAX_CHANNELS:
        raise UserError(f"{channels} channels", where=path, remedy=f"give {MAX_CHANNELS} at most")


# --- FFmpeg ---


def _with_ffmpeg(path: Path, longest: float, part: Part, fault: UserError | None = None) -> tuple[np.ndarray, int]:
    """The mean of the channels and the sample rate of a file that FFmpeg reads.

    Args:
        path: the file.
        longest: maximum length, in seconds.
        part: the part to decode.
        fault: the error to raise if FFmpeg cannot read it either.
    """
    needs("av", extra="speech")
    import av

    try:
        with av.open(str(path), options={"format_whitelist": DEMUXERS}) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise fault or UserError("no sound in it", where=path, remedy="give a recording with sound")
            return _decoded(container, stream, path, longest, part)
    except av.error.FFmpegError as error:
        raise fault or incomplete(path, f"cannot be read as a recording ({error.strerror})") from None


def _decoded(container: Any, stream: Any, path: Path, longest: float, part: Part) -> tuple[np.ndarray, int]:
    import av

    stated = _stated_seconds(container, stream)
    if part.whole and stated is not None:
        check_length(path, stated, longest)
    if part.end is not None:
        check_length(path, part.end - part.start, longest)
    first_frame = next(container.decode(stream), None)
    if first_frame is None:
        return np.zeros(0, "float32"), MIN_RATE
    rate = first_frame.sample_rate
    _check_rates(path, rate, first_frame.layout.nb_channels)
    first = round(part.start * rate)
    last = first + int(longest * rate) + 1 if part.end is None else round(part.end * rate)
    seeks = part.start > LEAD and container.format.name in STATES_LENGTH[:2] and first_frame.pts is not None
    if seeks:
        begin = first_frame.pts
        container.seek(begin + int((part.start - LEAD) / stream.time_base), stream=stream)
    frames = container.decode(stream) if seeks else itertools.chain([first_frame], container.decode(stream))
    resampler = av.AudioResampler("fltp", rate=rate)
    pieces: list[np.ndarray] = []
    place, count = None if seeks else 0, 0
    for frame in frames:
        if place is None:
            place = round(float((frame.pts - begin) * frame.time_base) * rate)
        for converted in resampler.resample(frame):
            samples = converted.to_ndarray().mean(0)  # (channels, samples)
            kept = samples[max(first - place, 0) : max(last - place, 0)]
            place, count = place + len(samples), count + len(kept)
            pieces.append(kept)
        if place >= last:
            break
    waveform = np.concatenate([*pieces, np.zeros(0, "float32")])
    if part.end is None and count > longest * rate:
        raise _too_long(path, f"lasts longer than the maximum of {longest:g} seconds")
    if part.whole and stated is not None and count / rate < stated - BEYOND:
        raise incomplete(path, f"truncated after {count / rate:.1f} of {stated:.1f} seconds")
    if not part.whole:
        samples_of(path, part, min(place or 0, last), rate, longest)
    return waveform, rate


def _stated_seconds(container: Any, stream: Any) -> float | None:
    """The length that the header of a file states; None if it does not."""
    if container.format.name not in STATES_LENGTH:
        return None
    if stream.duration:
        return float(stream.duration * stream.time_base)
    only = len(container.streams) == 1 and container.duration
    return container.duration / 1e6 - float((stream.start_time or 0) * stream.time_base) if only else None


# --- faults that libsndfile does not report ---


def _mended_wav(path: Path) -> io.BytesIO | None:
    """A WAV whose header states too few samples, as one that was written to a pipe does, with its real size.

    None if the size is right: if another chunk or nothing follows the samples.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        order = ">" if file.read(4) == b"RIFX" else "<"
        place = 12
        while True:
            file.seek(place)
            head = file.read(8)
            if len(head) < 8:
                return None
            stated = struct.unpack(f"{order}I", head[4:])[0]
            place += 8
            if head[:4] == b"data":
                break
            place += stated + stated % 2
        end = place + stated + stated % 2
        file.seek(end)
        following = file.read(4)
        if stated >= UNKNOWN_BYTES or size - end < 8 or all(32 <= byte < 127 for byte in following):
            return None
        file.seek(0)
        data = bytearray(file.read())
    data[4:8] = struct.pack(f"{order}I", min(size - 8, UNKNOWN_BYTES - 1))
    data[place - 4 : place] = struct.pack(f"{order}I", min(size - place, UNKNOWN_BYTES - 1))
    return io.BytesIO(data)


def _check_sphere(file: Any, path: Path) -> None:
    """Rejects a NIST SPHERE file with fewer samples than its header states."""
    if file.format != "NIST":
        return
    with path.open("rb") as opened:
        stated = re.search(rb"sample_count -i (\d+)", opened.read(1024))
    if stated and file.frames < int(stated[1]):
        raise incomplete(path, f"truncated after {file.frames} of {int(stated[1])} samples")


def _loses_end(file: Any, path: Path) -> bool:
    """Whether libsndfile would stop before the end of an MP3: without a tag it assumes the first bit rate for all."""
    counted = _mp3_samples(str(path), path.stat().st_mtime_ns)
    return counted is not None and counted > file.frames


@functools.lru_cache(64)
def _mp3_samples(path: str, changed: int) -> int | None:
    """The number of samples of an MP3, from the headers of its frames; None if a tag in the first frame states it.

    Args:
        path: the file.
        changed: when it was changed.
    """
    data, offset, count = Path(path).read_bytes(), 0, 0
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


def _check_pages(path: Path) -> None:
    """Rejects an Ogg file without its last page."""
    if not _has_last_page(str(path), path.stat().st_mtime_ns):
        raise incomplete(path, "truncated: the last page is missing, or an earlier page is damaged")


@functools.lru_cache(64)
def _has_last_page(path: str, changed: int) -> bool:
    """Whether the pages of an Ogg file follow each other without a gap, up to a page that is marked as the last."""
    data, offset = Path(path).read_bytes(), 0
    while data[offset : offset + 4] == b"OggS" and offset + 27 <= len(data):
        sizes = data[offset + 27 : offset + 27 + data[offset + 26]]
        last = data[offset + 5] & 4
        offset += 27 + data[offset + 26] + sum(sizes)
        if last:
            return offset <= len(data)
    return False
