"""What fine-tuning takes over: vocabularies that grow, heads for other labels, weights by the names of layers."""

import dataclasses
import hashlib
import json
import logging
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks import layers
from seqtasks.data.token_ids import SPECIAL_TOKENS
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.engine import transfer
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.run import Run, save_setup
from seqtasks.engine.training import inherited
from seqtasks.errors import UserError
from seqtasks.options import Declared, make_options, option
from seqtasks.recipe import load_recipe
from seqtasks.text.tokenizer import Tokenizer
from tests.reviews import SMALL

FILMS = [("a fine film", "good"), ("a dull film", "bad"), ("the fine plot", "good"), ("the dull plot", "bad")] * 3
TEXTS = ["a fine film", "the plot", "dull", "unheard of", ""]
FIXED = {"epochs": 1, "batch_size": 4, "patience": 0, "warmup": 0.0, "evaluate_every": 1}
SENTIMENT = SMALL | {"epochs": 1, "min_count": 1, "affixes": 64, "ngrams": 2, "ngram_buckets": 50}
HEAD = {"logits", "ngram_scores"}


def splits(rows):
    return {"train": rows, "valid": rows[:4], "test": rows[:4]}


def made(directory, name, rows, **fields):
    """A run as if it had been trained: with random weights, none of them as the recipe initialises it."""
    recipe = load_recipe(name)
    experiment = Experiment(recipe, make_options(recipe.Config, fields | FIXED), splits(rows))
    prepared = experiment.prepare()
    rng = np.random.default_rng(1)
    for variable in prepared.model.weights:
        if "carried" not in variable.name:
            variable.assign(rng.normal(size=variable.shape, scale=0.5))
    save_setup(directory, name, None, experiment.paths, experiment.config, prepared.assets)
    prepared.model.save(directory / "model.keras")
    return Run(directory)


def tuned(base, rows, relearn=(), weights=None, **fields):
    """(what fine-tuning starts from, its options)."""
    options = make_options(base.recipe.Config, inherited(base, fields) | FIXED | fields)
    experiment = Experiment(base.recipe, options, splits(rows))
    return experiment.prepare(base=base, relearn=relearn, weights=weights), experiment.config


def outputs(base, config, assets, model, texts, targets=None):
    """What a model gives for texts, with the encoding and the teacher forcing of the recipe."""
    features = base.recipe.encode(config, assets, tf.constant(texts))
    features = {n: x.to_tensor() if isinstance(x, tf.RaggedTensor) else x for n, x in features.items()}
    if targets is not None:
        features = base.recipe.task(config).add_decoder_inputs(features, targets)
    return model({i.name: features[i.name] for i in model.inputs}).numpy()


def both(base, prepared, config, texts):
    """The outputs of the run and of the model that starts from it."""
    before = outputs(base, base.config, base.assets, base.model, texts)
    return before, outputs(base, config, prepared.assets, prepared.model, texts)


def weight(model, layer, name):
    return next(v.numpy() for v in model.get_layer(layer).weights if v.name == name)


def assert_equal_encoders(one, other, heads):
    """All layers but these have equal weights, and in both models the same names."""
    encoders = [{x.name: x.get_weights() for x in m.layers if x.weights and x.name not in heads} for m in (one, other)]
    assert encoders[0] and encoders[0].keys() == encoders[1].keys()
    for name, weights in encoders[0].items():
        for before, after in zip(weights, encoders[1][name], strict=True):
            np.testing.assert_array_equal(before, after, err_msg=name)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return made(tmp_path_factory.mktemp("films"), "sentiment", FILMS, **SENTIMENT)


