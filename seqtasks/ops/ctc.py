"""Connectionist temporal classification, as functions of one tensor of logits.

`logits`, float32 or float64 (batch, time, classes), say at each frame which label is uttered; class 0, the blank, is
none. An alignment gives each frame a class. What it says is read by dropping repetitions first and blanks then: a label
that comes twice in a row needs a blank between. Its probability is the product of the softmax over its frames, and
labels have that of all alignments that say them.

`lengths`, int (batch,) or None for all of time, are the frames of each row. Frames behind them count as certain blanks,
which changes nothing. Labels are int (batch, longest), from 1 to classes - 1, with -1 behind the last.

References:
    Graves et al., 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf
"""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.errors import UserError

FORBIDDEN = -1e30  # the log-probability of what cannot be: finite, so that differences are numbers
FACTOR = 0x5851F42D4C957F2D  # of Knuth's generator MMIX


class Alignment(NamedTuple):
    """Where labels stand; each (batch, longest).

    Args:
        first, last: int32, the first and the last frame of each label; -1 where there is none.
        confidence: the mean over these frames of the softmax of the label; 0 where there is none.
    """

    first: Any
    last: Any
    confidence: Any


def log_likelihood(logits, labels, lengths=None, label_lengths=None):
    """The log-probability of labels, summed over all their alignments.

    The recursions run in log space, forth and back in one loop. The gradient is written out.

    Args:
        logits, labels, lengths: see the module.
        label_lengths: int (batch,), or None for the labels before the first -1; what is behind them is not read.

    Returns:
        (batch,). Where there are too few frames for the labels it is `FORBIDDEN`, a large negative number, with a
        gradient of 0; see `feasible`.

    Example:
        >>> found = log_likelihood(tf.zeros((1, 2, 2)), tf.constant([[1]]))  # 11, 01 and 10 of four alignments
        >>> round(float(tf.exp(found[0])), 3)
        0.75

    References:
        Graves et al., 2006, section 4.1, equations 5 to 8, and section 4.2, equation 15
    """
    labels = tf.cast(labels, tf.int32)
    if label_lengths is not None:
        labels = tf.where(tf.sequence_mask(label_lengths, tf.shape(labels)[1]), labels, -1)

    @tf.custom_gradient
    def run(logits):
        states, counts = _states(labels)
        ends = 2 * counts + 1
        emissions, frames = _emissions(logits, lengths)
        both = tf.concat([emissions, tf.reverse(emissions, [1])], 0)
        places = tf.concat([states, tf.reverse_sequence(states, ends, 1)], 0)
        steps = _steps(both, places, tf.tile(counts, [2]))
        forth, back = tf.split(_sweep(steps, _skips(places), _log_sum), 2, 2)
        total = tf.gather(tf.transpose(forth[-1]), 2 * counts, batch_dims=1)
        possible = total > FORBIDDEN / 2

        def gradient(upstream):
            onward = tf.reverse_sequence(tf.reverse(back, [0]), ends, 1, 2)
            through = forth + onward - tf.split(steps, 2, 2)[0]  # both count the frame itself
            shares = tf.nn.softmax(tf.transpose(through, (2, 0, 1)))[:, :-1]  # (batch, time, states)
            due = tf.matmul(shares, tf.one_hot(states, tf.shape(logits)[2], dtype=logits.dtype))
            into = upstream[:, None, None] * (due - tf.nn.softmax(logits))
            return tf.where(frames[:, :-1] & possible[:, None, None], into, 0)

        return tf.where(possible, total, FORBIDDEN), gradient

    return run(tf.convert_to_tensor(logits))


def feasible(frames, labels):
    """Whether there are frames enough: one for each label, and one between two that are the same.

    Args:
        frames: int (batch,), how many there are.
        labels: int (batch, longest).

    Returns:
        bool (batch,).

    Example:
        >>> feasible([2, 2, 3], [[1, 2], [1, 1], [1, 1]]).numpy().tolist()
        [True, False, True]
    """
    labels = tf.convert_to_tensor(labels)
    before = tf.pad(labels, [[0, 0], [1, 0]])[:, :-1]
    needed = tf.reduce_sum(tf.where(labels < 0, 0, tf.where(labels == before, 2, 1)), 1)
    return tf.cast(frames, tf.int32) >= needed


