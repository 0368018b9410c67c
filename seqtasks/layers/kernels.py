"""Which computation ran the recurrences: told to whoever traces a model."""

import contextlib
from collections.abc import Iterator

LOOP, COMPILED, CUDNN = "loop", "compiled loop", "cuDNN"
_listening: list[set[str]] = []  # not of a context: replicas are traced in threads of their own


@contextlib.contextmanager
def recorded() -> Iterator[set[str]]:
    """A set that receives the names of the kernels of all recurrences that are traced in this context.

    Example:
        >>> import tensorflow as tf
        >>> from seqtasks.cells import GRUCell
        >>> from seqtasks.layers import RNN
        >>> with recorded() as used:
        ...     _ = tf.function(RNN(GRUCell(4)))(tf.ones((1, 5, 3)))
        >>> used
        {'compiled loop'}
    """
    used: set[str] = set()
    _listening.append(used)
    try:
        yield used
    finally:
        _listening.remove(used)


def record(name: str) -> None:
    """Tells which kernel runs a recurrence."""
    for used in _listening:
        used.add(name)
