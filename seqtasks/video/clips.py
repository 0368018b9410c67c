"""Clips as arrays of frames: videos, folders of pictures, arrays in files and in memory, and moving digits.

A clip is named by a path. `a.mp4#t=1.5,3` is a segment of it, in seconds.
"""

import contextlib
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data import memory
from seqtasks.data.media_segments import segment_of
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError, needs
from seqtasks.video import pictures
from seqtasks.video.decoding import (
    check_file,
    check_sides,
    crop_and_scale,
    frames_at,
    invalid_video,
    middles,
    open_range,
    segment_bounds,
)
from seqtasks.video.sample import MOTIONS, TENTHS, moving_digits

if TYPE_CHECKING:
    import tensorflow as tf

ARRAY = ".npy"
VIDEOS = (
    ".mp4", ".m4v", ".avi", ".mov", ".webm", ".mkv", ".gif", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".3gp", ".wmv",
    ".flv", ".ogv",
)  # fmt: skip
CLIPS = (*VIDEOS, ARRAY)
DIGITS_NAME = re.compile(r"digits:(train|validation|test):([0-9]{1,9})")
DIGITS_CHUNK = 64  # clips that are generated at once
SHAPE = "give frames as (time, height, width, 3), uint8, or floats from 0 to 1 or from 0 to 255"
SLIGHT = 1e-3  # of a frame; times are rounded


@dataclass(frozen=True)
class Options:
    """How clips are read.

    Args:
        frames: number of frames of a clip.
        size: height and width of a frame, in pixels.
        clip_seconds: seconds of a long clip that are answered together; None: the whole clip.
        max_seconds: longest duration of a clip, or of a segment.
        frame_rate: frames per second of arrays and of folders of pictures.
    """

    frames: int = 16
    size: int = 64
    clip_seconds: float | None = None
    max_seconds: float = 600.0
    frame_rate: float = 25.0


def read(clip: str | Path | np.ndarray, options: Options = Options()) -> np.ndarray:
    """The frames of a clip.

    The clip is divided into `options.frames` equal intervals of time, and the frame on the screen in the middle of each
    is taken; a short clip repeats frames. A frame is turned upright and scaled until its shorter side has
    `options.size` pixels, with its aspect ratio (and that of its pixels) kept; then its centre is cropped.

    Args:
        clip: the path of a video, of a folder of pictures, or of an array (`.npy`), each also with a segment such as
            `#t=1.5,3`; an array (time, height, width, 3), or the name of one (`seqtasks.data.memory.keep_array`); or a
            moving digit by its number, `digits:SPLIT:NUMBER`.
        options: how clips are read.

    Returns:
        uint8 array (frames, size, size, 3), RGB.

    Raises:
        UserError: if the clip is not complete, lasts longer than `options.max_seconds`, or has more than 240 frames per
            second or 4096 pixels a side. For videos these are checked before frames are decoded.

    Example:
        >>> frames = np.zeros((30, 4, 4, 3), np.uint8) + np.arange(30, dtype="uint8")[:, None, None, None]
        >>> read(frames, Options(frames=3, size=4))[:, 0, 0, 0].tolist()
        [5, 15, 25]
    """
    if isinstance(clip, np.ndarray):
        return take_frames(checked_frames(clip, "frames"), options)
    if (kept := memory.array_of(str(clip))) is not None:
        return read(kept, options)
    if digits := DIGITS_NAME.fullmatch(str(clip)):
        chunk, row = divmod(int(digits[2]), DIGITS_CHUNK)
        return _moving_digits(digits[1], chunk, options.frames, options.size)[row]
    with _opened(clip, options) as (start, end, shown):
        if end - start > options.max_seconds:
            remedy = "cut it into clips, or raise --max_seconds"
            raise UserError(f"lasts longer than {options.max_seconds:g} seconds", where=clip, remedy=remedy)
        return _stacked(shown(middles(start, end, options.frames)), clip)


