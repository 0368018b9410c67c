"""One target per sequence: several labels, classes of an order, numbers. Figures against scikit-learn and SciPy."""

import json
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit
from sklearn import metrics as sk

import seqtasks
from seqtasks import losses
from seqtasks.data.numbers import Numbers
from seqtasks.data.sources import Example, Source
from seqtasks.data.targets import join_labels, split_labels
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.engine.data_summary import alike_labels
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.layers import CumulativeLogits
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe
from seqtasks.tasks import MultiLabel, Ordinal, Regression, sequence_task
from seqtasks.tasks.baselines import Cumulative, Separate
from seqtasks.tasks.label_metrics import best_threshold
from seqtasks.tasks.ordinal import medians
from tests.reviews import BAD, GOOD, SMALL

ABC = {"labels": Vocabulary(["a", "b", "c"]), "threshold": Numbers([0.5])}
seeds = given(st.integers(0, 2**32 - 1))


@seeds
def test_figures_of_several_labels_match_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, (12, 3))
    true[:, rng.integers(3)] = 0  # a label that is never true
    scores = rng.integers(0, 5, (12, 3)) / 4  # many ties
    names = np.array(["a", "b", "c"])
    targets = MultiLabel().targets(ABC, [join_labels(names[row > 0]) for row in true])
    np.testing.assert_array_equal(targets[:, :3], true)
    given = scores >= 0.5
    figures = MultiLabel().compute_metrics(ABC, targets, np.concatenate([scores, given], 1))
    seen = true.any(0)
    assert figures["micro_f1"] == pytest.approx(sk.f1_score(true, given, average="micro", zero_division=0))
    either = (true + given).any(0)
    macro = sk.f1_score(true[:, either], given[:, either], average="macro", zero_division=0) if either.any() else 0
    assert figures["macro_f1"] == pytest.approx(macro)
    curves = [sk.average_precision_score(true[:, i], scores[:, i]) for i in np.flatnonzero(seen)]
    assert figures["mean_average_precision"] == (pytest.approx(np.mean(curves)) if curves else None)
    assert figures["hamming_loss"] == pytest.approx(sk.hamming_loss(true, given))
    assert figures["subset_accuracy"] == pytest.approx(sk.accuracy_score(true, given))
    rows = sk.precision_recall_fscore_support(true, given, zero_division=0)
    for i, row in enumerate(figures["per_class"].values()):
        assert [row[n] for n in ("precision", "recall", "f1", "support")] == pytest.approx([c[i] for c in rows])


def test_labels_that_train_lacks_are_misses():
    targets = MultiLabel().targets(ABC, [join_labels(["a", "x", "y"]), join_labels([])])
    outputs = np.array([[0.9, 0.1, 0.1, 1, 0, 0], [0.1, 0.1, 0.1, 0, 0, 0]])
    figures = MultiLabel().compute_metrics(ABC, targets, outputs)
    assert figures["micro_f1"] == pytest.approx(2 / (1 + 3)) and figures["subset_accuracy"] == 0.5
    assert MultiLabel().worst_examples(ABC, targets, outputs) == [(1.0, 0)]
    shown = [MultiLabel().format_output(ABC, row) for row in (*targets, *outputs)]
    assert shown == ["a, (a label that train lacks)", "no label", "a", "no label"]


@seeds
def test_the_threshold_has_the_best_f1_of_all(seed):
    rng = np.random.default_rng(seed)
    true, scores = rng.integers(0, 2, (9, 3)), rng.random((9, 3)).round(2)
    targets = np.pad(true, [(0, 0), (0, 1)])

    def f1(threshold):
        hits = [bool(t) and s >= threshold for t, s in zip(true.flat, scores.flat, strict=True)]
        return 2 * sum(hits) / max(true.sum() + (scores >= threshold).sum(), 1)

    assert f1(best_threshold(targets, scores)) == pytest.approx(max(f1(n / 100) for n in range(1, 100)))
    tuned = MultiLabel().calibrate(ABC, targets, np.concatenate([scores, scores >= 0.5], 1))["threshold"]
    assert list(tuned) == [best_threshold(targets, scores)]


