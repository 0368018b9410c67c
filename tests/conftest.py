"""What all tests share: two logical CPUs, the profile of hypothesis, a small run, the folder with real data."""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

from tests.reviews import SMALL, write_reviews

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


LONG = (
    "tests/recipes/",
    "tests/engine/test_training.py",
    "tests/cli/",
    "tests/layers/test_rnn.py",
    "tests/layers/test_scan.py",
    "tests/layers/test_keras_conformance.py",
    "tests/test_docs.py",
    "tests/test_sklearn.py",
    "tests/engine/",
    "tests/tasks/test_targets.py",
    "tests/decoding/",
)


def pytest_collection_modifyitems(items):
    """The files that take long come first, so that at the end no worker is left alone with one of them."""
    items.sort(key=lambda item: next((i for i, part in enumerate(LONG) if item.nodeid.startswith(part)), len(LONG)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data_folder():
    """The folder with the public data sets, for tests on real data."""
    if "SEQTASKS_DATA" not in os.environ:
        pytest.skip("set SEQTASKS_DATA to the folder with the data sets to run this test")
    return Path(os.environ["SEQTASKS_DATA"])


@pytest.fixture(scope="module")
def no_reports():
    """Trainings of this module write no report, which takes a second or two."""
    from seqtasks.engine.run import Run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", lambda run: None)
        yield


@pytest.fixture(scope="module")
def opened_once():
    """The commands of this module open each run once, as a person does in Python; tests do not change runs."""
    from seqtasks.engine.run import Run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqtasks.cli.console.open_run", functools.cache(Run))
        yield


ALONE = """
import sys
for name in ("keras", "seqtasks", "sentencepiece", "sacrebleu", "tensorflow_text", "soundfile", "pretty_midi"):
    sys.modules[name] = None
import contextlib, io, json, traceback
import tensorflow
for line in sys.stdin:
    printed, error = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
    except Exception:
        error = traceback.format_exc()
    print(json.dumps([printed.getvalue(), error]), flush=True)
"""


@pytest.fixture(scope="session")
def tensorflow_alone():
    """`tensorflow_alone(code)`: the JSON that code prints in a process that can import neither Keras nor seqtasks.

    The process serves all tests of a worker, since importing TensorFlow takes seconds.
    """
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", ALONE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:

        def run(code):
            process.stdin.write(json.dumps(code) + "\n")
            process.stdin.flush()
            printed, error = json.loads(process.stdout.readline())
            assert error is None, error
            return json.loads(printed)

        yield run
        process.stdin.close()


@pytest.fixture(scope="session")
def mirrored():
    """Two replicas, on two logical devices of this CPU."""
    from seqtasks.engine.distribute import strategy

    return strategy("mirrored")


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    """A file of 120 reviews; tests only read it."""
    return write_reviews(tmp_path_factory.mktemp("sentiment") / "reviews.csv")


@pytest.fixture(scope="session")
def small_run(reviews):
    """A run that the command line trained on `reviews` with the options `SMALL`, once per worker.

    Tests only read it. Attributes: `directory`, and `printed`, what the command wrote to standard output.
    """
    from seqtasks.cli.main import main

    directory = reviews.parent / "run"
    options = [f"--{name}={value}" for name, value in SMALL.items() if name != "batch_size"]
    options += ["--batch-size", str(SMALL["batch_size"])]  # a hyphen is read like an underscore
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = main(["train", "sentiment", "--data", str(reviews), "--run", str(directory), *options])
    assert status == 0
    return SimpleNamespace(directory=directory, printed=printed.getvalue())
