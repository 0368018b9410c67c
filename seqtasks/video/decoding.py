"""Decoding of the frames of videos, by PyAV."""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqtasks.errors import UserError, needs

# names of containers in FFmpeg; no playlists, which refer to other files
CONTAINERS = "mov,mp4,avi,matroska,webm,gif,mpegts,mpeg,flv,asf,ogg"
STREAMS = ("mpegts", "mpeg")  # containers without an index, in which a time cannot be found exactly
MAX_SIDE = 4096  # pixels
MAX_RATE = 240  # frames per second, on average
ROUNDING = 0.001  # seconds; some containers round times to milliseconds
BEFORE = 1.0  # seconds before a segment at which decoding begins: times of packets are those of decoding


@contextlib.contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Opens a video; errors of FFmpeg inside the block are raised as `UserError`.

    Args:
        path: the file.

    Yields:
        (container, stream): the PyAV container and its video stream.

    Raises:
        UserError: if the package av is missing, the file is missing, empty or not a video, or its frames are too large.
    """
    needs("av", extra="video")
    import av

    check_file(path)
    try:
        with av.open(str(path), options={"format_whitelist": CONTAINERS}) as container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                raise invalid_video(path, "no video stream that can be decoded")
            check_sides(path, stream.width, stream.height)
            yield container, stream
    except av.error.FFmpegError as error:
        raise invalid_video(path, f"cannot be read as a video ({error.strerror})") from None


class Video(NamedTuple):
    """A video that has been opened, ready to be decoded from its start.

    Args:
        container, stream: the PyAV container and its video stream.
        start, end: the times in seconds between which it is shown.
    """

    container: Any
    stream: Any
    start: float
    end: float


@contextlib.contextmanager
def open_range(path: str | Path, begin: float = 0.0, finish: float | None = None) -> Iterator[Video]:
    """Opens a video, or a segment of it.

    Args:
        path: the file.
        begin, finish: the segment in seconds from the start of the video; None is the end of the video.

    Yields:
        The `Video`, whose times are those of the segment.

    Raises:
        UserError: as `open_video` and `time_range` do, or if the segment begins after the end of the video.
    """
    with contextlib.ExitStack() as stack:
        container, stream = stack.enter_context(open_video(path))
        first, last = time_range(container, stream, path)
        start, end = segment_bounds(first, last, begin, finish, path)
        if container.format.name in STREAMS:
            stack.pop_all().close()
            with open_video(path) as (container, stream):
                yield Video(container, stream, start, end)
            return
        earliest = container.start_time or 0
        container.seek(max(earliest, math.floor((start - BEFORE) * 1e6)) if begin else earliest)
        yield Video(container, stream, start, end)


def segment_bounds(
    start: float, end: float, begin: float, finish: float | None, path: str | Path
) -> tuple[float, float]:
    """The times of a segment of a clip.

    Args:
        start, end: the times of the clip.
        begin, finish: the segment in seconds from the start of the clip; None is the end of the clip.
        path: the file, for the message.

    Raises:
        UserError: if the segment begins after the end of the clip.

    Example:
        >>> segment_bounds(10, 14, 1, 2, "a.mp4"), segment_bounds(10, 14, 1, None, "a.mp4")
        ((11, 12), (11, 14))
    """
    if begin and start + begin >= end:
        what = f"the segment begins at {begin:g} seconds, but the clip lasts {end - start:.2f}"
        raise UserError(what, where=path, remedy="give seconds from the start of the file")
    return start + begin, end if finish is None else min(end, start + finish)


def time_range(container: Any, stream: Any, path: str | Path) -> tuple[float, float]:
    """The times at which a video starts and ends, from its packets, without decoding them.

    Packets that an edit list hides, and those before the first frame that can be decoded, do not count.

    Args:
        container, stream: the video, from `open_video`; afterwards it is at its end.
        path: the file, for messages.

    Returns:
        (start, end) in seconds.

    Raises:
        UserError: if the video has more than 240 frames per second, or ends before its stated duration.
    """
    count, start, last, keyed = 0, math.inf, -math.inf, False
    final = -math.inf, 0.0  # time and duration of the frame that is shown last
    usual = float(1 / stream.average_rate) if stream.average_rate else 0.0
    for packet in container.demux([*container.streams.video, *container.streams.audio]):
        timestamp = packet.dts if packet.pts is None else packet.pts
        if timestamp is None:
            continue
        own = packet.stream_index == stream.index
        time, duration = (float(t * packet.time_base) for t in (timestamp, packet.duration or 0))
        last = max(last, time + duration)
        if own and packet.is_keyframe and not keyed:
            count, start, final, keyed = 0, math.inf, (-math.inf, 0.0), True
        if own and not packet.is_discard:
            count, start, final = count + 1, min(start, time), max(final, (time, duration or usual))
    if count == 0:
        raise invalid_video(path, "no frames")
    end = sum(final)  # packets come in the order of decoding, not of presentation
    if count > MAX_RATE * max(1, end - start):
        remedy = "convert it to fewer"
        raise UserError(f"more than {MAX_RATE} frames per second", where=path, remedy=remedy)
    stated = (container.duration or 0) / 1e6  # some containers count it from zero, whatever the start time
    if container.format.name == "avi" and stream.average_rate:
        stated = float(stream.frames / stream.average_rate)  # FFmpeg derives the duration from the size of the file
    if last < stated - max(0.5, 0.05 * stated):
        raise invalid_video(path, f"ends after {last:.1f} of {stated:.1f} seconds")
    return start, end


def middles(start: float, end: float, count: int) -> Iterator[float]:
    """The middles of `count` equal intervals of time.

    Args:
        start, end: the whole interval.
        count: number of intervals.

    Example:
        >>> list(middles(1, 2, 2))
        [1.25, 1.75]
    """
    return (start + (end - start) * (i + 0.5) / count for i in range(count))


def frames_at(container: Any, stream: Any, times: Iterable[float], size: int) -> Iterator[np.ndarray]:
    """Decodes the frames that are on the screen at some times.

    Args:
        container, stream: the video, from `open_video`.
        times: seconds, in ascending order. After the end of the video the last frame stays on the screen.
        size: height and width of a frame, in pixels.

    Yields:
        A frame for each time, as `crop_and_scale` returns it, decoded lazily; none if no frame can be decoded.
    """
    from av.video.reformatter import VideoReformatter

    reformatter, aspect = VideoReformatter(), float(stream.sample_aspect_ratio or 1)
    frames = (frame for frame in container.decode(stream) if frame.time is not None)
    current, upcoming = next(frames, None), next(frames, None)
    if current is None:
        return
    for time in times:
        while upcoming is not None and upcoming.time <= time + ROUNDING:
            current, upcoming = upcoming, next(frames, None)
        yield crop_and_scale(current, size, reformatter, aspect)


def crop_and_scale(frame: Any, size: int, reformatter: Any, aspect: float = 1.0) -> np.ndarray:
    """The central square of a frame, scaled and turned upright.

    Args:
        frame: `av.VideoFrame`.
        size: side of the square in pixels; the shorter side of the frame is scaled to it.
        reformatter: `av.video.reformatter.VideoReformatter`, which can be shared by frames of the same format.
        aspect: width of the pixels of the frame divided by their height.

    Returns:
        uint8 array (size, size, 3), RGB.
    """
    sides = frame.width * aspect, frame.height
    width, height = (max(size, round(side * size / min(sides))) for side in sides)
    scaled = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1).to_ndarray()
    top, left = (height - size) // 2, (width - size) // 2
    return np.rot90(scaled[top : top + size, left : left + size], frame.rotation // 90)


def invalid_video(path: str | Path, what: str) -> UserError:
    """The error for a video that is not complete."""
    return UserError(what, where=path, remedy="give a complete video")


def check_file(path: str | Path) -> None:
    """Checks that a file exists and is not empty.

    Raises:
        UserError: if it does not exist or is empty.

    Example:
        >>> check_file("no/such.mp4")
        Traceback (most recent call last):
        seqtasks.errors.UserError: no/such.mp4: no such file; check the path
    """
    if not Path(path).is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if Path(path).stat().st_size == 0:
        raise invalid_video(path, "the file is empty")


def check_sides(path: str | Path, *sides: int) -> None:
    """Checks that frames have at most 4096 pixels a side.

    Args:
        path: the file, for messages.
        sides: height and width in pixels.

    Raises:
        UserError: if a side is larger.

    Example:
        >>> check_sides("wide.mp4", 8192, 16)
        Traceback (most recent call last):
        seqtasks.errors.UserError: wide.mp4: 8192 x 16 pixels, more than 4096 a side; scale it down
    """
    if max(sides) > MAX_SIDE:
        what = f"{' x '.join(map(str, sides))} pixels, more than {MAX_SIDE} a side"
        raise UserError(what, where=path, remedy="scale it down")
