"""The interface of all cells: the mathematics of one time step, split so that a loop over time can be fast."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell  # by this class keras.layers.RNN knows dropout

from seqtasks.cells.affine import affine
from seqtasks.cells.masks import SequenceMasks
from seqtasks.cells.weights import CellWeights
from seqtasks.cells.weights import Shape as Shape  # part of the interface

Product = Callable[[str, tf.Tensor], tf.Tensor]
"""``product(name, vectors)``: vectors (batch, rows of the kernel) times the recurrent weights of that name."""


class RNNCell(CellWeights, DropoutRNNCell):
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

    `call(inputs, states, training=True)` does the same in single steps. The masks of its dropout last for a sequence.
    `keras.layers.RNN` begins one in each call; in a loop of your own, `get_initial_state(batch_size)` does.

    Args:
        units: positive integer, the size of the state.
        dropout, recurrent_dropout, zoneout: rates in [0, 1).
        use_bias: whether the cell has biases.
        seed: integer that makes the initial weights and the masks repeatable, or None.
        kernel_initializer, recurrent_initializer, bias_initializer: of the weights of the inputs, of those of the
            recurrence, and of the biases; "glorot_uniform", "orthogonal" and "zeros" if not given.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: of the same weights.
        kernel_constraint, recurrent_constraint, bias_constraint: of the same weights.
        activation, recurrent_activation: functions of the candidate or state, and of the gates, in cells that have them
            (`defaults`).

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
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(use_bias, seed, **kwargs)
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
        self.generator = keras.random.SeedGenerator(seed) if any(rates.values()) else None
        self.masks: SequenceMasks | None = None

    @property
    def state_sizes(self) -> list[int]:
        """The size of each state, as a list also for a cell with a single state."""
        return list(self.state_size) if isinstance(self.state_size, list | tuple) else [self.state_size]

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
        self, inputs: tf.Tensor, states: tf.Tensor | Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | list[tf.Tensor]]:
        several = isinstance(states, list | tuple)
        old = list(states) if several else [states]
        drops = training and self.generator is not None
        output, new = self._drop_and_advance(inputs, old) if drops else self.advance(self.project(inputs), old)
        return output, new if several else output

    def _drop_and_advance(self, inputs: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step of a training, with the masks of its sequence."""
        masks, weights = self.masks, self.recurrent_weights()
        if masks is None or not masks.usable:
            raise ValueError(
                f"{type(self).__name__}: no sequence has begun whose dropout masks this step could take. Call "
                "get_initial_state(batch_size) before its first step, inside the tf.function that has all its steps."
            )

        def drop(name: str, vectors: tf.Tensor, rate: float) -> tf.Tensor:
            if not rate:
                return vectors
            return ops.multiply(vectors, masks.get(name, lambda rows: self.dropout_mask((rows, size(vectors)), rate)))

        def product(name: str, vectors: tf.Tensor) -> tf.Tensor:
            return affine(drop(f"product {name}", vectors, self.recurrent_dropout), *weights[name])

        def size(vectors: tf.Tensor) -> int:
            return vectors.shape[-1]

        new = self.step(self.project(drop("inputs", inputs, self.dropout)), states, product)
        if self.zoneout:
            shapes = [(ops.shape(state)[0], size(state)) for state in states]
            new = self.apply_zoneout(states, new, [self.dropout_mask(s, 1 - self.zoneout) > 0 for s in shapes])
        return new[0], new

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
        """Zeros for each state, (batch_size, size). A new sequence begins, with new dropout masks."""
        self._begin(batch_size)
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_sizes]

    def _begin(self, batch_size: int | tf.Tensor | None) -> None:
        self.masks = None if self.generator is None else SequenceMasks(batch_size)

    def get_dropout_mask(self, step_input: tf.Tensor) -> None:
        """Begins a new sequence. `keras.layers.RNN` calls it before the first step."""
        self._begin(ops.shape(step_input)[0])

    def get_recurrent_dropout_mask(self, step_input: tf.Tensor) -> None:
        """Does nothing: `get_dropout_mask` begins the sequence for all masks."""

    def reset_dropout_mask(self) -> None:
        """Ends the sequence. `keras.layers.RNN` calls it after the last step."""
        self.masks = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Ends the sequence, as `reset_dropout_mask` does."""
        self.masks = None

    def get_config(self) -> dict[str, Any]:
        names = ("units", "dropout", "recurrent_dropout", "zoneout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
