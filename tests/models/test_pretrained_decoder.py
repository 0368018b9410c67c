"""Decoders and encoders that start from language models, against the language models themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.data.token_ids import BOS, EOS
from seqtasks.layers import AdaptiveSoftmax, ReversibleEmbedding
from seqtasks.models import (
    DecoderStepper,
    LanguageModelStepper,
    encoder_decoder,
    language_model,
    pretrained_cells,
    pretrained_states,
)
from seqtasks.models.pretrained import Network, take_over
from seqtasks.models.pretrained_decoder import decodes, take_over_decoder, taken_weights

TOKENS, DIMENSION = 12, 5
WRITTEN = [BOS, 4, 7, 9, 5, 11]


def model_of(kind="lstm", units=6, layers=1, adaptive=False, size=DIMENSION):
    """A language model with random weights, biases included."""
    keras.utils.set_random_seed(5)
    previous, following = (keras.Input((None,), dtype="int32", name=n) for n in ("decoder_inputs", "targets"))
    table = ReversibleEmbedding(TOKENS, DIMENSION, name="embedding")
    embedding, head = (
        (keras.layers.Embedding(TOKENS, DIMENSION), AdaptiveSoftmax(TOKENS, [6])) if adaptive else [table] * 2
    )
    model = language_model(previous, embedding(previous), following, head, kind, units, layers, size=size)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.4, variable.shape))
    return model


def decoder_of(model, layers=None, attention="general", **options):
    """An `encoder_decoder` whose decoder took over the language model."""
    network = Network.of(model)
    source = keras.Input((None, 3), name="source")
    cells = pretrained_cells(network, layers)
    other = encoder_decoder(
        {"source": source}, source, TOKENS, network.dimension, cells, attention=attention, **options
    )
    take_over_decoder(other, model)
    return other


def written(model):
    """The states of the first recurrence, and the logits, after each token of a sentence."""
    stepper = LanguageModelStepper(model)
    states, found = stepper.begin(1), []
    for token in WRITTEN:
        vectors, states = stepper.step(tf.constant([token]), states)
        found.append(([state.numpy() for state in states[0]], stepper.logits(vectors).numpy()))
    return found


@pytest.mark.parametrize(
    ("kind", "units", "layers"), [("lstm", 6, 1), ("gru", 6, 2), ("layer_norm_lstm", 5, 1), ("simple_rnn", 5, 2)]
)
def test_without_attention_the_logits_are_those_of_the_language_model(kind, units, layers):
    """With a readout, and without where the units are the dimension, in batches and step by step."""
    model = model_of(kind, units, layers)
    other = decoder_of(model, attention="none")
    source = np.ones((1, 4, 3), "float32")
    expected = np.concatenate([logits for _, logits in written(model)])
    logits = other({"source": source, "decoder_inputs": np.array([WRITTEN])}).numpy()[0]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    stepper = DecoderStepper(other)
    states, memory = stepper.begin({"source": tf.constant(source)}, None)
    for token, row in zip(WRITTEN, expected, strict=True):
        logits, states = stepper.step(tf.constant([token]), states, memory)
        np.testing.assert_allclose(logits.numpy()[0], row, atol=1e-5)


@pytest.mark.parametrize(("score", "input_feeding"), [("dot", True), ("general", False), ("additive", True)])
def test_with_attention_the_first_states_are_those_of_the_language_model(score, input_feeding):
    model = model_of("lstm", 6, 2)
    other = decoder_of(model, attention=score, input_feeding=input_feeding)
    stepper = DecoderStepper(other)
    states, memory = stepper.begin({"source": tf.random.stateless_normal((1, 4, 3), [1, 2])}, None)
    for token, (expected, _) in zip(WRITTEN, written(model), strict=True):
        _, states, _ = stepper.step(tf.constant([token]), states, memory)
        for state, value in zip(states[0][1:], expected, strict=True):
            np.testing.assert_allclose(state, value, atol=1e-5)


def test_the_attentional_vector_is_the_state_where_there_is_no_context():
    """The memory is zero, so the first output is tanh of the state, and the logits are those of it."""
    model = model_of("gru", 6, 1)
    other = decoder_of(model)
    logits = other({"source": np.zeros((1, 4, 3)), "decoder_inputs": np.array([WRITTEN])}).numpy()[0]
    stepper = LanguageModelStepper(model)
    for row, (states, _) in zip(logits, written(model), strict=True):
        expected = stepper.logits(stepper.readout(tf.tanh(states[0])))
        np.testing.assert_allclose(row, expected.numpy()[0], atol=1e-5)


def test_fewer_layers_and_an_adaptive_softmax_leave_the_readout_new():
    for model, layers in ((model_of("gru", 6, 2), 1), (model_of("gru", 6, 2, adaptive=True), None)):
        other = decoder_of(model, layers)
        parts = {layer.name for layer, _ in taken_weights(other, Network.of(model))}
        assert parts == {"target_embedding", *(f"decoder_{n}" for n in range(1, (layers or 2) + 1))}
        table = next(layer for layer in model.layers if "embedding" in layer.name).weights[0]
        np.testing.assert_array_equal(other.get_layer("target_embedding").table, table)
        readout = other.get_layer("readout").kernel.numpy()
        assert not any(np.array_equal(readout, w) for w in model.get_weights()) and not (readout == np.eye(6, 5)).all()
        bias = other.get_layer("target_embedding").bias.numpy()
        assert bias.any() == (layers == 1)


def test_kernels_that_begin_at_zero_have_gradients():
    model = model_of("lstm", 6, 1)
    other = decoder_of(model, attention="none")
    inputs = {"source": np.ones((2, 4, 3), "float32"), "decoder_inputs": np.array([WRITTEN, WRITTEN])}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(other(inputs)))
    gradients = tape.gradient(loss, [v.value for v in other.trainable_variables])
    assert all(g is not None and np.any(tf.convert_to_tensor(g)) for g in gradients)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_end_token_is_read_last_in_both_directions(direction):
    model = model_of("gru", 6, 1)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    network = Network.of(model, direction)
    other = keras.Model(tokens, pretrained_states(tokens, [network], auxiliary=0.5, ended=True))
    take_over(other, model, direction)
    rows = [[4, 7, 9], [8]]
    _, states = other(np.array([[*rows[0], EOS], [*rows[1], EOS, 0, 0]], "int32"), training=True)
    stepper, total = LanguageModelStepper(model), 0.0
    for row, ids in enumerate(rows):
        read = ids[:: -1 if direction == "backward" else 1]
        x = tf.transpose(stepper.embed(np.array([[BOS, *read, EOS]], "int32")), (1, 0, 2))
        outputs = stepper.stack.run(x, stepper.begin(1))[0].numpy()[1:, 0]
        expected = [*(outputs[:-1][::-1] if direction == "backward" else outputs[:-1]), outputs[-1]]
        np.testing.assert_allclose(states[row, : len(ids) + 1], expected, atol=1e-5)
        given = {"decoder_inputs": np.array([[BOS, *read]], "int32"), "targets": np.array([[*read, EOS]], "int32")}
        total += float(tf.reduce_sum(model(given)))
    np.testing.assert_allclose([float(loss) for loss in other.losses], [-0.5 * total / 6], rtol=1e-5)


def test_models_know_which_language_model_decodes():
    tokens = keras.Input((None,), dtype="int32", name="source")
    network = Network.of(model_of())
    states = pretrained_states(tokens, [network], "pretrained")[1]
    other = encoder_decoder({"source": tokens}, states, TOKENS, DIMENSION, pretrained_cells(network))
    assert (decodes(other, "pretrained"), decodes(other, "pretrained_target")) == (False, True)
    assert not decodes(keras.Model(tokens, states), "pretrained_target")
