"""Running text as batches: one long stream of token ids, cut into rows that are read in parallel."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqtasks.data.generators import from_generator
from seqtasks.data.sources import Source
from seqtasks.data.token_ids import BOS, EOS
from seqtasks.errors import UserError

CHUNK = 512


@dataclass
class Segments:
    """The batches of running text, for training with a state that is carried from each batch to the next.

    The examples are pieces of documents in order; a piece whose target is `end` is the last of its document. The ids of
    all pieces, with `EOS` after each document, make one stream. It is kept in a temporary file, so that a text may be
    larger than memory. Each row of a batch starts at its own offset in the stream and continues in the next batch where
    it stopped. A row that reaches the end of the stream continues at its start, so every id is seen at least once an
    epoch. Each epoch starts at another offset.

    Read backward, the stream begins with the last id of the last document: documents and their ids are in reverse
    order, and the `EOS` of a document comes after its first id.

    A batch is `(features, targets, weight, index)` as in `seqtasks.data.batches.Batches`. The feature `decoder_inputs`,
    int32 (rows, length), holds the id before each target, `BOS` at the start of a document. The weight of a row is
    1 / length: a loss that sums over tokens and is divided by rows is the mean over the tokens.

    Args:
        source: the pieces.
        encode: `encode(texts) -> ragged int32`, the ids of a vector of texts.
        rows: rows of a batch.
        length: ids of a row.
        variants: None, or int32 (variants, ids), for augmentation: the id that replaces each id in each variant of a
            text. The first variant changes nothing. Each epoch draws one variant for each row.
        backward: whether the text is read from its end.
        shard: (index, number) of the worker, which gets its part of the rows.

    Raises:
        UserError: if there are no tokens in the source.

    Example:
        >>> from seqtasks.data.sources import Example
        >>> pieces = [Example("5 6 7 8", "", 1), Example("9", "end", 2)]
        >>> encode = lambda texts: tf.strings.to_number(tf.strings.split(texts), tf.int32)
        >>> segments = Segments(Source(lambda: iter(pieces), "memory"), encode, rows=1, length=3)
        >>> [(f["decoder_inputs"].numpy().tolist(), t.numpy().tolist()) for f, t, *_ in segments.epoch()]
        [([[2, 5, 6]], [[5, 6, 7]]), ([[7, 8, 9]], [[8, 9, 3]])]
    """

    source: Source
    encode: Callable[[tf.Tensor], tf.RaggedTensor]
    rows: int
    length: int
    variants: np.ndarray | None = None
    backward: bool = False
    shard: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        self.stream, self.sizes = numbers(self.source, self.encode, self.backward)
        if not len(self.stream):
            raise UserError("no tokens in it", where=self.source.name, remedy="give a text with words")

    def __len__(self) -> int:
        return max(1, -(-len(self.stream) // (self.rows * self.length)))

    def epoch(self, seed: int | None = None, epoch: int = 0, start: int = 0) -> tf.data.Dataset:
        """The batches of one epoch as a `tf.data.Dataset`, from step `start` on; arguments as of `Batches.epoch`."""
        size, steps, offset = len(self.stream), len(self), 0
        variant = np.zeros(self.rows, int)  # of each row
        if seed is not None:
            random = np.random.default_rng([seed, epoch])
            offset = int(random.integers(size))
            variant = random.integers(1 if self.variants is None else len(self.variants), size=self.rows)
        own = np.array_split(np.arange(self.rows), self.shard[1])[self.shard[0]]
        first, variant = offset + own * size // self.rows, variant[own]

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for step in range(start, steps):
                places = first[:, None] + step * self.length + np.arange(-1, self.length)
                ids = self.stream[places % size]
                if self.variants is not None:
                    ids = self.variants[variant[:, None], ids]
                yield np.where(places[:, 1:] % size, decoder_inputs(ids[:, :-1]), BOS), ids[:, 1:]

        spec = tf.TensorSpec((len(own), self.length), tf.int32)
        weight = tf.fill([len(own)], 1 / self.length)
        index = tf.constant(own, tf.int64)
        dataset = from_generator(batches, (spec, spec))
        dataset = dataset.map(lambda inputs, targets: ({"decoder_inputs": inputs}, targets, weight, index))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(max(0, steps - start))).prefetch(4)
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.with_options(options)


def numbers(
    source: Source, encode: Callable[[tf.Tensor], tf.RaggedTensor], backward: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all pieces of a source as one stream, with `EOS` after each document.

    Backward, the stream is in reverse order, and the `EOS` of a document belongs to its first piece. A document that
    continues after the source gives no `EOS` in either direction: backward, it is the first document that lacks one, so
    that both streams have the same ids.

    Args:
        source: the pieces.
        encode: `encode(texts) -> ragged int32`, the ids of a vector of texts.
        backward: whether the text is read from its end.

    Returns:
        (stream, sizes): an int32 array on disk, in the order of reading; how many ids each piece has, int64 (pieces,),
        in the order of the source.

    Example:
        >>> from seqtasks.data.sources import Example
        >>> pieces = [Example("5 6", "", 1), Example("9", "end", 2)]
        >>> encode = lambda texts: tf.strings.to_number(tf.strings.split(texts), tf.int32)
        >>> stream, sizes = numbers(Source(lambda: iter(pieces), "memory"), encode)
        >>> stream.tolist(), sizes.tolist()
        ([5, 6, 9, 3], [2, 2])
        >>> stream, sizes = numbers(Source(lambda: iter(pieces), "memory"), encode, backward=True)
        >>> stream.tolist(), sizes.tolist()
        ([9, 6, 5, 3], [3, 1])
    """
    encode = tf.function(encode).get_concrete_function(tf.TensorSpec([None], tf.string))
    sizes, skipped = [np.zeros(0, "int64")], 0
    last = True  # whether the piece before ended its document; that before the first one counts as the last of all
    with tempfile.TemporaryFile() as file:  # the array keeps it open
        for chunk in source.chunks(CHUNK):
            ids = encode(tf.constant([e.input.encode("utf-8", "surrogatepass") for e in chunk], tf.string))
            ended = [e.target == "end" for e in chunk]
            marked = [last, *ended[:-1]] if backward else ended
            last = ended[-1]
            ends = tf.ragged.constant([[EOS] * mark for mark in marked], tf.int32, ragged_rank=1)
            ids = tf.concat([ends, ids] if backward else [ids, ends], 1)
            file.write(ids.flat_values.numpy().astype("int32").tobytes())
            sizes.append(ids.row_lengths().numpy())
        file.flush()
        if backward and not last:
            skipped, sizes[1][0] = 1, sizes[1][0] - 1
        bytes_left = file.tell() - 4 * skipped
        stream: np.ndarray = np.memmap(file, "int32", "r", 4 * skipped) if bytes_left else np.zeros(0, "int32")
    return stream[::-1] if backward else stream, np.concatenate(sizes)


