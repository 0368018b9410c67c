"""Pipelines: every row once, equal batches, padded to boundaries, addressable by (seed, epoch, step)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks.data.batches import POOL_BATCHES, Batches, _token_cuts, batched, pad
from seqtasks.data.sources import Example, InMemorySource, Source


def encode(texts):
    return {"words": tf.strings.to_hash_bucket_fast(tf.strings.split(texts), 50) + 1, "size": tf.strings.length(texts)}


def examples(count):
    """Rows of 0 to 29 words, the empty ones among them; the target is the number of the row."""
    random = np.random.default_rng(count)
    return [Example("w " * random.integers(0, 30), f"{i}", i + 1) for i in range(count)]


def make(count, batch_size=4, held=True, **options):
    rows = examples(count)
    source = (InMemorySource if held else Source)(lambda: iter(rows), "rows")
    return Batches(source, count, encode, tf.strings.to_number, batch_size, **options)


def arrays(dataset):
    return [(f["words"].numpy(), t.numpy(), w.numpy(), i.numpy()) for f, t, w, i in dataset]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9))
def test_every_row_once_in_equal_batches(count, batch_size, boundary):
    batches = make(count, batch_size, boundary=boundary)
    found = arrays(batches.epoch(seed=1))
    assert len(found) == len(batches) == -(-count // batch_size)
    seen = np.concatenate([index[weight > 0] for *_, weight, index in found])
    assert sorted(seen) == list(range(count))
    assert sum((weight == 0).sum() for *_, weight, _ in found) == len(batches) * batch_size - count
    for words, *_ in found:
        longest = max(1, (words > 0).sum(1).max())
        assert words.shape[0] == batch_size and words.shape[1] % boundary == 0
        assert longest <= words.shape[1] < longest + boundary
    targets = np.concatenate([t[weight > 0] for _, t, weight, _ in found])
    assert sorted(targets) == list(range(count))


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_without_words_fill_one_boundary_with_padding(rows):
    source = InMemorySource(lambda: iter([Example("", "1", 1)] * rows), "empty")
    ((words, _, weight, _),) = arrays(Batches(source, rows, encode, tf.strings.to_number, 4, boundary=5).epoch(seed=1))
    np.testing.assert_array_equal(words, np.zeros((4, 5)))
    assert weight.tolist() == [1.0] * rows + [0.0] * (4 - rows)


def test_equal_seed_and_epoch_give_equal_batches_and_others_do_not():
    batches = make(50)
    one = arrays(batches.epoch(seed=1, epoch=2))
    assert_same(one, arrays(batches.epoch(seed=1, epoch=2)))
    for other in (batches.epoch(seed=1, epoch=3), batches.epoch(seed=2, epoch=2)):
        assert any(a[1].tolist() != b[1].tolist() for a, b in zip(one, arrays(other), strict=True))


@pytest.mark.parametrize(
    ("start", "options", "seed"),
    [
        (1, {}, 5),
        (POOL_BATCHES - 1, {}, None),
        (POOL_BATCHES, {"held": False}, 5),
        (POOL_BATCHES + 3, {"shuffle_buffer": 50}, 5),
        (37, {"shard": (1, 2)}, 5),
        (75, {}, 5),
        (99, {}, 5),
    ],
)
def test_starting_late_gives_the_tail_of_the_epoch(start, options, seed):
    batches = make(300, **options)
    late = batches.epoch(seed=seed, epoch=1, start=start)
    assert late.cardinality() == max(0, len(batches) - start)
    assert_same(arrays(late), arrays(batches.epoch(seed=seed, epoch=1))[start:])


def test_sources_in_memory_and_in_files_give_equal_batches():
    assert_same(arrays(make(90).epoch(seed=1)), arrays(make(90, held=False).epoch(seed=1)))


@pytest.mark.parametrize(("count", "options"), [(1, {}), (31, {}), (31, {"by_tokens": True, "replicas": 3})])
def test_workers_have_together_the_batches_of_one(count, options):
    def epoch(shard):
        return arrays(make(count, batch_size=6, shard=shard, **options).epoch(seed=1))

    whole, shards = epoch((0, 1)), [epoch((i, 3)) for i in range(3)]
    assert {len(batches) for batches in shards} == {len(whole)}
    for (words, *others), *parts in zip(whole, *shards, strict=True):
        assert {len(part[1]) for part in parts} == {len(words) // 3}
        padded = [np.pad(part[0], [(0, 0), (0, words.shape[1] - part[0].shape[1])]) for part in parts]
        np.testing.assert_array_equal(words, np.concatenate(padded))
        for i, values in enumerate(others, 1):
            np.testing.assert_array_equal(values, np.concatenate([part[i] for part in parts]))


def test_without_seed_pools_keep_their_order_and_index_is_the_row_in_the_source():
    found, pool_size, rows = arrays(make(250, batch_size=2).epoch()), 2 * POOL_BATCHES, examples(250)
    for words, targets, _, index in found:
        np.testing.assert_array_equal(index, targets)
        np.testing.assert_array_equal((words > 0).sum(1), [len(rows[i].input.split()) for i in index])
    pools = [set(index // pool_size) for *_, index in found]
    assert pools == [{0}] * POOL_BATCHES + [{1}] * POOL_BATCHES + [{2}] * (POOL_BATCHES // 2)
    for start in range(0, len(found), POOL_BATCHES):  # within a pool short rows come first
        lengths = [(words > 0).sum(1).max() for words, *_ in found[start : start + POOL_BATCHES]]
        assert lengths == sorted(lengths)


def test_fit_runs_as_many_steps_as_there_are_batches():
    batches = make(37)
    inputs = keras.Input((), name="size")
    model = keras.Model({"size": inputs}, keras.layers.Dense(1)(inputs[:, None]))
    model.compile("sgd", "mse")
    for epoch in range(2):
        data = batches.epoch(0, epoch).map(lambda f, t, w, i: ({"size": tf.cast(f["size"], tf.float32)}, t, w))
        assert data.cardinality() == len(batches)
        model.fit(data, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == 2 * len(batches)


def test_a_large_source_is_read_no_further_than_needed():
    read = 0

    def endless():
        nonlocal read
        for i in range(1_000_000):
            read += 1
            yield Example(f"row {i}", "1", i)

    batches = Batches(Source(endless, "long"), 1_000_000, encode, tf.strings.to_number, 4, shuffle_buffer=1000)
    next(iter(batches.epoch(seed=0)))
    assert 1000 <= read < 20_000


def test_pad_and_batched():
    rows = pad(tf.RaggedTensor.from_row_lengths([[1, 2], [3, 4], [5, 6]], [2, 1]), 4)
    assert rows.numpy().tolist() == [[[1, 2], [3, 4], [0, 0], [0, 0]], [[5, 6], [0, 0], [0, 0], [0, 0]]]
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_targets_of_steps_are_padded_with_their_steps():
    """The target of a text is the length of each of its words; the features are the words' letters."""
    rows = [Example(" ".join("abcdefgh"[: 1 + (i + j) % 5] for j in range(i % 7)), "", i + 1) for i in range(40)]
    rows = [row._replace(target=" ".join(str(len(word)) for word in row.input.split())) for row in rows]
    numbers = lambda texts: tf.strings.to_number(tf.strings.split(texts), tf.int32)  # noqa: E731
    lengths = lambda texts: {"words": tf.strings.length(tf.strings.split(texts))}  # noqa: E731
    batches = Batches(InMemorySource(lambda: iter(rows), "rows"), len(rows), lengths, numbers, 8, boundary=2)
    for features, targets, _, index in batches.epoch(seed=2):
        assert targets.shape == features["words"].shape
        for words, target in zip(features["words"].numpy(), targets.numpy(), strict=True):
            assert (target[words > 0] == words[words > 0]).all() and (target[words == 0] == -1).all()
        assert len(set(index.numpy())) == 8


