"""The long short-term memory with a forget gate."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import GATED, Shape


@keras.saving.register_keras_serializable("seqtasks")
class LSTMCell(RNNCell):
    """One step of the long short-term memory.

    In the lecture's notation::

        c~<t>   = tanh(W_c [a<t-1>, x<t>] + b_c)
        Gamma_u = sigmoid(W_u [a<t-1>, x<t>] + b_u)
        Gamma_f = sigmoid(W_f [a<t-1>, x<t>] + b_f)
        Gamma_o = sigmoid(W_o [a<t-1>, x<t>] + b_o)
        c<t>    = Gamma_u * c~<t> + Gamma_f * c<t-1>
        a<t>    = Gamma_o * tanh(c<t>)

    The gates are stored in the order u, f, c, o (Keras: i, f, c, o), so that `set_weights` takes the weights of
    `keras.layers.LSTM`, and gives them to it.

    | symbol                     | attribute                       | shape               |
    |----------------------------|---------------------------------|---------------------|
    | x<t>                       | `inputs`                        | (batch, features)   |
    | a<t>                       | `states[0]`, the output         | (batch, units)      |
    | c<t>                       | `states[1]`                     | (batch, units)      |
    | W_ux, W_fx, W_cx, W_ox     | quarters of `kernel`            | (features, 4 units) |
    | W_ua, W_fa, W_ca, W_oa     | quarters of `recurrent_kernel`  | (units, 4 units)    |
    | b_u, b_f, b_c, b_o         | quarters of `bias`              | (4 units,)          |

    Args:
        units: size of the states a<t> and c<t>.
        forget_bias: initial value of b_f; 1 preserves the memory at the start of training (Jozefowicz et al., 2015).
            None leaves it to `bias_initializer`. These are `unit_forget_bias=True` and `False` of Keras.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>, c<t-1>], each (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = LSTMCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 2)

    References:
        Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735;
        forget gate: Gers et al., 2000, https://doi.org/10.1162/089976600300015015
    """

    defaults = GATED

    def __init__(self, units: int, forget_bias: float | None = 1.0, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [units, units]
        self.forget_bias = forget_bias

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 4, initial_bias=(None, self.forget_bias, None, None))

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous, memory = states
        gates = projected + product("recurrent_kernel", previous)
        candidate = self.activation(ops.split(gates, 4, axis=-1)[2])  # each (batch, units)
        update, forget, _, output = self.activate_gates(gates, 4)
        memory = update * candidate + forget * memory
        return [output * self.activation(memory), memory]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "forget_bias": self.forget_bias}
