"""Saved models load after `import seqtasks` alone, and another backend of Keras is refused, in fresh processes."""

import importlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from seqtasks import registry
from seqtasks.cells import LayerNormLSTMCell, LSTMCell
from seqtasks.crf_metrics import CRFAccuracy
from seqtasks.layers import CRF, RNN, Bidirectional
from seqtasks.losses import CRFLoss
from seqtasks.optimizers import AdamW

LOAD = """
import sys
{imports}
assert not any(name.startswith(("seqtasks.layers", "seqtasks.losses")) for name in sys.modules)
model = keras.models.load_model(sys.argv[1])
print(type(model.loss).__name__, type(model.optimizer).__module__)
"""
EVALUATE = """
import numpy as np
words, tags = np.load(sys.argv[2]).values()
figures = model.evaluate(words, tags, verbose=0, return_dict=True)
print(figures["loss"], figures["accuracy"])
"""
REFUSED = "seqtasks needs the TensorFlow backend of Keras, found {}; set KERAS_BACKEND=tensorflow"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder with a compiled model, with its input and targets, and its figures."""
    folder = tmp_path_factory.mktemp("saved")
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = Bidirectional(LSTMCell(3), LSTMCell(3))(x)
    x = RNN(LayerNormLSTMCell(3), return_sequences=True)(x)
    model = keras.Model(inputs, CRF()(keras.layers.Dense(2)(x)))
    model.compile(AdamW(0.01), CRFLoss(), metrics=[CRFAccuracy()])
    words, tags = np.array([[3, 1, 2], [8, 4, 0]]), np.array([[0, 1, 1], [1, 1, 0]])
    model.fit(words, tags, verbose=0)
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", words, tags)
    return folder, model.evaluate(words, tags, verbose=0, return_dict=True)


@pytest.mark.parametrize(  # the figures are those of one model, whatever was imported first
    ("imports", "more"), [("import seqtasks\nimport keras", EVALUATE), ("import keras\nimport seqtasks", "")]
)
def test_a_fresh_process_loads_a_compiled_model(saved, imports, more):
    folder, figures = saved
    command = [sys.executable, "-c", LOAD.format(imports=imports) + more, folder / "model.keras", folder / "data.npz"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loss, optimizer, *found = done.stdout.split()
    assert (loss, optimizer) == ("CRFLoss", "seqtasks.optimizers")
    expected = [figures["loss"], figures["accuracy"]] if more else []
    assert [float(x) for x in found] == pytest.approx(expected, rel=1e-5)


def test_all_saved_classes_are_listed():
    """A class that is missing here cannot be loaded after `import seqtasks` alone: add it to `registry.CLASSES`."""
    for name in ("layers", "models", "losses", "optimizers", "crf_metrics"):
        importlib.import_module(f"seqtasks.{name}")
    entries = keras.saving.get_custom_objects()
    registered = {cls for name, cls in entries.items() if name.startswith("seqtasks>")}
    listed = {
        getattr(importlib.import_module(f"seqtasks.{module}"), name)
        for module, names in registry.CLASSES.items()
        for name in names
    }
    assert registered == listed


def test_another_backend_is_refused_in_one_line(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    unset = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    for setting, told in (
        ({"KERAS_BACKEND": "jax"}, "jax (KERAS_BACKEND)"),
        ({"KERAS_HOME": str(tmp_path)}, f"torch ({tmp_path / 'keras.json'})"),
    ):
        command = [sys.executable, "-m", "seqtasks.cli.main", "train", "sentiment", "--run", str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True, env=unset | setting)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [f"seqtasks: {REFUSED.format(told)}"]
        code = "import seqtasks\ntry: import seqtasks.layers\nexcept ImportError as error: print(error)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=unset | setting)
        assert done.stdout.splitlines() == [REFUSED.format(told)]
    assert not (tmp_path / "run").exists()


def test_keras_that_runs_on_another_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax")))
    with pytest.raises(ImportError) as refused:
        registry.install()
    assert str(refused.value) == REFUSED.format("jax (KERAS_BACKEND)")
