"""Recurrent layers in a person's own Keras model: all layers in all ways that Keras offers, beside `keras.layers.RNN`.

`ROWS` x `COLUMNS` is the table; `REFUSED` holds the combinations that do not exist, each with its reason. A check
compares with Keras' own layer over the same weights, or with finite differences in float64. `markdown()` is the table
of the documentation.
"""

import contextlib
import json
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from seqtasks.cells import CELLS, GRUCell, LSTMCell, SimpleRNNCell, make
from seqtasks.layers import RNN, AttentionRNN, Bidirectional, StatefulRNN

BATCH, TIME, FEATURES, UNITS = 2, 3, 4, 3
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
MEMORY = RANDOM.normal(size=(BATCH, 5, 4)).astype("float32")
MASKS = [[[1, 0, 1], [0, 1, 0]], [[1, 1, 0], [0, 0, 0]]]
KEPT = {"return_sequences": True, "return_state": True}
K = keras.layers


@keras.saving.register_keras_serializable("tests")
class NormalisedCell(keras.layers.Layer):
    """A foreign cell with layers inside that draw at random and count: dropout and batch normalisation."""

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.inner, self.recurrent = K.Dense(units), K.Dense(units)
        self.normalise, self.drop = K.BatchNormalization(), K.Dropout(0.5)

    def build(self, shape):
        self.inner.build(shape)
        for layer in (self.recurrent, self.normalise, self.drop):
            layer.build((shape[0], self.units))

    def call(self, inputs, states, training=False):
        inputs = self.normalise(self.inner(inputs), training=training)
        new = keras.ops.tanh(inputs + self.recurrent(self.drop(states[0], training=training)))
        return new, [new]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def over(make_cell, **options):
    """Our layer and that of Keras over one cell, or stack of cells."""
    cell = make_cell()
    cell = K.StackedRNNCells(cell) if isinstance(cell, list) else cell
    return [layer(cell, **options) for layer in (RNN, K.RNN)]


def two_cells(return_sequences=False):
    theirs = K.Bidirectional(K.RNN(LSTMCell(UNITS), return_sequences=return_sequences))
    return [Bidirectional(LSTMCell(UNITS), LSTMCell(UNITS), return_sequences=return_sequences), theirs]


def bidirectional(inner, **options):
    inner, theirs = inner(**options)
    return [Bidirectional(inner), K.Bidirectional(theirs)]


def with_backward_layer(**options):
    backward = {**options, "go_backwards": not options.get("go_backwards", False)}
    pairs = zip(over(partial(GRUCell, UNITS), **options), over(partial(GRUCell, UNITS), **backward), strict=True)
    return [
        wrapper(one, merge_mode="sum", backward_layer=other)
        for wrapper, (one, other) in zip((Bidirectional, K.Bidirectional), pairs, strict=True)
    ]


STACK = lambda: [LSTMCell(UNITS), SimpleRNNCell(2)]  # noqa: E731
NESTED = lambda: [K.StackedRNNCells([LSTMCell(UNITS), GRUCell(2)]), SimpleRNNCell(UNITS)]  # noqa: E731
FOREIGN = {
    "keras.layers.LSTMCell, dropout": lambda: K.LSTMCell(UNITS, dropout=0.5, recurrent_dropout=0.5),
    "cell with BatchNormalization and Dropout": NormalisedCell,
    "stack of an own and a foreign cell": lambda: [GRUCell(UNITS), K.GRUCell(UNITS, dropout=0.5)],
}
ROWS = {
    **{f"RNN: {name}": partial(over, partial(make, name, UNITS)) for name in CELLS},
    "RNN: stacked cells": partial(over, STACK),
    "RNN: stack in a stack": partial(over, NESTED),
    **{f"RNN: {name}": partial(over, cell) for name, cell in FOREIGN.items()},
    "Bidirectional: two cells": two_cells,
    "Bidirectional: RNN": partial(bidirectional, partial(over, partial(LSTMCell, UNITS))),
    "Bidirectional: backward_layer": with_backward_layer,
    "Bidirectional: stacked cells": partial(bidirectional, partial(over, NESTED)),
    "Bidirectional: keras.layers.LSTM": partial(bidirectional, lambda **o: [K.LSTM(UNITS, **o)] * 2),
    "StatefulRNN": lambda: [StatefulRNN(LSTMCell(UNITS)), None],
    "AttentionRNN": lambda: [AttentionRNN(LSTMCell(UNITS), "additive", coverage=True), None],
}
PAIRED = [name for name in ROWS if name.startswith(("RNN", "Bidirectional"))]
OPTIONED = [name for name in PAIRED if name != "Bidirectional: two cells"]


def inputs_of(layer, dtype="float32"):
    """What a layer is called with."""
    arrays = {AttentionRNN: [X, MEMORY], StatefulRNN: [np.swapaxes(X, 0, 1)]}.get(type(layer), [X])
    return [tf.constant(x, dtype) for x in arrays]


