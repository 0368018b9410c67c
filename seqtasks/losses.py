"""Losses."""

import keras
import tensorflow as tf

from seqtasks.ops import crf, ctc
from seqtasks.ops.log_likelihood import log_likelihoods


@keras.saving.register_keras_serializable("seqtasks")
class RDropCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits, and the divergence between two passes over the same example under other dropout.

    Rows 2i and 2i+1 of a batch are the same example (`views=2` of the engine). Each pays its cross-entropy, and both
    pay `consistency` times the symmetric Kullback-Leibler divergence between their distributions, in nats:
    ``(KL(p||q) + KL(q||p)) / 2``. With `consistency` 0 it is plain cross-entropy and rows are independent.

    The sum over a batch is divided by the size of the batch, not by its weights, so that an example counts the same
    in a full batch, in the filled-up last one, and on any number of devices.

    Call arguments:
        y_true: int (batch,).
        y_pred: logits (batch, classes), or (batch, members, classes) of an ensemble, whose members each pay for
            themselves; their mean counts.

    Example:
        >>> loss = RDropCrossentropy(consistency=1.0)
        >>> round(float(loss(tf.constant([0, 0]), tf.zeros((2, 2)))), 4)
        0.6931

    References:
        Liang et al., 2021, R-Drop, equations 1-4, https://arxiv.org/abs/2106.14448
    """

    def __init__(self, consistency=0.0, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})
        self.consistency = consistency
        self.passes = 2 if consistency else 1

    def call(self, y_true, y_pred):
        if len(y_pred.shape) == 2:
            y_pred = y_pred[:, None]
        logarithms = tf.nn.log_softmax(y_pred)  # (batch, members, classes)
        targets = tf.repeat(tf.reshape(tf.cast(y_true, tf.int32), [-1, 1]), y_pred.shape[1], 1)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, y_pred), 1)
        if not self.consistency:
            return loss
        first, second = logarithms[::2], logarithms[1::2]
        divergence = tf.reduce_sum((tf.exp(first) - tf.exp(second)) * (first - second), -1) / 2
        return loss + self.consistency * tf.repeat(tf.reduce_mean(divergence, 1), 2)

    def get_config(self):
        return {**super().get_config(), "consistency": self.consistency}


@keras.saving.register_keras_serializable("seqtasks")
class CRFLoss(keras.losses.Loss):
    """Negative log-likelihood of whole sequences of tags under a conditional random field, in nats.

    Call arguments:
        y_true: int (batch, time), the tags; negative where a step is masked.
        y_pred: scores (batch, time, tags, tags) of `seqtasks.layers.CRF`.

    Example:
        >>> round(float(CRFLoss()(tf.constant([[0, 1]]), tf.zeros((1, 2, 2, 2)))), 4)  # one path of four
        1.3863

    References:
        Lample et al., 2016, equation 3, https://arxiv.org/abs/1603.01360
    """

    def __init__(self, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})

    def call(self, y_true, y_pred):
        return -crf.log_likelihood(y_pred, y_true)


@keras.saving.register_keras_serializable("seqtasks")
class CTC(keras.losses.Loss):
    """Negative log-likelihood of labels that have fewer places than there are frames, over all alignments, in nats.

    A row whose labels no alignment can say, for it has too few frames, pays nothing (see `seqtasks.ops.ctc.feasible`).

    Call arguments:
        y_true: int (batch, longest), labels from 1 on; -1 behind the last.
        y_pred: logits (batch, frames, classes); class 0 is the blank.

    Example:
        >>> round(float(CTC()(tf.constant([[1]]), tf.zeros((1, 2, 2)))), 4)  # three alignments of four
        0.2877

    References:
        Graves et al., 2006, equation 8, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    """

    def __init__(self, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})

    def call(self, y_true, y_pred):
        likely = ctc.log_likelihood(y_pred, tf.cast(y_true, tf.int32))
        return tf.where(likely > ctc.FORBIDDEN, -likely, 0)


@keras.saving.register_keras_serializable("seqtasks")
class StepCrossentropy(keras.losses.Loss):
    """Cross-entropy of the logits of every step, summed over the steps of a sequence, in nats.

    Call arguments:
        y_true: int (batch, time); negative where a step is masked.
        y_pred: logits (batch, time, labels).

    Example:
        >>> round(float(StepCrossentropy()(tf.constant([[0, 1, -1]]), tf.zeros((1, 3, 2)))), 4)
        1.3863
    """

    def __init__(self, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})

    def call(self, y_true, y_pred):
        tags = tf.cast(y_true, tf.int32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(tags, 0), y_pred)
        return tf.reduce_sum(tf.where(tags >= 0, losses, 0), -1)


@keras.saving.register_keras_serializable("seqtasks")
class TokenCrossentropy(keras.losses.Loss):
    """Cross-entropy of the tokens of a sentence with label smoothing, summed over the sentence, in nats.

    With smoothing e of V tokens the target has probability ``1 - e + e / V`` and every other token ``e / V``.

    Call arguments:
        y_true: int (batch, time); negative where there is no token.
        y_pred: logits (batch, time, tokens).

    Example:
        >>> loss = TokenCrossentropy(smoothing=0.1)
        >>> round(float(loss(tf.constant([[0, -1]]), tf.constant([[[0.0, 0.0], [9.0, 0.0]]]))), 4)
        0.6931

    References:
        Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567
    """

    def __init__(self, smoothing=0.0, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        return -tf.reduce_sum(log_likelihoods(y_pred, y_true, self.smoothing), -1)

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("seqtasks")
class NegativeLogLikelihood(keras.losses.Loss):
    """Of models that put out log-likelihoods themselves: their sum over the sequence, turned round, in nats.

    Call arguments:
        y_true: not looked at.
        y_pred: log-likelihoods (batch, time), 0 where there is nothing.

    Example:
        >>> float(NegativeLogLikelihood()(tf.zeros((1, 2)), tf.constant([[-1.0, -0.5]])))
        1.5
    """

    def __init__(self, name="loss", **kwargs):
        super().__init__(name=name, **{"reduction": "sum_over_batch_size", **kwargs})

    def call(self, y_true, y_pred):
        return -tf.reduce_sum(y_pred, -1)
