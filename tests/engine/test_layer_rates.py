"""Freezing, rates per layer, gradual unfreezing and pretrained vectors through whole trainings, which also resume."""

import logging

import keras
import numpy as np
import pytest

import seqtasks
from seqtasks.cli import commands
from seqtasks.engine import layer_rates
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.recipe import load_recipe
from tests.reviews import SMALL

GLOVE = {"film": (1, 2, 3), "acting": (3, -2, 1), "unseen": (2, 2, -3), "the": (0, 1, 1)}
FIELDS = SMALL | {"dimension": "auto", "epochs": 3, "learning_rate": 0.02, "ema_momentum": 0.0, "weight_decay": 0.01}
FIELDS |= {"unfreeze_every": 1, "rate_decay": 0.5, "schedule": "slanted", "vectors_rate": 0.5, "ngrams": 0}
LAYERS = ["embedding", "recurrent_1", "logits"]


@pytest.fixture(autouse=True, scope="module")
def no_report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", lambda run: None)
        yield


@pytest.fixture(scope="module")
def glove(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "glove.txt"
    path.write_text("".join(f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in GLOVE.items()))
    return path


class Moved(keras.callbacks.Callback):
    """Which layers changed in each epoch."""

    def __init__(self):
        super().__init__()
        self.epochs, self.before = [], None

    def weights(self):
        return [np.concatenate([v.numpy().ravel() for v in self.model.get_layer(n).weights]) for n in LAYERS]

    def on_epoch_begin(self, epoch, logs=None):
        self.before = self.weights()

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append([n for n, a, b in zip(LAYERS, self.before, self.weights(), strict=True) if (a != b).any()])


@pytest.fixture(scope="module")
def trained(reviews, glove, tmp_path_factory):
    moved = Moved()
    directory = tmp_path_factory.mktemp("runs") / "run"
    seqtasks.train("sentiment", reviews, directory, vectors=str(glove), callbacks=[moved], **FIELDS)
    return directory, moved.epochs


def test_one_more_layer_learns_in_each_epoch(trained):
    assert trained[1] == [LAYERS[2:], LAYERS[1:], LAYERS]


def test_a_training_resumes_bit_for_bit(trained, reviews, glove, tmp_path, monkeypatch):
    """It is cut in the second epoch, when one layer does not learn yet."""
    from seqtasks.engine.loop import Loop

    close, seen = Loop._close, []

    def stop(loop, epoch, writer):
        seen.append(epoch)
        if epoch == 1:
            raise KeyboardInterrupt
        close(loop, epoch, writer)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Loop, "_close", stop)
        seqtasks.train("sentiment", reviews, tmp_path / "cut", vectors=str(glove), **FIELDS)
    resumed = seqtasks.train("sentiment", run=tmp_path / "cut", resume=True)
    whole = seqtasks.load_run(trained[0])
    assert seen == [0, 1] and resumed.config == whole.config
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_frozen_vectors_know_words_that_train_lacks(reviews, glove, tmp_path):
    recipe = load_recipe("sentiment")
    settled = recipe.settle(recipe.Config(vectors=str(glove)))
    assert (settled.vectors_rate, settled.learning_rate, settled.ngrams) == (0.1, 3e-3, 0)
    assert recipe.budget(settled).steps > recipe.budget(recipe.Config()).steps
    fields = FIELDS | {"epochs": 1, "unfreeze_every": 0, "vectors_rate": 0.0}
    run = seqtasks.train("sentiment", reviews, tmp_path / "run", vectors=str(glove), freeze=["logits"], **fields)
    assert (run.config.dimension, run.config.vectors_rate, run.config.unk_dropout) == (3, 0.0, 0.0)
    tokens, table = run.assets["words"].tokens, run.model.get_layer("embedding").table.numpy()
    rows = np.array([table[tokens.index(word)] for word in GLOVE])
    expected = np.array(list(GLOVE.values()), "float32")
    found = [table[tokens.index(word)] for word in tokens if word in GLOVE]
    np.testing.assert_allclose(rows, expected * rows[0, 0], rtol=1e-5)
    np.testing.assert_allclose(np.std(found), seqtasks.text.word_vectors.SCALE, rtol=1e-5)
    scores = [answer["score"] for answer in run.predict(["film", "unseen", "nowhere"])]
    assert len(set(scores)) == 3
    tuned = seqtasks.finetune(run, reviews, tmp_path / "tuned", epochs=1)  # the file is not needed, the table stays
    np.testing.assert_array_equal(tuned.model.get_layer("embedding").table, table)
    moved = [
        n
        for n in LAYERS
        if (tuned.model.get_layer(n).weights[0].numpy() != run.model.get_layer(n).weights[0].numpy()).any()
    ]
    assert moved == LAYERS[1:]


