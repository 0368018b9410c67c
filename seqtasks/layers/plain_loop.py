"""A plain loop over time, of the few operations that the converters of LiteRT and ONNX know."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import tensorflow as tf

from seqtasks.layers.recurrence import ForwardProduct, Recurrence

_converting = contextvars.ContextVar("converting", default=False)


@contextlib.contextmanager
def plain_loops() -> Iterator[None]:
    """Recurrent layers that are traced in this context have a loop that converters understand.

    The loop of `seqtasks.layers.scan` writes the states before the first step into the array of outputs, and has a
    gradient of its own; converters know neither.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> from seqtasks.layers import RNN
        >>> layer, x = RNN(GRUCell(4)), tf.ones((2, 5, 3))
        >>> expected = layer(x)
        >>> with plain_loops():
        ...     found = tf.function(layer)(x)
        >>> bool(tf.reduce_all(abs(found - expected) < 1e-6))
        True
    """
    token = _converting.set(True)
    try:
        yield
    finally:
        _converting.reset(token)


def is_converting() -> bool:
    """Whether what is traced is for a converter."""
    return _converting.get()


def run(recurrences: Sequence[Recurrence]) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
    """What `seqtasks.layers.scan.scan` computes, one recurrence after the other and without a gradient.

    Args:
        recurrences: list of `Recurrence`.

    Returns:
        A list with (outputs (time, batch, units), last states) for each recurrence.
    """
    return [_run_one(r) for r in recurrences]


def _run_one(r: Recurrence) -> tuple[tf.Tensor, list[tf.Tensor]]:
    inputs = tf.reverse(r.inputs, [0]) if r.backwards else r.inputs
    mask = None if r.mask is None else tf.cast(r.mask, r.states[0].dtype)
    mask = tf.reverse(mask, [0]) if mask is not None and r.backwards else mask
    time, constants = tf.shape(inputs)[0], r.tensors.constants

    def body(t: tf.Tensor, states: list[tf.Tensor], outputs: tf.TensorArray) -> tuple:
        new = r.step(t, tf.gather(inputs, t), states, ForwardProduct({}, r.weights), constants)
        if mask is not None:
            live = tf.gather(mask, t)  # (batch, 1)
            new = [tf.where(live > 0, n, old) for n, old in zip(new, states, strict=True)]
        return t + 1, list(new), outputs.write(t, new[0])

    first = r.states
    outputs = tf.TensorArray(first[0].dtype, time, element_shape=first[0].shape)
    # with `maximum_iterations` and a known length, tf2onnx counts steps in two types
    _, last, outputs = tf.while_loop(lambda t, *_: t < time, body, (0, first, outputs))
    found = outputs.stack()
    return tf.reverse(found, [0]) if r.backwards else found, last
