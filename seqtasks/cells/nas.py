"""The cell found by neural architecture search."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class NASCell(RNNCell):
    """One step of the cell found by neural architecture search.

    With x_i = W_ix x<t> + b_i and h_i = W_ia a<t-1> for i = 1 ... 8, a binary tree combines eight nodes::

        n_1 = sigmoid(x_1 + h_1)    n_2 = relu(x_2 + h_2)       m_1 = tanh(tanh(n_1 * n_2) + c<t-1>)
        n_3 = sigmoid(x_3 + h_3)    n_4 = relu(x_4 * h_4)       m_2 = tanh(n_3 + n_4)
        n_5 = tanh(x_5 + h_5)       n_6 = sigmoid(x_6 + h_6)    m_3 = tanh(n_5 * n_6)
        n_7 = tanh(x_7 + h_7)       n_8 = sigmoid(x_8 + h_8)    m_4 = sigmoid(n_7 + n_8)

        c<t> = m_1 * m_2
        a<t> = tanh(c<t> * tanh(m_3 + m_4))

    | symbol | attribute                      | shape               |
    |--------|--------------------------------|---------------------|
    | x<t>   | `inputs`                       | (batch, features)   |
    | a<t>   | `states[0]`, the output        | (batch, units)      |
    | c<t>   | `states[1]`                    | (batch, units)      |
    | W_ix   | eighths of `kernel`            | (features, 8 units) |
    | W_ia   | eighths of `recurrent_kernel`  | (units, 8 units)    |
    | b_i    | eighths of `bias`              | (8 units,)          |

    Args:
        units: size of the states a<t> and c<t>.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>, c<t-1>], each (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = NASCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 2)

    References:
        Zoph and Le, 2017, figure 8, https://arxiv.org/abs/1611.01578
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 8)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous, memory = states
        x, h = ops.split(projected, 8, axis=-1), ops.split(product("recurrent_kernel", previous), 8, axis=-1)
        sigmoid, tanh, relu = ops.sigmoid, ops.tanh, ops.relu
        first = tanh(tanh(sigmoid(x[0] + h[0]) * relu(x[1] + h[1])) + memory)
        second = tanh(sigmoid(x[2] + h[2]) + relu(x[3] * h[3]))
        third = tanh(tanh(x[4] + h[4]) * sigmoid(x[5] + h[5]))
        fourth = sigmoid(tanh(x[6] + h[6]) + sigmoid(x[7] + h[7]))
        memory = first * second
        return [tanh(memory * tanh(third + fourth)), memory]
