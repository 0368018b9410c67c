"""Novel sequences: tokens drawn one after the other, each from the distribution that the ones before it give.

The loop is compiled by XLA in blocks of `BLOCK` steps: a step is so small that most of the time would go into calling
its operations. What every token adds to the first recurrence is computed once, before the loop.
"""

import functools
import logging

import numpy as np
import tensorflow as tf

from seqtasks.data.segments import BEGIN, END
from seqtasks.decoding.options import GenerationOptions
from seqtasks.decoding.rules import NEVER
from seqtasks.decoding.sampling import likeliest
from seqtasks.models import LanguageModelStepper

log = logging.getLogger("seqtasks")
UNWRITTEN = (0, 1, 2)  # padding, UNK and BOS are never written
CHECKED = 50  # texts that are written to be compared with others
ROWS = 64  # texts written side by side
BLOCK = 64  # steps compiled as one
TABLE = 2**24  # numbers that the projected inputs of all tokens may be


def generate(stepper, prompts, seed, length, temperature=1.0, top_k=0, top_p=1.0, end=None, forbidden=()):
    """One sequence a row, drawn from a language model of tokens, in the graph.

    What a row draws depends on the seed, its number, the step and its logits, never on the batch it stands in.

    Args:
        stepper: `seqtasks.models.LanguageModelStepper`.
        prompts: ragged int32 (batch, None), what each row begins with; may be empty.
        seed: int tensor (2,).
        length: int, how many tokens are drawn at most; may be a tensor, as the next three.
        temperature: what the logits are divided by; 0 takes the likeliest token.
        top_k: draw from the k likeliest tokens; 0 from all.
        top_p: draw from the likeliest tokens that together reach this probability, after temperature and `top_k`.
        end: the token that ends a row, or None.
        forbidden: tokens that are never drawn.

    Returns:
        tokens int32 (batch, time), without the prompt and the end, -1 behind the last; and log-probabilities (batch,)
        of what was drawn under the model itself, the end included.

    References:
        Graves, 2013, https://arxiv.org/abs/1308.0850
    """
    tokens, states = _read(stepper, prompts)
    key = tf.random.stateless_uniform([2], seed, None, None, tf.int64, alg="philox")
    banned = tf.constant([NEVER if n in forbidden else 0.0 for n in range(_size(stepper))])
    table = _projected(stepper)
    length, heat, top_p = tf.cast(length, tf.int32), tf.cast(temperature, tf.float32), tf.cast(top_p, tf.float32)
    top_k = tf.cast(top_k, tf.int32)

    def draw(logits, t):
        scaled = logits / tf.where(heat > 0, heat, 1.0) + banned
        scaled = tf.cond((top_k > 0) | (top_p < 1), lambda: likeliest(scaled, top_k, top_p), lambda: scaled)
        uniform = tf.random.stateless_uniform(tf.shape(logits), key + tf.stack([0, tf.cast(t, tf.int64)]), alg="philox")
        drawn = scaled - tf.where(heat > 0, tf.math.log(-tf.math.log(tf.maximum(uniform, 1e-30))), 0.0)
        return tf.argmax(drawn, -1, tf.int32)  # the highest is a fair draw (Gumbel)

    @tf.function(jit_compile=True)
    def block(first, tokens, states, done, likely, length):
        def step(i, tokens, states, done, likely, words):
            logits, states = _step(stepper, table, tokens, states)
            tokens = draw(logits, first + i)
            gained = tf.gather(logits, tokens, batch_dims=1) - tf.reduce_logsumexp(logits, -1)
            likely += tf.where(done, 0.0, gained)
            done |= tokens == (-1 if end is None else end)
            words = words.write(i, tf.where(done, -1, tokens))
            return i + 1, tokens, states, done | (first + i + 1 >= length), likely, words

        words = tf.TensorArray(tf.int32, BLOCK, element_shape=tokens.shape)
        state = (0, tokens, states, done, likely, words)
        *_, tokens, states, done, likely, words = tf.while_loop(
            lambda i, *_: i < BLOCK, step, state, maximum_iterations=BLOCK
        )
        return tokens, states, done, likely, words.stack()

    def blocks(number, tokens, states, done, likely, words):
        tokens, states, done, likely, drawn = block(number * BLOCK, tokens, states, done, likely, length)
        return number + 1, tokens, states, done, likely, words.write(number, drawn)

    rows = tf.size(tokens)
    words = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=(BLOCK, None))
    *_, likely, words = tf.while_loop(
        lambda number, tokens, states, done, *_: (number == 0) | ~tf.reduce_all(done),
        blocks,
        (0, tokens, states, tf.fill([rows], length <= 0), tf.zeros([rows]), words),
    )
    written = tf.transpose(words.concat())[:, : tf.maximum(length, 0)]
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(written >= 0, tf.int32), 1))
    return written[:, :longest], likely


