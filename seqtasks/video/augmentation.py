"""Random augmentation of clips, in the graph."""

import math

import tensorflow as tf


def augment(
    clips: tf.Tensor,
    seed: tf.Tensor,
    flip: bool = False,
    shift: float = 0.0,
    zoom: float = 0.0,
    brightness: float = 0.0,
) -> tf.Tensor:
    """Shifts, zooms, flips and brightens clips at random, all frames of a clip alike.

    Pixels outside a clip repeat those of its edge.

    Args:
        clips: uint8 tensor (batch, time, size, size, 3).
        seed: int tensor (2,); the result depends on it alone.
        flip: whether each clip is mirrored horizontally with probability 1/2.
        shift: largest vertical and horizontal shift, as a share of the side.
        zoom: largest zoom: the scale is between 1 / (1 + zoom) and 1 + zoom.
        brightness: largest change of brightness and of contrast, as a share of the range of grey levels.

    Returns:
        uint8 tensor of the same shape.

    Example:
        >>> clips = tf.reshape(tf.cast(tf.range(12), tf.uint8), (1, 1, 2, 2, 3))
        >>> seeds = [tf.constant([0, number]) for number in range(9)]
        >>> sorted({augment(clips, seed, flip=True)[0, 0, 0, 0, 0].numpy().item() for seed in seeds})
        [0, 3]
    """
    count, size = tf.shape(clips)[0], clips.shape[2]
    seeds = iter(tf.unstack(tf.random.split(seed, 6), axis=0))

    def draw(bound: float) -> tf.Tensor:
        return tf.random.stateless_uniform([count, 1], next(seeds), -bound, bound)

    if flip or shift or zoom:
        rows = (tf.range(size, dtype=tf.float32) - (size - 1) / 2) / tf.exp(draw(math.log1p(zoom)))  # (batch, size)
        columns = rows * tf.where(draw(1.0) < 0, -1.0, 1.0) if flip else rows
        for axis, offsets in ((2, rows), (3, columns)):
            sources = tf.round(offsets + draw(shift * size) + (size - 1) / 2)
            sources = tf.clip_by_value(tf.cast(sources, tf.int32), 0, size - 1)
            clips = tf.gather(clips, sources, axis=axis, batch_dims=1)
    if brightness:
        light, contrast = (draw(brightness)[..., None, None, None] for _ in range(2))  # each (batch, 1, 1, 1, 1)
        clips = tf.saturate_cast((tf.cast(clips, tf.float32) - 127.5) * (1 + contrast) + 127.5 + 255 * light, tf.uint8)
    return clips