@seeds
def test_figures_of_numbers_match_scikit_learn_and_scipy(seed):
    rng = np.random.default_rng(seed)
    true, given = rng.integers(0, 9, 20).astype(float), rng.normal(size=20)
    figures = Regression().compute_metrics({}, true, given)
    assert figures["mae"] == pytest.approx(sk.mean_absolute_error(true, given))
    assert figures["rmse"] == pytest.approx(sk.mean_squared_error(true, given) ** 0.5)
    assert figures["r2"] == pytest.approx(sk.r2_score(true, given))
    assert figures["spearman"] == pytest.approx(stats.spearmanr(true, given).statistic)
    assert figures["pearson"] == pytest.approx(stats.pearsonr(true, given).statistic)


@seeds
def test_figures_of_ordered_classes_match_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    assets, values = {"labels": Vocabulary(["1", "2", "5"])}, np.array([1, 2, 5])
    true, scores = rng.integers(0, 3, 15), rng.dirichlet(np.ones(3), 15)
    task = Ordinal()
    figures = task.compute_metrics(assets, task.targets(assets, values[true].astype(str)), scores)
    answered = np.array([next(k for k in range(3) if row[: k + 1].sum() >= 0.5) for row in scores])
    np.testing.assert_array_equal(medians(scores), answered)
    assert figures["mae"] == pytest.approx(np.abs(values[true] - values[answered]).mean())
    assert figures["rmse"] == pytest.approx(sk.mean_squared_error(values[true], scores @ values) ** 0.5)
    kappa = sk.cohen_kappa_score(true, answered, weights="quadratic")
    assert figures["quadratic_kappa"] == pytest.approx(kappa)
    assert figures["spearman"] == pytest.approx(stats.spearmanr(values[true], scores @ values).statistic)
    assert figures["accuracy"] == pytest.approx((true == answered).mean())
    assert figures["confusion"] == sk.confusion_matrix(true, answered, labels=[0, 1, 2]).tolist()


def test_a_number_that_is_no_class_is_measured_and_another_name_is_refused():
    assets = {"labels": Vocabulary(["1", "2", "5"])}
    scores = np.array([[0, 0, 1.0], [0, 0, 1.0]])
    figures = Ordinal().compute_metrics(assets, Ordinal().targets(assets, ["4", "5.0"]), scores)
    assert (figures["mae"], figures["accuracy"]) == (0.5, 0.5) and np.sum(figures["confusion"]) == 1
    with pytest.raises(UserError, match="evaluate: the label 'good' has no place in the order of the labels"):
        Ordinal().targets(assets, ["good"])
    reverse = {"labels": Vocabulary(["5", "2", "1"])}  # of an order that is not that of the numbers
    assert Ordinal().targets(reverse, ["1", "5"]).tolist() == [2, 0]
    source = Source(lambda: iter([Example("fine", "2", 1), Example("fine", "3", 2)]), "a.csv")
    Ordinal().check(assets, source)
    with pytest.raises(UserError, match="a.csv:2: the label '3' has no place in the order of the labels"):
        Ordinal().check(reverse, source)


def test_the_order_of_labels_is_that_of_numbers_or_given():
    assets = Ordinal().learn(["10", "9", "9", "1"])
    assert assets["labels"].tokens == ["1", "9", "10"]
    shares = np.array([1.5, 4.0]) / 5.5  # of labels up to each, half an example added to all
    np.testing.assert_allclose(list(assets["thresholds"]), np.log((1 - shares) / shares))
    assert Ordinal(order=["low", "mid", "high"]).learn(["high", "low"])["labels"].tokens == ["low", "mid", "high"]
    for task, targets, message in (
        (Ordinal(), ["low", "high"], "the order of the labels is unknown: 'high' is not a number; .* --label_order"),
        (Ordinal(order=["low", "high"]), ["low", "mid"], "--label_order: the label 'mid' has no place in it"),
        (Ordinal(), ["1", "1.0"], "the labels '1' and '1.0' are one number"),
    ):
        with pytest.raises(UserError, match=message):
            task.learn(targets)
    with pytest.raises(UserError, match="--label_order: a label twice"):
        Ordinal(order=["a", "a"])


def decoded(task, assets, outputs):
    return {name: value.numpy() for name, value in task.decode(assets, tf.constant(outputs, tf.float32), {}).items()}


