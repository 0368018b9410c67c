"""Frames of videos, by PyAV."""

import contextlib
import math
from pathlib import Path

import numpy as np

from seqtasks.errors import UserError, needs

CONTAINERS = "mov,mp4,avi,matroska,webm,gif"  # as FFmpeg names them; no playlists, which lead to other files
LARGEST = 4096  # pixels a side
FASTEST = 240  # frames a second, on average
ROUNDING = 0.001  # seconds; some containers keep times to the millisecond


@contextlib.contextmanager
def opened(path):
    """The container of a video and its stream of frames; what FFmpeg finds wrong with them is a `UserError`."""
    needs("av", extra="video")
    import av

    check_file(path)
    try:
        with av.open(str(path), options={"format_whitelist": CONTAINERS}) as container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                raise broken(path, "no video in it that can be decoded")
            check_sides(path, stream.width, stream.height)
            yield container, stream
    except av.error.FFmpegError as error:
        raise broken(path, f"cannot be read as a video ({error.strerror})") from None


def span(container, stream, path, longest=None):
    """The seconds at which a video begins and ends, by its packets, of which none is decoded.

    Args:
        container, stream: the video, as `opened` gives it; afterwards it stands at its beginning.
        path: for messages.
        longest: seconds that it may last; None: as long as it will.

    Raises:
        UserError: if it lasts longer, has more than 240 frames a second, or breaks off before its stated end.
    """
    count, start, final, last = 0, math.inf, (-math.inf, 0), -math.inf
    for packet in container.demux([*container.streams.video, *container.streams.audio]):
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            continue
        time, lasts = (float(t * packet.time_base) for t in (time, packet.duration or 0))
        last = max(last, time + lasts)
        if packet.stream_index == stream.index:
            count, start, final = count + 1, min(start, time), max(final, (time, lasts))
            end = sum(final)  # of the frame shown last: durations are of the order in which frames are decoded
            if longest is not None and end - start > longest:
                remedy = "cut it into clips, or allow more"
                raise UserError(f"lasts longer than {longest:g} seconds", where=path, remedy=remedy)
    if count == 0:
        raise broken(path, "no frames")
    if count > FASTEST * max(1, end - start):
        raise UserError(f"more than {FASTEST} frames a second", where=path, remedy="give fewer")
    stated = (container.duration or 0) / 1e6  # in some containers from zero on, whenever the video begins
    if container.format.name == "avi" and stream.average_rate:
        stated = float(stream.frames / stream.average_rate)  # its duration is guessed from what there is of the file
    if last < stated - max(0.5, 0.05 * stated):
        raise broken(path, f"breaks off after {last:.1f} of {stated:.1f} seconds")
    container.seek(container.start_time or 0)
    return start, end


def middles(start, end, count):
    """The middles of `count` equal stretches of time.

    Example:
        >>> list(middles(1, 2, 2))
        [1.25, 1.75]
    """
    return (start + (end - start) * (i + 0.5) / count for i in range(count))


def on_screen(container, stream, times, size):
    """The frame that is on the screen at each of `times`, which ascend: arrays as of `fit`, made as they are asked for.

    The last frame stays on. Nothing comes if no frame can be decoded.
    """
    from av.video.reformatter import VideoReformatter

    reformatter, times = VideoReformatter(), iter(times)
    aspect, due, shown = float(stream.sample_aspect_ratio or 1), next(times), None
    for frame in (f for f in container.decode(stream) if f.time is not None):
        while shown is not None and frame.time > due + ROUNDING:
            yield fit(shown, size, reformatter, aspect)
            if (due := next(times, None)) is None:
                return
        shown = frame
    while shown is not None and due is not None:
        yield fit(shown, size, reformatter, aspect)
        due = next(times, None)


def fit(frame, size, reformatter, aspect=1):
    """The middle square of a frame, turned upright and scaled.

    Args:
        frame: `av.VideoFrame`.
        size: pixels a side of the square; the shorter side of the frame is scaled to it.
        reformatter: `av.video.reformatter.VideoReformatter`, which may be used again for frames alike.
        aspect: width of the frame's pixels over their height.

    Returns:
        uint8 array (size, size, 3), red, green, blue.
    """
    sides = frame.width * aspect, frame.height
    width, height = (max(size, round(side * size / min(sides))) for side in sides)
    scaled = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1).to_ndarray()
    top, left = (height - size) // 2, (width - size) // 2
    return np.rot90(scaled[top : top + size, left : left + size], frame.rotation // 90)


def broken(path, what):
    """The fault of a video that is not whole."""
    return UserError(what, where=path, remedy="give a complete video")


def check_file(path):
    """Refuse a path where nothing is.

    Example:
        >>> check_file("no/such.mp4")
        Traceback (most recent call last):
        seqtasks.errors.UserError: no/such.mp4: no such file; check the path
    """
    if not Path(path).is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if Path(path).stat().st_size == 0:
        raise broken(path, "the file is empty")


def check_sides(path, *sides):
    """Refuse frames of more than 4096 pixels a side.

    Example:
        >>> check_sides("wide.mp4", 8192, 16)
        Traceback (most recent call last):
        seqtasks.errors.UserError: wide.mp4: 8192 x 16 pixels, more than 4096 a side; scale it down
    """
    if max(sides) > LARGEST:
        what = f"{' x '.join(map(str, sides))} pixels, more than {LARGEST} a side"
        raise UserError(what, where=path, remedy="scale it down")
