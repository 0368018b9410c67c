"""Log-likelihoods of tokens under logits, with a gradient of their own."""

import tensorflow as tf


def log_likelihoods(logits, targets, smoothing=0.0):
    """What the softmax of logits gives to targets, in nats.

    Written out, forth and back: logits are the largest tensor of a model, and TensorFlow's own loss takes three times
    as long.

    Args:
        logits: float (..., tokens).
        targets: int (...); negative where there is no token, which has a log-likelihood of 0.
        smoothing: e of label smoothing: of V tokens the target counts ``1 - e + e / V``, every other ``e / V``.

    Returns:
        float (...).

    Example:
        >>> [round(value, 4) for value in log_likelihoods(tf.zeros((2, 4)), tf.constant([3, -1])).numpy().tolist()]
        [-1.3863, 0.0]

    References:
        label smoothing: Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567
    """
    flat = tf.reshape(tf.cast(targets, tf.int32), [-1])
    found = _flat(tf.reshape(logits, (-1, logits.shape[-1])), tf.maximum(flat, 0), smoothing)
    return tf.reshape(tf.where(flat >= 0, found, 0.0), tf.shape(targets))


def _flat(logits, targets, smoothing):
    places = tf.stack([tf.range(tf.size(targets)), targets], 1)
    size = logits.shape[-1]

    @tf.custom_gradient
    def found(logits):
        highest = tf.reduce_max(logits, -1)
        powers = tf.exp(logits - highest[:, None])
        total = tf.reduce_sum(powers, -1)
        due = (1 - smoothing) * tf.gather_nd(logits, places)
        if smoothing:
            due += smoothing * tf.reduce_mean(logits, -1)

        def gradient(upstream):
            into = powers * (-upstream / total)[:, None]
            if smoothing:
                into += (smoothing / size * upstream)[:, None]
            return tf.tensor_scatter_nd_add(into, places, (1 - smoothing) * upstream)

        return due - tf.math.log(total) - highest, gradient

    return found(logits)
