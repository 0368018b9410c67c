"""The simple recurrent network of Elman."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class SimpleRNNCell(RNNCell):
    """One step of the simple recurrent network: ``a<t> = tanh(W_aa a<t-1> + W_ax x<t> + b_a)``.

    | symbol | attribute                     | shape            |
    |--------|-------------------------------|------------------|
    | x<t>   | `inputs`                      | (batch, features)|
    | a<t>   | `states[0]`, the output       | (batch, units)   |
    | W_ax   | `kernel`                      | (features, units)|
    | W_aa   | `recurrent_kernel`            | (units, units)   |
    | b_a    | `bias`                        | (units,)         |

    Args:
        units: size of the state a<t>.
        activation: function of the sum; the lecture's is tanh.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>], shape (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = SimpleRNNCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 1)

    References:
        Elman, 1990, Finding Structure in Time, https://doi.org/10.1207/s15516709cog1402_1
    """

    defaults = {"activation": "tanh"}

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 1)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        return [self.activation(projected + product("recurrent_kernel", states[0]))]
