"""The log-likelihood of running text: the state is carried through a whole corpus."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.data.segments import CHUNK, decoder_inputs, numbers
from seqtasks.data.sources import Example, Source
from seqtasks.data.token_ids import EOS, UNK
from seqtasks.decoding.scoring import score
from seqtasks.models import LanguageModelStepper

ROWS = 64  # parts of a corpus that are read at once, at most
ROW_LENGTH = 20_000  # tokens of a part, at least


def score_corpus(
    model: keras.Model, source: Source, encode: Callable[[tf.Tensor], tf.RaggedTensor], backward: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The log-likelihood of the pieces of a source, each given all text before it; backward, all text after it.

    The state is carried from piece to piece, also across the ends of documents. A long corpus is cut into at most 64
    rows of at least 20,000 tokens, which are read at once: the first words of a row are predicted without the text
    before them.

    Args:
        model: a `language_model` of tokens.
        source: pieces of text, see `seqtasks.data.segments.Segments`.
        encode: `encode(texts) -> ragged int32`.
        backward: whether the model reads a text from its end.

    Returns:
        Arrays (pieces,) in the order of the source: log-likelihood in nats, number of tokens, of unknown tokens, and of
        ends of documents, which are tokens too.
    """
    stream, sizes = numbers(source, encode, backward)
    rows = max(1, min(ROWS, len(stream) // ROW_LENGTH))
    length = -(-len(stream) // rows)
    stepper, score_chunk = _chunk_scorer(model)
    first, states, chunks = np.arange(rows) * length, stepper.begin(rows), []
    for start in range(0, length, CHUNK):
        places = first[:, None] + start + np.arange(-1, min(CHUNK, length - start))
        tokens = np.where(places < len(stream), stream[np.clip(places, 0, len(stream) - 1)], -1)
        tokens[:, 0] = np.where(places[:, 0] < 0, EOS, tokens[:, 0])
        inside = places[:, 1:] < np.minimum(first + length, len(stream))[:, None]
        targets = np.where(inside, tokens[:, 1:], -1).astype("int32")
        log_likelihoods, states = score_chunk(np.maximum(decoder_inputs(tokens[:, :-1]), 0), targets, states)
        chunks.append(log_likelihoods.numpy())
    log_likelihoods = np.concatenate(chunks, 1)  # (rows, length)
    log_likelihoods = log_likelihoods.reshape(-1)[: len(stream)].astype("float64")
    each = (x[::-1] if backward else x for x in (log_likelihoods, stream == UNK, stream == EOS))
    ends = np.cumsum(sizes)
    totals, unknown, ended = (x[ends] - x[ends - sizes] for x in (np.concatenate([[0], np.cumsum(x)]) for x in each))
    return totals, sizes, unknown, ended


@functools.lru_cache(1)  # one graph for all epochs
def _chunk_scorer(model: keras.Model) -> tuple[LanguageModelStepper, Callable[..., tuple[tf.Tensor, Any]]]:
    stepper, tokens = LanguageModelStepper(model), tf.TensorSpec([None, None], tf.int32)
    states = tf.nest.map_structure(lambda s: tf.TensorSpec([None, *s.shape[1:]], s.dtype), stepper.begin(1))

    @tf.function(input_signature=[tokens, tokens, states])
    def score_chunk(decoder_inputs: tf.Tensor, targets: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
        return score(stepper, decoder_inputs, targets, states)

    return stepper, score_chunk


def pools(
    predictor: Any, source: Source, backward: bool = False
) -> Iterator[tuple[list[Example], dict[str, np.ndarray]]]:
    """The examples of running text with their scores, in pools like those of `Predictor.stream`.

    Args:
        predictor: a `seqtasks.engine.predictor.Predictor` of a language model; `assets["tokens"]` is the tokenizer.
        source: pieces of text, see `seqtasks.data.segments.Segments`.
        backward: whether the model reads a text from its end.

    Yields:
        Examples, and of each, as `LanguageModelling` needs them: `log_probability`, `length` in tokens, `characters`,
        and the number of `unknown` tokens; arrays (examples,).
    """
    encode = predictor.assets["tokens"].encode
    totals, sizes, unknown, ended = score_corpus(predictor.model, source, encode, backward)
    start = 0
    for pool in source.chunks(CHUNK):
        part = slice(start, start := start + len(pool))
        characters = np.array([len(e.input) for e in pool]) + ended[part]
        columns = {"log_probability": totals[part], "length": sizes[part], "unknown": unknown[part]}
        yield pool, columns | {"characters": characters}
