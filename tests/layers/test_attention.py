"""Attention and its decoder: against the equations in NumPy, and the loop's gradients against a plain tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import Attention, AttentionRNN, ReversibleEmbedding, recurrent_stack
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
    """All weights drawn at random, those that begin with zeros too."""
    layer.set_weights([normal(*w.shape) * 0.5 for w in layer.get_weights()])


def attend(attention, query, memory, mask, coverage):
    """Weights (places,) of one query over one memory, from the docstring's equations."""
    weights = {w.name: w.numpy() for w in attention.weights}
    places = memory @ weights["memory_kernel"] if "memory_kernel" in weights else memory
    if attention.coverage:
        places = places + np.outer(coverage, weights["coverage_vector"])
    if attention.score == "additive":
        scores = np.tanh(places + query @ weights["query_kernel"]) @ weights["vector"]
    else:
        scores = places @ query
    powers = np.where(mask, np.exp(scores - scores[mask].max()), 0)
    return powers / powers.sum()


@pytest.mark.parametrize("score", SCORES)
def test_attention_answers_all_queries_at_once(score):
    layer, query, memory = Attention(4, score), normal(3, 2, 4), normal(3, 5, 4)
    layer.build(query.shape, memory.shape)
    filled(layer)
    context, weights = layer(query, memory, memory_mask=MASK)
    for b in range(3):
        for q in range(2):
            due = attend(layer, query[b, q], memory[b], MASK[b], None)
            np.testing.assert_allclose(weights[b, q], due, atol=1e-12)
            np.testing.assert_allclose(context[b, q], due @ memory[b], atol=1e-12)


def unrolled(layer, inputs, memory, states, mask):
    """The decoder's equations step by step, in TensorFlow so that a plain tape gives gradients."""
    states, prepared = layer.begin(memory, states, mask)
    outputs = []
    for t in range(inputs.shape[1]):
        output, states, _ = layer.step(inputs[:, t], states, prepared)
        outputs.append(output)
    return tf.stack(outputs, 1)


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize(
    ("kind", "score"), [*(("lstm", score) for score in SCORES), ("gru", "general"), ("layer_norm_lstm", "additive")]
)
def test_the_loop_and_its_gradients_are_those_of_single_steps(kind, score, feeding, coverage):
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
def test_one_step_is_the_equations(score):
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
        fed, a, c, looked = (np.asarray(s[b]) for s in states)
        gates = x[b] @ kernel + fed @ named["feed_kernel"] + a @ recurrent_kernel + bias
        u, f, candidate, o = np.split(gates, 4)
        c = sigmoid(u) * np.tanh(candidate) + sigmoid(f) * c
        a = sigmoid(o) * np.tanh(c)
        due = attend(layer.cell.attention, a, memory[b], MASK[b], looked)
        joined = np.concatenate([a, due @ memory[b]])
        w_s, b_s = layer.cell.kernel.numpy(), layer.cell.bias.numpy()
        np.testing.assert_allclose(output[b], np.tanh(joined @ w_s + b_s), atol=1e-12)
        np.testing.assert_allclose(weights[b], due, atol=1e-12)
        np.testing.assert_allclose(new[3][b], looked + due, atol=1e-12)


def test_lanes_do_not_change_a_batch():
    """A batch large enough to be cut into lanes, in a graph, gives what single steps give."""
    layer = AttentionRNN(cells.make("gru", 64), "additive")
    inputs, memory = tf.constant(normal(256, 3, 4)), tf.constant(normal(256, 5, 6))
    layer(inputs[:1], memory[:1])
    outputs = tf.function(lambda: layer(inputs, memory, training=True))()
    np.testing.assert_allclose(outputs, unrolled(layer, inputs, memory, None, None), atol=1e-12)


@pytest.mark.parametrize("attention", ["none", *SCORES])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_written_step_is_the_model_and_survives_saving(attention, layers, tmp_path):
    source = keras.Input((None,), dtype="int32", name="source")
    memory = recurrent_stack(keras.layers.Embedding(9, 4, mask_zero=True)(source), "gru", 3)
    looks = {} if attention == "none" else {"coverage": True}
    model = encoder_decoder({"source": source}, memory, 7, 4, "lstm", 6, layers, attention, **looks)
    filled(model)
    sources = np.array([[3, 4, 5, 8], [2, 8, 0, 0]])
    previous = np.array([[2, 4, 6, 1, 1], [2, 5, 3, 3, 6]])
    due = model.predict({"source": sources, "decoder_inputs": previous}, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    writer = DecoderStepper(loaded)
    states, memory = writer.begin({"source": tf.constant(sources)}, sources > 0)
    for t in range(5):
        logits, states, *weights = writer.step(tf.constant(previous[:, t], tf.int32), states, memory)
        np.testing.assert_allclose(logits, due[:, t], atol=1e-5)
    if attention != "none":
        np.testing.assert_allclose(weights[0][1, 2:], 0, atol=1e-12)


def test_several_rows_share_a_memory():
    layer = AttentionRNN(cells.make("gru", 4), "additive")
    memory, x = tf.constant(normal(2, 5, 3)), tf.constant(normal(6, 2))
    layer(x[:2, None], memory)
    states, prepared = layer.begin(memory, None, MASK[:2])
    repeated, apart = layer.begin(tf.repeat(memory, 3, 0), None, np.repeat(MASK[:2], 3, 0))
    together = layer.step(x, [tf.repeat(s, 3, 0) for s in states], prepared)
    for ours, due in zip(tf.nest.flatten(together), tf.nest.flatten(layer.step(x, repeated, apart)), strict=True):
        np.testing.assert_allclose(ours, due, atol=1e-12)


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="unknown score 'sum': the scores are dot, general, additive"):
        Attention(4, "sum")
    with pytest.raises(ValueError, match="dot needs a memory of the size 4 of the queries, got 3"):
        Attention(4, "dot")(tf.ones((1, 2, 4)), tf.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="take AttentionRNN"):
        Attention(4, "dot", coverage=True)(tf.ones((1, 2, 4)), tf.ones((1, 2, 4)))
    with pytest.raises(ValueError, match="without zoneout"):
        AttentionRNN(cells.make("gru", 4, zoneout=0.1))


def test_the_table_that_reads_also_scores():
    layer = ReversibleEmbedding(5, 3)
    vectors = layer(np.array([[1, 4]]))
    table, bias = layer.get_weights()
    np.testing.assert_allclose(vectors, table[[[1, 4]]])
    np.testing.assert_allclose(layer(vectors, reverse=True), table[[[1, 4]]] @ table.T + bias, atol=1e-6)
