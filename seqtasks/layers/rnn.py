"""Layers that carry cells over time."""

import os

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell
from seqtasks.layers.scan import Recurrence, scan

# that this process may use
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
LANE = 4096  # units times rows that make a part of a batch worth a core of its own (see benchmarks/layers.py)


def recur(
    cells, sequences, states, mask=None, training=False, matrices=None, constants=None, time_major=False, table=None
):
    """Carry cells over the same sequences, side by side.

    A step of a recurrence is too small for more than one core, so the batch is split into as many lanes as there are
    cores to run them, where it is large enough.

    Args:
        cells: list of (cell, backwards).
        sequences: (batch, time, features), or with `time_major` (time, batch, features).
        states: the first states of each cell.
        mask: boolean (batch, time), or None.
        training: whether dropout is at work.
        matrices, constants: what belongs to the rows of the batch, see `seqtasks.layers.scan.Recurrence`.
        time_major: whether sequences and outputs have time first, which saves turning them; then there is no mask.
        table: None, or what the cells' `project` gives, (tokens, columns), for the numbers in `sequences`, int.

    Returns:
        A list with (outputs (batch, time, units), last states) for each cell.
    """
    lanes = _lanes(sequences, states, len(cells), training)
    recurrences = [
        Recurrence(
            cell,
            _time_first(rows, time_major) if table is None else _looked_up(table, rows),
            first,
            weights,
            None if live is None else _time_first(live),
            backwards,
            training,
            *own,
            table is not None,
        )
        for (cell, backwards), firsts, weights in zip(cells, states, [_weights(cell) for cell, _ in cells], strict=True)
        for rows, first, live, *own in zip(
            _split(sequences, lanes, axis=int(time_major)),
            zip(*(_split(state, lanes) for state in firsts), strict=True),
            [None] * lanes if mask is None else _split(tf.cast(mask, bool)[..., None], lanes),
            *(_split_each(named or {}, lanes) for named in (matrices, constants)),
            strict=True,
        )
    ]
    results = scan(recurrences)
    joined = []
    for i in range(0, len(results), lanes):
        outputs, last = zip(*results[i : i + lanes], strict=True)
        outputs = [_time_first(x, time_major) for x in outputs]  # and back
        joined.append((_join(outputs, int(time_major)), [_join(state) for state in zip(*last, strict=True)]))
    return joined


def _weights(cell):
    """The recurrent weights of a cell of this package, which all its lanes share."""
    if not isinstance(cell, RNNCell):
        return {}
    return {name: [tf.convert_to_tensor(w) for w in weights] for name, weights in cell.recurrent_weights().items()}


@tf.custom_gradient
def _looked_up(table, numbers):
    """Rows of a small table: their gradients are summed where they are, not gathered from all lanes first."""

    def gradient(upstream):
        return tf.math.unsorted_segment_sum(upstream, numbers, tf.shape(table)[0]), None

    return tf.gather(table, numbers), gradient


def _lanes(sequences, states, directions, training):
    rows = states[0][0].shape[0] or (32 if training else 1)
    if tf.executing_eagerly() or tf.config.list_physical_devices("GPU"):
        return 1
    cores = tf.config.threading.get_inter_op_parallelism_threads() or CORES
    return max(1, min(cores // directions, rows * states[0][0].shape[-1] // LANE))


def _split(x, lanes, axis=0):
    if lanes == 1:
        return [x]
    rows = tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]
    sizes = [(i + 1) * rows // lanes - i * rows // lanes for i in range(lanes)]
    return tf.split(x, sizes, axis, num=lanes)


def _split_each(named, lanes):
    parts = {name: _split(x, lanes) for name, x in named.items()}
    return [{name: part[lane] for name, part in parts.items()} for lane in range(lanes)]


def _join(parts, axis=0):
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis)


def _time_first(x, already=False):
    return x if already else tf.transpose(x, (1, 0, *range(2, len(x.shape))))


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
        stacked = isinstance(self.cell, keras.layers.StackedRNNCells)
        cells, first = (self.cell.cells, initial_state) if stacked else ([self.cell], [initial_state])
        ours = all(isinstance(cell, RNNCell) for cell in cells)
        flat = not stacked and all(isinstance(size, int) for size in self.state_size)
        if self.unroll or not (ours or flat):
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, last_states = sequences, []
        for cell, states in zip(cells, first, strict=True):
            ((outputs, states),) = recur([(cell, self.go_backwards)], outputs, [states], mask, training)
            last_states.append(states if ours else states[1:])
        last = states[0]
        if self.go_backwards:
            outputs = tf.reverse(outputs, [1])
        if mask is not None:  # a row that has not begun puts out zeros, and so does every masked step where asked
            mask = tf.cast(mask, bool)[..., None]
            mask = tf.reverse(mask, [1]) if self.go_backwards else mask
            live = mask if self.zero_output_for_mask else tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            outputs = tf.where(live, outputs, tf.zeros_like(outputs))
            last = tf.where(live[:, -1], last, tf.zeros_like(last))
        return last, outputs, last_states if stacked else last_states[0]


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
        cells = [(self.forward, False), (self.backward, True)]
        first = [cell.get_initial_state(ops.shape(inputs)[0]) for cell, _ in cells]
        (forward, forward_states), (backward, backward_states) = recur(cells, inputs, first, mask, training)
        if not self.return_sequences:
            return tf.concat([forward_states[0], backward_states[0]], -1)
        outputs = tf.concat([forward, backward], -1)
        return outputs if mask is None else outputs * tf.cast(mask, outputs.dtype)[..., None]

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
