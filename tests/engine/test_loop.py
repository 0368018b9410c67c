"""The loop over epochs with a model of one weight: when it stops."""

import itertools

import keras
import pytest
import tensorflow as tf

from seqtasks.engine.loop import Loop
from seqtasks.engine.stopping import gives_up, replaces
from seqtasks.optimizers import AdamW
from seqtasks.options import Options


class Batches:
    """Two batches of one row."""

    def __len__(self):
        return 2

    def epoch(self, seed, epoch, start):
        return tf.data.Dataset.from_tensor_slices((tf.ones((2, 1, 1)), tf.ones((2, 1, 1)))).skip(start)


def trained(directory, figures, rate, larger=True, **options):
    """The loop after training a model of one weight, whose validation figures are given."""
    (directory / "checkpoints").mkdir()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(AdamW(rate), "mse")
    config, figures = Options(**{"epochs": 9, "patience": 2, "evaluate_every": 1} | options), iter(figures)
    validate = lambda: {"m": next(figures)}  # noqa: E731
    loop = Loop(model, Batches(), lambda x, y: (x, y), validate, config, "m", larger, directory)
    loop.run()
    return loop


@pytest.mark.parametrize(
    ("values", "larger", "epochs"),
    [
        ([0.0] * 9, False, 3),  # no errors from the first epoch on: two more epochs bring nothing
        ([0.0] * 9, True, 9),  # nothing right yet
        ([0.1, 0.2, 0.2, 0.2, 0.3], True, 4),
        ([0.5, 0.4, 0.4, 0.4, 0.1], False, 4),
        ([1.0] * 9, False, 9),  # an error rate: nothing right yet
        ([1.0] + [1.1] * 8, False, 9),
        ([1.2, 1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.1], False, 8),  # patience begins when something is right
        ([None] * 9, True, 9),  # undefined so far
        ([None, 0.4, 0.4, 0.4, 0.5], True, 4),
    ],
)
def test_patience_counts_evaluations_without_a_better_value(values, larger, epochs, tmp_path):
    loop = trained(tmp_path, values, 1e-9, larger)
    assert loop.state["epoch"] == epochs
    assert loop.state["stopped"] == ("epochs" if epochs == 9 else "patience")


@pytest.mark.parametrize(
    ("values", "larger", "best"),
    [
        ([0.5, 0.0, 0.0, 0.1, 0.2], False, 3),  # the last without an error
        ([0.5, 1.0, 1.0, 0.9, 0.8], True, 3),
        ([0.5, 0.6, 0.6, 0.1, 0.2], True, 2),  # the first of others
    ],
)
def test_of_epochs_without_an_error_the_last_is_kept(values, larger, best, tmp_path):
    assert trained(tmp_path, values, 1e-9, larger).state["best_epoch"] == best


def test_the_last_epoch_is_kept_where_it_is_asked_for(tmp_path):
    kernels = []
    for keep, values in (("last", [0.3, 0.9, 0.2]), ("best", [0.1, 0.2, 0.3]), ("best", [0.3, 0.9, 0.2])):
        (directory := tmp_path / str(len(kernels))).mkdir()
        loop = trained(directory, values, 0.02, epochs=3, patience=1, keep=keep)
        assert loop.state["best_epoch"] == (2 if keep == "best" and values[1] == 0.9 else 3)
        kernels.append(float(loop.model.weights[0][0, 0]))
    assert kernels[0] == kernels[1] != kernels[2]


def test_patience_waits_while_the_loss_falls_but_not_for_ever(tmp_path):
    loop = trained(tmp_path, [0.2] + [0.1] * 8, 0.02)
    losses = [row["loss"] for row in loop.state["rows"]]
    assert all(b < 0.95 * a for a, b in itertools.pairwise(losses))
    assert loop.state["epoch"] == 5 and loop.state["stopped"] == "patience"  # twice two after the best


PLATEAU = [300.0, 60.0, 60.0, 60.0, 60.0]  # what CTC does before it finds the alignment


@pytest.mark.parametrize(
    ("losses", "waited", "patience", "expected"),
    [
        ([*PLATEAU, 60.0, 60.0], 2, 3, False),  # too early
        ([*PLATEAU, 60.0, 60.0], 3, 3, True),
        ([*PLATEAU, 58.0, 57.0], 3, 3, False),
        ([*PLATEAU, 59.9, 59.8], 3, 3, True),  # less than 1 %
        ([*PLATEAU, 61.0, 30.0], 3, 3, False),
        ([*PLATEAU, 70.0, 90.0], 3, 3, True),
        ([*PLATEAU, 58.0, 57.0], 3, 0, False),
        ([*PLATEAU, 58.0, 57.0], 5, 3, False),
        ([*PLATEAU, 58.0, 57.0], 6, 3, True),  # twice the patience
        ([1.0, 0.5], 1, 1, False),
        ([1.0, 1.0], 1, 1, True),
        ([1.0, float("nan")], 1, 1, True),
        ([0.0, 0.0], 1, 1, True),
        ([-1.0, -1.2], 1, 1, False),  # a log-likelihood
        ([-1.0, -1.0], 1, 1, True),
    ],
)
def test_training_gives_up_when_neither_figure_nor_loss_gets_better(losses, waited, patience, expected):
    assert gives_up(losses, waited, patience) == expected


def test_several_epochs_are_evaluated_together(tmp_path):
    loop = trained(tmp_path, [0.1, 0.3, 0.2], 0.02, evaluate_every=2, epochs=5, patience=0)
    rows = loop.state["rows"]
    assert [row["epoch"] for row in rows] == [2, 4, 5] and loop.state["best_epoch"] == 4
    (tmp_path / "each").mkdir()
    each = [row["loss"] for row in trained(tmp_path / "each", [0.1] * 5, 0.02, epochs=5, patience=0).state["rows"]]
    expected = [(each[0] + each[1]) / 2, (each[2] + each[3]) / 2, each[4]]
    assert [row["loss"] for row in rows] == pytest.approx(expected, rel=1e-6)


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
