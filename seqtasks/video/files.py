"""Sources of clips of video with a class for each, and their frames as arrays.

The input of an example is the path of a clip, a video or an array of frames (`.npy`); its target is the class.
"""

import functools
import itertools
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.sources import TABLES, Columns, Example, Source, suffix_of
from seqtasks.data.splits import Formats, Splits, find_splits
from seqtasks.errors import UserError, needs
from seqtasks.video.decoding import broken, check_file, check_sides, fit, middles, on_screen, opened, span
from seqtasks.video.sample import MOTIONS, TENTHS, moving

ARRAY = ".npy"
VIDEOS = (".mp4", ".avi", ".mov", ".webm", ".mkv", ".gif")
CLIPS = (*VIDEOS, ARRAY)
PATH_NAMES = ("path", "file", "filename", "video", "clip", "video_path", "clip_path", "file_name", "name")
NAMED = 5  # clips that a warning names
DIGITS = {"train": 2048, "validation": 256, "test": 512}  # clips of the built-in data set
DRAWN = re.compile(r"digits:(train|validation|test):([0-9]{1,9})")
DRAWN_TOGETHER = 64  # of them
CUT = re.compile(r"_c[0-9]+$")  # at the end of names in UCF-101: which cut of one recording it is


@dataclass(frozen=True)
class Options:
    """How clips are to be read.

    Args:
        frames: how many a clip has.
        size: height and width of a frame, in pixels.
        every: seconds of a long video that make one clip; None: the whole video is one.
        longest: seconds that a video may last to be one clip.
        columns: how tables are to be read; their text is the path.
    """

    frames: int = 16
    size: int = 64
    every: float | None = None
    longest: float = 600.0
    columns: Columns = field(default_factory=Columns)


def load_splits(data, options=Options(), train=None, valid=None, test=None):
    """The splits of clips.

    A split that is missing is a tenth of train by the hash (`seqtasks.data.splits.part`) of the last folder and the
    name of a clip, where cuts of one recording, as UCF-101 names them (`..._c01.avi`), stay together.

    Args:
        data: a folder with `train`, `valid` and `test`, which are tables or folders with a sub-folder per class; one
            such table or folder; `tfds:ucf101`; or `digits`, moving digits that are drawn when they are read
            (`seqtasks.video.sample.moving`).
        options: see `Options`.
        train, valid, test: paths that take the place of what `data` holds.
    """
    if str(data) == "digits" and not (train or valid or test):
        return Splits(*map(_open_digits, DIGITS))
    return find_splits(data, options, train, valid, test, FORMATS)


