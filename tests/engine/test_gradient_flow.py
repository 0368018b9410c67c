"""The gradient over time against a derivative that is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.cells import SimpleRNNCell
from seqtasks.engine.gradient_flow import rows
from seqtasks.layers import RNN, Bidirectional


def linear_model(weight, name="rnn"):
    """a<t> = w a<t-1> + x<t>, and the last state is the answer: the derivative in x<t> is w to the power of T - t."""
    layer = RNN(SimpleRNNCell(1, activation="linear"), name=name)
    model = keras.Sequential([keras.Input((None, 1)), layer])
    layer.set_weights([np.ones((1, 1)), np.full((1, 1), weight), np.zeros(1)])
    model.compile(loss=lambda y_true, y_pred: tf.reduce_sum(y_pred, -1))
    return model


@pytest.mark.parametrize("weight", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("rows_", [1, 6])
def test_a_linear_recurrence_has_powers_of_its_weight(weight, rows_, rng):
    batch = rng.normal(size=(rows_, 12, 1)).astype("float32"), np.zeros((rows_, 1), "float32")
    norms = seqtasks.gradient_flow(linear_model(weight), batch)["rnn"]
    np.testing.assert_allclose(norms, weight ** np.arange(11, -1, -1.0), rtol=1e-5)


def test_every_recurrent_layer_has_its_line_and_masked_steps_none(rng, tmp_path):
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = Bidirectional(SimpleRNNCell(3), SimpleRNNCell(3), name="both")(x)
    outputs = keras.layers.Dense(2)(RNN(SimpleRNNCell(3), name="one")(x))
    model = keras.Model(inputs, outputs)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    tokens = np.array([[3, 4, 5, 0], [6, 7, 0, 0]])
    norms = seqtasks.gradient_flow(model, (tokens, np.array([0, 1])), path=tmp_path / "flow.png")
    assert list(norms) == ["both", "one"]
    for values in norms.values():
        assert np.all(values[:3] > 0) and np.isnan(values[3])
    assert (tmp_path / "flow.png").read_bytes()[1:4] == b"PNG"
    assert [row["step"] for row in rows(norms)] == [1, 2, 3, 4]


def test_a_model_without_recurrence_has_none():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    assert seqtasks.gradient_flow(model, (np.ones((2, 3)), np.ones((2, 1)))) == {}
