"""Steps one after the other: what beam search and sampling share, and the loop of one sequence a row."""

from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.errors import UserError


class Decoded(NamedTuple):
    """What was decoded.

    Args:
        tokens: int32 (batch, n_best, time), without prompt, start and end; -1 behind the last token.
        lengths: int32 (batch, n_best), how many tokens there are.
        scores: (batch, n_best), the highest first; -infinity where there is no further hypothesis.
        attention: (batch, n_best, time, source), the weights with which each token was chosen; None if there are none.
    """

    tokens: Any
    lengths: Any
    scores: Any
    attention: Any = None


class Step:
    """A step as its user wrote it. Once it was called, `attends` tells whether it gives attention."""

    def __init__(self, step, needs_attention=False, memory=None):
        self.step, self.needs_attention, self.attends = step, needs_attention, False
        self.compacts, self.structure = memory is not None, memory
        self.memory = tf.nest.flatten(memory) if self.compacts else []

    def __call__(self, tokens, states, memory=None):
        """Of `memory`, flat as in `self.memory`, None stands for the whole."""
        more = ()
        if self.compacts:
            more = (tf.nest.pack_sequence_as(self.structure, self.memory if memory is None else memory),)
        logits, new, *attention = self.step(tokens, states, *more)
        self.attends = bool(attention)
        if self.needs_attention and not attention:
            raise UserError("the step gives no attention", where="coverage_penalty", remedy="set it to 0")
        logits, *attention = (tf.cast(x, tf.float32) for x in (logits, *attention))
        return logits, tf.nest.pack_sequence_as(states, tf.nest.flatten(new)), *attention


def start_tokens(start, states):
    """The start token of each row, int32 (rows,), of one for all or of one for each."""
    start, tensors = tf.cast(start, tf.int32), tf.nest.flatten(states)
    if start.shape.rank == 0 and not tensors:
        raise UserError("the number of rows is unknown", where="start", remedy="give a start token for each row")
    return start if start.shape.rank else tf.fill([tf.shape(tensors[0])[0]], start)


def longest(lengths):
    """The greatest of some lengths, 0 if there is none."""
    return tf.reduce_max(tf.pad(tf.reshape(lengths, [-1]), [[0, 1]]))


def loop(body, states, others, shapes):
    """Run `body(t, going, states, *others, *arrays)` as long as it says that it is going, at least once.

    Of states the number of rows may change, of other tensors every size. The arrays hold a tensor (rows, *shape) of
    each step; all are int32 but the last, which is float32.
    """
    states = tf.nest.map_structure(tf.convert_to_tensor, states)
    kept = tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), states)
    ranks = [tf.TensorShape([None] * x.shape.rank) for x in others]
    kinds = [tf.int32] * (len(shapes) - 1) + [tf.float32]
    arrays = [
        tf.TensorArray(kind, 0, dynamic_size=True, element_shape=(None, *shape))
        for kind, shape in zip(kinds, shapes, strict=True)
    ]
    scalar, untold = tf.TensorShape([]), tf.TensorShape(None)
    return tf.while_loop(
        lambda t, going, *_: going,
        body,
        (tf.constant(0), tf.constant(True), states, *others, *arrays),
        shape_invariants=(scalar, scalar, kept, *ranks, *[untold] * len(arrays)),
    )
