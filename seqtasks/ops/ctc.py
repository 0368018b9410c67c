"""Connectionist temporal classification, as functions of one tensor of logits.

`logits`, float (batch, time, classes), score the label of each frame; class 0, the blank, is no label. Those in float16
and bfloat16 are computed in float32. An alignment assigns a class to each frame. Its labels are what remains after
removing first repetitions, then blanks: two equal labels in a row need a blank between them. The probability of an
alignment is the product of the softmax over its frames; the probability of labels is the sum over all alignments with
these labels.

`lengths`, int (batch,) or None for all of time, are the numbers of frames of each row. Later frames count as certain
blanks, which changes nothing. Labels are int (batch, longest), from 1 to classes - 1. Numbers below 1 are no labels and
are left out wherever they are, so that -1 and 0 both pad a row; labels that are returned have -1 after the last.

References:
    Graves et al., 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.errors import UserError
from seqtasks.ops.arguments import exact
from seqtasks.ops.ctc_beam import FORBIDDEN, Beam, Fusion, log_sum


class Alignment(NamedTuple):
    """The frames of labels. Each tensor is (batch, longest).

    Args:
        first, last: int32, the first and the last frame of each label; -1 if there is no label.
        confidence: the mean over these frames of the softmax of the label; 0 if there is no label.
    """

    first: tf.Tensor
    last: tf.Tensor
    confidence: tf.Tensor


def log_likelihood(
    logits: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor | None = None, label_lengths: tf.Tensor | None = None
) -> tf.Tensor:
    """The log-probability of labels, summed over all their alignments.

    The recursions run in log space, forward and backward in one loop. The gradient is explicit.

    Args:
        logits, labels, lengths: see the module.
        label_lengths: int (batch,), the number of columns of each row that count, or None for all.

    Returns:
        (batch,). With too few frames for the labels it is `FORBIDDEN`, a large negative number, with a gradient of 0;
        see `feasible`.

    Example:
        >>> log_prob = log_likelihood(tf.zeros((1, 2, 2)), tf.constant([[1]]))  # 11, 01 and 10 of four alignments
        >>> round(float(tf.exp(log_prob[0])), 3)
        0.75

    References:
        Graves et al., 2006, section 4.1, equations 5 to 8, and section 4.2, equation 15
    """
    labels = tf.convert_to_tensor(labels)
    if label_lengths is not None:
        labels = tf.where(tf.sequence_mask(label_lengths, tf.shape(labels)[1]), labels, -1)
    labels = _without_padding(labels)

    @tf.custom_gradient
    def run(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        states, counts = _states(labels)
        ends = 2 * counts + 1
        emissions, frames = _emissions(logits, lengths)
        both = tf.concat([emissions, tf.reverse(emissions, [1])], 0)
        places = tf.concat([states, tf.reverse_sequence(states, ends, 1)], 0)
        steps = _steps(both, places, tf.tile(counts, [2]))
        forward, backward = tf.split(_sweep(steps, _skips(places), log_sum), 2, 2)
        total = tf.gather(tf.transpose(forward[-1]), 2 * counts, batch_dims=1)
        possible = total > FORBIDDEN / 2

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            onward = tf.reverse_sequence(tf.reverse(backward, [0]), ends, 1, 2)
            through = forward + onward - tf.split(steps, 2, 2)[0]  # both include the frame itself
            shares = tf.nn.softmax(tf.transpose(through, (2, 0, 1)))[:, :-1]  # (batch, time, states)
            posteriors = tf.matmul(shares, tf.one_hot(states, tf.shape(logits)[2], dtype=logits.dtype))
            grad = upstream[:, None, None] * (posteriors - tf.nn.softmax(logits))  # (batch, time, classes)
            return tf.where(frames[:, :-1] & possible[:, None, None], grad, 0)

        return tf.where(possible, total, FORBIDDEN), gradient

    return run(exact(logits))


def feasible(frames: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Whether there are enough frames: one for each label, and one between two equal labels.

    Args:
        frames: int (batch,), the number of frames.
        labels: int (batch, longest).

    Returns:
        bool (batch,).

    Example:
        >>> feasible([2, 2, 3], [[1, 2], [1, 1], [1, 1]]).numpy().tolist()
        [True, False, True]
    """
    labels = _without_padding(labels)
    before = tf.pad(labels, [[0, 0], [1, 0]])[:, :-1]
    needed = tf.reduce_sum(tf.where(labels < 0, 0, tf.where(labels == before, 2, 1)), 1)
    return tf.cast(frames, tf.int32) >= needed


