"""The echo state network: a random recurrence that is not trained."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqtasks.cells.cell import Product, RNNCell
from seqtasks.cells.weights import Shape


@keras.saving.register_keras_serializable("seqtasks")
class EchoStateCell(RNNCell):
    """One step of an echo state network: ``a<t> = (1 - l) a<t-1> + l tanh(W_aa a<t-1> + W_ax x<t> + b_a)``.

    The reservoir (W_aa, W_ax, b_a) keeps its initial values; only the layers that read a<t> are trained. W_aa is sparse
    and scaled so that the largest modulus of its eigenvalues is `spectral_radius`; below 1, an input's effect decays.

    | symbol | attribute                     | shape             |
    |--------|-------------------------------|-------------------|
    | x<t>   | `inputs`                      | (batch, features) |
    | a<t>   | `states[0]`, the output       | (batch, units)    |
    | W_ax   | `kernel`, not trained         | (features, units) |
    | W_aa   | `recurrent_kernel`, not trained | (units, units)  |
    | b_a    | `bias`, not trained           | (units,)          |
    | l      | `leak`                        | scalar            |

    Args:
        units: size of the state a<t>.
        connectivity: fraction of the elements of W_aa that are not zero, in (0, 1].
        spectral_radius: largest modulus of the eigenvalues of W_aa, at least 0.
        leak: l, the fraction of the state that a step replaces, in (0, 1].
        kwargs: the other arguments of `RNNCell`. A `recurrent_initializer` makes W_aa in place of `connectivity` and
            `spectral_radius`. Regularizers and constraints act on trained weights alone, so on none here.

    Call arguments:
        inputs: x<t>, shape (batch, features).
        states: [a<t-1>], shape (batch, units).

    Raises:
        ValueError: if an argument lies outside its range.

    Example:
        >>> import numpy as np
        >>> cell = EchoStateCell(50, spectral_radius=0.9)
        >>> cell.build((None, 3))
        >>> round(float(np.abs(np.linalg.eigvals(cell.recurrent_kernel.numpy())).max()), 4)
        0.9

    References:
        Jaeger, 2001, https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf;
        leaky units: Jaeger et al., 2007, equation 2, https://doi.org/10.1016/j.neunet.2007.04.016
    """

    defaults = {"activation": "tanh", "recurrent_initializer": None}

    def __init__(
        self, units: int, connectivity: float = 0.1, spectral_radius: float = 0.9, leak: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        for name, value in {"connectivity": connectivity, "leak": leak}.items():
            if not 0 < value <= 1:
                raise ValueError(f"EchoStateCell: {name} must lie in (0, 1], got {value!r}.")
        if spectral_radius < 0:
            raise ValueError(f"EchoStateCell: spectral_radius must be at least 0, got {spectral_radius!r}.")
        self.connectivity, self.spectral_radius, self.leak = connectivity, spectral_radius, leak

    def build(self, input_shape: Shape) -> None:
        units = self.units
        self.kernel = self.add_part("kernel", (input_shape[-1], units), trainable=False)
        initializer = None if self.recurrent_initializer else self._reservoir
        self.recurrent_kernel = self.add_part("recurrent", (units, units), initializer=initializer, trainable=False)
        self.bias = self.add_part("bias", (units,), trainable=False) if self.use_bias else None

    def _reservoir(self, shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
        seed = self.draw_seed()
        other = None if seed is None else seed + 1
        connected = ops.convert_to_numpy(keras.random.uniform(shape, seed=seed)) < self.connectivity
        kernel = ops.convert_to_numpy(keras.random.uniform(shape, -1.0, 1.0, seed=other)) * connected
        radius = np.abs(np.linalg.eigvals(kernel)).max()
        return ops.convert_to_tensor(kernel * (self.spectral_radius / radius if radius else 0.0), dtype)

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        previous = states[0]
        new = self.activation(projected + product("recurrent_kernel", previous))
        return [previous + self.leak * (new - previous)]

    def get_config(self) -> dict[str, Any]:
        names = ("connectivity", "spectral_radius", "leak")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
