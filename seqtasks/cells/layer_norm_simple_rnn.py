"""The simple recurrent network with layer normalisation."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from seqtasks.cells.affine import affine
from seqtasks.cells.cell import Product
from seqtasks.cells.normalise import centre, rescale
from seqtasks.cells.simple_rnn import SimpleRNNCell
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class LayerNormSimpleRNNCell(SimpleRNNCell):
    """One step of the layer-normalised network: ``a<t> = tanh(g * norm(W_aa a<t-1> + W_ax x<t>) + b_a)``.

    norm(z) has mean 0 and variance 1 over the units.

    | symbol | attribute                     | shape             |
    |--------|-------------------------------|-------------------|
    | x<t>   | `inputs`                      | (batch, features) |
    | a<t>   | `states[0]`, the output       | (batch, units)    |
    | W_ax   | `kernel`                      | (features, units) |
    | W_aa   | `recurrent_kernel`            | (units, units)    |
    | g      | `gain`                        | (units,)          |
    | b_a    | `bias`, after the norm        | (units,)          |

    Args:
        units: size of the state a<t>.
        activation: function of the sum; the lecture's is tanh.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>], shape (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = LayerNormSimpleRNNCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 1)

    References:
        Ba, Kiros and Hinton, 2016, equation 4, https://arxiv.org/abs/1607.06450
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.gain = self.add_weight(shape=(self.units,), initializer="ones", name="gain")

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        return affine(inputs, centre(self.kernel))

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        return {"recurrent_kernel": (centre(self.recurrent_kernel),)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        total = projected + product("recurrent_kernel", states[0])
        return [self.activation(rescale(total, self.gain, self.bias))]
