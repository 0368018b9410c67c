"""One sequence a row: drawn from the model, or the likeliest token each time."""

import tensorflow as tf

from seqtasks.decoding.rules import NEVER, Rules, check
from seqtasks.decoding.steps import Decoded, Step, longest, loop, start_tokens


def sample(
    step,
    states,
    start,
    end=None,
    *,
    max_length,
    seed,
    prompt=None,
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    min_length=0,
    forbidden=(),
    no_repeat_ngram=0,
    repetition_penalty=1.0,
):
    """One sequence a row, drawn from the model.

    What a row draws depends on the seed, its number, the step and its logits, never on the batch it stands in. It ends
    with the end token, after `max_length` tokens, or where `no_repeat_ngram` leaves nothing to choose.

    Args:
        step: see `seqtasks.decoding`.
        states: tensors (batch, ...).
        start: the first token, an int or int (batch,).
        end: int, or None if there is no such token.
        max_length: int or int (batch,), how many tokens are drawn at most.
        seed: two ints, or an int tensor (2,).
        prompt: None or int (batch, time), ragged or filled up with -1, what each row begins with. It is read before
            anything is drawn. It counts as said for `no_repeat_ngram` and `repetition_penalty`; lengths, scores and
            the tokens returned are without it.
        temperature: what the logits are divided by; 0 takes the likeliest token.
        top_k: draw from the k likeliest tokens, and those that tie with the last; 0 is off.
        top_p: draw from the likeliest tokens that together reach this probability, after temperature and `top_k`.
        min_length, forbidden, no_repeat_ngram, repetition_penalty: as of `beam_search`.

        `temperature`, `top_k` and `top_p` may be scalar tensors.

    Returns:
        `Decoded` with an axis `n_best` of 1. A score is the log-probability under the model itself, of the logits as
        they came, with that of the end token where it was drawn.

    Raises:
        UserError: if a number is out of its range.

    Example:
        >>> table = tf.math.log([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # of the next token
        >>> step = lambda tokens, states: (tf.gather(table, tokens), states)
        >>> found = sample(step, [], start=[0, 0], max_length=2, seed=(1, 2), prompt=[[1, -1], [1, 2]])
        >>> found.tokens[:, 0].numpy().tolist()
        [[2, 0], [0, 1]]
        >>> tf.exp(found.scores[:, 0]).numpy().tolist()
        [1.0, 0.5]

    References:
        top-k: Fan et al., 2018, section 5.4, https://arxiv.org/abs/1805.04833;
        top-p: Holtzman et al., 2020, section 3.1, https://arxiv.org/abs/1904.09751
    """
    check("sample", "temperature", temperature, 0)
    check("sample", "top_k", top_k, 0)
    check("sample", "top_p", top_p, 1e-6, 1)
    rules = Rules(end, min_length, tuple(forbidden), no_repeat_ngram, repetition_penalty)
    rules.check("sample", max_length)
    key = tf.random.stateless_uniform([2], seed, None, None, tf.int64)  # keys of neighbouring seeds lie far apart

    def pick(allowed, t):
        if _is(temperature, 0):
            return _argmax(allowed)
        heat = tf.cast(temperature, tf.float32)
        scaled = allowed if _is(temperature, 1) else allowed / tf.where(heat > 0, heat, 1.0)
        uniform = tf.random.stateless_uniform(tf.shape(allowed), key + tf.stack([0, tf.cast(t, tf.int64)]))
        drawn = likeliest(scaled, top_k, top_p) - tf.math.log(-tf.math.log(uniform))  # the highest is a fair draw
        return _argmax(tf.where(heat > 0, drawn, allowed) if tf.is_tensor(temperature) else drawn)

    start = start_tokens(start, states)
    limits = tf.broadcast_to(tf.cast(max_length, tf.int32), tf.shape(start))
    return decoded(*_write(Step(step), states, start, limits, rules, pick, prompt))


def greedy(step, states, start, limits, rules):
    """The likeliest token each time and, behind `limits` (rows,) tokens, the end; returned as `decoded` takes it."""

    def pick(allowed, t):
        return tf.where(t < limits, _argmax(allowed), rules.end)

    return _write(step, states, start, limits + 1, rules, pick, penalised=True)


