"""Many-to-many, CTC: labels in order, fewer than frames, learnt without an alignment."""

from typing import Any

import keras
import tensorflow as tf

from seqtasks.layers import StridedConv1D, recurrent_stack
from seqtasks.ops.ctc import FORBIDDEN


@keras.saving.register_keras_serializable("seqtasks")
class FrameScores(keras.layers.Dense):
    """A dense layer over every frame; masked frames become certain blanks, so losses and decoders need no lengths.

    Example:
        >>> x, mask = tf.ones((1, 2, 4)), tf.constant([[True, False]])
        >>> tf.nn.softmax(FrameScores(3)(x, mask=mask))[0, 1].numpy().tolist()
        [1.0, 0.0, 0.0]
    """

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        logits = super().call(inputs)
        if mask is None:
            return logits
        blank = tf.one_hot(0, self.units, tf.zeros((), logits.dtype), tf.cast(FORBIDDEN, logits.dtype))
        return tf.where(mask[..., None], logits, blank)

    def compute_mask(self, inputs: tf.Tensor, previous_mask: tf.Tensor | None = None) -> None:
        return None


def transcriber(
    inputs: dict[str, keras.KerasTensor],
    x: keras.KerasTensor,
    classes: int,
    filters: int = 0,
    width: int = 5,
    stride: int = 2,
    convolution_dropout: float = 0.0,
    **recurrent: Any,
) -> keras.Model:
    """A model that scores labels frame by frame, for connectionist temporal classification.

    Args:
        inputs: dict of the model's Keras inputs.
        x: Keras tensor (batch, frames, features) with its mask.
        classes: number of labels, including the blank, class 0.
        filters: of a convolution over time before the recurrence; 0 for none.
        width, stride: of the convolution, see `seqtasks.layers.StridedConv1D`. It is causal if the recurrence is
            unidirectional.
        convolution_dropout: rate of the outputs of the convolution.
        recurrent: arguments of `seqtasks.layers.recurrent_stack`.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, frames / stride rounded up, classes), float32. Train
        it with `seqtasks.losses.CTC`.

    Example:
        >>> x = keras.Input((None, 40), name="frames")
        >>> transcriber({"frames": x}, x, classes=28, filters=8, stride=3, units=4).output_shape
        (None, None, 28)

    References:
        Graves and Jaitly, 2014, https://proceedings.mlr.press/v32/graves14.html
    """
    if filters:
        causal = not recurrent.get("bidirectional", True)
        x = StridedConv1D(filters, width, stride, causal, activation="relu", name="convolution")(x)
        if convolution_dropout:
            x = keras.layers.Dropout(convolution_dropout, name="convolution_dropout")(x)
    x = recurrent_stack(x, **recurrent)
    return keras.Model(inputs, FrameScores(classes, dtype="float32", name="logits")(x), name="transcriber")
