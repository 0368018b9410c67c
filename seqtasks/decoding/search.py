"""Beam search."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.decoding.greedy import as_decoded, greedy
from seqtasks.decoding.rules import NEVER, Rules, check_range
from seqtasks.decoding.steps import Decoded, Nest, Step, longest, loop, start_tokens, step_array

CHUNK = 64  # scores per chunk when the highest are looked for


@dataclasses.dataclass(frozen=True)
class BeamOptions:
    """Options of `beam_search`.

    Args:
        width: hypotheses of a sentence that are kept at each step; 1 is greedy search.
        n_best: hypotheses that are returned, at most `width`.
        min_length: minimum number of tokens, unless `max_length` is lower.
        length_penalty: exponent of the length in the score.
        coverage_penalty: weight of the coverage in the score; above 0 the step must return attention.
        no_repeat_ngram: n, if no n-gram may occur twice in a hypothesis; 0 for no limit.
        repetition_penalty: divisor of positive logits, and factor of negative ones, of tokens that are in the
            hypothesis already. P in the score is computed from these logits.
        forbidden: tokens that are never chosen. P stays that of the model, here and under the other constraints.

    Raises:
        UserError: if a number is out of its range.

    Example:
        >>> BeamOptions(width=0)
        Traceback (most recent call last):
        seqtasks.errors.UserError: beam_search: width is 0; give 1 or more
    """

    width: int = 5
    n_best: int = 1
    min_length: int = 0
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0
    forbidden: Sequence[int] = ()

    def __post_init__(self) -> None:
        lowest = {"width": 1, "n_best": 1, "min_length": 0, "length_penalty": 0, "coverage_penalty": 0}
        for name, low in (lowest | {"no_repeat_ngram": 0, "repetition_penalty": 1}).items():
            check_range("beam_search", name, getattr(self, name), low, self.width if name == "n_best" else None)

    def rules(self, end: int) -> Rules:
        """The constraints on the next token."""
        return Rules(end, self.min_length, tuple(self.forbidden), self.no_repeat_ngram, self.repetition_penalty)

    def divisor(self, length: Any) -> tf.Tensor | float:
        """The divisor of the log-probability of hypotheses of so many tokens, the end included."""
        return ((5.0 + tf.cast(length, tf.float32)) / 6.0) ** self.length_penalty if self.length_penalty else 1.0


def beam_search(
    step: Callable[..., tuple],
    states: Nest,
    start: Any,
    end: int,
    *,
    max_length: Any,
    options: BeamOptions | None = None,
    memory: Nest = None,
) -> Decoded:
    """The sequences with the best scores among those that a beam reaches.

    A hypothesis Y is at most `max_length` tokens and then the end token. After `max_length` tokens only the end token
    may follow, and its probability counts there as elsewhere. With the source X, and a_ij, the attention to its
    position i at step j,

        score(Y) = log P(Y|X) / ((5 + |Y|) / 6)^length_penalty + coverage_penalty * sum_i log(min(sum_j a_ij, 1))

    where P, |Y| and j include the end token; a position without any attention is taken for padding and left out.
    A hypothesis is finished if its end is among the 2 * `width` best continuations of its sentence. A sentence is done
    when no live hypothesis can beat the `n_best` finished ones: its log P can only fall, the divisor can at most grow
    to that of `max_length`, and the coverage term can at most reach 0. So the early stop misses no hypothesis; with a
    coverage penalty the search takes longer.

    A `width` of 1 is greedy search: the most probable token at each step, until it is the end.

    Args:
        step: see `seqtasks.decoding`.
        states: a nest of tensors (batch, ...); they are repeated `width` times here.
        start: the start token, an int or int (batch,).
        end: the end token.
        max_length: int or int (batch,), maximum number of tokens.
        options: the size of the beam, penalties and constraints; None for the defaults.
        memory: a nest of tensors (batch, ...) that all steps of a sentence need, given to `step` as its third argument;
            finished sentences then leave the batch. None if `step` takes two arguments, and they stay.

    Returns:
        `Decoded`.

    Raises:
        UserError: if a number is out of its range, or a coverage penalty is given and the step returns no attention.

    Example:
        >>> table = tf.math.log([[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.9, 0.05, 0.05]])  # of the next token
        >>> step = lambda tokens, states: (tf.gather(table, tokens), states)
        >>> options = BeamOptions(width=3, n_best=2)
        >>> result = beam_search(step, [], start=[0], end=0, max_length=2, options=options)
        >>> result.tokens[0].numpy().tolist(), tf.exp(result.scores[0]).numpy().round(3).astype(str).tolist()
        ([[2], [1]], ['0.36', '0.15'])

    References:
        Wu et al., 2016, section 7, equation 14, https://arxiv.org/abs/1609.08144;
        repetition penalty: Keskar et al., 2019, section 4.1, https://arxiv.org/abs/1909.05858
    """
    options = options or BeamOptions()
    if isinstance(max_length, int):
        check_range("beam_search", "min_length", options.min_length, 0, max_length)
    start = start_tokens(start, states)
    checked_step = Step(step, needs_attention=options.coverage_penalty > 0, memory=memory)
    limits = tf.maximum(tf.broadcast_to(tf.cast(max_length, tf.int32), tf.shape(start)), 0)
    if options.width > 1:
        return _search(checked_step, states, start, end, limits, options)
    written = greedy(checked_step, states, start, limits, options.rules(end))
    scores, attention = written.scores / options.divisor(written.lengths + 1), written.attention
    if options.coverage_penalty and attention is not None:
        steps = tf.sequence_mask(written.lengths + 1, tf.shape(attention)[1], tf.float32)
        scores += options.coverage_penalty * _coverage(tf.reduce_sum(attention * steps[..., None], 1))
    return as_decoded(written, scores)


class _State(NamedTuple):
    """The loop state of beam search.

    `sentences` are the numbers of the sentences that are still searched, `count` of them. What belongs to a sentence
    or to its `width` slots follows their order. `scores`, `ends` and the arrays are of the whole batch.
    """

    t: tf.Tensor  # the number of the step
    going: tf.Tensor  # whether a sentence is not done
    states: Nest  # of the model, (count * width, ...)
    memory: list[tf.Tensor]  # (count, ...), see `Step`
    tokens: tf.Tensor  # (count * width,), chosen last
    sentences: tf.Tensor  # (count,)
    limits: tf.Tensor  # (count,), maximum number of tokens
    live: tf.Tensor  # (count, width), log-probabilities of the live hypotheses
    scores: tf.Tensor  # (batch, n_best), of the finished hypotheses
    ends: tf.Tensor  # (batch, n_best), step * width + slot in which they ended
    written: tf.Tensor  # (count * width, time), see `Rules`
    covered: tf.Tensor  # (count * width, source), attention summed over the steps
    words: tf.TensorArray  # (batch, width) of each step, the tokens chosen
    slots: tf.TensorArray  # (batch, width) of each step, the slots they continue
    attentions: tf.TensorArray  # (batch * width, source) of each step


def _search(step: Step, states: Nest, start: tf.Tensor, end: int, limits: tf.Tensor, options: BeamOptions) -> Decoded:
    """Beam search of at least two hypotheses; the steps leave tokens and slots, from which hypotheses are traced."""
    batch, width, n_best, rules = tf.shape(start)[0], options.width, options.n_best, options.rules(end)

    def body(state: _State) -> _State:
        t, count = state.t, tf.shape(state.live)[0]
        logits, states, attention = step(state.tokens, state.states, state.memory)
        logits = rules.penalize_repetition(logits, state.written)
        values, tokens = _highest(rules.block(logits, t, state.written), 2 * width, rules.forbidden)
        total = tf.reduce_logsumexp(logits, -1, keepdims=True)
        ending = logits[:, end, None] - total
        totals, tokens, slot = _continue(state.live, values - total, tokens, ending, t >= state.limits, end, width)
        covered = state.covered + attention[0] if options.coverage_penalty else state.covered

        is_end = tokens == end
        scores = _final_scores(totals, slot, covered, t, options)
        state = _finish(state, tf.where(is_end, scores, NEVER), t * width + slot, n_best)

        live, best = tf.math.top_k(tf.where(is_end, NEVER, totals), width)
        tokens, slot = (tf.gather(x, best, batch_dims=1) for x in (tokens, slot))
        zeros = tf.zeros([batch, width], tf.int32)
        attentions = state.attentions
        if attention:
            weights = tf.reshape(attention[0], (count, width, tf.shape(attention[0])[1]))
            weights = _put(tf.zeros(tf.concat([[batch], tf.shape(weights)[1:]], 0)), state.sentences, weights)
            attentions = attentions.write(t, tf.reshape(weights, (-1, tf.shape(weights)[2])))
        best_scores = tf.gather(state.scores, state.sentences)
        undone = live[:, 0] / options.divisor(state.limits + 1) > best_scores[:, -1]
        state = state._replace(
            live=live,
            states=states,
            covered=covered,
            words=state.words.write(t, _put(zeros, state.sentences, tokens)),
            slots=state.slots.write(t, _put(zeros, state.sentences, slot)),
            attentions=attentions,
        )
        stays = undone if step.compacts else tf.ones_like(undone)
        return _select(state, tokens, slot, stays, rules)._replace(t=t + 1, going=tf.reduce_any(undone))

    first = _State(
        t=tf.constant(0),
        going=tf.constant(True),
        states=tf.nest.map_structure(lambda state: tf.repeat(state, width, 0), states),
        memory=step.memory,
        tokens=tf.repeat(start, width),
        sentences=tf.range(batch),
        limits=limits,
        live=tf.tile([[0.0] + [NEVER] * (width - 1)], [batch, 1]),  # all slots start equal: only the first one is live
        scores=tf.fill([batch, n_best], NEVER),
        ends=tf.zeros([batch, n_best], tf.int32),
        written=rules.no_tokens(batch * width, longest(limits)),
        covered=tf.zeros([batch * width, 1]),
        words=step_array(tf.int32, width),
        slots=step_array(tf.int32, width),
        attentions=step_array(tf.float32, None),
    )
    last = loop(body, first._replace(memory=[tf.convert_to_tensor(x) for x in first.memory]))
    scores, ends = (tf.ensure_shape(x, (None, n_best)) for x in (last.scores, last.ends))
    attention = last.attentions.stack() if step.attends else None
    result = _trace(scores, ends, last.words.stack(), last.slots.stack(), attention)
    return result._replace(tokens=tf.ensure_shape(result.tokens, (None, n_best, None)))


def _final_scores(
    totals: tf.Tensor, slot: tf.Tensor, covered: tf.Tensor, t: tf.Tensor, options: BeamOptions
) -> tf.Tensor:
    """The scores (count, 2 * width) of continuations, if their last token is the end."""
    scores = totals / options.divisor(t + 1)
    if options.coverage_penalty:
        terms = options.coverage_penalty * tf.reshape(_coverage(covered), (-1, options.width))
        scores += tf.gather(terms, slot, batch_dims=1)
    return scores


def _finish(state: _State, scores: tf.Tensor, ends: tf.Tensor, n_best: int) -> _State:
    """The state with the `n_best` finished hypotheses, of those before and of (count, 2 * width) new ones."""
    known = tf.gather(state.scores, state.sentences), tf.gather(state.ends, state.sentences)
    best, places = tf.math.top_k(tf.concat([known[0], scores], 1), n_best)
    ended = tf.gather(tf.concat([known[1], ends], 1), places, batch_dims=1)
    return state._replace(
        scores=_put(state.scores, state.sentences, best), ends=_put(state.ends, state.sentences, ended)
    )


def _select(state: _State, tokens: tf.Tensor, slot: tf.Tensor, stays: tf.Tensor, rules: Rules) -> _State:
    """The state of the hypotheses that go on: `tokens` (count, width) after those in `slot`, of sentences that stay."""
    count, width = tf.shape(tokens)[0], tokens.shape[1]
    rows = tf.boolean_mask(tf.range(count)[:, None] * width + slot, stays)
    tokens, rows = tf.reshape(tf.boolean_mask(tokens, stays), [-1]), tf.reshape(rows, [-1])
    written, memory = state.written, state.memory
    if rules.needs_written:
        written = rules.append(tf.gather(written, rows), state.t, tokens)
    if memory:
        memory = tf.cond(
            tf.reduce_all(stays), lambda: state.memory, lambda: [tf.boolean_mask(x, stays) for x in state.memory]
        )
    return state._replace(
        states=tf.nest.map_structure(lambda x: tf.gather(x, rows), state.states),
        memory=memory,
        tokens=tokens,
        sentences=tf.boolean_mask(state.sentences, stays),
        limits=tf.boolean_mask(state.limits, stays),
        live=tf.boolean_mask(state.live, stays),
        written=written,
        covered=tf.gather(state.covered, rows),
    )


def _put(tensor: tf.Tensor, places: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """A tensor with some rows replaced."""
    return tf.tensor_scatter_nd_update(tensor, places[:, None], rows)


def _highest(logits: tf.Tensor, count: int, forbidden: tuple[int, ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """The `count` highest logits of each row and their tokens, without forbidden ones, in few passes over them."""
    forbidden = tuple(token for token in forbidden if 0 <= token < logits.shape[-1])
    values, tokens = _top_k(logits, min(count + len(forbidden), logits.shape[-1]))
    if forbidden:
        is_forbidden = tf.reduce_any(tokens[..., None] == forbidden, -1)
        values, places = tf.math.top_k(tf.where(is_forbidden, NEVER, values), min(count, values.shape[-1]))
        tokens = tf.gather(tokens, places, batch_dims=1)
    return values, tokens


def _continue(
    live: tf.Tensor, values: tf.Tensor, tokens: tf.Tensor, ending: tf.Tensor, forced: tf.Tensor, end: int, width: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The 2 * width best continuations of each sentence, at least `width` of which do not end.

    Args:
        live: (count, width), the log-probabilities of the hypotheses.
        values, tokens: (count * width, size), the highest log-probabilities of the next token.
        ending: (count * width, 1), those of the end token.
        forced: (count,), whether only the end may follow.
        end: the end token.
        width: hypotheses of a sentence.

    Returns:
        log-probabilities, tokens and slots, each (count, 2 * width).
    """
    batch, size = tf.shape(live)[0], values.shape[-1]
    values, tokens = (tf.reshape(x, (batch, width, size)) for x in (values, tokens))
    ending = tf.where(tf.range(size) == 0, tf.reshape(ending, (batch, width, 1)), NEVER)
    forced = forced[:, None, None]
    values, tokens = tf.where(forced, ending, values), tf.where(forced, end, tokens)
    totals = tf.reshape(live[..., None] + values, (batch, width * size))
    totals, places = tf.math.top_k(totals, min(2 * width, width * size))
    tokens = tf.gather(tf.reshape(tokens, (batch, width * size)), places, batch_dims=1)
    return totals, tokens, places // size


