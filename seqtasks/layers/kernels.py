"""Which computation ran the recurrences: told to whoever traces a model."""

import contextlib
from collections.abc import Iterator

LOOP, COMPILED, CUDNN = "loop", "compiled loop", "cuDNN"
_listening: list[list[str]] = []  # not of a context: replicas are traced in threads of their own


@contextlib.contextmanager
def recorded(names: list[str]) -> Iterator[None]:
    """Adds the names of the kernels of all recurrences that are traced in this context to a list, each once.

    Example:
        >>> import tensorflow as tf
        >>> from seqtasks.cells import GRUCell
        >>> from seqtasks.layers import RNN
        >>> names = []
        >>> with recorded(names):
        ...     _ = tf.function(RNN(GRUCell(4)))(tf.ones((1, 5, 3)))
        >>> names
        ['compiled loop']
    """
    _listening.append(names)
    try:
        yield
    finally:
        _listening[:] = [each for each in _listening if each is not names]


def record(name: str) -> None:
    """Tells which kernel runs a recurrence."""
    for names in _listening:
        if name not in names:
            names.append(name)
