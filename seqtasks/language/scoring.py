"""How likely texts are: sequences of any length in the graph, and whole corpora with the state carried through."""

import functools

import numpy as np
import tensorflow as tf

from seqtasks.data.stream import CHUNK, END, numbers, previous
from seqtasks.models import Speaker

SEGMENT = 128  # steps whose logits are held at once
LANE = 20_000  # numbers of a lane of a corpus, at least
LANES = 64


def score(speaker, previous, following, states=None):
    """The log-likelihood of every step, for sequences of any length in bounded memory.

    Args:
        speaker: `seqtasks.models.Speaker`.
        previous: what stands before each step, (batch, time, ...).
        following: each step, (batch, time, ...); negative where there is none.
        states: those before the first step; None for zeros.

    Returns:
        log-likelihoods (batch, time) in nats, and the last states, which have read a 0 for each step that `time` lacks
        of a multiple of `SEGMENT`.
    """
    rows, time = tf.shape(previous)[0], tf.shape(previous)[1]
    count = -(-time // SEGMENT)
    states = speaker.begin(rows) if states is None else states
    shown, due = (_pieces(x, count, value) for x, value in ((previous, 0), (following, -1)))

    def piece(i, states, found):
        vectors, states = speaker.run(shown[i], states)
        return i + 1, states, found.write(i, speaker.score(vectors, due[i]))

    found = tf.TensorArray(tf.float32, count, element_shape=(None, SEGMENT))
    kept = tf.nest.map_structure(lambda s: tf.TensorShape([None, *s.shape[1:]]), states)
    invariants = (tf.TensorShape([]), kept, tf.TensorShape(None))
    _, states, found = tf.while_loop(lambda i, *_: i < count, piece, (0, states, found), shape_invariants=invariants)
    joined = tf.reshape(tf.transpose(found.stack(), (1, 0, 2)), (rows, -1))
    return joined[:, :time], states


def _pieces(x, count, value):
    """(batch, time, ...) as (count, batch, SEGMENT, ...), filled up with `value`."""
    rest = [[0, 0]] * (len(x.shape) - 2)
    x = tf.pad(x, [[0, 0], [0, count * SEGMENT - tf.shape(x)[1]], *rest], constant_values=value)
    shape = tf.concat([tf.shape(x)[:1], [count, SEGMENT], tf.shape(x)[2:]], 0)
    return tf.transpose(tf.reshape(x, shape), (1, 0, 2, *range(3, len(x.shape) + 1)))


def corpus(model, source, encode):
    """The log-likelihood of a source's pieces in their order, each given all text before it.

    The state is carried from piece to piece, over the ends of documents too. A long corpus is cut into up to 64 lanes
    of at least 20,000 numbers, which are read side by side: the first words of each are told without what came before.

    Args:
        model: a `language_model` of tokens.
        source: pieces, see `seqtasks.data.stream.Segments`.
        encode: `encode(texts) -> ragged int32`.

    Returns:
        Arrays (pieces,): log-likelihood in nats, count of tokens, count of unknown tokens.
    """
    stream, sizes = numbers(source, encode)
    lanes = max(1, min(LANES, len(stream) // LANE))
    length = -(-len(stream) // lanes)
    speaker, walk = _walker(model)
    first, states, found = np.arange(lanes) * length, speaker.begin(lanes), []
    for start in range(0, length, CHUNK):
        places = first[:, None] + start + np.arange(-1, min(CHUNK, length - start))
        rows = np.where(places < len(stream), stream[np.clip(places, 0, len(stream) - 1)], -1)
        rows[:, 0] = np.where(places[:, 0] < 0, END, rows[:, 0])
        inside = places[:, 1:] < np.minimum(first + length, len(stream))[:, None]
        following = np.where(inside, rows[:, 1:], -1).astype("int32")
        values, states = walk(np.maximum(previous(rows[:, :-1]), 0), following, states)
        found.append(values.numpy())
    values = np.concatenate(found, 1)  # (lanes, length)
    values = values.reshape(-1)[: len(stream)].astype("float64")
    ends = np.cumsum(sizes)
    totals = [np.concatenate([[0], np.cumsum(x)]) for x in (values, stream == 1)]
    likely, unknown = (total[ends] - total[ends - sizes] for total in totals)
    return likely, sizes, unknown


@functools.lru_cache(1)  # one graph for all epochs
def _walker(model):
    speaker, numbers = Speaker(model), tf.TensorSpec([None, None], tf.int32)
    kept = tf.nest.map_structure(lambda s: tf.TensorSpec([None, *s.shape[1:]], s.dtype), speaker.begin(1))

    @tf.function(input_signature=[numbers, numbers, kept])
    def walk(before, following, states):
        return score(speaker, before, following, states)

    return speaker, walk


def pools(responder, source):
    """The pieces of running text with what `LanguageModelling` needs of them, as `Responder.stream` gives examples."""
    encode = responder.assets["tokens"].encode
    likely, sizes, unknown = corpus(responder.model, source, encode)
    place = 0
    for pool in source.chunks(CHUNK):
        rows = slice(place, place := place + len(pool))
        characters = np.array([len(e.input) + (e.target == "end") for e in pool])
        yield (
            pool,
            {
                "log_probability": likely[rows],
                "length": sizes[rows],
                "characters": characters,
                "unknown": unknown[rows],
            },
        )
