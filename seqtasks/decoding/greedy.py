"""Greedy search: the most probable token at each step."""

from typing import NamedTuple

import tensorflow as tf

from seqtasks.decoding.rules import NEVER, Rules, forbid
from seqtasks.decoding.steps import Decoded, Nest, Step, longest, loop, step_array


class _State(NamedTuple):
    t: tf.Tensor  # the number of the step
    going: tf.Tensor  # whether a row is unfinished
    states: Nest  # of the model, (rows, ...)
    tokens: tf.Tensor  # (rows,), chosen last
    written: tf.Tensor  # (rows, time), see `Rules`
    done: tf.Tensor  # (rows,)
    scores: tf.Tensor  # (rows,)
    words: tf.TensorArray  # the tokens (rows,) of each step, -1 after the end
    attentions: tf.TensorArray  # (rows, source) of each step


class Written(NamedTuple):
    """One sequence per row.

    Args:
        tokens: int32 (rows, time), without the end, -1 after the last.
        lengths: int32 (rows,).
        scores: float32 (rows,), log-probabilities under the repetition penalty, with that of the end.
        attention: (rows, time + 1, source), or None; it may go on after the end.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    attention: tf.Tensor | None


def greedy(step: Step, states: Nest, start: tf.Tensor, limits: tf.Tensor, rules: Rules) -> Written:
    """The most probable token at each step, and the end after `limits` tokens.

    Args:
        step: the step of the model, without a memory that rows could leave.
        states: a nest of tensors (rows, ...).
        start: int32 (rows,).
        limits: int32 (rows,), the maximum number of tokens.
        rules: the constraints.
    """

    def body(state: _State) -> _State:
        t, written = state.t, state.written
        logits, states, attention = step(state.tokens, state.states)
        logits = rules.penalize_repetition(logits, written)
        allowed = forbid(rules.block(logits, t, written), rules.forbidden)
        tokens = tf.where(t < limits, tf.argmax(allowed, -1, output_type=tf.int32), rules.end)
        gained = tf.gather(logits, tokens[:, None], batch_dims=1)[:, 0] - tf.reduce_logsumexp(logits, -1)
        ends = tokens == rules.end
        if rules.no_repeat_ngram:  # it may leave nothing to choose
            stuck = tf.reduce_max(allowed, -1) == NEVER
            gained, ends = tf.where(stuck, 0.0, gained), ends | stuck
        done = state.done | ends
        word = tf.where(done, -1, tokens)
        finished = done | (t >= limits)
        return _State(
            t=t + 1,
            going=~tf.reduce_all(finished),
            states=states,
            tokens=tokens,
            written=rules.append(written, t, word),
            done=finished,
            scores=state.scores + tf.where(state.done, 0.0, gained),
            words=state.words.write(t, word),
            attentions=state.attentions.write(t, attention[0]) if attention else state.attentions,
        )

    rows = tf.size(start)
    first = _State(
        t=tf.constant(0),
        going=tf.constant(True),
        states=tf.nest.map_structure(tf.convert_to_tensor, states),
        tokens=start,
        written=rules.no_tokens(rows, longest(limits + 1)),
        done=limits < 0,
        scores=tf.zeros([rows]),
        words=step_array(tf.int32),
        attentions=step_array(tf.float32, None),
    )
    last = loop(body, first)
    words = tf.transpose(last.words.stack())  # (rows, steps)
    lengths = tf.reduce_sum(tf.cast(words >= 0, tf.int32), 1)
    tokens = words[:, : longest(lengths)]
    attention = tf.transpose(last.attentions.stack(), (1, 0, 2)) if step.attends else None
    return Written(tokens, lengths, last.scores, attention)


def as_decoded(written: Written, scores: tf.Tensor) -> Decoded:
    """`Decoded` with an axis `n_best` of 1 and the given scores (rows,)."""
    tokens, attention = written.tokens, written.attention
    if attention is not None:
        live = tf.cast(tokens >= 0, tf.float32)[..., None]
        attention = (attention[:, : tf.shape(tokens)[1]] * live)[:, None]
    return Decoded(tokens[:, None], written.lengths[:, None], scores[:, None], attention)
