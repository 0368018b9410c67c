"""What all tests share: two logical CPUs for strategies, hypothesis' profile, the folder with real data."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores: a thread each inside an operation
    tf.config.threading.set_intra_op_parallelism_threads(1)
hypothesis.settings.register_profile(
    "seqtasks",
    max_examples=5,
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,  # people explore; what decides whether a change lands draws the same every time
)
hypothesis.settings.load_profile("seqtasks")


@pytest.fixture(autouse=True, scope="module")
def trainings_are_not_looked_into(request):
    """The flow of gradients is told of every run, at the price of a backpropagation; few modules test that."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.split(".")[-1] not in ("test_gradient_flow", "test_page"):
            patch.setattr("seqtasks.engine.gradient_flow.gradient_flow", lambda *given, **options: {})
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data_folder():
    """The folder with the public data sets, for tests on real data."""
    if "SEQTASKS_DATA" not in os.environ:
        pytest.skip("set SEQTASKS_DATA to the folder with the data sets to run this test")
    return Path(os.environ["SEQTASKS_DATA"])


@pytest.fixture(scope="session")
def mirrored():
    """Two replicas, on two logical devices of this CPU."""
    from seqtasks.engine.distribute import strategy

    return strategy("mirrored")
