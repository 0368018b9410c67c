"""Embeddings of words and tokens, and scheduled sampling: against NumPy, and rates against draws."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from seqtasks.layers import ReversibleEmbedding, ScheduledSampling, WordEmbedding


def test_word_embedding_sums_affixes_and_drops_words_only_in_training():
    layer = WordEmbedding(words=9, dimension=3, affixes=7, unk_dropout=0.5, word_dropout=0.25)
    words = np.random.default_rng(0).integers(2, 9, (40, 50))
    affixes = np.random.default_rng(1).integers(0, 7, (40, 50, 4))
    words[:, 45:], affixes[:, 45:] = 0, 0
    vectors = layer(words, affixes).numpy()
    present = (affixes > 0)[..., None]
    added = (layer.affix_table.numpy()[affixes] * present).sum(2) / np.sqrt(np.maximum(present.sum(2), 1))
    expected = (layer.table.numpy()[words] + added) * (words > 0)[..., None]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    trained = layer(words, affixes, training=True).numpy()[:, :45]
    dropped = (trained == 0).all(-1)
    unknown = np.isclose(trained, (layer.table.numpy()[1] + added)[:, :45], atol=1e-6).all(-1)
    assert 0.2 < dropped.mean() < 0.3
    assert 0.45 < unknown[~dropped].mean() < 0.55
    assert layer.compute_mask(keras.ops.convert_to_tensor(words)).numpy().sum() == 40 * 45


def test_reversible_embedding_scores_targets_with_its_table(rng):
    layer = ReversibleEmbedding(7, 3)
    vectors, targets = rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(-1, 7, (2, 4))
    logits = layer(vectors, reverse=True).numpy()
    np.testing.assert_allclose(logits, vectors @ layer(vectors, whole=True).numpy().T + layer.bias.numpy(), atol=1e-6)
    expected = np.take_along_axis(log_softmax(logits, -1), np.maximum(targets, 0)[..., None], -1)[..., 0]
    log_probs = layer(vectors, reverse=True, targets=tf.constant(targets))
    np.testing.assert_allclose(log_probs, np.where(targets < 0, 0, expected), atol=1e-5)


def test_scheduled_sampling_rises_to_its_rate():
    keras.utils.set_random_seed(0)
    layer = ScheduledSampling(0.8, ramp=10)
    inputs = np.where(np.arange(200) < 190, 2, 0) * np.ones((50, 1), "int32")
    predicted = np.full((50, 200), 3)
    shares = []
    for _ in range(12):
        outputs = layer(tf.constant(inputs, tf.int32), tf.one_hot(predicted, 5), training=True).numpy()
        assert set(np.unique(outputs[:, 1:190])) <= {2, 3}
        assert (outputs[:, 190:] == 0).all() and (outputs[:, 0] == 2).all()
        shares.append((outputs[:, 1:190] == 3).mean())
    np.testing.assert_allclose(shares, [0.08 * min(i, 10) for i in range(12)], atol=0.02)


def test_invalid_sampling_rate_raises():
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\], got 1.5"):
        ScheduledSampling(1.5)
