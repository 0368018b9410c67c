"""Layers that look at neighbours, letters and strands: padding never changes an answer, and numbers by hand."""

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
    PositionBias,
    RandomSubstitution,
    ReverseComplementBatch,
    ReverseComplementMean,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 7))
def test_pooling_over_neighbours_by_hand(seed, size, time):
    rng = np.random.default_rng(seed)
    x, mask = rng.normal(size=(3, time, 2)).astype("float32"), rng.random((3, time)) < 0.6
    layer = MaxPooling(size)
    found, live = layer(x, mask=mask).numpy(), layer.compute_mask(x, mask).numpy()
    for row in range(3):
        for group in range(-(-time // size)):
            steps = [t for t in range(group * size, min(time, (group + 1) * size)) if mask[row, t]]
            assert live[row, group] == bool(steps)
            expected = x[row, steps].max(0) if steps else np.zeros(2)
            np.testing.assert_allclose(found[row, group], expected, rtol=1e-6)
    np.testing.assert_allclose(layer(x)[:, 0], x[:, :size].max(1), rtol=1e-6)


@pytest.mark.parametrize("padding", [1, 5])
def test_padding_changes_nothing(padding, rng):
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    longer = np.pad(x, [(0, 0), (0, padding), (0, 0)], constant_values=9)
    mask = np.arange(7 + padding) < 7
    near = MaskedConv1D(4, 5)
    plain = near(x, mask=np.ones((2, 7), bool))
    np.testing.assert_allclose(near(longer, mask=np.tile(mask, (2, 1)))[:, :7], plain, atol=1e-6)
    kernel, bias = (w.numpy() for w in near.weights)
    filled = np.pad(x, [(0, 0), (2, 2), (0, 0)])
    by_hand = sum(filled[:, i : i + 7] @ kernel[i] for i in range(5)) + bias
    np.testing.assert_allclose(plain, by_hand, atol=1e-5)


@pytest.mark.parametrize("kind", ["cnn", "bilstm"])
def test_a_word_is_read_alike_whatever_stands_beside_it(kind, rng):
    layer = CharacterEncoder(20, 4, 6, kind)
    words = rng.integers(1, 20, (2, 3, 5)).astype("int32")
    words[0, 1, 2:] = 0
    words[1, 2] = 0
    together = layer(words).numpy()
    for row in range(2):
        for place in range(3):
            alone = layer(words[row : row + 1, place : place + 1])
            np.testing.assert_allclose(together[row, place], alone[0, 0], atol=1e-6)
    assert layer.compute_mask(words).numpy().tolist() == [[True] * 3, [True, True, False]]


def test_letters_are_read_by_windows_of_three(rng):
    layer = CharacterEncoder(20, 4, 6)
    letters = rng.integers(1, 20, (1, 1, 5)).astype("int32")
    found = layer(letters)[0, 0]
    table, kernel, bias = (w.numpy() for w in (layer.table, layer.kernel, layer.bias))
    vectors = np.pad(table[letters[0, 0]], [(1, 1), (0, 0)])
    by_hand = np.maximum([vectors[i : i + 3].reshape(-1) @ kernel + bias for i in range(5)], 0).max(0)
    np.testing.assert_allclose(found, by_hand, atol=1e-6)


def test_an_unknown_reader_is_told():
    with pytest.raises(ValueError, match="CharacterEncoder: unknown kind 'gru': the kinds are cnn, bilstm"):
        CharacterEncoder(20, 4, 6, "gru")


def test_positions_add_to_the_first_steps(rng):
    layer = PositionBias(3)
    layer.build((None, None, 2))
    layer.table.assign(rng.normal(size=(3, 2)))
    x = rng.normal(size=(2, 5, 2)).astype("float32")
    np.testing.assert_allclose(layer(x)[:, :3] - x[:, :3], np.tile(layer.table, (2, 1, 1)), atol=1e-6)
    np.testing.assert_array_equal(layer(x)[:, 3:], x[:, 3:])
    np.testing.assert_allclose(layer(x[:, :2])[0, 1] - x[0, 1], layer.table[1], atol=1e-6)


def test_substitutions_have_their_rate_and_spare_padding():
    keras.utils.set_random_seed(1)
    x = np.zeros((50, 220, 4), "float32")
    x[:, :200] = np.eye(4)[np.arange(200) % 4]
    drawn = RandomSubstitution(0.4)(x, training=True).numpy()
    assert not drawn[:, 200:].any()
    assert (drawn[:, :200].sum(-1) == 1).all()
    changed = (drawn[:, :200].argmax(-1) != np.arange(200) % 4).mean()
    assert changed == pytest.approx(0.4 * 3 / 4, abs=0.02)  # a quarter of the draws is the base itself


def test_both_strands_of_padded_sequences(rng):
    x = np.zeros((2, 5, 4), "float32")
    x[0, :5], x[1, :3] = np.eye(4)[[0, 1, 2, 3, 3]], np.eye(4)[[0, 0, 2]]
    both = ReverseComplementBatch()(x).numpy()
    np.testing.assert_array_equal(both[:2], x)
    assert both[2].argmax(-1).tolist() == [0, 0, 1, 2, 3]  # ACGTT: AACGT
    assert both[3, :3].argmax(-1).tolist() == [1, 3, 3] and not both[3, 3:].any()  # AAG: CTT
    np.testing.assert_allclose(ReverseComplementMean()(tf.constant(both)), (both[:2] + both[2:]) / 2)


def test_they_save_and_load(tmp_path, rng):
    inputs = keras.Input((None, 4))
    x = keras.layers.Masking()(RandomSubstitution(0.1)(ReverseComplementBatch()(inputs)))
    x = MaxPooling(2)(PositionBias(4)(MaskedConv1D(3, 3, activation="relu")(x)))
    model = keras.Model(inputs, ReverseComplementMean()(keras.layers.GlobalAveragePooling1D()(x)))
    model.save(tmp_path / "m.keras")
    x = rng.normal(size=(2, 7, 4)).astype("float32")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(x), model(x), atol=1e-6)
