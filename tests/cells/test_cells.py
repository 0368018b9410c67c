"""Every cell against its equations in NumPy."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.cells import CELLS, GRUCell, LSTMCell
from seqtasks.layers import RNN


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn(cell, x, states):
    w_ax, w_aa, b_a = cell.get_weights()
    return [np.tanh(states[0] @ w_aa + x @ w_ax + b_a)]


def gru(cell, x, states):
    """The lecture's equations; the first third of the weights is that of Gamma_u, negated."""
    kernel, recurrent_kernel, bias = cell.get_weights()
    w_ux, w_rx, w_cx = np.split(kernel, 3, axis=-1)
    w_uc, w_rc, w_cc = np.split(recurrent_kernel, 3, axis=-1)
    b_u, b_r, b_c = np.split(bias[0] if cell.reset_after else bias, 3)
    c_u, c_r, b_cc = np.split(bias[1] if cell.reset_after else np.zeros_like(bias), 3)
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


WEIGHT_OPTIONS = {
    "kernel_initializer": "he_normal",
    "recurrent_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=4),
    "bias_initializer": keras.initializers.Constant(0.5),
    "kernel_regularizer": keras.regularizers.L1(0.5),
    "recurrent_regularizer": "l2",
    "bias_regularizer": keras.regularizers.L2(0.25),
    "kernel_constraint": keras.constraints.MaxNorm(3),
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "non_neg",
}


def weights_of(cell, role):
    """The weights that the options of a role are for."""
    return [
        w for w in cell.weights if w.name in {"recurrent": ("recurrent_kernel",)}.get(role, (role, f"memory_{role}"))
    ]


@every_case
def test_config_rebuilds_the_cell(name, options, rng):
    functions = {"activation": "relu", "recurrent_activation": keras.activations.hard_sigmoid}
    functions = {argument: functions[argument] for argument in CELLS[name].defaults if argument in functions}
    rates = {"dropout": 0.1, "recurrent_dropout": 0.2, "zoneout": 0.3}
    cell = CELLS[name](4, **rates, seed=7, use_bias=False, **functions, **WEIGHT_OPTIONS, **options)
    config = json.loads(json.dumps(cell.get_config()))
    given = {**rates, "seed": 7, "use_bias": False, **options}
    assert {argument: config[argument] for argument in given} == given
    again = CELLS[name].from_config(config)
    assert again.get_config() == config
    for argument, value in {**functions, **WEIGHT_OPTIONS}.items():
        assert type(getattr(again, argument)) is type(getattr(cell, argument))
        module = getattr(
            keras, {"activation": "activations"}.get(argument.split("_")[-1], f"{argument.split('_')[-1]}s")
        )
        assert module.serialize(module.get(getattr(again, argument))) == module.serialize(module.get(value))
    x, states = rng.normal(size=(2, 3)), cell.get_initial_state(2)
    expected = cell(x, states)[0]
    again.build((None, 3))
    again.set_weights(cell.get_weights())
    np.testing.assert_array_equal(again(x, states)[0], expected)


@every_case
def test_an_initializer_is_that_of_its_weights(name, options):
    built_in = {"forget_bias", "update_bias"} & set(CELLS[name](4).get_config())
    cell = CELLS[name](4, **WEIGHT_OPTIONS, **{**options, **dict.fromkeys(built_in)})
    cell.build((None, 3))
    (recurrent,), biases = weights_of(cell, "recurrent"), weights_of(cell, "bias")
    np.testing.assert_array_equal(recurrent, keras.initializers.RandomNormal(stddev=0.3, seed=4)(recurrent.shape))
    for bias in biases:
        np.testing.assert_array_equal(bias, np.full(bias.shape, 0.5))


@every_case
@pytest.mark.parametrize(("role", "power", "factor"), [("kernel", 1, 0.5), ("recurrent", 2, 0.01), ("bias", 2, 0.25)])
def test_regularizers_and_constraints(name, options, role, power, factor, rng):
    argument = f"{role}_regularizer"
    cell = built(name, {**options, argument: WEIGHT_OPTIONS[argument]}, rng)
    found = weights_of(cell, role)
    trained = name != "echo_state"  # Keras adds losses of the trained weights alone
    expected = trained * factor * sum(np.sum(np.abs(w) ** power) for w in found)
    np.testing.assert_allclose(sum(cell.losses), expected, rtol=1e-6)
    argument = f"{role}_constraint"
    cell = built(name, {**options, argument: WEIGHT_OPTIONS[argument]}, rng)
    kind = type(keras.constraints.get(WEIGHT_OPTIONS[argument]))
    constrained = [w.name for w in cell.weights if isinstance(w.constraint, kind)]
    assert constrained == [w.name for w in weights_of(cell, role)] != []


