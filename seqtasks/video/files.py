"""Sources of labelled video clips, and reading of their frames as arrays.

The input of an example is the path of a clip, which is a video or an array of frames (`.npy`); its target is the class.
"""

import functools
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.sources import TABLES, Columns, Example, Source, suffix_of
from seqtasks.data.splits import Formats, Splits, find_splits
from seqtasks.errors import UserError, needs
from seqtasks.video.decoding import (
    check_file,
    check_sides,
    crop_and_scale,
    frames_at,
    invalid_video,
    middles,
    open_video,
    time_range,
)
from seqtasks.video.sample import MOTIONS, TENTHS, moving_digits

if TYPE_CHECKING:
    import tensorflow as tf

ARRAY = ".npy"
VIDEOS = (".mp4", ".avi", ".mov", ".webm", ".mkv", ".gif")
CLIPS = (*VIDEOS, ARRAY)
PATH_NAMES = ("path", "file", "filename", "video", "clip", "video_path", "clip_path", "file_name", "name")
DIGITS = {"train": 2048, "validation": 256, "test": 512}  # clips of the built-in data set
DIGITS_NAME = re.compile(r"digits:(train|validation|test):([0-9]{1,9})")
DIGITS_CHUNK = 64  # clips that are generated at once
CUT = re.compile(r"_c[0-9]+$")  # end of the names in UCF-101: the number of the cut of a recording


@dataclass(frozen=True)
class Options:
    """How clips are read.

    Args:
        frames: number of frames of a clip.
        size: height and width of a frame, in pixels.
        clip_seconds: seconds of a long video that form one clip; None: the whole video is one clip.
        max_seconds: longest duration of a video that is one clip.
        columns: how tables are read; their text column holds the path.
    """

    frames: int = 16
    size: int = 64
    clip_seconds: float | None = None
    max_seconds: float = 600.0
    columns: Columns = field(default_factory=Columns)


def load_splits(
    data: str | Path | None,
    options: Options = Options(),
    train: str | Path | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
) -> Splits:
    """The splits of a data set of clips.

    A missing split is a tenth of train by the hash (`seqtasks.data.splits.part`) of the last folder and the name of a
    clip. Cuts of one recording, as UCF-101 names them (`..._c01.avi`), stay in one split.

    Args:
        data: a folder with `train`, `valid` and `test`, which are tables or folders with a sub-folder per class; one
            such table or folder; `tfds:ucf101`; or `digits`, moving digits that are generated when they are read
            (`seqtasks.video.sample.moving_digits`).
        options: how clips are read.
        train, valid, test: paths that replace the splits of `data`.

    Raises:
        UserError: if there is nothing to train on, or nothing that can be read.
    """
    if str(data) == "digits" and not (train or valid or test):
        return Splits(*map(_open_digits, DIGITS))
    return find_splits(data, options, train, valid, test, FORMATS)


def open_clips(path: str | Path, options: Options = Options()) -> Source:
    """Opens a clip, a folder with a sub-folder per class, or a table of paths and labels as a source of examples.

    The paths of a table are relative to its folder. The clips of a folder are in an order that mixes the classes and
    depends on names only. The target of a single clip is empty.

    Args:
        path: the clip, folder or table.
        options: how clips are read.

    Raises:
        UserError: if `path` does not exist, has no clips or an unknown format; while reading, if a line of a table
            does not name a clip.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    suffix = suffix_of(path)
    if suffix in TABLES:
        return _open_table(path, options)
    check_file(path)
    if suffix in CLIPS:
        return Source(lambda: iter([Example(str(path), "", str(path))]), str(path), path.stat().st_size)
    remedy = f"files end in {', '.join((*CLIPS, *TABLES))}; or give a folder with one sub-folder per class"
    raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with a video and a class for each example, like `ucf101`.

    The first call writes the clips as arrays, and a table of them, into the folder `clips_FRAMESxSIZE/` of the data
    set: a clip takes half a millisecond to read, and 200 kB at 16 frames of 64 pixels.

    Args:
        name: as `tfds.load` takes it, e.g. `ucf101/ucf101_1`.
        split: e.g. `train`.
        options: see `Options`.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there is no video or no class.
    """
    data = tfds.open_dataset(name, split, **loading)
    videos, labels = (data.features_of_type(kind) for kind in ("Video", "ClassLabel"))
    if not (videos and labels):
        raise data.no_feature("video and class")
    video, label = videos[0], labels[0]
    folder = Path(data.info.data_dir) / f"clips_{options.frames}x{options.size}" / split
    table = folder / "clips.csv"
    if not table.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [("path", "label")]
        for number, record in data.records():
            np.save(folder / f"{number:06}{ARRAY}", _sampled(record[video], options))
            rows.append((f"{number:06}{ARRAY}", data.features[label].int2str(int(record[label]))))
        path_sources.write_table(table, rows)
    return _open_table(table, Options())


