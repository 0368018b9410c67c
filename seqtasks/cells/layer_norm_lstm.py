"""The long short-term memory with layer normalisation."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.affine import affine
from seqtasks.cells.cell import Product
from seqtasks.cells.lstm import LSTMCell
from seqtasks.cells.normalise import centre, normalise, rescale
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class LayerNormLSTMCell(LSTMCell):
    """One step of the layer-normalised long short-term memory.

    In the lecture's notation, where norm(z) has mean 0 and variance 1 over z and a gain, and W = [W_u, W_f, W_c, W_o]::

        u, f, c, o = norm(W_x x<t>) + norm(W_a a<t-1>) + b
        c<t>       = sigmoid(u) * tanh(c) + sigmoid(f) * c<t-1>
        a<t>       = sigmoid(o) * tanh(norm(c<t>) + b_m)

    | symbol                     | attribute                       | shape               |
    |----------------------------|---------------------------------|---------------------|
    | x<t>                       | `inputs`                        | (batch, features)   |
    | a<t>                       | `states[0]`, the output         | (batch, units)      |
    | c<t>                       | `states[1]`                     | (batch, units)      |
    | W_ux, W_fx, W_cx, W_ox     | quarters of `kernel`            | (features, 4 units) |
    | W_ua, W_fa, W_ca, W_oa     | quarters of `recurrent_kernel`  | (units, 4 units)    |
    | b_u, b_f, b_c, b_o         | quarters of `bias`              | (4 units,)          |
    | gain of norm(W_x x)        | `gain`                          | (4 units,)          |
    | gain of norm(W_a a)        | `recurrent_gain`                | (4 units,)          |
    | gain of norm(c<t>), b_m    | `memory_gain`, `memory_bias`    | (units,)            |

    Args:
        units: size of the states a<t> and c<t>.
        forget_bias: initial value of b_f; None leaves it to `bias_initializer`.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>, c<t-1>], each (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = LayerNormLSTMCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 2)

    References:
        Ba, Kiros and Hinton, 2016, supplementary equations 20-22, https://arxiv.org/abs/1607.06450
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.gain = self.add_weight(shape=(4 * self.units,), initializer="ones", name="gain")
        self.recurrent_gain = self.add_weight(shape=(4 * self.units,), initializer="ones", name="recurrent_gain")
        self.memory_gain = self.add_weight(shape=(self.units,), initializer="ones", name="memory_gain")
        self.memory_bias = self.add_part("bias", (self.units,), "memory_bias") if self.use_bias else None

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        return rescale(affine(inputs, centre(self.kernel)), self.gain, self.bias)

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        return {"recurrent_kernel": (centre(self.recurrent_kernel),)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous, memory = states
        gates = projected + rescale(product("recurrent_kernel", previous), self.recurrent_gain)
        candidate = self.activation(ops.split(gates, 4, axis=-1)[2])  # each (batch, units)
        update, forget, _, output = self.activate_gates(gates, 4)
        memory = update * candidate + forget * memory
        return [output * self.activation(normalise(memory, self.memory_gain, self.memory_bias)), memory]
