"""AdamW with repeated rows of embeddings, clipping, several replicas and averages of the weights; schedules."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.optimizers import AdamW, schedule

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(0, 3, (8, 6))  # three words for 48 places: every row repeats
TARGETS = RANDOM.normal(size=(8, 1)) * 100  # large errors, so that clipping acts


def embedding_model(one_hot):
    inputs = keras.Input((6,), dtype="int32")
    if one_hot:
        x = keras.layers.Dense(4, use_bias=False)(keras.ops.one_hot(inputs, 10))
    else:
        x = keras.layers.Embedding(10, 4)(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))


def trained(model, optimizer, start, strategy=None):
    """Weights after five steps on one batch."""
    with (strategy or tf.distribute.get_strategy()).scope():
        model = model()
        model.set_weights(start)
        model.compile(optimizer(), "mse")
        data = tf.data.Dataset.from_tensor_slices((IDS, TARGETS)).batch(8).repeat(5)
        model.fit(data, verbose=0, shuffle=False)
    return model


@pytest.fixture(scope="module")
def start():
    keras.utils.set_random_seed(1)
    return embedding_model(one_hot=False).get_weights()


@pytest.fixture(scope="module")
def dense(start):
    def optimizer():
        made = keras.optimizers.AdamW(0.1, weight_decay=0.01, global_clipnorm=0.5)
        made.exclude_from_weight_decay(var_names=["bias"])
        return made

    return trained(lambda: embedding_model(one_hot=True), optimizer, start).get_weights()


def our_optimizer():
    return AdamW(0.1, weight_decay=0.01, clip_norm=0.5, ema=0.9)


def test_repeated_rows_match_a_dense_gradient(start, dense):
    for a, b in zip(trained(lambda: embedding_model(False), our_optimizer, start).get_weights(), dense, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_keras_moves_repeated_rows_too_far(start):
    def change(one_hot, optimizer):
        return trained(lambda: embedding_model(one_hot), lambda: optimizer(0.1), start).get_weights()[0] - start[0]

    exact = change(True, keras.optimizers.AdamW)
    np.testing.assert_allclose(change(False, AdamW), change(True, AdamW), atol=1e-5)
    assert np.abs(change(False, keras.optimizers.AdamW)).sum() > 1.5 * np.abs(exact).sum()


@pytest.mark.parametrize("clip_norm", [0.5, None])
def test_two_replicas_match_one(start, mirrored, clip_norm):
    def made():
        return AdamW(0.1, weight_decay=0.01, clip_norm=clip_norm, ema=0.9)

    one, two = (trained(lambda: embedding_model(False), made, start, strategy) for strategy in (None, mirrored))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    before = two.get_weights()
    with one.optimizer.averaged(one), two.optimizer.averaged(two):
        for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        assert np.abs(two.get_weights()[0] - before[0]).max() > 1e-3
    for a, b in zip(two.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_clipping_changes_the_weights(start, dense):
    unclipped = trained(lambda: embedding_model(False), lambda: AdamW(0.1, weight_decay=0.01), start).get_weights()
    assert max(np.abs(a - b).max() for a, b in zip(unclipped, dense, strict=True)) > 1e-3


def test_averaged_weights_replace_the_weights_in_the_context(start):
    model = embedding_model(False)
    model.set_weights(start)
    model.compile(our_optimizer(), "mse")
    average = None
    for step in range(10):
        model.train_on_batch(IDS, TARGETS)
        weights = [v.numpy() for v in model.trainable_variables]
        if step == 0:
            average = weights
        elif step % 4 == 0:
            momentum = min(0.9, (1 + step) / (10 + step)) ** 4
            average = [momentum * a + (1 - momentum) * w for a, w in zip(average, weights, strict=True)]
    before = model.get_weights()
    with model.optimizer.averaged(model):
        for a, b in zip(model.get_weights(), average, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_are_restored_after_an_error_and_kept_without_averages(start):
    model = embedding_model(False)
    model.set_weights(start)
    for ema in (0.9, 0.0):
        model.compile(AdamW(0.1, ema=ema), "mse")
        before = model.get_weights()
        with model.optimizer.averaged(model):  # no step yet, so no average
            assert_weights(model, before)
        model.fit(IDS, TARGETS, epochs=3, verbose=0)
        before = model.get_weights()
        with pytest.raises(ZeroDivisionError), model.optimizer.averaged(model):
            assert (np.abs(model.get_weights()[0] - before[0]).max() > 1e-3) == (ema > 0)
            raise ZeroDivisionError
        assert_weights(model, before)


def assert_weights(model, weights):
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_configuration_makes_an_equal_optimizer():
    rate = schedule("cosine", 0.5, 10, 2)
    made = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(AdamW(rate, 0.1, 0.5, 0.9)))
    assert (made.weight_decay, made.clip_norm, made.ema) == (0.1, 0.5, 0.9)
    assert float(made._learning_rate(6)) == float(rate(6))


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [
        *(("linear", step, rate) for step, rate in [(0, 0.0), (1, 1.0), (2, 2.0), (6, 1.0), (10, 0.0), (11, 0.0)]),
        *(("cosine", step, rate) for step, rate in [(1, 1.0), (2, 2.0), (4, 1 + 0.5**0.5), (6, 1.0), (10, 0.0)]),
        *(("constant", step, rate) for step, rate in [(0, 0.0), (1, 1.0), (2, 2.0), (9, 2.0), (99, 2.0)]),
    ],
)
def test_schedules_match_rates_computed_by_hand(name, step, expected):
    assert float(schedule(name, 2.0, steps=10, warmup=2)(step)) == pytest.approx(expected, abs=1e-6)


def test_constant_schedule_is_a_number():
    assert schedule("constant", 0.1, 10) == 0.1


@pytest.mark.parametrize("clip_by", ["global_norm", "norm", "value"])
def test_clipping_bounds(clip_by, rng):
    gradients = [rng.normal(size=(3, 2)).astype("float32"), rng.normal(size=4).astype("float32") * 5]
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    expected = {
        "global_norm": [g * 0.7 / norm for g in gradients],
        "norm": [g * min(1, 0.7 / np.linalg.norm(g)) for g in gradients],
        "value": [np.clip(g, -0.7, 0.7) for g in gradients],
    }[clip_by]
    clipped = AdamW(clip_norm=0.7, clip_by=clip_by)._clip_gradients([tf.constant(g) for g in gradients])
    for one, other in zip(clipped, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_biases_and_gains_do_not_decay():
    names = {"kernel": 0.9, "bias": 1.0, "recurrent_gain": 1.0}
    variables = [keras.Variable(np.ones(3, "float32"), name=name) for name in names]
    optimizer = AdamW(0.1, weight_decay=1.0)
    optimizer.build(variables)
    optimizer.apply([tf.zeros(3) for _ in variables], variables)
    for variable, expected in zip(variables, names.values(), strict=True):
        np.testing.assert_allclose(variable, np.full(3, expected), rtol=1e-6)


def test_unknown_clipping_raises():
    with pytest.raises(ValueError, match="clip_by must be one of global_norm, norm, value, got 'nrom'"):
        AdamW(clip_by="nrom")


def reference(weight, gradients, rate, decay, begin, scales):
    """Adam with decoupled decay of one weight in NumPy; clipping multiplies each step's gradient by one of `scales`."""
    first, second, values = np.zeros_like(weight), np.zeros_like(weight), [weight]
    for step, (gradient, scale) in enumerate(zip(gradients, scales, strict=True)):
        if step >= begin:
            t = step - begin + 1
            weight = weight - rate * decay * weight
            first = 0.9 * first + 0.1 * gradient * scale
            second = 0.999 * second + 0.001 * (gradient * scale) ** 2
            moved = np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first / (np.sqrt(second) + 1e-7)
            weight = weight - rate * moved
        values.append(weight)
    return np.array(values)


