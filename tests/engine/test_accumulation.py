"""A step in parts gives the weights of the step of the whole batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.engine.accumulation import accumulate
from seqtasks.engine.loop import fit
from seqtasks.errors import UserError
from seqtasks.layers import StatefulRNN
from seqtasks.losses import TokenCrossentropy
from seqtasks.optimizers import AdamW


def trained(parts, rows, passes=1, policy="float32", strategy=None):
    """Weights and loss of an embedding and a head after three steps; rows of other lengths have other weights."""
    keras.utils.set_random_seed(0)
    draws = np.random.default_rng(0)
    keras.config.set_dtype_policy(policy)
    with (strategy or tf.distribute.get_strategy()).scope():
        words = keras.Input((None,), dtype="int32", name="words")
        hidden = keras.layers.Embedding(9, 4)(words)
        model = keras.Model(words, keras.layers.Dense(5, dtype="float32")(hidden))
        model.compile(AdamW(0.1, clip_norm=0.5), TokenCrossentropy())
    keras.config.set_dtype_policy("float32")
    if parts > 1:
        accumulate(model, parts, passes)
    x, y = draws.integers(0, 9, (3 * rows, 6)), draws.integers(0, 5, (3 * rows, 6))
    weight = draws.random(3 * rows).astype("float32") * 3
    weight[-2:] = 0  # rows that fill up the last batch
    batches = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(rows, drop_remainder=True)
    history = fit(model, batches, 3).history
    return model.get_weights(), history["loss"][0]


@pytest.mark.parametrize(("parts", "rows", "passes"), [(2, 8, 1), (3, 8, 2), (5, 7, 1), (9, 4, 1)])
def test_a_step_in_parts_is_the_step_of_the_whole_batch(parts, rows, passes):
    """Also where the rows do not divide evenly, and where there are more parts than rows."""
    (whole, loss), (weights, other) = trained(1, rows), trained(parts, rows, passes)
    assert other == pytest.approx(loss, abs=1e-6)
    for one, two in zip(whole, weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)


def test_on_two_devices_a_step_in_parts_is_that_of_one_device(mirrored):
    (whole, loss), (weights, other) = trained(1, 8), trained(2, 8, strategy=mirrored)
    assert other == pytest.approx(loss, rel=1e-6)
    for one, two in zip(whole, weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)


def test_half_precision_scales_its_loss_in_parts_too():
    (whole, loss), (weights, other) = (trained(parts, 8, policy="mixed_float16") for parts in (1, 2))
    assert other == pytest.approx(loss, abs=2e-3)
    for one, two in zip(whole, weights, strict=True):
        np.testing.assert_allclose(two, one, atol=0.02)


def test_a_state_that_is_carried_over_batches_is_refused():
    inputs = keras.Input(batch_shape=(None, 2, 3))
    model = keras.Model(inputs, StatefulRNN(cells.make("simple_rnn", 4), rows=2)(inputs))
    with pytest.raises(UserError, match="--accumulate: a state that is carried over batches has a value for each row"):
        accumulate(model, 2)
