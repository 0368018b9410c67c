"""Clips varied at random, in the graph."""

import math

import tensorflow as tf


def varied(clips, seed, flip=False, shift=0.0, zoom=0.0, brightness=0.0):
    """Clips moved, enlarged, mirrored and lit in another way, all frames of a clip alike.

    Where a clip would have no pixels, those of its edge are repeated.

    Args:
        clips: uint8 tensor (batch, time, size, size, 3).
        seed: int tensor (2,); equal seeds vary equal clips alike.
        flip: whether every other clip, at random, is seen in the mirror.
        shift: share of the side by which clips are moved up or down, left or right, at most.
        zoom: share by which they are enlarged or reduced, at most.
        brightness: share of the range of grey by which they are made lighter or darker, and of their contrast, at most.

    Returns:
        The same shape and type.

    Example:
        >>> clips = tf.reshape(tf.cast(tf.range(12), tf.uint8), (1, 1, 2, 2, 3))
        >>> seeds = [tf.constant([0, number]) for number in range(9)]
        >>> sorted({varied(clips, seed, flip=True)[0, 0, 0, 0, 0].numpy().item() for seed in seeds})
        [0, 3]
    """
    count, size = tf.shape(clips)[0], clips.shape[2]
    seeds = iter(tf.unstack(tf.random.split(seed, 6), axis=0))

    def draw(bound):
        return tf.random.stateless_uniform([count, 1], next(seeds), -bound, bound)

    if flip or shift or zoom:
        steps = (tf.range(size, dtype=tf.float32) - (size - 1) / 2) / tf.exp(draw(math.log1p(zoom)))
        across = steps * tf.where(draw(1.0) < 0, -1.0, 1.0) if flip else steps
        for axis, way in ((2, steps), (3, across)):
            places = tf.round(way + draw(shift * size) + (size - 1) / 2)
            clips = tf.gather(clips, tf.clip_by_value(tf.cast(places, tf.int32), 0, size - 1), axis=axis, batch_dims=1)
    if brightness:
        light, contrast = (draw(brightness)[..., None, None, None] for _ in range(2))
        clips = tf.saturate_cast((tf.cast(clips, tf.float32) - 127.5) * (1 + contrast) + 127.5 + 255 * light, tf.uint8)
    return clips
