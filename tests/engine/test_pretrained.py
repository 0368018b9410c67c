"""Runs that start from language models."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.data.token_ids import BOS
from seqtasks.engine.adaptation import adapt
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.pretrained import Pretrained
from seqtasks.errors import UserError
from seqtasks.layers import ReversibleEmbedding
from seqtasks.models import LanguageModelStepper, language_model, pretrained_states
from seqtasks.models.pretrained import Network, take_over
from seqtasks.recipe import load_recipe
from tests.reviews import SMALL
from tests.untrained import untrained

GOOD = ["a fine film", "a lovely old story", "fine acting and a fine end", "lovely, simply lovely"]
BAD = ["a dull film", "a boring old story", "dull acting and a dull end", "boring, simply boring"]
ROWS = [(text, "good") for text in GOOD] + [(text, "bad") for text in BAD]
TINY = {"units": 6, "dimension": 5, "layers": 1, "epochs": 1, "batch_size": 4, "gradient_flow": False}
SHORT = {**SMALL, "epochs": 1, "batch_size": 4, "quiet": True, "gradient_flow": False}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Language models of words, one a direction, and one of characters, with the weights they begin with."""
    folder = tmp_path_factory.mktemp("language_models")
    texts = {"train": GOOD + BAD, "valid": GOOD, "test": BAD}
    made = {}
    for name, fields in {
        "forward": {"vocabulary": "word"},
        "backward": {"vocabulary": "word", "direction": "backward"},
        "characters": {},
    }.items():
        options = {**TINY, "document": "line", **fields}
        made[name] = untrained("language_model", folder / name, **texts, **options)
    return made


@pytest.fixture(scope="module")
def reviews(runs, tmp_path_factory):
    """A classifier that starts from the language models of both directions."""
    both = f"{runs['forward'].directory},{runs['backward'].directory}"
    data = {"train": ROWS, "valid": ROWS, "test": ROWS}
    path = tmp_path_factory.mktemp("reviews") / "run"
    return seqtasks.train("sentiment", **data, run=path, pretrained=both, auxiliary=0.1, **SHORT)


def two_ways(kind, layers, residual, readout, adaptive):
    """A language model and another model with its layers in both directions."""
    previous, following = (keras.Input((None,), dtype="int32", name=n) for n in ("decoder_inputs", "targets"))
    keras.utils.set_random_seed(3)
    table = ReversibleEmbedding(12, 5, name="embedding")
    embedding, head = table, table
    if adaptive:
        embedding, head = keras.layers.Embedding(12, 5), seqtasks.layers.AdaptiveSoftmax(12, [6])
    given = (kind, 5, layers, 0.0, residual, readout)
    model = language_model(previous, embedding(previous), following, head, *given)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    networks = [Network.of(model, direction) for direction in ("forward", "backward")]
    other = keras.Model(tokens, pretrained_states(tokens, networks))
    for network in networks:
        take_over(other, model, network.direction)
    return model, other


@pytest.mark.parametrize(
    ("kind", "layers", "residual", "readout", "adaptive"),
    [("lstm", 1, False, None, True), ("gru", 2, True, None, False), ("layer_norm_lstm", 2, False, 5, False)],
)
def test_states_are_those_of_the_language_model(kind, layers, residual, readout, adaptive):
    model, other = two_ways(kind, layers, residual, readout, adaptive)
    tokens = np.array([[4, 7, 9, 5], [8, 6, 0, 0]], "int32")
    embeddings, states = (x.numpy() for x in other(tokens))
    stepper = LanguageModelStepper(model)
    for row, ids in enumerate([[4, 7, 9, 5], [8, 6]]):
        for direction, part in ((1, slice(5)), (-1, slice(5, 10))):
            read = np.array([[BOS, *ids[::direction]]], "int32")
            x = tf.transpose(stepper.embed(read), (1, 0, 2))
            outputs, _ = stepper.stack.run(x, stepper.begin(1))
            expected = outputs.numpy()[1:, 0][::direction]
            np.testing.assert_allclose(states[row, : len(ids), part], expected, atol=1e-5)
            table = stepper.embed(np.array([ids], "int32")).numpy()[0]
            np.testing.assert_allclose(embeddings[row, : len(ids), part], table, atol=1e-6)


