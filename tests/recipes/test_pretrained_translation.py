"""Translation that starts from language models of both languages."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.data.batches import pad
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.run import save_setup
from seqtasks.engine.training import inherited
from seqtasks.errors import UserError
from seqtasks.models.pretrained import Network
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe
from seqtasks.text.pretrained_encoder import PretrainedEncoder
from seqtasks.text.tokenizer import Tokenizer

ENGLISH = ["a man sleeps", "a dog runs", "two dogs run", "a man runs", "two men sleep", "a dog sleeps"]
GERMAN = ["ein mann schläft", "ein hund rennt", "zwei hunde rennen", "ein mann rennt", "zwei männer schlafen"]
GERMAN += ["ein hund schläft"]
ROWS = list(zip(ENGLISH, GERMAN, strict=True))
SIZES, QUIET = {"units": 6, "dimension": 5}, {"gradient_flow": False, "quiet": True}
RECIPE = load_recipe("translation")


def splits(rows):
    return {"train": rows, "valid": rows, "test": rows}


def saved(directory, recipe, config, assets, model):
    """A run with these parts, untrained."""
    save_setup(directory, recipe.name, None, {}, config, assets)
    model.save(directory / "model.keras")
    return seqtasks.load_run(directory)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Runs of language models by name, with random weights."""
    folder, made, recipe = tmp_path_factory.mktemp("language_models"), {}, load_recipe("language_model")
    for seed, (name, texts, fields) in enumerate((
        ("english", ENGLISH, {"direction": "forward"}),
        ("english_backward", ENGLISH, {"direction": "backward"}),
        ("german", GERMAN, {"cell": "gru", "layers": 2, "units": 7}),
    )):  # fmt: skip
        keras.utils.set_random_seed(seed)
        given = {"document": "line", "vocabulary": "word", "layers": 1, **SIZES, "batch_size": 4, **fields}
        config, assets = make_options(recipe.Config, given), {"tokens": Tokenizer.learn([texts], "word")}
        model = recipe.build(config, assets)
        for variable in model.trainable_variables:
            variable.assign(variable + keras.random.normal(variable.shape, 0, 0.5))
        made[name] = saved(folder / name, recipe, config, assets, model)
    return made


@pytest.fixture(scope="module")
def both(models):
    """The options that name all of them."""
    source = f"{models['english'].directory},{models['english_backward'].directory}"
    return {"pretrained": source, "pretrained_target": str(models["german"].directory)}


def experiment(rows=ROWS, **fields):
    given = {"vocabulary": "word", "min_count": 1, "epochs": 1, "batch_size": 4, **SIZES, **fields}
    return Experiment(RECIPE, make_options(RECIPE.Config, given), splits(rows))


@pytest.fixture(scope="module")
def run(both, tmp_path_factory):
    """A translation before its training."""
    one = experiment(**both, auxiliary=0.1)
    prepared = one.prepare()
    plain = type(prepared.model).from_config(prepared.model.get_config())
    plain.set_weights(prepared.model.get_weights())
    plain.get_layer("target_embedding").bias.assign_add(
        [0, 0, 0, -3, *[1] * (len(prepared.assets["pretrained_target"]) - 4)]
    )
    return saved(tmp_path_factory.mktemp("translation") / "run", RECIPE, one.config, prepared.assets, plain)


def test_both_sides_start_from_language_models(models, both):
    """Words, embeddings and cells are theirs; what the option scales learns slowly, and attention as fast as ever."""
    prepared = experiment(**both, pretrained_rate=0.5).prepare()
    model, assets = prepared.model, prepared.assets
    assert sorted(assets) == ["pretrained", "pretrained_target"]
    for name, direction in (("english", "forward"), ("english_backward", "backward")):
        own, source = (
            model.get_layer(f"pretrained_{direction}_1").cell,
            models[name].model.get_layer("recurrent_1").cell,
        )
        for a, b in zip(own.weights, source.weights, strict=True):
            np.testing.assert_array_equal(a, b)
    german = models["german"].model
    cells = model.get_layer("decoder_1").cell.cell, model.get_layer("decoder_2").cell
    for number, own in enumerate(cells, 1):
        for a, b in zip(own.weights, german.get_layer(f"recurrent_{number}").cell.weights, strict=True):
            np.testing.assert_array_equal(a, b)
    embedding = model.get_layer("target_embedding")
    for a, b in zip(embedding.weights, german.get_layer("embedding").weights, strict=True):
        np.testing.assert_array_equal(a, b)
    rates = dict(zip([v.path for v in model.trainable_variables], model.optimizer.rates, strict=True))
    slow = {path for path, rate in rates.items() if rate == 0.5}
    taken = [*embedding.weights, *model.get_layer("readout").weights, *(v for c in cells for v in c.weights)]
    taken += [v for layer in model.layers if layer.name.startswith("pretrained_") for v in layer.weights]
    assert slow == {v.path for v in taken}
    assert {rate for path, rate in rates.items() if path not in slow} == {1.0}