def test_layers_are_frozen_by_their_names():
    recipe = load_recipe("sentiment")
    model = Experiment(recipe, recipe.Config(**SMALL | {"ngrams": 0}, freeze=["emb*", "log*"])).prepare().model
    assert {v.path.split("/")[0] for v in model.trainable_variables} == {"recurrent_1"}
    with pytest.raises(UserError, match="no layer is called 'logit'; the layers are embedding, recurrent_1, logits"):
        layer_rates.freeze(model, ["logit"])
    with pytest.raises(UserError, match="--freeze: no weight is left to train; leave out one of embedding"):
        layer_rates.freeze(model, ["recurrent_1"])


def test_rates_of_layers_and_of_weights(caplog):
    layers = [keras.layers.Dense(2, name="first"), keras.layers.Dropout(0.5), keras.layers.Dense(2, name="head")]
    model = keras.Sequential([keras.Input((2,)), *layers])
    layers[0].learning_rates = {"bias": 0.1}
    with caplog.at_level(logging.INFO, "seqtasks"):
        assert layer_rates.rates(model, 0.5, 3, epochs=3, steps=10) == ((0.5, 0.05, 1, 1), (30, 30, 0, 0))
    assert caplog.messages == [
        "--unfreeze_every 3: first would begin after the last of 3 epochs, and stay as they are",
        "rates of layers: head 1 from epoch 1, first 0.5 from epoch 4",
    ]
    assert layer_rates.rates(model, 1.0, 0, epochs=3, steps=10) == ((1, 0.1, 1, 1), ())
    layers[0].learning_rates, layers[0].learning_begins = {}, {"kernel": 2}
    assert layer_rates.rates(model, 1.0, 0, epochs=3, steps=10) == ((), (20, 0, 0, 0))
    assert layer_rates.rates(model, 1.0, 1, epochs=3, steps=10) == ((), (20, 10, 0, 0))
    layers[0].learning_begins = {}
    assert layer_rates.rates(model, 1.0, 0, epochs=3, steps=10) == ((), ())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--freeze", "a", "b_*"],
        ["--freeze=[a, 'b_*']"],
        ["--freeze", "[a, 'b_*']"],
        ["--freeze=[a]", "--freeze", "a", "b_*"],
    ],
)
def test_patterns_are_given_one_after_the_other_or_as_a_list(arguments):
    given = [*arguments, "--epochs", "3"]
    fields, others = commands._options(load_recipe("sentiment"), "seqtasks train", given, ())
    assert fields == {"freeze": ["a", "b_*"], "epochs": 3} and others["data"] is None


def test_translation_takes_vectors_on_both_sides(tmp_path):
    """The source gets rows for words of the file; the target, whose words can be written, does not."""
    (tmp_path / "train.tsv").write_text("".join(f"The cat sees {n}.\tDie Katze sieht {n}.\n" for n in range(1, 40)))
    (tmp_path / "en.vec").write_text("4 2\ncat 1 2\nthe 3 1\ndog -1 2\nsees 2 2\n")
    (tmp_path / "de.vec").write_text("Katze 5 1\nHund 2 2\nsieht 1 -1\n")
    recipe = load_recipe("translation")
    files = {"vectors": str(tmp_path / "en.vec"), "target_vectors": str(tmp_path / "de.vec")}
    config = recipe.Config(vocabulary="word", units=4, **files)
    prepared = Experiment(recipe, config, {"data": str(tmp_path / "train.tsv")}).prepare()
    source, target = (prepared.assets[side].tokens for side in ("source", "target"))
    assert "dog" in source and "Hund" not in target
    tables = prepared.model.get_layer("embedding").embeddings, prepared.model.get_layer("target_embedding").table
    cat, the = (np.array(tables[0])[source.index(word)] for word in ("cat", "The"))
    np.testing.assert_allclose([the[0] / cat[0], the[1] / cat[0], cat[1] / cat[0]], [3, 1, 2], rtol=1e-5)
    katze = np.array(tables[1])[target.index("Katze")]
    assert katze[0] / katze[1] == pytest.approx(5, rel=1e-5)
    shares = dict(
        zip([v.path for v in prepared.model.trainable_variables], prepared.model.optimizer.rates, strict=True)
    )
    assert {path for path, share in shares.items() if share == 0.1} == {
        "embedding/embeddings",
        "target_embedding/table",
    }
    assert set(shares.values()) == {0.1, 1.0}
