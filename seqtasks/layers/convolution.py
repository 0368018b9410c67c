"""Convolution and pooling over neighbouring steps with masks, and weights for absolute positions."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

LOWEST = -1e4  # within the range of every float type


@keras.saving.register_keras_serializable("seqtasks")
class MaskedConv1D(keras.layers.Conv1D):
    """A convolution over time with one output per step that treats masked steps as zeros: padding changes no output.

    Args:
        units: size of the outputs.
        width: number of steps that an output depends on, its own step in the middle.
        options: of `keras.layers.Conv1D` (`activation`, `dilation_rate`, ...).

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).

    Output shape:
        (batch, time, units), with the mask of the inputs.

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 3, 1), "float32")
        >>> layer = MaskedConv1D(1, width=3, kernel_initializer="ones")
        >>> layer(x, mask=np.array([[True, True, False]])).numpy()[0, :2, 0].tolist()
        [2.0, 2.0]

    References:
        Collobert et al., 2011, section 3.2.1, https://jmlr.org/papers/v12/collobert11a.html
    """

    def __init__(self, units: int, width: int, **options: Any) -> None:
        super().__init__(units, width, padding="same", **options)
        self.units, self.width, self.supports_masking = units, width, True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        if mask is not None:
            inputs *= ops.cast(mask, inputs.dtype)[..., None]
        return super().call(inputs)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("filters", "kernel_size", "padding"):
            del config[name]
        return {**config, "units": self.units, "width": self.width}


@keras.saving.register_keras_serializable("seqtasks")
class PositionBias(keras.layers.Layer):
    """Adds a learnt vector to each of the first steps, for sequences that are aligned to each other.

    Args:
        length: number of steps with a vector; nothing is added to later steps.

    Call arguments:
        inputs: (batch, time, features).

    Output shape:
        That of the inputs, with their mask.

    Example:
        >>> tuple(PositionBias(10)(ops.ones((2, 12, 3))).shape)
        (2, 12, 3)

    References:
        Gehring et al., 2017, section 3.1, https://arxiv.org/abs/1705.03122
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length, self.supports_masking = length, True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.table = self.add_weight(shape=(self.length, input_shape[-1]), initializer="zeros", name="table")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        time = ops.shape(inputs)[1]
        table = self.table[:time]
        return inputs + ops.pad(table, [[0, time - ops.shape(table)[0]], [0, 0]])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}


@keras.saving.register_keras_serializable("seqtasks")
class PositionWeights(keras.layers.Layer):
    """Concatenates the first steps of a sequence, so that a following dense layer has weights for each position.

    Args:
        length: number of steps; missing steps are zeros.

    Call arguments:
        inputs: (batch, time, features).

    Output shape:
        (batch, length * features), without a mask.

    Example:
        >>> PositionWeights(3)(ops.ones((1, 2, 2))).numpy().tolist()
        [[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length, self.supports_masking = length, True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        padded = ops.pad(inputs, [[0, 0], [0, self.length], [0, 0]])[:, : self.length]
        return ops.reshape(padded, (-1, self.length * inputs.shape[-1]))

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}


@keras.saving.register_keras_serializable("seqtasks")
class MaxPooling(keras.layers.Layer):
    """The maximum over each group of `size` neighbouring steps, without the masked ones.

    Args:
        size: number of steps in a group; the last group may have fewer.

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).

    Output shape:
        (batch, time / size rounded up, features), with a mask that is false for groups of masked steps only.

    Example:
        >>> x = ops.reshape(ops.arange(5.0), (1, 5, 1))
        >>> MaxPooling(2)(x)[0, :, 0].numpy().tolist()
        [1.0, 3.0, 4.0]
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.supports_masking = size, True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        if mask is None:
            return self._maximum(inputs)
        maximum = self._maximum(ops.where(mask[..., None], inputs, LOWEST))
        return ops.where(self._any(mask)[..., None], maximum, 0)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return None if mask is None else self._any(mask)

    def _any(self, mask: tf.Tensor) -> tf.Tensor:
        """Whether each group has an unmasked step, (batch, groups)."""
        return self._maximum(ops.cast(mask, self.compute_dtype)[..., None])[..., 0] > 0

    def _maximum(self, x: tf.Tensor) -> tf.Tensor:
        """(batch, time, features) to (batch, groups, features)."""
        x = ops.pad(x, [[0, 0], [0, self.size - 1], [0, 0]], constant_values=LOWEST)
        return ops.max_pool(x, self.size, strides=self.size, padding="valid")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        time = input_shape[1]
        return (input_shape[0], None if time is None else -(-time // self.size), input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
