"""Pairs of sequences: both through the same layers, as the two halves of one batch."""

from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int | None, ...]


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
        inputs: (2 batch, features), u of all pairs and then v of all pairs.

    Output shape:
        (batch, 4 features), without a mask.

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
        return (None, 4 * input_shape[-1])


@keras.saving.register_keras_serializable("seqtasks")
class PairAlignment(keras.layers.Layer):
    """For each step of one sequence the mean of the steps of the other that resemble it, after `PairBatch`.

    With the steps a of a sequence and b of the other, each step becomes [a, c, a - c, a c], where c is the mean of b
    weighted by a softmax of the dot products a . b.

    Call arguments:
        inputs: (2 batch, time, features), with a mask.

    Output shape:
        (2 batch, time, 4 features), with the mask of the inputs.

    Example:
        >>> PairAlignment()(tf.constant([[[1.0]], [[2.0]]])).numpy().tolist()
        [[[1.0, 2.0, -1.0, 2.0]], [[2.0, 1.0, 1.0, 2.0]]]

    References:
        Chen et al., 2017, equations 11-15, https://arxiv.org/abs/1609.06038
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        first, second = tf.split(inputs, 2)
        scores = tf.matmul(first, second, transpose_b=True)  # (batch, time of the first, time of the second)
        live = tf.ones(tf.shape(inputs)[:2], bool) if mask is None else tf.cast(mask, bool)
        in_first, in_second = tf.split(tf.cast(~live, scores.dtype) * -1e9, 2)
        of_second = tf.nn.softmax(scores + in_second[:, None]) @ second
        of_first = tf.nn.softmax(tf.linalg.matrix_transpose(scores) + in_first[:, None]) @ first
        other = tf.concat([of_second, of_first], 0)
        return tf.concat([inputs, other, inputs - other, inputs * other], -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 4 * input_shape[-1])
