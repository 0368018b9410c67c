"""The log-likelihood of running text: the state is carried through a whole corpus."""

import functools

import numpy as np
import tensorflow as tf

from seqtasks.data.segments import CHUNK, END, decoder_inputs, numbers
from seqtasks.decoding.scoring import score
from seqtasks.models import LanguageModelStepper

LANE = 20_000  # numbers of a lane of a corpus, at least
LANES = 64


def corpus(model, source, encode):
    """The log-likelihood of a source's pieces in their order, each given all text before it.

    The state is carried from piece to piece, over the ends of documents too. A long corpus is cut into up to 64 lanes
    of at least 20,000 numbers, which are read side by side: the first words of each are told without what came before.

    Args:
        model: a `language_model` of tokens.
        source: pieces, see `seqtasks.data.segments.Segments`.
        encode: `encode(texts) -> ragged int32`.

    Returns:
        Arrays (pieces,): log-likelihood in nats, count of tokens, count of unknown tokens.
    """
    stream, sizes = numbers(source, encode)
    lanes = max(1, min(LANES, len(stream) // LANE))
    length = -(-len(stream) // lanes)
    stepper, walk = _walker(model)
    first, states, found = np.arange(lanes) * length, stepper.begin(lanes), []
    for start in range(0, length, CHUNK):
        places = first[:, None] + start + np.arange(-1, min(CHUNK, length - start))
        rows = np.where(places < len(stream), stream[np.clip(places, 0, len(stream) - 1)], -1)
        rows[:, 0] = np.where(places[:, 0] < 0, END, rows[:, 0])
        inside = places[:, 1:] < np.minimum(first + length, len(stream))[:, None]
        following = np.where(inside, rows[:, 1:], -1).astype("int32")
        values, states = walk(np.maximum(decoder_inputs(rows[:, :-1]), 0), following, states)
        found.append(values.numpy())
    values = np.concatenate(found, 1)  # (lanes, length)
    values = values.reshape(-1)[: len(stream)].astype("float64")
    ends = np.cumsum(sizes)
    totals = [np.concatenate([[0], np.cumsum(x)]) for x in (values, stream == 1)]
    likely, unknown = (total[ends] - total[ends - sizes] for total in totals)
    return likely, sizes, unknown


@functools.lru_cache(1)  # one graph for all epochs
def _walker(model):
    stepper, numbers = LanguageModelStepper(model), tf.TensorSpec([None, None], tf.int32)
    kept = tf.nest.map_structure(lambda s: tf.TensorSpec([None, *s.shape[1:]], s.dtype), stepper.begin(1))

    @tf.function(input_signature=[numbers, numbers, kept])
    def walk(before, following, states):
        return score(stepper, before, following, states)

    return stepper, walk


def pools(predictor, source):
    """The pieces of running text with what `LanguageModelling` needs of them, as `Predictor.stream` gives examples."""
    encode = predictor.assets["tokens"].encode
    likely, sizes, unknown = corpus(predictor.model, source, encode)
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
