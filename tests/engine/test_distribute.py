"""Strategies by name, and batches that divide among their devices."""

import pytest
import tensorflow as tf

from seqtasks.engine.distribute import check_batch_size, strategy
from seqtasks.errors import UserError

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
