"""Keras metrics of models that end in `seqtasks.layers.CRF`, for `compile(metrics=[...])`.

The outputs of such a model are scores of neighbouring tags, which Keras' own metrics, as ``"accuracy"``, cannot read.
These measure the best path (Viterbi). Masked steps, and steps with a negative target, do not count.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from seqtasks.ops import crf
from seqtasks.ops.arguments import numbers


@keras.saving.register_keras_serializable("seqtasks")
class CRFAccuracy(keras.metrics.Mean):
    """Share of steps at which the best path has the target's tag.

    Args:
        name: of the metric.

    Call arguments:
        y_true: int (batch, time) or (batch, time, 1), the tags.
        y_pred: scores (batch, time, tags, tags) of `seqtasks.layers.CRF`.
        sample_weight: None, or weights of rows (batch,) or of steps (batch, time).

    Raises:
        ValueError: if the outputs are not those of a CRF, or for one-hot targets.

    Example:
        >>> metric = CRFAccuracy()
        >>> scores = tf.constant([[[[0.0, 1.0]] * 2, [[0.0, 1.0]] * 2]])  # the best path is 1, 1
        >>> float(metric(tf.constant([[1, 0]]), scores))
        0.5
    """

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        targets, best, counts = _paths(y_true, y_pred, type(self).__name__)
        weights = tf.cast(counts, self.dtype)
        if sample_weight is not None:
            given = tf.cast(sample_weight, self.dtype)
            weights *= given if len(given.shape) == 2 else given[:, None]
        super().update_state(tf.cast(tf.equal(targets, best), self.dtype), weights)


@keras.saving.register_keras_serializable("seqtasks")
class CRFSpanF1(keras.metrics.Metric):
    """F1 of the spans (entities) of the best path: 2 * correct / (predicted + true), over all spans of an epoch.

    A span is correct if its type, first and last step are those of a true span. Tags are read as conlleval reads IOB2:
    an I after O or after another type begins a span too.

    Args:
        tags: the names of the tags, by their numbers: O, or B- or I- and a type.
        name: of the metric.

    Call arguments:
        y_true: int (batch, time) or (batch, time, 1), the tags.
        y_pred: scores (batch, time, tags, tags) of `seqtasks.layers.CRF`.
        sample_weight: None, or weights of rows, (batch,).

    Raises:
        ValueError: if a name is not one of IOB2, if the outputs are not those of a CRF with these tags, for one-hot
            targets, or for weights of steps.

    Example:
        >>> metric = CRFSpanF1(["O", "B-PER", "I-PER"])
        >>> scores = tf.tile(tf.one_hot([[1, 2, 0, 1]], 3)[:, :, None], (1, 1, 3, 1))  # B-PER I-PER O B-PER
        >>> round(float(metric(tf.constant([[1, 2, 0, 0]]), scores)), 4)
        0.6667

    References:
        Tjong Kim Sang and De Meulder, 2003, section 2, https://aclanthology.org/W03-0419
    """

    def __init__(self, tags: Sequence[str], name: str = "span_f1", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.tags = list(tags)
        for tag in self.tags:
            if tag != "O" and (tag[:2] not in ("B-", "I-") or len(tag) < 3):
                raise ValueError(
                    f"{type(self).__name__}: {tag!r} is no tag of IOB2; tags are O, or B- or I- and a type."
                )
        kinds = dict.fromkeys(tag[2:] for tag in self.tags if tag != "O")
        numbered = {kind: number for number, kind in enumerate(kinds, 1)}
        self._kinds = [numbered.get(tag[2:], 0) for tag in self.tags]
        self._begins = [tag[:2] == "B-" for tag in self.tags]
        self.correct, self.predicted, self.true = (
            self.add_weight(shape=(), initializer="zeros", name=name) for name in ("correct", "predicted", "true")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        owner = type(self).__name__
        if y_pred.shape[-1] != len(self.tags):
            raise ValueError(f"{owner}: there are {len(self.tags)} tags, but {y_pred.shape[-1]} in the outputs.")
        targets, best, counts = _paths(y_true, y_pred, owner)
        order = tf.argsort(tf.cast(~counts, tf.int32), stable=True)  # the steps that count first
        counts = tf.gather(counts, order, batch_dims=1)
        true, predicted = (self._spans(tf.gather(x, order, batch_dims=1), counts) for x in (targets, best))
        kinds, starts, _ = true
        differ = tf.reduce_any([tf.not_equal(*pair) for pair in zip(true, predicted, strict=True)], 0) & (kinds > 0)
        rows, time = tf.unstack(tf.shape(differ))
        spans = tf.cumsum(tf.cast(starts, tf.int32), 1) + (time + 1) * tf.range(rows)[:, None]  # one number for each
        wrong = tf.math.unsorted_segment_sum(
            tf.reshape(tf.cast(differ, tf.int32), [-1]), tf.reshape(spans, [-1]), rows * (time + 1)
        )
        wrong = tf.math.count_nonzero(tf.reshape(wrong, [rows, time + 1]), 1, dtype=tf.int32)
        counted = [tf.math.count_nonzero(x[1], 1, dtype=tf.int32) for x in (true, predicted)]
        weights = tf.ones([rows], self.dtype)
        if sample_weight is not None:
            if len(sample_weight.shape) > 1 and sample_weight.shape[-1] != 1:
                shape = tuple(sample_weight.shape)
                raise ValueError(
                    f"{owner}: sample_weight has the shape {shape}, expected one weight per row, (batch,)."
                )
            weights = tf.reshape(tf.cast(sample_weight, self.dtype), [-1])
        for variable, count in zip(
            (self.correct, self.predicted, self.true), (counted[0] - wrong, counted[1], counted[0]), strict=True
        ):
            variable.assign_add(tf.reduce_sum(weights * tf.cast(count, self.dtype)))

    def _spans(self, tags: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of each step, (batch, time): the type of its span or 0, whether it is the first, and the last of its span."""
        kinds = tf.where(counts, tf.gather(self._kinds, tf.maximum(tags, 0)), 0)
        begins = tf.gather(self._begins, tf.maximum(tags, 0))
        before = tf.pad(kinds, [[0, 0], [1, 0]])[:, :-1]
        starts = (kinds > 0) & (begins | tf.not_equal(kinds, before))
        after = tf.pad(kinds, [[0, 0], [0, 1]])[:, 1:]
        return kinds, starts, (kinds > 0) & (tf.not_equal(kinds, after) | tf.pad(starts, [[0, 0], [0, 1]])[:, 1:])

    def result(self) -> tf.Tensor:
        return tf.math.divide_no_nan(2 * self.correct, self.predicted + self.true)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tags": self.tags}


def _paths(y_true: Any, y_pred: Any, owner: str) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The true tags, those of the best path, and which steps count, (batch, time)."""
    shape = tuple(y_pred.shape)
    if len(shape) != 4 or shape[2] != shape[3]:
        expected = "the scores (batch, time, tags, tags) of seqtasks.layers.CRF"
        raise ValueError(f"{owner}: the outputs have the shape {shape}, expected {expected}.")
    targets = numbers(y_true, owner)
    return targets, crf.viterbi(y_pred)[0], ~crf.masked(y_pred) & (targets >= 0)
