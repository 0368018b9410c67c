"""What functions, losses and metrics do with their arguments first: precision of outputs, shape of targets."""

import tensorflow as tf


def exact(x: tf.Tensor) -> tf.Tensor:
    """A tensor in float32, or in float64 as it is: float16 and bfloat16 are too coarse for sums of logarithms.

    Example:
        >>> [exact(tf.zeros(1, dtype)).dtype.name for dtype in ("float16", "bfloat16", "float32", "float64")]
        ['float32', 'float32', 'float32', 'float64']
    """
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)


def numbers(targets: tf.Tensor, owner: str) -> tf.Tensor:
    """Targets (batch, time) as int32.

    Args:
        targets: numbers of any type, (batch, time) or (batch, time, 1).
        owner: whose targets they are, for the message.

    Raises:
        ValueError: for another shape, as that of one-hot rows.

    Example:
        >>> numbers(tf.constant([[[1.0], [0.0]]]), "loss").numpy().tolist()
        [[1, 0]]
    """
    targets = tf.convert_to_tensor(targets)
    shape = tuple(targets.shape)
    if len(shape) < 2 or shape[2:] not in ((), (1,)):
        raise ValueError(
            f"{owner}: the targets have the shape {shape}, expected numbers of labels, (batch, time); "
            "np.argmax(targets, -1) makes them of one-hot rows."
        )
    return tf.cast(tf.squeeze(targets, 2) if len(shape) == 3 else targets, tf.int32)
