"""Pipelines from examples to batches. `Batches.epoch` composes these steps, in this order:

1. rows       the examples of the source, from memory if it is small, else read in chunks
2. shuffle    in a buffer, with a seed of (seed, epoch); not when evaluating
3. skip       the pools before the step to start from
4. read       inputs that are files, in parallel
5. pool       the rows of many batches
6. encode     the whole pool at once, in the graph, by the same function as in the exported model; in training also
              the augmentation of the recipe
7. bucket     the pool sorted by length and cut into batches with equal numbers of rows or about equal numbers of
              tokens; each padded to the next boundary
8. shard      of each batch the rows of one of several workers
9. skip       the batches of the pool before the step to start from
10. prefetch  the cardinality stated
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from seqtasks.data.file_inputs import Reader
from seqtasks.data.generators import from_generator
from seqtasks.data.sources import Example, InMemorySource, Source

CHUNK = 512
POOLS_AT_ONCE = 2
POOL_BATCHES = 50  # batches that are sorted by length together: more means less padding and less mixing

Item = TypeVar("Item")
Rows: TypeAlias = "tf.Tensor | tf.RaggedTensor"


@dataclass
class Batches:
    """The batches of one source. Each is addressed by (seed, epoch, step); their number is known.

    A batch is `(features, target, weight, index)`. Ragged features are padded on the right with 0 to the next multiple
    of `boundary`. The weight is 1, or 0 for rows that fill up the last batch, so that all batches have the same size.
    The index is that of the row among the rows of the epoch.

    With `by_tokens` batches hold about equal numbers of tokens, and `batch_size` rows on average: few long sentences or
    many short ones. The number of batches does not change. The weight of a row is then rows / tokens of the target: a
    loss that sums over tokens and is divided by rows is the mean over the tokens.

    Args:
        source: the examples.
        count: how many there are.
        encode: `encode(inputs) -> {name: tensor or ragged tensor}`, of a vector of raw inputs; with `columns` it takes
            the values of the side columns too, strings (batch, columns).
        encode_target: `encode_target(targets) -> tensor or ragged tensor`, the same for targets; ragged ones are padded
            with -1.
        batch_size: rows of a batch.
        boundary: padded lengths are multiples of this.
        doubling: whether they are this times powers of two, so that there are few of them.
        shuffle_buffer: rows in memory for shuffling; at least `count` for a full shuffle.
        shard: (index, number) of the worker, which gets its part of the rows of each batch: workers together have the
            batches of one.
        by_tokens: whether batches are cut by tokens.
        replicas: with `by_tokens`, the number of rows is filled up to a multiple of it.
        target_feature: the feature that is also the target; "" if targets are encoded.
        augment: None, or `augment(features, seed) -> features`, for batches that are shuffled.
        reader: the `seqtasks.data.file_inputs.Reader` of inputs that are files; None for texts.
        columns: how many side columns an example has.

    Example:
        >>> from seqtasks.data.sources import Example
        >>> rows = [Example("a b c", "x", 1), Example("d", "y", 2), Example("e f", "x", 3)]
        >>> encode = lambda texts: {"length": tf.strings.length(tf.strings.split(texts))}
        >>> batches = Batches(Source(lambda: iter(rows), "memory"), 3, encode, tf.strings.length, batch_size=2)
        >>> [(f["length"].shape, w.numpy().tolist()) for f, t, w, i in batches.epoch()]
        [(TensorShape([2, 8]), [1.0, 1.0]), (TensorShape([2, 8]), [1.0, 0.0])]
    """

    source: Source
    count: int
    encode: Callable[..., dict[str, Any]]
    encode_target: Callable[[tf.Tensor], Rows]
    batch_size: int
    boundary: int = 8
    shuffle_buffer: int = 20_000
    shard: tuple[int, int] = (0, 1)
    by_tokens: bool = False
    replicas: int = 1
    target_feature: str = ""
    augment: Callable[[dict[str, Any], tf.Tensor], dict[str, Any]] | None = None
    reader: Reader | None = None
    columns: int = 0
    doubling: bool = False

    def __post_init__(self) -> None:
        # traced once, not in each epoch
        self._encode = tf.function(self._encode_pool)
        self._cut = tf.function(self._cut_pool)

    @property
    def pool_size(self) -> int:
        """Rows of a pool, a whole number of batches."""
        return self.reader.together(self.batch_size) if self.reader else self.batch_size * POOL_BATCHES

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def rows(self) -> tf.data.Dataset:
        """Dataset of (input, target), both scalar strings, or (input, target, side columns)."""

        def strings(examples: Sequence[Example]) -> tuple[Any, ...]:
            found: tuple[Any, ...] = [e.input for e in examples], [e.target for e in examples]
            return (*found, [e.columns for e in examples]) if self.columns else found

        if isinstance(self.source, InMemorySource):
            found = (tf.constant(part, tf.string) for part in strings(list(self.source)))
            return tf.data.Dataset.from_tensor_slices(tuple(found))
        spec = tf.TensorSpec([None], tf.string)
        specs = (spec, spec, *([tf.TensorSpec([None, self.columns], tf.string)] if self.columns else []))
        return from_generator(lambda: map(strings, self.source.chunks(CHUNK)), specs).unbatch()

    def epoch(self, seed: int | None = None, epoch: int = 0, start: int = 0) -> tf.data.Dataset:
        """The batches of one epoch as a `tf.data.Dataset`, from step `start` on.

        Args:
            seed: an integer shuffles; None keeps the order of the pools of the source (evaluation).
            epoch: number of the epoch; each has its own order.
            start: batches to leave out; of these, at most one pool is computed.
        """
        rows, order = self.rows(), int(np.random.SeedSequence([seed or 0, epoch]).generate_state(1)[0])
        if seed is not None:
            buffer = min(self.shuffle_buffer, max(self.count, 1))
            rows = rows.shuffle(buffer, seed=order, reshuffle_each_iteration=False)
        pools, batches = divmod(start, self.pool_size // self.batch_size)
        rows = rows.skip(pools * self.pool_size)
        rows = self.reader.pooled(rows, self.pool_size) if self.reader else rows.batch(self.pool_size)
        rows = rows.enumerate(pools)
        pool_seed, shuffled = tf.constant(order, tf.int64), seed is not None
        encode = lambda number, rows: self._encode(number, rows, pool_seed, augmented=shuffled)  # noqa: E731
        encoded = rows.map(encode, num_parallel_calls=POOLS_AT_ONCE, deterministic=True)
        dataset = encoded.flat_map(lambda *pool: self._cut(*pool, pool_seed, shuffled=shuffled))
        steps = max(0, len(self) - start)
        dataset = dataset.skip(batches).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4)
        options = tf.data.Options()
        options.autotune.enabled = False  # the end of an epoch waits for its thread, which sleeps longer and longer
        return dataset.with_options(options)

    def _encode_pool(self, number: tf.Tensor, rows: tuple[Any, ...], seed: tf.Tensor, augmented: bool) -> Any:
        inputs, targets, *columns = rows
        features, size = self.encode(inputs, *columns), tf.size(targets, tf.int64)
        if augmented and self.augment:
            features = self.augment(features, tf.stack([seed, number]))
        targets = features.pop(self.target_feature) if self.target_feature else self.encode_target(targets)
        ragged = {name: f for name, f in features.items() if isinstance(f, tf.RaggedTensor)}
        # dense once for the pool, so that a batch is a gather and a slice
        sequences = {
            name: (pad(f, self.boundary, doubling=self.doubling), f.row_lengths()) for name, f in ragged.items()
        }
        others = {name: f for name, f in features.items() if name not in ragged}
        row_lengths = lengths(features, size)
        if isinstance(targets, tf.RaggedTensor):
            row_lengths = tf.maximum(row_lengths, targets.row_lengths())
            targets = (pad(targets, self.boundary, -1, self.doubling), targets.row_lengths())
        order = tf.argsort(row_lengths, stable=True)
        return number, order, tf.gather(row_lengths, order), sequences, others, targets

    def _cut_pool(
        self,
        number: tf.Tensor,
        order: tf.Tensor,
        row_lengths: tf.Tensor,
        sequences: dict[str, tuple[tf.Tensor, tf.Tensor]],
        others: dict[str, tf.Tensor],
        targets: tf.Tensor | tuple[tf.Tensor, tf.Tensor],
        seed: tf.Tensor,
        shuffled: bool,
    ) -> tf.data.Dataset:
        size = tf.size(order)
        count = -(-size // self.batch_size)
        if self.by_tokens:
            cuts = _token_cuts(row_lengths, count)
        else:
            cuts = tf.minimum(tf.range(count + 1) * self.batch_size, size)
        numbers = tf.range(count)  # of the batches
        if shuffled:
            numbers = tf.random.experimental.stateless_shuffle(numbers, seed=tf.stack([seed, number]))

        def cut(places: tf.Tensor, padded: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
            longest = tf.reduce_max(tf.gather(sizes, places))
            return tf.gather(padded, places)[:, : padded_length(longest, self.boundary, self.doubling)]

        def batch(i: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
            places = order[cuts[i] : cuts[i + 1]]  # of the rows in the pool
            real = tf.size(places)
            rows = -(-real // self.replicas) * self.replicas if self.by_tokens else self.batch_size
            places = tf.pad(places, [[0, rows - real]], constant_values=places[-1])
            places = tf.ensure_shape(places, [None if self.by_tokens else self.batch_size])
            weight = tf.cast(tf.range(rows) < real, tf.float32)
            share = slice(*(rows * i // self.shard[1] for i in (self.shard[0], self.shard[0] + 1)))
            everywhere, places = places, places[share]
            index = number * self.pool_size + tf.cast(places, tf.int64)
            features = {name: tf.gather(f, places) for name, f in others.items()}
            features |= {name: cut(places, *sequence) for name, sequence in sequences.items()}
            if not isinstance(targets, tuple):
                return features, tf.gather(targets, places), weight[share], index
            if self.by_tokens:
                sizes = tf.gather(targets[1], everywhere)
                tokens = tf.reduce_sum(tf.cast(sizes, tf.float32) * weight)
                weight *= tf.cast(rows, tf.float32) / tf.maximum(tokens, 1)
            return features, cut(places, *targets), weight[share], index

        return tf.data.Dataset.from_tensor_slices(numbers).map(batch)


def _token_cuts(row_lengths: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Where to cut rows, sorted by length, into `count` batches of about equal numbers of tokens, one row at least."""
    tokens = tf.cumsum(tf.maximum(row_lengths, 1))
    wanted = tf.range(1, count, dtype=tf.int64) * tokens[-1] // tf.cast(count, tf.int64)
    places, size = tf.range(1, count), tf.size(row_lengths)
    cuts = tf.searchsorted(tokens, wanted, side="right")
    earlier = tf.linalg.band_part(tf.ones((count - 1, count - 1), tf.int32), -1, 0)
    apart = tf.reduce_max((cuts - places)[None] * earlier - (1 - earlier) * size, 1) + places  # at least one row each
    return tf.concat([[0], tf.clip_by_value(apart, places, size - count + places), [size]], 0)


