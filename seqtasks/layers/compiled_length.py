"""Loops that XLA compiles for sequences of any length: arrays of a few lengths, and a run-time number of steps."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import tensorflow as tf

from seqtasks.layers.recurrence import Recurrence

LENGTHS = 64, 256  # XLA compiles a program for each of these that occurs, and for each multiple of LONG
LONG = 1024
LARGEST_SIZE = 4096  # rows times units up to which a step is mostly dispatch (see benchmarks/lengths.py)
_rows = contextvars.ContextVar("rows", default=0)


@contextlib.contextmanager
def compiled_loops(rows: int) -> Iterator[None]:
    """Makes recurrent layers that are traced in this context run in loops that XLA compiles, whatever the length.

    A loop of TensorFlow dispatches about twenty small operations a step. XLA makes one of them, but compiles for every
    shape. So the sequences are padded to one of a few lengths, and only as many steps run as there were before. That
    takes a second or two for each layer, which pays for itself after some hundred batches. Layers with more than
    `LARGEST_SIZE` rows times units gain nothing and keep TensorFlow's loop.

    Args:
        rows: size of the batches, for layers whose inputs have a batch of unknown size; 0 changes nothing.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> from seqtasks.layers import RNN
        >>> layer = RNN(GRUCell(4))
        >>> @tf.function(input_signature=[tf.TensorSpec([2, None, 3])])
        ... def run(x):
        ...     return layer(x)
        >>> with compiled_loops(2):
        ...     run(tf.ones((2, 5, 3))).shape
        TensorShape([2, 4])
    """
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


def is_wanted(recurrences: Sequence[Recurrence]) -> bool:
    """Whether these recurrences are traced in `compiled_loops`, for any length, and small enough to gain by it."""
    if tf.executing_eagerly() or not _rows.get():
        return False
    sizes = [(r.inputs.shape[1] or _rows.get()) * r.states[0].shape[-1] for r in recurrences]
    return max(sizes) <= LARGEST_SIZE and any(r.inputs.shape[0] is None for r in recurrences)


def round_up(steps: tf.Tensor) -> tf.Tensor:
    """The shortest length of a compiled loop that has room for a number of steps.

    Example:
        >>> [int(round_up(tf.constant(steps))) for steps in (0, 64, 65, 300, 1025)]
        [64, 64, 256, 1024, 2048]
    """
    length = -(-steps // LONG) * LONG
    for short in reversed(LENGTHS):
        length = tf.where(steps <= short, short, length)
    return length