def test_answers_are_in_words_and_of_an_ensemble_the_mean():
    logits = np.array([[[2.0, -1.0, 0.5], [0.0, -3.0, 1.0]]])  # one example, two members
    scores = expit(logits).mean(1)[0]
    found = decoded(MultiLabel(), ABC | {"threshold": Numbers([0.6])}, logits)
    answer = MultiLabel().answer(ABC, {name: value[0] for name, value in found.items()})
    assert answer == {"labels": ["a", "c"], "scores": pytest.approx(dict(zip("abc", scores, strict=True)))}

    assets = {"labels": Vocabulary(["1", "2", "5"])}
    above = expit(np.array([[1.0, -2.0], [3.0, 2.0]])).mean(0)
    probabilities = [1 - above[0], above[0] - above[1], above[1]]
    found = decoded(Ordinal(), assets, [[[1.0, -2.0], [3.0, 2.0]]])
    answer = Ordinal().answer(assets, {name: value[0] for name, value in found.items()} | {"truncated": True})
    assert answer == {
        "label": "2",
        "score": pytest.approx(probabilities[1], rel=1e-5),
        "scores": pytest.approx(dict(zip("125", probabilities, strict=True)), rel=1e-5),
        "expected": pytest.approx(np.dot(probabilities, [1, 2, 5]), rel=1e-5),
        "truncated": True,
    }

    scale = Regression().learn(["10", "20"])
    found = decoded(Regression(), scale, [[[1.0], [0.5]]])
    assert Regression().answer(scale, {"value": found["value"][0]}) == {"value": pytest.approx(15 + 5 * 0.75)}


def test_targets_are_encoded_as_they_are_written():
    strings = tf.constant([join_labels(["c", "a"]), join_labels([]), "b"])
    assert MultiLabel().encode_target(ABC, strings).numpy().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert join_labels([" b", "a", "b ", ""]) == join_labels(["a", "b"]) and split_labels(join_labels([])) == ()
    log_odds = MultiLabel().learn([join_labels(["a", "b"]), join_labels([]), "a"])["log_odds"]
    np.testing.assert_allclose(list(log_odds), np.log([2.5 / 1.5, 1.5 / 2.5]))
    weights = MultiLabel("balanced").weights_of_classes(ABC, {"a": 1, "b": 2, "c": 3})
    assert weights.tolist() == [2, 1, pytest.approx(2 / 3)]
    encoded = MultiLabel().encode_target(ABC, strings)
    assert MultiLabel().weights_of_rows(weights, encoded).numpy().tolist() == [pytest.approx(4 / 3), 1, 1]


@seeds
def test_losses_are_log_likelihoods_with_the_divergence_of_two_passes(seed):
    rng = np.random.default_rng(seed)
    rows, members = 4, 2
    z = np.sort(rng.normal(size=(rows, members, 3)) * 3)[..., ::-1].copy()
    true, ranks, values = rng.integers(0, 2, (2, 3)).repeat(2, 0), rng.integers(0, 4, 2).repeat(2), rng.normal(size=2)

    def symmetric(p, q):
        return ((p * np.log(p / q)) + (q * np.log(q / p))).sum(-1) / 2

    p = expit(z)
    binary = np.stack([p, 1 - p], -1)
    classes = -np.diff(np.pad(p, [(0, 0), (0, 0), (1, 1)], constant_values=((0, 0), (0, 0), (1, 0))))
    numbers, twice = z[..., 0], values.repeat(2)
    likelihood = np.where(true[:, None], p, 1 - p)
    own = np.take_along_axis(classes, ranks[:, None, None], -1)[..., 0]
    pairs = binary[::2], binary[1::2]
    squares = (numbers - twice[:, None]) ** 2 / 2, (numbers[::2] - numbers[1::2]) ** 2 / 2
    cases = {
        losses.RDropBinaryCrossentropy: (true, z, -np.log(likelihood).mean(-1), symmetric(*pairs).mean(-1)),
        losses.RDropOrdinalCrossentropy: (ranks, z, -np.log(own), symmetric(classes[::2], classes[1::2])),
        losses.RDropSquaredError: (twice, z[..., :1], *squares),
    }
    for loss, (y_true, y_pred, expected, divergence) in cases.items():
        for weight in (0.0, 0.7):
            made = loss(weight, reduction=None, dtype="float64")
            total = expected.mean(1) + weight * divergence.mean(1).repeat(2)
            np.testing.assert_allclose(made(y_true, tf.constant(y_pred)), total, rtol=1e-5)
            assert made.passes == 1 + (weight > 0)
    far = losses.RDropOrdinalCrossentropy()(tf.constant([1]), tf.constant([[90.0, 80.0, -90.0]]))
    assert float(far) == pytest.approx(80, rel=1e-4)  # the probability is far below the smallest float32 difference


