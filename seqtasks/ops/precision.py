"""The precision of sums of logarithms."""

import tensorflow as tf


def exact(x: tf.Tensor) -> tf.Tensor:
    """A tensor in float32, or in float64 as it is: float16 and bfloat16 are too coarse for sums of logarithms.

    Example:
        >>> [exact(tf.zeros(1, dtype)).dtype.name for dtype in ("float16", "bfloat16", "float32", "float64")]
        ['float32', 'float32', 'float32', 'float64']
    """
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