def decoded(tokens, lengths, scores, attention):
    """`Decoded` of one sequence a row; attention may go on behind the last token."""
    if attention is not None:
        said = tf.cast(tokens >= 0, tf.float32)[..., None]
        attention = (attention[:, : tf.shape(tokens)[1]] * said)[:, None]
    return Decoded(tokens[:, None], lengths[:, None], scores[:, None], attention)


def _write(step, states, start, limits, rules, pick, prompt=None, penalised=False):
    """One sequence a row, of tokens that `pick(allowed logits, t)` chooses.

    Args:
        limits: int32 (rows,), how many tokens are picked at most.
        penalised: whether scores are of the logits under the repetition penalty, or as they came.

    Returns:
        tokens (rows, time), lengths (rows,), scores (rows,), and attention (rows, time + 1, source) or None.
    """
    prompt = prompt.to_tensor(-1) if isinstance(prompt, tf.RaggedTensor) else prompt
    prompt = None if prompt is None else tf.pad(tf.cast(prompt, tf.int32), [[0, 0], [0, 1]], constant_values=-1)
    given = tf.zeros_like(limits) if prompt is None else tf.reduce_sum(tf.cast(prompt >= 0, tf.int32), 1)
    stops = given + limits

    def body(t, going, states, tokens, memory, done, scores, words, attentions):
        logits, states, *attention = step(tokens, states)
        penal = rules.penalise(logits, memory)
        allowed = rules.forbid(rules.block(penal, t, t if prompt is None else (t - given)[:, None], memory))
        tokens, scored = pick(allowed, t), penal if penalised else logits
        gained = tf.gather(scored, tokens[:, None], batch_dims=1)[:, 0] - tf.reduce_logsumexp(scored, -1)
        over = tokens == (-1 if rules.end is None else rules.end)
        if rules.no_repeat_ngram:
            stuck = tf.reduce_max(allowed, -1) == NEVER
            gained, over = tf.where(stuck, 0.0, gained), over | stuck
        if prompt is not None:
            read = tf.gather(prompt, tf.minimum(t, tf.shape(prompt)[1] - 1), axis=1)
            tokens, over = tf.where(read >= 0, read, tokens), over & (read < 0)
            gained = tf.where(read >= 0, 0.0, gained)
        scores += tf.where(done, 0.0, gained)
        done |= over
        word = tf.where(done, -1, tokens)
        words, memory = words.write(t, word), rules.remember(memory, t, word)
        if attention:
            attentions = attentions.write(t, attention[0])
        done |= t + 1 >= stops
        return t + 1, ~tf.reduce_all(done), states, tokens, memory, done, scores, words, attentions

    rows = tf.size(start)
    first = (start, rules.memory(rows, longest(stops)), stops <= 0, tf.zeros([rows]))
    steps, *_, scores, words, attentions = loop(body, states, first, [(), (None,)])
    words = tf.transpose(words.stack())  # (rows, steps)
    lengths = tf.reduce_sum(tf.cast(words >= 0, tf.int32), 1) - given
    places = tf.range(longest(lengths) + 1)
    shifted = tf.minimum(given[:, None] + places, steps - 1)
    tokens = tf.where(places < lengths[:, None], tf.gather(words, shifted, batch_dims=1), -1)[:, :-1]
    if not step.attends:
        return tokens, lengths, scores, None
    return tokens, lengths, scores, tf.gather(tf.transpose(attentions.stack(), (1, 0, 2)), shifted, batch_dims=1)


def likeliest(logits, top_k, top_p):
    """The logits of the `top_k` likeliest tokens that together reach `top_p`, -infinity for the others."""
    if _is(top_k, 0) and _is(top_p, 1):
        return logits
    size = logits.shape[-1]
    ranked = tf.sort(logits, direction="DESCENDING")
    ranked = tf.where(tf.range(size) < tf.where(tf.equal(top_k, 0), size, top_k), ranked, NEVER)
    before = tf.cumsum(tf.nn.softmax(ranked), -1, exclusive=True)
    kept = ((before < top_p) | tf.greater_equal(top_p, 1)) & (ranked > NEVER)
    least = tf.reduce_min(tf.where(kept, ranked, -NEVER), -1, keepdims=True)
    return tf.where(logits < least, NEVER, logits)


def _argmax(scores):
    return tf.argmax(scores, -1, output_type=tf.int32)


def _is(option, number):
    """Whether an option is certainly this number; a tensor may be any."""
    return not tf.is_tensor(option) and option == number