@every_case
def test_a_seed_repeats_weights_and_masks(name, options):
    def drawn(seed, of_all):
        keras.utils.set_random_seed(of_all)
        cell = CELLS[name](4, dropout=0.5, recurrent_dropout=0.5, zoneout=0.5, seed=seed, **options)
        cell.build((None, 3))
        outputs = [cell(np.ones((8, 3)), cell.get_initial_state(8), training=True)[0] for _ in range(2)]
        return [*cell.get_weights(), *map(keras.ops.convert_to_numpy, outputs)]

    first, again, other = drawn(5, 1), drawn(5, 2), drawn(6, 1)
    for mine, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(mine, same)
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[-1], first[-2])  # the second sequence has masks of its own


@every_case
def test_without_bias(name, options, rng):
    """The numbers of zero biases, in a step and in the loop over time."""
    with_bias, without = built(name, options, rng), CELLS[name](4, dtype="float64", use_bias=False, **options)
    without.build((None, 3))
    assert not [w.name for w in without.weights if "bias" in w.name]
    for bias in weights_of(with_bias, "bias"):
        bias.assign(np.zeros(bias.shape))
    without.set_weights([w for w in with_bias.weights if "bias" not in w.name])
    x = rng.normal(size=(2, 2, 3))
    states = [rng.normal(size=state.shape) for state in without.get_initial_state(2)]
    np.testing.assert_allclose(without(x[:, 0], states)[0], with_bias(x[:, 0], states)[0], atol=1e-12)

    def gradients(cell):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(RNN(cell, dtype="float64")(x, training=True) ** 2)
        weights = [w for w in cell.trainable_variables if "bias" not in w.name]
        return [loss, *(tape.gradient(loss, weights) if weights else [])]

    for mine, expected in zip(gradients(without), gradients(with_bias), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)


@every_case
def test_derivatives_of_a_step(name, options, rng):
    """First and second order along a direction, against differences of the values."""
    cell = built(name, options, rng)
    places = [tf.constant(rng.normal(size=s)) for s in ((2, 3), *(state.shape for state in cell.get_initial_state(2)))]
    directions = [rng.normal(size=p.shape) for p in [*places, *cell.weights]]
    factors, weights = [rng.normal(size=(2, 4)) for _ in places[1:]], cell.get_weights()

    def value(shift):
        """A function of a scalar: the cell with everything shifted along the directions."""
        moved = [p + shift * d for p, d in zip([*places, *weights], directions, strict=True)]
        scope = keras.StatelessScope([(v, w) for v, w in zip(cell.weights, moved[len(places) :], strict=True)])
        with scope:
            states = cell(moved[0], moved[1 : len(places)])[1]
        return sum(tf.reduce_sum(f * s) for f, s in zip(factors, states, strict=True))

    at, h = tf.constant(0.0, "float64"), 1e-4
    with tf.GradientTape() as outer:
        outer.watch(at)
        with tf.GradientTape() as inner:
            inner.watch(at)
            middle = value(at)
        first = inner.gradient(middle, at)
    second = outer.gradient(first, at)
    left, right = value(-h), value(h)
    np.testing.assert_allclose(first, (right - left) / (2 * h), rtol=1e-5)
    np.testing.assert_allclose(second, (right - 2 * middle + left) / h**2, rtol=1e-4)


@every_case
@pytest.mark.parametrize(
    ("policy", "kind"), [("float64", "int32"), ("mixed_float16", "float32"), ("mixed_bfloat16", "bool")]
)
def test_dtype_policies(name, options, policy, kind, rng):
    """The types of Keras' cell, and the numbers of float64 up to the precision of the type."""
    x = rng.integers(0, 2, (2, 3)).astype(kind)
    cell, exact = (CELLS[name](4, dtype=each, **options) for each in (policy, "float64"))
    output, states = cell(x, cell.get_initial_state(2))
    keras_cell = keras.layers.LSTMCell(4, dtype=policy)
    expected_dtype = keras_cell(x, keras_cell.get_initial_state(2))[0].dtype
    assert {output.dtype, *(state.dtype for state in states)} == {expected_dtype}
    assert {w.dtype for w in cell.weights} == {keras_cell.kernel.dtype}
    exact.build((None, 3))
    exact.set_weights(cell.get_weights())
    expected = exact(x, exact.get_initial_state(2))[0]
    tolerance = {"float64": 1e-12, "mixed_float16": 0.005, "mixed_bfloat16": 0.04}[policy]
    np.testing.assert_allclose(tf.cast(output, "float64"), expected, atol=tolerance)


@pytest.mark.parametrize("name", CELLS)
def test_make_builds_the_cell_of_that_name(name):
    cell = cells.make(name, 8)
    assert (type(cell), cell.units) == (CELLS[name], 8)


def test_make_with_an_unknown_name_lists_the_cells():
    with pytest.raises(ValueError) as error:
        cells.make("lstn", 8)
    assert str(error.value) == f"unknown cell 'lstn': the cells are {', '.join(CELLS)}."
