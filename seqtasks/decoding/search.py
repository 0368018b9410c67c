"""Beam search."""

import tensorflow as tf

from seqtasks.decoding.rules import NEVER, Rules, check
from seqtasks.decoding.sampling import decoded, greedy
from seqtasks.decoding.steps import Decoded, Step, longest, loop, start_tokens

CHUNK = 64  # scores that the highest of them stands for, while the best chunks are looked for


def beam_search(
    step,
    states,
    start,
    end,
    *,
    max_length,
    width=5,
    n_best=1,
    min_length=0,
    length_penalty=0.0,
    coverage_penalty=0.0,
    no_repeat_ngram=0,
    repetition_penalty=1.0,
    forbidden=(),
    memory=None,
):
    """The sequences that score best among those that a beam comes across.

    A hypothesis Y is at most `max_length` tokens and then the end token, which alone may follow `max_length` tokens and
    whose probability counts there as it does elsewhere. Of the source X, and of a_ij, the attention to its position i
    at step j,

        score(Y) = log P(Y|X) / ((5 + |Y|) / 6)^length_penalty + coverage_penalty * sum_i log(min(sum_j a_ij, 1))

    where P, |Y| and j count the end token; a position that got no attention at all is taken for padding and left out.
    A hypothesis is finished if its end is among the 2 * `width` best ways to go on of its sentence. A sentence is done
    when no live hypothesis can beat the `n_best` finished ones: its log P can only fall, the divisor grow to that of
    `max_length`, and the coverage term reach 0. So none is missed, and with a coverage penalty the search is longer.

    A `width` of 1 is greedy search: the likeliest token each time, until it is the end.

    Args:
        step: see `seqtasks.decoding`.
        states: tensors (batch, ...); they are repeated `width` times here.
        start: the first token, an int or int (batch,).
        end: int.
        max_length: int or int (batch,), how many tokens there are at most.
        width: how many hypotheses of a sentence live at a time.
        n_best: how many are returned, at most `width`.
        min_length: how many tokens there are at least, if `max_length` allows it.
        length_penalty, coverage_penalty: the exponent and the weight above.
        no_repeat_ngram: n, if no n-gram may come twice in a hypothesis; 0 is off.
        repetition_penalty: what positive logits are divided by, and negative ones multiplied with, if their token is in
            the hypothesis already. P is of these logits.
        forbidden: tokens that are never chosen. P is the model's own, here and under the other bans.
        memory: a nest of tensors (batch, ...) that all steps of a sentence need, given to `step` as its third argument;
            sentences that are done then leave the batch. None if `step` takes two, and they stay.

    Returns:
        `Decoded`.

    Raises:
        UserError: if a number is out of its range, or the step gives no attention where coverage is asked for.

    Example:
        >>> table = tf.math.log([[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.9, 0.05, 0.05]])  # of the next token
        >>> step = lambda tokens, states: (tf.gather(table, tokens), states)
        >>> found = beam_search(step, [], start=[0], end=0, max_length=2, width=3, n_best=2)
        >>> found.tokens[0].numpy().tolist(), tf.exp(found.scores[0]).numpy().round(3).astype(str).tolist()
        ([[2], [1]], ['0.36', '0.15'])

    References:
        Wu et al., 2016, section 7, equation 14, https://arxiv.org/abs/1609.08144;
        repetition penalty: Keskar et al., 2019, section 4.1, https://arxiv.org/abs/1909.05858
    """
    check("beam_search", "width", width, 1)
    check("beam_search", "n_best", n_best, 1, width)
    check("beam_search", "length_penalty", length_penalty, 0)
    check("beam_search", "coverage_penalty", coverage_penalty, 0)
    rules = Rules(end, min_length, tuple(forbidden), no_repeat_ngram, repetition_penalty)
    rules.check("beam_search", max_length)
    start = start_tokens(start, states)
    step = Step(step, needs_attention=coverage_penalty > 0, memory=memory)
    limits = tf.maximum(tf.broadcast_to(tf.cast(max_length, tf.int32), tf.shape(start)), 0)

    def divisor(length):
        return ((5.0 + tf.cast(length, tf.float32)) / 6.0) ** length_penalty if length_penalty else 1.0

    if width > 1:
        return _beams(step, states, start, limits, rules, width, n_best, divisor, coverage_penalty)
    tokens, lengths, scores, attention = greedy(step, states, start, limits, rules)
    scores /= divisor(lengths + 1)
    if coverage_penalty:
        steps = tf.sequence_mask(lengths + 1, tf.shape(attention)[1], tf.float32)
        scores += coverage_penalty * _coverage(tf.reduce_sum(attention * steps[..., None], 1))
    return decoded(tokens, lengths, scores, attention)


