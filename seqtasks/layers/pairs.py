"""Pairs of sequences: both through the same layers, as the two halves of one batch."""

from typing import Any

import keras
import tensorflow as tf

Shape = tuple[Any, ...]


@keras.saving.register_keras_serializable("seqtasks")
class PairBatch(keras.layers.Layer):
    """Appends the second sequences of pairs to the batch of the first, so that the same layers read both.

    Call arguments:
        first: (batch, time, ...), padded on the right with 0.
        second: the same, of any length.

    Output shape:
        (2 batch, longer time, ...), without a mask.

    Example:
        >>> PairBatch()(tf.constant([[5, 6]]), tf.constant([[7]])).numpy().tolist()
        [[5, 6], [7, 0]]
    """

    def call(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        longest = tf.maximum(tf.shape(first)[1], tf.shape(second)[1])

        def padded(x: tf.Tensor) -> tf.Tensor:
            more = longest - tf.shape(x)[1]
            return tf.pad(x, [[0, 0], [0, more], *[[0, 0]] * (len(x.shape) - 2)])

        return tf.concat([padded(first), padded(second)], 0)

    def compute_output_shape(self, first_shape: Shape, second_shape: Shape) -> Shape:
        return (None, None, *first_shape[2:])


@keras.saving.register_keras_serializable("seqtasks")
class PairFeatures(keras.layers.Layer):
    """What two vectors u and v have in common: [u, v, |u - v|, u v], after `PairBatch`.

    Call arguments:
        inputs: (2 batch, ..., features), u of all pairs and then v of all pairs.

    Output shape:
        (batch, ..., 4 features), without a mask.

    Example:
        >>> PairFeatures()(tf.constant([[2.0], [3.0]])).numpy().tolist()
        [[2.0, 3.0, 1.0, 6.0]]

    References:
        Conneau et al., 2017, section 3.1, https://arxiv.org/abs/1705.02364
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        u, v = tf.split(inputs, 2)
        return tf.concat([u, v, abs(u - v), u * v], -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, *input_shape[1:-1], 4 * input_shape[-1])
