"""Attention and its decoder: against the equations in NumPy, and the gradients of the loop against a plain tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import Attention, AttentionCell, AttentionRNN, ReversibleEmbedding, recurrent_stack
from seqtasks.layers.attention import SCORES
from seqtasks.models import DecoderStepper, encoder_decoder

RNG = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], bool)


@pytest.fixture(autouse=True)
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy("float32")


def normal(*shape):
    return RNG.normal(size=shape)


def filled(layer):
    """Sets random weights, also those that are zero initially."""
    layer.set_weights([normal(*w.shape) * 0.5 for w in layer.get_weights()])


def attend(attention, query, memory, mask, coverage):
    """Weights (positions,) of one query over one memory, by the equations of the docstring."""
    weights = {w.name: w.numpy() for w in attention.weights}
    keys = memory @ weights["memory_kernel"] if "memory_kernel" in weights else memory
    if attention.coverage:
        keys = keys + np.outer(coverage, weights["coverage_vector"])
    if attention.score == "additive":
        scores = np.tanh(keys + query @ weights["query_kernel"]) @ weights["vector"]
    else:
        scores = keys @ query
    powers = np.where(mask, np.exp(scores - scores[mask].max()), 0)
    return powers / powers.sum()


@pytest.mark.parametrize("score", SCORES)
def test_attention_for_all_queries_at_once(score):
    layer, query, memory = Attention(4, score), normal(3, 2, 4), normal(3, 5, 4)
    layer.build(query.shape, memory.shape)
    filled(layer)
    context, weights = layer(query, memory, memory_mask=MASK)
    for b in range(3):
        for q in range(2):
            expected = attend(layer, query[b, q], memory[b], MASK[b], None)
            np.testing.assert_allclose(weights[b, q], expected, atol=1e-12)
            np.testing.assert_allclose(context[b, q], expected @ memory[b], atol=1e-12)


def unrolled(layer, inputs, memory, states, mask):
    """The decoder step by step, so that a plain tape can compute its gradients."""
    states, prepared = layer.begin(memory, states, mask)
    outputs = []
    for t in range(inputs.shape[1]):
        output, states, _ = layer.step(inputs[:, t], states, prepared)
        outputs.append(output)
    return tf.stack(outputs, 1)


@pytest.mark.parametrize(  # each pair of two of the four at least once
    ("kind", "score", "feeding", "coverage"),
    [
        ("lstm", "dot", False, False), ("lstm", "general", True, True), ("lstm", "additive", True, False),
        ("gru", "dot", True, True), ("gru", "general", False, False), ("gru", "additive", False, True),
        ("layer_norm_lstm", "dot", False, True), ("layer_norm_lstm", "general", True, False),
        ("layer_norm_lstm", "additive", True, True),
    ],
)  # fmt: skip
def test_loop_and_its_gradients_equal_single_steps(kind, score, feeding, coverage):
    layer = AttentionRNN(cells.make(kind, 4), score, feeding, coverage)
    inputs, memory = tf.constant(normal(3, 6, 2)), tf.constant(normal(3, 5, 4))
    first = [tf.constant(normal(3, 4)) for _ in layer.cell.cell.get_initial_state(3)]
    layer(inputs, memory)
    filled(layer)
    upstream = normal(3, 6, 4)
    found = []
    for run in (lambda: layer(inputs, memory, first, memory_mask=MASK, training=True),
                tf.function(lambda: unrolled(layer, inputs, memory, first, MASK))):  # fmt: skip
        with tf.GradientTape() as tape:
            tape.watch([inputs, memory, first])
            outputs = run()
        weights = [w.value for w in layer.trainable_weights]
        found.append([outputs, *tf.nest.flatten(tape.gradient(outputs, [inputs, memory, first, weights], upstream))])
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(ours), tf.convert_to_tensor(plain), atol=1e-10)


@pytest.mark.parametrize("score", SCORES)
def test_step_follows_the_equations(score):
    layer = AttentionRNN(cells.make("lstm", 4), score, True, True)
    memory, x = normal(3, 5, 4), normal(3, 2)
    layer(x[:, None], memory)
    filled(layer)
    states, prepared = layer.begin(tf.constant(memory), [normal(3, 4), normal(3, 4)], MASK)
    states = [tf.constant(normal(3, 4)), states[1], states[2], tf.constant(RNG.random((3, 5)))]
    output, new, weights = layer.step(tf.constant(x), states, prepared)
    kernel, recurrent_kernel, bias = layer.cell.cell.get_weights()
    named = {w.name: w.numpy() for w in layer.cell.weights}
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    for b in range(3):
        last_output, a, c, coverage = (np.asarray(s[b]) for s in states)
        gates = x[b] @ kernel + last_output @ named["feed_kernel"] + a @ recurrent_kernel + bias
        u, f, candidate, o = np.split(gates, 4)
        c = sigmoid(u) * np.tanh(candidate) + sigmoid(f) * c
        a = sigmoid(o) * np.tanh(c)
        expected = attend(layer.cell.attention, a, memory[b], MASK[b], coverage)
        joined = np.concatenate([a, expected @ memory[b]])
        w_s, b_s = layer.cell.kernel.numpy(), layer.cell.bias.numpy()
        np.testing.assert_allclose(output[b], np.tanh(joined @ w_s + b_s), atol=1e-12)
        np.testing.assert_allclose(weights[b], expected, atol=1e-12)
        np.testing.assert_allclose(new[3][b], coverage + expected, atol=1e-12)


def test_shards_equal_single_steps():
    """A batch that is large enough to be split into shards, in a graph."""
    layer = AttentionRNN(cells.make("gru", 64), "additive")
    inputs, memory = tf.constant(normal(256, 3, 4)), tf.constant(normal(256, 5, 6))
    layer(inputs[:1], memory[:1])
    outputs = tf.function(lambda: layer(inputs, memory, training=True))()
    np.testing.assert_allclose(outputs, unrolled(layer, inputs, memory, None, None), atol=1e-12)


@pytest.mark.parametrize(("attention", "layers"), [("none", 2), *zip(SCORES, (2, 1, 2), strict=True)])
def test_decoder_stepper_equals_the_saved_and_loaded_model(attention, layers, tmp_path):
    source = keras.Input((None,), dtype="int32", name="source")
    memory = recurrent_stack(keras.layers.Embedding(9, 4, mask_zero=True)(source), "gru", 3)
    options = {} if attention == "none" else {"coverage": True}
    model = encoder_decoder({"source": source}, memory, 7, 4, "lstm", 6, layers, attention, **options)
    filled(model)
    sources = np.array([[3, 4, 5, 8], [2, 8, 0, 0]])
    previous = np.array([[2, 4, 6, 1, 1], [2, 5, 3, 3, 6]])
    expected = model.predict({"source": sources, "decoder_inputs": previous}, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    stepper = DecoderStepper(loaded)
    states, memory = stepper.begin({"source": tf.constant(sources)}, sources > 0)
    for t in range(5):
        logits, states, *weights = stepper.step(tf.constant(previous[:, t], tf.int32), states, memory)
        np.testing.assert_allclose(logits, expected[:, t], atol=1e-5)
    if attention != "none":
        np.testing.assert_allclose(weights[0][1, 2:], 0, atol=1e-12)


def test_several_rows_can_share_a_memory():
    layer = AttentionRNN(cells.make("gru", 4), "additive")
    memory, x = tf.constant(normal(2, 5, 3)), tf.constant(normal(6, 2))
    layer(x[:2, None], memory)
    states, prepared = layer.begin(memory, None, MASK[:2])
    repeated, prepared_rows = layer.begin(tf.repeat(memory, 3, 0), None, np.repeat(MASK[:2], 3, 0))
    together = layer.step(x, [tf.repeat(s, 3, 0) for s in states], prepared)
    separate = layer.step(x, repeated, prepared_rows)
    for one, other in zip(tf.nest.flatten(together), tf.nest.flatten(separate), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="unknown score 'sum': the scores are dot, general, additive"):
        Attention(4, "sum")
    with pytest.raises(ValueError, match="dot needs a memory of size 4, that of the queries, got 3"):
        Attention(4, "dot")(tf.ones((1, 2, 4)), tf.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="use AttentionRNN"):
        Attention(4, "dot", coverage=True)(tf.ones((1, 2, 4)), tf.ones((1, 2, 4)))
    with pytest.raises(ValueError, match="without zoneout"):
        AttentionRNN(cells.make("gru", 4, zoneout=0.1))
    with pytest.raises(ValueError, match="use_bias is an option of the inner cell"):
        AttentionCell(cells.make("gru", 4), Attention(4), use_bias=False)


def test_reversible_embedding_scores_with_its_table():
    layer = ReversibleEmbedding(5, 3)
    vectors = layer(np.array([[1, 4]]))
    table, bias = layer.get_weights()
    np.testing.assert_allclose(vectors, table[[[1, 4]]])
    np.testing.assert_allclose(layer(vectors, reverse=True), table[[[1, 4]]] @ table.T + bias, atol=1e-6)