def test_frozen_layers_leave_the_attention_to_learn(both):
    """One layer of two: the readout is new, and learns."""
    model = experiment(pretrained_target=both["pretrained_target"], pretrained_rate=0, decoder_layers=1).prepare().model
    first, learning = model.get_layer("decoder_1").cell, {v.path for v in model.trainable_variables}
    assert not any(v.path in learning for v in [*first.cell.weights, *model.get_layer("target_embedding").weights])
    assert all(v.path in learning for v in [first.kernel, first.feed_kernel, *first.attention.weights])
    assert {v.path for v in model.get_layer("readout").weights} <= learning
    assert "decoder_2" not in {layer.name for layer in model.layers}


def test_it_answers_and_exports_as_any_translation(run, tmp_path):
    assert sorted(p.name for p in (run.directory / "encoder").iterdir()) == ["pretrained.txt", "pretrained_target.txt"]
    texts = ["a dog sleeps", "", "nothing known", "two men run"]
    answers = run.predict(texts)
    assert answers[1]["translation"] == "" and len(answers[0]["translation"].split()) > 1
    serve = tf.saved_model.load(str(run.export(tmp_path / "export", check=False))).signatures["serving_default"]
    found = serve(tf.constant(texts))
    assert [t.decode() for t in found["translation"].numpy()] == [a["translation"] for a in answers]
    np.testing.assert_allclose(found["score"], [a["score"] for a in answers], atol=1e-4)


def test_the_score_is_what_the_model_gives_the_translation(run):
    (answer,) = run.predict(["two dogs run"])
    source = pad(run.predictor.encode(tf.constant(["two dogs run"]))["source"], 1)
    targets = pad(run.predictor.task.encode_target(run.assets, tf.constant([answer["translation"]])), 1)
    logits = run.model(run.predictor.task.add_decoder_inputs({"source": source}, targets)).numpy()[0]
    each = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    total = each[np.arange(len(each)), targets.numpy()[0]].sum()
    assert answer["score"] == pytest.approx(total / ((5 + len(each)) / 6) ** run.config.length_penalty, abs=1e-4)


