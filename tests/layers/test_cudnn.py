"""cuDNN without a GPU: weights and masks against its equations, and which graphs call it if there is one."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import RNN, Bidirectional, cudnn

TIME, FEATURES, UNITS = 6, 3, 4
GPU = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")]


def by_equations(input, input_h, input_c, params, sequence_lengths, rnn_mode, is_training, time_major):
    """`CudnnRNNV3` by the equations and the layout of the weights in NVIDIA's documentation (`cudnnRNNMode_t`)."""
    assert is_training and time_major
    gates, place, found = {"lstm": 4, "gru": 3}[rnn_mode], 0, []
    units, features = input_h.shape[-1], input.shape[-1]
    for shape in [(units, features)] * gates + [(units, units)] * gates + [(units,)] * (2 * gates):
        found.append(tf.reshape(params[place : place + np.prod(shape)], shape))
        place += np.prod(shape)
    assert place == params.shape[0]
    w, r, bw, br = (found[i * gates : (i + 1) * gates] for i in range(4))
    h, c, outputs = input_h[0], input_c[0] if rnn_mode == "lstm" else None, []
    for t in range(input.shape[0]):
        of_x = [input[t] @ tf.transpose(w[g]) + bw[g] for g in range(gates)]
        of_h = [h @ tf.transpose(r[g]) + br[g] for g in range(gates)]
        live = (t < sequence_lengths)[:, None]
        if rnn_mode == "lstm":
            i, f, o = (tf.sigmoid(of_x[g] + of_h[g]) for g in (0, 1, 3))
            new_c = f * c + i * tf.tanh(of_x[2] + of_h[2])
            new_h, c = o * tf.tanh(new_c), tf.where(live, new_c, c)
        else:
            reset, update = (tf.sigmoid(of_x[g] + of_h[g]) for g in (0, 1))
            new_h = (1 - update) * tf.tanh(of_x[2] + reset * of_h[2]) + update * h
        h = tf.where(live, new_h, h)
        outputs.append(tf.where(live, new_h, tf.zeros_like(new_h)))
    return tf.stack(outputs), h[None], None if c is None else c[None], None, None


MASKS = {
    "none": None,
    "padding": np.arange(TIME) < [[TIME], [1], [3]],
    "holes": np.array([[1, 0, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]], bool),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("name", "options"), [("lstm", {}), ("gru", {}), ("gru", {"use_bias": False})])
def test_numbers_and_gradients_are_those_of_the_loop(name, options, mask, rng, monkeypatch):
    made = (cells.make(name, UNITS, dtype="float64", **options) for _ in range(2))
    layer = Bidirectional(*made, dtype="float64")
    x = tf.constant(rng.normal(size=(3, TIME, FEATURES)))
    layer(x)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    states = [tf.constant(rng.normal(size=(3, UNITS))) for _ in range(2 * len(layer.forward.state_sizes))]
    mask = None if mask == "none" else tf.constant(MASKS[mask])
    upstream = rng.normal(size=(3, TIME, 2 * UNITS))

    @tf.function
    def run():
        weights = [w.value for w in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = layer(x, initial_state=states, mask=mask)
            loss = tf.reduce_sum(outputs * upstream)
        return [outputs, *tape.gradient(loss, [x, *states, *weights])]

    loop = run()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: GPU)
    calls = []
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", lambda **given: calls.append(1) or by_equations(**given))
    run = tf.function(run.python_function)
    for one, other in zip(run(), loop, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert len(calls) == 2  # one for each direction


def calls_of(layer, monkeypatch, context=contextlib.nullcontext, **call):
    """How many calls of cuDNN the graph of a layer has where there is a GPU."""
    layer(tf.ones((2, 3, FEATURES)))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: GPU)

    @tf.function(input_signature=[tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None, None], "bool")])
    def run(x, mask):
        with context():
            return layer(x, mask=mask, **call)

    return [operation.type for operation in run.get_concrete_function().graph.get_operations()].count("CudnnRNNV3")


@pytest.mark.parametrize(
    ("cell", "calls"),
    [
        (cells.make("lstm", UNITS), 1),
        (cells.make("gru", UNITS, dropout=0.1), 1),
        (cells.make("lstm", UNITS, recurrent_dropout=0.1), 0),
        (cells.make("lstm", UNITS, zoneout=0.1), 0),
        (cells.make("gru", UNITS, reset_after=False), 0),
        (cells.make("lstm", UNITS, activation="relu"), 0),
        (cells.make("peephole_lstm", UNITS), 0),
        (cells.make("layer_norm_lstm", UNITS), 0),
    ],
)
def test_cudnn_runs_the_cells_that_it_has(cell, calls, monkeypatch):
    assert calls_of(RNN(cell), monkeypatch, training=True) == calls


def test_no_cudnn_in_exports_and_on_a_device_that_has_none(monkeypatch):
    layer = Bidirectional(cells.make("lstm", UNITS), cells.make("lstm", UNITS))
    assert calls_of(layer, monkeypatch) == 2
    assert calls_of(layer, monkeypatch, cudnn.without_cudnn) == 0
    assert calls_of(layer, monkeypatch, lambda: tf.device("/cpu:0")) == 0
