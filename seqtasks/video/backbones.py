"""Networks of `keras.applications` that turn a frame into a feature vector, and a cache of these features on disk."""

import functools
import hashlib
import json
import os
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import replacing
from seqtasks.data.media_segments import segment_of
from seqtasks.errors import UserError
from seqtasks.video.pictures import pictures_in

BACKBONES = {  # name -> module of `keras.applications` and name of the network
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
    "efficientnet_b0": ("efficientnet", "EfficientNetB0"),
    "efficientnet_v2_b0": ("efficientnet_v2", "EfficientNetV2B0"),
    "resnet50": ("resnet", "ResNet50"),
    "densenet121": ("densenet", "DenseNet121"),
}
MIN_SIZE = 32  # smallest height and width that all of them take, in pixels
BATCH = 64  # frames of a batch
ONE_AT_A_TIME = threading.RLock()  # a network uses all cores, and files with equal content share a cache entry


def build_backbone(name: str, weights: str = "imagenet", size: int = 64, seed: int = 0) -> keras.Model:
    """Builds a network from images to feature vectors.

    Args:
        name: one of `BACKBONES`.
        weights: `imagenet`, which Keras downloads on first use; the path of a file written by `save_weights` of the
            network without its top; or `none` for random weights.
        size: height and width of the images, in pixels.
        seed: seed of random weights.

    Returns:
        `keras.Model` from images (batch, size, size, 3), RGB, from 0 to 255, to (batch, features).

    Raises:
        UserError: if the weights cannot be loaded, or the images are too small.
    """
    if size < MIN_SIZE:
        remedy = f"give {MIN_SIZE} or more"
        raise UserError(f"{name} needs {MIN_SIZE} pixels a side", where=f"--size {size}", remedy=remedy)
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        remedy = "give imagenet, none, or the path of a file"
        raise UserError("no such file of weights", where=f"--weights {weights}", remedy=remedy)
    module, function = (getattr(keras.applications, BACKBONES[name][0]), BACKBONES[name][1])
    images = keras.Input((size, size, 3), name="images")
    state = random.getstate()
    random.seed(seed)  # Keras draws the seeds of initial weights from this generator
    try:
        arguments = {"weights": None if weights == "none" else str(weights), "input_shape": (size, size, 3)}
        network = getattr(module, function)(include_top=False, pooling="avg", **arguments)
    except Exception as error:  # any error of a download or of a file with other weights
        what = f"the weights of {name} cannot be loaded ({' '.join(str(error).split())[:160].rstrip('.')})"
        remedy = "give a file of weights of the network without its top, or none for random ones"
        raise UserError(what, where=f"--weights {weights}", remedy=remedy) from None
    finally:
        random.setstate(state)
    return keras.Model(images, network(module.preprocess_input(images)), name=name)


_build_once = functools.lru_cache(maxsize=1)(build_backbone)


def shared_backbone(name: str, weights: str, size: int, seed: int) -> keras.Model:
    """The same as `build_backbone`, but equal arguments give the same network, which callers must not change."""
    with ONE_AT_A_TIME:
        return _build_once(name, weights, size, seed)


def embed_clips(network: keras.Model, clips: tf.Tensor) -> tf.Tensor:
    """The features of the frames of clips, in the graph.

    Args:
        network: from `build_backbone`.
        clips: tensor (batch, time, size, size, 3), RGB, from 0 to 255.

    Returns:
        float32 tensor (batch, time, features).
    """
    features = network(tf.cast(tf.reshape(clips, [-1, *clips.shape[2:]]), tf.float32), training=False)
    return tf.reshape(features, [-1, clips.shape[1], features.shape[-1]])


def embed_frames(network: keras.Model, frames: np.ndarray) -> np.ndarray:
    """The features of frames, computed in batches.

    Args:
        network: from `build_backbone`.
        frames: uint8 array (frames, size, size, 3).

    Returns:
        float32 array (frames, features).
    """
    with ONE_AT_A_TIME:
        batches = [frames[start : start + BATCH] for start in range(0, len(frames), BATCH)]
        return np.concatenate([network(batch.astype("float32"), training=False).numpy() for batch in batches])


def cached_features(
    path: str | Path, read_frames: Callable[[], np.ndarray], network: keras.Model, key: Sequence[str | int | float]
) -> np.ndarray:
    """The features of the frames of a clip, computed once and then read from disk.

    They are kept as `.npy` in `$XDG_CACHE_HOME/seqtasks`, or `~/.cache/seqtasks`. They are computed again if the size
    or the modification time of the clip's file, or `key`, has changed.

    Args:
        path: the clip.
        read_frames: returns the frames, a uint8 array (frames, size, size, 3).
        network: from `shared_backbone`.
        key: what the features depend on besides the clip.

    Returns:
        float32 array (frames, features).

    Raises:
        UserError: as `read_frames` does, or if the features cannot be written.
    """
    digest = hashlib.sha256(json.dumps([*key, *file_version(path)]).encode()).hexdigest()
    file = cache_folder() / f"{digest}.npy"
    if file.is_file():
        return np.load(file, allow_pickle=False)
    frames = read_frames()
    with ONE_AT_A_TIME:
        features = embed_frames(network, frames)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as temporary, open(temporary, "wb") as opened:
                np.save(opened, features)
        except OSError as error:
            remedy = "set XDG_CACHE_HOME to a writable folder"
            what = f"features cannot be written ({error.strerror})"
            raise UserError(what, where=file.parent, remedy=remedy) from None
    return features


def file_version(path: str | Path) -> list[str | int]:
    """Path, modification time (ns) and size (bytes) of a file; the name alone of anything that is not a file.

    The time of a folder of pictures is that of its newest picture, its size that of all. A segment counts too.

    Example:
        >>> file_version("digits:test:0")
        ['digits:test:0']
    """
    name, *segment = segment_of(str(path))
    file = Path(name)
    if file.is_dir():
        found = [picture.stat() for picture in pictures_in(file)]
        return [
            str(file.resolve()),
            str(segment),
            max((s.st_mtime_ns for s in found), default=0),
            sum(s.st_size for s in found),
        ]
    if not file.is_file():
        return [str(path)]
    status = file.stat()
    return [str(file.resolve()), str(segment), status.st_mtime_ns, status.st_size]


def cache_folder() -> Path:
    """The folder of the cached features: `$XDG_CACHE_HOME/seqtasks`, or `~/.cache/seqtasks`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqtasks"
