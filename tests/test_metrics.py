"""Metrics against scikit-learn, bootstrap intervals against theory; losses and layers against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from seqtasks.layers import Pooling, WordEmbedding
from seqtasks.losses import RDropCrossentropy
from seqtasks.metrics import accuracy, bootstrap, classification


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(20, 80), st.integers(0, 999))
def test_figures_are_those_of_scikit_learn(classes, rows, seed):
    random = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(classes), random.integers(classes, size=rows)])
    scores = random.dirichlet(np.ones(classes), len(targets))
    found = classification(targets, scores, [str(i) for i in range(classes)])
    predicted = scores.argmax(-1)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, predicted))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(targets, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(targets, scores))
    curve = sk.roc_auc_score(targets, scores[:, 1] if classes == 2 else scores, multi_class="ovr")
    assert found["roc_auc"] == pytest.approx(curve)
    assert np.sum(found["confusion"]) == len(targets)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_curve_where_a_class_is_missing(classes):
    targets = np.arange(20) % (classes - 1)
    scores = np.random.default_rng(0).dirichlet(np.ones(classes), 20)
    found = classification(targets, scores, "abc"[:classes])
    assert found["roc_auc"] is None
    assert found["log_loss"] == pytest.approx(sk.log_loss(targets, scores, labels=range(classes)))


def test_a_class_neither_there_nor_foretold_is_no_part_of_the_mean():
    targets, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    found = classification(targets, np.eye(4)[predicted], "abcd")
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["macro_f1"] == pytest.approx(sk.f1_score(targets, predicted, average="macro"))
    assert found["confusion"] == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"]["b"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})


def test_the_interval_of_accuracy_is_about_the_binomial_one():
    random = np.random.default_rng(0)
    targets = np.zeros(1000, int)
    right = random.random(1000) < 0.8
    scores = np.stack([right, ~right], 1).astype(float)
    low, high = bootstrap(accuracy, targets, scores)
    expected = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 1000)
    assert low == pytest.approx(right.mean() - expected, abs=0.004)
    assert high == pytest.approx(right.mean() + expected, abs=0.004)


def test_a_paired_interval_knows_that_systems_err_alike():
    random = np.random.default_rng(0)
    right = random.random(1000) < 0.7
    better = right | (random.random(1000) < 0.05)
    one, other = (np.stack([r, ~r], 1).astype(float) for r in (better, right))
    targets = np.zeros(1000, int)
    low, high = bootstrap(accuracy, targets, one, baseline=other)
    alone = bootstrap(accuracy, targets, one)
    assert 0 < low < better.mean() - right.mean() < high
    assert high - low < (alone[1] - alone[0]) / 2
    assert bootstrap(accuracy, targets, one, baseline=one) == [0.0, 0.0]


def test_consistency_is_the_symmetric_divergence_of_pairs():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    targets = np.array([0, 0, 1, 1, 2, 2])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    crossentropy = -np.log(p[np.arange(6), targets]).mean()
    divergences = [
        (np.sum(a * np.log(a / b)) + np.sum(b * np.log(b / a))) / 2 for a, b in zip(p[::2], p[1::2], strict=True)
    ]
    for weight in (0.0, 0.7):
        found = RDropCrossentropy(weight)(tf.constant(targets), tf.constant(logits, tf.float32))
        assert float(found) == pytest.approx(crossentropy + weight * np.mean(divergences), rel=1e-5)


def test_pooling_leaves_masked_steps_out_and_an_empty_row_gives_zeros():
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    layer = Pooling(["max", "mean", "attention"])
    found = layer(x, mask=mask).numpy()
    for row in range(2):
        live = x[row][mask[row]]
        scores = np.exp(np.tanh(live) @ layer.query.numpy())
        attended = (scores / scores.sum() * live).sum(0)
        np.testing.assert_allclose(found[row], np.concatenate([live.max(0), live.mean(0), attended]), atol=1e-5)
    np.testing.assert_array_equal(found[2], np.zeros(12))
    with pytest.raises(ValueError, match=r"unknown kinds \['sum'\]: the kinds are max, mean, attention"):
        Pooling(["sum"])


def test_embedding_sums_affixes_and_drops_whole_words_while_training_alone():
    layer = WordEmbedding(words=9, dimension=3, affixes=7, unknown_rate=0.5, drop_rate=0.25)
    words = np.random.default_rng(0).integers(2, 9, (40, 50))
    affixes = np.random.default_rng(1).integers(0, 7, (40, 50, 4))
    words[:, 45:], affixes[:, 45:] = 0, 0
    found = layer(words, affixes).numpy()
    present = (affixes > 0)[..., None]
    added = (layer.affix_table.numpy()[affixes] * present).sum(2) / np.sqrt(np.maximum(present.sum(2), 1))
    expected = (layer.table.numpy()[words] + added) * (words > 0)[..., None]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    trained = layer(words, affixes, training=True).numpy()[:, :45]
    dropped = (trained == 0).all(-1)
    unknown = np.isclose(trained, (layer.table.numpy()[1] + added)[:, :45], atol=1e-6).all(-1)
    assert 0.2 < dropped.mean() < 0.3
    assert 0.45 < unknown[~dropped].mean() < 0.55
    assert layer.compute_mask(keras.ops.convert_to_tensor(words)).numpy().sum() == 40 * 45