def test_new_words_have_new_rows_and_change_no_answer(films):
    rows = [("a zany film", "good"), ("a zany plot", "bad"), ("quirky", "bad")] * 4
    prepared, config = tuned(films, rows)
    old, new = films.assets["words"].tokens, prepared.assets["words"].tokens
    assert new[: len(old)] == old and new[len(old) :] == ["zany", "quirky"]
    tables = [weight(m, "embedding", "table") for m in (films.model, prepared.model)]
    np.testing.assert_array_equal(tables[1][: len(old)], tables[0])
    np.testing.assert_array_equal(tables[1][len(old) :], tables[0][[1, 1]])  # that of UNK
    assert_equal_encoders(films.model, prepared.model, {"embedding"})
    before, after = both(films, prepared, config, [*TEXTS, "a zany film"])
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert prepared.parent["extended"] == {"words": {"layers": ["embedding"], "kept": len(old), "new": 2, "dropped": 0}}
    digest = hashlib.sha256((films.directory / "model.keras").read_bytes()).hexdigest()
    assert prepared.parent["sha256"] == digest and prepared.parent["path"] == str(films.directory)


def test_limits_of_the_vocabulary_hold_for_the_new_words(films):
    rows = [("zany zany zany odd odd", "good"), ("film plot rare", "bad")] * 4
    prepared, _ = tuned(films, [*rows, ("once", "bad")], max_vocabulary=4, min_count=2)
    known = len(films.assets["words"])
    assert prepared.assets["words"].tokens[known:] == ["zany", "odd"]  # the two most frequent of the new data


