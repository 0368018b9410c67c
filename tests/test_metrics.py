"""Metrics against scikit-learn, and bootstrap intervals against theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from seqtasks.metrics import (
    LANGUAGE,
    accuracy,
    bootstrap,
    classification,
    nll_per_sequence,
    step_accuracy,
    step_macro_f1,
    step_mcc,
)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(20, 80), st.integers(0, 999))
def test_metrics_match_scikit_learn(classes, rows, seed):
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
def test_curves_are_none_if_a_class_is_missing(classes):
    targets = np.arange(20) % (classes - 1)
    scores = np.random.default_rng(0).dirichlet(np.ones(classes), 20)
    found = classification(targets, scores, "abc"[:classes])
    assert found["roc_auc"] is None
    assert found["log_loss"] == pytest.approx(sk.log_loss(targets, scores, labels=range(classes)))


def test_macro_f1_ignores_classes_that_do_not_occur():
    targets, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    found = classification(targets, np.eye(4)[predicted], "abcd")
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["macro_f1"] == pytest.approx(sk.f1_score(targets, predicted, average="macro"))
    assert found["confusion"] == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"]["b"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})


def test_bootstrap_interval_of_accuracy_is_about_the_binomial_one():
    random = np.random.default_rng(0)
    targets = np.zeros(1000, int)
    right = random.random(1000) < 0.8
    scores = np.stack([right, ~right], 1).astype(float)
    low, high = bootstrap(accuracy, targets, scores)
    expected = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 1000)
    assert low == pytest.approx(right.mean() - expected, abs=0.004)
    assert high == pytest.approx(right.mean() + expected, abs=0.004)


def test_paired_interval_of_correlated_systems_is_narrower():
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


@pytest.mark.parametrize("metric", [step_accuracy, step_macro_f1, step_mcc, *LANGUAGE.values(), nll_per_sequence])
def test_metrics_of_counts_use_the_last_array(metric, rng):
    """They return the same with or without the numbers of the examples, and so do their intervals."""
    steps = metric.__name__.startswith("step")
    counts = rng.integers(1, 9, (30, 3, 3)) if steps else rng.integers(1, 9, (30, 3)) * np.array([-1.0, 1, 1])
    other, numbers = counts[::-1], np.arange(30)
    assert metric(counts) == metric(numbers, counts) != metric(counts[:9])
    assert bootstrap(metric, counts, samples=9) == bootstrap(metric, numbers, counts, samples=9)
    paired = bootstrap(metric, counts, baseline=other, samples=9)
    assert paired == bootstrap(metric, numbers, counts, baseline=other, samples=9)