def greedy(logits, lengths=None):
    """What the likeliest alignment says: the likeliest class of each frame.

    Args:
        logits, lengths: see the module.

    Returns:
        (labels, score): int32 (batch, n) with -1 behind the last, and (batch,), the log-probability of the alignment.

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
    return _squeezed(tf.where(best == before, 0, best)), tf.reduce_sum(tf.reduce_max(emissions, 2), 1)


def align(logits, labels, lengths=None):
    """The likeliest alignment that says the labels (Viterbi).

    Args:
        logits, labels, lengths: see the module.

    Returns:
        `Alignment`; a row with too few frames for its labels is as one without labels.

    Example:
        >>> found = align(tf.math.log([[[0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]]), [[1, 2]])
        >>> found.first.numpy().tolist(), found.last.numpy().tolist(), found.confidence.numpy().round(2).astype(str)
        ([[0, 3]], [[1, 3]], array([['0.7', '0.8']], dtype=...))
    """
    labels = tf.cast(labels, tf.int32)
    states, counts = _states(labels)
    steps, skips = _steps(_emissions(logits, lengths)[0], states, counts), _skips(states)
    alphas = _sweep(steps, skips, lambda *ways: tf.reduce_max(ways, 0))
    possible = tf.gather(tf.transpose(alphas[-1]), 2 * counts, batch_dims=1) > FORBIDDEN / 2

    def back(place, alpha):
        moves = tf.argmax(_ways(alpha, skips), 0, tf.int32)  # (states, batch)
        return place - tf.gather(tf.transpose(moves), place, batch_dims=1)

    path = tf.scan(back, alphas, 2 * counts, reverse=True)  # (time + 1, batch)
    time = tf.shape(path)[0]
    uttered = path[:, None] == 2 * tf.range(tf.shape(labels)[1])[:, None] + 1  # (time + 1, longest, batch)
    frames = tf.range(time)[:, None, None]
    first = tf.reduce_min(tf.where(uttered, frames, time), 0)
    last = tf.reduce_max(tf.where(uttered, frames, -1), 0)
    total = tf.reduce_sum(tf.where(uttered, tf.exp(steps[:, 1::2]), 0), 0)
    mean = total / tf.cast(tf.maximum(last - first + 1, 1), total.dtype)
    there = (labels >= 0) & possible[:, None]
    found = ((first, -1), (last, -1), (mean, 0))
    return Alignment(*(tf.where(there, tf.transpose(x), nothing) for x, nothing in found))


def prefix_beam_search(logits, lengths=None, width=16, n_best=1, language_model=None, weight=0.0, bonus=0.0):
    """The likeliest labels among those that a beam comes across, each with the sum over its alignments.

    The score of labels Y is

        log P(Y|logits) + weight * log P(Y|language model) + bonus * |Y|

    where P counts the alignments whose prefixes were all in the beam. A prefix that leaves the beam is forgotten, and
    begins from nothing if it comes back. The language model is asked for the labels alone, not for an end.

    Args:
        logits, lengths: see the module.
        width: how many prefixes of a row live at a time.
        n_best: how many are returned, at most `width`.
        language_model: None, or `(step, states)` or `(step, states, tokens)`. `step(tokens, states)` takes the latest
            token of each row and gives the logits of the next, and new states; states are tensors (batch, ...), and
            the number of rows differs from call to call. `tokens`, int (classes,), are the tokens that the labels have
            there, the first of them its start token; without it both are the same numbers, and 0 is the start.
        weight: of the language model; 0 is off.
        bonus: for each label, against the language model's liking for few of them.

    Returns:
        (labels, scores): int32 (batch, n_best, n) with -1 behind the last, and (batch, n_best), the highest first;
        -infinity where there is no further hypothesis.

    Raises:
        UserError: if `n_best` is out of its range.

    Example:
        >>> logits = tf.math.log([[[0.6, 0.4], [0.6, 0.4]]])  # the likeliest alignment says nothing
        >>> labels, scores = prefix_beam_search(logits, n_best=2)
        >>> labels.numpy().tolist(), tf.exp(scores).numpy().round(2).astype(str).tolist()
        ([[[1], [-1]]], [['0.64', '0.36']])

    References:
        Hannun et al., 2014, algorithm 1, https://arxiv.org/abs/1408.2873
    """
    if not 1 <= n_best <= width:
        raise UserError(f"n_best is {n_best}", where="prefix_beam_search", remedy=f"give 1 to the width, {width}")
    emissions = tf.transpose(_emissions(logits, lengths)[0], (1, 0, 2))
    time, batch, size = tf.unstack(tf.shape(emissions))
    names = tf.random.stateless_uniform([size], (0, 0), None, None, tf.int64)
    fusion = _Fusion(language_model if weight else None, weight, bonus, size)

    def forth(t, beam, known, slots, labels):
        beam, slot, label = beam.advance(emissions[t], known[0], names)
        return t + 1, beam, fusion.advance(known, slot, label), slots.write(t, slot), labels.write(t, label)

    def back(later, step):
        return tuple(tf.gather(x, later[0], batch_dims=1) for x in step)

    dtype = emissions.dtype
    arrays = [tf.TensorArray(tf.int32, time, element_shape=(None, width)) for _ in range(2)]
    first = (tf.constant(0), _Beam.start(batch, width, dtype), fusion.start(batch, width, dtype), *arrays)
    _, beam, _, slots, labels = tf.while_loop(lambda t, *_: t < time, forth, first, maximum_iterations=time)
    where = tf.tile(tf.range(n_best)[None], [batch, 1])
    _, said = tf.scan(back, (slots.stack(), labels.stack()), (where, tf.zeros_like(where)), reverse=True)
    scores = beam.scores()[:, :n_best]
    lives = scores > FORBIDDEN / 2
    said = _squeezed(tf.where(lives[..., None], tf.transpose(said, (1, 2, 0)), 0))
    return said, tf.where(lives, scores, -float("inf"))


def _emissions(logits, lengths):
    """Log-probabilities (batch, time + 1, classes), and which frames are of their rows, (batch or 1, time + 1, 1).

    With the frame that is added, a certain blank, all alignments end in a blank, and no row is without frames.
    """
    time = tf.shape(logits)[1]
    frames = tf.sequence_mask([time] if lengths is None else lengths, time + 1)[..., None]
    emissions = tf.maximum(tf.nn.log_softmax(tf.pad(logits, [[0, 0], [0, 1], [0, 0]])), FORBIDDEN)
    blank = tf.where(tf.range(tf.shape(emissions)[2]) == 0, tf.zeros([], emissions.dtype), FORBIDDEN)
    return tf.where(frames, emissions, blank), frames


def _states(labels):
    """What alignments run through: the labels, with a blank before and behind each.

    Returns:
        classes int32 (batch, states), 0 also for what is behind the last blank; and the numbers of labels (batch,).
    """
    states = tf.pad(tf.maximum(labels, 0)[..., None], [[0, 0], [0, 0], [1, 0]])
    states = tf.reshape(states, [tf.shape(labels)[0], 2 * tf.shape(labels)[1]])
    return tf.pad(states, [[0, 0], [0, 1]]), tf.reduce_sum(tf.cast(labels >= 0, tf.int32), 1)


def _skips(states):
    """Whether each state may follow the one two before, (states, batch): a label may follow another one."""
    before = tf.pad(states, [[0, 0], [2, 0]])[:, :-2]
    return tf.transpose((states > 0) & (states != before))


def _steps(emissions, states, counts):
    """The log-probability of each state at each frame, (time + 1, states, batch)."""
    steps = tf.gather(tf.transpose(emissions, (0, 2, 1)), states, batch_dims=1)
    within = tf.range(tf.shape(states)[1])[:, None] <= 2 * counts[:, None, None]
    return tf.transpose(tf.where(within, steps, FORBIDDEN), (2, 1, 0))


def _ways(alpha, skips):
    """What each state, (states, batch), gets from itself, from the one before, and from the one before that."""
    before = tf.pad(alpha, [[2, 0], [0, 0]], constant_values=FORBIDDEN)
    return alpha, before[1:-1], tf.where(skips, before[:-2], FORBIDDEN)


def _sweep(steps, skips, join):
    """For each frame and state what `join` makes of the alignments that lead there, shaped as `steps`."""
    start = tf.where(tf.range(tf.shape(steps)[1])[:, None] == 0, tf.zeros_like(steps[0]), FORBIDDEN)
    return tf.scan(lambda alpha, step: join(*_ways(alpha, skips)) + step, steps, start)


def _log_sum(*parts):
    highest = functools.reduce(tf.maximum, parts)
    return highest + tf.math.log(tf.add_n([tf.exp(part - highest) for part in parts]))


def _squeezed(labels):
    """Labels (..., time) without the zeros; -1 behind the last."""
    rows = tf.reshape(labels, [-1, tf.shape(labels)[-1]])
    rows = tf.ragged.boolean_mask(rows, rows > 0).to_tensor(-1)
    return tf.reshape(rows, tf.concat([tf.shape(labels)[:-1], tf.shape(rows)[1:]], 0))


class _Beam(NamedTuple):
    """Prefixes, each tensor (batch, width); the highest score first.

    Args:
        blank, label: the log-probability of the alignments that end in a blank, and in the last label.
        extra: what the language model and the bonus have given.
        last: int32, the last label; 0 if there is none.
        name, parent: int64, a hash of the prefix, and that of the prefix without its last label.
    """

    blank: Any
    label: Any
    extra: Any
    last: Any
    name: Any
    parent: Any

    @classmethod
    def start(cls, batch, width, dtype):
        """The empty prefix, and nothing in the other places."""
        zeros, none = (tf.zeros([batch, width], kind) for kind in (dtype, tf.int64))
        blank = tf.where(tf.range(width) == 0, zeros, FORBIDDEN)
        return cls(blank, zeros + FORBIDDEN, zeros, tf.cast(none, tf.int32), none, none)

    def scores(self):
        return _log_sum(self.blank, self.label) + self.extra

    def advance(self, frame, gains, names):
        """One frame on.

        Of log-probabilities (batch, classes), gains (batch * width, classes) of each label, 0 for the blank, and random
        numbers int64 (classes,): the beam, the places of its prefixes in this one, and the labels they got, or 0.
        """
        width, size = self.last.shape[1], tf.shape(frame)[1]
        total = _log_sum(self.blank, self.label)
        repeated = tf.range(size) == self.last[..., None]
        ways = tf.where(repeated, self.blank[..., None], total[..., None]) + frame[:, None]  # (batch, width, classes)
        gains = tf.reshape(gains, tf.shape(ways))
        ways, found = self._merged(ways)
        blank = total + frame[:, :1]
        label = _log_sum(self.label + tf.gather(frame, self.last, batch_dims=1), found)
        stays = _log_sum(blank, label)
        candidates = tf.concat([stays[..., None], ways[..., 1:]], 2) + self.extra[..., None] + gains
        _, places = tf.math.top_k(tf.reshape(candidates, [-1, width * size]), width)
        slot, new = places // size, places % size
        at = tf.stack([slot, new], -1)
        pick = functools.partial(tf.gather, indices=slot, batch_dims=1)
        name, longer = pick(self.name), new > 0
        beam = _Beam(
            tf.where(new == 0, pick(blank), FORBIDDEN),
            tf.where(longer, tf.gather_nd(ways, at, batch_dims=1), pick(label)),
            pick(self.extra) + tf.gather_nd(gains, at, batch_dims=1),
            tf.where(longer, new, pick(self.last)),
            tf.where(longer, name * FACTOR + tf.gather(names, new), name),
            tf.where(longer, name, pick(self.parent)),
        )
        return beam, slot, new

    def _merged(self, ways):
        """What is left of `ways` without those to prefixes that are in the beam themselves, and what these get."""
        lives = self.scores() > FORBIDDEN / 2
        child = (lives & (self.last > 0))[..., None] & lives[:, None] & (self.parent[..., None] == self.name[:, None])
        slot = tf.argmax(child, 2, tf.int32)
        has = tf.reduce_any(child, 2)
        row = tf.broadcast_to(tf.range(tf.shape(slot)[0])[:, None], tf.shape(slot))
        at = tf.stack([row, slot, self.last], -1)
        left = tf.tensor_scatter_nd_min(ways, at, tf.where(has, tf.cast(FORBIDDEN, ways.dtype), -FORBIDDEN))
        return left, tf.where(has, tf.gather_nd(ways, at), FORBIDDEN)


class _Fusion:
    """What prefixes gain with each label, from a language model and the bonus.

    What is known of them are these gains, (batch * width, classes), and the states of the language model.
    """

    def __init__(self, language_model, weight, bonus, size):
        self.step, self.states, *tokens = language_model or (None, [])
        self.tokens = tf.cast(tokens[0], tf.int32) if tokens else tf.range(size)
        self.weight, self.bonus, self.size = weight, bonus, size

    def start(self, batch, width, dtype):
        known = self._ask(tf.zeros([batch], tf.int32), self.states, dtype)
        return tf.nest.map_structure(lambda x: tf.repeat(x, width, 0), known)

    def advance(self, known, slot, label):
        """What is known of the prefixes at `slot`, and of the longer ones behind their `label`."""
        if self.step is None:
            return known
        rows = tf.reshape(slot + slot.shape[1] * tf.range(tf.shape(slot)[0])[:, None], [-1])
        known = tf.nest.map_structure(lambda x: tf.gather(x, rows), known)
        label = tf.reshape(label, [-1])
        longer = tf.where(label > 0)
        states = tf.nest.map_structure(lambda x: tf.gather_nd(x, longer), known[1])
        new = self._ask(tf.gather_nd(label, longer), states, known[0].dtype)
        return tf.nest.map_structure(lambda x, y: tf.tensor_scatter_nd_update(x, longer, y), known, new)

    def _ask(self, labels, states, dtype):
        """What is known behind `labels` (rows,)."""
        if self.step is None:
            gains = tf.zeros([tf.size(labels), self.size], dtype) + self.bonus
        else:
            logits, new = self.step(tf.gather(self.tokens, labels), states)
            states = tf.nest.pack_sequence_as(states, tf.nest.flatten(new))
            gains = tf.gather(tf.nn.log_softmax(tf.cast(logits, dtype)), self.tokens, axis=1)
            gains = tf.where(gains > FORBIDDEN / 2, self.weight * gains, FORBIDDEN) + self.bonus
        return tf.where(tf.range(self.size) == 0, tf.zeros([], dtype), gains), states
