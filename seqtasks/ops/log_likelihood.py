"""Log-likelihoods of tokens under logits, with an explicit gradient."""

from collections.abc import Callable

import tensorflow as tf

from seqtasks.ops.arguments import exact


def log_likelihoods(logits: tf.Tensor, targets: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Log-likelihoods of targets under the softmax of logits, in nats.

    Forward and backward pass are explicit: logits are the largest tensor of a model, and TensorFlow's own loss takes
    three times as long.

    Args:
        logits: float (..., tokens); float16 and bfloat16 are computed in float32.
        targets: int (...); negative if there is no token, which gives 0.
        smoothing: e of label smoothing: with V tokens the target has weight ``1 - e + e / V``, every other ``e / V``.

    Returns:
        float (...).

    Example:
        >>> [round(value, 4) for value in log_likelihoods(tf.zeros((2, 4)), tf.constant([3, -1])).numpy().tolist()]
        [-1.3863, 0.0]

    References:
        label smoothing: Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567
    """
    logits = exact(logits)
    flat = tf.reshape(tf.cast(targets, tf.int32), [-1])
    log_probs = _flat(tf.reshape(logits, (-1, logits.shape[-1])), tf.maximum(flat, 0), smoothing)
    return tf.reshape(tf.where(flat >= 0, log_probs, 0.0), tf.shape(targets))


def _flat(logits: tf.Tensor, targets: tf.Tensor, smoothing: float) -> tf.Tensor:
    """The same of logits (rows, tokens) and targets (rows,) that are not negative."""
    places = tf.stack([tf.range(tf.size(targets)), targets], 1)
    size = logits.shape[-1]

    @tf.custom_gradient
    def log_probs(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        highest = tf.reduce_max(logits, -1)
        powers = tf.exp(logits - highest[:, None])
        total = tf.reduce_sum(powers, -1)
        target_logits = (1 - smoothing) * tf.gather_nd(logits, places)
        if smoothing:
            target_logits += smoothing * tf.reduce_mean(logits, -1)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            grad = powers * (-upstream / total)[:, None]
            if smoothing:
                grad += (smoothing / size * upstream)[:, None]
            return tf.tensor_scatter_nd_add(grad, places, (1 - smoothing) * upstream)

        return target_logits - tf.math.log(total) - highest, gradient

    return log_probs(logits)