def decoder_inputs(ids: np.ndarray) -> np.ndarray:
    """The ids before the targets as a model reads them: `BOS` replaces the `EOS` of the document before.

    Example:
        >>> decoder_inputs(np.array([7, 3, 8])).tolist()
        [7, 2, 8]
    """
    return np.where(ids == EOS, BOS, ids).astype("int32")


def as_documents(source: Source) -> Source:
    """The source with each example as a whole document: its target is `end`.

    Example:
        >>> from seqtasks.data.sources import Example
        >>> [e.target for e in as_documents(Source(lambda: iter([Example("a b", "", 1)]), "memory"))]
        ['end']
    """
    return source.map(lambda example: example._replace(target="end"))


def append_end(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Ragged ids (batch, None) with `EOS` appended to each row.

    Example:
        >>> append_end(tf.ragged.constant([[7, 8], []], dtype=tf.int32)).to_list()
        [[7, 8, 3], [3]]
    """
    return tf.concat([ids, tf.fill([ids.nrows(), 1], EOS)], 1)


def reverse(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Ragged ids (batch, None) with each row in reverse order.

    Example:
        >>> reverse(tf.ragged.constant([[7, 8, 9], []], dtype=tf.int32)).to_list()
        [[9, 8, 7], []]
    """
    return tf.reverse(ids, [1])


def ignore_padding(ids: tf.Tensor) -> tf.Tensor:
    """Replaces padding 0 by -1, which losses ignore.

    Example:
        >>> ignore_padding(tf.constant([7, 3, 0])).numpy().tolist()
        [7, 3, -1]
    """
    return tf.where(ids > 0, ids, -1)