def test_thresholds_begin_where_they_are_told_and_stay_in_order():
    layer = CumulativeLogits([2.0, 0.5, 0.4])
    x = tf.random.stateless_normal((9, 4), (0, 0))
    np.testing.assert_allclose(layer(x) - x @ layer.kernel, np.tile([2.0, 0.5, 0.4], (9, 1)), atol=1e-5)
    layer.bias.assign([1.0, -50.0, 30.0])
    assert np.all(np.diff(layer(x)) <= 0)
    with pytest.raises(ValueError, match="do not fall"):
        CumulativeLogits([0.0, 0.0])


def test_baselines_of_each_kind_are_those_of_scikit_learn(rng):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    x, y = rng.normal(size=(40, 3)), rng.integers(0, 2, (40, 3))
    expected = OneVsRestClassifier(LogisticRegression()).fit(x, y).predict_proba(x)
    np.testing.assert_allclose(Separate(LogisticRegression).fit(x, y).predict_proba(x), expected, rtol=1e-6)
    y[:, 1], y[:, 2] = 0, 1
    assert Separate(LogisticRegression).fit(x, y).predict_proba(x)[:, 1:].tolist() == [[0, 1]] * 40
    ranks = rng.integers(0, 3, 40)
    scores = Cumulative(LogisticRegression).fit(x, ranks).predict_proba(x)
    above = [LogisticRegression().fit(x, ranks > k).predict_proba(x)[:, 1] for k in range(2)]
    np.testing.assert_allclose(scores.sum(1), 1)
    np.testing.assert_allclose(scores[:, 0], 1 - above[0])
    np.testing.assert_allclose(scores[:, 2], np.minimum(*above))


SEVERAL = [("a fine film", ["good", "new"]), ("a dull film", []), ("dull and new", ["new"])]


def files_of(folder):
    """The rows of `SEVERAL` in every format that can hold them, with the options that read them."""
    import pandas as pd

    frame = pd.DataFrame(SEVERAL, columns=["text", "label"])
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in SEVERAL))
    (folder / "a.json").write_text(json.dumps([{"text": t, "label": y} for t, y in SEVERAL]))
    frame.to_csv(folder / "a.csv", index=False)  # lists as Python writes them
    frame.to_parquet(folder / "a.parquet")
    frame.assign(label=[";".join(y) for _, y in SEVERAL]).to_csv(folder / "b.csv", index=False)
    lists = {"a.jsonl": {}, "a.json": {}, "a.csv": {}, "a.parquet": {}, "b.csv": {"label_separator": ";"}}
    yield from ((folder / name, fields) for name, fields in lists.items())
    yield frame, {}
    yield SEVERAL, {}
    yield ([text for text, _ in SEVERAL], [np.array(labels) for _, labels in SEVERAL]), {}


def test_every_format_holds_several_labels(tmp_path):
    recipe = load_recipe("sentiment")
    for data, fields in files_of(tmp_path):
        config = make_options(recipe.Config, fields)
        source = recipe.open(config, data)
        assert [(e.input, e.target) for e in source] == [(text, join_labels(y)) for text, y in SEVERAL], data
    lines = tmp_path / "a.txt"
    lines.write_text("__label__good __label__new a fine film\n__label__bad a dull film\n")
    assert [e.target for e in recipe.open(recipe.Config(), lines)] == [join_labels(["good", "new"]), "bad"]
    headers = tmp_path / "a.fa"
    headers.write_text(">x label=b;a\nACGT\n>y|a\nAC\n")
    dna = load_recipe("dna")
    config = dna.Config(label_separator=";")
    assert [e.target for e in dna.open(config, headers)] == [join_labels(["a", "b"]), join_labels(["a"])]


def faults(data, recipe="sentiment", **fields):
    recipe = load_recipe(recipe)
    config = make_options(recipe.Config, {"strict": True, **fields})
    with pytest.raises(UserError) as caught:
        list(recipe.open(config, data))
    return str(caught.value)