def test_new_words_start_as_the_vectors_of_a_file(films, tmp_path):
    vectors = {"zany": np.arange(8) / 10, "film": np.full(8, 3.0)}
    (tmp_path / "v.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    prepared, _ = tuned(films, [("a zany film", "good"), ("a quirky plot", "bad")] * 4, vectors=str(tmp_path / "v.txt"))
    words, table = prepared.assets["words"].tokens, weight(prepared.model, "embedding", "table")
    before = weight(films.model, "embedding", "table")
    start = table[words.index("zany")]
    np.testing.assert_allclose(start / start[-1], vectors["zany"] / vectors["zany"][-1], rtol=1e-5)
    np.testing.assert_array_equal(table[words.index("quirky")], before[1])
    np.testing.assert_array_equal(table[: len(before)], before)


def test_layers_without_names_of_their_own_are_matched_in_order():
    def model(first):
        x = keras.Input((3,))
        y = keras.layers.Dense(4, name=f"dense_{first}")(x)
        return keras.Model(x, keras.layers.Dense(2, name=f"dense_{first + 1}")(y))

    source, target = model(3), model(8)
    done = transfer.transfer(source, target, {}, transfer.Plan({}, {}, frozenset(), False))
    assert done.taken == ["dense_8", "dense_9"]
    for before, after in zip(source.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


def test_labels_of_both_keep_their_rows_and_others_are_dropped_or_new(films, caplog):
    rows = [("a fine film", "good"), ("a dull film", "fair"), ("the plot", "awful")] * 4
    with caplog.at_level(logging.INFO, "seqtasks"):
        prepared, _ = tuned(films, rows, learning_rate=0.5)
    assert prepared.assets["labels"].tokens == ["awful", "fair", "good"]
    assert films.assets["labels"].tokens == ["bad", "good"]
    before, after = (weight(m, "logits", "kernel") for m in (films.model, prepared.model))
    np.testing.assert_array_equal(after[:, 2], before[:, 1])
    assert not np.isin(after[:, :2], before).any()
    assert weight(prepared.model, "logits", "bias").tolist() == [0, 0, weight(films.model, "logits", "bias")[1]]
    before, after = (weight(m, "ngram_scores", "table") for m in (films.model, prepared.model))
    np.testing.assert_array_equal(after[:, 2], before[:, 1])
    assert not after[:, :2].any()
    assert_equal_encoders(films.model, prepared.model, HEAD)
    lines = [r.getMessage() for r in caplog.records]
    assert f"options other than those of {films.directory}: learning_rate 0.001 -> 0.5" in lines
    assert "weights taken over: embedding, recurrent_1" in lines
    assert "weights extended: labels (1 kept, 2 new, 1 dropped): ngram_scores, logits" in lines


def test_a_part_of_the_labels_leaves_the_head_as_it_is(tmp_path):
    base = made(tmp_path / "three", "sentiment", [*FILMS, *[("so so", "fair")] * 3], **SENTIMENT)
    prepared, config = tuned(base, FILMS)
    assert prepared.assets["labels"].tokens == ["bad", "fair", "good"]
    np.testing.assert_array_equal(*both(base, prepared, config, TEXTS))
    anew, _ = tuned(base, FILMS, relearn=["labels"])
    assert anew.assets["labels"].tokens == ["bad", "good"]
    before, after = (weight(m, "logits", "kernel") for m in (base.model, anew.model))
    np.testing.assert_array_equal(after, before[:, [0, 2]])


@pytest.mark.parametrize(
    ("target", "rows", "assets", "size"),
    [
        ("ordinal", [(f"film {i}", str(1 + i % 5)) for i in range(20)], {"labels", "thresholds", "words"}, 4),
        ("number", [(f"film {i}", str(i / 2)) for i in range(20)], {"scale", "words"}, 1),
        ("labels", [("film", ["a", "b"]), ("plot", []), ("fine", ["c"])] * 4,
         {"labels", "threshold", "log_odds", "words"}, 3),
    ],
)  # fmt: skip
def test_another_kind_of_target_gives_another_head(films, target, rows, assets, size):
    prepared, _ = tuned(films, rows, target=target)
    assert set(prepared.assets) == assets and prepared.model.output_shape == (None, size)
    assert set(prepared.parent["new"]) == HEAD
    assert_equal_encoders(films.model, prepared.model, HEAD | {"embedding"})


def test_options_that_follow_from_the_target_are_not_inherited_with_another_one(tmp_path):
    rows = [("a film", "low"), ("the film", "mid"), ("plot", "high")] * 4
    fields = SENTIMENT | {"target": "ordinal", "label_order": ["low", "mid", "high"], "metric": "mae"}
    base = made(tmp_path / "base", "sentiment", rows, class_weights="balanced", **fields)
    prepared, _ = tuned(base, FILMS, target="class")
    assert prepared.assets["labels"].tokens == ["bad", "good"] and "thresholds" not in prepared.assets
    with pytest.raises(UserError, match="the label 'good' has no place in it"):
        tuned(base, FILMS)
    fewer, _ = tuned(base, rows[:2] * 3)
    assert fewer.assets["labels"].tokens == ["low", "mid", "high"]
    kernels = [
        weight(m, "logits", "kernel")
        for m in (base.model, tuned(base, rows, label_order=["high", "mid", "low"])[0].model)
    ]
    np.testing.assert_array_equal(*kernels)


@dataclasses.dataclass(frozen=True)
class Turned(Declared):
    units: int = option(8, "size")
    direction: str = option("left", "what the weights mean", fixed=True)


def test_an_option_without_which_the_weights_mean_something_else_stays():
    base = SimpleNamespace(recipe=SimpleNamespace(Config=Turned), config=Turned(direction="right"))
    assert inherited(base, {"units": 4, "direction": "right"}) == {"units": 8, "direction": "right"}
    told = "--direction left: the run was trained with right, and its weights mean nothing with another value; "
    with pytest.raises(UserError) as refused:
        inherited(base, {"direction": "left"})
    assert str(refused.value) == told + "leave the option out, or train a new run"


def test_data_that_asks_another_question_is_refused_with_the_remedy(films):
    several = [("film", ["a", "b"]), ("plot", ["a"])] * 6
    with pytest.raises(UserError, match="several labels: a, b; give each record one, or --target labels"):
        tuned(films, several)
    numbers = [(f"film {i}", str(i)) for i in range(20)]
    with pytest.warns(UserWarning, match="20 different numbers are taken for classes; --target number or"):
        tuned(films, numbers)


def test_numbers_on_another_scale_are_warned_of(tmp_path):
    base = made(
        tmp_path / "base", "sentiment", [(f"film {i}", str(i % 5)) for i in range(20)], target="number", **SENTIMENT
    )
    rows = [(f"film {i}", str(100 * i)) for i in range(20)]
    with pytest.warns(UserWarning, match="--relearn scale gives the model a new scale and head"):
        kept, _ = tuned(base, rows)
    assert list(kept.assets["scale"]) == list(base.assets["scale"]) and kept.parent["new"] == []
    anew, _ = tuned(base, rows, relearn=["scale"])
    assert next(iter(anew.assets["scale"])) == 950 and set(anew.parent["new"]) == HEAD
    with pytest.raises(UserError, match="--relearn: the run has nothing called 'scales'.*did you mean 'scale'"):
        tuned(base, rows, relearn=["scales"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": 32}, r"do not fit: recurrent_1/kernel has the shape \(8, 16\), not \(8, 128\); .* \(--units\)"),
        (
            {"layers": 2},
            r"do not fit: the layer recurrent_2 is new; leave out options that change its shape \(--layers\)",
        ),
        ({"cell": "gru"}, r"do not fit: the layer recurrent_1 is of another kind; .* \(--cell\)"),
        ({"affixes": 0}, r"do not fit: the layer embedding has 2 weights, not 1; .* \(--affixes\)"),
    ],
)
def test_options_that_change_the_encoder_are_refused(films, fields, message):
    with pytest.raises(UserError, match=message):
        tuned(films, FILMS, **fields)


NER = {"epochs": 1, "batch_size": 4, "units": 4, "dimension": 6, "affixes": 64, "min_count": 1, "window": 0}
NAMES = [({"tokens": ["Anna", "saw", "Oslo"], "tags": ["B-PER", "O", "B-LOC"]})] * 6


def test_entities_of_other_types_keep_the_transitions_of_those_of_both(tmp_path):
    base = made(tmp_path / "base", "ner", NAMES, **NER)
    texts = ["Anna saw Oslo", "Oslo", "Ida"]
    rows = [{"tokens": ["Žofie", "saw", "Brno"], "tags": ["B-PER", "O", "B-LOC"]}] * 6
    grown, config = tuned(base, rows)
    for name in ("words", "characters"):
        known = base.assets[name].tokens
        assert grown.assets[name].tokens[: len(known)] == known and len(grown.assets[name]) > len(known)
    before, after = both(base, grown, config, [*texts, "Žofie"])
    np.testing.assert_allclose(after, before, atol=1e-4)
    other, _ = tuned(base, [{"tokens": ["Anna", "flew", "KLM"], "tags": ["B-PER", "O", "B-ORG"]}] * 6)
    old, new = base.assets["tags"].tokens, other.assets["tags"].tokens
    shared = [tag for tag in new if tag in old]
    assert set(shared) == {"O", *(f"{k}-PER" for k in "BIES")} and "S-ORG" in new
    for name, axes in (("transitions", 2), ("start", 1), ("end", 1)):
        before, after = (weight(m, "crf", name) for m in (base.model, other.model))
        places = [[tags.index(tag) for tag in shared] for tags in (old, new)]
        np.testing.assert_array_equal(before[np.ix_(*[places[0]] * axes)], after[np.ix_(*[places[1]] * axes)])
        assert not after[new.index("S-ORG")].any()
    assert_equal_encoders(base.model, other.model, {"crf", "emissions", "embedding", "letters"})
    softmax, _ = tuned(base, NAMES, head="softmax")
    assert softmax.parent["new"] == ["logits"] and softmax.parent["left_behind"] == ["emissions", "crf"]


LANGUAGE = {"document": "line", "units": 6, "layers": 1, "dimension": 6, "batch_size": 4, "epochs": 1}


def test_new_characters_of_a_language_model_start_as_the_mean_of_the_known_ones(tmp_path):
    base = made(tmp_path / "base", "language_model", ["abab", "baba", "aabb"] * 4, **LANGUAGE)
    prepared, config = tuned(base, ["жаба", "abжу"] * 6)
    known = len(base.assets["tokens"])
    assert prepared.assets["tokens"].tokens[known:] == ["а", "ж", "б", "у"]
    for name in ("table", "bias"):
        before, after = (weight(m, "embedding", name) for m in (base.model, prepared.model))
        np.testing.assert_array_equal(after[:known], before)
    numbers = prepared.assets["tokens"].encode(tf.constant(["abba", "b"])).to_tensor(-1)
    (before, after) = (
        outputs(base, c, r.assets, r.model, ["", ""], numbers) for c, r in ((base.config, base), (config, prepared))
    )
    lost = (before - after)[numbers >= 0]
    assert (lost > 0).all() and (lost < np.log(1 + 4 / known)).all()  # nats a token
    vectors = tf.random.stateless_normal((3, 6), (0, 1))
    one, other = (m.get_layer("embedding")(vectors, reverse=True).numpy() for m in (base.model, prepared.model))
    np.testing.assert_allclose(other[:, :known], one, atol=1e-5)
    np.testing.assert_allclose(other[:, known:], np.repeat(one.mean(1, keepdims=True), 4, 1), atol=1e-5)


def test_tokens_are_added_to_the_last_cluster_of_an_adaptive_softmax():
    def model(tokens):
        vectors, targets = keras.Input((None, 6)), keras.Input((None,), dtype="int32")
        head = layers.AdaptiveSoftmax(tokens, (3, 6), name="softmax")
        return keras.Model([vectors, targets], head(vectors, targets)), head

    (source, old), (target, new) = model(10), model(13)
    for variable in source.weights:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    numbers = np.array([*range(10), -1, -1, -1])
    plan = transfer.Plan({}, {"tokens": transfer.Numbering(numbers, 10, True, 1)}, frozenset(), False)
    transfer.transfer(source, target, {"softmax": "tokens"}, plan)
    vectors = tf.random.stateless_normal((2, 4, 6), (0, 1))
    before, after = (tf.exp(layer.logits(vectors)).numpy() for layer in (old, new))
    np.testing.assert_allclose(after[..., :6], before[..., :6], rtol=1e-5)
    ratios = (after[..., 6:10] / before[..., 6:]).max(-1, keepdims=True)
    np.testing.assert_allclose(after[..., 6:10], ratios * before[..., 6:], rtol=1e-4)
    assert (ratios >= 4 / 7).all()  # three new tokens beside four


PAIRS = [("a b", "A B"), ("b c", "B C"), ("c a", "C A")] * 4
TRANSLATION = {"vocabulary": "word", "min_count": 1, "units": 6, "dimension": 6, "batch_size": 4, "epochs": 1}


def test_translation_grows_on_both_sides_and_learns_another_target_language(tmp_path):
    base = made(tmp_path / "base", "translation", PAIRS, **TRANSLATION)
    prepared, config = tuned(base, [("a d", "A D")] * 12)
    for side, layer, name in (("source", "embedding", "embeddings"), ("target", "target_embedding", "table")):
        known = len(base.assets[side])
        assert prepared.assets[side].tokens[known:] == [{"source": "d", "target": "D"}[side]]
        before, after = (weight(m, layer, name) for m in (base.model, prepared.model))
        np.testing.assert_array_equal(after[:known], before)
    known, targets = len(base.assets["target"]), tf.constant([[4, 5, 3], [5, 3, -1]])
    texts = ["a b", "c c a"]
    before = outputs(base, base.config, base.assets, base.model, texts, targets)
    after = outputs(base, config, prepared.assets, prepared.model, texts, targets)
    np.testing.assert_allclose(after[..., :known], before, atol=1e-4)
    assert (after.argmax(-1) == before.argmax(-1)).all()
    other, _ = tuned(base, [("a b", "x y"), ("b c", "y A")] * 6, relearn=["target"])
    assert other.assets["target"].tokens == [*SPECIAL_TOKENS, "y", "A", "x"]
    before, after = (weight(m, "target_embedding", "table") for m in (base.model, other.model))
    place = base.assets["target"].tokens.index("A")
    np.testing.assert_array_equal(after[[0, 1, 2, 3, 5]], before[[0, 1, 2, 3, place]])
    assert not np.isin(after[[4, 6]], before).any()
    assert_equal_encoders(base.model, other.model, {"target_embedding"})
    with pytest.raises(
        UserError, match="source of the run: the vocabulary is of the kind word, not character; .* --relearn source"
    ):
        tuned(base, PAIRS, vocabulary="character")


def test_subwords_stay_as_they_are():
    tokenizer = Tokenizer("bpe", [*SPECIAL_TOKENS, "a"], [0.0] * 5)
    assert tokenizer.extended(Tokenizer("bpe", [*SPECIAL_TOKENS, "b"], [0.0] * 5)) is tokenizer


def test_characters_of_transcripts_are_added_behind_the_blank():
    known = Vocabulary(["", " ", "a", "n"])
    assert known.open and known.extended(Vocabulary(["", "a", "ž"])).tokens == ["", " ", "a", "n", "ž"]
    assert not Vocabulary.labels(["bad", "good"]).open


def test_the_weights_of_a_model_that_was_changed_in_keras(films):
    changed = keras.models.clone_model(films.model)
    changed.set_weights([value + 1 for value in films.model.get_weights()])
    prepared, _ = tuned(films, FILMS, weights=changed)
    for before, after in zip(changed.get_weights(), prepared.model.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)
    inputs = {x.name: keras.Input(x.shape[1:], dtype="int32", name=x.name) for x in films.model.inputs}
    x = films.model.get_layer("embedding")(inputs["words"], inputs["affixes"])
    x = keras.layers.GlobalMaxPooling1D()(x)
    other = keras.Model(inputs, keras.layers.Dense(2, name="wide")(x))
    with pytest.warns(UserWarning, match="not taken from the given model: recurrent_1, ngram_scores, logits, wide"):
        prepared, _ = tuned(films, FILMS, weights=other)
    table = weight(films.model, "embedding", "table")
    np.testing.assert_array_equal(weight(prepared.model, "embedding", "table"), table)
    assert prepared.parent["weights"] == "of a given model" and prepared.parent["taken_over"] == ["embedding"]
    strange = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="mine")])
    with pytest.raises(UserError, match="the weights of the given model do not fit: no layer fits"):
        tuned(films, FILMS, weights=strange)
    with pytest.raises(UserError, match="model: dict is not a keras.Model; give run.model"):
        seqtasks.finetune(films, FILMS, model={})


