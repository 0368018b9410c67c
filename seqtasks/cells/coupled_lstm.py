"""The long short-term memory with coupled input and forget gates."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import GATED, Shape


@keras.saving.register_keras_serializable("seqtasks")
class CoupledLSTMCell(RNNCell):
    """One step of the long short-term memory with Gamma_f = 1 - Gamma_u.

    In the lecture's notation::

        Gamma_u = sigmoid(W_u [a<t-1>, x<t>] + b_u)
        c~<t>   = tanh(W_c [a<t-1>, x<t>] + b_c)
        Gamma_o = sigmoid(W_o [a<t-1>, x<t>] + b_o)
        c<t>    = Gamma_u * c~<t> + (1 - Gamma_u) * c<t-1>
        a<t>    = Gamma_o * tanh(c<t>)

    | symbol           | attribute                      | shape               |
    |------------------|--------------------------------|---------------------|
    | x<t>             | `inputs`                       | (batch, features)   |
    | a<t>             | `states[0]`, the output        | (batch, units)      |
    | c<t>             | `states[1]`                    | (batch, units)      |
    | W_ux, W_cx, W_ox | thirds of `kernel`             | (features, 3 units) |
    | W_ua, W_ca, W_oa | thirds of `recurrent_kernel`   | (units, 3 units)    |
    | b_u, b_c, b_o    | thirds of `bias`               | (3 units,)          |

    Args:
        units: size of the states a<t> and c<t>.
        update_bias: initial value of b_u; -1 preserves the memory at the start of training, as a forget bias of 1 does.
            None leaves it to `bias_initializer`.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>, c<t-1>], each (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = CoupledLSTMCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 2)

    References:
        Greff et al., 2017, LSTM: A Search Space Odyssey, variant CIFG, https://arxiv.org/abs/1503.04069
    """

    defaults = GATED

    def __init__(self, units: int, update_bias: float | None = -1.0, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [units, units]
        self.update_bias = update_bias

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 3, initial_bias=(self.update_bias, None, None))

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous, memory = states
        gates = projected + product("recurrent_kernel", previous)
        candidate = self.activation(ops.split(gates, 3, axis=-1)[1])  # each (batch, units)
        update, _, output = self.activate_gates(gates, 3)
        memory = memory + update * (candidate - memory)
        return [output * self.activation(memory), memory]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "update_bias": self.update_bias}