@pytest.mark.parametrize("devices", [1, 2])
def test_rates_and_beginnings_of_weights_match_numpy(devices, mirrored):
    """Three weights: full rate; half the rate from step 2 on; a tenth from step 0 on. The embedding begins late."""
    draw = np.random.default_rng(3)
    starts = [draw.normal(size=(4, 2)) for _ in range(3)]
    gradients = draw.normal(size=(5, 3, 4, 2))
    rates, begins, clip = (1.0, 0.5, 0.1), (0, 2, 0), 0.7
    learning = np.array([[step >= begin for begin in begins] for step in range(5)])
    norms = np.sqrt((gradients**2 * learning[:, :, None, None]).sum((1, 2, 3)))  # without weights that do not learn
    scales = np.minimum(1, clip / norms)
    with (mirrored if devices == 2 else tf.distribute.get_strategy()).scope() as _:
        variables = [keras.Variable(s.astype("float32"), name="kernel") for s in starts]
        optimizer = AdamW(0.1, weight_decay=0.2, clip_norm=clip, rates=rates, begins=begins)
        optimizer.build(variables)
    seen = [[np.array(v) for v in variables]]

    def step(number):
        given = [tf.constant(g / devices, tf.float32) for g in gradients[number]]
        every = tf.range(4)
        given[1] = tf.IndexedSlices(given[1], every, (4, 2))  # as of an embedding
        optimizer.apply(given, variables)

    for number in range(5):
        if devices == 2:
            mirrored.run(step, (number,))
        else:
            step(number)
        seen.append([np.array(v) for v in variables])
    for i in range(3):
        expected = reference(starts[i], gradients[:, i], 0.1 * rates[i], 0.2, begins[i], scales)
        np.testing.assert_allclose([row[i] for row in seen], expected, atol=2e-6)
    np.testing.assert_array_equal(seen[2][1], seen[0][1])


def test_infinite_gradients_of_weights_that_do_not_learn_yet_do_no_harm():
    variables = [keras.Variable(np.ones(2, "float32"), name="kernel") for _ in range(2)]
    optimizer = AdamW(0.1, clip_norm=1.0, begins=(1, 0))
    optimizer.apply([tf.constant([np.inf, np.nan]), tf.ones(2)], variables)
    np.testing.assert_array_equal(variables[0], [1, 1])
    np.testing.assert_allclose(variables[1], [0.9, 0.9], rtol=1e-5)


def test_rates_are_those_of_the_weights_and_are_configured():
    variables = [keras.Variable(np.ones(2, "float32")) for _ in range(2)]
    with pytest.raises(ValueError, match="rates has 3 numbers for 2 trainable weights"):
        AdamW(rates=(1, 1, 1)).build(variables)
    made = AdamW.from_config(AdamW(rates=(1, 0.5), begins=(0, 7)).get_config())
    assert (made.rates, made.begins) == ((1, 0.5), (0, 7))


def test_the_slanted_triangle_is_that_of_the_paper():
    steps, cut, ratio = 50, 5, 32
    for step in (0, 1, 4, 5, 6, 30, 49):
        p = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.1 - 1))
        found = float(schedule("slanted", 0.01, steps, warmup=cut)(step))
        assert found == pytest.approx(0.01 * (1 + p * (ratio - 1)) / ratio, rel=1e-5)
