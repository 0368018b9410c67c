"""Losses of labels, of sequences, and of pairs of passes.

Each is a `keras.losses.Loss` whose sum over a batch is divided by the number of rows, not by the sum of the sample
weights. A loss of sequences sums over the steps of a row; its targets are (batch, time) or (batch, time, 1).

All take `sample_weight` (batch,). `StepCrossentropy`, `TokenCrossentropy` and `NegativeLogLikelihood`, which are sums
over steps, also take weights of the steps, (batch, time), and a step that the Keras mask of the outputs excludes has
the weight 0. Outputs in float16 and bfloat16 are computed in float32.

A loss may have an attribute `passes`: how many copies of each row the training loop presents side by side, as rows
``passes * i`` to ``passes * i + passes - 1`` of the batch. A loss without this attribute has 1 pass.
"""

from typing import Any

import keras
import tensorflow as tf

from seqtasks.ops import crf, ctc
from seqtasks.ops.arguments import numbers
from seqtasks.ops.log_likelihood import log_likelihoods


class _Loss(keras.losses.Loss):
    """A loss of every row, whose mean is over the rows of a batch."""

    def __init__(self, name: str = "loss", reduction: str | None = "sum_over_batch_size", dtype: Any = None) -> None:
        exact = keras.dtype_policies.get(dtype or keras.config.floatx()).compute_dtype == "float64"
        super().__init__(name, reduction, "float64" if exact else "float32")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        if _of_steps(sample_weight):
            raise ValueError(
                f"{type(self).__name__}: sample_weight has the shape {_shape(sample_weight)}, expected (batch,): "
                "the loss of a whole sequence has no parts to weight."
            )
        return super().__call__(y_true, y_pred, sample_weight)


class _StepLoss(_Loss):
    """A loss of every step, summed over the steps of a row; subclasses implement `steps`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        factors = [x for x in (getattr(y_pred, "_keras_mask", None),) if x is not None]
        if _of_steps(sample_weight):
            factors, sample_weight = [*factors, tf.convert_to_tensor(sample_weight)], None
        return super().__call__((y_true, *factors), tf.identity(y_pred), sample_weight)  # a copy without mask

    def call(self, y_true: tf.Tensor | tuple[tf.Tensor, ...], y_pred: tf.Tensor) -> tf.Tensor:
        targets, *factors = y_true if isinstance(y_true, tuple) else (y_true,)
        losses = self.steps(targets, y_pred)
        for factor in factors:
            losses = tf.math.multiply_no_nan(losses, tf.cast(factor, losses.dtype))
        return tf.reduce_sum(losses, -1)

    def steps(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The losses (batch, time)."""
        raise NotImplementedError


def _of_steps(sample_weight: Any) -> bool:
    """Whether weights have an axis of steps."""
    return sample_weight is not None and len(_shape(sample_weight)) > 1 and _shape(sample_weight)[-1] != 1


def _shape(x: Any) -> tuple[int | None, ...]:
    return tuple(tf.convert_to_tensor(x).shape)


