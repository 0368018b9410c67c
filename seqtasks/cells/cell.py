"""The interface of all cells: the mathematics of one time step, split so that a loop over time can be fast."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.affine import affine

Shape = tuple[int | None, ...]
Product = Callable[[str, tf.Tensor], tf.Tensor]
"""``product(name, vectors)``: vectors (batch, rows of the kernel) times the recurrent weights of that name."""


class RNNCell(keras.layers.Layer):
    """One time step of a recurrent network, as a Keras cell whose parts a fast loop can call separately.

    A subclass implements three functions instead of `call`:

    - `project(inputs)`: all that depends on the input alone (``W_x x + b``). It accepts any number of leading
      axes, so that a loop calls it once for the whole sequence: one large matrix product before the loop instead
      of a small one in each step.
    - `recurrent_weights()`: the weights of the products with the recurrence, ``{name: (kernel,)}`` or
      ``{name: (kernel, bias)}``. A loop reads them once, and computes the gradient of each as one product after the
      backward loop.
    - `step(projected, states, product)`: the rest, from the projected input and the previous states to the list of new
      states. `product(name, vectors)` multiplies vectors (batch, rows of the kernel) by the weights of that name, once
      a step.

    `call(inputs, states)` is their composition, so that the cell also works in `keras.layers.RNN`.
    A subclass sets `state_size` (an integer or a list of integers). The first state is the output a<t>.

    The loop applies what acts on the recurrence of any cell, at the rates given here:

    - `dropout`: of the inputs, with one mask for all steps of a sequence;
    - `recurrent_dropout`: of the vectors in each recurrent product, with one mask for all steps of a sequence;
    - `zoneout`: fraction of the elements of each state that keep their value, drawn again at each step. When not
      training, the new value is the expectation over these draws.

    Args:
        units: positive integer, the size of the state.
        dropout, recurrent_dropout, zoneout: rates in [0, 1).

    Raises:
        ValueError: if `units` is not a positive integer or a rate lies outside [0, 1).

    Example:
        >>> class Sum(RNNCell):
        ...     def project(self, inputs):
        ...         return ops.sum(inputs, -1, keepdims=True)
        ...
        ...     def recurrent_weights(self):
        ...         return {}
        ...
        ...     def step(self, projected, states, product):
        ...         return [projected + states[0]]
        >>> output, states = Sum(1)(ops.ones((2, 3)), [ops.ones((2, 1))])
        >>> output.numpy().tolist()
        [[4.0], [4.0]]

    References:
        dropout: Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287;
        zoneout: Krueger et al., 2017, https://arxiv.org/abs/1606.01305
    """

    def __init__(
        self,
        units: int,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"{type(self).__name__}: units must be a positive integer, got {units!r}.")
        rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout, "zoneout": zoneout}
        for name, rate in rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{type(self).__name__}: {name} must lie in [0, 1), got {rate!r}.")
        self.units = units
        self.state_size: int | list[int] = units
        self.output_size = units
        self.dropout, self.recurrent_dropout, self.zoneout = dropout, recurrent_dropout, zoneout
        self.generator = keras.random.SeedGenerator() if any(rates.values()) else None

    @property
    def state_sizes(self) -> list[int]:
        """The size of each state, as a list also for a cell with a single state."""
        return list(self.state_size) if isinstance(self.state_size, list | tuple) else [self.state_size]

    def add_gates(self, features: int | None, gates: int, initial_bias: Sequence[float] | None = None) -> None:
        """Adds the weights of `gates` gates next to each other: `kernel`, `recurrent_kernel` and `bias`.

        Args:
            features: size of the inputs.
            gates: number of gates. The weights have ``gates * units`` columns.
            initial_bias: a number for each gate; zeros if None.
        """
        columns = gates * self.units
        self.kernel = self.add_weight(shape=(features, columns), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, columns), initializer="orthogonal", name="recurrent_kernel"
        )
        values = ops.repeat(ops.convert_to_tensor(initial_bias or [0.0] * gates), self.units)
        self.bias = self.add_weight(
            shape=(columns,), initializer=lambda shape, dtype: ops.cast(values, dtype), name="bias"
        )

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """The part of a step that depends on the inputs alone: (..., features) to (..., columns)."""
        return affine(inputs, self.kernel, self.bias)

    def recurrent_weights(self) -> Mapping[str, tuple[tf.Tensor, ...]]:
        """The weights of the recurrent products: ``{name: (kernel,)}`` or ``{name: (kernel, bias)}``."""
        return {"recurrent_kernel": (self.recurrent_kernel,)}

    def step(self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product) -> list[tf.Tensor]:
        """The new states, each (batch, size), from the projected inputs (batch, columns) and the previous states."""
        raise NotImplementedError(f"{type(self).__name__} has no step(projected, states, product).")

    def call(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        if training and self.generator is not None:
            remedy = "run the cell with seqtasks.layers.RNN, or set dropout and zoneout to 0"
            raise ValueError(f"{type(self).__name__}: one step cannot draw the mask of a whole sequence: {remedy}.")
        return self.advance(self.project(inputs), states)

    def advance(self, projected: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step outside a loop.

        Args:
            projected: (batch, columns), the result of `project`.
            states: the previous states, each (batch, size).

        Returns:
            The output (batch, units), and the list of new states.
        """
        weights = self.recurrent_weights()
        new = self.step(projected, states, lambda name, vectors: affine(vectors, *weights[name]))
        new = self.apply_zoneout(states, new)
        return new[0], new

    def apply_zoneout(
        self, old: Sequence[tf.Tensor], new: list[tf.Tensor], keep: Sequence[tf.Tensor] | None = None
    ) -> list[tf.Tensor]:
        """The new states after zoneout.

        Args:
            old, new: states before and after a step, each (batch, size).
            keep: boolean (batch, size) for each state, True where the old value stays. None for the expectation over
                such masks.
        """
        if not self.zoneout:
            return new
        if keep is None:
            return [n + self.zoneout * (o - n) for o, n in zip(old, new, strict=True)]
        return [tf.where(k, o, n) for k, o, n in zip(keep, old, new, strict=True)]

    def dropout_mask(self, shape: Sequence[int | tf.Tensor], rate: float) -> tf.Tensor:
        """A random factor for each element: 0 with probability `rate`, else 1 / (1 - rate)."""
        live = keras.random.uniform(shape, seed=self.generator) >= rate
        return tf.cast(live, self.compute_dtype) / (1 - rate)

    def get_initial_state(self, batch_size: int | tf.Tensor | None = None) -> list[tf.Tensor]:
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_sizes]

    def get_config(self) -> dict[str, Any]:
        names = ("units", "dropout", "recurrent_dropout", "zoneout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