def clips(path: str | Path, options: Options = Options()) -> Iterator[tuple[float, np.ndarray]]:
    """The parts of a clip of any length, one per `options.clip_seconds`, decoded lazily.

    The rest at the end is a part if it lasts at least half as long, or if it is the whole clip.

    Args:
        path: the clip, as `read` takes it.
        options: how clips are read; if `clip_seconds` is None, there is one part.

    Yields:
        (second, frames): where the part begins in the clip, and its frames as `read` returns them.

    Raises:
        UserError: as `read` does, but a clip that is divided may have any duration.
    """
    if options.clip_seconds is None or DIGITS_NAME.fullmatch(str(path)) or memory.array_of(str(path)) is not None:
        yield 0.0, read(path, options)
        return
    with _opened(path, options, threads="AUTO") as (start, end, shown):
        count = max(1, math.floor((end - start) / options.clip_seconds + 0.5))
        seconds = [k * options.clip_seconds for k in range(count)]
        bounds = [(start + second, min(start + second + options.clip_seconds, end)) for second in seconds]
        decoded = shown(itertools.chain.from_iterable(middles(a, b, options.frames) for a, b in bounds))
        for second in seconds:
            yield second, _stacked(itertools.islice(decoded, options.frames), path)


Shown = Callable[[Iterable[float]], Iterator[np.ndarray]]


@contextlib.contextmanager
def _opened(clip: str | Path, options: Options, threads: str = "") -> Iterator[tuple[float, float, Shown]]:
    """Opens a file or a folder: its start and end in seconds, and a function that gives the frames of some times."""
    name, begin, finish = segment_of(str(clip))
    path = Path(name)
    if suffix_of(path) != ARRAY and not path.is_dir():
        with open_range(path, begin, finish) as (container, stream, start, end):
            if threads:
                stream.thread_type = threads
            else:
                stream.codec_context.thread_count = 1  # several clips are decoded in parallel
            yield start, end, lambda times: frames_at(container, stream, times, options.size)
        return
    if path.is_dir():
        files = pictures.pictures_in(path)
        if not files:
            remedy = "give a clip; all clips in a folder are answered by --input FOLDER"
            raise UserError("a folder without pictures", where=path, remedy=remedy)
        count, picture = len(files), lambda number: pictures.read_picture(files[number], options.size)
    else:
        frames = _array(path)
        count, picture = len(frames), lambda number: checked_frames(frames[number : number + 1], path)[0]
    start, end = segment_bounds(0.0, count / options.frame_rate, begin, finish, path)

    def shown(times: Iterable[float]) -> Iterator[np.ndarray]:
        numbers = (min(int(time * options.frame_rate + SLIGHT), count - 1) for time in times)
        for number, same in itertools.groupby(numbers):
            frame = scaled(picture(number)[None], options.size)[0]
            yield from (frame for _ in same)

    yield start, end, shown


def _stacked(frames: Iterable[np.ndarray], clip: str | Path) -> np.ndarray:
    found = list(frames)
    if not found:
        raise invalid_video(clip, "no frame can be decoded")
    return np.stack(found)


