"""The loop over time against `keras.layers.RNN`: numbers, states, masks and, in float64, every gradient."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqtasks.cells import CELLS, GRUCell, LSTMCell, SimpleRNNCell
from seqtasks.layers import RNN, Bidirectional

BATCH, TIME, FEATURES, UNITS = 3, 4, 4, 5
MAKERS = {**CELLS, "gru_reset_before": lambda units, **options: GRUCell(units, reset_after=False, **options)}
MASKS = {
    "none": None,
    "right": [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]],
    "left": [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]],
    "empty": [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]],
}
every_cell = pytest.mark.parametrize("cell", MAKERS)
QUICK = ("lstm", "gru", "layer_norm_gru")  # the loop treats all cells alike: the tests of the others are slow tests
quick_cells = pytest.mark.parametrize(
    "cell", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MAKERS]
)
every_mask = pytest.mark.parametrize(  # each cell with two masks, and the quick ones with all; the rest are slow tests
    ("cell", "mask"),
    [
        pytest.param(cell, mask, marks=() if cell in QUICK or (i + j) % 5 in (0, 2) else pytest.mark.slow)
        for i, cell in enumerate(MAKERS)
        for j, mask in enumerate(MASKS)
    ],
)


def randomise(layer, rng):
    """Sets random weights: biases start at zero, and zeros hide errors."""
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])


def mask_of(name):
    return None if MASKS[name] is None else np.array(MASKS[name], bool)


def sequences(rng, *shape):
    return rng.normal(size=shape or (BATCH, TIME, FEATURES)).astype("float32")


def same(ours, theirs, tolerance=1e-5):
    ours, theirs = tf.nest.flatten(ours), tf.nest.flatten(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=0)


@every_mask
def test_equals_keras_rnn(cell, mask, rng):
    cell, x, mask = MAKERS[cell](UNITS), sequences(rng), mask_of(mask)
    cell.build((BATCH, FEATURES))
    randomise(cell, rng)
    for backwards, zero in itertools.product([False, True], repeat=2):
        whole = backwards != zero  # every pair of values of any two switches occurs
        options = {"go_backwards": backwards, "zero_output_for_mask": zero, "return_sequences": whole}
        ours, theirs = (layer(cell, return_state=zero, **options) for layer in (RNN, keras.layers.RNN))
        given = backwards
        states = [sequences(rng, *s.shape) for s in cell.get_initial_state(BATCH)] if given else None
        same(ours(x, initial_state=states, mask=mask), theirs(x, initial_state=states, mask=mask))


@pytest.mark.parametrize(
    ("cell", "layer"),
    [
        (LSTMCell(UNITS), keras.layers.LSTM(UNITS, return_sequences=True)),
        (GRUCell(UNITS), keras.layers.GRU(UNITS, return_sequences=True)),
        (GRUCell(UNITS, reset_after=False), keras.layers.GRU(UNITS, return_sequences=True, reset_after=False)),
        (SimpleRNNCell(UNITS), keras.layers.SimpleRNN(UNITS, return_sequences=True)),
    ],
    ids=["lstm", "gru", "gru_reset_before", "simple_rnn"],
)
def test_equals_the_keras_layer_with_its_weights(cell, layer, rng):
    x, mask = sequences(rng), mask_of("right")
    layer(x)
    randomise(layer, rng)
    ours = RNN(cell, return_sequences=True)
    ours(x)
    ours.set_weights(layer.get_weights())
    same(ours(x, mask=mask), layer(x, mask=mask))


@pytest.mark.parametrize("mask", ["none", "right", "holes"])
@pytest.mark.parametrize("stack", [("simple_rnn", "gru"), ("lstm", "lstm"), ("gru", "lstm")])
def test_stacked_cells(stack, mask, rng):
    cells, x, mask = [CELLS[name](UNITS) for name in stack], sequences(rng), mask_of(mask)
    for backwards in (False, True):
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        ours, theirs = (layer(cells, **options) for layer in (RNN, keras.layers.RNN))
        same(ours(x, mask=mask), theirs(x, mask=mask))
    if mask is None:  # the same, cell by cell
        by_hand = x
        for cell in cells:
            by_hand = RNN(cell, return_sequences=True)(by_hand)
        same(RNN(cells, return_sequences=True)(x), by_hand)


@quick_cells
def test_stateful_continues_from_its_last_states(cell, rng):
    cell, x = MAKERS[cell](UNITS), sequences(rng)
    whole = RNN(cell, return_sequences=True)(x)
    layer = RNN(cell, return_sequences=True, stateful=True)
    for _ in range(2):
        parts = [layer(x[:, :1]), layer(x[:, 1:3]), layer(x[:, 3:])]
        same(np.concatenate(parts, axis=1), whole)
        layer.reset_state()


@every_mask
def test_bidirectional_equals_keras(cell, mask, rng):
    return_sequences = (list(MAKERS).index(cell) + list(MASKS).index(mask)) % 2 == 0
    make, x, mask = MAKERS[cell], sequences(rng), mask_of(mask)
    ours = Bidirectional(make(UNITS), make(UNITS), return_sequences=return_sequences)
    ours(x)
    randomise(ours, rng)
    # zeros where masked, but only with sequences: as the last output Keras would take that of a padding step
    inner = keras.layers.RNN(make(UNITS), return_sequences=return_sequences, zero_output_for_mask=return_sequences)
    theirs = keras.layers.Bidirectional(inner)
    theirs(x)
    theirs.set_weights(ours.get_weights())
    same(ours(x, mask=mask), theirs(x, mask=mask))


def _join(forward, backward):
    return tf.concat([forward, backward[:, ::-1] if len(backward.shape) == 3 else backward], -1)


def _gradients(run, watched, layers, upstream):
    with tf.GradientTape() as tape:
        tape.watch(watched)
        results = run()
        loss = sum(tf.reduce_sum(r * u) for r, u in zip(results, upstream, strict=True))
    weights = [w.value for layer in layers for w in layer.trainable_weights]
    return tape.gradient(loss, [*watched, *weights])


def _same_gradients(ours, theirs):
    assume(any(np.abs(other).max() > 1e-6 for other in theirs))  # a single step of a rectified cell can be flat
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10 * np.abs(other).max(), rtol=0)


@st.composite
def problems(draw):
    """Shapes, a mask (or none) with a live step in it, and a seed for the numbers."""
    batch, time, features, units = (draw(st.integers(1, 4)) for _ in range(4))
    rows = st.lists(st.booleans(), min_size=time, max_size=time)
    mask = draw(st.none() | st.lists(rows, min_size=batch, max_size=batch).filter(lambda rows: any(map(any, rows))))
    return batch, time, features, units, mask, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@pytest.mark.parametrize("cell", MAKERS)
@settings(max_examples=3)
@given(problems(), st.booleans(), st.booleans())
def test_backpropagation_equals_automatic_differentiation(cell, problem, go_backwards, return_sequences):
    batch, time, features, units, mask, rng = problem
    cell = MAKERS[cell](units, dtype="float64")
    options = {"go_backwards": go_backwards, "return_sequences": return_sequences, "return_state": True}
    ours, theirs = RNN(cell, dtype="float64", **options), keras.layers.RNN(cell, dtype="float64", **options)
    x = tf.constant(rng.normal(size=(batch, time, features)))
    states = [tf.constant(rng.normal(size=s.shape)) for s in cell.get_initial_state(batch)]
    ours(x)
    randomise(cell, rng)
    upstream = [rng.normal(size=r.shape) for r in ours(x, initial_state=states)]
    mask = None if mask is None else np.array(mask)

    def gradients(layer):
        return _gradients(lambda: layer(x, initial_state=states, mask=mask), [x, *states], [cell], upstream)

    _same_gradients(gradients(ours), gradients(theirs))


@quick_cells
@settings(max_examples=3)
@given(problems())
def test_backpropagation_in_both_directions_at_once(cell, problem):
    batch, time, features, units, mask, rng = problem
    layer = Bidirectional(*(MAKERS[cell](units, dtype="float64") for _ in range(2)), dtype="float64")
    options = {"return_sequences": True, "zero_output_for_mask": True, "dtype": "float64"}
    forward = keras.layers.RNN(layer.forward, **options)
    backward = keras.layers.RNN(layer.backward, go_backwards=True, **options)
    x, mask = tf.constant(rng.normal(size=(batch, time, features))), None if mask is None else np.array(mask)
    layer(x)
    randomise(layer, rng)
    upstream = [rng.normal(size=(batch, time, 2 * units))]
    ours = _gradients(lambda: [layer(x, mask=mask)], [x], [layer], upstream)
    joined = lambda: [_join(forward(x, mask=mask), backward(x, mask=mask))]  # noqa: E731
    _same_gradients(ours, _gradients(joined, [x], [layer], upstream))


@quick_cells
@settings(max_examples=2)
@given(st.lists(st.integers(0, TIME), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_padding_changes_no_output(cell, lengths, more, seed):
    rng = np.random.default_rng(seed)
    x = sequences(rng, len(lengths), TIME + more, FEATURES)  # the padding is noise
    mask = np.arange(TIME + more) < np.array(lengths)[:, None]
    last, steps = RNN(MAKERS[cell](UNITS)), Bidirectional(MAKERS[cell](UNITS), MAKERS[cell](UNITS))
    ends = Bidirectional(steps.forward, steps.backward, return_sequences=False)
    for layer in (last, steps, ends):
        short, long = layer(x[:, :TIME], mask=mask[:, :TIME]), layer(x, mask=mask)
        same(short, long[:, :TIME] if layer is steps else long, tolerance=1e-6)
    for row, length in enumerate(lengths):  # the same as the row alone without padding
        if length:
            same(last(x, mask=mask)[row], last(x[row : row + 1, :length])[0], tolerance=1e-6)


def _model(cell, vocabulary=11):
    """Tokens -> class, over a mask, both directions and the last output: every path through the layers."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(vocabulary, FEATURES, mask_zero=True),
            Bidirectional(MAKERS[cell](UNITS), MAKERS[cell](UNITS)),
            RNN(MAKERS[cell](UNITS)),
            keras.layers.Dense(2),
        ]
    )