def test_a_target_that_does_not_suit_is_a_faulty_record(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nfine,3.5\ndull,many\n")
    assert faults(path, target="number") == f"{path}:3: 'many' is not a number; give each record one, or --target class"
    several = [("fine", ["a", "b"]), ("dull", "a")]
    message = "list:1: several labels: a, b; give each record one, or --target labels"
    assert faults(several, target="class") == message == faults(several, target="ordinal")
    assert "'a, b' is not a number" in faults(several, target="number")
    assert faults([("fine", None)]) == "list:1: the label is missing; give every record a text and a label"
    sequences = [("ACGT", ["a", "b"])]
    assert "several labels: a, b" in faults(sequences, "dna", target="class")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "class", "label_separator": ";"}, "--label_separator: has no effect on --target class"),
        ({"label_order": ["a", "b"]}, "--label_order: has no effect on --target auto; add --target ordinal"),
        ({"target": "number", "class_weights": "balanced"}, "--class_weights: has no effect on --target number"),
    ],
)
def test_options_without_effect_are_refused(fields, message):
    recipe = load_recipe("sentiment")
    with pytest.raises(UserError, match=message):
        recipe.task(make_options(recipe.Config, fields))
    with pytest.raises(UserError, match="--target: needs one target per sequence"):
        load_recipe("dna").task(load_recipe("dna").Config(task="tag", target="number"))


def test_a_task_names_its_metrics():
    recipe = load_recipe("dna")
    for target, name, larger in (("labels", "micro_f1", True), ("ordinal", "mae", False), ("number", "mae", False)):
        assert recipe.chosen_metric(recipe.Config(target=target)) == (name, larger)
    assert recipe.chosen_metric(recipe.Config(target="class")) == ("mcc", True)
    assert recipe.chosen_metric(recipe.Config(target="ordinal", metric="quadratic_kappa")) == ("quadratic_kappa", True)
    assert recipe.chosen_metric(recipe.Config(metric="hamming_loss")) == ("hamming_loss", False)  # not decided yet
    with pytest.raises(UserError, match="--metric: unknown metric 'r2'"):
        recipe.chosen_metric(recipe.Config(target="labels", metric="r2"))


def prepared(data, **fields):
    recipe = load_recipe("sentiment")
    experiment = Experiment(recipe, make_options(recipe.Config, {**SMALL, **fields}), {"data": data})
    return experiment, experiment.read()


def test_the_data_decides_between_one_label_and_several():
    one = [(f"text {n}", "ab"[n % 2]) for n in range(40)]
    assert prepared(one)[0].config.target == "class"
    several = [(text, [label]) for text, label in one]
    experiment, data = prepared(several, stratify=True)
    assert experiment.config.target == "labels" and isinstance(experiment.task, MultiLabel)
    assert sum(sum(summary.labels.values()) for summary in data.summaries.values()) == 40
    numbers = [(f"text {n}", n % 20) for n in range(200)]
    with pytest.warns(UserWarning, match="list: 20 different numbers are taken for classes; --target number"):
        prepared(numbers)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, data = prepared([(f"text {n}", n + 0.5) for n in range(200)], target="number")
    assert all("split given" in str(w.message) for w in caught)  # numbers are no rare labels
    assert data.summaries["test"].examples > 5  # nor has each one to be in train
    with pytest.raises(UserError, match="--stratify: the data has no classes"):
        prepared(numbers, target="number", stratify=True)


def test_labels_that_are_probably_one_are_named():
    rows = [(f"text {n}", label) for n, label in enumerate(["good"] * 20 + ["Good"] * 9 + ["bad"] * 20)]
    message = r"2 labels differ only in case, blanks or the way a number is written: 'Good' \(\d+\) and 'good' \(\d+\)"
    with pytest.warns(UserWarning, match=message):
        prepared(rows)
    assert alike_labels(["1", "1.0", "2", "A b", "ab"]) == [["1", "1.0"], ["A b", "ab"]] and not alike_labels("ab")


def reviews_with(label):
    """Reviews and what `label(whether good, number)` says of them."""
    return [(f"{(BAD, GOOD)[n % 2][n // 2 % 6]} , story {n}", label(bool(n % 2), n)) for n in range(96)]


