"""Constraints on the next token: forbidden tokens, a minimum length, repetitions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError

NEVER = -float("inf")


class Rules(NamedTuple):
    """The constraints of a search, named as in `BeamOptions`; a constraint that is off costs nothing.

    Some rules need the tokens written so far, `written`: int32 (rows, time), -1 after the last token.
    """

    end: int
    min_length: int
    forbidden: tuple[int, ...]
    no_repeat_ngram: int
    repetition_penalty: float

    @property
    def needs_written(self) -> bool:
        return self.no_repeat_ngram > 0 or self.repetition_penalty != 1

    def no_tokens(self, rows: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """`written` before the first step: space for `time` tokens and at least an n-gram, or for none if unused."""
        return tf.fill([rows, tf.maximum(time, self.no_repeat_ngram) if self.needs_written else 0], -1)

    def append(self, written: tf.Tensor, t: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """`written` with the tokens (rows,) of step `t`."""
        if not self.needs_written:
            return written
        return tf.where(tf.range(tf.shape(written)[1]) == t, tokens[:, None], written)

    def penalize_repetition(self, logits: tf.Tensor, written: tf.Tensor) -> tf.Tensor:
        """Logits (rows, vocabulary) under the repetition penalty."""
        if self.repetition_penalty == 1:
            return logits
        repeated = tf.gather(logits, tf.maximum(written, 0), batch_dims=1)
        lower = tf.where(repeated > 0, repeated / self.repetition_penalty, repeated * self.repetition_penalty)
        return _at_most(logits, written, tf.where(written >= 0, lower, -NEVER))

    def block(self, scores: tf.Tensor, t: tf.Tensor, written: tf.Tensor) -> tf.Tensor:
        """Scores (rows, vocabulary) of step `t`, -infinity for an end before `min_length` and a repeated n-gram."""
        if self.min_length:
            is_end = np.arange(scores.shape[-1]) == self.end
            scores += tf.where(is_end & (t < self.min_length), NEVER, 0.0)
        return self._block_ngrams(scores, t, written) if self.no_repeat_ngram else scores

    def _block_ngrams(self, scores: tf.Tensor, t: tf.Tensor, written: tf.Tensor) -> tf.Tensor:
        n = self.no_repeat_ngram
        last = written[:, n - 1 :]  # the last token of each n-gram
        same = last >= 0
        for i in range(n - 1):
            current = tf.gather(written, tf.maximum(t - n + 1 + i, 0), axis=1)
            same &= written[:, i : i + tf.shape(last)[1]] == current[:, None]
        return _at_most(scores, last, tf.where(same, NEVER, -NEVER))


def forbid(scores: tf.Tensor, tokens: Sequence[int]) -> tf.Tensor:
    """Scores (rows, vocabulary), -infinity for the given tokens.

    Example:
        >>> forbid(tf.constant([[1.0, 2.0]]), [1]).numpy().tolist()
        [[1.0, -inf]]
    """
    if not tokens:
        return scores
    return scores + np.where(np.isin(np.arange(scores.shape[-1]), tokens), NEVER, 0.0).astype("float32")


def _at_most(scores: tf.Tensor, tokens: tf.Tensor, bounds: tf.Tensor) -> tf.Tensor:
    """Scores (rows, vocabulary), at tokens (rows, n) no higher than bounds (rows, n)."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    return tf.tensor_scatter_nd_min(scores, tf.stack([rows, tf.maximum(tokens, 0)], -1), bounds)


def check_range(where: str, name: str, value: float | tf.Tensor, low: float, high: float | None = None) -> None:
    """Checks the range of an option, unless it is a tensor.

    Raises:
        UserError: if the option is a number out of its range.
    """
    if not tf.is_tensor(value) and (value < low or (high is not None and value > high)):
        bounds = f"{low} or more" if high is None else f"{low} to {high}"
        raise UserError(f"{name} is {value}", where=where, remedy=f"give {bounds}")