def ready(row, **options):
    """The two layers of a row, built, with equal random weights: biases start at zero, and zeros hide errors."""
    layers = [layer for layer in ROWS[row](**options) if layer is not None]
    for layer in layers:
        layer(*inputs_of(layer))
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape, scale=0.5) for w in layers[0].weights]
    weights = [abs(w) if "variance" in v.path else w for v, w in zip(layers[0].weights, weights, strict=True)]
    for layer in layers:
        for variable, value in zip(layer.weights, weights, strict=True):
            variable.assign(value)
    return layers if len(layers) == 2 else [*layers, None]


def same(ours, theirs, tolerance=1e-5):
    tf.nest.assert_same_structure(tf.nest.flatten(ours), tf.nest.flatten(theirs))
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(tf.cast(one, "float64"), tf.cast(other, "float64"), atol=tolerance, rtol=0)


@contextlib.contextmanager
def policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def remembered(layers):
    """All variables have their values again afterwards: those of random generators and of averages too."""
    variables = [v for layer in layers if layer is not None for v in layer.variables]
    values = [v.numpy() for v in variables]
    yield
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def in_precision(name, tolerance, row):
    with policy("float32"):
        plain = ready(row)[0]
    with policy(name):
        ours, theirs = ready(row)
        found, x = ours(*inputs_of(ours)), inputs_of(ours)
        if theirs is not None:
            same(found, theirs(*x), 1e-10 if name == "float64" else tolerance)
        np.testing.assert_allclose(tf.cast(found, "float32"), plain(*inputs_of(plain)), atol=tolerance)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(ours(*x, training=True), "float32") ** 2)
        weights = ours.trainable_variables
        for gradient in tape.gradient(loss, [w.value for w in weights]) if weights else []:
            assert gradient is None or np.isfinite(gradient).all()


def integers(row):
    """The first input as integers, beside the same numbers as floats in Keras' layer."""
    ours, theirs = ready(row)
    x, *more = inputs_of(ours)
    x = tf.round(2 * x)
    same(ours(tf.cast(x, "int32"), *more), (theirs or ours)(x, *more))


def initial_state(row):
    ours, theirs = ready(row, **KEPT)
    zeros = tf.nest.flatten(ours(X)[1:])
    if "Bidirectional" in row:
        structure = ours.forward_layer.get_initial_state(BATCH) + ours.backward_layer.get_initial_state(BATCH)
    else:
        structure = ours.get_initial_state(BATCH)
    rng = np.random.default_rng(2)
    states = tf.nest.pack_sequence_as(structure, [tf.constant(rng.normal(size=s.shape), "float32") for s in zeros])
    same(ours(X, initial_state=states), theirs(X, initial_state=states))


def masks(row):
    for mask in MASKS:
        for sequences in (False, True):
            ours, theirs = ready(row, return_sequences=sequences)
            same(ours(X, mask=np.array(mask, bool)), theirs(X, mask=np.array(mask, bool)))
    if "Bidirectional" not in row:
        ours, theirs = ready(row, zero_output_for_mask=True, go_backwards=True, **KEPT)
        mask = np.array(mask, bool)[..., None]
        same(ours(X, mask=mask), theirs(X, mask=mask))


def unrolled(row):
    ours, theirs = ready(row, unroll=True, **KEPT)
    same(ours(X), theirs(X))


def backwards(row):
    ours, theirs = ready(row, go_backwards=True, **KEPT)
    same(ours(X), theirs(X))


def stateful(row):
    ours, theirs = ready(row, stateful=True)
    for layer in (ours, theirs):
        for state in tf.nest.flatten(layer.states):  # Keras' own `reset_state` fails for stacks
            state.assign(tf.zeros_like(state))
    first = ours(X)
    same(first, theirs(X))
    second = ours(X)
    same(second, theirs(X))
    assert np.abs(first - second).max() > 1e-3
    ours.reset_state()
    same(ours(X), first)


def trained(row):
    """Outputs, gradients and what the cells count, with the same draws."""
    ours, theirs = ready(row, return_sequences=True) if row in PAIRED else ready(row)
    results = []
    for layer in (ours, theirs):
        with remembered([ours, theirs]), tf.GradientTape() as tape:
            outputs = layer(X, training=True)
            weights = [w.value for w in layer.trainable_variables]
            gradients = tape.gradient(tf.reduce_sum(outputs**2), weights) if weights else []
            results.append([outputs, gradients, [w.value + 0 for w in layer.weights]])
    same(*results)