def sentences(count, seed=0):
    lengths = np.random.default_rng(seed).geometric(0.1, (count, 2))
    return [Example(" ".join(["7"] * a), " ".join([str(i)] * b), i) for i, (a, b) in enumerate(lengths.tolist())]


def by_tokens(rows, **options):
    split = lambda texts: tf.strings.to_number(tf.strings.split(texts), tf.int32)  # noqa: E731
    source = InMemorySource(lambda: iter(rows), "memory")
    return Batches(
        source, len(rows), lambda texts: {"words": split(texts)}, split, boundary=1, by_tokens=True, **options
    )


def test_batches_by_tokens_contain_every_row_once_and_about_equal_numbers_of_tokens():
    rows, batch_size = sentences(3200), 64
    batches = by_tokens(rows, batch_size=batch_size)
    found = arrays(batches.epoch(seed=3))
    assert len(found) == len(batches) == 50
    assert sorted(i for _, targets, *_ in found for i in targets[:, 0]) == list(range(3200))
    tokens = [words.shape[0] * max(words.shape[1], targets.shape[1]) for words, targets, *_ in found]
    assert max(tokens) < 1.5 * np.median(tokens)  # the last batch has the longest sentences, and they differ
    sizes = [words.shape[0] for words, *_ in found]
    assert min(sizes) < batch_size / 2 and max(sizes) > 2 * batch_size


def test_the_weights_of_batches_by_tokens_make_the_mean_over_tokens():
    for words, targets, weight, _ in arrays(by_tokens(sentences(70), batch_size=16, replicas=4).epoch(seed=1)):
        assert len(weight) == len(words) == len(targets) and len(weight) % 4 == 0
        real = weight > 0
        loss = np.where(targets >= 0, np.arange(targets.shape[1]) + 1.0, 0).sum(1)  # of each row, summed over tokens
        tokens = (targets[real] >= 0).sum()
        assert np.mean(weight * loss) == pytest.approx(loss[real].sum() / tokens, rel=1e-5)
        assert len(set(targets[real][:, 0])) == real.sum() and (~real).sum() < 4


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.data())
def test_token_cuts_give_every_batch_a_row(lengths, data):
    count = data.draw(st.integers(1, len(lengths)))
    lengths = np.sort(lengths)
    cuts = _token_cuts(tf.constant(lengths, tf.int64), count).numpy()
    assert cuts[0] == 0 and cuts[-1] == len(lengths) and len(cuts) == count + 1 and np.diff(cuts).min() >= 1
    if lengths[0] == lengths[-1]:
        assert np.diff(cuts).max() - np.diff(cuts).min() <= 1


@pytest.mark.parametrize("start", [49, 50])
def test_starting_late_gives_the_tail_of_the_epoch_by_tokens(start):
    batches = by_tokens(sentences(1000), batch_size=16)
    assert_same(arrays(batches.epoch(seed=2, epoch=1, start=start)), arrays(batches.epoch(seed=2, epoch=1))[start:])
