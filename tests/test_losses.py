"""Losses of sequences: against SciPy and Keras, and their gradients against a plain tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from seqtasks.layers import ScheduledSampling
from seqtasks.losses import TokenCrossentropy


def draw(seed, batch=3, time=4, tokens=5):
    rng = np.random.default_rng(seed)
    targets = np.where(rng.random((batch, time)) < 0.7, rng.integers(0, tokens, (batch, time)), -1)
    return rng.normal(size=(batch, time, tokens)) * 3, targets


def smoothed(logits, targets, smoothing):
    """Cross-entropy with the distribution that the docstring gives, summed over each sentence."""
    size = logits.shape[-1]
    due = np.eye(size)[np.maximum(targets, 0)] * (1 - smoothing) + smoothing / size
    return (-(due * log_softmax(logits, -1)).sum(-1) * (targets >= 0)).sum(-1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.9]))
def test_smoothed_cross_entropy_and_its_gradient(seed, smoothing):
    logits, targets = draw(seed)
    loss = TokenCrossentropy(smoothing, reduction=None, dtype="float64")
    variable, upstream = tf.constant(logits), tf.constant([1.0, 0.0, 2.5], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        losses = loss(targets, variable)
    np.testing.assert_allclose(losses, smoothed(logits, targets, smoothing), rtol=1e-9, atol=1e-12)
    into = tape.gradient(losses, variable, upstream).numpy()
    probabilities = np.exp(log_softmax(logits, -1))
    due = np.eye(5)[np.maximum(targets, 0)] * (1 - smoothing) + smoothing / 5
    expected = (probabilities - due) * (targets >= 0)[..., None] * upstream.numpy()[:, None, None]
    np.testing.assert_allclose(into, expected, atol=1e-12)


def test_it_is_that_of_keras_with_its_label_smoothing():
    logits, targets = draw(1, 1)
    targets = np.abs(targets)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction="sum")
    ours = TokenCrossentropy(0.2, reduction="sum")
    assert float(ours(targets, logits)) == pytest.approx(float(theirs(np.eye(5)[targets], logits)), rel=1e-5)


def test_scheduled_sampling_shows_the_models_own_tokens_more_and_more_often():
    keras.utils.set_random_seed(0)
    layer = ScheduledSampling(0.8, ramp=10)
    previous = np.where(np.arange(200) < 190, 2, 0) * np.ones((50, 1), "int32")
    own = np.full((50, 200), 3)
    shares = []
    for _ in range(12):
        shown = layer(tf.constant(previous, tf.int32), tf.one_hot(own, 5), training=True).numpy()
        assert set(np.unique(shown[:, 1:190])) <= {2, 3}
        assert (shown[:, 190:] == 0).all() and (shown[:, 0] == 2).all()
        shares.append((shown[:, 1:190] == 3).mean())
    np.testing.assert_allclose(shares, [0.08 * min(i, 10) for i in range(12)], atol=0.02)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\], got 1.5"):
        ScheduledSampling(1.5)
