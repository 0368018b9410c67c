"""Networks of `keras.applications` that turn a frame into a vector, and the vectors of files, kept on disk."""

import functools
import hashlib
import json
import os
import random
import threading
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import replacing
from seqtasks.errors import UserError

BACKBONES = {  # the module of `keras.applications`, and the network
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
    "efficientnet_b0": ("efficientnet", "EfficientNetB0"),
    "efficientnet_v2_b0": ("efficientnet_v2", "EfficientNetV2B0"),
    "resnet50": ("resnet", "ResNet50"),
    "densenet121": ("densenet", "DenseNet121"),
}
SMALLEST = 32  # pixels a side that all of them take
TOGETHER = 64  # frames that are computed at a time
ONE_AT_A_TIME = threading.RLock()  # a network uses all cores; and files of equal content have one entry


def make(name, weights="imagenet", size=64, seed=0):
    """A network from images to vectors.

    Args:
        name: of `BACKBONES`.
        weights: `imagenet`, which Keras downloads when they are first used; the path of a file that `save_weights` of
            the network without its top wrote; or `none` for random ones.
        size: height and width of the images, in pixels.
        seed: of random weights.

    Returns:
        `keras.Model` from images (batch, size, size, 3), red, green, blue, from 0 to 255, to (batch, features).

    Raises:
        UserError: if the weights cannot be loaded, or images are too small.
    """
    if size < SMALLEST:
        remedy = f"give {SMALLEST} or more"
        raise UserError(f"{name} needs {SMALLEST} pixels a side", where=f"--size {size}", remedy=remedy)
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        remedy = "give imagenet, none, or the path of a file"
        raise UserError("no such file of weights", where=f"--weights {weights}", remedy=remedy)
    module, function = (getattr(keras.applications, BACKBONES[name][0]), BACKBONES[name][1])
    images = keras.Input((size, size, 3), name="images")
    state = random.getstate()
    random.seed(seed)  # Keras draws the seeds of initial weights from it
    try:
        given = {"weights": None if weights == "none" else str(weights), "input_shape": (size, size, 3)}
        network = getattr(module, function)(include_top=False, pooling="avg", **given)
    except Exception as error:  # whatever a download, or a file of other weights, raises
        what = f"the weights of {name} cannot be loaded ({' '.join(str(error).split())[:160].rstrip('.')})"
        remedy = "give a file of weights of the network without its top, or none for random ones"
        raise UserError(what, where=f"--weights {weights}", remedy=remedy) from None
    finally:
        random.setstate(state)
    return keras.Model(images, network(module.preprocess_input(images)), name=name)


_make_once = functools.lru_cache(maxsize=1)(make)


def kept(name, weights, size, seed):
    """The network that `make` gives, made once for all who only read it."""
    with ONE_AT_A_TIME:
        return _make_once(name, weights, size, seed)


def embed(network, frames):
    """The vectors of the frames of clips, in the graph: (batch, time, size, size, 3) to (batch, time, features)."""
    vectors = network(tf.cast(tf.reshape(frames, [-1, *frames.shape[2:]]), tf.float32), training=False)
    return tf.reshape(vectors, [-1, frames.shape[1], vectors.shape[-1]])


def features(path, frames, network, told):
    """The vectors of a clip's frames, computed once and then read from disk.

    They lie in `$XDG_CACHE_HOME/seqtasks`, or `~/.cache/seqtasks`, as `.npy`. They are computed anew where the file of
    the clip has changed its size or its time, or `told` is another.

    Args:
        path: of the clip.
        frames: `frames()` gives them, uint8 (frames, size, size, 3).
        network: as `kept` gives it.
        told: what else they depend on, a list of numbers and strings.

    Returns:
        float32 array (frames, features).

    Raises:
        UserError: as of `frames`, or if they cannot be kept.
    """
    key = hashlib.sha256(json.dumps([*told, *stamp(path)]).encode()).hexdigest()
    file = folder() / f"{key}.npy"
    if file.is_file():
        return np.load(file, allow_pickle=False)
    images = frames()
    with ONE_AT_A_TIME:
        found = vectors(network, images)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as temporary, open(temporary, "wb") as opened:
                np.save(opened, found)
        except OSError as error:
            remedy = "set XDG_CACHE_HOME to a folder that can be written to"
            raise UserError(f"features cannot be kept ({error.strerror})", where=file.parent, remedy=remedy) from None
    return found


def vectors(network, images):
    """The vectors of some images, uint8 array (images, size, size, 3)."""
    with ONE_AT_A_TIME:
        parts = [images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER)]
        return np.concatenate([network(part.astype("float32"), training=False).numpy() for part in parts])


def stamp(path):
    """What tells whether a file is the same: its path, time and size; of what is no file, its name.

    Example:
        >>> stamp("digits:test:0")
        ['digits:test:0']
    """
    path = Path(path)
    if not path.is_file():
        return [str(path)]
    found = path.stat()
    return [str(path.resolve()), found.st_mtime_ns, found.st_size]


def folder():
    """Where features are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqtasks"
