"""The full gated recurrent unit, reset gate before or after the recurrent product."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqtasks.cells.affine import affine
from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import GATED, Shape


@keras.saving.register_keras_serializable("seqtasks")
class GRUCell(RNNCell):
    """One step of the gated recurrent unit.

    In the lecture's notation, where a<t> = c<t>::

        Gamma_u = sigmoid(W_u [c<t-1>, x<t>] + b_u)
        Gamma_r = sigmoid(W_r [c<t-1>, x<t>] + b_r)
        c~<t>   = tanh(W_c [Gamma_r * c<t-1>, x<t>] + b_c)
        c<t>    = Gamma_u * c~<t> + (1 - Gamma_u) * c<t-1>

    Keras, PyTorch and cuDNN parametrise the complement z = 1 - Gamma_u, and so do the weights here: `set_weights` takes
    the weights of `keras.layers.GRU`, and gives them to it. With `reset_after` the reset gate multiplies the recurrent
    product instead of the state (``tanh(W_cx x<t> + b_c + Gamma_r * (W_cc c<t-1> + b_cc))``), so that a step
    needs one recurrent product instead of two.

    | symbol                       | attribute                                          | shape               |
    |------------------------------|----------------------------------------------------|---------------------|
    | x<t>                         | `inputs`                                           | (batch, features)   |
    | c<t>                         | `states[0]`, the output                            | (batch, units)      |
    | W_ux, W_rx, W_cx             | thirds of `kernel`, the first negated              | (features, 3 units) |
    | W_uc, W_rc, W_cc             | thirds of `recurrent_kernel`, the first negated    | (units, 3 units)    |
    | b_u, b_r, b_c                | thirds of `bias`, the first negated                | (3 units,)          |

    With `reset_after`, `bias` is (2, 3 units). Its first row is as above. The last third of the second row is b_cc, and
    the other two are added to b_u and b_r.

    Args:
        units: size of the state c<t>.
        reset_after: True if the reset gate acts after the recurrent product (as in cuDNN; faster, with one product a
            step), False if it acts before it (the lecture and the paper).
        kwargs: the other arguments of `RNNCell`.

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

    defaults = GATED

    def __init__(self, units: int, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.reset_after = reset_after

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 3, bias_rows=2 if self.reset_after else None)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Loads the weights, also those of a file that has the two rows of the bias as two weights."""
        if self.reset_after and len(store) == 4 and np.ndim(store["2"]) == 1:
            store = {"0": store["0"], "1": store["1"], "2": np.stack([store["2"], store["3"]])}
        super().load_own_variables(store)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        bias = self.bias[0] if self.reset_after and self.bias is not None else self.bias
        return affine(inputs, self.kernel, bias)

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        if self.reset_after:
            bias = () if self.bias is None else (self.bias[1],)
            return {"all": (self.recurrent_kernel, *bias)}
        gates, candidate = ops.split(self.recurrent_kernel, [2 * self.units], axis=-1)
        return {"gates": (gates,), "candidate": (candidate,)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous = states[0]
        projected_gates, projected_candidate = ops.split(projected, [2 * self.units], axis=-1)
        if self.reset_after:
            gates, recurrent = ops.split(product("all", previous), [2 * self.units], axis=-1)
        else:
            gates = product("gates", previous)
        keep, reset = self.activate_gates(projected_gates + gates, 2)  # each (batch, units)
        recurrent = reset * recurrent if self.reset_after else product("candidate", reset * previous)
        candidate = self.activation(projected_candidate + recurrent)
        return [candidate + keep * (previous - candidate)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