def open_clips(path, options=Options()):
    """The source behind a clip, a folder with a sub-folder per class, or a table of paths and labels.

    The paths of a table are relative to its folder. The classes of a folder come mixed, in an order that depends on
    names alone. A clip by itself has the empty target.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read; while reading, at a line of a table that
            names no clip.
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


def read(path, options=Options()):
    """The frames of a clip.

    The clip is cut into `options.frames` equal stretches of time, and the frame on the screen in the middle of each is
    taken; a short clip repeats some. A frame is scaled until its shorter side has `options.size` pixels, with its
    aspect kept (that of its pixels too) and turned upright, and the middle of its longer side is taken.

    Args:
        path: a video; an array of frames (`.npy`), uint8 (time, height, width, 3); or a moving digit by its number,
            `digits:SPLIT:NUMBER`.
        options: see `Options`.

    Returns:
        uint8 array (frames, size, size, 3), red, green, blue.

    Raises:
        UserError: if it is no video, is not complete, lasts longer than `options.longest` seconds, has more than 240
            frames a second or more than 4096 pixels a side. All but the decoding is checked before it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clip.npy"
        >>> np.save(path, np.zeros((30, 4, 4, 3), np.uint8) + np.arange(30, dtype="uint8")[:, None, None, None])
        >>> read(path, Options(frames=3, size=4))[:, 0, 0, 0].tolist()
        [5, 15, 25]
    """
    if drawn := DRAWN.fullmatch(str(path)):
        chunk, place = divmod(int(drawn[2]), DRAWN_TOGETHER)
        return _draw(drawn[1], chunk, options.frames, options.size)[place]
    path = Path(path)
    if suffix_of(path) == ARRAY:
        return _sampled(_array(path), options)
    with opened(path) as (container, stream):
        start, end = span(container, stream, path, options.longest)
        stream.codec_context.thread_count = 1  # clips are decoded side by side
        found = list(on_screen(container, stream, middles(start, end, options.frames), options.size))
    if not found:
        raise broken(path, "no frame can be decoded")
    return np.stack(found)


def clips(path, options=Options()):
    """The clips of a video of any length, one for every `options.every` seconds, decoded as they are asked for.

    What is left at the end is a clip if it lasts at least half as long, or is all there is.

    Args:
        path: the video.
        options: see `Options`; if `every` is None, the video is one clip.

    Yields:
        (second, frames): where in the video the clip begins, and its frames as `read` gives them.

    Raises:
        UserError: as of `read`, but that a video may last as long as it will.
    """
    if options.every is None or suffix_of(path) == ARRAY or DRAWN.fullmatch(str(path)):
        yield 0.0, read(path, options)
        return
    with opened(path) as (container, stream):
        start, end = span(container, stream, path)
        count = max(1, math.floor((end - start) / options.every + 0.5))
        seconds = [k * options.every for k in range(count)]
        bounds = ((start + second, min(start + second + options.every, end)) for second in seconds)
        times = itertools.chain.from_iterable(middles(a, b, options.frames) for a, b in bounds)
        stream.thread_type = "AUTO"
        found = on_screen(container, stream, times, options.size)
        for second in seconds:
            taken = list(itertools.islice(found, options.frames))
            if not taken:
                raise broken(path, "no frame can be decoded")
            yield second, np.stack(taken)


def sample(clips, count, size):
    """What `read` takes of arrays of frames, in the graph, for a batch of clips.

    Clips of `count` frames of `size` pixels stay as they are.

    Args:
        clips: uint8 tensor (batch, time, height, width, 3).
        count: frames to take.
        size: height and width to scale them to.

    Returns:
        uint8 tensor (batch, count, size, size, 3).

    Example:
        >>> frames = np.arange(30, dtype="uint8").reshape(1, 30, 1, 1, 1).repeat(3, -1)
        >>> sample(frames, count=3, size=1)[0, :, 0, 0, 0].numpy().tolist()
        [5, 15, 25]
    """
    import tensorflow as tf

    time, sides = tf.shape(clips)[1], tf.shape(clips)[2:4]
    chosen = tf.gather(clips, time * (2 * tf.range(count) + 1) // (2 * count), axis=1)
    images = tf.reshape(chosen, tf.concat([[-1], sides, [3]], 0))
    scale = size / tf.reduce_min(sides)
    scaled = tf.maximum(tf.cast(tf.round(tf.cast(sides, tf.float64) * scale), tf.int32), size)
    images = tf.image.resize(images, scaled, "area")
    top, left = tf.unstack((scaled - size) // 2)
    images = tf.saturate_cast(tf.round(images[:, top : top + size, left : left + size]), tf.uint8)
    return tf.reshape(images, [-1, count, size, size, 3])


def _open_labelled(path, options):
    if suffix_of(path) in CLIPS:
        remedy = "give a folder with one sub-folder per class, or a table of paths and labels"
        raise UserError("a clip without a class", where=path, remedy=remedy)
    return open_clips(path, options)


def _open_digits(split):
    names = [f"digits:{split}:{number}" for number in range(DIGITS[split])]
    examples = [Example(name, list(MOTIONS)[n % len(MOTIONS)], name) for n, name in enumerate(names)]
    return Source(lambda: iter(examples), f"digits:{split}")


@functools.lru_cache(maxsize=4)
def _draw(split, chunk, frames, size):
    """A chunk of the clips of a split, in the order of their numbers: the motions in turn."""
    found, motions = moving(DRAWN_TOGETHER, (list(TENTHS).index(split), chunk), frames, size, split)
    by_motion = np.argsort([list(MOTIONS).index(motion) for motion in motions], kind="stable")
    return found[by_motion.reshape(len(MOTIONS), -1).T.reshape(-1)]


def _recording(path):
    """What a clip is a cut of.

    Example:
        >>> _recording("UCF-101/Archery/v_Archery_g01_c02.avi"), _recording("run/07.mp4")
        ('Archery/v_Archery_g01', 'run/07')
    """
    return path_sources.recorded(path, CUT)


FORMATS = Formats(_open_labelled, tuple(TABLES), open_tfds, group=_recording, grouped="name")


def _open_folder(folder):
    remedy = f"give a folder with one sub-folder per class and clips that end in {', '.join(CLIPS)}"
    return path_sources.open_labelled(folder, CLIPS, "clip", remedy)


def _open_table(path, options):
    return path_sources.open_paths(path, replace(options.columns, text_names=PATH_NAMES), CLIPS, "clip")


def _array(path):
    check_file(path)
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"no array ({error})", where=path, remedy="write it by numpy.save") from None
    if found.dtype != np.uint8 or found.ndim != 4 or found.shape[-1] != 3 or 0 in found.shape:
        remedy = "give uint8 (time, height, width, 3)"
        raise UserError(f"an array {found.dtype} {found.shape}", where=path, remedy=remedy)
    check_sides(path, *found.shape[1:3])
    return found


def _sampled(frames, options):
    """What `read` takes of an array (time, height, width, 3)."""
    chosen = np.asarray(frames[[int(time) for time in middles(0, len(frames), options.frames)]])
    if chosen.shape[1:3] == (options.size, options.size):
        return chosen
    needs("av", extra="video")
    import av

    reformatter = av.video.reformatter.VideoReformatter()
    frames = (av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24") for frame in chosen)
    return np.stack([fit(frame, options.size, reformatter) for frame in frames])
