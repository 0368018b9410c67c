"""How much a clip moves, in thirteen numbers, and a linear classifier of them: what a network has to beat."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from seqtasks.video import files

MOVING = 16  # grey levels by which a pixel that moves differs from the frame before
QUARTILES = (0.25, 0.5, 0.75)


def energy(frames):
    """The thirteen numbers of a clip.

    The energy of a frame is the mean absolute difference of its pixels, in grey, from those of the frame before.

    Args:
        frames: uint8 array (frames, height, width, 3), of two frames at least.

    Returns:
        float array (13,): mean, standard deviation, smallest, largest and quartiles of the energy over the frames; mean
        and largest absolute difference of the energy from that of the frame before; mean over the frames, and largest,
        of the standard deviation of the differences over a frame's pixels; and of the share of pixels that move.

    Example:
        >>> clip = np.zeros((3, 2, 2, 3), np.uint8)
        >>> clip[1:, 0] = 100
        >>> energy(clip)[[0, 2, 3, 12]].tolist()  # half of the pixels, once
        [25.0, 0.0, 50.0, 0.5]
    """
    grey = frames.astype("float32").mean(-1)
    moved = abs(np.diff(grey, axis=0)).reshape(len(grey) - 1, -1)  # (frames - 1, pixels)
    each, uneven, share = moved.mean(1), moved.std(1), (moved > MOVING).mean(1)
    change = abs(np.diff(each, prepend=each[0]))
    spread = [each.mean(), each.std(), each.min(), each.max(), *np.quantile(each, QUARTILES)]
    return np.array([*spread, *(f for x in (change, uneven, share) for f in (x.mean(), x.max()))])


def energies(paths, options):
    """The numbers of each clip, read by threads: (clips, 13)."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: energy(files.read(path, options)), paths)))


def logistic_regression(options):
    """A logistic regression of these numbers as a scikit-learn estimator over the paths of clips.

    Args:
        options: how clips are read, `seqtasks.video.files.Options`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    numbers = FunctionTransformer(energies, kw_args={"options": options})
    return make_pipeline(numbers, StandardScaler(), LogisticRegression(max_iter=1000))
