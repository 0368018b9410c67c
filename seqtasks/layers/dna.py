"""DNA: noise on bases, and both strands of a molecule."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class RandomSubstitution(keras.layers.Layer):
    """While training, replaces some bases by random ones: a sequence with a few mutations keeps its class.

    Args:
        rate: share of the bases that are drawn anew.

    Call arguments:
        inputs: (batch, time, 4), the shares of A, C, G and T; steps of zeros are padding and stay.

    Output shape:
        The same.

    Example:
        >>> x = tf.one_hot([[0, 1, 2, 3]], 4)
        >>> bool(tf.reduce_all(RandomSubstitution(0.5)(x) == x))  # not training
        True
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.supports_masking = rate, True
        self.generator = keras.random.SeedGenerator()

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        shape = ops.shape(inputs)[:2]
        drawn = ops.one_hot(keras.random.randint(shape, 0, 4, seed=self.generator), 4, dtype=inputs.dtype)
        chosen = (keras.random.uniform(shape, seed=self.generator) < self.rate) & ops.any(inputs != 0, -1)
        return ops.where(chosen[..., None], drawn, inputs)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("seqtasks")
class ReverseComplementBatch(keras.layers.Layer):
    """Puts the reverse complements of a batch behind it, so that one network reads both strands.

    Call arguments:
        inputs: (batch, time, 4), the shares of A, C, G and T, padded on the right with zeros.

    Output shape:
        (2 batch, time, 4).

    Example:
        >>> ReverseComplementBatch()(tf.one_hot([[0, 0, 1]], 4))[1].numpy().argmax(-1).tolist()  # AAC is GTT on the other strand
        [2, 3, 3]
    """

    def call(self, inputs):
        lengths = tf.reduce_sum(tf.cast(tf.reduce_any(inputs != 0, -1), tf.int32), 1)
        opposite = tf.reverse_sequence(inputs, lengths, seq_axis=1)[..., ::-1]  # T, G, C, A pair with A, C, G, T
        return tf.concat([inputs, opposite], 0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("seqtasks")
class ReverseComplementMean(keras.layers.Layer):
    """The mean of what a network says of both strands; undoes `ReverseComplementBatch`.

    Call arguments:
        inputs: (2 batch, ...).

    Output shape:
        (batch, ...).

    Example:
        >>> ReverseComplementMean()(tf.constant([[1.0], [3.0]])).numpy().tolist()
        [[2.0]]

    References:
        Shrikumar et al., 2017, https://doi.org/10.1101/103663
    """

    def call(self, inputs):
        return tf.reduce_mean(tf.stack(tf.split(inputs, 2)), 0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])
