"""Log-likelihoods of sequences of any length, in the graph."""

from typing import Any, Protocol

import tensorflow as tf

SEGMENT = 128  # steps whose logits are held at once


class Stepper(Protocol):
    """What `score` needs of a language model, as `seqtasks.models.LanguageModelStepper` has it."""

    def begin(self, rows: Any) -> Any:
        """The states before a sequence, a nest of tensors (rows, ...)."""

    def run(self, decoder_inputs: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
        """The inputs of the head, (batch, time, size), and the new states, of inputs (batch, time, ...)."""

    def score(self, vectors: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Log-likelihoods (batch, time) of targets (batch, time, ...)."""


def score(stepper: Stepper, decoder_inputs: tf.Tensor, targets: tf.Tensor, states: Any = None) -> tuple[tf.Tensor, Any]:
    """The log-likelihood of every step, for sequences of any length in bounded memory.

    Args:
        stepper: `seqtasks.models.LanguageModelStepper`.
        decoder_inputs: (batch, time, ...), the element before each step.
        targets: (batch, time, ...), the element of each step; negative where there is none.
        states: those before the first step; None for zeros.

    Returns:
        log-likelihoods (batch, time) in nats, and the last states. If `time` is not a multiple of `SEGMENT`, these
        states have also read a 0 for each step that is missing.
    """
    rows, time = tf.shape(decoder_inputs)[0], tf.shape(decoder_inputs)[1]
    count = -(-time // SEGMENT)
    states = stepper.begin(rows) if states is None else states
    input_segments, target_segments = _segments(decoder_inputs, count, 0), _segments(targets, count, -1)

    def body(i: tf.Tensor, states: Any, scores: tf.TensorArray) -> tuple:
        vectors, states = stepper.run(input_segments[i], states)
        return i + 1, states, scores.write(i, stepper.score(vectors, target_segments[i]))

    scores = tf.TensorArray(tf.float32, count, element_shape=(None, SEGMENT))
    kept = tf.nest.map_structure(lambda s: tf.TensorShape([None, *s.shape[1:]]), states)
    invariants = (tf.TensorShape([]), kept, tf.TensorShape(None))
    _, states, scores = tf.while_loop(lambda i, *_: i < count, body, (0, states, scores), shape_invariants=invariants)
    joined = tf.reshape(tf.transpose(scores.stack(), (1, 0, 2)), (rows, -1))
    return joined[:, :time], states


def _segments(x: tf.Tensor, count: tf.Tensor, value: int) -> tf.Tensor:
    """(batch, time, ...) as (count, batch, SEGMENT, ...), padded with `value`."""
    rest = [[0, 0]] * (len(x.shape) - 2)
    x = tf.pad(x, [[0, 0], [0, count * SEGMENT - tf.shape(x)[1]], *rest], constant_values=value)
    shape = tf.concat([tf.shape(x)[:1], [count, SEGMENT], tf.shape(x)[2:]], 0)
    return tf.transpose(tf.reshape(x, shape), (1, 0, 2, *range(3, len(x.shape) + 1)))
