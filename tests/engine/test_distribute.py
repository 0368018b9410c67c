"""Strategies by name, and batches that divide among their devices."""

import pytest
import tensorflow as tf

from seqtasks.engine.distribute import check_batch_size, strategy
from seqtasks.engine.experiment import Experiment, check_same
from seqtasks.errors import UserError
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