def trained(folder, label, **fields):
    options = SMALL | {"ngrams": 2, "ngram_buckets": 999, "epochs": 6, "learning_rate": 2e-2}
    options |= {"unk_dropout": 0.0, "word_dropout": 0.0} | fields
    return seqtasks.train("sentiment", reviews_with(label), folder / "run", quiet=True, **options)


def exported(run, folder, texts):
    run.export(folder / "exported", check=False)
    serve = tf.saved_model.load(str(folder / "exported")).signatures["serving_default"]
    found = {name: value.numpy() for name, value in serve(inputs=tf.constant(texts)).items()}
    assert {len(value) for value in found.values()} == {len(texts)}
    return found


TEXTS = ["wonderful , the best story", "boring , a dull film", "great acting"]


def test_a_run_of_several_labels(tmp_path):
    run = trained(tmp_path, lambda good, n: (["good"] if good else []) + (["story"] if n % 3 else []), r_drop=0.5)
    metrics = run.metrics
    assert run.config.target == "labels" and metrics["metric"] == "micro_f1"
    assert metrics["test"]["per_class"]["good"]["average_precision"] > 0.9
    assert metrics["train"]["threshold"] == list(run.assets["threshold"])
    assert set(metrics["baselines"]) == {"majority", "tfidf_logistic_regression"}
    reopened = seqtasks.load_run(run.directory)
    others = reviews_with(lambda good, n: ["good", "other"] if good else ["other"])
    assert reopened.evaluate(others)["subset_accuracy"] == 0
    answers, found = reopened.predict(TEXTS), exported(reopened, tmp_path, TEXTS)
    (threshold,) = reopened.assets["threshold"]
    for answer, scores, chosen, labels in zip(
        answers, *(found[n] for n in ("scores", "chosen", "labels")), strict=True
    ):
        assert sorted(answer["labels"]) == [name for name, score in answer["scores"].items() if score >= threshold]
        np.testing.assert_allclose(scores, list(answer["scores"].values()), rtol=1e-4)
        assert sorted(answer["labels"]) == [name.decode() for name in labels[chosen]]
    page = (run.directory / "report.html").read_text()
    assert "average precision" in page and "micro F1" in page


def test_a_run_of_ordered_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda run: None)
    run = trained(tmp_path, lambda good, n: 4 + n % 3 % 2 if good else 1 + n % 3 % 2, target="ordinal")
    metrics = run.metrics
    assert metrics["metric"] == "mae" and metrics["test"]["spearman"] > 0.6
    assert set(metrics["baselines"]) == {"majority", "tfidf_ordinal_logistic_regression"}
    assert metrics["baselines"]["majority"]["mae"] > metrics["test"]["mae"]
    reopened = seqtasks.load_run(run.directory)
    answers = reopened.predict(TEXTS)
    assert answers[0]["expected"] > answers[1]["expected"]
    assert isinstance(reopened.model.get_layer("logits"), CumulativeLogits)
    others = reviews_with(lambda good, n: (5 if n % 4 == 1 else 4.5) if good else 1)
    with pytest.warns(UserWarning, match="labels of the test split that the run lacks: '4.5'"):
        assert reopened.evaluate(others)["mae"] < 2


def test_a_run_of_numbers(tmp_path):
    fields = {"target": "number", "ema_momentum": 0.9, "ngrams": 0, "affixes": 64}
    run = trained(tmp_path, lambda good, n: 100 + 10 * good + n % 3, **fields)
    metrics = run.metrics
    assert metrics["metric"] == "mae" and metrics["test"]["pearson"] > 0.8
    assert metrics["baselines"]["mean"]["mae"] > metrics["test"]["mae"] and metrics["baselines"]["mean"]["r2"] <= 0
    answers, found = run.predict(TEXTS), exported(run, tmp_path, TEXTS)
    np.testing.assert_allclose(found["value"], [answer["value"] for answer in answers], rtol=1e-4)
    assert set(answers[0]) == {"value"} and "labels" not in run.assets
    assert "Truth and answer" in (run.directory / "report.html").read_text()


def test_the_task_of_each_target():
    names = {"class": "Classification", "labels": "MultiLabel", "ordinal": "Ordinal", "number": "Regression"}
    assert {target: type(sequence_task(target)).__name__ for target in names} == names
    assert type(sequence_task(separator=";")) is MultiLabel