def test_a_classifier_starts_from_both_directions(runs, reviews):
    config = reviews.config
    assert reviews.assets["pretrained"].tokens == runs["forward"].assets["tokens"].tokens
    assert "words" not in reviews.assets
    experiment = seqtasks.engine.experiment.Experiment(
        reviews.recipe, config, {"train": ROWS, "valid": ROWS, "test": ROWS}
    )
    model = experiment.prepare().model
    for name in ("forward", "backward"):
        own, source = model.get_layer(f"pretrained_{name}_1").cell, runs[name].model.get_layer("recurrent_1").cell
        for a, b in zip(own.weights, source.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        head = model.get_layer(f"pretrained_{name}_head")
        np.testing.assert_array_equal(head.weights[0], runs[name].model.get_layer("embedding").weights[0])
    recorded = json.loads((reviews.directory / "environment.json").read_text())["pretrained"]["pretrained"]
    assert [one["sha256"] for one in recorded] == [runs[n].sha256() for n in ("forward", "backward")]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_auxiliary_loss_is_that_of_the_language_model(direction):
    model, _ = two_ways("gru", 1, False, 4, True)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    other = keras.Model(tokens, pretrained_states(tokens, [Network.of(model, direction)], auxiliary=0.5))
    take_over(other, model, direction)
    rows = [[4, 7, 9, 5], [8, 6]]
    other(np.array([rows[0], [*rows[1], 0, 0]], "int32"), training=True)
    total = 0.0
    for ids in rows:
        read = ids[:: -1 if direction == "backward" else 1]
        given = {"decoder_inputs": np.array([[BOS, *read[:-1]]], "int32"), "targets": np.array([read], "int32")}
        total += float(tf.reduce_sum(model(given)))
    np.testing.assert_allclose([float(loss) for loss in other.losses], [-0.5 * total / 6], rtol=1e-5)


def test_exports_and_fine_tuning_need_no_language_model(reviews, tmp_path):
    texts = ["a fine old film", "", "nothing known"]
    answers = reviews.predict(texts)
    serve = tf.saved_model.load(str(reviews.export(tmp_path / "export", check=False))).signatures["serving_default"]
    np.testing.assert_allclose(serve(tf.constant(texts))["score"], [a["score"] for a in answers], atol=1e-5)
    moved = tmp_path / "moved"
    reviews.directory.rename(moved)
    rows = [*ROWS, ("so so", "fair")]
    tuned = seqtasks.finetune(moved, train=rows, valid=rows, test=rows, new=tmp_path / "new", epochs=1, quiet=True)
    moved.rename(reviews.directory)
    assert tuned.assets["pretrained"].networks == reviews.assets["pretrained"].networks
    taken = json.loads((tuned.directory / "environment.json").read_text())["parent"]["taken_over"]
    assert {"pretrained_forward_embedding", "pretrained_forward_1", "pretrained_backward_1"} <= set(taken)


@pytest.mark.slow
def test_frozen_layers_stay_and_slow_ones_move_less(runs, tmp_path):
    before = runs["forward"].model.get_layer("recurrent_1").cell.get_weights()
    moved = {}
    for rate in (0.0, 0.1, 1.0):
        options = {**SHORT, "pretrained": str(runs["forward"].directory), "pretrained_rate": rate, "ema_momentum": 0.0}
        data = {"train": ROWS, "valid": ROWS, "test": ROWS}
        run = seqtasks.train("sentiment", **data, run=tmp_path / str(rate), **options)
        after = run.model.get_layer("pretrained_forward_1").cell.get_weights()
        moved[rate] = sum(np.abs(a - b).sum() for a, b in zip(after, before, strict=True))
    assert moved[0.0] == 0
    assert 0 < moved[0.1] < 0.3 * moved[1.0]


@pytest.mark.slow
def test_adapting_trains_the_language_model_on_the_inputs_first(runs, tmp_path):
    rows = [(f"{text} on television", label) for text, label in ROWS]
    given = {"pretrained": str(runs["forward"].directory), "adapt_epochs": 2, **SHORT}
    run = seqtasks.train("sentiment", train=rows, valid=rows, test=rows, run=tmp_path / "run", **given)
    adapted = seqtasks.load_run(tmp_path / "run-pretrained-forward")
    assert adapted.recipe.name == "language_model"
    assert run.config.pretrained == str(adapted.directory)
    assert "television" in run.assets["pretrained"].tokens
    assert adapted.metrics["train"]["epochs"] == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("characters", "backward"), "its tokens are not those of"),
        (("forward", "forward"), "two forward models"),
        (("reviews",), "a run of sentiment is not a language model"),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs, reviews, names, message):
    value = ",".join(str({**runs, "reviews": reviews}[name].directory) for name in names)
    with pytest.raises(UserError, match=message):
        Pretrained(load_recipe("sentiment").Config(pretrained=value))


def test_vectors_and_a_language_model_exclude_each_other():
    recipe = load_recipe("sentiment")
    with pytest.raises(UserError, match="the language model has word vectors of its own"):
        recipe.settle(recipe.Config(pretrained="runs/lm", vectors="a.txt"))


def test_several_processes_adapt_nothing(runs, tmp_path):
    config = load_recipe("sentiment").Config(pretrained=str(runs["forward"].directory), adapt_epochs=1)
    experiment = Experiment(load_recipe("sentiment"), config)
    experiment.config = dataclasses.replace(experiment.config, strategy="multiworker")
    with pytest.raises(UserError, match="--strategy multiworker: excludes --adapt_epochs; fine-tune the language"):
        adapt(experiment, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_adapting_needs_a_language_model(tmp_path):
    with pytest.raises(UserError, match="there is no language model to adapt"):
        seqtasks.train("sentiment", train=ROWS, valid=ROWS, test=ROWS, run=tmp_path / "run", adapt_epochs=1)


def test_an_auxiliary_loss_needs_a_language_model(tmp_path):
    with pytest.raises(UserError, match="--auxiliary: there is no language model"):
        seqtasks.train("sentiment", train=ROWS, valid=ROWS, test=ROWS, run=tmp_path / "run", auxiliary=0.1)
