"""A stack that runs with explicit states, against the model it belongs to."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells import GRUCell
from seqtasks.layers import StatefulRNN, recurrent_stack
from seqtasks.layers.stack import RecurrentStack, StackNames


@pytest.mark.parametrize("features", [4, 3])  # with a residual connection of the first layer, and without
def test_segments_and_steps_equal_the_whole_sequence(features, rng):
    inputs = keras.Input((None, features))
    options = {"bidirectional": False, "residual": True, "dropout": 0.5, "name": "encoder"}
    model = keras.Model(inputs, recurrent_stack(inputs, "lstm", 4, 3, **options))
    stack = RecurrentStack.from_model(model, StackNames.with_prefix("encoder"))
    assert stack.residual == [features == 4, True, True] and len(stack.cells) == 3
    x = tf.constant(rng.normal(size=(2, 7, features)), tf.float32)
    expected = model(x)
    outputs, states = stack.run(x[:, :3], stack.begin(2))
    np.testing.assert_allclose(outputs, expected[:, :3], atol=1e-6)
    np.testing.assert_allclose(stack.run(x[:, 3:], states)[0], expected[:, 3:], atol=1e-6)
    for t in range(3, 7):
        output, states = stack.step(x[:, t], states)
        np.testing.assert_allclose(output, expected[:, t], atol=1e-6)


def test_table_and_projection_replace_the_inputs_of_the_first_layer(rng):
    table, numbers = tf.constant(rng.normal(size=(5, 3)), tf.float32), rng.integers(0, 5, (6, 2))
    first, second = StatefulRNN(GRUCell(4)), StatefulRNN(GRUCell(4))
    x = first(tf.gather(table, numbers))
    expected = second(x) + x
    stack = RecurrentStack([first, second], [False, True])
    outputs, _ = stack.run(tf.constant(numbers), stack.begin(2), table)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    output, _ = stack.step(None, stack.begin(2), tf.gather(stack.cells[0].project(table), numbers[0]))
    np.testing.assert_allclose(output, expected[0], atol=1e-6)
