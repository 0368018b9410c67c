"""A recurrence that continues in the next batch, and one that reads a table, compared with Python loops over a cell."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.engine import checkpoint
from seqtasks.layers import StatefulRNN, TimeMajor, rnn, stateful

close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)


def unrolled(cell, x, states=None):
    """Runs a cell step by step: outputs (time, batch, units), and the last states."""
    states, outputs = cell.get_initial_state(x.shape[1]) if states is None else states, []
    for inputs in tf.unstack(x):
        output, states = cell(inputs, states)
        outputs.append(output)
    return tf.stack(outputs), states


def carrying(cell, rows, features=3):
    layer = StatefulRNN(cell, rows)
    layer.build((None, None, features))
    return layer


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_two_segments_are_one_sequence_without_gradients_between(kind, rng, monkeypatch):
    monkeypatch.setattr(stateful, "RESET_RATE", 0.0)
    layer = carrying(cells.make(kind, 4), rows=2)
    first, second = tf.split(tf.constant(rng.normal(size=(7, 2, 3)), tf.float32), [3, 4])
    expected, states = unrolled(layer.cell, first)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(first)
        found = layer(first, training=True), layer(second, training=True)
        plain = unrolled(layer.cell, second, [tf.stop_gradient(state) for state in states])[0]
        losses = [tf.reduce_sum(y**2) for y in (found[1], plain)]
    close(found[0], expected)
    close(found[1], plain)
    close(tf.concat(found, 0), layer(tf.concat([first, second], 0)))
    assert tape.gradient(losses[0], first) is None
    weights = [weight.value for weight in layer.cell.trainable_weights]
    for mine, theirs in zip(*(tape.gradient(loss, weights) for loss in losses), strict=True):
        close(mine, theirs, rtol=1e-3)
    layer.reset_state()
    close(layer(second, training=True), unrolled(layer.cell, second)[0])


def test_same_rows_are_reset_in_all_layers(rng, monkeypatch):
    monkeypatch.setattr(stateful, "RESET_RATE", 0.5)
    layers = [carrying(cells.make("gru", 3), rows=40) for _ in range(2)]
    states, seen = [[tf.zeros((40, 3))] for _ in layers], []
    for _ in range(3):
        x, reset = tf.constant(rng.normal(size=(2, 40, 3)), tf.float32), []
        for i, layer in enumerate(layers):
            found = layer(x, training=True)
            zeros, kept = (unrolled(layer.cell, x, before)[0] for before in (None, states[i]))
            near = [np.abs(found - y).max((0, 2)) < 1e-5 for y in (zeros, kept)]
            assert (near[0] | near[1]).all()
            reset.append(near[0])
            states[i] = unrolled(layer.cell, x, [tf.where(near[0][:, None], 0.0, state) for state in states[i]])[1]
        assert (reset[0] == reset[1]).all()
        seen.append(reset[0])
    assert seen[0].all()
    assert all(8 < rows.sum() < 32 for rows in seen[1:]) and (seen[1] != seen[2]).any()
    monkeypatch.setattr(stateful, "RESET_RATE", 1.0)
    close(layers[0](x, training=True), unrolled(layers[0].cell, x)[0])


@pytest.mark.parametrize("shards", [1, 2])
def test_table_gives_the_numbers_of_its_vectors(shards, rng, monkeypatch):
    monkeypatch.setattr(rnn, "_number_of_shards", lambda *_: shards)
    cell = cells.make("lstm", 4)
    cell.build((None, 3))
    numbers, table = rng.integers(0, 8, (5, 11)), tf.constant(rng.normal(size=(8, 3)), tf.float32)
    states = [tf.constant(rng.normal(size=(11, 4)), tf.float32) for _ in range(2)]
    upstream = rng.normal(size=(5, 11, 4)).astype("float32")

    def by_table(numbers):
        ((outputs, last),) = rnn.run_cells(
            [(cell, False)], numbers, [states], training=True, time_major=True, table=cell.project(table)
        )
        return outputs, last

    def batch_major(numbers):
        x = tf.transpose(tf.gather(table, numbers), (1, 0, 2))
        ((outputs, last),) = rnn.run_cells([(cell, False)], x, [states], training=True)
        return tf.transpose(outputs, (1, 0, 2)), last

    def plain(numbers):
        return unrolled(cell, tf.gather(table, numbers), states)

    def outcome(f):
        sources = [table, *states, *(weight.value for weight in cell.trainable_weights)]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs, last = f(numbers)
            loss = tf.reduce_sum(outputs * upstream) + tf.reduce_sum(last[1] ** 2)
        return [outputs, *last, *map(tf.convert_to_tensor, tape.gradient(loss, sources))]

    expected = outcome(plain)
    for f in (by_table, batch_major):
        for mine, theirs in zip(outcome(f), expected, strict=True):
            close(mine, theirs)


def test_time_major_swaps_two_axes(rng):
    layer, x = TimeMajor(), rng.normal(size=(2, 3, 4, 5)).astype("float32")
    for y in (x[..., 0, 0], x[..., 0], x):
        assert np.array_equal(layer(y), np.swapaxes(y, 0, 1)) and np.array_equal(layer(layer(y)), y)
        assert layer(keras.KerasTensor((None, *y.shape[1:]))).shape == (y.shape[1], None, *y.shape[2:])


def test_cell_of_keras_raises():
    with pytest.raises(ValueError, match="StatefulRNN: the cell must be one of seqtasks.cells, got LSTMCell: keras"):
        StatefulRNN(keras.layers.LSTMCell(3))


def test_devices_carry_the_states_of_their_rows(rng, mirrored, monkeypatch):
    """Four rows on two devices, some of them reset, as on one; a checkpoint holds them in order."""
    monkeypatch.setattr(stateful, "RESET_RATE", 0.3)
    x = rng.normal(size=(3, 2, 4, 3)).astype("float32")  # batches, time, rows, features
    one = carrying(cells.make("gru", 3), rows=4)
    with mirrored.scope():
        two = carrying(cells.make("gru", 3), rows=4)
    for a, b in zip(one.cell.weights, two.cell.weights, strict=True):
        b.assign(a)
    run = tf.function(lambda part: mirrored.run(lambda rows: two(rows, training=True), (part,)))
    halves = [tf.split(batch, 2, axis=1) for batch in x]
    for batch, parts in zip(x, halves, strict=True):
        given = mirrored.experimental_distribute_values_from_function(
            lambda context, parts=parts: parts[context.replica_id_in_sync_group]
        )
        found = mirrored.experimental_local_results(run(given))
        close(tf.concat(found, 1), one(batch, training=True))
    states = checkpoint.values(two.carried)
    close(states, checkpoint.values(one.carried))
    checkpoint.assign(two.carried, [state[::-1] for state in states])
    close(checkpoint.values(two.carried), [state[::-1] for state in states])
    parts = [part.numpy() for part in mirrored.experimental_local_results(two.carried[0].value)]
    close(np.concatenate(parts), states[0][::-1])
