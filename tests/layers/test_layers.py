"""Convolution, pooling, characters and strands: against NumPy, and padding changes no output."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.layers import (
    CharacterEncoder,
    MaskedConv1D,
    MaxPooling,
    Pooling,
    PositionBias,
    RandomSubstitution,
    ReverseComplementBatch,
    ReverseComplementMean,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 7))
def test_max_pooling_matches_numpy(seed, size, time):
    rng = np.random.default_rng(seed)
    x, mask = rng.normal(size=(3, time, 2)).astype("float32"), rng.random((3, time)) < 0.6
    layer = MaxPooling(size)
    outputs, live = layer(x, mask=mask).numpy(), layer.compute_mask(x, mask).numpy()
    for row in range(3):
        for group in range(-(-time // size)):
            steps = [t for t in range(group * size, min(time, (group + 1) * size)) if mask[row, t]]
            assert live[row, group] == bool(steps)
            expected = x[row, steps].max(0) if steps else np.zeros(2)
            np.testing.assert_allclose(outputs[row, group], expected, rtol=1e-6)
    np.testing.assert_allclose(layer(x)[:, 0], x[:, :size].max(1), rtol=1e-6)


@pytest.mark.parametrize("padding", [1, 5])
def test_convolution_matches_numpy_and_padding_changes_nothing(padding, rng):
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    longer = np.pad(x, [(0, 0), (0, padding), (0, 0)], constant_values=9)
    mask = np.arange(7 + padding) < 7
    layer = MaskedConv1D(4, 5)
    plain = layer(x, mask=np.ones((2, 7), bool))
    np.testing.assert_allclose(layer(longer, mask=np.tile(mask, (2, 1)))[:, :7], plain, atol=1e-6)
    kernel, bias = (w.numpy() for w in layer.weights)
    padded = np.pad(x, [(0, 0), (2, 2), (0, 0)])
    expected = sum(padded[:, i : i + 7] @ kernel[i] for i in range(5)) + bias
    np.testing.assert_allclose(plain, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["cnn", "bilstm"])
def test_a_word_vector_does_not_depend_on_other_words(kind, rng):
    layer = CharacterEncoder(20, 4, 6, kind)
    words = rng.integers(1, 20, (2, 3, 5)).astype("int32")
    words[0, 1, 2:] = 0
    words[1, 2] = 0
    batch = layer(words).numpy()
    for row in range(2):
        for place in range(3):
            alone = layer(words[row : row + 1, place : place + 1])
            np.testing.assert_allclose(batch[row, place], alone[0, 0], atol=1e-6)
    assert layer.compute_mask(words).numpy().tolist() == [[True] * 3, [True, True, False]]


def test_character_convolution_matches_numpy(rng):
    layer = CharacterEncoder(20, 4, 6)
    characters = rng.integers(1, 20, (1, 1, 5)).astype("int32")
    word = layer(characters)[0, 0]
    table, kernel, bias = (w.numpy() for w in (layer.table, layer.kernel, layer.bias))
    vectors = np.pad(table[characters[0, 0]], [(1, 1), (0, 0)])
    expected = np.maximum([vectors[i : i + 3].reshape(-1) @ kernel + bias for i in range(5)], 0).max(0)
    np.testing.assert_allclose(word, expected, atol=1e-6)


def test_unknown_kind_of_character_encoder_raises():
    with pytest.raises(ValueError, match="CharacterEncoder: unknown kind 'gru': the kinds are cnn, bilstm"):
        CharacterEncoder(20, 4, 6, "gru")


def test_position_bias_is_added_to_the_first_steps(rng):
    layer = PositionBias(3)
    layer.build((None, None, 2))
    layer.table.assign(rng.normal(size=(3, 2)))
    x = rng.normal(size=(2, 5, 2)).astype("float32")
    np.testing.assert_allclose(layer(x)[:, :3] - x[:, :3], np.tile(layer.table, (2, 1, 1)), atol=1e-6)
    np.testing.assert_array_equal(layer(x)[:, 3:], x[:, 3:])
    np.testing.assert_allclose(layer(x[:, :2])[0, 1] - x[0, 1], layer.table[1], atol=1e-6)


def test_substitutions_have_their_rate_and_keep_padding():
    keras.utils.set_random_seed(1)
    x = np.zeros((50, 220, 4), "float32")
    x[:, :200] = np.eye(4)[np.arange(200) % 4]
    substituted = RandomSubstitution(0.4)(x, training=True).numpy()
    assert not substituted[:, 200:].any()
    assert (substituted[:, :200].sum(-1) == 1).all()
    changed = (substituted[:, :200].argmax(-1) != np.arange(200) % 4).mean()
    assert changed == pytest.approx(0.4 * 3 / 4, abs=0.02)  # a quarter of the draws is the base itself


def test_reverse_complements_of_padded_sequences(rng):
    x = np.zeros((2, 5, 4), "float32")
    x[0, :5], x[1, :3] = np.eye(4)[[0, 1, 2, 3, 3]], np.eye(4)[[0, 0, 2]]
    both = ReverseComplementBatch()(x).numpy()
    np.testing.assert_array_equal(both[:2], x)
    assert both[2].argmax(-1).tolist() == [0, 0, 1, 2, 3]  # ACGTT: AACGT
    assert both[3, :3].argmax(-1).tolist() == [1, 3, 3] and not both[3, 3:].any()  # AAG: CTT
    np.testing.assert_allclose(ReverseComplementMean()(tf.constant(both)), (both[:2] + both[2:]) / 2)


def test_pooling_ignores_masked_steps_and_an_empty_row_gives_zeros():
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    layer = Pooling(["max", "mean", "attention"])
    pooled = layer(x, mask=mask).numpy()
    for row in range(2):
        live = x[row][mask[row]]
        scores = np.exp(np.tanh(live) @ layer.query.numpy())
        attended = (scores / scores.sum() * live).sum(0)
        np.testing.assert_allclose(pooled[row], np.concatenate([live.max(0), live.mean(0), attended]), atol=1e-5)
    np.testing.assert_array_equal(pooled[2], np.zeros(12))
    with pytest.raises(ValueError, match=r"unknown kinds \['sum'\]: the kinds are max, mean, attention"):
        Pooling(["sum"])