@pytest.mark.slow
def test_a_finetuning_on_other_labels_and_words_that_is_killed_continues(films, tmp_path, monkeypatch):
    rows = "".join(f"{'a zany film' if i % 4 else 'fine'} {i},{'fair' if i % 2 else 'good'}\n" for i in range(40))
    (tmp_path / "new.csv").write_text("text,label\n" + rows)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("seqtasks.engine.loop.Loop._close", stop)
        fields = FIXED | {"gradient_flow": False, "freeze": ["embedding"], "min_count": 3}
        seqtasks.finetune(films, tmp_path / "new.csv", tmp_path / "cut", **fields)
    resumed = seqtasks.train("sentiment", run=tmp_path / "cut", resume=True)
    known = films.assets["words"].tokens
    assert resumed.assets["words"].tokens == [*known, "zany"]
    before, after = (weight(r.model, "embedding", "table") for r in (films, resumed))
    np.testing.assert_array_equal(after, before[[*range(len(known)), 1]])
    (answer,) = seqtasks.load_run(tmp_path / "cut").predict(["a zany film"])
    assert set(answer["scores"]) == {"fair", "good"}
    parent = json.loads((tmp_path / "cut" / "environment.json").read_text())["parent"]
    assert parent["recipe"] == "sentiment" and parent["extended"]["words"]["new"] == 1