def test_fine_tuning_keeps_the_tokens_and_needs_no_language_model(run):
    rows = [*ROWS, ("a cat sleeps", "eine katze schläft")]
    fields = inherited(run, {}) | {"epochs": 1, "batch_size": 4}
    tuned = Experiment(RECIPE, make_options(RECIPE.Config, fields), splits(rows)).prepare(base=run)
    assert sorted(tuned.assets) == ["pretrained", "pretrained_target"] and tuned.pretrained == {}
    assert all(tuned.assets[name].text() == run.assets[name].text() for name in tuned.assets)
    assert not tuned.parent["new"] and not tuned.parent["extended"] and not tuned.parent["left_behind"]
    for name in ("target_embedding", "decoder_1", "decoder_2", "readout", "pretrained_backward_1", "encoder_1"):
        for one, other in zip(*(m.get_layer(name).get_weights() for m in (tuned.model, run.model)), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("relearn", "fields", "message"),
    [
        (
            ["target"],
            {},
            r"--relearn target: the tokens are those of a language model \(pretrained, pretrained_target\)",
        ),
        (["pretrained_target"], {}, "the tokens are those of a language model"),
        ([], {"pretrained_target": "english"}, "--pretrained_target: the run was trained with other tokens"),
        ([], {"vectors": "a.txt"}, "vectors"),
    ],
)
def test_what_fine_tuning_cannot_change_is_refused(run, models, relearn, fields, message, tmp_path):
    if "pretrained_target" in fields:
        fields = {"pretrained_target": str(models[fields["pretrained_target"]].directory)}
    if "vectors" in fields:
        (tmp_path / "a.txt").write_text("man 1 2 3 4 5\ndog 1 2 3 4 5\n")
        fields, message = {"vectors": str(tmp_path / "a.txt"), "vocabulary": "word"}, "has word vectors of its own"
    with pytest.raises(UserError, match=message):
        seqtasks.finetune(run, **splits(ROWS), new=tmp_path / "new", relearn=relearn, quiet=True, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pretrained_target": "english_backward"}, "a decoder writes forward, the language model reads backward"),
        ({"pretrained_target": "english,english_backward"}, "in one direction, here are two language models"),
        ({"pretrained_target": "german", "decoder_layers": 3}, "--decoder_layers 3: .* has 2; take at most as many"),
        ({"pretrained_target": "german", "auxiliary": 0.1}, "--auxiliary: a decoder has the loss of the task alone"),
        ({"auxiliary": 0.1}, "--auxiliary: there is no language model"),
        ({"vectors": "a.txt", "pretrained": "english"}, "--vectors and --pretrained: .* word vectors of its own"),
        ({"target_vectors": "a.txt", "pretrained_target": "german"}, "--target_vectors and --pretrained_target"),
    ],
)
def test_what_does_not_fit_is_refused(models, fields, message):
    named = {
        name: ",".join(str(models[part].directory) for part in value.split(","))
        for name, value in fields.items()
        if name.startswith("pretrained")
    }
    with pytest.raises(UserError, match=message):
        experiment(**{**fields, **named}).prepare()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"residual": True, "dimension": 7}, "residual connections"), ({"zoneout": 0.1}, "zoneout")],
)
def test_decoders_refuse_language_models_of_other_kinds(options, message):
    recipe = load_recipe("language_model")
    config = make_options(recipe.Config, {"units": 7, "dimension": 5, "layers": 2, "batch_size": 4, **options})
    tokenizer = Tokenizer.learn([GERMAN], "word")
    network = Network.of(recipe.build(config, {"tokens": tokenizer}))
    with pytest.raises(UserError, match=message):
        PretrainedEncoder(tokenizer, [network]).decoder_network("pretrained_target")


@pytest.mark.slow
def test_each_language_model_is_adapted_to_its_side(models, both, tmp_path):
    rows = [*ROWS, ("a cat sleeps", "eine katze schläft")]
    given = {
        **both,
        "pretrained": str(models["english"].directory),
        "adapt_epochs": 1,
        "epochs": 1,
        "batch_size": 4,
        **SIZES,
        **QUIET,
    }
    run = seqtasks.train("translation", **splits(rows), run=tmp_path / "run", **given)
    assert "cat" in run.assets["pretrained"].tokens and "katze" not in run.assets["pretrained"].tokens
    assert "katze" in run.assets["pretrained_target"].tokens
    adapted = {p.name for p in tmp_path.iterdir()}
    assert adapted == {"run", "run-pretrained-forward", "run-pretrained_target-forward"}


@pytest.mark.slow
def test_sentences_are_learnt(both, tmp_path):
    """From language models that know nothing; the run is fine-tuned where they are not."""
    rates = {"learning_rate": 1e-2, "output_dropout": 0.0, "embedding_dropout": 0.0, "label_smoothing": 0.0}
    given = {"epochs": 80, "evaluate_every": 80, "patience": 0, "units": 24, "batch_size": 4, **rates, **QUIET}
    run = seqtasks.train("translation", **splits(ROWS), run=tmp_path / "run", **both, **given)
    assert run.metrics["test"]["exact_match"] == 1.0
    recorded = json.loads((run.directory / "environment.json").read_text())["pretrained"]
    assert [len(recorded[name]) for name in ("pretrained", "pretrained_target")] == [2, 1]
    tuned = seqtasks.finetune(run, **splits(ROWS[::-1]), new=tmp_path / "new", epochs=1, **QUIET)
    assert tuned.metrics["test"]["exact_match"] == 1.0 and tuned.config.pretrained is None
