"""The loop of an exported model over a batch of one: compiled by XLA once, for sequences of any length."""

import contextlib
import contextvars

import tensorflow as tf

LENGTH = 256  # steps of the compiled loop; longer sequences go through it in pieces
_exporting = contextvars.ContextVar("exporting", default=False)


@contextlib.contextmanager
def exporting():
    """Inside this context recurrent layers prepare for single sequences.

    XLA's loop takes half the time of TensorFlow's where a step is tiny, but a compilation for every shape. So the loop
    has one shape, a batch of one and `LENGTH` steps, and runs only as many of them as there are. What a process does
    not pay off it should not compile: only exported models, which answer many times, have this loop.
    """
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def wanted(recurrences):
    """Whether these recurrences are being exported, for batches of any size."""
    plain = all(r.inputs.shape[1] is None and not r.training and not r.constants for r in recurrences)
    return _exporting.get() and plain


def single_or_many(recurrences, given, many):
    """Outputs (time, batch, units) and last states of each recurrence.

    Args:
        recurrences: list of `Recurrence`.
        given: their tensors.
        many: the function that serves batches of another size.
    """
    return tf.cond(
        tf.equal(tf.shape(given[0][0])[1], 1), lambda: _pieces(recurrences, given), lambda: _as_lists(*many())
    )


def _as_lists(outputs, last):
    return [*outputs], [[*states] for states in last]


def _pieces(recurrences, given):
    """A batch of one, piece by piece; a backward recurrence has its sequence turned round first."""
    time = tf.shape(given[0][0])[0]
    number = -(-time // LENGTH)
    inputs = [_filled(_turned(x, r), number) for (x, *_), r in zip(given, recurrences, strict=True)]
    masks = [None if r.mask is None else _filled(_turned(r.mask, r), number) for r in recurrences]
    weights = [w for _, _, w, _ in given]

    @tf.function(jit_compile=True)
    def run(inputs, masks, states, weights, steps):
        histories = [tf.TensorArray(s[0].dtype, LENGTH, element_shape=s[0].shape) for s in states]

        def body(t, states, histories):
            new_states, new_histories = [], []
            for r, x, mask, old, w, history in zip(recurrences, inputs, masks, states, weights, histories, strict=True):
                new = r.step(t, x[t], old, r.product(w), {})
                if mask is not None:
                    new = [tf.where(mask[t], n, o) for n, o in zip(new, old, strict=True)]
                new_states.append(list(new))
                new_histories.append(history.write(t, new[0]))
            return t + 1, new_states, new_histories

        _, states, histories = tf.while_loop(lambda t, *_: t < steps, body, (0, states, histories))
        return states, [history.stack() for history in histories]

    def piece(i, states, outputs):
        chosen = [x[i] for x in inputs], [None if m is None else m[i] for m in masks]
        states, pieces = run(*chosen, states, weights, tf.minimum(time - i * LENGTH, LENGTH))
        return i + 1, states, [array.write(i, p) for array, p in zip(outputs, pieces, strict=True)]

    first = [[tf.ensure_shape(s, (1, s.shape[-1])) for s in states] for _, states, *_ in given]
    arrays = [tf.TensorArray(s[0].dtype, number, element_shape=(LENGTH, *s[0].shape)) for s in first]
    _, last, outputs = tf.while_loop(lambda i, *_: i < number, piece, (0, first, arrays))
    outputs = [
        _turned(tf.reshape(array.stack(), (-1, 1, s[0].shape[-1]))[:time], r)
        for array, s, r in zip(outputs, first, recurrences, strict=True)
    ]
    return outputs, [[*states] for states in last]


def _turned(x, recurrence):
    return tf.reverse(x, [0]) if recurrence.backwards else x


def _filled(x, number):
    """(time, 1, size) as (number, LENGTH, 1, size)."""
    x = tf.pad(x, [[0, number * LENGTH - tf.shape(x)[0]], [0, 0], [0, 0]])
    return tf.reshape(x, (number, LENGTH, 1, x.shape[-1]))
