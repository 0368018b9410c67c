"""The gated recurrent unit with layer normalisation."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.affine import affine
from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.normalise import centre, rescale
from seqtasks.cells.weights import GATED, Shape


@keras.saving.register_keras_serializable("seqtasks")
class LayerNormGRUCell(RNNCell):
    """One step of the layer-normalised gated recurrent unit.

    In the lecture's notation, where a<t> = c<t>, and norm(z) has mean 0 and variance 1 over z and a gain::

        Gamma_u, Gamma_r = sigmoid(norm(W_gx x<t>) + norm(W_gc c<t-1>) + b_g)
        c~<t>            = tanh(norm(W_cx x<t>) + b_c + Gamma_r * norm(W_cc c<t-1>))
        c<t>             = Gamma_u * c~<t> + (1 - Gamma_u) * c<t-1>

    Both gates are normalised together, the candidate separately. As in `GRUCell`, the weights of Gamma_u are negated.

    | symbol                 | attribute                                                     | shape               |
    |------------------------|---------------------------------------------------------------|---------------------|
    | x<t>                   | `inputs`                                                      | (batch, features)   |
    | c<t>                   | `states[0]`, the output                                       | (batch, units)      |
    | W_gx, W_cx             | the first two thirds of `kernel`, the last                    | (features, 3 units) |
    | W_gc, W_cc             | the first two thirds of `recurrent_kernel`, the last          | (units, 3 units)    |
    | b_g, b_c               | the first two thirds of `bias`, the last                      | (3 units,)          |
    | gains of norm(W_x x)   | `gain`                                                        | (3 units,)          |
    | gains of norm(W_c c)   | `recurrent_gain`                                              | (3 units,)          |

    Args:
        units: size of the state c<t>.
        kwargs: the other arguments of `RNNCell`.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [c<t-1>], shape (batch, units).

    Example:
        >>> import numpy as np
        >>> cell = LayerNormGRUCell(4)
        >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> tuple(output.shape), len(states)
        ((2, 4), 1)

    References:
        Ba, Kiros and Hinton, 2016, supplementary equations 22-24, https://arxiv.org/abs/1607.06450
    """

    defaults = GATED

    def build(self, input_shape: Shape) -> None:
        self.add_gates(input_shape[-1], 3)
        self.gain = self.add_weight(shape=(3 * self.units,), initializer="ones", name="gain")
        self.recurrent_gain = self.add_weight(shape=(3 * self.units,), initializer="ones", name="recurrent_gain")

    def _split(self, x: tf.Tensor) -> list[tf.Tensor]:
        """The columns of the two gates, and those of the candidate."""
        return ops.split(x, [2 * self.units], axis=-1)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel = ops.concatenate([centre(part) for part in self._split(self.kernel)], -1)
        biases = [self.bias] if self.use_bias else []
        parts = [self._split(x) for x in (affine(inputs, kernel), self.gain, *biases)]
        return ops.concatenate([rescale(*part) for part in zip(*parts, strict=True)], -1)

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        gates, candidate = self._split(self.recurrent_kernel)
        return {"gates": (centre(gates),), "candidate": (centre(candidate),)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous = states[0]
        gates, candidate = self._split(projected)
        gates_gain, candidate_gain = self._split(self.recurrent_gain)
        gates = gates + rescale(product("gates", previous), gates_gain)
        keep, reset = self.activate_gates(gates, 2)  # each (batch, units)
        candidate = self.activation(candidate + reset * rescale(product("candidate", previous), candidate_gain))
        return [candidate + keep * (previous - candidate)]
