"""Every cell against its equations in NumPy."""

import keras
import numpy as np
import pytest

from seqtasks import cells
from seqtasks.cells import CELLS, GRUCell, LSTMCell, SimpleRNNCell


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn(cell, x, states):
    w_ax, w_aa, b_a = cell.get_weights()
    return [np.tanh(states[0] @ w_aa + x @ w_ax + b_a)]


def gru(cell, x, states):
    """The lecture's equations; the first third of the weights is that of Gamma_u, negated."""
    kernel, recurrent_kernel, *biases = cell.get_weights()
    w_ux, w_rx, w_cx = np.split(kernel, 3, axis=-1)
    w_uc, w_rc, w_cc = np.split(recurrent_kernel, 3, axis=-1)
    b_u, b_r, b_c = np.split(biases[0], 3)
    c_u, c_r, b_cc = np.split(biases[1] if cell.reset_after else np.zeros_like(biases[0]), 3)
    (c,) = states
    gamma_u = sigmoid(-(c @ w_uc + x @ w_ux + b_u + c_u))
    gamma_r = sigmoid(c @ w_rc + x @ w_rx + b_r + c_r)
    recurrent = gamma_r * (c @ w_cc + b_cc) if cell.reset_after else (gamma_r * c) @ w_cc
    return [gamma_u * np.tanh(recurrent + x @ w_cx + b_c) + (1 - gamma_u) * c]


def lstm(cell, x, states):
    kernel, recurrent_kernel, bias = cell.get_weights()
    a, c = states
    u, f, candidate, o = np.split(a @ recurrent_kernel + x @ kernel + bias, 4, axis=-1)
    c = sigmoid(u) * np.tanh(candidate) + sigmoid(f) * c
    return [sigmoid(o) * np.tanh(c), c]


def simplified_gru(cell, x, states):
    kernel, recurrent_kernel, bias = cell.get_weights()
    (c,) = states
    u, candidate = np.split(c @ recurrent_kernel + x @ kernel + bias, 2, axis=-1)
    return [sigmoid(u) * np.tanh(candidate) + (1 - sigmoid(u)) * c]


def peephole_lstm(cell, x, states):
    kernel, recurrent_kernel, bias, peephole, p_o = cell.get_weights()
    p_u, p_f = np.split(peephole, 2)
    a, c = states
    u, f, candidate, o = np.split(a @ recurrent_kernel + x @ kernel + bias, 4, axis=-1)
    new = sigmoid(u + p_u * c) * np.tanh(candidate) + sigmoid(f + p_f * c) * c
    return [sigmoid(o + p_o * new) * np.tanh(new), new]


def coupled_lstm(cell, x, states):
    kernel, recurrent_kernel, bias = cell.get_weights()
    a, c = states
    u, candidate, o = np.split(a @ recurrent_kernel + x @ kernel + bias, 3, axis=-1)
    c = sigmoid(u) * np.tanh(candidate) + (1 - sigmoid(u)) * c
    return [sigmoid(o) * np.tanh(c), c]


