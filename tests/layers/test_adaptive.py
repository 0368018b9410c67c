"""The adaptive softmax against the whole distribution, in NumPy and by automatic differentiation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from seqtasks.layers.adaptive import AdaptiveSoftmax


def build(tokens=23, cutoffs=(5, 12), size=9, seed=0, dtype="float64"):
    layer, rng = AdaptiveSoftmax(tokens, cutoffs, dtype=dtype), np.random.default_rng(seed)
    layer.build((None, None, size))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer, rng


def distribution(layer, vectors):
    """The log-probabilities of all tokens, by the equations of the docstring."""
    head = log_softmax(vectors @ layer.head_kernel.numpy() + layer.head_bias.numpy(), -1)
    parts = [head[..., : layer.bounds[1]]]
    for number, weights in enumerate(layer.tails):
        projection, kernel, bias = (weight.numpy() for weight in weights)
        entry = head[..., layer.bounds[1] + number, None]
        parts.append(entry + log_softmax(vectors @ projection @ kernel + bias, -1))
    return np.concatenate(parts, -1)


CUTOFFS = st.sets(st.integers(1, 22), max_size=4).map(sorted)


@given(st.integers(0, 2**32 - 1), CUTOFFS)
def test_log_likelihoods_equal_the_whole_distribution(seed, cutoffs):
    layer, rng = build(cutoffs=cutoffs, seed=seed)
    vectors, targets = rng.normal(size=(3, 4, 9)), rng.integers(-1, 23, (3, 4))
    expected = distribution(layer, vectors)
    np.testing.assert_allclose(layer.logits(vectors), expected, atol=1e-10)
    np.testing.assert_allclose(np.exp(expected).sum(-1), 1, atol=1e-10)
    expected = np.take_along_axis(expected, np.maximum(targets, 0)[..., None], -1)[..., 0]
    np.testing.assert_allclose(layer(vectors, targets), np.where(targets < 0, 0, expected), atol=1e-10)


@given(st.integers(0, 2**32 - 1), CUTOFFS)
def test_gradients_equal_those_of_the_whole_distribution(seed, cutoffs):
    layer, rng = build(cutoffs=cutoffs, seed=seed)
    vectors, targets = tf.constant(rng.normal(size=(3, 4, 9))), rng.integers(-1, 23, (3, 4))
    upstream, weights = rng.normal(size=(3, 4)), layer.trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(vectors)
        found = layer(vectors, targets)
        dense = tf.reduce_sum(tf.one_hot(targets, 23, dtype=tf.float64) * layer.logits(vectors), -1)
    sources = [vectors, *(weight.value for weight in weights)]
    for mine, plain in zip(*(tape.gradient(y, sources, upstream) for y in (found, dense)), strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-9)


def test_positions_without_target_are_ignored(rng):
    layer, _ = build()
    vectors = rng.normal(size=(2, 3, 9))
    vectors[:, 1] = np.nan
    vectors = tf.constant(vectors)
    for targets in ([[3, -1, 22], [7, -1, -1]], [[-1, -1, -1]] * 2):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, tf.constant(targets))
        grad, *weights = tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])
        empty = np.less(targets, 0)
        assert (found.numpy()[empty] == 0).all() and (found.numpy()[~empty] < 0).all()
        assert (grad.numpy()[empty] == 0).all() and grad.numpy()[~empty].all()
        assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_model_of_any_precision_saves_and_loads(policy, tmp_path, rng):
    vectors, targets = keras.Input((None, 9)), keras.Input((None,), dtype="int32")
    batch = [rng.normal(size=(2, 7, 9)).astype("float32"), rng.integers(-1, 23, (2, 7)).astype("int32")]
    layer = AdaptiveSoftmax(23, (5, 12), shrink=2.0, dtype=policy)
    model = keras.Model([vectors, targets], layer(vectors, targets))
    assert model.output_shape == (None, None) and model.outputs[0].dtype == "float32"
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()
    unknown = [tf.TensorSpec((None, None, 9)), tf.TensorSpec((None, None), tf.int32)]
    found = tf.function(loaded, input_signature=[unknown])(batch)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, model(batch))
    expected = distribution(layer, batch[0].astype(float))
    expected = np.take_along_axis(expected, np.maximum(batch[1], 0)[..., None], -1)[..., 0]
    tolerance = {"float32": 1e-5, "mixed_float16": 0.01, "mixed_bfloat16": 0.1}[policy]
    np.testing.assert_allclose(found, np.where(batch[1] < 0, 0, expected), atol=tolerance)


def test_sizes_of_the_clusters():
    layer = AdaptiveSoftmax(100, (20, 50))
    layer.build((None, None, 64))
    shapes = [weight.shape for weight in layer.weights]
    assert shapes == [(64, 22), (22,), (64, 16), (16, 30), (30,), (64, 8), (8, 50), (50,)]


@pytest.mark.parametrize("cutoffs", [(0, 5), (5, 5), (7, 5), (5, 23), (5, 30)])
def test_invalid_cutoffs_raise(cutoffs):
    with pytest.raises(ValueError, match="cutoffs must increase from above 0 to below 23 tokens"):
        AdaptiveSoftmax(23, cutoffs)


@given(st.integers(1, 300_000))
def test_default_cutoffs_suit_any_vocabulary(tokens):
    cutoffs = AdaptiveSoftmax.cutoffs_for(tokens)
    assert AdaptiveSoftmax(tokens, cutoffs).tokens == tokens
    assert (cutoffs == ()) == (tokens < 4000)


def test_compiled_step_has_the_same_gradients():
    layer, rng = build()
    vectors, targets = tf.constant(rng.normal(size=(2, 3, 9))), tf.constant([[3, 22, -1], [7, 6, -1]])

    def step(vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, targets)
        return found, *tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])

    for compiled, plain in zip(tf.function(step, jit_compile=True)(vectors), step(vectors), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-9)
