"""Scores of ordered classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("seqtasks")
class CumulativeLogits(keras.layers.Layer):
    """The log-odds of being above each class but the highest: one score of an example plus a threshold per class.

    The weights of the score are shared by all thresholds, and each threshold lies a positive distance below the one
    before, so that the probabilities of the classes are never negative.

    Args:
        thresholds: their values before training, falling; such as the log-odds of being above in the training data.

    Call arguments:
        inputs: (batch, features).

    Output shape:
        (batch, len(thresholds)).

    Example:
        >>> layer = CumulativeLogits([1.0, -1.0], kernel_initializer="zeros")
        >>> layer(tf.ones((1, 3))).numpy().round(4).tolist()
        [[1.0, -1.0]]

    References:
        proportional odds: McCullagh, 1980, https://doi.org/10.1111/j.2517-6161.1980.tb01109.x; shared weights under a
        network: Cao et al., 2020, CORAL, https://arxiv.org/abs/1901.07884
    """

    row_axes: Mapping[str, tuple[int, ...]] = {"bias": ()}  # of all classes together

    def __init__(self, thresholds: Sequence[float], kernel_initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.thresholds = [float(value) for value in thresholds]
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        if not self.thresholds or any(a <= b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError(f"CumulativeLogits: the thresholds {self.thresholds} do not fall.")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), initializer=self.kernel_initializer, name="kernel")
        first, gaps = self.thresholds[:1], [a - b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)]
        raw = [float(tf.math.log(tf.math.expm1(tf.constant(gap, tf.float64)))) for gap in gaps]  # of softplus
        self.bias = self.add_weight(shape=(len(self.thresholds),), initializer=_Values([*first, *raw]), name="bias")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        falls = tf.concat([self.bias[:1], -tf.math.softplus(self.bias[1:])], 0)
        return tf.matmul(inputs, self.kernel) + tf.cumsum(falls)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], len(self.thresholds))

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "thresholds": self.thresholds, "kernel_initializer": initializer}


class _Values(keras.initializers.Initializer):
    """These values."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values

    def __call__(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        return tf.constant(self.values, dtype or "float32", shape)
