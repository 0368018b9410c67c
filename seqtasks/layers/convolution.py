"""What looks at each step and its neighbours, with masks."""

import keras
from keras import ops

LOWEST = -1e4  # within the range of every float type


@keras.saving.register_keras_serializable("seqtasks")
class MaskedConv1D(keras.layers.Conv1D):
    """A convolution over time, one output a step, for which masked steps are zeros: padding never changes an answer.

    Args:
        units: size of the outputs.
        width: steps that an output depends on, itself in the middle.
        options: of `keras.layers.Conv1D` (`activation`, `dilation_rate`, ...).

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).

    Output shape:
        (batch, time, units).

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 3, 1), "float32")
        >>> layer = MaskedConv1D(1, width=3, kernel_initializer="ones")
        >>> layer(x, mask=np.array([[True, True, False]])).numpy()[0, :2, 0].tolist()
        [2.0, 2.0]

    References:
        Collobert et al., 2011, section 3.2.1, https://jmlr.org/papers/v12/collobert11a.html
    """

    def __init__(self, units, width, **options):
        super().__init__(units, width, padding="same", **options)
        self.units, self.width, self.supports_masking = units, width, True

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs *= ops.cast(mask, inputs.dtype)[..., None]
        return super().call(inputs)

    def compute_mask(self, inputs, mask=None):
        return mask

    def get_config(self):
        config = super().get_config()
        for name in ("filters", "kernel_size", "padding"):
            del config[name]
        return {**config, "units": self.units, "width": self.width}


@keras.saving.register_keras_serializable("seqtasks")
class PositionBias(keras.layers.Layer):
    """Adds to each of the first steps a learnt vector of its own: what matters where, in sequences that are aligned.

    Args:
        length: how many steps have one; nothing is added to later ones.

    Call arguments:
        inputs: (batch, time, features).

    Output shape:
        The same.

    Example:
        >>> tuple(PositionBias(10)(ops.ones((2, 12, 3))).shape)
        (2, 12, 3)

    References:
        Gehring et al., 2017, section 3.1, https://arxiv.org/abs/1705.03122
    """

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length, self.supports_masking = length, True

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.length, input_shape[-1]), initializer="zeros", name="table")

    def call(self, inputs):
        time = ops.shape(inputs)[1]
        table = self.table[:time]
        return inputs + ops.pad(table, [[0, time - ops.shape(table)[0]], [0, 0]])

    def get_config(self):
        return {**super().get_config(), "length": self.length}


@keras.saving.register_keras_serializable("seqtasks")
class PositionWeights(keras.layers.Layer):
    """The first steps of a sequence side by side, so that a dense layer has weights for each place of its own.

    Args:
        length: how many steps; those that a sequence lacks are zeros.

    Call arguments:
        inputs: (batch, time, features).

    Output shape:
        (batch, length * features).

    Example:
        >>> PositionWeights(3)(ops.ones((1, 2, 2))).numpy().tolist()
        [[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]
    """

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length, self.supports_masking = length, True

    def call(self, inputs):
        filled = ops.pad(inputs, [[0, 0], [0, self.length], [0, 0]])[:, : self.length]
        return ops.reshape(filled, (-1, self.length * inputs.shape[-1]))

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "length": self.length}


@keras.saving.register_keras_serializable("seqtasks")
class MaxPooling(keras.layers.Layer):
    """The largest of each `size` neighbouring steps, masked ones left out; a group of masked steps alone is masked.

    Args:
        size: steps of a group; the last one may have fewer.

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).

    Output shape:
        (batch, time / size rounded up, features).

    Example:
        >>> x = ops.reshape(ops.arange(5.0), (1, 5, 1))
        >>> MaxPooling(2)(x)[0, :, 0].numpy().tolist()
        [1.0, 3.0, 4.0]
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size, self.supports_masking = size, True

    def call(self, inputs, mask=None):
        if mask is None:
            return self._largest(inputs)
        largest = self._largest(ops.where(mask[..., None], inputs, LOWEST))
        return ops.where(self.compute_mask(inputs, mask)[..., None], largest, 0)

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        return self._largest(ops.cast(mask, self.compute_dtype)[..., None])[..., 0] > 0

    def _largest(self, x):
        x = ops.pad(x, [[0, 0], [0, self.size - 1], [0, 0]], constant_values=LOWEST)
        return ops.max_pool(x, self.size, strides=self.size, padding="valid")

    def compute_output_shape(self, input_shape):
        time = input_shape[1]
        return (input_shape[0], None if time is None else -(-time // self.size), input_shape[2])

    def get_config(self):
        return {**super().get_config(), "size": self.size}
