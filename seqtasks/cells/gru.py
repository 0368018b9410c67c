"""The full gated recurrent unit, reset gate before or after the recurrent product."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell, Shape


@keras.saving.register_keras_serializable("seqtasks")
class GRUCell(RNNCell):
    """One step of the gated recurrent unit.

    In the lecture's notation, where a<t> = c<t>::

        Gamma_u = sigmoid(W_u [c<t-1>, x<t>] + b_u)
        Gamma_r = sigmoid(W_r [c<t-1>, x<t>] + b_r)
        c~<t>   = tanh(W_c [Gamma_r * c<t-1>, x<t>] + b_c)
        c<t>    = Gamma_u * c~<t> + (1 - Gamma_u) * c<t-1>

    Keras, PyTorch and cuDNN parametrise the complement z = 1 - Gamma_u, and so do the weights here: the weights of
    `keras.layers.GRU` can be copied in either direction. With `reset_after` the reset gate multiplies the recurrent
    product instead of the state (``tanh(W_cx x<t> + b_c + Gamma_r * (W_cc c<t-1> + b_cc))``), so that a step
    needs one recurrent product instead of two.

    | symbol                       | attribute                                          | shape               |
    |------------------------------|----------------------------------------------------|---------------------|
    | x<t>                         | `inputs`                                           | (batch, features)   |
    | c<t>                         | `states[0]`, the output                            | (batch, units)      |
    | W_ux, W_rx, W_cx             | thirds of `kernel`, the first negated              | (features, 3 units) |
    | W_uc, W_rc, W_cc             | thirds of `recurrent_kernel`, the first negated    | (units, 3 units)    |
    | b_u, b_r, b_c                | thirds of `bias`, the first negated                | (3 units,)          |
    | b_cc (with zeros for u and r)| `recurrent_bias`, only with `reset_after`          | (3 units,)          |

    Args:
        units: size of the state c<t>.
        reset_after: True if the reset gate acts after the recurrent product (as in cuDNN; faster, with one product a
            step), False if it acts before it (the lecture and the paper).

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [c<t-1>], shape (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = GRUCell(4, reset_after=False)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 1)

    References:
        Cho et al., 2014, equations 5-8, https://arxiv.org/abs/1406.1078
    """

    def __init__(self, units: int, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.reset_after = reset_after

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 3)
        if self.reset_after:
            self.recurrent_bias = self.add_weight(shape=(3 * self.units,), initializer="zeros", name="recurrent_bias")

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        if self.reset_after:
            return {"all": (self.recurrent_kernel, self.recurrent_bias)}
        gates, candidate = ops.split(self.recurrent_kernel, [2 * self.units], axis=-1)
        return {"gates": (gates,), "candidate": (candidate,)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous = states[0]
        projected_gates, projected_candidate = ops.split(projected, [2 * self.units], axis=-1)
        if self.reset_after:
            gates, recurrent = ops.split(product("all", previous), [2 * self.units], axis=-1)
        else:
            gates = product("gates", previous)
        keep, reset = ops.split(ops.sigmoid(projected_gates + gates), 2, axis=-1)  # each (batch, units)
        recurrent = reset * recurrent if self.reset_after else product("candidate", reset * previous)
        candidate = ops.tanh(projected_candidate + recurrent)
        return [candidate + keep * (previous - candidate)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
