"""Running text as batches: one long stream of numbers, cut into lanes that are read side by side."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqtasks.data.generators import from_generator
from seqtasks.data.sources import Source
from seqtasks.data.vocabulary import BOS, EOS
from seqtasks.errors import UserError

CHUNK = 512


@dataclass
class Segments:
    """The batches of running text, for training with a state that is carried from each batch to the next.

    The examples are pieces of documents in their order; a piece whose target is `end` ends one. All numbers, with `EOS`
    behind each document, make one stream, which lies in a temporary file, so that a text may be larger than memory.
    Each row of a batch, a lane, begins at a place of its own in the stream, and goes on in the next batch where it
    stood. A lane that comes to the end of the stream goes on at its start; so every number is seen at least once
    an epoch. Each epoch begins at another place.

    A batch is `(features, following, weight, index)` like those of `seqtasks.data.batches.Batches`: of the features
    `previous`, int32 (lanes, length), is the number before each of `following`, `BOS` at the start of a document.
    The weight of a row is 1 / length: a loss that sums over tokens and is divided by rows is the mean over the tokens.

    Args:
        source: the pieces.
        encode: `encode(texts) -> ragged int32`, numbers of a vector of texts.
        lanes: rows of a batch.
        length: numbers of a row.
        variants: None, or int32 (variants, numbers): what each number becomes in each variation of a text, the first of
            which changes nothing. Each epoch draws one for each lane.

    Example:
        >>> from seqtasks.data.sources import Example
        >>> rows = [Example("5 6 7 8", "", 1), Example("9", "end", 2)]
        >>> encode = lambda texts: tf.strings.to_number(tf.strings.split(texts), tf.int32)
        >>> segments = Segments(Source(lambda: iter(rows), "memory"), encode, lanes=1, length=3)
        >>> [(f["decoder_inputs"].numpy().tolist(), t.numpy().tolist()) for f, t, *_ in segments.epoch()]
        [([[2, 5, 6]], [[5, 6, 7]]), ([[7, 8, 9]], [[8, 9, 3]])]
    """

    source: Source
    encode: Callable
    lanes: int
    length: int
    variants: np.ndarray | None = None

    def __post_init__(self):
        self.stream, self.sizes = numbers(self.source, self.encode)
        if not len(self.stream):
            raise UserError("no tokens in it", where=self.source.name, remedy="give a text with words")

    def __len__(self):
        return max(1, -(-len(self.stream) // (self.lanes * self.length)))

    def epoch(self, seed=None, epoch=0, start=0):
        """The batches of one epoch as a `tf.data.Dataset`, from step `start` on; arguments as of `Batches.epoch`."""
        size, steps, offset = len(self.stream), len(self), 0
        drawn = np.zeros(self.lanes, int)
        if seed is not None:
            random = np.random.default_rng([seed, epoch])
            offset = int(random.integers(size))
            drawn = random.integers(1 if self.variants is None else len(self.variants), size=self.lanes)
        first = offset + np.arange(self.lanes) * size // self.lanes

        def batches():
            for step in range(start, steps):
                places = first[:, None] + step * self.length + np.arange(-1, self.length)
                rows = self.stream[places % size]
                if self.variants is not None:
                    rows = self.variants[drawn[:, None], rows]
                yield np.where(places[:, 1:] % size, previous(rows[:, :-1]), BOS), rows[:, 1:]

        spec = tf.TensorSpec((self.lanes, self.length), tf.int32)
        weight = tf.fill([self.lanes], 1 / self.length)
        index = tf.range(self.lanes, dtype=tf.int64)
        dataset = from_generator(batches, (spec, spec))
        dataset = dataset.map(lambda before, following: ({"decoder_inputs": before}, following, weight, index))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(max(0, steps - start))).prefetch(4)
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.with_options(options)


def numbers(source, encode):
    """(stream, sizes): all numbers of the pieces of a source, in an int32 array on disk; how many of them each has."""
    encode = tf.function(encode).get_concrete_function(tf.TensorSpec([None], tf.string))
    sizes = []
    with tempfile.TemporaryFile() as file:  # the array keeps it open
        for chunk in source.chunks(CHUNK):
            found = encode(tf.constant([e.input.encode("utf-8", "surrogatepass") for e in chunk], tf.string))
            ends = tf.ragged.constant([[EOS] * (e.target == "end") for e in chunk], tf.int32, ragged_rank=1)
            found = tf.concat([found, ends], 1)
            file.write(found.flat_values.numpy().astype("int32").tobytes())
            sizes.append(found.row_lengths().numpy())
        file.flush()
        stream = np.memmap(file, "int32", "r") if file.tell() else np.zeros(0, "int32")
    return stream, np.concatenate([np.zeros(0, "int64"), *sizes])


def previous(before):
    """What a model is shown of the numbers before: `BOS` in place of the `EOS` of another document."""
    return np.where(before == EOS, BOS, before).astype("int32")


def ended(source):
    """The examples of a source as pieces that each end a document."""
    return Source(lambda: (e._replace(target="end") for e in source), source.name, source.size)


def due(numbers):
    """Numbers that are filled up with 0 as targets, which are filled up with -1."""
    return tf.where(numbers > 0, numbers, -1)
