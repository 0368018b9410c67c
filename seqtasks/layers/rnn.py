"""Layers that run cells over time."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell
from seqtasks.cells.cell import Shape
from seqtasks.layers.recurrence import Recurrence
from seqtasks.layers.scan import scan

# available to this process
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SHARD_SIZE = 4096  # units times rows that make it worth giving a shard a core of its own (see benchmarks/layers.py)


def run_cells(
    cells: Sequence[tuple[keras.layers.Layer, bool]],
    sequences: tf.Tensor,
    states: Sequence[Sequence[tf.Tensor]],
    mask: tf.Tensor | None = None,
    training: bool = False,
    matrices: Mapping[str, tf.Tensor] | None = None,
    constants: Mapping[str, tf.Tensor] | None = None,
    time_major: bool = False,
    table: tf.Tensor | None = None,
) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
    """Runs cells over the same sequences, side by side.

    A step of a recurrence is too small for more than one core. So a large batch is split into as many shards as there
    are cores to run them.

    Args:
        cells: list of (cell, backwards).
        sequences: (batch, time, features), or with `time_major` (time, batch, features).
        states: the initial states of each cell.
        mask: boolean (batch, time), or None.
        training: whether dropout is active.
        matrices, constants: tensors (batch, ...), see `seqtasks.layers.recurrence.Recurrence`.
        time_major: whether time is the first axis of sequences and outputs, which saves transposing them. There must be
            no mask then.
        table: None, or the result of the cells' `project` for all tokens, (tokens, columns). `sequences` are then int
            numbers of tokens.

    Returns:
        A list with (outputs (batch, time, units), last states) for each cell.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> cell = GRUCell(4)
        >>> cell.build((None, 3))
        >>> ((outputs, (last,)),) = run_cells([(cell, False)], tf.ones((2, 5, 3)), [cell.get_initial_state(2)])
        >>> outputs.shape, last.shape
        (TensorShape([2, 5, 4]), TensorShape([2, 4]))
    """
    shards = _number_of_shards(sequences, states, len(cells), training)
    recurrences = [
        Recurrence(
            cell,
            _time_first(rows, time_major) if table is None else _look_up(table, rows),
            first,
            weights,
            None if live is None else to_time_major(live),
            backwards,
            training,
            own_matrices,
            own_constants,
            projected=table is not None,
        )
        for (cell, backwards), firsts, weights in zip(cells, states, [_weights(cell) for cell, _ in cells], strict=True)
        for rows, first, live, own_matrices, own_constants in zip(
            _split(sequences, shards, axis=int(time_major)),
            zip(*(_split(state, shards) for state in firsts), strict=True),
            [None] * shards if mask is None else _split(tf.cast(mask, bool)[..., None], shards),
            _split_each(matrices or {}, shards),
            _split_each(constants or {}, shards),
            strict=True,
        )
    ]
    results = scan(recurrences)
    joined = []
    for i in range(0, len(results), shards):
        outputs, last = zip(*results[i : i + shards], strict=True)
        parts = [_time_first(x, time_major) for x in outputs]  # back to (batch, time, units)
        joined.append((_join(parts, int(time_major)), [_join(state) for state in zip(*last, strict=True)]))
    return joined


def to_time_major(x: tf.Tensor) -> tf.Tensor:
    """Swaps the first two axes: (batch, time, ...) to (time, batch, ...), and back.

    Example:
        >>> to_time_major(tf.ones((2, 5, 3))).shape
        TensorShape([5, 2, 3])
    """
    return tf.transpose(x, (1, 0, *range(2, len(x.shape))))


def _time_first(x: tf.Tensor, already: bool) -> tf.Tensor:
    return x if already else to_time_major(x)


def _weights(cell: keras.layers.Layer) -> dict[str, list[tf.Tensor]]:
    """The recurrent weights of a cell of this package, which all its shards use."""
    if not isinstance(cell, RNNCell):
        return {}
    return {name: [tf.convert_to_tensor(w) for w in weights] for name, weights in cell.recurrent_weights().items()}


@tf.custom_gradient
def _look_up(table: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Rows of a small table. Each shard sums the gradients of the rows, so that they need not be gathered first."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.math.unsorted_segment_sum(upstream, numbers, tf.shape(table)[0]), None

    return tf.gather(table, numbers), gradient


def _number_of_shards(
    sequences: tf.Tensor, states: Sequence[Sequence[tf.Tensor]], directions: int, training: bool
) -> int:
    rows = states[0][0].shape[0] or (32 if training else 1)
    if tf.executing_eagerly() or tf.config.list_physical_devices("GPU"):
        return 1
    cores = tf.config.threading.get_inter_op_parallelism_threads() or CORES
    return max(1, min(cores // directions, rows * states[0][0].shape[-1] // SHARD_SIZE))


def _split(x: tf.Tensor, shards: int, axis: int = 0) -> list[tf.Tensor]:
    if shards == 1:
        return [x]
    rows = tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]
    sizes = [(i + 1) * rows // shards - i * rows // shards for i in range(shards)]
    return tf.split(x, sizes, axis, num=shards)


def _split_each(tensors: Mapping[str, tf.Tensor], shards: int) -> list[dict[str, tf.Tensor]]:
    parts = {name: _split(x, shards) for name, x in tensors.items()}
    return [{name: part[shard] for name, part in parts.items()} for shard in range(shards)]


def _join(parts: Sequence[tf.Tensor], axis: int = 0) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis)


@keras.saving.register_keras_serializable("seqtasks")
class RNN(keras.layers.RNN):
    """Runs a cell over time: `keras.layers.RNN`, with the input projection of all steps as one matrix product.

    It takes the arguments of `keras.layers.RNN` and computes the same numbers. The inputs of a cell of `seqtasks.cells`
    are projected before the loop; any other Keras cell runs entirely inside it.

    Args:
        cell: a cell of `seqtasks.cells` or any Keras RNN cell; a list of cells is stacked.
        return_sequences: whether to return the output of every step, or of the last one.
        return_state: whether to return the last states too.
        go_backwards: whether to read the sequence from its end. The outputs then have that order.
        zero_output_for_mask: whether the output of a masked step is zero instead of the last output.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of the states before the first step, each (batch, size); zeros if None.
        mask: boolean (batch, time), False where a step is skipped.

    Output shape:
        (batch, units), or (batch, time, units) with `return_sequences`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import LSTMCell
        >>> tuple(RNN(LSTMCell(8), return_sequences=True)(np.ones((2, 5, 3), "float32")).shape)
        (2, 5, 8)
    """

    def inner_loop(
        self, sequences: tf.Tensor, initial_state: list, mask: tf.Tensor | None, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, list]:
        stacked = isinstance(self.cell, keras.layers.StackedRNNCells)
        cells, initial = (self.cell.cells, initial_state) if stacked else ([self.cell], [initial_state])
        own = all(isinstance(cell, RNNCell) for cell in cells)
        flat = not stacked and all(isinstance(size, int) for size in self.state_size)
        if self.unroll or not (own or flat):
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, last_states = sequences, []
        for cell, states in zip(cells, initial, strict=True):
            ((outputs, states),) = run_cells([(cell, self.go_backwards)], outputs, [states], mask, training)
            last_states.append(states if own else states[1:])
        last = states[0]
        if self.go_backwards:
            outputs = tf.reverse(outputs, [1])
        if mask is not None:  # zeros before the first live step of a row, and if requested at every masked step
            mask = tf.cast(mask, bool)[..., None]
            mask = tf.reverse(mask, [1]) if self.go_backwards else mask
            live = mask if self.zero_output_for_mask else tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            outputs = tf.where(live, outputs, tf.zeros_like(outputs))
            last = tf.where(live[:, -1], last, tf.zeros_like(last))
        return last, outputs, last_states if stacked else last_states[0]


@keras.saving.register_keras_serializable("seqtasks")
class Bidirectional(keras.layers.Layer):
    """Reads a sequence from both ends in one loop and concatenates the two outputs of every step.

    Args:
        forward: the cell that reads from the start.
        backward: the cell that reads from the end, of the same kind.
        return_sequences: whether to return the outputs of every step, or the last output of each direction.

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time), False where a step is skipped; the output there is zero.

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

    def __init__(
        self,
        forward: keras.layers.Layer,
        backward: keras.layers.Layer,
        return_sequences: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.forward, self.backward, self.return_sequences = forward, backward, return_sequences

    def build(self, input_shape: Shape) -> None:
        for cell in (self.forward, self.backward):
            if not cell.built:
                cell.build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        cells = [(self.forward, False), (self.backward, True)]
        initial = [cell.get_initial_state(ops.shape(inputs)[0]) for cell, _ in cells]
        (forward, forward_states), (backward, backward_states) = run_cells(cells, inputs, initial, mask, training)
        if not self.return_sequences:
            return tf.concat([forward_states[0], backward_states[0]], -1)
        outputs = tf.concat([forward, backward], -1)
        return outputs if mask is None else outputs * tf.cast(mask, outputs.dtype)[..., None]

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = self.forward.output_size + self.backward.output_size
        return (*input_shape[:2], size) if self.return_sequences else (input_shape[0], size)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        cells = {"forward": serialize(self.forward), "backward": serialize(self.backward)}
        return {**super().get_config(), **cells, "return_sequences": self.return_sequences}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        cells = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("forward", "backward")}
        return cls(**cells, **config)