def read(path: str | Path, options: Options = Options()) -> np.ndarray:
    """The frames of a clip.

    The clip is divided into `options.frames` equal intervals of time, and the frame on the screen in the middle of each
    is taken; a short clip repeats frames. A frame is turned upright and scaled until its shorter side has
    `options.size` pixels, with its aspect ratio (and that of its pixels) kept; then its centre is cropped.

    Args:
        path: a video; an array of frames (`.npy`), uint8 (time, height, width, 3); or a moving digit by its number,
            `digits:SPLIT:NUMBER`.
        options: how clips are read.

    Returns:
        uint8 array (frames, size, size, 3), RGB.

    Raises:
        UserError: if the file is not a complete video, lasts longer than `options.max_seconds`, or has more than 240
            frames per second or 4096 pixels a side. These are checked before frames are decoded.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clip.npy"
        >>> np.save(path, np.zeros((30, 4, 4, 3), np.uint8) + np.arange(30, dtype="uint8")[:, None, None, None])
        >>> read(path, Options(frames=3, size=4))[:, 0, 0, 0].tolist()
        [5, 15, 25]
    """
    if digits := DIGITS_NAME.fullmatch(str(path)):
        chunk, row = divmod(int(digits[2]), DIGITS_CHUNK)
        return _moving_digits(digits[1], chunk, options.frames, options.size)[row]
    path = Path(path)
    if suffix_of(path) == ARRAY:
        return _sampled(_array(path), options)
    with open_video(path) as (container, stream):
        start, end = time_range(container, stream, path, options.max_seconds)
        stream.codec_context.thread_count = 1  # several clips are decoded in parallel
        frames = list(frames_at(container, stream, middles(start, end, options.frames), options.size))
    if not frames:
        raise invalid_video(path, "no frame can be decoded")
    return np.stack(frames)


def clips(path: str | Path, options: Options = Options()) -> Iterator[tuple[float, np.ndarray]]:
    """The clips of a video of any length, one per `options.clip_seconds`, decoded lazily.

    The rest at the end is a clip if it lasts at least half as long, or if it is the whole video.

    Args:
        path: the video.
        options: how clips are read; if `clip_seconds` is None, the video is one clip.

    Yields:
        (second, frames): where the clip begins in the video, and its frames as `read` returns them.

    Raises:
        UserError: as `read` does, but a video divided into clips may have any duration.
    """
    if options.clip_seconds is None or suffix_of(path) == ARRAY or DIGITS_NAME.fullmatch(str(path)):
        yield 0.0, read(path, options)
        return
    with open_video(path) as (container, stream):
        start, end = time_range(container, stream, path)
        count = max(1, math.floor((end - start) / options.clip_seconds + 0.5))
        seconds = [k * options.clip_seconds for k in range(count)]
        bounds = [(start + second, min(start + second + options.clip_seconds, end)) for second in seconds]
        times = itertools.chain.from_iterable(middles(a, b, options.frames) for a, b in bounds)
        stream.thread_type = "AUTO"
        decoded = frames_at(container, stream, times, options.size)
        for second in seconds:
            frames = list(itertools.islice(decoded, options.frames))
            if not frames:
                raise invalid_video(path, "no frame can be decoded")
            yield second, np.stack(frames)


