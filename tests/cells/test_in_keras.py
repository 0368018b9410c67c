"""Cells in a person's own Keras model: the weights of Keras' layers, and dropout in single steps."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells import GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from seqtasks.layers import RNN

MASK = np.array([[True] * 4, [True, False, True, False]])
GATES = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}
PAIRS = [
    (keras.layers.SimpleRNN, SimpleRNNCell, {}, {}),
    (keras.layers.SimpleRNN, SimpleRNNCell, {"activation": "relu", "use_bias": False}, {}),
    (keras.layers.GRU, GRUCell, {"reset_after": True}, {}),
    (keras.layers.GRU, GRUCell, {"reset_after": True, "use_bias": False, **GATES}, {}),
    (keras.layers.GRU, GRUCell, {"reset_after": False}, {}),
    (keras.layers.LSTM, LSTMCell, {}, {}),
    (
        keras.layers.LSTM,
        LSTMCell,
        {"unit_forget_bias": False, "bias_initializer": "ones", **GATES},
        {"forget_bias": None},
    ),
]


def randomise(layer, rng):
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize(("kind", "cell", "options", "own"), PAIRS)
def test_weights_are_those_of_keras(kind, cell, options, own, mask, rng):
    theirs = kind(4, return_sequences=True, dtype="float64", **options)
    own = own | {name: value for name, value in options.items() if name != "unit_forget_bias"}
    ours = RNN(cell(4, dtype="float64", **own), return_sequences=True, dtype="float64")
    x = rng.normal(size=(2, 4, 3))
    theirs.build(x.shape), ours.build(x.shape)
    for initial, same in zip(ours.weights, theirs.weights, strict=True):
        assert (initial.name, initial.shape) == (same.name, same.shape)
    if "bias" in ours.weights[-1].name:
        np.testing.assert_array_equal(ours.weights[-1], theirs.weights[-1])  # as initialised
    for source, target in ((theirs, ours), (ours, theirs)):
        randomise(source, rng)
        target.set_weights(source.get_weights())
        np.testing.assert_allclose(ours(x, mask=mask), theirs(x, mask=mask), atol=1e-12)
    states = [rng.normal(size=(2, 4)) for _ in ours.cell.state_sizes]
    for mine, keras_state in zip(ours.cell(x[:, 0], states)[1], theirs.cell(x[:, 0], states)[1], strict=True):
        np.testing.assert_allclose(mine, keras_state, atol=1e-12)


def test_a_file_with_two_biases_of_a_gru_loads(rng):
    cell = GRUCell(4)
    cell.build((None, 3))
    kernel, recurrent, bias = (rng.normal(size=w.shape).astype("float32") for w in cell.weights)
    cell.load_own_variables({"0": kernel, "1": recurrent, "2": bias[0], "3": bias[1]})
    for mine, expected in zip(cell.get_weights(), (kernel, recurrent, bias), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_a_state_need_not_be_in_a_list(rng):
    x, state = rng.normal(size=(2, 3)).astype("float32"), rng.normal(size=(2, 4)).astype("float32")
    ours, theirs = GRUCell(4), keras.layers.GRUCell(4)
    output, new = theirs(x, state)
    ours.build((None, 3))
    ours.set_weights(theirs.get_weights())
    for mine, expected in zip(ours(x, state), (output, new), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-6)


X = np.random.default_rng(1).normal(size=(3, 3, 5)).astype("float32")
CELLS = {
    "lstm": lambda: [LSTMCell(6, dropout=0.5, recurrent_dropout=0.4, seed=1)],
    "gru": lambda: [GRUCell(6, dropout=0.5, recurrent_dropout=0.4, reset_after=False, seed=1)],
    "stacked": lambda: [SimpleRNNCell(6, dropout=0.5, seed=1), PeepholeLSTMCell(3, recurrent_dropout=0.5, seed=2)],
}


@functools.cache
def two_sequences(kind):
    """The last outputs of two sequences with these cells, by steps one after another."""
    cells, last = CELLS[kind](), []
    for _ in range(2):
        states = [cell.get_initial_state(3) for cell in cells]
        for t in range(3):
            x = X[:, t]
            for i, cell in enumerate(cells):
                x, states[i] = cell(x, states[i], training=True)
        last.append(x.numpy())
    assert np.abs(last[0] - last[1]).max() > 0.01
    return last


WAYS = {
    "keras": (keras.layers.RNN, {}, tf.function),
    "keras_unrolled": (keras.layers.RNN, {"unroll": True}, tf.function),
    "keras_eager": (keras.layers.RNN, {}, lambda run: run),
    "ours": (RNN, {}, tf.function),
    "ours_unrolled": (RNN, {"unroll": True}, tf.function),
}


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        *(("lstm", way) for way in WAYS),
        ("gru", "keras"),
        ("gru", "ours"),
        ("stacked", "keras"),
        ("stacked", "ours_unrolled"),
    ],
)
def test_a_sequence_has_masks_of_its_own(kind, way):
    """A layer draws the masks of the steps one by one: the same in all steps, others in the next sequence."""
    layer, options, function = WAYS[way]
    cells = CELLS[kind]()
    rnn = layer(cells if len(cells) > 1 else cells[0], **options)
    rnn.build(X.shape)
    initial = tf.nest.map_structure(tf.zeros_like, rnn.get_initial_state(3))

    def run(x):
        return rnn(x, training=True), rnn(x, initial_state=initial, training=True)

    for output, expected in zip(function(run)(X), two_sequences(kind), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-5)


def ones_cell(**rates):
    """A cell whose output is its masked input or, with recurrent dropout, its masked state."""
    kernels = ("zeros", "identity") if "recurrent_dropout" in rates else ("identity", "zeros")
    names = ("kernel_initializer", "recurrent_initializer")
    cell = SimpleRNNCell(40, activation="linear", **dict(zip(names, kernels, strict=True)), **rates)
    cell.build((None, 40))
    return cell


@pytest.mark.parametrize("rate", ["dropout", "recurrent_dropout"])
def test_a_loop_of_ones_own(rate):
    """In a `tf.while_loop` all steps take the masks that belong to the whole sequence, outside of the loop."""
    cell, x = ones_cell(**{rate: 0.5}), tf.ones((2, 40))

    @tf.function
    def run():
        cell.get_initial_state(2)

        def body(t, a, outputs):
            output, (a,) = cell(x, [a], training=True)
            return t + 1, a if rate == "recurrent_dropout" else x, outputs.write(t, output)

        outputs = tf.TensorArray("float32", 3)
        return tf.while_loop(lambda t, *_: t < 3, body, (0, x, outputs))[2].stack()

    first, second = run().numpy(), run().numpy()
    mask = first[0]
    assert set(mask.ravel()) == {0, 2}
    assert len({row.tobytes() for row in (*mask, *second[0])}) == 4  # rows and sequences differ
    powers = [1, 2, 3] if rate == "recurrent_dropout" else [1, 1, 1]
    for outputs in (first, second):
        np.testing.assert_array_equal(outputs, [outputs[0] ** power for power in powers])


def test_zoneout_is_drawn_at_each_step():
    cell, x = ones_cell(zoneout=0.25), tf.ones((50, 40))
    steps = []
    state = cell.get_initial_state(50)
    for _ in range(2):
        steps.append(cell(x, state, training=True)[0].numpy())
    assert not np.array_equal(*steps)
    for step in steps:
        assert set(step.ravel()) == {0, 1} and abs((step == 0).mean() - 0.25) < 0.05
    np.testing.assert_array_equal(cell(x, state)[0], np.full((50, 40), 0.75))


def test_no_mask_is_shared_in_silence():
    """A step in training whose sequence did not begin in its function is an error."""
    cell, x = ones_cell(dropout=0.5), tf.ones((2, 40))
    step = tf.function(lambda: cell(x, [x], training=True)[0])
    message = "no sequence has begun whose dropout masks this step could take. Call get_initial_state"
    with pytest.raises(ValueError, match=message):
        cell(x, [x], training=True)
    cell.get_initial_state(2)
    cell(x, [x], training=True)
    with pytest.raises(ValueError, match=message):
        step()
    keras.layers.RNN(cell)(x[:, None], training=True)
    with pytest.raises(ValueError, match=message):  # the sequence of the layer is over
        cell(x, [x], training=True)


@pytest.mark.parametrize(
    ("layer", "cells", "options", "function"),
    [
        (keras.layers.RNN, lambda: ones_cell(dropout=0.5), {"stateful": True}, {"jit_compile": True}),
        (RNN, lambda: [ones_cell(), ones_cell(dropout=0.5)], {}, {}),
    ],
)
def test_each_call_of_a_layer_draws_masks(layer, cells, options, function):
    rnn, x = layer(cells(), return_sequences=True, **options), tf.ones((2, 3, 40))
    rnn.build(x.shape)
    run = tf.function(lambda: rnn(x, training=True), **function)
    first, second = run().numpy(), run().numpy()
    for outputs in (first, second):
        np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :1], 3, axis=1))
        assert set(outputs.ravel()) == {0, 2}
    assert not np.array_equal(first, second)
