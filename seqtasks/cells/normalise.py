"""Layer normalisation, cheap enough for every step of a loop."""

import tensorflow as tf

from seqtasks.cells.affine import column_sums

EPSILON = 1e-5  # added to the variance


def normalise(x, gain, offset=None):
    """``gain * (x - mean) / sqrt(variance + 1e-5) + offset``, mean and variance over the last axis.

    Args:
        x: (..., size).
        gain: (size,).
        offset: (size,), or None.

    Returns:
        (..., size).

    Example:
        >>> normalise(tf.constant([[1.0, 3.0], [5.0, 5.0]]), tf.ones(2)).numpy().round(3).tolist()
        [[-1.0, 1.0], [0.0, 0.0]]

    References:
        Ba, Kiros and Hinton, 2016, equation 4, https://arxiv.org/abs/1607.06450
    """
    return rescale(centre(x), gain, offset)


def centre(x):
    """`x` without its mean over the last axis.

    The columns of a product have the mean of the columns of its kernel, ``x W - mean(x W) = x centre(W)``: what will be
    normalised is centred once in the kernel, instead of at every step.

    Example:
        >>> x, kernel = tf.constant([[1.0, 2.0]]), tf.constant([[1.0, 5.0], [2.0, 0.0]])
        >>> centre(x @ kernel).numpy().tolist() == (x @ centre(kernel)).numpy().tolist()
        True
    """
    x = tf.convert_to_tensor(x)
    return x - tf.reduce_mean(x, -1, keepdims=True)


def rescale(x, gain, offset=None):
    """`normalise` of what has a mean of zero already."""
    x, gain = tf.convert_to_tensor(x), tf.convert_to_tensor(gain)
    offset = () if offset is None else (tf.convert_to_tensor(offset),)

    @tf.custom_gradient
    def run(x, gain, *offset):
        scale = tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + EPSILON)
        unit = x * scale
        outputs = unit * gain + offset[0] if offset else unit * gain

        def gradient(upstream):
            flat = (-1, x.shape[-1])
            along = upstream * unit
            into = upstream * gain - unit * tf.reduce_mean(along * gain, -1, keepdims=True)
            into_offset = [column_sums(tf.reshape(upstream, flat)) for _ in offset]
            return scale * into, column_sums(tf.reshape(along, flat)), *into_offset

        return outputs, gradient

    return run(x, gain, *offset)
