"""Plain LSTM and GRU layers on a GPU: one call of cuDNN for a whole sequence instead of a loop over its steps."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf
from keras.src.backend import AutocastScope  # has no public name

from seqtasks.cells import GRUCell, LSTMCell, RNNCell

_allowed = contextvars.ContextVar("cudnn", default=True)
TYPES = "float16", "float32", "float64"  # precisions that cuDNN has

Results = list[tuple[tf.Tensor, list[tf.Tensor]]]
"""Outputs (time, batch, units) and last states of each cell."""


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Makes recurrent layers that are traced in this context run in loops, as exported models need, and XLA.

    Example:
        >>> from seqtasks.layers import RNN
        >>> layer = RNN(LSTMCell(4))
        >>> @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
        ... def serve(x):
        ...     with without_cudnn():
        ...         return layer(x)
        >>> serve(tf.ones((1, 5, 3))).shape
        TensorShape([1, 4])
    """
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


def is_wanted(cells: Sequence[tuple[RNNCell, bool]], training: bool) -> bool:
    """Whether there is a GPU, and cuDNN computes what all of the cells do."""
    if not _allowed.get() or not tf.config.list_physical_devices("GPU") or "CPU" in tf.zeros(()).device:
        return False
    return all(_computes(cell, training) for cell, _ in cells)


def _computes(cell: RNNCell, training: bool) -> bool:
    plain = type(cell) is LSTMCell or (type(cell) is GRUCell and cell.reset_after)
    functions = cell.activation, cell.recurrent_activation
    usual = functions == (keras.activations.tanh, keras.activations.sigmoid)
    return (
        plain
        and usual
        and cell.compute_dtype in TYPES
        and not cell.zoneout
        and not (training and cell.recurrent_dropout)
    )


def run(
    cells: Sequence[tuple[RNNCell, bool]],
    sequences: tf.Tensor,
    states: Sequence[Sequence[tf.Tensor]],
    mask: tf.Tensor | None,
    training: bool,
) -> Results:
    """Runs cells over the same sequences by cuDNN.

    cuDNN knows the number of steps of each row, but no mask. So the steps that are not masked move to the front first.
    A derivative of second order is not possible: TensorFlow has none of this operation.

    Args:
        cells: list of (cell, backwards), for which `is_wanted` is true.
        sequences: (time, batch, features).
        states: the initial states of each cell, each (batch, units).
        mask: boolean (time, batch), or None.
        training: whether dropout is active.

    Returns:
        Outputs (time, batch, units) and last states of each cell. A masked step keeps the states.
    """
    if mask is None:
        lengths = tf.fill([tf.shape(sequences)[1]], tf.shape(sequences)[0])
        return [_run_one(*each, sequences, lengths, training) for each in zip(cells, states, strict=True)]
    shape, steps = sequences.shape[:2], tf.cast(mask, tf.int32)
    sequences = _take(sequences, tf.argsort(1 - steps, axis=0, stable=True))
    counts = tf.cumsum(steps)  # of the steps not masked, up to each
    lengths, results = tf.reduce_sum(steps, axis=0), []
    for (cell, backwards), first in zip(cells, states, strict=True):
        outputs, last = _run_one((cell, backwards), first, sequences, tf.maximum(lengths, 1), training)
        places = counts - steps if backwards else counts - 1  # of the step whose state each has
        known = (places < lengths) if backwards else (places >= 0)
        outputs = _take(outputs, tf.clip_by_value(places, 0, tf.maximum(lengths - 1, 0)))
        first = [tf.cast(s, outputs.dtype) for s in first]
        outputs = tf.ensure_shape(tf.where(known[..., tf.newaxis], outputs, first[0]), (*shape, cell.units))
        last = [tf.where(lengths[:, tf.newaxis] > 0, *each) for each in zip(last, first, strict=True)]
        results.append((outputs, last))
    return results


def _take(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """For each place (time, batch) the step of x (time, batch, size) that stands there."""
    rows = tf.broadcast_to(tf.range(tf.shape(x)[1]), tf.shape(places))
    return tf.gather_nd(x, tf.stack([places, rows], axis=-1))


def _run_one(
    directed: tuple[RNNCell, bool],
    states: Sequence[tf.Tensor],
    sequences: tf.Tensor,
    lengths: tf.Tensor,
    training: bool,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Runs a cell over the first `lengths` (batch,) steps of sequences (time, batch, features)."""
    cell, backwards = directed
    x, shape = tf.cast(sequences, cell.compute_dtype), (tf.shape(sequences)[1], cell.units)
    first = [tf.broadcast_to(tf.cast(s, cell.compute_dtype), shape) for s in states]  # one row may stand for all
    if training and cell.dropout:
        x *= cell.dropout_mask(tf.unstack(tf.shape(x)[1:]), cell.dropout)
    turn = (lambda y: tf.reverse_sequence(y, lengths, seq_axis=0, batch_axis=1)) if backwards else tf.identity
    outputs, *last = tf.raw_ops.CudnnRNNV3(
        input=turn(x),
        input_h=first[0][tf.newaxis],
        input_c=first[1][tf.newaxis] if len(first) == 2 else tf.zeros((), x.dtype),
        params=packed_weights(cell),
        sequence_lengths=lengths,
        rnn_mode="lstm" if len(first) == 2 else "gru",
        is_training=True,  # keeps what the gradient needs; there is no dropout in it
        time_major=True,
    )[: 1 + len(first)]
    return tf.ensure_shape(turn(outputs), (*sequences.shape[:2], cell.units)), [state[0] for state in last]


def packed_weights(cell: RNNCell) -> tf.Tensor:
    """The weights of a cell in cuDNN's canonical layout, a vector.

    That is, with the gates in the order input, forget, candidate, output of an LSTM and reset, update, candidate of a
    GRU: the matrices of the inputs, each (units, features) row by row; those of the states; the biases of the inputs;
    those of the states, which an LSTM of Keras has not.

    Example:
        >>> cell = LSTMCell(4)
        >>> cell.build((None, 3))
        >>> packed_weights(cell).shape
        TensorShape([144])

    References:
        https://docs.nvidia.com/deeplearning/cudnn, `cudnnGetRNNWeightParams`
    """
    gates = (0, 1, 2, 3) if isinstance(cell, LSTMCell) else (1, 0, 2)
    with AutocastScope(cell.compute_dtype):
        kernels = [tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel)]
        bias = tf.zeros((0, len(gates) * cell.units), cell.compute_dtype)
        if cell.bias is not None:
            bias = tf.reshape(tf.convert_to_tensor(cell.bias), (-1, len(gates) * cell.units))
    bias = tf.pad(bias, [[0, 2 - bias.shape[0]], [0, 0]])
    parts = [tf.transpose(tf.split(kernel, len(gates), 1)[gate]) for kernel in kernels for gate in gates]
    parts += [tf.split(row, len(gates))[gate] for row in tf.unstack(bias) for gate in gates]
    return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)
