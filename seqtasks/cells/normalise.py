"""Layer normalisation, fast enough for every step of a loop."""

from collections.abc import Callable

import tensorflow as tf

from seqtasks.cells.affine import column_sums

EPSILON = 1e-5  # added to the variance


def normalise(x: tf.Tensor, gain: tf.Tensor, offset: tf.Tensor | None = None) -> tf.Tensor:
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


def centre(x: tf.Tensor) -> tf.Tensor:
    """`x` minus its mean over the last axis.

    Centring commutes with a product, ``x W - mean(x W) = x centre(W)``. So the kernel is centred once, and not the
    product at every step.

    Args:
        x: (..., size).

    Returns:
        (..., size).

    Example:
        >>> x, kernel = tf.constant([[1.0, 2.0]]), tf.constant([[1.0, 5.0], [2.0, 0.0]])
        >>> centre(x @ kernel).numpy().tolist() == (x @ centre(kernel)).numpy().tolist()
        True
    """
    x = tf.convert_to_tensor(x)
    return x - tf.reduce_mean(x, -1, keepdims=True)


def rescale(x: tf.Tensor, gain: tf.Tensor, offset: tf.Tensor | None = None) -> tf.Tensor:
    """`normalise` for an `x` whose mean over the last axis is zero.

    Args:
        x: (..., size), centred.
        gain: (size,).
        offset: (size,), or None.

    Returns:
        (..., size).

    Example:
        >>> rescale(tf.constant([[-1.0, 1.0]]), 3 * tf.ones(2), tf.ones(2)).numpy().round(3).tolist()
        [[-2.0, 4.0]]
    """
    x, gain = tf.convert_to_tensor(x), tf.convert_to_tensor(gain)
    offsets = () if offset is None else (tf.convert_to_tensor(offset),)

    @tf.custom_gradient
    def run(x: tf.Tensor, gain: tf.Tensor, *offset: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        scale = tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + EPSILON)
        unit = x * scale  # variance 1
        outputs = unit * gain + offset[0] if offset else unit * gain

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            flat = (-1, x.shape[-1])
            grad_gain = upstream * unit  # of each position; summed below
            grad_unit = upstream * gain - unit * tf.reduce_mean(grad_gain * gain, -1, keepdims=True)
            grad_offset = [column_sums(tf.reshape(upstream, flat)) for _ in offset]
            return scale * grad_unit, column_sums(tf.reshape(grad_gain, flat)), *grad_offset

        return outputs, gradient

    return run(x, gain, *offsets)
