"""What every cell of this folder is: the mathematics of one time step, split where a loop can profit."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells.affine import affine


class RNNCell(keras.layers.Layer):
    """One time step of a recurrent network, as a Keras cell that a fast loop can take apart.

    A subclass writes three functions instead of `call`:

    - `project(inputs)`: all that depends on the input alone (``W_x x + b``). It accepts any number of leading
      axes, so that a loop calls it once for the whole sequence: one large matrix product before the loop instead
      of a small one in each step.
    - `recurrent_weights()`: the weights of the products with the recurrence, ``{name: (kernel,)}`` or
      ``{name: (kernel, bias)}``. A loop reads them once, and forms the gradient of each as one product after the loop
      back.
    - `step(projected, states, product)`: what is left for the loop, from the projected input and the previous states
      to the list of new states. `product(name, vectors)` multiplies vectors (batch, rows of the kernel) by the weights
      of that name, once a step.

    `call(inputs, states)` is their composition, which makes the cell a drop-in for `keras.layers.RNN` too.
    A subclass sets `state_size` (an integer or a list of them); the first state is the output a<t>.

    What acts on the recurrence of any cell lives in the loop, and takes its rates from here:

    - `dropout`: of the inputs, one mask for all steps of a sequence;
    - `recurrent_dropout`: of the vectors in each recurrent product, one mask for all steps of a sequence;
    - `zoneout`: share of the elements of each state that keep their value, drawn anew each step. When not training,
      the new value is the mean of that lottery.

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

    def __init__(self, units, dropout=0.0, recurrent_dropout=0.0, zoneout=0.0, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"{type(self).__name__}: units must be a positive integer, got {units!r}.")
        rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout, "zoneout": zoneout}
        for name, rate in rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{type(self).__name__}: {name} must lie in [0, 1), got {rate!r}.")
        self.units = units
        self.state_size = units
        self.output_size = units
        self.dropout, self.recurrent_dropout, self.zoneout = dropout, recurrent_dropout, zoneout
        self.generator = keras.random.SeedGenerator() if any(rates.values()) else None

    def add_gates(self, features, gates, initial_bias=None):
        """The weights of `gates` gates side by side: `kernel`, `recurrent_kernel` and `bias`.

        Args:
            features: size of the inputs.
            gates: how many times `units` the products have columns.
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

    def project(self, inputs):
        return affine(inputs, self.kernel, self.bias)

    def recurrent_weights(self):
        return {"recurrent_kernel": (self.recurrent_kernel,)}

    def step(self, projected, states, product):
        raise NotImplementedError(f"{type(self).__name__} has no step(projected, states, product).")

    def call(self, inputs, states, training=False):
        if training and self.generator is not None:
            remedy = "run the cell with seqtasks.layers.RNN, or leave out dropout and zoneout"
            raise ValueError(
                f"{type(self).__name__}: a mask for a whole sequence cannot be drawn in one step: {remedy}."
            )
        return self.advance(self.project(inputs), states)

    def advance(self, projected, states):
        """One step from what `project` gave: the output, and the new states."""
        weights = self.recurrent_weights()
        new = self.step(projected, states, lambda name, vectors: affine(vectors, *weights[name]))
        new = self.zone_out(states, new)
        return new[0], new

    def zone_out(self, old, new, keep=None):
        """New states after zoneout: old where `keep` (a mask for each state) says so, or the mean over such masks."""
        if not self.zoneout:
            return new
        if keep is None:
            return [n + self.zoneout * (o - n) for o, n in zip(old, new, strict=True)]
        return [tf.where(k, o, n) for k, o, n in zip(keep, old, new, strict=True)]

    def dropped(self, shape, rate):
        """A random factor for each element: 0 with probability `rate`, else 1 / (1 - rate)."""
        live = keras.random.uniform(shape, seed=self.generator) >= rate
        return tf.cast(live, self.compute_dtype) / (1 - rate)

    def get_initial_state(self, batch_size=None):
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def get_config(self):
        names = ("units", "dropout", "recurrent_dropout", "zoneout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
