"""Biological sequences: random substitutions of letters, and both strands of a molecule."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class RandomSubstitution(keras.layers.Layer):
    """In training, replaces some bases by random ones, because a sequence with a few mutations keeps its class.

    Args:
        rate: share of the bases that are drawn at random.

    Call arguments:
        inputs: (batch, time, letters), the shares of A, C, G and T; steps of zeros are padding and are kept.
        training: whether bases are replaced.

    Output shape:
        That of the inputs, with their mask.

    Example:
        >>> x = tf.one_hot([[0, 1, 2, 3]], 4)
        >>> bool(tf.reduce_all(RandomSubstitution(0.5)(x) == x))  # not training
        True
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.supports_masking = rate, True
        self.generator = keras.random.SeedGenerator()

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        shape = ops.shape(inputs)[:2]
        count = inputs.shape[-1]
        bases = ops.one_hot(keras.random.randint(shape, 0, count, seed=self.generator), count, dtype=inputs.dtype)
        chosen = (keras.random.uniform(shape, seed=self.generator) < self.rate) & ops.any(inputs != 0, -1)
        return ops.where(chosen[..., None], bases, inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("seqtasks")
class ReverseComplementBatch(keras.layers.Layer):
    """Appends the reverse complements of a batch to it, so that one network reads both strands.

    Call arguments:
        inputs: (batch, time, 4), the shares of A, C, G and T, padded on the right with zeros.

    Output shape:
        (2 batch, time, 4), without a mask.

    Example:
        >>> both = ReverseComplementBatch()(tf.one_hot([[0, 0, 1]], 4))
        >>> both[1].numpy().argmax(-1).tolist()  # AAC is GTT on the other strand
        [2, 3, 3]
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(tf.reduce_any(inputs != 0, -1), tf.int32), 1)
        opposite = tf.reverse_sequence(inputs, lengths, seq_axis=1)[..., ::-1]  # A, C, G, T pair with T, G, C, A
        return tf.concat([inputs, opposite], 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("seqtasks")
class ReverseComplementMean(keras.layers.Layer):
    """The mean of the outputs for both strands, after `ReverseComplementBatch`.

    Call arguments:
        inputs: (2 batch, ...).

    Output shape:
        (batch, ...), without a mask.

    Example:
        >>> ReverseComplementMean()(tf.constant([[1.0], [3.0]])).numpy().tolist()
        [[2.0]]

    References:
        Shrikumar et al., 2017, https://doi.org/10.1101/103663
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.stack(tf.split(inputs, 2)), 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])