def _size(stepper):
    return stepper.head.tokens


def _read(stepper, prompts):
    """The last token of each prompt, `BEGIN` where there is none, and the states before it is read."""
    given, lengths = prompts.to_tensor(), tf.cast(prompts.row_lengths(), tf.int32)
    given = tf.concat([tf.fill([tf.shape(given)[0], 1], BEGIN), given], 1)
    longest = tf.shape(given)[1] - 1

    def read(t, states):
        _, new = stepper.step(given[:, t], states)
        live = (t < lengths)[:, None]
        return t + 1, tf.nest.map_structure(lambda n, o: tf.where(live, n, o), new, states)

    states = stepper.begin(tf.size(lengths))
    _, states = tf.while_loop(lambda t, _: t < longest, read, (0, states), maximum_iterations=longest)
    return tf.gather(given, lengths, batch_dims=1), states


def _projected(stepper):
    """What each token adds to the first recurrence, (tokens, columns); None where that would be a large table."""
    cell, tokens = stepper.recurrences[0].cell, _size(stepper)
    if stepper.added[0] or tokens * cell.units > TABLE // 4:
        return None
    vectors = stepper.embed(tf.range(tokens)[:, None])
    return cell.project(vectors if stepper.tokens else vectors[:, 0])


def _step(stepper, table, tokens, states):
    vectors, states = stepper.step(tokens, states, None if table is None else tf.gather(table, tokens))
    return stepper.logits(vectors), states


@functools.lru_cache(1)  # so that what was compiled for a run is compiled once
def writer(predictor, forbidden=UNWRITTEN):
    """The function of a SavedModel's signature `generate`, of a run whose `assets["tokens"]` is a tokenizer.

    Args of the function: `prompts`, strings (batch,); `seed`, `length` and `top_k`, int32; `temperature` and `top_p`,
    float32. It gives `text`, the prompt as it is and what was written, `written`, that alone, the token numbers
    `tokens`, -1 behind the last, and `log_probability` of what was written, all (batch, ...).
    """
    tokenizer, stepper = predictor.assets["tokens"], LanguageModelStepper(predictor.model)
    names = ("seed", "length", "temperature", "top_k", "top_p")
    kinds = (tf.int32, tf.int32, tf.float32, tf.int32, tf.float32)
    scalars = [tf.TensorSpec([], kind, name) for kind, name in zip(kinds, names, strict=True)]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompts"), *scalars])
    def written(prompts, seed, length, temperature, top_k, top_p):
        given = tokenizer.encode(prompts)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "end": END, "forbidden": forbidden}
        tokens, likely = generate(stepper, given, tf.stack([seed, 0]), length, **options)
        both = tokenizer.decode(tf.concat([given, tf.ragged.boolean_mask(tokens, tokens >= 0)], 1))
        begun = tf.strings.length(tokenizer.decode(given))
        new = tf.strings.substr(both, begun, tf.strings.length(both) - begun)
        prompts = tf.strings.unicode_transcode(prompts, "UTF-8", "UTF-8", errors="replace")
        if tokenizer.kind != "character":  # a space, where one is due, begins `new`
            prompts = tf.strings.regex_replace(prompts, r"[\s\p{Z}]+$", "")
        texts = {"text": tf.strings.join([prompts, new]), "written": tokenizer.decode(tokens)}
        return texts | {"tokens": tokens, "log_probability": likely}

    return written


