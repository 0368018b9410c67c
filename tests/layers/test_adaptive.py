"""The adaptive softmax against the whole distribution, in NumPy and by TensorFlow's own gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from seqtasks.layers.adaptive import AdaptiveSoftmax


def made(tokens=23, cutoffs=(5, 12), size=9, seed=0, dtype="float64"):
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
def test_log_likelihoods_are_those_of_the_whole_distribution(seed, cutoffs):
    layer, rng = made(cutoffs=cutoffs, seed=seed)
    vectors, following = rng.normal(size=(3, 4, 9)), rng.integers(-1, 23, (3, 4))
    expected = distribution(layer, vectors)
    np.testing.assert_allclose(layer.logits(vectors), expected, atol=1e-10)
    np.testing.assert_allclose(np.exp(expected).sum(-1), 1, atol=1e-10)
    due = np.take_along_axis(expected, np.maximum(following, 0)[..., None], -1)[..., 0]
    np.testing.assert_allclose(layer(vectors, following), np.where(following < 0, 0, due), atol=1e-10)


@given(st.integers(0, 2**32 - 1), CUTOFFS)
def test_gradients_are_those_of_the_whole_distribution(seed, cutoffs):
    layer, rng = made(cutoffs=cutoffs, seed=seed)
    vectors, following = tf.constant(rng.normal(size=(3, 4, 9))), rng.integers(-1, 23, (3, 4))
    upstream, weights = rng.normal(size=(3, 4)), layer.trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(vectors)
        found = layer(vectors, following)
        dense = tf.reduce_sum(tf.one_hot(following, 23, dtype=tf.float64) * layer.logits(vectors), -1)
    sources = [vectors, *(weight.value for weight in weights)]
    for mine, plain in zip(*(tape.gradient(y, sources, upstream) for y in (found, dense)), strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-9)


def test_places_where_nothing_follows_give_nothing(rng):
    layer, _ = made()
    vectors = rng.normal(size=(2, 3, 9))
    vectors[:, 1] = np.nan
    vectors = tf.constant(vectors)
    for following in ([[3, -1, 22], [7, -1, -1]], [[-1, -1, -1]] * 2):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, tf.constant(following))
        into, *weights = tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])
        empty = np.less(following, 0)
        assert (found.numpy()[empty] == 0).all() and (found.numpy()[~empty] < 0).all()
        assert (into.numpy()[empty] == 0).all() and into.numpy()[~empty].all()
        assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_model_of_any_precision_saves_and_loads(policy, tmp_path, rng):
    vectors, following = keras.Input((None, 9)), keras.Input((None,), dtype="int32")
    batch = [rng.normal(size=(2, 7, 9)).astype("float32"), rng.integers(-1, 23, (2, 7)).astype("int32")]
    layer = AdaptiveSoftmax(23, (5, 12), shrink=2.0, dtype=policy)
    model = keras.Model([vectors, following], layer(vectors, following))
    assert model.output_shape == (None, None) and model.outputs[0].dtype == "float32"
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()
    unknown = [tf.TensorSpec((None, None, 9)), tf.TensorSpec((None, None), tf.int32)]
    found = tf.function(loaded, input_signature=[unknown])(batch)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, model(batch))
    expected = distribution(layer, batch[0].astype(float))
    due = np.take_along_axis(expected, np.maximum(batch[1], 0)[..., None], -1)[..., 0]
    tolerance = {"float32": 1e-5, "mixed_float16": 0.01, "mixed_bfloat16": 0.1}[policy]
    np.testing.assert_allclose(found, np.where(batch[1] < 0, 0, due), atol=tolerance)


def test_the_sizes_of_the_clusters():
    layer = AdaptiveSoftmax(100, (20, 50))
    layer.build((None, None, 64))
    shapes = [weight.shape for weight in layer.weights]
    assert shapes == [(64, 22), (22,), (64, 16), (16, 30), (30,), (64, 8), (8, 50), (50,)]


@pytest.mark.parametrize("cutoffs", [(0, 5), (5, 5), (7, 5), (5, 23), (5, 30)])
def test_cutoffs_that_do_not_rise_are_refused(cutoffs):
    with pytest.raises(ValueError, match="cutoffs must rise from above 0 to below 23 tokens"):
        AdaptiveSoftmax(23, cutoffs)


@given(st.integers(1, 300_000))
def test_default_cutoffs_suit_any_vocabulary(tokens):
    cutoffs = AdaptiveSoftmax.cutoffs_for(tokens)
    assert AdaptiveSoftmax(tokens, cutoffs).tokens == tokens
    assert (cutoffs == ()) == (tokens < 4000)


def test_a_compiled_step_has_the_same_gradients():
    layer, rng = made()
    vectors, following = tf.constant(rng.normal(size=(2, 3, 9))), tf.constant([[3, 22, -1], [7, 6, -1]])

    def step(vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, following)
        return found, *tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])

    for compiled, plain in zip(tf.function(step, jit_compile=True)(vectors), step(vectors), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-9)
