"""The long short-term memory with peephole connections, whose gates depend on the memory."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product
from seqtasks.cells.lstm import LSTMCell
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class PeepholeLSTMCell(LSTMCell):
    """One step of the long short-term memory with peephole connections.

    In the lecture's notation, with p_u, p_f and p_o one weight for each unit::

        c~<t>   = tanh(W_c [a<t-1>, x<t>] + b_c)
        Gamma_u = sigmoid(W_u [a<t-1>, x<t>] + p_u * c<t-1> + b_u)
        Gamma_f = sigmoid(W_f [a<t-1>, x<t>] + p_f * c<t-1> + b_f)
        c<t>    = Gamma_u * c~<t> + Gamma_f * c<t-1>
        Gamma_o = sigmoid(W_o [a<t-1>, x<t>] + p_o * c<t> + b_o)
        a<t>    = Gamma_o * tanh(c<t>)

    | symbol                     | attribute                       | shape               |
    |----------------------------|---------------------------------|---------------------|
    | x<t>                       | `inputs`                        | (batch, features)   |
    | a<t>                       | `states[0]`, the output         | (batch, units)      |
    | c<t>                       | `states[1]`                     | (batch, units)      |
    | W_ux, W_fx, W_cx, W_ox     | quarters of `kernel`            | (features, 4 units) |
    | W_ua, W_fa, W_ca, W_oa     | quarters of `recurrent_kernel`  | (units, 4 units)    |
    | b_u, b_f, b_c, b_o         | quarters of `bias`              | (4 units,)          |
    | p_u, p_f                   | halves of `peephole`            | (2 units,)          |
    | p_o                        | `output_peephole`               | (units,)            |

    Args:
        units: size of the states a<t> and c<t>.
        forget_bias: initial value of b_f; None leaves it to `bias_initializer`.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>, c<t-1>], each (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = PeepholeLSTMCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 2)

    References:
        Gers, Schraudolph and Schmidhuber, 2002, equations 1-6,
        https://www.jmlr.org/papers/volume3/gers02a/gers02a.pdf
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.peephole = self.add_weight(
            shape=(2 * self.units,), initializer=self.seeded("glorot_uniform"), name="peephole"
        )
        self.output_peephole = self.add_weight(
            shape=(self.units,), initializer=self.seeded("glorot_uniform"), name="output_peephole"
        )

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous, memory = states
        gates = projected + product("recurrent_kernel", previous)
        update, forget, candidate, output = ops.split(gates, 4, axis=-1)  # each (batch, units)
        peephole_update, peephole_forget = ops.split(self.peephole, 2)
        both = ops.concatenate([update + peephole_update * memory, forget + peephole_forget * memory], -1)
        update, forget = self.activate_gates(both, 2)
        memory = update * self.activation(candidate) + forget * memory
        output = self.recurrent_activation(output + self.output_peephole * memory)
        return [output * self.activation(memory), memory]
