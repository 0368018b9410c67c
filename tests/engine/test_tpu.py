"""What a TPU needs, without one: steps that XLA compiles, of few shapes and with numbers only; errors that are told."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.data.batches import Batches
from seqtasks.data.sources import Example, Source
from seqtasks.engine import loop, tpu
from seqtasks.engine.distribute import strategy
from seqtasks.errors import UserError
from seqtasks.options import Options
from tests import workers


def gradients_of(model, batch):
    """A function without arguments: (loss, gradients) of a batch."""
    inputs, targets, weight = batch

    def run():
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = model.compute_loss(inputs, targets, outputs, weight)
        gradients = tape.gradient(loss, model.trainable_weights)
        return loss, [tf.convert_to_tensor(g) for g in gradients]

    return run


def recipes(fast):
    """Names of all recipes; those that take long have the marker `slow`."""
    return [pytest.param(name, marks=[] if name in fast else pytest.mark.slow) for name in sorted(workers.TINY)]


@pytest.mark.parametrize("name", recipes(fast=("language_model", "music")))
def test_the_training_step_compiles_and_gives_the_same_loss_gradients_and_update(name):
    experiment, made = workers.prepared(name, batch_size=4)
    batch = next(iter(made.batches.epoch(0).map(experiment.fit_inputs(made))))
    assert not any(x.dtype == tf.string for x in tf.nest.flatten(batch))
    model = made.model
    variables = [*model.variables, *model.optimizer.variables]
    before, began = ([v.numpy() for v in each] for each in (variables, model.trainable_variables))

    def step():
        loss, gradients = gradients_of(model, batch)()
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss, gradients

    found = []
    for compiled in (False, True):
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        loss, gradients = tf.function(step, jit_compile=compiled)()
        found.append((loss, gradients, [v.numpy() for v in model.trainable_variables]))
    (plain, gradients, weights), (compiled, others, updated) = found
    np.testing.assert_allclose(compiled, plain, rtol=1e-5)
    scale = max(float(tf.reduce_max(abs(g))) for g in gradients)
    for a, b in zip(gradients, others, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5 * scale)
    assert any((a != b).any() for a, b in zip(began, weights, strict=True))
    for a, b in zip(weights, updated, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-4)


def batches(doubling):
    """Rows of one to forty words, in batches of eight."""
    rows = [Example("w " * (1 + i % 40), f"{i % 2}", i) for i in range(100)]

    def encode(texts):
        return {"words": tf.strings.length(tf.strings.split(texts))}

    source = Source(lambda: iter(rows), "rows")
    return Batches(source, 100, encode, tf.strings.to_number, 8, shuffle_buffer=1, doubling=doubling)


def test_batches_have_few_shapes_and_all_examples():
    plain, doubled = (list(batches(d).epoch()) for d in (False, True))
    assert {f["words"].shape for f, *_ in doubled} == {(8, length) for length in (8, 16, 32, 64)}
    assert sum(float(tf.reduce_sum(weight)) for *_, weight, _ in doubled) == 100
    for (a, *others), (b, *doubles) in zip(plain, doubled, strict=True):
        np.testing.assert_array_equal(a["words"], b["words"][:, : a["words"].shape[1]])
        assert not b["words"][:, a["words"].shape[1] :].numpy().any()
        for x, y in zip(others, doubles, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_step_is_traced_once_for_each_length_with_all_shapes_known_and_trains_like_fit():
    seen, weights = [], []

    class Seen(keras.layers.Layer):
        def call(self, x):
            seen.append(tuple(x.shape))
            return tf.cast(x, tf.float32)

    for repaired in (False, True):
        keras.utils.set_random_seed(0)
        with strategy("cpu").scope():
            inputs = keras.Input((None,), name="words", dtype="int32")
            model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(
                keras.layers.Reshape((-1, 1))(Seen()(inputs)))))  # fmt: skip
            model.compile(keras.optimizers.SGD(0.01), "mse")
        seen.clear()
        if repaired:
            tpu.repair(model)
        loop.fit(model, batches(True).epoch().map(lambda f, t, w, i: (f["words"], t, w)), 13)
        weights.append(model.get_weights())
        assert repaired == (set(seen) == {(8, 8), (8, 16), (8, 32), (8, 64)} and len(seen) == 4)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "--strategy tpu: this machine has no TPU and the environment names none; give an address with --tpu"),
        ("grpc://127.0.0.1:1", "--tpu: no TPU answers at grpc://127.0.0.1:1; give the address of one that is running"),
        ("grpc://nowhere", "--tpu: no TPU answers at grpc://nowhere; give the address of one that is running"),
    ],
)
def test_a_tpu_that_is_not_there_is_told(address, told, monkeypatch):
    monkeypatch.setattr(tpu, "CHIPS", ())
    for name in tpu.NAMED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError) as fault:
        strategy("tpu", address)
    assert str(fault.value) == told


def test_an_address_without_the_strategy_and_batches_by_tokens_are_told():
    with pytest.raises(UserError, match="--tpu: has no effect with --strategy cpu; add --strategy tpu"):
        strategy("cpu", "local")
    inputs = keras.Input((3,), name="words")
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    tpu.check(Options(), model)
    with pytest.raises(UserError, match="--batch_by tokens: has batches of any number of rows"):
        tpu.check(Options(batch_by="tokens"), model)
    texts = keras.Input((), dtype="string", name="texts")
    with pytest.raises(UserError, match=r"--strategy tpu: the model takes texts \(texts\)"):
        tpu.check(Options(), keras.Model(texts, keras.layers.Identity()(texts)))
