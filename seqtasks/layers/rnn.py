"""Layers that run cells over time."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from seqtasks.cells import RNNCell
from seqtasks.layers import cudnn, kernels
from seqtasks.layers.recurrence import Recurrence, weights_of
from seqtasks.layers.scan import scan

# available to this process
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SHARD_SIZE = 4096  # units times rows that make it worth giving a shard a core of its own (see benchmarks/layers.py)

Results: TypeAlias = list[tuple[tf.Tensor, list[tf.Tensor]]]
"""Outputs (batch, time, units) and last states of each cell."""


def run_cells(
    cells: Sequence[tuple[RNNCell, bool]],
    sequences: tf.Tensor,
    states: Sequence[Sequence[tf.Tensor]],
    mask: tf.Tensor | None = None,
    training: bool = False,
    matrices: Mapping[str, tf.Tensor] | None = None,
    constants: Mapping[str, tf.Tensor] | None = None,
    time_major: bool = False,
    table: tf.Tensor | None = None,
    unroll: bool = False,
) -> Results:
    """Runs cells over the same sequences, side by side.

    On a GPU cuDNN runs plain cells. On processors a step of a recurrence is too small for more than one core. So a
    large batch is split into as many shards as there are cores to run them.

    Args:
        cells: list of (cell, backwards).
        sequences: (batch, time, features), or with `time_major` (time, batch, features).
        states: the initial states of each cell.
        mask: boolean (batch, time), or None.
        training: whether dropout is active.
        matrices, constants: tensors (batch, ...), see `seqtasks.layers.recurrence.Recurrence`.
        time_major: whether time is the first axis of sequences and outputs, which saves transposing them.
        table: None, or the result of the cells' `project` for all tokens, (tokens, columns). `sequences` are then int
            numbers of tokens.
        unroll: whether the graph has the operations of every step instead of a loop. `time` must be known then.

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
    live = None if mask is None else to_time_major(tf.cast(mask, bool)[..., None])
    if table is None and not (matrices or constants or unroll) and cudnn.is_wanted(cells, training):
        kernels.record(kernels.CUDNN)
        x = _time_first(sequences, time_major)
        results = cudnn.run(cells, x, states, None if live is None else live[..., 0], training)
        return results if time_major else [(to_time_major(outputs), last) for outputs, last in results]
    shards = _number_of_shards(sequences, states, len(cells), training)
    cell_weights = [weights_of(cell) for cell, _ in cells]
    recurrences = [
        Recurrence(
            cell,
            _time_first(rows, time_major) if table is None else _look_up(table, rows),
            first,
            weights,
            part,
            backwards,
            training,
            own_matrices,
            own_constants,
            projected=table is not None,
        )
        for (cell, backwards), firsts, weights in zip(cells, states, cell_weights, strict=True)
        for rows, first, part, own_matrices, own_constants in zip(
            _split(sequences, shards, axis=int(time_major)),
            zip(*(_split(state, shards) for state in firsts), strict=True),
            [None] * shards if live is None else _split(live, shards, axis=1),
            _split_each(matrices or {}, shards),
            _split_each(constants or {}, shards),
            strict=True,
        )
    ]
    results = scan(recurrences, unroll)
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


def runs_fast(cell: Any) -> bool:
    """Whether `run_cells` can run a cell: an `RNNCell` that does not replace `call`, or a stack of such cells.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> runs_fast(GRUCell(4)), runs_fast(keras.layers.GRUCell(4))
        (True, False)
    """
    if type(cell) is keras.layers.StackedRNNCells:
        return all(map(runs_fast, cell.cells))
    return isinstance(cell, RNNCell) and type(cell).call is RNNCell.call


def live_steps(mask: tf.Tensor) -> tf.Tensor:
    """A mask of steps, (batch, time) or (batch, time, 1) of any type, as boolean (batch, time)."""
    return tf.cast(mask[..., 0] if len(mask.shape) == 3 else mask, bool)


