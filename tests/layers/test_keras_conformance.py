"""The table of `keras_table.py`, and what does not fit into it."""

import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells import CELLS, GRUCell, LSTMCell, make
from seqtasks.layers import RNN, scan
from seqtasks.layers.rnn import runs_fast
from tests.layers.keras_table import (
    BATCH,
    COLUMNS,
    FEATURES,
    FOREIGN,
    NESTED,
    RANDOM,
    REFUSED,
    ROWS,
    TIME,
    UNITS,
    K,
    X,
    assert_derivative,
    inputs_of,
    policy,
    ready,
    same,
)

WHOLE = ("RNN: lstm", "Bidirectional: RNN", "StatefulRNN", "AttentionRNN")  # rows that do not wait for slow tests
HALF = (  # rows of which every second column does not
    "RNN: layer_norm_gru",
    "RNN: stacked cells",
    "RNN: keras.layers.LSTMCell, dropout",
    "Bidirectional: two cells",
)
TWICE = (*WHOLE, "RNN: gru", "RNN: layer_norm_lstm", "RNN: nas", "RNN: stack in a stack")  # their second derivatives


def is_slow(row, column):
    if column == "jit_compile":
        return row not in ("RNN: lstm", "Bidirectional: two cells")
    if column == "second derivative":
        return row not in TWICE
    if column == "run_eagerly" and row in ("StatefulRNN", "AttentionRNN"):
        return True  # XLA compiles what they are compared with
    if row in HALF:
        return (HALF.index(row) + list(COLUMNS).index(column)) % 2 == 1
    return row not in WHOLE


CELLS_OF_THE_TABLE = [
    pytest.param(row, column, marks=[pytest.mark.slow] * is_slow(row, column), id=f"{row}-{column}")
    for column in COLUMNS
    for row in ROWS
    if (row, column) not in REFUSED
]


@pytest.mark.parametrize(("row", "column"), CELLS_OF_THE_TABLE)
def test_table(row, column):
    keras.utils.set_random_seed(0)
    COLUMNS[column](row)


@pytest.mark.parametrize(
    "rows", [(*WHOLE, *HALF), pytest.param(tuple(ROWS), marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_saved_models_give_the_same_in_a_new_process(rows, tmp_path):
    expected = {}
    for number, row in enumerate(rows):
        ours = ready(row)[0]
        arrays = inputs_of(ours)
        inputs = [keras.Input((None, *x.shape[2:])) for x in arrays]
        model = keras.Model(inputs, ours(*inputs))
        model.save(tmp_path / f"{number}.keras")
        expected[row] = model(arrays).numpy()
        np.savez(tmp_path / f"{number}.npz", *arrays)
    script = """
import sys, keras, numpy as np
import seqtasks.layers, tests.layers.keras_table
for number in range(int(sys.argv[2])):
    arrays = list(np.load(f"{sys.argv[1]}/{number}.npz").values())
    np.save(f"{sys.argv[1]}/{number}.npy", keras.models.load_model(f"{sys.argv[1]}/{number}.keras")(arrays))
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path), str(len(rows))], check=True)
    for number, outputs in enumerate(expected.values()):
        np.testing.assert_allclose(np.load(tmp_path / f"{number}.npy"), outputs, atol=1e-6)


def test_all_cells_run_in_the_fast_loop():
    assert all(runs_fast(make(name, UNITS)) for name in CELLS)
    assert runs_fast(K.StackedRNNCells(NESTED()))
    foreign = [cell() for cell in FOREIGN.values()]
    assert not any(runs_fast(K.StackedRNNCells(cell if isinstance(cell, list) else [cell])) for cell in foreign)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("unroll", [False, True])
def test_derivatives_of_stacked_cells_that_drop_out(unroll, order):
    with policy("float64"):
        keras.utils.set_random_seed(0)
        rates = {"dropout": 0.4, "recurrent_dropout": 0.4, "zoneout": 0.3}
        layer = RNN([LSTMCell(UNITS, **rates), make("gru", 4, **rates)], unroll=unroll)
        layer(X)
        assert_derivative(order, layer)
        assert np.abs(layer(X, training=True) - layer(X, training=True)).max() > 1e-3


@pytest.mark.parametrize("rows", [pytest.param(BATCH, marks=pytest.mark.slow), None])
def test_second_derivatives_in_a_graph(rows):
    """Two rows of a known length are compiled by XLA."""
    with policy("float64"):
        layer, theirs = ready("RNN: layer_norm_simple_rnn")
        weights = [w.value for w in layer.trainable_variables]

        def second(layer, x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    loss = tf.reduce_sum(layer(x) ** 2)
                first = tape.gradient(loss, [x, *weights])
                total = sum(tf.reduce_sum(g**2) for g in first)
            return outer.gradient(total, [x, *weights])

        signature = [tf.TensorSpec((rows, TIME, FEATURES), "float64")]
        in_graph = tf.function(partial(second, layer), input_signature=signature)
        same(in_graph(tf.constant(X, "float64")), second(theirs, tf.constant(X, "float64")), 1e-9)


def test_hessian():
    with policy("float64"):
        found = []
        for layer in ready("RNN: gru"):
            x = tf.constant(X[:1], "float64")
            with tf.GradientTape(persistent=True) as outer:
                outer.watch(x)
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    loss = tf.reduce_sum(layer(x) ** 2)
                first = tape.gradient(loss, x)
            found.append(outer.jacobian(first, x, experimental_use_pfor=False))
        same(*found, 1e-9)


def test_initial_state_of_keras_tensors_with_a_mask():
    ours, theirs = ready("RNN: lstm", return_sequences=True)
    tokens = np.array([[1, 2, 0], [3, 0, 0]])
    embedding = K.Embedding(5, FEATURES, mask_zero=True)
    arrays = [tokens, *(RANDOM.normal(size=(2, BATCH, UNITS)).astype("float32"))]
    models = []
    for layer in (ours, theirs):
        words, *states = keras.Input((None,), dtype="int32"), keras.Input((UNITS,)), keras.Input((UNITS,))
        models.append(keras.Model([words, *states], layer(embedding(words), initial_state=states)))
    same(*(model(arrays) for model in models))


def test_layers_of_mixed_precision_run_cells_of_another():
    for dtype in ("mixed_float16", "float64"):
        cell = make("peephole_lstm", UNITS)
        ours, theirs = (layer(cell, dtype=dtype) for layer in (RNN, K.RNN))
        same(ours(X), theirs(X), 1e-3 if dtype == "mixed_float16" else 1e-6)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(ours(X, training=True), "float32"))
        assert all(np.abs(g).max() > 0 for g in tape.gradient(loss, [w.value for w in cell.trainable_variables]))


def test_no_compilation_for_each_length(monkeypatch):
    compiled, real = [], scan._compile_each
    monkeypatch.setattr(scan, "_compile_each", lambda *given: compiled.append(given) or real(*given))
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, RNN(GRUCell(UNITS))(inputs))
    for length in range(2, 7):
        x = RANDOM.normal(size=(BATCH, length, FEATURES)).astype("float32")
        same(tf.constant(model.predict_on_batch(x)), model(x))
    assert len(compiled) <= 1


def test_a_cell_whose_call_is_replaced_is_called():
    class Doubled(GRUCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    cell = Doubled(UNITS)
    same(RNN(cell)(X), K.RNN(cell)(X))