def _beams(step, states, start, limits, rules, width, n_best, divisor, coverage_penalty):
    """A live hypothesis is a slot of a step; what it says is read off on the way back from there.

    `places` are the sentences that are still looked at, and what belongs to a sentence or to its `width` rows has their
    order; `scores` and `ends` are of the whole batch, as are the arrays that the steps leave.
    """
    batch = tf.shape(start)[0]

    def body(t, _, given, tokens, places, limits, live, scores, ends, said, covered, words, slots, attentions):
        states, memory = given
        count = tf.shape(live)[0]
        logits, states, *attention = step(tokens, states, memory)
        logits = rules.penalise(logits, said)
        values, tokens = _likeliest(rules.block(logits, t, t, said), 2 * width, rules)
        total = tf.reduce_logsumexp(logits, -1, keepdims=True)
        ending = logits[:, rules.end, None] - total
        totals, tokens, slot = _ways(live, values - total, tokens, ending, t >= limits, rules.end, width)

        found = totals / divisor(t + 1)
        if coverage_penalty:
            covered += attention[0]
            terms = coverage_penalty * tf.reshape(_coverage(covered), (count, width))
            found += tf.gather(terms, slot, batch_dims=1)
        over = tokens == rules.end
        best, kept = tf.math.top_k(tf.concat([tf.gather(scores, places), tf.where(over, found, NEVER)], 1), n_best)
        ended = tf.gather(tf.concat([tf.gather(ends, places), t * width + slot], 1), kept, batch_dims=1)
        scores, ends = (_put(all_, places, some) for all_, some in ((scores, best), (ends, ended)))

        live, kept = tf.math.top_k(tf.where(over, NEVER, totals), width)
        tokens, slot = (tf.gather(x, kept, batch_dims=1) for x in (tokens, slot))
        nothing = tf.zeros([batch, width], tf.int32)
        words, slots = words.write(t, _put(nothing, places, tokens)), slots.write(t, _put(nothing, places, slot))
        if attention:
            looked = tf.reshape(attention[0], (count, width, tf.shape(attention[0])[1]))
            looked = _put(tf.zeros(tf.concat([[batch], tf.shape(looked)[1:]], 0)), places, looked)
            attentions = attentions.write(t, tf.reshape(looked, (-1, tf.shape(looked)[2])))

        undone = live[:, 0] / divisor(limits + 1) > best[:, -1]
        stays = undone if step.compacts else tf.ones_like(undone)
        rows = tf.boolean_mask(tf.range(count)[:, None] * width + slot, stays)
        tokens, rows = tf.reshape(tf.boolean_mask(tokens, stays), [-1]), tf.reshape(rows, [-1])
        states = tf.nest.map_structure(lambda state: tf.gather(state, rows), states)
        if rules.remembers:
            said = rules.remember(tf.gather(said, rows), t, tokens)
        if coverage_penalty:
            covered = tf.gather(covered, rows)
        if memory:
            memory = tf.cond(tf.reduce_all(stays), lambda: memory, lambda: [tf.boolean_mask(x, stays) for x in memory])
        places, limits, live = (tf.boolean_mask(x, stays) for x in (places, limits, live))
        more = (places, limits, live, scores, ends, said, covered, words, slots, attentions)
        return t + 1, tf.reduce_any(undone), (states, memory), tokens, *more

    states = tf.nest.map_structure(lambda state: tf.repeat(state, width, 0), states)
    first = (
        tf.repeat(start, width),
        tf.range(batch),
        limits,
        tf.tile([[0.0] + [NEVER] * (width - 1)], [batch, 1]),  # all slots begin alike: the first alone lives
        tf.fill([batch, n_best], NEVER),
        tf.zeros([batch, n_best], tf.int32),
        rules.memory(batch * width, longest(limits)),
        tf.zeros([batch * width, 1]),
    )
    results = loop(body, (states, step.memory), first, [(width,), (width,), (None,)])
    scores, ends, (words, slots, attentions) = *results[7:9], results[-3:]
    scores, ends = (tf.ensure_shape(x, (None, n_best)) for x in (scores, ends))
    found = _follow(scores, ends, words.stack(), slots.stack(), attentions.stack() if step.attends else None)
    return found._replace(tokens=tf.ensure_shape(found.tokens, (None, n_best, None)))


