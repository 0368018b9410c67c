"""Strategies by name, and batches that divide among their devices."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.engine import loop
from seqtasks.engine.distribute import check_batch_size, repair, strategy
from seqtasks.engine.experiment import Experiment, check_same
from seqtasks.errors import UserError
from seqtasks.layers import AuxiliaryLoss
from seqtasks.recipe import load_recipe

WITHOUT_GPU = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="this machine has a GPU")


@WITHOUT_GPU
@pytest.mark.parametrize(("name", "replicas"), [("auto", 1), ("cpu", 1), ("mirrored", 2)])
def test_a_strategy_runs_on_its_devices(name, replicas):
    chosen = strategy(name)
    assert chosen.num_replicas_in_sync == replicas
    device = chosen.run(lambda: tf.identity(tf.ones(())).device)
    devices = chosen.experimental_local_results(device)
    assert [d.split("device:")[-1] for d in devices] == [f"CPU:{i}" for i in range(replicas)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("miror", "--strategy: unknown strategy 'miror'; did you mean 'mirrored'?"),
        ("x", "--strategy: unknown strategy 'x'; known are: auto, cpu, gpu, mirrored, multiworker, tpu"),
        pytest.param("gpu", "--strategy: TensorFlow sees no GPU here; use auto or cpu", marks=WITHOUT_GPU),
    ],
)
def test_a_strategy_that_cannot_be_had_is_told(name, told):
    with pytest.raises(UserError) as fault:
        strategy(name)
    assert str(fault.value) == told


@pytest.mark.parametrize(("batch_size", "right"), [(1, 2), (5, 6), (33, 34)])
def test_a_batch_that_does_not_divide_is_told_with_the_next_size_that_does(batch_size, right, mirrored):
    with pytest.raises(UserError) as fault:
        check_batch_size(mirrored, batch_size)
    assert str(fault.value) == f"--batch_size: {batch_size} does not divide among 2 devices; take {right}"
    check_batch_size(mirrored, right)
    check_batch_size(strategy("cpu"), batch_size)


@pytest.mark.parametrize(("how", "size", "rate"), [("none", 8, 0.01), ("linear", 16, 0.02), ("sqrt", 16, 0.014142)])
def test_batch_size_and_rate_are_of_one_device_only_if_asked(how, size, rate, mirrored):
    recipe = load_recipe("ner")
    given = {"batch_size": 8, "learning_rate": 0.01, "device_scaling": how}
    experiment = Experiment(recipe, recipe.Config(strategy="mirrored", **given))
    experiment.scale()
    made = experiment.config
    assert (made.batch_size, made.learning_rate, made.device_scaling) == (size, pytest.approx(rate, 1e-4), "none")
    check_same(made, {}, given, {})  # the same command continues the run
    experiment.scale()
    assert experiment.config == made


def test_statistics_and_auxiliary_losses_are_those_of_the_whole_batch(mirrored, rng):
    """One device has most of the tokens, and rows with another mean."""
    x = rng.normal(size=(4, 5)).astype("float32") * [[1], [2], [3], [4]]
    targets = np.array([[5, 6, 7], [8, 9, -1], [5, -1, -1], [-1, -1, -1]])
    y = rng.normal(size=(4, 1)).astype("float32")

    def trained(strategy):
        with strategy.scope():
            given = [keras.Input((5,), name="x"), keras.Input((3,), dtype="int32", name="targets")]
            hidden = keras.layers.BatchNormalization()(
                keras.layers.Dense(3, "tanh", kernel_initializer="ones")(given[0])
            )
            likely = keras.layers.Dense(3, "tanh", kernel_initializer="ones", name="likely")(given[0])
            passed = AuxiliaryLoss(0.5)(hidden, likely * keras.ops.cast(given[1] >= 0, "float32"), given[1])
            model = keras.Model(given, keras.layers.Dense(1, kernel_initializer="ones")(passed))
            model.compile(keras.optimizers.SGD(0.1), "mse")
            repair(model)
            data = tf.data.Dataset.from_tensors(({"x": x, "targets": targets}, y)).repeat(2)
            history = loop.fit(model, data, 2)
        return history.history["loss"], model.get_weights()

    (one, weights), (two, others) = trained(strategy("cpu")), trained(mirrored)
    np.testing.assert_allclose(two, one, rtol=1e-5)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
