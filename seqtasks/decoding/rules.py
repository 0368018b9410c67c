"""What may not be chosen, or not so easily: forbidden tokens, an early end, repetitions."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError

NEVER = -float("inf")


class Rules(NamedTuple):
    """The rules of a search, each named as in `beam_search`; what is off costs nothing.

    A memory is int32 (rows, time), what each row has said, prompt included, and -1 behind it.
    """

    end: int | None
    min_length: int
    forbidden: tuple
    no_repeat_ngram: int
    repetition_penalty: float

    def check(self, where, max_length):
        """Raise `UserError` where a number is out of its range."""
        check(where, "min_length", self.min_length, 0, max_length if isinstance(max_length, int) else None)
        check(where, "no_repeat_ngram", self.no_repeat_ngram, 0)
        check(where, "repetition_penalty", self.repetition_penalty, 1)

    @property
    def remembers(self):
        return self.no_repeat_ngram > 0 or self.repetition_penalty != 1

    def memory(self, rows, time):
        """Room for `time` tokens, and at least an n-gram; none if no rule needs it."""
        return tf.fill([rows, tf.maximum(time, self.no_repeat_ngram) if self.remembers else 0], -1)

    def remember(self, memory, t, tokens):
        return tf.where(tf.range(tf.shape(memory)[1]) == t, tokens[:, None], memory) if self.remembers else memory

    def penalise(self, logits, memory):
        """Logits (rows, vocabulary) under the repetition penalty."""
        if self.repetition_penalty == 1:
            return logits
        said = tf.gather(logits, tf.maximum(memory, 0), batch_dims=1)
        lower = tf.where(said > 0, said / self.repetition_penalty, said * self.repetition_penalty)
        return _at_most(logits, memory, tf.where(memory >= 0, lower, -NEVER))

    def forbid(self, scores):
        """Scores (rows, vocabulary), -infinity for forbidden tokens."""
        banned = np.isin(np.arange(scores.shape[-1]), self.forbidden)
        return scores + np.where(banned, NEVER, 0.0).astype("float32") if self.forbidden else scores

    def block(self, scores, t, written, memory):
        """Scores (rows, vocabulary) of step `t`, -infinity for an end too early and a repeated n-gram.

        `written`, () or (rows, 1), is how many tokens there are behind the prompt.
        """
        tokens = np.arange(scores.shape[-1])
        if self.min_length and self.end is not None:
            scores += tf.where((tokens == self.end) & (written < self.min_length), NEVER, 0.0)
        return self._unrepeated(scores, t, memory) if self.no_repeat_ngram else scores

    def _unrepeated(self, scores, t, memory):
        n = self.no_repeat_ngram
        last = memory[:, n - 1 :]  # the last token of each n-gram
        same = last >= 0
        for i in range(n - 1):
            said = tf.gather(memory, tf.maximum(t - n + 1 + i, 0), axis=1)
            same &= memory[:, i : i + tf.shape(last)[1]] == said[:, None]
        return _at_most(scores, last, tf.where(same, NEVER, -NEVER))


def _at_most(scores, tokens, bounds):
    """Scores (rows, vocabulary), at tokens (rows, n) no higher than bounds (rows, n)."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    return tf.tensor_scatter_nd_min(scores, tf.stack([rows, tf.maximum(tokens, 0)], -1), bounds)


def check(where, name, value, low, high=None):
    """Raise `UserError` if an option is a number and out of its range."""
    if not tf.is_tensor(value) and (value < low or (high is not None and value > high)):
        bounds = f"{low} or more" if high is None else f"{low} to {high}"
        raise UserError(f"{name} is {value}", where=where, remedy=f"give {bounds}")
