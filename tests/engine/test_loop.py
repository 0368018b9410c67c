"""The loop over epochs with a model of one weight: when it stops."""

import keras
import pytest
import tensorflow as tf

from seqtasks.engine.loop import Loop, replaces
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
        ([1.0] * 9, False, 9),  # an error rate: nothing right yet
        ([1.2, 1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.1], False, 8),  # patience begins when something is right
        ([None] * 9, True, 9),  # undefined so far
        ([None, 0.4, 0.4, 0.4, 0.5], True, 4),
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


@pytest.mark.parametrize(
    ("value", "best", "larger", "expected"),
    [
        (0.5, 0.4, True, True),
        (0.4, 0.4, True, False),
        (0.0, 0.0, True, True),
        (-0.1, -0.1, True, True),  # a correlation
        (0.3, 0.4, False, True),
        (0.4, 0.4, False, False),
        (0.0, 0.0, False, False),
        (1.0, 1.0, False, True),
        (1.1, 1.0, False, False),
        (1.0, 1.1, False, True),
        (0.99, 1.0, False, True),
        (50.0, 49.9, False, False),  # a perplexity
        (None, None, True, True),
        (0.0, None, True, True),
        (None, 0.0, True, False),
    ],
)
def test_what_replaces_the_best_figure(value, best, larger, expected):
    assert replaces(value, best, larger) == expected