def _put(all_, places, some):
    """Rows of a tensor replaced."""
    return tf.tensor_scatter_nd_update(all_, places[:, None], some)


def _likeliest(logits, count, rules):
    """The `count` highest logits of each row and their tokens, forbidden ones aside, in few passes over all of them."""
    banned = [token for token in rules.forbidden if 0 <= token < logits.shape[-1]]
    values, tokens = _top_k(logits, min(count + len(banned), logits.shape[-1]))
    if banned:
        forbidden = tf.reduce_any(tokens[..., None] == banned, -1)
        values, places = tf.math.top_k(tf.where(forbidden, NEVER, values), min(count, values.shape[-1]))
        tokens = tf.gather(tokens, places, batch_dims=1)
    return values, tokens


def _ways(live, values, tokens, ending, forced, end, width):
    """The 2 * width best ways to go on of each sentence, of which width at least are no end.

    Args:
        live: (batch, width), the log-probabilities of the hypotheses.
        values, tokens: (batch * width, size), the highest log-probabilities of the next token.
        ending: (batch * width, 1), those of the end token.
        forced: (batch,), where nothing but the end may follow.

    Returns:
        log-probabilities, tokens and slots, each (batch, 2 * width).
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


def _follow(scores, ends, words, slots, attention):
    """The hypotheses that ended at step `ends // width` in slot `ends % width`.

    Words and slots are (steps, batch, width), attention (steps, batch * width, source).
    """
    batch, width = tf.shape(words)[1], words.shape[2]
    lengths = tf.where(scores > NEVER, ends // width, 0)
    time = longest(lengths)

    def back(t, slot, tokens, path):
        here = t < lengths
        word, before = (tf.gather(x[t], slot, batch_dims=1) for x in (words, slots))
        return t - 1, tf.where(here, before, slot), tokens.write(t, tf.where(here, word, -1)), path.write(t, before)

    arrays = [tf.TensorArray(tf.int32, tf.maximum(time, 1), element_shape=ends.shape) for _ in range(2)]
    start = (tf.maximum(time, 1) - 1, ends % width, *arrays)
    *_, tokens, path = tf.while_loop(lambda t, *_: t >= 0, back, start)
    tokens, path = tokens.stack()[:time], path.stack()[:time]  # (time, batch, n_best)
    if attention is not None:
        attention = tf.reshape(attention[:time], (time, batch, width, tf.shape(attention)[2]))
        attention = tf.gather(attention, path, batch_dims=2) * tf.cast(tokens >= 0, tf.float32)[..., None]
        attention = tf.transpose(attention, (1, 2, 0, 3))
    return Decoded(tf.transpose(tokens, (1, 2, 0)), lengths, scores, attention)


def _coverage(attended):
    """How well the source was covered, (rows,), by attention (rows, source) summed over the steps."""
    return tf.reduce_sum(tf.where(attended > 0, tf.math.log(tf.minimum(attended, 1.0)), 0.0), -1)


def _top_k(scores, k):
    """`tf.math.top_k`, which looks at each score by itself, over no more than the chunks that may hold the best."""
    size = scores.shape[-1]
    if size < 4 * k * CHUNK:
        return tf.math.top_k(scores, k)
    chunks = tf.pad(scores, [[0, 0], [0, -size % CHUNK]], constant_values=NEVER)
    chunks = tf.reshape(chunks, (-1, -(-size // CHUNK), CHUNK))
    _, best = tf.math.top_k(tf.reduce_max(chunks, -1), k)
    values, places = tf.math.top_k(tf.reshape(tf.gather(chunks, best, batch_dims=1), (-1, k * CHUNK)), k)
    return values, tf.gather(best, places // CHUNK, batch_dims=1) * CHUNK + places % CHUNK
