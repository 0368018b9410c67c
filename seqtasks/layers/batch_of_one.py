"""The loop of an exported model over a batch of one: XLA compiles it once, for sequences of any length."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from seqtasks.layers.recurrence import ForwardProduct, Recurrence, Tensors

LENGTH = 256  # steps of the compiled loop; longer sequences are split into blocks of this length
_exporting = contextvars.ContextVar("exporting", default=False)

Results = tuple[list[tf.Tensor], list[list[tf.Tensor]]]
"""Outputs (time, batch, units) and last states of each recurrence."""


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Makes recurrent layers that are traced in this context fast for single sequences.

    If a step is tiny, XLA's loop takes half the time of TensorFlow's, but XLA compiles for every shape. So the loop has
    a fixed shape, a batch of one and `LENGTH` steps, and runs only as many of them as the sequence has. Only exported
    models have this loop: they are called often enough to make up for the compilation.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> from seqtasks.layers import RNN
        >>> layer = RNN(GRUCell(4))
        >>> @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
        ... def serve(x):
        ...     with exporting():
        ...         return layer(x)
        >>> serve(tf.ones((1, 5, 3))).shape
        TensorShape([1, 4])
    """
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def is_wanted(recurrences: Sequence[Recurrence]) -> bool:
    """Whether these recurrences are being exported, for batches of any size."""
    plain = all(r.inputs.shape[1] is None and not r.training and not r.constants for r in recurrences)
    return _exporting.get() and plain


def run(recurrences: Sequence[Recurrence], tensors: list[Tensors], run_batch: Callable[[], Results]) -> Results:
    """Runs recurrences without gradients, with the compiled loop if the batch size is one.

    Args:
        recurrences: list of `Recurrence`.
        tensors: the tensors of each.
        run_batch: computes the results for a batch of another size.

    Returns:
        Outputs (time, batch, units) and last states of each recurrence.
    """
    is_one = tf.equal(tf.shape(tensors[0].inputs)[1], 1)
    return tf.cond(is_one, lambda: _run_blocks(recurrences, tensors), lambda: _as_lists(*run_batch()))


def _as_lists(outputs: Sequence[tf.Tensor], last: Sequence[Sequence[tf.Tensor]]) -> Results:
    return [*outputs], [[*states] for states in last]


def _run_blocks(recurrences: Sequence[Recurrence], tensors: list[Tensors]) -> Results:
    """Runs a batch of one, block by block; the sequence of a backward recurrence is reversed first."""
    time = tf.shape(tensors[0].inputs)[0]
    blocks = -(-time // LENGTH)
    inputs = [_split_blocks(_reverse(each.inputs, r), blocks) for each, r in zip(tensors, recurrences, strict=True)]
    masks = [None if r.mask is None else _split_blocks(_reverse(r.mask, r), blocks) for r in recurrences]
    weights = [each.weights for each in tensors]
    run_block = tf.function(_block_loop(recurrences), jit_compile=True)

    def body(i: tf.Tensor, states: list, outputs: list) -> tuple:
        block = [x[i] for x in inputs], [None if m is None else m[i] for m in masks]
        states, results = run_block(*block, states, weights, tf.minimum(time - i * LENGTH, LENGTH))
        return i + 1, states, [array.write(i, result) for array, result in zip(outputs, results, strict=True)]

    first = [[tf.ensure_shape(s, (1, s.shape[-1])) for s in each.states] for each in tensors]
    arrays = [tf.TensorArray(s[0].dtype, blocks, element_shape=(LENGTH, *s[0].shape)) for s in first]
    _, last, outputs = tf.while_loop(lambda i, *_: i < blocks, body, (0, first, arrays))
    outputs = [
        _reverse(tf.reshape(array.stack(), (-1, 1, s[0].shape[-1]))[:time], r)
        for array, s, r in zip(outputs, first, recurrences, strict=True)
    ]
    return _as_lists(outputs, last)


def _block_loop(recurrences: Sequence[Recurrence]) -> Callable:
    """The function that runs the first `steps` steps of a block: (last states, outputs (LENGTH, 1, units))."""

    def run_block(inputs: list, masks: list, states: list, weights: list, steps: tf.Tensor) -> tuple[list, list]:
        histories = [tf.TensorArray(s[0].dtype, LENGTH, element_shape=s[0].shape) for s in states]

        def body(t: tf.Tensor, states: list, histories: list) -> tuple:
            new_states, new_histories = [], []
            for r, x, mask, old, w, history in zip(recurrences, inputs, masks, states, weights, histories, strict=True):
                new = r.step(t, x[t], old, ForwardProduct(r.dropout_masks, w), {})
                if mask is not None:
                    new = [tf.where(mask[t], n, o) for n, o in zip(new, old, strict=True)]
                new_states.append(list(new))
                new_histories.append(history.write(t, new[0]))
            return t + 1, new_states, new_histories

        _, states, histories = tf.while_loop(lambda t, *_: t < steps, body, (0, states, histories))
        return states, [history.stack() for history in histories]

    return run_block


def _reverse(x: tf.Tensor, recurrence: Recurrence) -> tf.Tensor:
    return tf.reverse(x, [0]) if recurrence.backwards else x


def _split_blocks(x: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
    """(time, 1, size), padded and split into (blocks, LENGTH, 1, size)."""
    x = tf.pad(x, [[0, blocks * LENGTH - tf.shape(x)[0]], [0, 0], [0, 0]])
    return tf.reshape(x, (blocks, LENGTH, 1, x.shape[-1]))
