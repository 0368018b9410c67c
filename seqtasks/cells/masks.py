"""The dropout masks of a sequence whose steps are called one by one."""

import contextlib
from collections.abc import Callable

import tensorflow as tf


class SequenceMasks:
    """The masks of one sequence, each drawn when a step first asks for it, and the same in all later steps.

    In a graph they are drawn where the sequence began. So the first step may lie in the body of a loop: the loop gets
    the mask from outside, and does not draw another one in each iteration.

    Args:
        batch_size: number of rows, an integer or a scalar tensor.

    Example:
        >>> masks = SequenceMasks(2)
        >>> first = masks.get("inputs", lambda rows: tf.random.uniform((rows, 3)))
        >>> masks.get("inputs", lambda rows: tf.random.uniform((rows, 3))) is first
        True
    """

    def __init__(self, batch_size: int | tf.Tensor) -> None:
        self.batch_size, self.graph = batch_size, _graph()
        self.masks: dict[str, tf.Tensor] = {}

    @property
    def usable(self) -> bool:
        """Whether the sequence began in the function that is being traced, or in one around it."""
        graph = _graph()
        while self.graph is not None and graph is not None and graph is not self.graph:
            graph = getattr(graph, "outer_graph", None)
        return graph is self.graph

    def get(self, name: str, draw: Callable[[int | tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """The mask of that name; `draw(batch_size)` makes it."""
        if name not in self.masks:
            with contextlib.nullcontext() if self.graph is None else self.graph.as_default():
                self.masks[name] = draw(self.batch_size)
        return self.masks[name]


def _graph() -> tf.Graph | None:
    """The graph that is being traced; None in eager execution."""
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
