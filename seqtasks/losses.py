"""Losses."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("seqtasks")
class ConsistentCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits, and the divergence between two passes over the same example under other dropout.

    Rows 2i and 2i+1 of a batch are the same example (`views=2` of the engine). Each pays its cross-entropy, and both
    pay `consistency` times the symmetric Kullback-Leibler divergence between their distributions, in nats:
    ``(KL(p||q) + KL(q||p)) / 2``. With `consistency` 0 it is plain cross-entropy and rows are independent.

    The sum over a batch is divided by the size of the batch, not by its weights, so that an example counts the same
    in a full batch, in the filled-up last one, and on any number of devices.

    Call arguments:
        y_true: int (batch,).
        y_pred: logits (batch, classes).

    Example:
        >>> loss = ConsistentCrossentropy(consistency=1.0)
        >>> round(float(loss(tf.constant([0, 0]), tf.zeros((2, 2)))), 4)
        0.6931

    References:
        Liang et al., 2021, R-Drop, equations 1-4, https://arxiv.org/abs/2106.14448
    """

    def __init__(self, consistency=0.0, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})
        self.consistency = consistency

    def call(self, y_true, y_pred):
        targets = tf.reshape(tf.cast(y_true, tf.int32), [-1])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, y_pred)
        if not self.consistency:
            return loss
        logarithms = tf.reshape(tf.nn.log_softmax(y_pred), [-1, 2, tf.shape(y_pred)[-1]])
        p, q = tf.exp(logarithms[:, 0]), tf.exp(logarithms[:, 1])
        symmetric = tf.reduce_sum((p - q) * (logarithms[:, 0] - logarithms[:, 1]), -1) / 2
        return loss + self.consistency * tf.repeat(symmetric, 2)

    def get_config(self):
        return {**super().get_config(), "consistency": self.consistency}
