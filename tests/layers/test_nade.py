"""Distributions over frames against the enumeration of all frames, and NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from seqtasks.layers.nade import NADE, IndependentBernoulli

HEADS = {"independent": IndependentBernoulli, "nade": NADE}
heads = pytest.mark.parametrize("kind", HEADS)
ALL_FRAMES = np.array(list(itertools.product([0, 1], repeat=5)))  # (32, 5)


def made(kind, seed=0, keys=5, dtype="float64"):
    options = {"hidden": 7} if kind == "nade" else {}
    layer, rng = HEADS[kind](keys=keys, dtype=dtype, **options), np.random.default_rng(seed)
    layer.build((None, None, 3))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer, rng


def numbers(layer):
    return [weight.numpy() for weight in layer.weights]


def logit(weights, vector, below):
    """The logit of the key above those in `below`, by the equations of the docstrings."""
    kernel, bias, *more = weights
    key, found = len(below), vector @ kernel + bias
    if not more:
        return found[key]
    note_kernel, key_kernel = more
    c = found[len(note_kernel) :]
    return found[key] + key_kernel[key] @ expit(c + np.asarray(below) @ note_kernel[:key])


def log_likelihood(weights, vector, frame):
    logits = [logit(weights, vector, frame[:key]) for key in range(len(frame))]
    return sum(np.log(expit(one if on else -one)) for one, on in zip(logits, frame, strict=True))


@heads
@given(seed=st.integers(0, 2**32 - 1))
def test_likelihoods_match_the_equations_and_sum_to_one(kind, seed):
    layer, rng = made(kind, seed)
    vector, weights = rng.normal(size=3), numbers(layer)
    found = layer(np.tile(vector, (2, 16, 1)), ALL_FRAMES.reshape(2, 16, 5)).numpy().ravel()
    np.testing.assert_allclose(found, [log_likelihood(weights, vector, frame) for frame in ALL_FRAMES], atol=1e-9)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-9)


@heads
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_match_automatic_differentiation(kind, seed):
    layer, rng = made(kind, seed)
    vectors, targets = tf.constant(rng.normal(size=(2, 3, 3))), rng.integers(0, 2, (2, 3, 5))
    upstream, weights = rng.normal(size=(2, 3)), [weight.value for weight in layer.weights]
    on = targets.astype(float)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(vectors)
        found = layer(vectors, targets)
        logits = tf.tensordot(vectors, weights[0], 1) + weights[1]
        if kind == "nade":
            logits, c = logits[..., :5], logits[..., 5:]
            a = [c + tf.tensordot(tf.constant(on[..., :key]), weights[2][:key], 1) for key in range(5)]
            logits += tf.stack([tf.tensordot(tf.sigmoid(a[key]), weights[3][key], 1) for key in range(5)], -1)
        plain = tf.reduce_sum(tf.math.log_sigmoid(logits * (2 * on - 1)), -1)
    sources = [vectors, *weights]
    for mine, theirs in zip(*(tape.gradient(y, sources, upstream) for y in (found, plain)), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


@heads
def test_logits_far_from_zero_stay_exact(kind):
    layer, _ = made(kind, dtype="float32")
    vector, frame, logits = np.array([300.0, -200.0, 100.0]), [], []
    while len(frame) < 5:  # the least probable frame
        logits.append(logit(numbers(layer), vector, frame))
        frame.append(int(logits[-1] < 0))
    expected = -np.logaddexp(0, np.abs(logits)).sum()
    assert expected < -500  # exp of it is 0
    found = layer(vector[None, None], np.array([[frame]])).numpy()
    assert found.item() == pytest.approx(expected, rel=1e-5)


@heads
@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_frames_are_sampled_with_their_probabilities(kind, temperature):
    layer, rng = made(kind)
    vector, weights, size = rng.normal(size=3) * 0.5, numbers(layer), 20_000
    samples, _ = layer.draw(tf.constant(np.tile(vector, (size, 1))), tf.constant([3, 4]), tf.constant(temperature))
    found = np.bincount(samples.numpy().astype(int) @ 2 ** np.arange(4, -1, -1), minlength=32) / size
    expected = np.ones(32)
    for number, frame in enumerate(ALL_FRAMES):
        for key, on in enumerate(frame):
            one = logit(weights, vector, frame[:key]) / temperature
            expected[number] *= expit(one if on else -one)
    assert (np.abs(found - expected) < 4.5 * np.sqrt(expected * (1 - expected) / size) + 1e-4).all()


@heads
@given(seed=st.integers(0, 2**31 - 1))
def test_temperature_0_takes_the_more_probable_state_of_each_key(kind, seed):
    layer, rng = made(kind, seed)
    vectors, weights = rng.normal(size=(4, 3)), numbers(layer)
    frames, found = layer.draw(tf.constant(vectors), (seed, 1), temperature=0)
    for vector, frame, one in zip(vectors, frames.numpy(), found.numpy(), strict=True):
        greedy = []
        while len(greedy) < 5:
            greedy.append(int(logit(weights, vector, greedy) > 0))
        assert frame.tolist() == greedy
        assert one == pytest.approx(log_likelihood(weights, vector, greedy), abs=1e-9)


@heads
def test_samples_in_a_loop_have_the_likelihoods_of_the_layer(kind):
    layer, rng = made(kind, keys=88, dtype="float32")
    vectors = tf.constant(rng.normal(size=(6, 3)), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 3))])
    def write(vectors):
        def body(t, frames, found):
            frame, one = layer.draw(vectors, tf.stack([5, t]), 0.7)
            return t + 1, frames.write(t, frame), found.write(t, one)

        arrays = [tf.TensorArray(tf.float32, 3) for _ in range(2)]
        _, frames, found = tf.while_loop(lambda t, *_: t < 3, body, (0, *arrays))
        return frames.stack(), found.stack()

    frames, found = write(vectors)
    np.testing.assert_allclose(layer(tf.tile(vectors[None], (3, 1, 1)), frames), found, rtol=1e-5)
    assert 0.05 < frames.numpy().mean() < 0.95 and (frames[0] != frames[1]).numpy().any()
    np.testing.assert_array_equal(write(vectors[:2])[0], frames[:, :2])  # a sample does not depend on the batch


@heads
def test_steps_without_a_target_have_no_likelihood_and_no_gradient(kind, rng):
    layer, _ = made(kind)
    vectors = rng.normal(size=(2, 3, 3))
    vectors[:, 1] = np.nan
    vectors, targets = tf.constant(vectors), rng.integers(0, 2, (2, 3, 5)).astype(float)
    for empty in (np.array([[False, True, False], [False, True, True]]), np.ones((2, 3), bool)):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, tf.constant(np.where(empty[..., None], -1, targets)))
        grad, *weights = tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])
        assert (found.numpy()[empty] == 0).all() and (found.numpy()[~empty] < 0).all()
        assert (grad.numpy()[empty] == 0).all() and grad.numpy()[~empty].all()
        assert all(np.isfinite(weight).all() for weight in weights)


@heads
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_model_of_any_precision_saves_and_loads(kind, policy, tmp_path):
    layer, rng = made(kind, dtype=policy)
    vectors, targets = keras.Input((None, 3)), keras.Input((None, 5))
    model = keras.Model([vectors, targets], layer(vectors, targets))
    assert model.output_shape == (None, None) and model.outputs[0].dtype == "float32"
    batch = [rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(0, 2, (2, 4, 5)).astype("float32")]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()
    unknown = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None, 5))]
    found, saved = (tf.function(each, input_signature=[unknown])(batch) for each in (loaded, model))
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, saved)  # as graphs both: a fused product rounds once in bfloat16
    expected = [log_likelihood(numbers(layer), *pair) for pair in zip(*(x.reshape(8, -1) for x in batch), strict=True)]
    tolerance = {"float32": 1e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.2}[policy]
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=tolerance)
    half = tf.cast(batch[0][0], layer.compute_dtype)
    frames, log_probs = loaded.layers[-1].draw(half, (0, 1))
    assert frames.dtype == log_probs.dtype == tf.float32


@heads
def test_a_compiled_step_has_the_same_gradients(kind):
    layer, rng = made(kind)
    vectors, targets = tf.constant(rng.normal(size=(2, 3, 3))), rng.integers(0, 2, (2, 3, 5))
    targets[1, 1:] = -1

    def step(vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            found = layer(vectors, tf.constant(targets))
        return found, *tape.gradient(found, [vectors, *(weight.value for weight in layer.weights)])

    for compiled, plain in zip(tf.function(step, jit_compile=True)(vectors), step(vectors), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-9)