def lengths(features: dict[str, Any], size: tf.Tensor) -> tf.Tensor:
    """The length of each row: that of its longest ragged feature, or 0.

    Args:
        features: {name: tensor or ragged tensor (size, ...)}.
        size: number of rows.

    Returns:
        int64 (size,).

    Example:
        >>> lengths({"words": tf.ragged.constant([[1, 2], [3]]), "size": tf.constant([7, 8])}, 2).numpy().tolist()
        [2, 1]
    """
    ragged = [f.row_lengths() for f in features.values() if isinstance(f, tf.RaggedTensor)]
    return tf.reduce_max(tf.stack(ragged), 0) if ragged else tf.zeros([size], tf.int64)


def padded_length(longest: tf.Tensor, boundary: int, doubling: bool = False) -> tf.Tensor:
    """The length to which rows are padded: a multiple of `boundary`, and not 0.

    Args:
        longest: the longest row.
        boundary: the shortest length.
        doubling: whether it is `boundary` times a power of two.

    Example:
        >>> [int(padded_length(tf.constant(n), 8)) for n in (0, 9, 17, 100)]
        [8, 16, 24, 104]
        >>> [int(padded_length(tf.constant(n), 8, doubling=True)) for n in (0, 9, 17, 100)]
        [8, 16, 32, 128]
    """
    if doubling:
        powers = tf.constant([boundary << i for i in range(31 - boundary.bit_length())], longest.dtype)
        return tf.gather(powers, tf.searchsorted(powers, longest[None])[0])
    return -(-tf.maximum(longest, 1) // boundary) * boundary


def pad(rows: Rows, boundary: int, value: int | str | None = None, doubling: bool = False) -> tf.Tensor:
    """Ragged rows padded on the right to a multiple of `boundary`; dense rows are returned unchanged.

    Args:
        rows: (batch, None, ...).
        boundary: the length is a multiple of it, and not 0.
        value: what to pad with; None for 0 or "".
        doubling: as of `padded_length`.

    Example:
        >>> pad(tf.ragged.constant([[1, 2, 3], [4]]), boundary=4).numpy().tolist()
        [[1, 2, 3, 0], [4, 0, 0, 0]]
    """
    if not isinstance(rows, tf.RaggedTensor):
        return rows
    padded = padded_length(rows.bounding_shape(axis=1), boundary, doubling)
    dense = rows.to_tensor(value, shape=tf.stack([tf.constant(-1, tf.int64), padded, *rows.shape[2:]]))
    return tf.ensure_shape(dense, [None, None, *rows.shape[2:]])


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items; the last may be shorter.

    Args:
        items: any iterable; it is read no further than needed.
        size: items of a list.

    Example:
        >>> list(batched("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, size)), [])