class _RDrop(_Loss):
    """The negative log-likelihood of a distribution, plus the divergence between two passes over the same example.

    Subclasses say what the distribution is: `log_loss(y_true, y_pred)` and `divergence(first, second)`, the symmetric
    Kullback-Leibler divergence ``(KL(p||q) + KL(q||p)) / 2``, both (batch, members).
    """

    def __init__(self, weight: float = 0.0, name: str = "loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.weight = weight
        self.passes = 2 if weight > 0 else 1

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        if len(y_pred.shape) == 2:
            y_pred = y_pred[:, None]  # (batch, members, outputs)
        loss = tf.reduce_mean(self.log_loss(y_true, y_pred), 1)
        if not self.weight:
            return loss
        divergence = tf.reduce_mean(self.divergence(y_pred[::2], y_pred[1::2]), 1)
        return loss + self.weight * tf.repeat(divergence, 2)

    def log_loss(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def divergence(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}


def _divergence(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The symmetric divergence of two distributions, of log-probabilities (..., classes)."""
    return tf.reduce_sum((tf.exp(first) - tf.exp(second)) * (first - second), -1) / 2


@keras.saving.register_keras_serializable("seqtasks")
class RDropCrossentropy(_RDrop):
    """Cross-entropy of logits, plus the divergence between two passes over the same example with different dropout.

    Rows 2i and 2i + 1 of a batch are the same example. Each contributes its cross-entropy, and both contribute `weight`
    times the symmetric Kullback-Leibler divergence between their distributions, in nats: ``(KL(p||q) + KL(q||p)) / 2``.
    With `weight` 0 the loss is plain cross-entropy and the rows are independent.

    The sum over a batch is divided by the size of the batch, not by the sum of its weights, so that an example counts
    the same in a full batch, in a padded last one, and on any number of devices.

    Args:
        weight: of the divergence.

    Attributes:
        passes: 2 if `weight` is above 0, else 1: how many copies of each row the training loop presents side by side
            (R-Drop: two passes with different dropout).

    Call arguments:
        y_true: int (batch,).
        y_pred: logits (batch, classes), or (batch, members, classes) of an ensemble, whose members are trained
            independently; the loss is their mean.

    Example:
        >>> loss = RDropCrossentropy(weight=1.0)
        >>> round(float(loss(tf.constant([0, 0]), tf.zeros((2, 2)))), 4), loss.passes
        (0.6931, 2)

    References:
        Liang et al., 2021, R-Drop, equations 1-4, https://arxiv.org/abs/2106.14448
    """

    def log_loss(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        targets = tf.repeat(tf.reshape(tf.cast(y_true, tf.int32), [-1, 1]), y_pred.shape[1], 1)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, y_pred)

    def divergence(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return _divergence(tf.nn.log_softmax(first), tf.nn.log_softmax(second))


@keras.saving.register_keras_serializable("seqtasks")
class RDropBinaryCrossentropy(_RDrop):
    """Mean binary cross-entropy of the logits of labels, in nats, plus the divergence of two passes.

    Args:
        weight: as of `RDropCrossentropy`; the divergence is the mean over the labels.

    Call arguments:
        y_true: float (batch, labels), 1 for each label of the example.
        y_pred: logits (batch, labels), or (batch, members, labels) of an ensemble.

    Example:
        >>> round(float(RDropBinaryCrossentropy()(tf.constant([[1.0, 0.0]]), tf.zeros((1, 2)))), 4)
        0.6931
    """

    def log_loss(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        targets = tf.broadcast_to(tf.cast(y_true, y_pred.dtype)[:, None], tf.shape(y_pred))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, y_pred), -1)

    def divergence(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean((tf.sigmoid(first) - tf.sigmoid(second)) * (first - second), -1) / 2


@keras.saving.register_keras_serializable("seqtasks")
class RDropOrdinalCrossentropy(_RDrop):
    """Cross-entropy of ordered classes under cumulative logits, in nats, plus the divergence of two passes.

    Args:
        weight: as of `RDropCrossentropy`; the divergence is that of the distributions over the classes.

    Call arguments:
        y_true: int (batch,), the ranks of the classes.
        y_pred: falling log-odds of being above each class but the highest, (batch, classes - 1), as
            `seqtasks.layers.CumulativeLogits` gives them, or (batch, members, classes - 1) of an ensemble.

    Example:
        >>> loss = RDropOrdinalCrossentropy()
        >>> round(float(loss(tf.constant([1]), tf.math.log([[3.0, 1 / 3]]))), 4)  # 1/4, 1/2, 1/4
        0.6931

    References:
        McCullagh, 1980, https://doi.org/10.1111/j.2517-6161.1980.tb01109.x
    """

    def log_loss(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        ranks = tf.repeat(tf.reshape(tf.cast(y_true, tf.int32), [-1, 1]), y_pred.shape[1], 1)
        return -tf.gather(_ordinal_log_probs(y_pred), ranks, batch_dims=2)

    def divergence(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return _divergence(_ordinal_log_probs(first), _ordinal_log_probs(second))


def _ordinal_log_probs(logits: tf.Tensor) -> tf.Tensor:
    """Log-probabilities (..., classes) of cumulative logits (..., classes - 1).

    For a > b, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which loses no digits.
    """
    above, below = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
    gap = tf.maximum(logits[..., :-1] - logits[..., 1:], 1e-6)
    middle = above[..., :-1] + below[..., 1:] + tf.math.log(-tf.math.expm1(-gap))
    return tf.concat([below[..., :1], middle, above[..., -1:]], -1)


@keras.saving.register_keras_serializable("seqtasks")
class RDropSquaredError(_RDrop):
    """Half the squared error, plus the divergence of two passes.

    It is the negative log-likelihood of a Gaussian of variance 1, without a constant.

    Args:
        weight: as of `RDropCrossentropy`; the divergence of such Gaussians is half the squared difference.

    Call arguments:
        y_true: float (batch,).
        y_pred: (batch, 1), or (batch, members, 1) of an ensemble.

    Example:
        >>> float(RDropSquaredError()(tf.constant([3.0]), tf.constant([[1.0]])))
        2.0
    """

    def log_loss(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return (y_pred[..., 0] - tf.reshape(tf.cast(y_true, y_pred.dtype), [-1, 1])) ** 2 / 2

    def divergence(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return (first[..., 0] - second[..., 0]) ** 2 / 2


def sequence_loss(target: str, r_drop: float = 0.0) -> keras.losses.Loss:
    """The loss of one target per sequence, with R-Drop.

    Args:
        target: `class`, `labels`, `ordinal` or `number`.
        r_drop: weight of the divergence of two passes; 0 for one pass.

    Example:
        >>> sequence_loss("number", 1.0).passes
        2
    """
    losses = {
        "labels": RDropBinaryCrossentropy,
        "ordinal": RDropOrdinalCrossentropy,
        "number": RDropSquaredError,
    }
    return losses.get(target, RDropCrossentropy)(r_drop)


@keras.saving.register_keras_serializable("seqtasks")
class CRFLoss(_Loss):
    """Negative log-likelihood of a sequence of tags under a conditional random field, in nats.

    Call arguments:
        y_true: int (batch, time), the tags. Those of masked steps, wherever they are, do not count; the scores say
            which steps are masked.
        y_pred: scores (batch, time, tags, tags) of `seqtasks.layers.CRF`.

    Raises:
        ValueError: for one-hot targets, and for weights of steps: only whole sequences have a likelihood.

    Example:
        >>> round(float(CRFLoss()(tf.constant([[0, 1]]), tf.zeros((1, 2, 2, 2)))), 4)  # one path of four
        1.3863

    References:
        Lample et al., 2016, equation 3, https://arxiv.org/abs/1603.01360
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return -crf.log_likelihood(y_pred, numbers(y_true, type(self).__name__))


@keras.saving.register_keras_serializable("seqtasks")
class CTC(_Loss):
    """Negative log-likelihood of labels, summed over all their alignments with the frames, in nats.

    The loss of a row with too few frames for its labels is 0 (see `seqtasks.ops.ctc.feasible`).

    Call arguments:
        y_true: int (batch, longest), labels from 1 on. Numbers below 1 are no labels and do not count: -1 and 0 both
            pad a row.
        y_pred: logits (batch, frames, classes); class 0 is the blank. Frames that their Keras mask excludes are
            certain blanks.

    Raises:
        ValueError: for weights of frames: only whole sequences have a likelihood.

    Example:
        >>> round(float(CTC()(tf.constant([[1]]), tf.zeros((1, 2, 2)))), 4)  # three alignments of four
        0.2877

    References:
        Graves et al., 2006, equation 8, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        mask = getattr(y_pred, "_keras_mask", None)
        if mask is not None:
            blank = tf.one_hot(0, y_pred.shape[-1], 0.0, ctc.FORBIDDEN)
            y_pred = tf.where(tf.cast(mask, tf.bool)[..., None], tf.cast(y_pred, blank.dtype), blank)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        log_prob = ctc.log_likelihood(y_pred, numbers(y_true, type(self).__name__))
        return tf.where(log_prob > ctc.FORBIDDEN, -log_prob, 0)


@keras.saving.register_keras_serializable("seqtasks")
class StepCrossentropy(_StepLoss):
    """Cross-entropy of the logits of every step, summed over the steps of a sequence, in nats.

    Call arguments:
        y_true: int (batch, time); negative if a step is masked.
        y_pred: logits (batch, time, labels).

    Example:
        >>> round(float(StepCrossentropy()(tf.constant([[0, 1, -1]]), tf.zeros((1, 3, 2)))), 4)
        1.3863
    """

    def steps(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        labels = numbers(y_true, type(self).__name__)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), y_pred)
        return tf.where(labels >= 0, losses, 0)


@keras.saving.register_keras_serializable("seqtasks")
class TokenCrossentropy(_StepLoss):
    """Cross-entropy of the tokens of a sentence with label smoothing, summed over the sentence, in nats.

    With smoothing e and V tokens the target has probability ``1 - e + e / V`` and every other token ``e / V``.

    Args:
        smoothing: e.

    Call arguments:
        y_true: int (batch, time); negative if there is no token.
        y_pred: logits (batch, time, tokens).

    Example:
        >>> loss = TokenCrossentropy(smoothing=0.1)
        >>> round(float(loss(tf.constant([[0, -1]]), tf.constant([[[0.0, 0.0], [9.0, 0.0]]]))), 4)
        0.6931

    References:
        Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567
    """

    def __init__(self, smoothing: float = 0.0, name: str = "loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def steps(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return -log_likelihoods(y_pred, numbers(y_true, type(self).__name__), self.smoothing)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("seqtasks")
class NegativeLogLikelihood(_StepLoss):
    """Negative sum over the sequence of log-likelihoods that the model itself returns, in nats.

    Call arguments:
        y_true: ignored.
        y_pred: log-likelihoods (batch, time), 0 at steps without a target.

    Example:
        >>> float(NegativeLogLikelihood()(tf.zeros((1, 2)), tf.constant([[-1.0, -0.5]])))
        1.5
    """

    def steps(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return -y_pred
