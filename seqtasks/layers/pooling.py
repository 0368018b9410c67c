"""One vector for a sequence from one vector per step."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("seqtasks")
class Pooling(keras.layers.Layer):
    """Pools the unmasked steps of a sequence over time; a sequence of masked steps only gives zeros.

    Args:
        kinds: the kinds of pooling whose results are concatenated: `max`, `mean`, and `attention` (the mean weighted
            by a learnt softmax over time).

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).

    Output shape:
        (batch, len(kinds) * features), without a mask.

    Raises:
        ValueError: if a kind is unknown, or there is none.

    Example:
        >>> x = tf.constant([[[1.0], [3.0], [9.0]]])
        >>> Pooling(["max", "mean"])(x, mask=tf.constant([[True, True, False]])).numpy().tolist()
        [[3.0, 2.0]]

    References:
        attention over time: Yang et al., 2016, equations 5-7, https://aclanthology.org/N16-1174
    """

    KINDS = ("max", "mean", "attention")

    def __init__(self, kinds: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        unknown = [kind for kind in kinds if kind not in self.KINDS]
        if unknown or not kinds:
            raise ValueError(f"Pooling: unknown kinds {unknown}: the kinds are {', '.join(self.KINDS)}.")
        self.kinds, self.supports_masking = list(kinds), True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if "attention" in self.kinds:
            self.query = self.add_weight(shape=(input_shape[-1], 1), name="query")

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        live = tf.ones(tf.shape(inputs)[:2], bool) if mask is None else tf.cast(mask, bool)
        live = live[..., None]  # (batch, time, 1), true for unmasked steps
        weight = tf.cast(live, inputs.dtype)
        pooled = []
        for kind in self.kinds:
            if kind == "max":
                highest = tf.reduce_max(tf.where(live, inputs, inputs.dtype.min), 1)
                pooled.append(tf.where(tf.reduce_any(live, 1), highest, tf.zeros_like(highest)))
            elif kind == "mean":
                pooled.append(tf.reduce_sum(inputs * weight, 1) / tf.maximum(tf.reduce_sum(weight, 1), 1))
            else:
                scores = tf.where(live, tf.tanh(inputs) @ tf.cast(self.query, inputs.dtype), inputs.dtype.min)
                pooled.append(tf.reduce_sum(tf.nn.softmax(scores, 1) * weight * inputs, 1))
        return tf.concat(pooled, -1)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], len(self.kinds) * input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kinds": self.kinds}