def mask_outputs(
    outputs: tf.Tensor, last: tf.Tensor, live: tf.Tensor | None, backwards: bool, zero: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sets outputs of masked steps to zero: all of them, or those before the first live step.

    Args:
        outputs: (batch, time, units); masked steps repeat the output before them.
        last: (batch, units), the output of the step that was computed last.
        live: boolean (batch, time), False where a step was skipped; or None.
        backwards: whether the sequence was read from its end.
        zero: whether the output of every masked step is zero.

    Returns:
        The outputs and the last output.

    Example:
        >>> live = tf.constant([[False, True, False]])
        >>> outputs, last = mask_outputs(tf.ones((1, 3, 1)), tf.ones((1, 1)), live, backwards=False, zero=False)
        >>> outputs[0, :, 0].numpy().tolist()
        [0.0, 1.0, 1.0]
    """
    if live is None:
        return outputs, last
    if not zero:
        live = tf.cumsum(tf.cast(live, tf.int32), axis=1, reverse=backwards) > 0
    at_end = live[:, :1] if backwards else live[:, -1:]
    return tf.where(live[..., None], outputs, tf.zeros_like(outputs)), tf.where(at_end, last, tf.zeros_like(last))


@keras.saving.register_keras_serializable("seqtasks")
class RNN(keras.layers.RNN):
    """Runs a cell over time: `keras.layers.RNN`, with the input projection of all steps as one matrix product.

    It takes the arguments of `keras.layers.RNN` and computes the same numbers. Cells of `seqtasks.cells` and stacks of
    them run in the loop of `seqtasks.layers.scan`, with its own backpropagation. Any other cell, or a stack with one,
    runs in the loop of `keras.layers.RNN`.

    Args:
        cell: a cell of `seqtasks.cells` or any Keras RNN cell; a list of cells is stacked.
        return_sequences: whether to return the output of every step, or of the last one.
        return_state: whether to return the last states too.
        go_backwards: whether to read the sequence from its end. The outputs then have that order.
        stateful: whether a batch begins with the last states of the batch before it.
        unroll: whether the graph has the operations of every step instead of a loop.
        zero_output_for_mask: whether the output of a masked step is zero instead of the last output.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of the states before the first step, each (batch, size); zeros if None.
        mask: boolean (batch, time) or (batch, time, 1), False where a step is skipped.

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
        if not runs_fast(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training)
        live = None if mask is None else live_steps(mask)
        outputs, last, states = self._run(self.cell, sequences, initial_state, live, training)
        outputs, last = mask_outputs(outputs, last, live, self.go_backwards, self.zero_output_for_mask)
        return last, tf.reverse(outputs, [1]) if self.go_backwards else outputs, states

    def _run(
        self, cell: Any, sequences: tf.Tensor, states: Any, live: tf.Tensor | None, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """The outputs (batch, time, units), last output and last states of a cell or stack, nested as `states`."""
        if not isinstance(cell, RNNCell):
            last, ends = None, []
            for inner, first in zip(cell.cells, states, strict=True):
                sequences, last, end = self._run(inner, sequences, first, live, training)
                ends.append(end)
            return sequences, last, ends
        nested = isinstance(states, list | tuple)
        cells, first = [(cell, self.go_backwards)], [states if nested else [states]]
        ((outputs, end),) = run_cells(cells, sequences, first, live, training, unroll=self.unroll)
        return outputs, end[0], end if nested else end[0]

    def reset_state(self) -> None:
        """Makes the next batch of a stateful layer begin with zeros."""
        for state in tf.nest.flatten(self.states):
            if state is not None:
                state.assign(tf.zeros_like(state))

    def _maybe_config_dropout_masks(self, cell: Any, *inputs: Any) -> None:
        """Keras draws masks before its loop here, for which it runs a step of every stacked cell."""
        if not runs_fast(cell):
            super()._maybe_config_dropout_masks(cell, *inputs)