def _tokens(rng, rows):
    lengths = rng.integers(1, TIME + 1, size=(rows, 1))
    return np.where(np.arange(TIME) < lengths, rng.integers(1, 11, size=(rows, TIME)), 0).astype("int32")


@quick_cells
def test_saved_model_gives_the_same_outputs(cell, tmp_path, rng):
    model, tokens = _model(cell), _tokens(rng, 7)
    randomise(model, rng)
    expected = model(tokens)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(tokens), expected)
    assert np.ptp(expected) > 1e-3


@every_cell
def test_every_weight_gets_a_gradient(cell, rng):
    model, tokens = _model(cell), _tokens(rng, 7)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(tokens) ** 2)
    weights = model.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(loss, [w.value for w in weights]), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


def _trained(cell, tokens, targets):
    """The losses of two epochs of three SGD steps each, and the weights after them."""
    keras.utils.set_random_seed(1)
    model = _model(cell)
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices((tokens, targets)).batch(8)
    losses = model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert keras.ops.convert_to_numpy(model.optimizer.iterations) == 6
    return losses, model.get_weights()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm"])
def test_two_replicas_train_as_one(cell, mirrored, rng):
    tokens, targets = _tokens(rng, 24), rng.integers(2, size=24)
    losses, weights = _trained(cell, tokens, targets)
    with mirrored.scope():
        replicated_losses, replicated_weights = _trained(cell, tokens, targets)
    assert losses[1] < losses[0] - 1e-3
    np.testing.assert_allclose(replicated_losses, losses, atol=1e-6)
    same(replicated_weights, weights, tolerance=1e-6)


@pytest.mark.parametrize("mask", ["none", "holes"])
@quick_cells
def test_mixed_precision_agrees_with_float32(cell, mask, rng):
    keras.utils.set_random_seed(0)
    x, mask = sequences(rng), mask_of(mask)
    layers = [
        Bidirectional(*(MAKERS[cell](UNITS, dtype=dtype) for _ in range(2)), dtype=dtype)
        for dtype in ("float32", "mixed_bfloat16")
    ]
    for layer in layers:
        layer(x)
    layers[1].set_weights(layers[0].get_weights())
    full, half = (layer(x, mask=mask) for layer in layers)
    assert half.dtype == tf.bfloat16 and layers[1].forward.kernel.dtype == "float32"
    same(tf.cast(half, tf.float32), full, tolerance=5e-2)  # layer normalisation makes errors larger
    assert not np.array_equal(tf.cast(half, tf.float32), full)
