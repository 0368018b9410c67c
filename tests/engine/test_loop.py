"""The loop over epochs with a model of one weight: when it stops."""

import keras
import pytest
import tensorflow as tf

from seqtasks.engine.loop import Loop
from seqtasks.optimizers import AdamW
from seqtasks.options import Options


class Batches:
    """Two batches of one row."""

    def __len__(self):
        return 2

    def epoch(self, seed, epoch, start):
        return tf.data.Dataset.from_tensor_slices((tf.ones((2, 1, 1)), tf.ones((2, 1, 1)))).skip(start)


@pytest.mark.parametrize(
    ("values", "larger", "epochs"),
    [
        ([0.0] * 9, False, 3),  # no errors from the first epoch on: two more epochs bring nothing
        ([0.0] * 9, True, 9),  # nothing right yet
        ([0.1, 0.2, 0.2, 0.2, 0.3], True, 4),
        ([0.5, 0.4, 0.4, 0.4, 0.1], False, 4),
    ],
)
def test_patience_counts_epochs_without_a_better_value(values, larger, epochs, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(AdamW(0.1), "mse")
    figures = iter(values)
    config = Options(epochs=9, patience=2)
    loop = Loop(model, Batches(), lambda x, y: (x, y), lambda: {"m": next(figures)}, config, "m", larger, tmp_path)
    loop.run()
    assert len(loop.state["rows"]) == epochs
    assert loop.state["stopped"] == ("epochs" if epochs == 9 else "patience")