def greedy(logits: tf.Tensor, lengths: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """The labels of the most probable alignment: the most probable class of each frame.

    Args:
        logits, lengths: see the module.

    Returns:
        (labels, score): int32 (batch, n) with -1 after the last, and (batch,), the log-probability of the alignment.

    Example:
        >>> labels, score = greedy(tf.math.log([[[0.1, 0.9], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]]]))
        >>> labels.numpy().tolist(), round(float(tf.exp(score[0])), 3)  # 1, 1, blank, blank
        ([[1]], 0.189)

    References:
        Graves et al., 2006, section 3.2, equation 4
    """
    emissions, _ = _emissions(logits, lengths)
    best = tf.argmax(emissions, 2, tf.int32)
    before = tf.pad(best, [[0, 0], [1, 0]])[:, :-1]
    return _remove_blanks(tf.where(best == before, 0, best)), tf.reduce_sum(tf.reduce_max(emissions, 2), 1)


def align(logits: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor | None = None) -> Alignment:
    """The most probable alignment with the given labels (Viterbi).

    Args:
        logits, labels, lengths: see the module.

    Returns:
        `Alignment` of the labels without padding; a row with too few frames for its labels has the result of a row
        without labels.

    Example:
        >>> logits = tf.math.log([[[0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]])
        >>> aligned = align(logits, [[1, 2]])
        >>> aligned.first.numpy().tolist(), aligned.last.numpy().tolist()
        ([[0, 3]], [[1, 3]])
        >>> [round(confidence, 2) for confidence in aligned.confidence[0].numpy().tolist()]
        [0.7, 0.8]
    """
    labels = _without_padding(labels)
    states, counts = _states(labels)
    steps, skips = _steps(_emissions(logits, lengths)[0], states, counts), _skips(states)
    alphas = _sweep(steps, skips, lambda *ways: tf.reduce_max(ways, 0))
    possible = tf.gather(tf.transpose(alphas[-1]), 2 * counts, batch_dims=1) > FORBIDDEN / 2

    def backward(place: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
        moves = tf.argmax(_ways(alpha, skips), 0, tf.int32)  # (states, batch)
        return place - tf.gather(tf.transpose(moves), place, batch_dims=1)

    path = tf.scan(backward, alphas, 2 * counts, reverse=True)  # (time + 1, batch)
    time = tf.shape(path)[0]
    occupied = path[:, None] == 2 * tf.range(tf.shape(labels)[1])[:, None] + 1  # (time + 1, longest, batch)
    frames = tf.range(time)[:, None, None]
    first = tf.reduce_min(tf.where(occupied, frames, time), 0)
    last = tf.reduce_max(tf.where(occupied, frames, -1), 0)
    total = tf.reduce_sum(tf.where(occupied, tf.exp(steps[:, 1::2]), 0), 0)
    mean = total / tf.cast(tf.maximum(last - first + 1, 1), total.dtype)
    present = (labels >= 0) & possible[:, None]
    results = ((first, -1), (last, -1), (mean, 0))
    return Alignment(*(tf.where(present, tf.transpose(x), missing) for x, missing in results))


def prefix_beam_search(
    logits: tf.Tensor,
    lengths: tf.Tensor | None = None,
    width: int = 16,
    n_best: int = 1,
    language_model: Sequence[Any] | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable labels that a beam search finds, each summed over its alignments.

    The score of labels Y is

        log P(Y|logits) + weight * log P(Y|language model) + bonus * |Y|

    where P sums over the alignments whose prefixes were all in the beam. A prefix that leaves the beam loses its
    probability, and starts again if it returns. The language model scores only the labels, not the end of the text.

    Args:
        logits, lengths: see the module.
        width: number of prefixes per row in the beam.
        n_best: number of hypotheses to return, at most `width`.
        language_model: None, or `(step, states)` or `(step, states, tokens)`. `step(tokens, states)` takes the latest
            token of each row and returns the logits of the next one, and new states; states are tensors (batch, ...),
            and the number of rows differs between calls. `tokens`, int (classes,), are the token of each label in the
            language model, with its start token first; without it labels and tokens are the same numbers, and 0 is the
            start.
        weight: of the language model; 0 disables it.
        bonus: score added per label, to offset the preference of the language model for short texts.

    Returns:
        (labels, scores): int32 (batch, n_best, n) with -1 after the last, and (batch, n_best), the highest first;
        -infinity if there is no further hypothesis.

    Raises:
        UserError: if `n_best` is not between 1 and `width`.

    Example:
        >>> logits = tf.math.log([[[0.6, 0.4], [0.6, 0.4]]])  # the most probable alignment has no labels
        >>> labels, scores = prefix_beam_search(logits, n_best=2)
        >>> labels.numpy().tolist(), tf.exp(scores).numpy().round(2).astype(str).tolist()
        ([[[1], [-1]]], [['0.64', '0.36']])

    References:
        Hannun et al., 2014, algorithm 1, https://arxiv.org/abs/1408.2873
    """
    if not 1 <= n_best <= width:
        raise UserError(f"n_best is {n_best}", where="prefix_beam_search", remedy=f"use 1 to {width}, the width")
    emissions = tf.transpose(_emissions(logits, lengths)[0], (1, 0, 2))
    time, batch, size = tf.unstack(tf.shape(emissions))
    names = tf.random.stateless_uniform([size], (0, 0), None, None, tf.int64)
    fusion = Fusion(language_model if weight else None, weight, bonus, size)

    def forward(
        t: tf.Tensor, beam: Beam, state: tuple[tf.Tensor, Any], slots: tf.TensorArray, labels: tf.TensorArray
    ) -> tuple[Any, ...]:
        beam, slot, label = beam.advance(emissions[t], state[0], names)
        return t + 1, beam, fusion.advance(state, slot, label), slots.write(t, slot), labels.write(t, label)

    def backward(later: tuple[tf.Tensor, tf.Tensor], step: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        return tuple(tf.gather(x, later[0], batch_dims=1) for x in step)

    dtype = emissions.dtype
    arrays = [tf.TensorArray(tf.int32, time, element_shape=(None, width)) for _ in range(2)]
    first = (tf.constant(0), Beam.start(batch, width, dtype), fusion.start(batch, width, dtype), *arrays)
    _, beam, _, slots, labels = tf.while_loop(lambda t, *_: t < time, forward, first, maximum_iterations=time)
    slot = tf.tile(tf.range(n_best)[None], [batch, 1])
    _, path = tf.scan(backward, (slots.stack(), labels.stack()), (slot, tf.zeros_like(slot)), reverse=True)
    scores = beam.scores()[:, :n_best]
    possible = scores > FORBIDDEN / 2
    hypotheses = _remove_blanks(tf.where(possible[..., None], tf.transpose(path, (1, 2, 0)), 0))
    return hypotheses, tf.where(possible, scores, -float("inf"))


def _emissions(logits: tf.Tensor, lengths: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Log-probabilities (batch, time + 1, classes), and which frames belong to their row, (batch or 1, time + 1, 1).

    The added frame is a certain blank, so that all alignments end in a blank and every row has a frame.
    """
    logits = exact(logits)
    time = tf.shape(logits)[1]
    frames = tf.sequence_mask([time] if lengths is None else lengths, time + 1)[..., None]
    emissions = tf.maximum(tf.nn.log_softmax(tf.pad(logits, [[0, 0], [0, 1], [0, 0]])), FORBIDDEN)
    blank = tf.where(tf.range(tf.shape(emissions)[2]) == 0, tf.zeros([], emissions.dtype), FORBIDDEN)
    return tf.where(frames, emissions, blank), frames


def _without_padding(labels: tf.Tensor) -> tf.Tensor:
    """Labels as int32, of each row first those from 1 on, in their order, then -1."""
    labels = tf.cast(labels, tf.int32)
    order = tf.argsort(tf.cast(labels < 1, tf.int32), stable=True)
    labels = tf.gather(labels, order, batch_dims=1)
    return tf.where(labels < 1, -1, labels)


def _states(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The states of an alignment: the labels, with a blank before and after each.

    Returns:
        classes int32 (batch, states), 0 also after the last blank; and the numbers of labels (batch,).
    """
    states = tf.pad(tf.maximum(labels, 0)[..., None], [[0, 0], [0, 0], [1, 0]])
    states = tf.reshape(states, [tf.shape(labels)[0], 2 * tf.shape(labels)[1]])
    return tf.pad(states, [[0, 0], [0, 1]]), tf.reduce_sum(tf.cast(labels >= 0, tf.int32), 1)


def _skips(states: tf.Tensor) -> tf.Tensor:
    """Whether each state may follow the one two before, (states, batch): a label may follow a different label."""
    before = tf.pad(states, [[0, 0], [2, 0]])[:, :-2]
    return tf.transpose((states > 0) & (states != before))


def _steps(emissions: tf.Tensor, states: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """The log-probability of each state at each frame, (time + 1, states, batch)."""
    steps = tf.gather(tf.transpose(emissions, (0, 2, 1)), states, batch_dims=1)
    within = tf.range(tf.shape(states)[1])[:, None] <= 2 * counts[:, None, None]
    return tf.transpose(tf.where(within, steps, FORBIDDEN), (2, 1, 0))


def _ways(alpha: tf.Tensor, skips: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The log-probabilities by which each state, (states, batch), is reached from itself and the two before it."""
    before = tf.pad(alpha, [[2, 0], [0, 0]], constant_values=FORBIDDEN)
    return alpha, before[1:-1], tf.where(skips, before[:-2], FORBIDDEN)


def _sweep(steps: tf.Tensor, skips: tf.Tensor, join: Callable[..., tf.Tensor]) -> tf.Tensor:
    """For each frame and state the alignments that lead there, combined by `join`, shaped as `steps`."""
    start = tf.where(tf.range(tf.shape(steps)[1])[:, None] == 0, tf.zeros_like(steps[0]), FORBIDDEN)
    return tf.scan(lambda alpha, step: join(*_ways(alpha, skips)) + step, steps, start)


def _remove_blanks(labels: tf.Tensor) -> tf.Tensor:
    """Labels (..., time) without the zeros; -1 after the last."""
    rows = tf.reshape(labels, [-1, tf.shape(labels)[-1]])
    rows = tf.ragged.boolean_mask(rows, rows > 0).to_tensor(-1)
    return tf.reshape(rows, tf.concat([tf.shape(labels)[:-1], tf.shape(rows)[1:]], 0))
