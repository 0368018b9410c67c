"""Steppers find the layers of a model, whatever the user named them, also in a model loaded from a file."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.layers import NADE, AdaptiveSoftmax, IndependentBernoulli, ReversibleEmbedding
from seqtasks.models import DecoderStepper, LanguageModelStepper, encoder_decoder, language_model

TOKENS = 9
SPEAKING = {"cell": "gru", "units": 4, "size": 4}


def token_inputs():
    return [keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets")]


def tied(name):
    decoder_inputs, targets = token_inputs()
    head = ReversibleEmbedding(TOKENS, 4, name=name)
    return language_model(decoder_inputs, head(decoder_inputs), targets, head, **SPEAKING)


def untied(name):
    """Two layers that could be the head: the one that embeds comes first."""
    decoder_inputs, targets = token_inputs()
    embedding, head = ReversibleEmbedding(TOKENS, 4, name="embedding"), ReversibleEmbedding(TOKENS, 4, name=name)
    return language_model(decoder_inputs, embedding(decoder_inputs), targets, head, **SPEAKING)


def adaptive(name):
    decoder_inputs, targets = token_inputs()
    embedding, head = ReversibleEmbedding(TOKENS, 4, name="embedding"), AdaptiveSoftmax(TOKENS, (5,), name=name)
    return language_model(decoder_inputs, embedding(decoder_inputs), targets, head, **SPEAKING)


def wrapped(name):
    """A head that is a function of a layer."""
    decoder_inputs, targets = token_inputs()
    layer = ReversibleEmbedding(TOKENS, 4, name=name)
    head = lambda vectors, targets: layer(vectors, reverse=True, following=targets)  # noqa: E731
    return language_model(decoder_inputs, layer(decoder_inputs), targets, head, **SPEAKING)


def frames(kind):
    def build(name):
        inputs = [keras.Input((None, 88), name=name) for name in ("decoder_inputs", "targets")]
        return language_model(inputs[0], inputs[0], inputs[1], kind(name=name), "gru", units=4)

    return build


@keras.saving.register_keras_serializable("tests")
class ConstantHead(keras.layers.Layer):
    """A head that offers nothing but log-likelihoods."""

    def call(self, vectors, targets):
        return tf.reduce_sum(vectors, -1) * tf.cast(targets, vectors.dtype)


def custom(name):
    decoder_inputs, targets = token_inputs()
    embedding = keras.layers.Embedding(TOKENS, 4)
    return language_model(decoder_inputs, embedding(decoder_inputs), targets, ConstantHead(name=name), **SPEAKING)


@pytest.mark.parametrize("build", [tied, untied, adaptive, wrapped, frames(NADE), frames(IndependentBernoulli), custom])
@pytest.mark.parametrize("name", ["head", "dense", "time_major_head"])
def test_head_is_found_by_its_place_in_the_model(build, name, tmp_path):
    model = build(name)
    model.save(tmp_path / "model.keras")
    for one in (model, keras.models.load_model(tmp_path / "model.keras")):
        assert LanguageModelStepper(one).head is one.get_layer(name)


@pytest.mark.parametrize("layers", [1, 3])
def test_residuals_are_found(layers):
    decoder_inputs, targets = token_inputs()
    head = ReversibleEmbedding(TOKENS, 5, name="tokens")
    model = language_model(
        decoder_inputs, head(decoder_inputs), targets, head, "gru", 4, layers=layers, residual=True, size=5
    )
    stepper = LanguageModelStepper(model)
    assert [layer.name for layer in stepper.recurrences] == [f"recurrent_{n}" for n in range(1, layers + 1)]
    assert stepper.adds_input == [n > 0 for n in range(layers)]  # the first one changes the size


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("attention", ["none", "general"])
@pytest.mark.parametrize("layers", [1, 2, 11])
def test_decoder_steps_match_the_model(cell, attention, layers, tmp_path):
    source = keras.Input((None, 4), name="source")
    options = {"tokens": 7, "dimension": 4, "cell": cell, "units": 4, "layers": layers, "attention": attention}
    encoder_decoder({"source": source}, source, **options).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape))
    sources = tf.constant(rng.normal(size=(2, 3, 4)), tf.float32)
    decoder_inputs = tf.constant(rng.integers(0, 7, (2, 5)), tf.int32)
    expected = model({"source": sources, "decoder_inputs": decoder_inputs})
    stepper = DecoderStepper(model)
    states, memory = stepper.begin({"source": sources, "more": None}, None)
    for t in range(5):
        logits, states, *_ = stepper.step(decoder_inputs[:, t], states, memory)
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-3, atol=1e-4)
