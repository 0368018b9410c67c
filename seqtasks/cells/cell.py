"""What every cell of this folder is: the mathematics of one time step, split where a loop can profit."""

import keras
from keras import ops


class RNNCell(keras.layers.Layer):
    """One time step of a recurrent network, as a Keras cell that a fast loop can take apart.

    A subclass writes two functions instead of `call`:

    - `project(inputs)`: all that depends on the input alone (``W_x x + b``). It accepts any number of leading
      axes, so that a loop calls it once for the whole sequence: one large matrix product before the loop instead
      of a small one in each step.
    - `step(projected, states)`: what is left for the loop, from the projected input and the previous states.

    `call(inputs, states)` is their composition, which makes the cell a drop-in for `keras.layers.RNN` too.
    A subclass sets `state_size` (an integer or a list of them); the first state is the output a<t>.

    Args:
        units: positive integer, the size of the state.

    Raises:
        ValueError: if `units` is not a positive integer.

    Example:
        >>> class Sum(RNNCell):
        ...     def project(self, inputs):
        ...         return ops.sum(inputs, -1, keepdims=True)
        ...
        ...     def step(self, projected, states):
        ...         output = projected + states[0]
        ...         return output, [output]
        >>> output, states = Sum(1)(ops.ones((2, 3)), [ops.ones((2, 1))])
        >>> output.numpy().tolist()
        [[4.0], [4.0]]
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"{type(self).__name__}: units must be a positive integer, got {units!r}.")
        self.units = units
        self.state_size = units
        self.output_size = units

    def project(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} has no project(inputs).")

    def step(self, projected, states):
        raise NotImplementedError(f"{type(self).__name__} has no step(projected, states).")

    def call(self, inputs, states, training=False):
        return self.step(self.project(inputs), states)

    def get_initial_state(self, batch_size=None):
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