def norm(x, gain):
    centred = x - x.mean(-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def layer_norm_simple_rnn(cell, x, states):
    w_ax, w_aa, b_a, gain = cell.get_weights()
    return [np.tanh(norm(states[0] @ w_aa + x @ w_ax, gain) + b_a)]


def layer_norm_gru(cell, x, states):
    kernel, recurrent_kernel, bias, gain, recurrent_gain = cell.get_weights()
    (c,), n = states, 2 * cell.units
    xs, cs = x @ kernel, c @ recurrent_kernel
    gates = sigmoid(norm(xs[:, :n], gain[:n]) + norm(cs[:, :n], recurrent_gain[:n]) + bias[:n])
    z, r = np.split(gates, 2, axis=-1)  # z = 1 - Gamma_u
    candidate = np.tanh(norm(xs[:, n:], gain[n:]) + bias[n:] + r * norm(cs[:, n:], recurrent_gain[n:]))
    return [(1 - z) * candidate + z * c]


def layer_norm_lstm(cell, x, states):
    kernel, recurrent_kernel, bias, gain, recurrent_gain, memory_gain, memory_bias = cell.get_weights()
    a, c = states
    gates = norm(x @ kernel, gain) + norm(a @ recurrent_kernel, recurrent_gain) + bias
    u, f, candidate, o = np.split(gates, 4, axis=-1)
    c = sigmoid(u) * np.tanh(candidate) + sigmoid(f) * c
    return [sigmoid(o) * np.tanh(norm(c, memory_gain) + memory_bias), c]


def nas(cell, x, states):
    kernel, recurrent_kernel, bias = cell.get_weights()
    a, c = states
    xs, hs = np.split(x @ kernel + bias, 8, axis=-1), np.split(a @ recurrent_kernel, 8, axis=-1)
    joined = [x_i * h_i if i == 3 else x_i + h_i for i, (x_i, h_i) in enumerate(zip(xs, hs, strict=True))]
    relu = lambda z: np.maximum(z, 0)  # noqa: E731
    activations = [sigmoid, relu, sigmoid, relu, np.tanh, sigmoid, np.tanh, sigmoid]
    n = [f(z) for f, z in zip(activations, joined, strict=True)]
    c = np.tanh(np.tanh(n[0] * n[1]) + c) * np.tanh(n[2] + n[3])
    return [np.tanh(c * np.tanh(np.tanh(n[4] * n[5]) + sigmoid(n[6] + n[7]))), c]


def echo_state(cell, x, states):
    w_ax, w_aa, b_a = cell.get_weights()
    return [(1 - cell.leak) * states[0] + cell.leak * np.tanh(states[0] @ w_aa + x @ w_ax + b_a)]


NUMPY = {
    "simple_rnn": simple_rnn,
    "simplified_gru": simplified_gru,
    "gru": gru,
    "lstm": lstm,
    "peephole_lstm": peephole_lstm,
    "coupled_lstm": coupled_lstm,
    "layer_norm_simple_rnn": layer_norm_simple_rnn,
    "layer_norm_gru": layer_norm_gru,
    "layer_norm_lstm": layer_norm_lstm,
    "nas": nas,
    "echo_state": echo_state,
}
CASES = [
    *((name, {}) for name in CELLS),
    ("gru", {"reset_after": False}),
    ("lstm", {"forget_bias": 2.5}),
    ("coupled_lstm", {"update_bias": -2.0}),
    ("echo_state", {"leak": 0.3}),
]
every_case = pytest.mark.parametrize(("name", "options"), CASES)


def built(name, options, rng, features=3, dtype="float64"):
    """A cell with 4 units and random weights, biases too."""
    cell = CELLS[name](4, dtype=dtype, **options)
    cell.build((None, features))
    cell.set_weights([rng.normal(size=w.shape) for w in cell.weights])
    return cell


def test_every_cell_has_equations():
    assert set(NUMPY) == set(CELLS), "a cell of CELLS needs its equations in NUMPY"


@every_case
def test_step_follows_the_equations(name, options, rng):
    cell = built(name, options, rng)
    states = [rng.normal(size=state.shape) for state in cell.get_initial_state(2)]
    expected = states
    for _ in range(3):
        x = rng.normal(size=(2, 3))
        output, states = cell(x, states)
        expected = NUMPY[name](cell, x, expected)
        assert len(states) == len(expected)
        np.testing.assert_array_equal(output, states[0])
        for state, number in zip(states, expected, strict=True):
            np.testing.assert_allclose(state, number, atol=1e-12)


@every_case
def test_projection_of_a_sequence_equals_that_of_its_steps(name, options, rng):
    cell, x = built(name, options, rng), rng.normal(size=(5, 2, 3))
    steps = np.stack([cell.project(step) for step in x])
    np.testing.assert_allclose(cell.project(x), steps, atol=1e-12)


@every_case
def test_initial_state_is_zero_in_the_compute_dtype(name, options, rng):
    for state in built(name, options, rng, dtype="mixed_bfloat16").get_initial_state(2):
        assert state.dtype == "bfloat16"
        np.testing.assert_array_equal(state, np.zeros((2, 4)))


def test_forget_bias_is_the_initial_bias_of_the_forget_gate():
    cell = LSTMCell(2, forget_bias=0.5)
    cell.build((None, 3))
    np.testing.assert_array_equal(cell.bias, [0, 0, 0.5, 0.5, 0, 0, 0, 0])


def test_activation_of_the_simple_rnn(rng):
    cell = built("simple_rnn", {"activation": "relu"}, rng)
    w_ax, w_aa, b_a = cell.get_weights()
    x, a = rng.normal(size=(2, 3)), rng.normal(size=(2, 4))
    np.testing.assert_allclose(cell(x, [a])[0], np.maximum(a @ w_aa + x @ w_ax + b_a, 0), atol=1e-12)


@pytest.mark.parametrize("cell", [*CELLS.values(), GRUCell])
@pytest.mark.parametrize("units", [0, -1, 2.0, "8", None])
def test_units_must_be_a_positive_integer(cell, units):
    with pytest.raises(ValueError, match="units must be a positive integer, got") as error:
        cell(units)
    assert str(error.value) == f"{cell.__name__}: units must be a positive integer, got {units!r}."


@pytest.mark.parametrize(
    ("cell", "changed"),
    [
        (SimpleRNNCell(4, activation="relu"), {"units": 4, "activation": "relu"}),
        (GRUCell(4, reset_after=False), {"units": 4, "reset_after": False}),
        (LSTMCell(4, forget_bias=2.5), {"units": 4, "forget_bias": 2.5}),
    ],
)
def test_config_rebuilds_the_cell(cell, changed, rng):
    config = cell.get_config()
    assert {name: config[name] for name in changed} == changed
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert type(again) is type(cell)
    assert again.get_config() == config
    x, states = rng.normal(size=(2, 3)), cell.get_initial_state(2)
    expected = cell(x, states)[0]
    again.build((None, 3))
    again.set_weights(cell.get_weights())
    np.testing.assert_array_equal(again(x, states)[0], expected)


@pytest.mark.parametrize("name", CELLS)
def test_make_builds_the_cell_of_that_name(name):
    cell = cells.make(name, 8)
    assert (type(cell), cell.units) == (CELLS[name], 8)


def test_make_with_an_unknown_name_lists_the_cells():
    with pytest.raises(ValueError) as error:
        cells.make("lstn", 8)
    assert str(error.value) == f"unknown cell 'lstn': the cells are {', '.join(CELLS)}."