def sample(clips: "tf.Tensor", count: int, size: int) -> "tf.Tensor":
    """Samples and scales the frames of a batch of clips as `read` does for arrays, in the graph.

    Clips of `count` frames of `size` pixels are unchanged.

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

    time, sides = tf.shape(clips)[1], tf.shape(clips)[2:4]
    frames = tf.gather(clips, time * (2 * tf.range(count) + 1) // (2 * count), axis=1)
    images = tf.reshape(frames, tf.concat([[-1], sides, [3]], 0))  # (batch * count, height, width, 3)
    scale = size / tf.reduce_min(sides)
    scaled = tf.maximum(tf.cast(tf.round(tf.cast(sides, tf.float64) * scale), tf.int32), size)
    images = tf.image.resize(images, scaled, "area")
    top, left = tf.unstack((scaled - size) // 2)
    images = tf.saturate_cast(tf.round(images[:, top : top + size, left : left + size]), tf.uint8)
    return tf.reshape(images, [-1, count, size, size, 3])


def _open_labelled(path: str | Path, options: Options) -> Source:
    if suffix_of(path) in CLIPS:
        remedy = "give a folder with one sub-folder per class, or a table of paths and labels"
        raise UserError("a clip without a class", where=path, remedy=remedy)
    return open_clips(path, options)


def _open_digits(split: str) -> Source:
    names = [f"digits:{split}:{number}" for number in range(DIGITS[split])]
    examples = [Example(name, list(MOTIONS)[n % len(MOTIONS)], name) for n, name in enumerate(names)]
    return Source(lambda: iter(examples), f"digits:{split}")


@functools.lru_cache(maxsize=4)
def _moving_digits(split: str, chunk: int, frames: int, size: int) -> np.ndarray:
    """A chunk of the clips of a split in the order of their numbers, which take the motions in turn."""
    clips, motions = moving_digits(DIGITS_CHUNK, (list(TENTHS).index(split), chunk), frames, size, split)
    by_motion = np.argsort([list(MOTIONS).index(motion) for motion in motions], kind="stable")
    return clips[by_motion.reshape(len(MOTIONS), -1).T.reshape(-1)]


def _recording(path: str) -> str:
    """Folder and name of the recording from which a clip was cut.

    Example:
        >>> _recording("UCF-101/Archery/v_Archery_g01_c02.avi"), _recording("run/07.mp4")
        ('Archery/v_Archery_g01', 'run/07')
    """
    return path_sources.recorded(path, CUT)


FORMATS = Formats(_open_labelled, tuple(TABLES), open_tfds, group=_recording, grouped="name")


def _open_folder(folder: Path) -> Source:
    remedy = f"give a folder with one sub-folder per class and clips that end in {', '.join(CLIPS)}"
    return path_sources.open_labelled(folder, CLIPS, "clip", remedy)


def _open_table(path: Path, options: Options) -> Source:
    return path_sources.open_paths(path, replace(options.columns, text_names=PATH_NAMES), CLIPS, "clip")


def _array(path: Path) -> np.ndarray:
    """The frames in a `.npy` file, memory-mapped: uint8 (time, height, width, 3)."""
    check_file(path)
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"not an array ({error})", where=path, remedy="write it with numpy.save") from None
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        remedy = "give uint8 (time, height, width, 3)"
        raise UserError(f"an array {frames.dtype} {frames.shape}", where=path, remedy=remedy)
    check_sides(path, *frames.shape[1:3])
    return frames


def _sampled(frames: np.ndarray, options: Options) -> np.ndarray:
    """The frames that `read` returns for an array (time, height, width, 3)."""
    chosen = np.asarray(frames[[int(time) for time in middles(0, len(frames), options.frames)]])
    if chosen.shape[1:3] == (options.size, options.size):
        return chosen
    needs("av", extra="video")
    import av

    reformatter = av.video.reformatter.VideoReformatter()
    images = (av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24") for frame in chosen)
    return np.stack([crop_and_scale(image, options.size, reformatter) for image in images])
