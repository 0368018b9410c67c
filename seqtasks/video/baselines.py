"""The features of the baseline for video: thirteen statistics of how much a clip moves."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from seqtasks.tasks.baselines import with_columns
from seqtasks.video import clips

MOVING = 16  # grey levels by which a moving pixel differs from the previous frame
QUARTILES = (0.25, 0.5, 0.75)


def motion_statistics(frames: np.ndarray) -> np.ndarray:
    """Thirteen statistics of the motion in a clip.

    The energy of a frame is the mean absolute difference between its pixels, in grey, and those of the previous frame.

    Args:
        frames: uint8 array (frames, height, width, 3), of at least two frames.

    Returns:
        float array (13,): mean, standard deviation, minimum, maximum and quartiles of the energy over the frames; then
        mean and maximum over the frames of three series: the absolute difference of the energy from that of the
        previous frame, the standard deviation of the differences over the pixels, and the share of moving pixels.

    Example:
        >>> clip = np.zeros((3, 2, 2, 3), np.uint8)
        >>> clip[1:, 0] = 100
        >>> motion_statistics(clip)[[0, 2, 3, 12]].tolist()  # half of the pixels, once
        [25.0, 0.0, 50.0, 0.5]
    """
    grey = frames.astype("float32").mean(-1)
    differences = abs(np.diff(grey, axis=0)).reshape(len(grey) - 1, -1)  # (frames - 1, pixels)
    energy, deviation, moving = differences.mean(1), differences.std(1), (differences > MOVING).mean(1)
    change = abs(np.diff(energy, prepend=energy[0]))
    spread = [energy.mean(), energy.std(), energy.min(), energy.max(), *np.quantile(energy, QUARTILES)]
    return np.array([*spread, *(f for x in (change, deviation, moving) for f in (x.mean(), x.max()))])


def motion_features(paths: Sequence[str], options: clips.Options) -> np.ndarray:
    """The statistics of each clip, read by several threads.

    Args:
        paths: the clips.
        options: how clips are read.

    Returns:
        float array (clips, 13).

    Raises:
        UserError: if a clip cannot be read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: motion_statistics(clips.read(path, options)), paths)))


def motion(options: clips.Options, columns: str = "") -> Any:
    """The standardised statistics of motion, as a transformer of scikit-learn over the paths of clips.

    Args:
        options: how clips are read.
        columns: the names of side columns, whose values are features too.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    features = FunctionTransformer(motion_features, kw_args={"options": options})
    return make_pipeline(with_columns(features, columns), StandardScaler())
