"""The gated recurrent unit with an update gate only, as the lecture introduces it."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import GATED, Shape


@keras.saving.register_keras_serializable("seqtasks")
class SimplifiedGRUCell(RNNCell):
    """One step of the simplified gated recurrent unit.

    In the lecture's notation, where a<t> = c<t>::

        Gamma_u = sigmoid(W_u [c<t-1>, x<t>] + b_u)
        c~<t>   = tanh(W_c [c<t-1>, x<t>] + b_c)
        c<t>    = Gamma_u * c~<t> + (1 - Gamma_u) * c<t-1>

    | symbol     | attribute                    | shape               |
    |------------|------------------------------|---------------------|
    | x<t>       | `inputs`                     | (batch, features)   |
    | c<t>       | `states[0]`, the output      | (batch, units)      |
    | W_ux, W_cx | halves of `kernel`           | (features, 2 units) |
    | W_uc, W_cc | halves of `recurrent_kernel` | (units, 2 units)    |
    | b_u, b_c   | halves of `bias`             | (2 units,)          |

    Args:
        units: size of the state c<t>.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [c<t-1>], shape (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = SimplifiedGRUCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 1)

    References:
        Zhou et al., 2016, Minimal Gated Unit, https://arxiv.org/abs/1603.09420 (also gates the candidate's state);
        Cho et al., 2014, https://arxiv.org/abs/1406.1078 (the full unit)
    """

    defaults = GATED

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 2)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous = states[0]
        gates = projected + product("recurrent_kernel", previous)
        update, candidate = ops.split(gates, 2, axis=-1)  # each (batch, units)
        return [previous + self.recurrent_activation(update) * (self.activation(candidate) - previous)]
