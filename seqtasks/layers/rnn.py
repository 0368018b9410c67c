"""The loop over time. It is written once, here, for every cell, direction and mask."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell


class Recurrence:
    """One cell ready to be carried over one batch: projected inputs, first states and the mask, time first.

    The first state of a recurrence is what it puts out. For cells of this package that holds by contract; a foreign
    cell, whose output may be something else, carries its last output as an additional first state.

    Args:
        cell: a cell of `seqtasks.cells` or any Keras RNN cell.
        sequences: tensor (time, batch, features).
        states: list of tensors (batch, size), the states before the first step.
        mask: None or boolean tensor (time, batch, 1), False where a step is to be skipped.
        backwards: whether time runs from the end to the start; inputs and outputs keep their places.
    """

    def __init__(self, cell, sequences, states, mask=None, backwards=False, training=False):
        self.mask, self.backwards = mask, backwards
        if isinstance(cell, RNNCell):
            self.inputs, self.states, self.step = cell.project(sequences), list(states), cell.step
            return
        known = {"training": training} if getattr(cell, "_call_has_training_arg", False) else {}
        output, _ = cell(sequences[0], states, **known)

        def step(inputs, states):
            output, new = cell(inputs, states[1:], **known)
            return output, [output, *(new if isinstance(new, (list, tuple)) else [new])]

        self.inputs, self.states, self.step = sequences, [tf.zeros_like(output), *states], step

    def at(self, t, time):
        return time - 1 - t if self.backwards else t

    def before(self, first, history):
        """The states before each step, from the first ones and those after each step; (time, batch, size) each."""
        if self.backwards:
            return [tf.concat([h[1:], f[None]], 0) for f, h in zip(first, history, strict=True)]
        return [tf.concat([f[None], h[:-1]], 0) for f, h in zip(first, history, strict=True)]


def scan(recurrences):
    """Carry several recurrences of equal length through time, in one loop forth and, for the gradient, one loop back.

    Running the two directions of a bidirectional layer in lockstep halves the iterations. Masked steps keep the
    states they found. Backpropagation through time is written out: the loop forth keeps the states alone, and the loop
    back computes each step anew under a tape. Automatic differentiation of a loop keeps every intermediate result of
    every step on a list of its own.

    Returns:
        A list with (outputs (time, batch, units), last states) for each recurrence.
    """
    counts = [len(r.states) for r in recurrences]

    @tf.custom_gradient
    def run(inputs, *first):
        histories, last = _forth(recurrences, inputs, _nest(first, counts))

        def gradient(*upstream, variables=None):
            return _back(recurrences, inputs, _nest(first, counts), histories, upstream, variables or [])

        return ([history[0] for history in histories], [s for states in last for s in states]), gradient

    outputs, last = run([r.inputs for r in recurrences], *[s for r in recurrences for s in r.states])
    return list(zip(outputs, _nest(last, counts), strict=True))


def _nest(flat, counts):
    flat = iter(flat)
    return [[next(flat) for _ in range(count)] for count in counts]


def _arrays(tensors, time):
    return [None if x is None else tf.TensorArray(x.dtype, time, clear_after_read=False).unstack(x) for x in tensors]


def _forth(recurrences, inputs, states):
    """All states after every step, each (time, batch, size), and the last ones."""
    time = tf.shape(inputs[0])[0]
    inputs, masks = _arrays(inputs, time), _arrays([r.mask for r in recurrences], time)
    histories = [[tf.TensorArray(s.dtype, time, element_shape=s.shape) for s in r.states] for r in recurrences]

    def body(t, states, histories):
        new_states, new_histories = [], []
        for recurrence, x, mask, old, history in zip(recurrences, inputs, masks, states, histories, strict=True):
            at = recurrence.at(t, time)
            _, new = recurrence.step(x.read(at), old)
            if mask is not None:
                live = mask.read(at)  # (batch, 1)
                new = [tf.where(live, n, o) for n, o in zip(new, old, strict=True)]
            new_states.append(list(new))
            new_histories.append([array.write(at, n) for array, n in zip(history, new, strict=True)])
        return t + 1, new_states, new_histories

    _, states, histories = tf.while_loop(lambda t, *_: t < time, body, (0, states, histories), maximum_iterations=time)
    return [[array.stack() for array in history] for history in histories], states


def _back(recurrences, inputs, first, histories, upstream, variables):
    """Gradients of the inputs and first states, and of the variables, from those of the outputs and last states."""
    time = tf.shape(inputs[0])[0]
    into_outputs = _arrays(upstream[: len(recurrences)], time)
    into_states = _nest(upstream[len(recurrences) :], [len(r.states) for r in recurrences])
    befores = [
        _arrays(recurrence.before(states, history), time)
        for recurrence, states, history in zip(recurrences, first, histories, strict=True)
    ]
    into_inputs = [tf.TensorArray(x.dtype, time, element_shape=x.shape[1:]) for x in inputs]
    inputs, masks = _arrays(inputs, time), _arrays([r.mask for r in recurrences], time)

    def body(t, into_states, into_inputs, into_variables):
        new_states, new_inputs = [], []
        for i, recurrence in enumerate(recurrences):
            at = recurrence.at(t, time)
            into = [into_states[i][0] + into_outputs[i].read(at), *into_states[i][1:]]
            kept = None
            if masks[i] is not None:
                live = tf.cast(masks[i].read(at), into[0].dtype)
                kept, into = [d * (1 - live) for d in into], [d * live for d in into]
            x, old = inputs[i].read(at), [array.read(at) for array in befores[i]]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([x, old, variables])
                _, new = recurrence.step(x, old)
            into_x, into_old, into_weights = tape.gradient(
                new, [x, old, variables], into, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            new_states.append(into_old if kept is None else [d + k for d, k in zip(into_old, kept, strict=True)])
            new_inputs.append(into_inputs[i].write(at, into_x))
            into_variables = [total + d for total, d in zip(into_variables, into_weights, strict=True)]
        return t - 1, new_states, new_inputs, into_variables

    zeros = [tf.zeros(v.shape, v.dtype) for v in variables]
    _, into_first, into_inputs, into_variables = tf.while_loop(
        lambda t, *_: t >= 0, body, (time - 1, into_states, into_inputs, zeros), maximum_iterations=time
    )
    return ([array.stack() for array in into_inputs], *[d for states in into_first for d in states]), into_variables


def _time_first(x):
    return tf.transpose(x, (1, 0, *range(2, len(x.shape))))


@keras.saving.register_keras_serializable("seqtasks")
class RNN(keras.layers.RNN):
    """Runs a cell over time: `keras.layers.RNN`, with the input projection of all steps as one matrix product.

    Takes the arguments of `keras.layers.RNN` and gives its numbers. A cell of `seqtasks.cells` has its inputs
    projected before the loop; any other Keras cell runs whole inside it.

    Args:
        cell: a cell of `seqtasks.cells` or any Keras RNN cell; a list of cells is stacked.
        return_sequences: whether to return the output of every step or of the last one.
        return_state: whether to return the last states too.
        go_backwards: whether to read the sequence from its end (the outputs then come in that order).
        zero_output_for_mask: whether masked steps put out zeros instead of the output before them.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of the states before the first step; zeros if None.
        mask: boolean (batch, time), False where a step is skipped.

    Output shape:
        (batch, units), or (batch, time, units) with `return_sequences`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import LSTMCell
        >>> tuple(RNN(LSTMCell(8), return_sequences=True)(np.ones((2, 5, 3), "float32")).shape)
        (2, 5, 8)
    """

    def inner_loop(self, sequences, initial_state, mask, training=False):
        nested = any(isinstance(state, (list, tuple)) for state in initial_state)  # the states of stacked cells
        if self.unroll or nested or any(not isinstance(size, int) for size in self.state_size):
            return super().inner_loop(sequences, initial_state, mask, training)
        mask = None if mask is None else _time_first(tf.cast(mask, bool)[..., None])
        recurrence = Recurrence(
            self.cell, _time_first(sequences), initial_state, mask, backwards=self.go_backwards, training=training
        )
        ((outputs, states),) = scan([recurrence])
        last = states[0]
        if self.go_backwards:
            outputs = tf.reverse(outputs, [0])
            mask = None if mask is None else tf.reverse(mask, [0])
        if mask is not None:  # a row that has not begun puts out zeros, and so does every masked step where asked
            live = mask if self.zero_output_for_mask else tf.cumsum(tf.cast(mask, tf.int32), axis=0) > 0
            outputs = tf.where(live, outputs, tf.zeros_like(outputs))
            last = tf.where(live[-1], last, tf.zeros_like(last))
        return last, _time_first(outputs), states if isinstance(self.cell, RNNCell) else states[1:]


@keras.saving.register_keras_serializable("seqtasks")
class Bidirectional(keras.layers.Layer):
    """Reads a sequence from both ends in one loop and joins the two outputs of every step.

    Args:
        forward: a cell, which reads from the start.
        backward: a cell of the same kind, which reads from the end.
        return_sequences: whether to return the joined outputs of every step, or the last output of each direction.

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time), False where a step is skipped; such steps put out zeros.

    Output shape:
        (batch, time, 2 units), or (batch, 2 units) without `return_sequences`: forward first.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import GRUCell
        >>> tuple(Bidirectional(GRUCell(8), GRUCell(8))(np.ones((2, 5, 3), "float32")).shape)
        (2, 5, 16)

    References:
        Schuster and Paliwal, 1997, https://doi.org/10.1109/78.650093
    """

    def __init__(self, forward, backward, return_sequences=True, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.forward, self.backward, self.return_sequences = forward, backward, return_sequences

    def build(self, input_shape):
        for cell in (self.forward, self.backward):
            if not cell.built:
                cell.build((input_shape[0], *input_shape[2:]))

    def call(self, inputs, mask=None, training=False):
        batch = ops.shape(inputs)[0]
        sequences = _time_first(inputs)
        mask = None if mask is None else _time_first(tf.cast(mask, bool)[..., None])
        (forward, forward_states), (backward, backward_states) = scan(
            [
                Recurrence(cell, sequences, cell.get_initial_state(batch), mask, backwards, training)
                for cell, backwards in ((self.forward, False), (self.backward, True))
            ]
        )
        if not self.return_sequences:
            return tf.concat([forward_states[0], backward_states[0]], -1)
        outputs = tf.concat([forward, backward], -1)
        return _time_first(outputs if mask is None else tf.where(mask, outputs, tf.zeros_like(outputs)))

    def compute_mask(self, inputs, mask=None):
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape):
        size = self.forward.output_size + self.backward.output_size
        return (*input_shape[:2], size) if self.return_sequences else (input_shape[0], size)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        cells = {"forward": serialize(self.forward), "backward": serialize(self.backward)}
        return {**super().get_config(), **cells, "return_sequences": self.return_sequences}

    @classmethod
    def from_config(cls, config):
        cells = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("forward", "backward")}
        return cls(**cells, **config)
