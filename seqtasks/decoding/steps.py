"""What greedy search and beam search share: the result, the step of the model, and the loop."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

from seqtasks.errors import UserError

Nest = Any  # a tensor, or lists, tuples and dicts of tensors
State = TypeVar("State", bound=NamedTuple)


class Decoded(NamedTuple):
    """The result of decoding.

    Args:
        tokens: int32 (batch, n_best, time), without start and end; -1 after the last token.
        lengths: int32 (batch, n_best), number of tokens.
        scores: (batch, n_best), the highest first; -infinity where there is no further hypothesis.
        attention: (batch, n_best, time, source), the weights with which each token was chosen; None if the step gives
            none.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    attention: tf.Tensor | None = None


class Step:
    """Calls a user's step and normalises its results.

    Args:
        step: see `seqtasks.decoding`.
        needs_attention: whether the step must return attention.
        memory: None, or a nest of tensors (batch, ...) that the step takes as its third argument.

    Attributes:
        attends: whether the step returns attention; known after the first call.
        compacts: whether the step takes a memory, so that finished sentences can leave the batch.
        memory: the tensors of the memory, a flat list.
    """

    def __init__(self, step: Callable[..., tuple], needs_attention: bool = False, memory: Nest = None) -> None:
        self.step, self.needs_attention, self.attends = step, needs_attention, False
        self.compacts, self.structure = memory is not None, memory
        self.memory: list[tf.Tensor] = tf.nest.flatten(memory) if self.compacts else []

    def __call__(
        self, tokens: tf.Tensor, states: Nest, memory: list[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, Nest, list[tf.Tensor]]:
        """Logits (rows, vocabulary), new states, and a list that holds the attention (rows, source) or nothing.

        `memory` is flat like `self.memory`; None means all of it.
        """
        more: tuple = ()
        if self.compacts:
            more = (tf.nest.pack_sequence_as(self.structure, self.memory if memory is None else memory),)
        logits, new, *attention = self.step(tokens, states, *more)
        self.attends = bool(attention)
        if self.needs_attention and not attention:
            raise UserError("the step gives no attention", where="coverage_penalty", remedy="set it to 0")
        logits, *attention = (tf.cast(x, tf.float32) for x in (logits, *attention))
        return logits, tf.nest.pack_sequence_as(states, tf.nest.flatten(new)), attention


def start_tokens(start: Any, states: Nest) -> tf.Tensor:
    """The start token of each row, int32 (rows,).

    Args:
        start: int, or int (rows,).
        states: a nest of tensors (rows, ...).

    Raises:
        UserError: if the number of rows is unknown.
    """
    start, tensors = tf.cast(start, tf.int32), tf.nest.flatten(states)
    if start.shape.rank == 0 and not tensors:
        raise UserError("the number of rows is unknown", where="start", remedy="give a start token for each row")
    return start if start.shape.rank else tf.fill([tf.shape(tensors[0])[0]], start)


def longest(lengths: tf.Tensor) -> tf.Tensor:
    """The maximum of some lengths, 0 if there is none."""
    return tf.reduce_max(tf.pad(tf.reshape(lengths, [-1]), [[0, 1]]))


def step_array(dtype: tf.DType, *shape: int | None) -> tf.TensorArray:
    """A `TensorArray` that grows by a tensor (rows, *shape) each step."""
    return tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=(None, *shape))


def loop(body: Callable[[State], State], state: State) -> State:
    """Repeats `state = body(state)` while `state.going` is true, at least once.

    Args:
        body: one step of the loop.
        state: a NamedTuple with a boolean `going`. The number of rows of its `states` and `memory` may change, and
            every size of its other tensors.
    """
    shapes = {
        name: tf.nest.map_structure(_any_rows if name in ("states", "memory") else _any_size, value)
        for name, value in state._asdict().items()
    }
    (state,) = tf.while_loop(
        lambda state: state.going,
        lambda state: (body(state),),
        (state,),
        shape_invariants=(state._replace(**shapes),),
    )
    return state


def _any_rows(x: tf.Tensor) -> tf.TensorShape:
    return tf.TensorShape([None, *x.shape[1:]])


def _any_size(x: tf.Tensor | tf.TensorArray) -> tf.TensorShape:
    return tf.TensorShape(None if isinstance(x, tf.TensorArray) else [None] * x.shape.rank)
