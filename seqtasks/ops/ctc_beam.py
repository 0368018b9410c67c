"""The beam of `seqtasks.ops.ctc.prefix_beam_search`, and the scores that a language model adds to it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

FORBIDDEN = -1e30  # the log-probability of an impossible event: finite, so that differences are numbers
FACTOR = 0x5851F42D4C957F2D  # multiplier of Knuth's MMIX generator


def log_sum(*parts: tf.Tensor) -> tf.Tensor:
    """The logarithm of the sum of the exponentials of tensors."""
    highest = functools.reduce(tf.maximum, parts)
    return highest + tf.math.log(tf.add_n([tf.exp(part - highest) for part in parts]))


class Beam(NamedTuple):
    """The prefixes of a beam, the highest score first. Each tensor is (batch, width).

    Args:
        blank, label: the log-probability of the alignments that end in a blank, and in the last label.
        extra: the sum of the scores of the language model and of the bonuses.
        last: int32, the last label; 0 if there is none.
        name, parent: int64, a hash of the prefix, and that of the prefix without its last label.
    """

    blank: tf.Tensor
    label: tf.Tensor
    extra: tf.Tensor
    last: tf.Tensor
    name: tf.Tensor
    parent: tf.Tensor

    @classmethod
    def start(cls, batch: tf.Tensor, width: int, dtype: tf.DType) -> "Beam":
        """A beam with the empty prefix first; the others are impossible."""
        zeros, none = (tf.zeros([batch, width], kind) for kind in (dtype, tf.int64))
        blank = tf.where(tf.range(width) == 0, zeros, FORBIDDEN)
        return cls(blank, zeros + FORBIDDEN, zeros, tf.cast(none, tf.int32), none, none)

    def scores(self) -> tf.Tensor:
        """The total score of each prefix, (batch, width)."""
        return log_sum(self.blank, self.label) + self.extra

    def advance(self, frame: tf.Tensor, gains: tf.Tensor, names: tf.Tensor) -> tuple["Beam", tf.Tensor, tf.Tensor]:
        """Advances the beam by one frame.

        Args:
            frame: (batch, classes), log-probabilities.
            gains: (batch * width, classes), the score that each next label adds, 0 for the blank.
            names: int64 (classes,), random numbers for the hashes.

        Returns:
            (beam, slot, label): the new beam, and int32 (batch, width), the slot in this beam that each new prefix
            comes from, and the label that it gained, or 0.
        """
        width, size = self.last.shape[1], tf.shape(frame)[1]
        total = log_sum(self.blank, self.label)
        repeated = tf.range(size) == self.last[..., None]
        ways = tf.where(repeated, self.blank[..., None], total[..., None]) + frame[:, None]  # (batch, width, classes)
        gains = tf.reshape(gains, tf.shape(ways))
        ways, merged = self._merge(ways)
        blank = total + frame[:, :1]
        label = log_sum(self.label + tf.gather(frame, self.last, batch_dims=1), merged)
        stays = log_sum(blank, label)
        candidates = tf.concat([stays[..., None], ways[..., 1:]], 2) + self.extra[..., None] + gains
        _, indices = tf.math.top_k(tf.reshape(candidates, [-1, width * size]), width)
        slot, new = indices // size, indices % size
        at = tf.stack([slot, new], -1)
        pick = functools.partial(tf.gather, indices=slot, batch_dims=1)
        name, longer = pick(self.name), new > 0
        beam = Beam(
            tf.where(new == 0, pick(blank), FORBIDDEN),
            tf.where(longer, tf.gather_nd(ways, at, batch_dims=1), pick(label)),
            pick(self.extra) + tf.gather_nd(gains, at, batch_dims=1),
            tf.where(longer, new, pick(self.last)),
            tf.where(longer, name * FACTOR + tf.gather(names, new), name),
            tf.where(longer, name, pick(self.parent)),
        )
        return beam, slot, new

    def _merge(self, ways: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Removes from `ways` the extensions to prefixes that are already in the beam.

        Returns:
            `ways` (batch, width, classes) without them, and (batch, width), the log-probability that each prefix of
            the beam gains by them.
        """
        lives = self.scores() > FORBIDDEN / 2
        child = (lives & (self.last > 0))[..., None] & lives[:, None] & (self.parent[..., None] == self.name[:, None])
        slot = tf.argmax(child, 2, tf.int32)
        has = tf.reduce_any(child, 2)
        row = tf.broadcast_to(tf.range(tf.shape(slot)[0])[:, None], tf.shape(slot))
        at = tf.stack([row, slot, self.last], -1)
        remaining = tf.tensor_scatter_nd_min(ways, at, tf.where(has, tf.cast(FORBIDDEN, ways.dtype), -FORBIDDEN))
        return remaining, tf.where(has, tf.gather_nd(ways, at), FORBIDDEN)


class Fusion:
    """The scores that each next label adds to a prefix, from a language model and the bonus.

    Its state is a pair: these scores (batch * width, classes), and the states of the language model.

    Args:
        language_model, weight, bonus: see `seqtasks.ops.ctc.prefix_beam_search`; None for no language model.
        size: the number of classes.
    """

    def __init__(self, language_model: Sequence[Any] | None, weight: float, bonus: float, size: tf.Tensor) -> None:
        self.step: Callable[..., tuple[tf.Tensor, Any]] | None
        self.states: Any
        self.step, self.states, *tokens = language_model or (None, [])
        self.tokens = tf.cast(tokens[0], tf.int32) if tokens else tf.range(size)
        self.weight, self.bonus, self.size = weight, bonus, size

    def start(self, batch: tf.Tensor, width: int, dtype: tf.DType) -> tuple[tf.Tensor, Any]:
        """The state of empty prefixes."""
        state = self._score(tf.zeros([batch], tf.int32), self.states, dtype)
        return tf.nest.map_structure(lambda x: tf.repeat(x, width, 0), state)

    def advance(self, state: tuple[tf.Tensor, Any], slot: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, Any]:
        """The state of the prefixes at `slot`, extended by `label` if it is not 0; both int32 (batch, width)."""
        if self.step is None:
            return state
        rows = tf.reshape(slot + slot.shape[1] * tf.range(tf.shape(slot)[0])[:, None], [-1])
        state = tf.nest.map_structure(lambda x: tf.gather(x, rows), state)
        label = tf.reshape(label, [-1])
        longer = tf.where(label > 0)
        states = tf.nest.map_structure(lambda x: tf.gather_nd(x, longer), state[1])
        new = self._score(tf.gather_nd(label, longer), states, state[0].dtype)
        return tf.nest.map_structure(lambda x, y: tf.tensor_scatter_nd_update(x, longer, y), state, new)

    def _score(self, labels: tf.Tensor, states: Any, dtype: tf.DType) -> tuple[tf.Tensor, Any]:
        """The state after `labels` (rows,)."""
        if self.step is None:
            gains = tf.zeros([tf.size(labels), self.size], dtype) + self.bonus
        else:
            logits, new = self.step(tf.gather(self.tokens, labels), states)
            states = tf.nest.pack_sequence_as(states, tf.nest.flatten(new))
            gains = tf.gather(tf.nn.log_softmax(tf.cast(logits, dtype)), self.tokens, axis=1)
            gains = tf.where(gains > FORBIDDEN / 2, self.weight * gains, FORBIDDEN) + self.bonus
        return tf.where(tf.range(self.size) == 0, tf.zeros([], dtype), gains), states
