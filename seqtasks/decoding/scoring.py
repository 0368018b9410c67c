"""The log-likelihood of sequences of any length, in the graph."""

import tensorflow as tf

SEGMENT = 128  # steps whose logits are held at once


def score(stepper, previous, following, states=None):
    """The log-likelihood of every step, for sequences of any length in bounded memory.

    Args:
        stepper: `seqtasks.models.LanguageModelStepper`.
        previous: what stands before each step, (batch, time, ...).
        following: each step, (batch, time, ...); negative where there is none.
        states: those before the first step; None for zeros.

    Returns:
        log-likelihoods (batch, time) in nats, and the last states, which have read a 0 for each step that `time` lacks
        of a multiple of `SEGMENT`.
    """
    rows, time = tf.shape(previous)[0], tf.shape(previous)[1]
    count = -(-time // SEGMENT)
    states = stepper.begin(rows) if states is None else states
    shown, due = (_pieces(x, count, value) for x, value in ((previous, 0), (following, -1)))

    def piece(i, states, found):
        vectors, states = stepper.run(shown[i], states)
        return i + 1, states, found.write(i, stepper.score(vectors, due[i]))

    found = tf.TensorArray(tf.float32, count, element_shape=(None, SEGMENT))
    kept = tf.nest.map_structure(lambda s: tf.TensorShape([None, *s.shape[1:]]), states)
    invariants = (tf.TensorShape([]), kept, tf.TensorShape(None))
    _, states, found = tf.while_loop(lambda i, *_: i < count, piece, (0, states, found), shape_invariants=invariants)
    joined = tf.reshape(tf.transpose(found.stack(), (1, 0, 2)), (rows, -1))
    return joined[:, :time], states


def _pieces(x, count, value):
    """(batch, time, ...) as (count, batch, SEGMENT, ...), filled up with `value`."""
    rest = [[0, 0]] * (len(x.shape) - 2)
    x = tf.pad(x, [[0, 0], [0, count * SEGMENT - tf.shape(x)[1]], *rest], constant_values=value)
    shape = tf.concat([tf.shape(x)[:1], [count, SEGMENT], tf.shape(x)[2:]], 0)
    return tf.transpose(tf.reshape(x, shape), (1, 0, 2, *range(3, len(x.shape) + 1)))