def one_step(layer, **options):
    """The weights after one step of gradient descent by Keras."""
    arrays = inputs_of(layer)
    inputs = [keras.Input(x.shape[1:], batch_size=x.shape[0]) for x in arrays]
    outputs = layer(*inputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse", **options)
    with remembered([layer]):
        model.train_on_batch([np.array(x) for x in arrays], np.ones(outputs.shape, "float32"))
        return [w.value + 0 for w in layer.weights]


def eagerly(row):
    ours, theirs = ready(row)
    if theirs is None:
        same(one_step(ours, run_eagerly=True), one_step(ours, jit_compile=False))
    else:
        with remembered([ours, theirs]):
            expected = one_step(theirs, run_eagerly=True)
        same(one_step(ours, run_eagerly=True), expected)


def compiled(row):
    """Beside an eager step; where Keras draws masks, beside its own compiled step, which draws the same."""
    ours, theirs = ready(row)
    draws = row.removeprefix("RNN: ") in FOREIGN
    found = one_step(ours, jit_compile=True)
    same(found, one_step(theirs, jit_compile=True) if draws else one_step(ours, run_eagerly=True))


def cloned(row):
    ours = ready(row)[0]
    arrays = inputs_of(ours)
    inputs = [keras.Input(x.shape[1:], batch_size=x.shape[0]) for x in arrays]
    model = keras.Model(inputs, ours(*inputs))
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    same(copy(arrays), model(arrays))


def configured(row):
    ours = ROWS[row]()[0]
    again = type(ours).from_config(json.loads(json.dumps(ours.get_config())))
    assert json.dumps(again.get_config()) == json.dumps(ours.get_config())


def derivative(order, row):
    with policy("float64"):
        assert_derivative(order, ready(row)[0])


def assert_derivative(order, ours):
    """A derivative in a random direction of all inputs and weights, against finite differences in float64."""
    x = inputs_of(ours, "float64")
    sources = [tf.Variable(each) for each in x]
    weights = [w.value for w in ours.trainable_variables]
    rng = np.random.default_rng(3)
    everything = [*sources, *weights]
    direction, other = ([tf.constant(rng.normal(size=v.shape)) for v in everything] for _ in range(2))

    def value():
        with remembered_state(ours):
            return tf.reduce_sum(tf.sin(3 * ours(*[v + 0 for v in sources], training=True)))

    def slope():
        with tf.GradientTape() as tape:
            y = value()
        return inner(tape.gradient(y, everything, unconnected_gradients="zero"), other)

    function = value if order == 1 else slope
    with tf.GradientTape() as tape:
        y = function()
    exact = inner(tape.gradient(y, everything, unconnected_gradients="zero"), direction)
    ends = []
    for step in (1e-5, -2e-5, 1e-5):  # there, back on the other side, and home
        for v, d in zip(everything, direction, strict=True):
            v.assign_add(step * d)
        ends.append(function())
    np.testing.assert_allclose(exact, (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-7)
    assert abs(exact) > 1e-6


def inner(some, others):
    return sum(tf.reduce_sum(a * b) for a, b in zip(some, others, strict=True))


@contextlib.contextmanager
def remembered_state(layer):
    """As `remembered`, of what is not trained."""
    variables = layer.non_trainable_variables
    values = [v.numpy() for v in variables]
    yield
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


COLUMNS = {
    "mixed_float16": partial(in_precision, "mixed_float16", 2e-2),
    "mixed_bfloat16": partial(in_precision, "mixed_bfloat16", 1e-1),
    "float64": partial(in_precision, "float64", 1e-5),
    "integer inputs": integers,
    "initial_state, return_state": initial_state,
    "masks": masks,
    "go_backwards": backwards,
    "unroll": unrolled,
    "stateful": stateful,
    "training=True": trained,
    "run_eagerly": eagerly,
    "jit_compile": compiled,
    "clone_model": cloned,
    "configuration": configured,
    "first derivative": partial(derivative, 1),
    "second derivative": partial(derivative, 2),
}
IN_A_FILE = "`.keras` in a new process"
OPTIONS = ("initial_state, return_state", "masks", "go_backwards", "unroll", "stateful")
REFUSED = {
    ("RNN: keras.layers.LSTMCell, dropout", "integer inputs"): "an error as in Keras: dropout of inputs takes floats",
    (
        "RNN: cell with BatchNormalization and Dropout",
        "second derivative",
    ): "as in Keras: `tf.nn.moments` stops a gradient",
    **{("StatefulRNN", column): "no such argument" for column in OPTIONS},
    **{("AttentionRNN", column): "no such argument" for column in OPTIONS},
    **{
        (f"Bidirectional: {form}", "go_backwards"): "an error as in Keras: both directions would be one"
        for form in ("RNN", "stacked cells", "keras.layers.LSTM")
    },
    **{(row, "training=True"): "no such layer in Keras" for row in ("StatefulRNN", "AttentionRNN")},
    **{
        ("Bidirectional: two cells", column): "give layers, whose arguments they are"
        for column in OPTIONS
        if column != "masks"
    },
}


def markdown():
    """The table for the documentation: a column for the layers with equal marks."""
    checks = [*COLUMNS, IN_A_FILE]
    groups = {}
    for row in ROWS:
        groups.setdefault(tuple(REFUSED.get((row, check), "✓") for check in checks), []).append(row)
    letters = "ABCDEFGH"[: len(groups)]
    lines = ["| | " + " | ".join(letters) + " |", "| --- |" + " --- |" * len(groups)]
    lines += [f"| {check} | " + " | ".join(m[i] for m in groups) + " |" for i, check in enumerate(checks)]
    legend = [f"- {letter}: {'; '.join(rows)}" for letter, rows in zip(letters, groups.values(), strict=True)]
    return "\n".join([*lines, "", *legend])
