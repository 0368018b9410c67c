"""Features of the loop that `keras.layers.RNN` lacks: shards of a batch on several cores, XLA, dropout and zoneout."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks import cells
from seqtasks.cells import CELLS, GRUCell, LSTMCell, SimpleRNNCell
from seqtasks.cells.affine import affine
from seqtasks.cells.normalise import normalise
from seqtasks.layers import RNN, Bidirectional, batch_of_one, rnn, scan
from seqtasks.layers.compiled_length import compiled_loops

TIME, FEATURES, UNITS = 5, 3, 4


def problem(layer, rows, rng, masked=True):
    """Random weights, an input and a mask with holes and an empty row."""
    x = tf.constant(rng.normal(size=(rows, TIME, FEATURES)))
    layer(x)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    mask = rng.random((rows, TIME)) < 0.7
    mask[-1] = False
    return x, tf.constant(mask) if masked else None


def gradients(layer, x, mask, upstream, training=False):
    weights = [w.value for w in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, mask=mask, training=training)
        loss = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(loss, [x, *weights])]


def same(ones, others, tolerance=1e-10):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance * max(1, np.abs(other).max()), rtol=0)


@pytest.mark.parametrize(  # shards and compilation treat all cells alike: most of them are slow tests
    ("name", "layer", "rows"),
    [
        ("lstm", Bidirectional, None),
        ("gru", RNN, 7),
        pytest.param("lstm", Bidirectional, 7, marks=pytest.mark.slow),
        pytest.param("layer_norm_gru", Bidirectional, 7, marks=pytest.mark.slow),
        pytest.param("layer_norm_gru", Bidirectional, None, marks=pytest.mark.slow),
    ],
)
def test_shards_give_the_numbers_of_the_whole_batch(name, rows, layer, rng, monkeypatch):
    monkeypatch.setattr(rnn, "CORES", 4)
    monkeypatch.setattr(rnn, "SHARD_SIZE", UNITS)
    count, seen = 2 if layer is Bidirectional else 1, []
    made = (cells.make(name, UNITS, dtype="float64") for _ in range(count))
    kept = {"return_sequences": True, "dtype": "float64"}
    layer = layer(*made, **kept)
    x, mask = problem(layer, 7, rng)
    upstream = rng.normal(size=layer(x).shape)
    whole = gradients(layer, x, mask, upstream, training=True)
    monkeypatch.setattr(rnn, "scan", lambda all_, *rest: seen.append(len(all_)) or scan.scan(all_, *rest))
    specs = [tf.TensorSpec((rows, TIME, FEATURES), "float64"), tf.TensorSpec((rows, TIME), "bool")]
    inside = tf.function(lambda x, mask: gradients(layer, x, mask, upstream, training=True), input_signature=specs)
    same(inside(x, mask), whole)
    assert seen == [4]  # four cores: four shards, or two for each direction


COMPILED = {(3, 2**30, False): ("gru",), (6, UNITS, True): ("lstm", "layer_norm_simple_rnn")}  # rows, size, training


@pytest.mark.parametrize(
    ("name", "rows", "size", "training"),
    [
        pytest.param(name, *case, marks=() if name in quick else pytest.mark.slow)
        for case, quick in COMPILED.items()
        for name in CELLS
    ],
)
def test_xla_gives_the_numbers_of_the_uncompiled_loop(name, rows, size, training, rng, monkeypatch):
    """For few rows, and for a training in which all shapes are known."""
    monkeypatch.setattr(scan, "COMPILED_SIZE", size)
    layer = Bidirectional(*(cells.make(name, UNITS, dtype="float64") for _ in range(2)), dtype="float64")
    x, mask = problem(layer, rows, rng)
    upstream = rng.normal(size=layer(x).shape)
    plain, compiled = gradients(layer, x, mask, upstream, training), []
    real = tf.function
    recorded = lambda f, jit_compile: compiled.append(f) or real(f, jit_compile=jit_compile)  # noqa: E731
    monkeypatch.setattr(scan.tf, "function", recorded)
    same(real(lambda: gradients(layer, x, mask, upstream, training))(), plain, 1e-9)
    assert len(compiled) == (4 if training else 6)  # for each direction forward (twice without training) and backward


@pytest.mark.parametrize(
    "name", [name if name == "lstm" else pytest.param(name, marks=pytest.mark.slow) for name in CELLS]
)
def test_compiled_loop_of_any_length_gives_the_numbers_of_the_uncompiled_one(name, rng):
    """Shorter and longer than the shortest of the compiled lengths, and equal to it; the programs are shared."""
    layer = Bidirectional(*(cells.make(name, UNITS, dtype="float64") for _ in range(2)), dtype="float64")
    layer(np.ones((3, 2, FEATURES)))
    specs = [tf.TensorSpec((3, None, FEATURES), "float64"), tf.TensorSpec((3, None), "bool")]

    def run(x, mask):
        return gradients(layer, x, mask, tf.cast(tf.ones_like(x[..., :1]), "float64"), training=True)

    with compiled_loops(3):
        compiled = tf.function(run, input_signature=specs).get_concrete_function()
    assert sum(f.attr["_XlaMustCompile"].b for f in compiled.graph.as_graph_def().library.function) >= 4
    for length in (1, TIME, 64, 65):
        x, mask = rng.normal(size=(3, length, FEATURES)), rng.random((3, length)) < 0.7
        same(compiled(tf.constant(x), tf.constant(mask)), run(tf.constant(x), tf.constant(mask)), 1e-9)


@pytest.mark.parametrize(
    ("cell", "theirs", "size"),
    [
        (LSTMCell, keras.layers.LSTM, 1),
        (partial(GRUCell, reset_after=False), partial(keras.layers.GRU, reset_after=False), 2**30),
        (SimpleRNNCell, keras.layers.SimpleRNN, 1),
        (SimpleRNNCell, keras.layers.SimpleRNN, 2**30),
    ],
)
def test_padded_kernels_give_the_numbers_of_keras(cell, theirs, size, rng, monkeypatch):
    """256 units: the forward and backward products have a multiple of 256 columns, compiled and not."""
    monkeypatch.setattr(scan, "COMPILED_SIZE", size)
    ours = RNN(cell(256, dtype="float64"), return_sequences=True, dtype="float64")
    theirs = theirs(256, return_sequences=True, dtype="float64")
    x, _ = problem(ours, 5, rng, masked=False)
    theirs(x)
    weights = [rng.normal(size=w.shape, scale=0.05) for w in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights([w.reshape(mine.shape) for w, mine in zip(weights, ours.weights, strict=True)])
    upstream = rng.normal(size=(5, TIME, 256))
    found = tf.function(lambda: gradients(ours, x, None, upstream, training=True))()
    same([tf.reshape(f, [-1]) for f in found], [tf.reshape(g, [-1]) for g in gradients(theirs, x, None, upstream)])


class RecordedMasks(LSTMCell):
    """A cell that keeps its masks."""

    def dropout_mask(self, shape, rate):
        self.seen = [*getattr(self, "seen", []), super().dropout_mask(shape, rate)]
        return self.seen[-1]


def lstm_by_hand(cell, x, inputs, products, kept):
    """The LSTM with given masks, step by step, by operations that TensorFlow differentiates itself."""
    a = c = tf.zeros((x.shape[0], UNITS), "float64")
    outputs = []
    for t in range(TIME):
        projected = (x[:, t] * inputs) @ cell.kernel.value + cell.bias.value
        u, f, g, o = tf.split(projected + (a * products) @ cell.recurrent_kernel.value, 4, -1)
        new_c = tf.sigmoid(u) * tf.tanh(g) + tf.sigmoid(f) * c
        new_a = tf.sigmoid(o) * tf.tanh(new_c)
        a, c = (tf.where(k[t] > 0, old, new) for k, old, new in zip(kept, (a, c), (new_a, new_c), strict=True))
        outputs.append(a)
    return tf.stack(outputs, 1)


def test_dropout_and_zoneout_with_one_mask_a_sequence(rng):
    cell = RecordedMasks(UNITS, dropout=0.4, recurrent_dropout=0.5, zoneout=0.3, dtype="float64")
    layer = RNN(cell, return_sequences=True, dtype="float64")
    x, _ = problem(layer, 6, rng)
    upstream = rng.normal(size=(6, TIME, UNITS))
    ours = gradients(layer, x, None, upstream, training=True)
    inputs, products, *kept = cell.seen
    assert [m.shape for m in cell.seen] == [(6, FEATURES), (6, UNITS), (TIME, 6, UNITS), (TIME, 6, UNITS)]
    weights = [w.value for w in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = lstm_by_hand(cell, x, inputs, products, kept)
        loss = tf.reduce_sum(outputs * upstream)
    same(ours, [outputs, *tape.gradient(loss, [x, *weights])])


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_rate(rate, rng):
    cell = LSTMCell(UNITS, dropout=rate)
    mask = cell.dropout_mask((200, 200), rate).numpy()
    assert set(np.unique(mask)) == {0, np.float32(1 / (1 - rate))}
    np.testing.assert_allclose((mask == 0).mean(), rate, atol=0.01)
    assert not np.array_equal(cell.dropout_mask((200, 200), rate), mask)


def test_zoneout_without_training_is_the_expectation(rng):
    cell = SimpleRNNCell(UNITS, zoneout=0.3, dtype="float64")
    layer = RNN(cell, return_sequences=True, dtype="float64")
    x, _ = problem(layer, 4, rng)
    a, expected = np.zeros((4, UNITS)), []
    for t in range(TIME):
        new = np.tanh(a @ cell.recurrent_kernel.numpy() + x[:, t].numpy() @ cell.kernel.numpy() + cell.bias.numpy())
        a = 0.3 * a + 0.7 * new
        expected.append(a)
    np.testing.assert_allclose(layer(x), np.stack(expected, 1), atol=1e-12)
    np.testing.assert_allclose(keras.layers.RNN(cell, return_sequences=True, dtype="float64")(x), layer(x), atol=1e-12)


RATES = ("dropout", "recurrent_dropout", "zoneout")


@pytest.mark.parametrize(  # each cell with one of the rates, two cells with all
    ("name", "rate"),
    [
        pytest.param(name, rate, marks=() if name in ("lstm", "gru") or i % 3 == j else pytest.mark.slow)
        for i, name in enumerate(CELLS)
        for j, rate in enumerate(RATES)
    ],
)
def test_rates_act_only_in_training(name, rate, rng):
    layer = RNN(cells.make(name, UNITS, **{rate: 0.5}, dtype="float64"), dtype="float64")
    x, _ = problem(layer, 8, rng)
    np.testing.assert_array_equal(layer(x), layer(x))
    assert np.abs(layer(x, training=True) - layer(x, training=True)).max() > 1e-3
    again = type(layer).from_config(layer.get_config())
    assert getattr(again.cell, rate) == 0.5


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_invalid_rate_raises(rate):
    with pytest.raises(ValueError, match=rf"GRUCell: zoneout must lie in \[0, 1\), got {rate!r}."):
        GRUCell(UNITS, zoneout=rate)


def test_requesting_a_product_twice_raises(rng):
    class Twice(SimpleRNNCell):
        def step(self, projected, states, product):
            return [product("recurrent_kernel", product("recurrent_kernel", states[0]))]

    with pytest.raises(ValueError, match="'recurrent_kernel'. was requested twice in one step"):
        RNN(Twice(UNITS))(np.ones((2, TIME, FEATURES), "float32"))


def test_gradient_without_training_is_the_same(rng):
    layer = RNN(GRUCell(UNITS, reset_after=False, dtype="float64"), return_sequences=True, dtype="float64")
    x, mask = problem(layer, 4, rng)
    upstream = rng.normal(size=(4, TIME, UNITS))
    same(gradients(layer, x, mask, upstream, training=False), gradients(layer, x, mask, upstream, training=True))


def derivatives(function, given, upstream):
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs = function(*given)
        loss = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(loss, given)]


@settings(max_examples=10)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.booleans(), st.integers(0, 2**32 - 1))
def test_affine_and_its_gradients(leading, biased, seed):
    rng = np.random.default_rng(seed)
    x, w, b = (tf.constant(rng.normal(size=s)) for s in ((*leading, 3), (3, 2), (2,)))
    upstream = rng.normal(size=(*leading, 2))
    given = [x, w, b][: 2 + biased]

    plain = lambda x, w, b=0.0: tf.einsum("...i,ij->...j", x, w) + b  # noqa: E731
    same(derivatives(affine, given, upstream), derivatives(plain, given, upstream))


@settings(max_examples=10)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=2), st.booleans(), st.integers(0, 2**32 - 1))
def test_normalise_and_its_gradients(leading, offset, seed):
    rng = np.random.default_rng(seed)
    given = [tf.constant(rng.normal(size=s)) for s in ((*leading, 4), (4,), (4,))[: 2 + offset]]
    upstream = rng.normal(size=(*leading, 4))

    def by_hand(x, gain, offset=0.0):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5) * gain + offset

    same(derivatives(normalise, given, upstream), derivatives(by_hand, given, upstream), 1e-8)


def test_reservoir_has_its_spectral_radius_and_is_not_trained(rng):
    layer = RNN(cells.make("echo_state", 40, connectivity=0.2, spectral_radius=0.7, leak=0.5))
    layer(np.ones((2, TIME, FEATURES), "float32"))
    kernel = layer.cell.recurrent_kernel.numpy()
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(kernel)).max(), 0.7, atol=1e-4)
    np.testing.assert_allclose((kernel != 0).mean(), 0.2, atol=0.05)
    assert layer.trainable_variables == []


@pytest.mark.parametrize("wrong", [{"connectivity": 0}, {"leak": 1.5}, {"spectral_radius": -1}])
def test_invalid_argument_of_the_reservoir_raises(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"EchoStateCell: {name} must .* got {value!r}"):
        cells.make("echo_state", 4, **wrong)


@pytest.mark.parametrize(
    ("kind", "masked"),
    [
        (Bidirectional, True),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((RNN, True), (RNN, False), (Bidirectional, False))),
    ],
)
def test_exported_layer_compiles_one_loop_for_single_sequences_of_any_length(kind, masked, rng, tmp_path):
    made = (cells.make("gru", UNITS) for _ in range(2 if kind is Bidirectional else 1))
    layer = kind(*made, return_sequences=True)
    layer(np.ones((2, TIME, FEATURES), "float32"))
    module, specs = tf.Module(), [tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None, None], "bool")]

    @tf.function(input_signature=specs)
    def serve(x, mask):
        with batch_of_one.exporting():
            return layer(x, mask=mask if masked else None, training=False)

    module.weights, module.serve = [v.value for v in layer.variables], serve
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for rows, length in ((1, 1), (1, TIME), (1, batch_of_one.LENGTH), (1, batch_of_one.LENGTH + 3), (3, TIME)):
        x = rng.normal(size=(rows, length, FEATURES)).astype("float32")
        mask = rng.random((rows, length)) < 0.7
        expected = layer(x, mask=mask if masked else None)
        np.testing.assert_allclose(loaded.serve(x, mask), expected, atol=1e-6)
    graphs = serve.get_concrete_function().graph.as_graph_def().library.function
    compiled = [f for f in graphs if f.attr["_XlaMustCompile"].b]
    assert compiled
    for shapes in (f.arg_attr.values() for f in compiled):  # no shape that depends on the length
        for attributes in shapes:
            shape = attributes.attr["_output_shapes"].list.shape[0]
            assert not shape.unknown_rank and all(d.size >= 0 for d in shape.dim)