def answers(predictor, prompt, ask, shown=0, warned=True):
    """What `seqtasks generate` tells: `ask.num` dicts, each with `text` and `log_probability`.

    Args:
        predictor: a trained model of tokens.
        prompt: what each text begins with.
        ask: `seqtasks.decoding.options.GenerationOptions`.
        shown: how many of the likeliest tokens are told of every step, in `steps`; 0 tells none.
        warned: whether a log line names what in the prompt the model has never seen.
    """
    tokenizer, write = predictor.assets["tokens"], writer(predictor)
    prompt = prompt.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    unseen = unknown(tokenizer, prompt)
    if unseen and warned:
        log.warning("the prompt has what the model has never seen, read as unknown: %s", ", ".join(map(repr, unseen)))
    asked = {"length": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}
    options = [tf.constant(getattr(ask, name), kind) for name, kind in asked.items()]
    for start in range(0, ask.num, ROWS):
        rows = min(ROWS, ask.num - start)
        found = write(tf.fill([rows], prompt), tf.constant(ask.seed + start), *options)
        for i in range(rows):
            text = found["text"][i].numpy().decode("utf-8", "replace")
            answer = {"text": text, "log_probability": float(found["log_probability"][i])}
            steps = {"steps": _steps(predictor, prompt, found["tokens"][i].numpy(), ask.length, shown)} if shown else {}
            yield answer | steps


def checks(predictor, train):
    """How texts that the model writes from nothing compare with those it learnt from, where they are no files.

    Returns:
        `texts`, how many were written; `new`, the share that is not among those of train; `distinct`, the share of
        different ones; `length` and `reference_length`, mean code points. None where a document is a file.
    """
    if predictor.config.document == "file":
        return None
    texts = [answer["text"] for answer in answers(predictor, "", GenerationOptions(CHECKED))]
    known, size, count = set(), 0, 0
    for count, example in enumerate(train, 1):  # noqa: B007
        size += len(example.input)
        known |= {text for text in texts if text == example.input}
    return {
        "texts": len(texts),
        "new": sum(text not in known for text in texts) / len(texts),
        "distinct": len(set(texts)) / len(texts),
        "length": sum(map(len, texts)) / len(texts),
        "reference_length": size / max(count, 1),
    }


def unknown(tokenizer, prompt):
    """The parts of a prompt that the vocabulary does not hold, each once."""
    numbers = tokenizer.encode(tf.constant([prompt])).flat_values.numpy()
    if 1 not in numbers:
        return []
    if tokenizer.subwords:
        return sorted({c for c in prompt if 1 in tokenizer.encode(tf.constant([c])).flat_values.numpy()})
    units = tokenizer._units(tf.constant([prompt])).flat_values.numpy()
    return sorted({u.decode("utf-8", "replace") for u, n in zip(units, numbers, strict=True) if n == 1})


def _steps(predictor, prompt, tokens, length, shown):
    """Of each token, the end included: the token, its probability, and the likeliest in its place with theirs."""
    tokenizer, stepper = predictor.assets["tokens"], LanguageModelStepper(predictor.model)
    tokens = tokens[tokens >= 0]
    tokens = np.append(tokens, END) if len(tokens) < length else tokens
    given = tokenizer.encode(tf.constant([prompt])).flat_values.numpy()
    shown_to = np.concatenate([[BEGIN], given, tokens[:-1]]).astype("int32")
    vectors, _ = stepper.run(tf.constant(shown_to[None]), stepper.begin(1))
    chances = tf.nn.softmax(stepper.logits(vectors))[0, len(given) :].numpy()
    told = []
    for token, row in zip(tokens, chances, strict=True):
        best = [[tokenizer.tokens[n], float(row[n])] for n in np.argsort(-row, kind="stable")[:shown]]
        told.append({"token": tokenizer.tokens[token], "probability": float(row[token]), "likeliest": best})
    return told