def _trace(
    scores: tf.Tensor, ends: tf.Tensor, words: tf.Tensor, slots: tf.Tensor, attention: tf.Tensor | None
) -> Decoded:
    """The hypotheses that ended at step `ends // width` in slot `ends % width`.

    Words and slots are (steps, batch, width), attention (steps, batch * width, source).
    """
    batch, width = tf.shape(words)[1], words.shape[2]
    lengths = tf.where(scores > NEVER, ends // width, 0)
    time = longest(lengths)

    def back(t: tf.Tensor, slot: tf.Tensor, tokens: tf.TensorArray, path: tf.TensorArray) -> tuple:
        inside = t < lengths
        word, before = (tf.gather(x[t], slot, batch_dims=1) for x in (words, slots))
        return t - 1, tf.where(inside, before, slot), tokens.write(t, tf.where(inside, word, -1)), path.write(t, before)

    arrays = [tf.TensorArray(tf.int32, tf.maximum(time, 1), element_shape=ends.shape) for _ in range(2)]
    start = (tf.maximum(time, 1) - 1, ends % width, *arrays)
    *_, tokens, path = tf.while_loop(lambda t, *_: t >= 0, back, start)
    tokens, path = tokens.stack()[:time], path.stack()[:time]  # (time, batch, n_best)
    if attention is not None:
        attention = tf.reshape(attention[:time], (time, batch, width, tf.shape(attention)[2]))
        attention = tf.gather(attention, path, batch_dims=2) * tf.cast(tokens >= 0, tf.float32)[..., None]
        attention = tf.transpose(attention, (1, 2, 0, 3))
    return Decoded(tf.transpose(tokens, (1, 2, 0)), lengths, scores, attention)


def _coverage(attended: tf.Tensor) -> tf.Tensor:
    """The coverage of the source, (rows,), by attention (rows, source) summed over the steps."""
    return tf.reduce_sum(tf.where(attended > 0, tf.math.log(tf.minimum(attended, 1.0)), 0.0), -1)


def _top_k(scores: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """`tf.math.top_k`, which is slow on long rows, over the chunks only that may hold the highest scores."""
    size = scores.shape[-1]
    if size < 4 * k * CHUNK:
        return tf.math.top_k(scores, k)
    chunks = tf.pad(scores, [[0, 0], [0, -size % CHUNK]], constant_values=NEVER)
    chunks = tf.reshape(chunks, (-1, -(-size // CHUNK), CHUNK))
    _, best = tf.math.top_k(tf.reduce_max(chunks, -1), k)
    values, places = tf.math.top_k(tf.reshape(tf.gather(chunks, best, batch_dims=1), (-1, k * CHUNK)), k)
    return values, tf.gather(best, places // CHUNK, batch_dims=1) * CHUNK + places % CHUNK