def sample(clips: "tf.Tensor", count: int, size: int) -> "tf.Tensor":
    """Samples and scales the frames of a batch of clips as `read` does for arrays, in the graph.

    Clips of `count` frames of `size` pixels are unchanged. Clips without a frame or a pixel are an error.

    Args:
        clips: uint8 tensor (batch, time, height, width, 3).
        count: number of frames to take.
        size: height and width of the result, in pixels.

    Returns:
        uint8 tensor (batch, count, size, size, 3).

    Example:
        >>> frames = np.arange(30, dtype="uint8").reshape(1, 30, 1, 1, 1).repeat(3, -1)
        >>> sample(frames, count=3, size=1)[0, :, 0, 0, 0].numpy().tolist()
        [5, 15, 25]
    """
    import tensorflow as tf

    message = "frames: a clip without frames or pixels; give (batch, time, height, width, 3) of at least 1 each"
    with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(clips)[1:4], message=message)]):
        clips = tf.identity(clips)
    time, sides = tf.shape(clips)[1], tf.shape(clips)[2:4]
    frames = tf.gather(clips, time * (2 * tf.range(count) + 1) // (2 * count), axis=1)
    images = tf.reshape(frames, tf.concat([[-1], sides, [3]], 0))  # (batch * count, height, width, 3)
    scale = size / tf.reduce_min(sides)
    wanted = tf.maximum(tf.cast(tf.round(tf.cast(sides, tf.float64) * scale), tf.int32), size)
    images = tf.image.resize(images, wanted, "area")
    top, left = tf.unstack((wanted - size) // 2)
    images = tf.saturate_cast(tf.round(images[:, top : top + size, left : left + size]), tf.uint8)
    return tf.reshape(images, [-1, count, size, size, 3])


def checked_frames(frames: np.ndarray, where: str | Path) -> np.ndarray:
    """An array of frames as uint8.

    Args:
        frames: (time, height, width, 3), or one channel of grey; uint8, or floats from 0 to 1 or from 0 to 255.
        where: its name, for messages.

    Raises:
        UserError: if it has another shape or type, or values out of range.

    Example:
        >>> checked_frames(np.full((1, 1, 1, 3), 0.5), "frames").ravel().tolist()
        [128, 128, 128]
    """
    _check_shape(frames, where)
    if frames.dtype != np.uint8:
        low, high = float(frames.min()), float(frames.max())
        if not (low >= 0 and high <= 255):
            raise UserError(f"values from {low:g} to {high:g}", where=where, remedy=SHAPE)
        whole = frames.dtype.kind in "iu" or high > 1
        frames = np.rint(frames * (1 if whole else 255)).astype("uint8")
    return frames if frames.shape[-1] == 3 else frames.repeat(3, -1)


def take_frames(frames: np.ndarray, options: Options) -> np.ndarray:
    """The frames of an array that are the clip, scaled.

    Args:
        frames: uint8 array (time, height, width, 3).
        options: how clips are read.

    Returns:
        uint8 array (frames, size, size, 3).
    """
    numbers = (int(time + SLIGHT) for time in middles(0, len(frames), options.frames))
    return scaled(np.asarray(frames[list(numbers)]), options.size)


def scaled(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames, uint8 (time, height, width, 3), of which the central square has `size` pixels a side."""
    if frames.shape[1:3] == (size, size):
        return frames
    needs("av", extra="video")
    import av

    reformatter = av.video.reformatter.VideoReformatter()
    images = (av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24") for frame in frames)
    return np.stack([crop_and_scale(image, size, reformatter) for image in images])


def _check_shape(frames: np.ndarray, where: str | Path) -> None:
    usual = frames.ndim == 4 and frames.shape[-1] in (1, 3) and 0 not in frames.shape
    if not usual or frames.dtype.kind not in "fiu":
        raise UserError(f"an array {frames.dtype} {frames.shape}", where=where, remedy=SHAPE)
    check_sides(where, *frames.shape[1:3])


def _array(path: Path) -> np.ndarray:
    """The frames in a `.npy` file, memory-mapped if they are uint8."""
    check_file(path)
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"not an array ({error})", where=path, remedy="write it with numpy.save") from None
    _check_shape(frames, path)
    return frames if frames.dtype == np.uint8 else checked_frames(frames, path)


@functools.lru_cache(maxsize=4)
def _moving_digits(split: str, chunk: int, frames: int, size: int) -> Any:
    """A chunk of the clips of a split in the order of their numbers, which take the motions in turn."""
    clips, motions = moving_digits(DIGITS_CHUNK, (list(TENTHS).index(split), chunk), frames, size, split)
    by_motion = np.argsort([list(MOTIONS).index(motion) for motion in motions], kind="stable")
    return clips[by_motion.reshape(len(MOTIONS), -1).T.reshape(-1)]
