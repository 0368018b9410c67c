"""The linear path of n-grams: against NumPy, and against sets of n-grams in Python."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks.data.vocabulary import Vocabulary
from seqtasks.layers import NgramScores
from seqtasks.models import classifier
from seqtasks.recipe import load_recipe
from seqtasks.text.word_features import ngrams, shared_ngrams

BUCKETS = 2**20
WORDS = st.lists(st.lists(st.sampled_from(["a", "b", "cd", "你"]), max_size=6), min_size=1, max_size=4)


def layer(outputs=2, dropout=0.0, **arguments):
    made = NgramScores(50, outputs, dropout, **arguments)
    made.build((None, None))
    made.table.assign(np.random.default_rng(0).normal(size=(50, outputs)))
    return made


def test_the_scores_of_numpy():
    made, ids = layer(scale=3.0), np.array([[4, 9, 2, 0], [7, 0, 0, 0], [0, 0, 0, 0]])
    table = made.table.numpy()
    expected = [3 * table[[4, 9, 2]].sum(0) / np.sqrt(3), 3 * table[7], np.zeros(2)]
    np.testing.assert_allclose(made(tf.constant(ids)), expected, rtol=1e-5)


def test_dropout_leaves_out_ngrams_and_keeps_the_mean():
    made, ids = layer(1, 0.5, scale=1.0), tf.tile([[4, 9, 2]], [4000, 1])
    table = made.table.numpy()
    seen = made(ids, training=True).numpy()
    subsets = {sum(c) * 2 / np.sqrt(3) for n in range(4) for c in itertools.combinations(table[[4, 9, 2], 0], n)}
    assert np.abs(seen - sorted(subsets)).min(1).max() < 1e-5
    assert len(np.unique(seen.round(4))) == 8
    assert seen.mean() == pytest.approx(table[[4, 9, 2]].sum() / np.sqrt(3), abs=0.1)
    np.testing.assert_allclose(made(ids), np.full((4000, 1), table[[4, 9, 2]].sum() / np.sqrt(3)), rtol=1e-5)


def test_padding_has_no_gradient():
    made = layer()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(tf.constant([[4, 0]])))
    gradient = tf.convert_to_tensor(tape.gradient(total, made.table.value)).numpy()
    assert np.flatnonzero(gradient.any(1)).tolist() == [4]


def grams(row, order):
    return {(n, tuple(row[i : i + n])) for n in range(1, order + 1) for i in range(len(row) - n + 1)}


@settings(max_examples=20, deadline=None)
@given(WORDS, st.integers(1, 3))
def test_each_distinct_ngram_has_one_id(rows, order):
    found = ngrams(tf.ragged.constant(rows, tf.string, ragged_rank=1), order, BUCKETS)
    ids: dict = {}
    for row, numbers in zip(rows, found.to_list(), strict=True):
        assert len(numbers) == len(set(numbers)) == len(grams(row, order))
        ids[frozenset(grams(row, order))] = set(numbers)
        assert min(numbers, default=1) > 0
    for (first, a), (second, b) in itertools.combinations(ids.items(), 2):
        assert len(a & b) == len(first & second)


def test_letters_are_those_of_words_with_their_borders():
    words = tf.ragged.constant([["ab", "ab"], ["abc"], []], tf.string)
    found = ngrams(words, 0, BUCKETS, [3]).to_list()
    assert [len(row) for row in found] == [2, 3, 0]  # " ab", "ab "; " ab", "abc", "bc "
    assert len({*found[0]} & {*found[1]}) == 1


@settings(max_examples=20, deadline=None)
@given(WORDS, WORDS)
def test_of_pairs_the_side_counts(first, second):
    size = min(len(first), len(second))
    texts = [tf.ragged.constant(rows[:size], tf.string, ragged_rank=1) for rows in (first, second)]
    found = shared_ngrams(*(ngrams(rows, 1, BUCKETS) for rows in texts), BUCKETS)
    swapped = shared_ngrams(*(ngrams(rows, 1, BUCKETS) for rows in texts[::-1]), BUCKETS)
    for a, b, ids, others in zip(first, second, found.to_list(), swapped.to_list(), strict=False):
        size = len({*a} | {*b})
        assert len(ids) == 2 * size and len({*ids[:size]}) == size
        assert [ids[size:].count(n) for n in (1, 2, 3)] == [len({*a} - {*b}), len({*b} - {*a}), len({*a} & {*b})]
        assert len({*ids[:size]} & {*others[:size]}) == len({*a} & {*b})  # from either side the same


@pytest.mark.parametrize(
    ("options", "size"), [({}, 4), ({"ngrams": 1}, 2), ({"ngrams": 0, "ngram_letters": [2]}, 8), ({"ngrams": 0}, None)]
)
def test_the_options_of_the_recipe(options, size):
    recipe = load_recipe("sentiment")
    assets = {"words": Vocabulary(["[PAD]", "[UNK]", "film"]), "labels": Vocabulary.labels(["bad", "good"])}
    config = recipe.settle(recipe.Config(max_length=1, units=2, **options))
    found = recipe.encode(config, assets, tf.constant(["fine film film"]))
    assert found["words"].row_lengths().numpy().tolist() == [1]  # the linear path reads the whole text
    model = recipe.build(config, assets)
    assert ("ngrams" in found) == ("ngrams" in {i.name for i in model.inputs}) == (size is not None)
    if size is not None:  # fine, film, fine film, film film; of letters " f" "fi" "in" "ne" "e " "il" "lm" "m "
        assert found["ngrams"].row_lengths().numpy().tolist() == [size]


@pytest.mark.parametrize("thresholds", [(), (1.0, -1.0)])
def test_a_classifier_adds_them_to_its_scores(thresholds):
    inputs = {"x": keras.Input((3,), name="x"), "ngrams": keras.Input((None,), dtype="int32", name="ngrams")}
    model = classifier(inputs, [[inputs["x"]]], outputs=2, thresholds=thresholds, ngrams=50)
    known, given = model.get_layer("ngram_scores"), {"x": tf.ones((2, 3)), "ngrams": tf.constant([[3, 4], [5, 0]])}
    before = model(given).numpy()
    known.table.assign(np.random.default_rng(1).normal(size=known.table.shape))
    np.testing.assert_allclose(model(given).numpy() - before, known(given["ngrams"]) + np.zeros((2, 2)), atol=1e-5)
