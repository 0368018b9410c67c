"""The classifier of scikit-learn: its answers are those of its run, and the tools of scikit-learn take it."""

import copy
import gc
import logging
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.sklearn import SequenceClassifier, _classes, _held_out, _inputs
from tests.reviews import BAD, GOOD

SMALL = {"epochs": 1, "batch_size": 16, "units": 4, "dimension": 8, "affixes": 0, "bidirectional": False}
SMALL |= {"r_drop": 0.0, "gradient_flow": False, "max_length": 12}
TEXTS = [f"{(GOOD, BAD)[i % 2][i % 6]} , {(GOOD, BAD)[i % 2][(i // 6) % 6]} {i}" for i in range(60)]
LABELS = ["good", "bad"] * 30
make = partial(SequenceClassifier, random_state=3, **SMALL)


@pytest.fixture(autouse=True, scope="module")
def no_report():
    """Only `fitted` has a report, which the others do not need."""
    real = Run.report
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", lambda run: None)
        yield real


@pytest.fixture(scope="module")
def fitted(no_report):
    """A classifier that tests only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", no_report)
        return make().fit(TEXTS, LABELS)


def test_answers_are_those_of_the_run(fitted):
    scores, answers = fitted.predict_proba(TEXTS), fitted.run_.predict(TEXTS)
    assert list(fitted.classes_) == ["bad", "good"]
    np.testing.assert_allclose(scores, [[a["scores"]["bad"], a["scores"]["good"]] for a in answers], rtol=1e-5)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-12)
    predicted = fitted.predict(TEXTS)
    assert list(predicted) == [a["label"] for a in answers] == [fitted.classes_[i] for i in scores.argmax(1)]
    assert fitted.score(TEXTS, LABELS) == sum(p == y for p, y in zip(predicted, LABELS, strict=True)) / 60
    data = fitted.run_.metrics
    assert (data["train"]["examples"], data["validation"]["examples"], fitted.run_.config.seed) == (54, 6, 3)


def test_copies_answer_alike_and_need_no_files_of_the_original(fitted):
    stored, scores = pickle.dumps(fitted), fitted.predict_proba(TEXTS)
    for make_copy in (lambda: pickle.loads(stored), lambda: copy.deepcopy(fitted)):
        other = make_copy()
        assert np.array_equal(other.predict_proba(TEXTS), scores)
        assert other.get_params() == fitted.get_params()
        directory = other.run_.directory
        assert directory != fitted.run_.directory and (directory / "report.html").is_file()
        assert not (directory / "checkpoints").exists()
        del other
        gc.collect()
        assert not directory.parent.exists()
    assert fitted.run_.directory.exists()


def test_a_clone_is_fitted_alike_by_the_same_seed_on_any_form_of_the_same_data(fitted):
    other = clone(fitted)
    with pytest.raises(NotFittedError):
        other.predict(TEXTS)
    before = np.random.get_state()[1].tolist()
    other.fit(pd.DataFrame({"text": TEXTS}), pd.Series(LABELS, dtype="category"))
    assert np.random.get_state()[1].tolist() == before
    assert np.array_equal(other.predict_proba(np.array(TEXTS)), fitted.predict_proba(pd.Series(TEXTS)))
    assert fitted.n_features_in_ == other.n_features_in_ == 1


def test_two_examples_numbers_as_labels_a_recipe_of_ones_own_and_a_run_that_stays(tmp_path, caplog):
    source = "from seqtasks.recipe import load_recipe\nRECIPE = load_recipe('sentiment')\n"
    (tmp_path / "mine.py").write_text(source)
    classifier = make(str(tmp_path / "mine.py"), run=tmp_path / "run", verbose=True)
    before = logging.getLogger("seqtasks").level
    texts, numbers = ["fine", "dull"], np.array([10, 2])  # as texts, 10 comes before 2
    with pytest.warns(UserWarning, match="2 of 2 inputs of the validation split stand in train too"):
        classifier.fit(texts, numbers)
    scores, answers = classifier.predict_proba(texts), classifier.run_.predict(texts)
    assert classifier.classes_.tolist() == [2, 10]
    np.testing.assert_allclose(scores[:, 1], [a["scores"]["10"] for a in answers], rtol=1e-5)
    assert classifier.predict(texts).dtype == numbers.dtype
    assert classifier.predict(texts).tolist() == [int(a["label"]) for a in answers]
    assert [record.getMessage()[:10] for record in caplog.records][:2] == ["examples: ", "epoch 1/1 "]
    assert logging.getLogger("seqtasks").level == before
    assert (tmp_path / "run" / "recipe.py").read_text() == source
    other = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(other.predict_proba(["fine"]), classifier.predict_proba([["fine"]]))
    with pytest.raises(ValueError, match=r"run: exists already; give another run, or None for a temporary one"):
        classifier.fit(texts, numbers)


def test_a_search_varies_options_in_a_pipeline():
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), make())
    split = ShuffleSplit(1, test_size=0.25, random_state=0)
    search = GridSearchCV(pipeline, {"sequenceclassifier__units": [3]}, cv=split, refit=False, error_score="raise")
    search.fit(TEXTS, LABELS)
    assert [found["sequenceclassifier__units"] for found in search.cv_results_["params"]] == [3]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_finished_classifier_is_calibrated(fitted):
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), cv=2).fit(TEXTS, LABELS)
    assert calibrated.predict_proba(TEXTS).shape == (60, 2) and list(calibrated.classes_) == ["bad", "good"]


def test_options_are_parameters():
    classifier = make(pooling=["max"])
    assert classifier.get_params()["units"] == 4
    assert classifier.set_params(units=7, random_state=1) is classifier
    assert clone(classifier).get_params() == classifier.get_params()
    assert (classifier.get_params()["units"], classifier.random_state) == (7, 1)
    assert "units=7" in repr(classifier) and "seed" not in classifier.get_params()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"unit": 3}, "sentiment has no option 'unit'; did you mean 'units'?"),
        ({"units": 0}, "--units: 0 is out of range; give a number of at least 1"),
        ({"seed": 1}, "seed is called random_state here; give random_state"),
        ({"recipe": "sentimen"}, "unknown recipe 'sentimen'; did you mean 'sentiment'?"),
        ({"validation_fraction": 1}, "validation_fraction: 1 is no share; give one above 0 and below 1"),
        ({"random_state": -1}, "--seed: -1 is out of range"),
    ],
)
def test_wrong_parameters_are_errors_when_fitting(changed, message):
    with pytest.raises(ValueError) as caught:
        SequenceClassifier(**{"random_state": 0, **SMALL, **changed}).fit(TEXTS, LABELS)
    assert str(caught.value).startswith(message) and isinstance(caught.value, UserError)


def test_a_recipe_that_does_not_classify_is_refused(tmp_path):
    (tmp_path / "tags.py").write_text(
        "import dataclasses\nfrom seqtasks.recipe import load_recipe\nfrom seqtasks.tasks import StepTagging\n"
        "made = load_recipe('sentiment')\n"
        "RECIPE = dataclasses.replace(made, name='tags', task=lambda config: StepTagging('words'))\n"
    )
    with pytest.raises(ValueError, match="recipe: tags does not classify"):
        make(str(tmp_path / "tags.py")).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a text", "X: str is not a list of inputs"),
        ([], "X: 0 samples"),
        ([1, 2], "X: sample 0 is int 1, not a text or a path; give strings"),
        (["a", None], "X: sample 1 is NoneType None"),
        (pd.Series(["a", None]), "X: sample 1 is float nan"),
        (np.zeros((2, 3)), r"X: an array of shape \(2, 3\)"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"X: an array of shape \(1, 2\)"),
    ],
)
def test_inputs_that_are_no_texts_are_errors(X, message, fitted):
    with pytest.raises(ValueError, match=message):
        make().fit(X, ["a"] * 2)
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (["a"], "y: 3 inputs and 1 labels"),
        (["a"] * 3, "y: one class, 'a'; a classifier needs at least two classes"),
        (["a", "a ", "b"], "differ in white space alone: 'a', 'a ', 'b'"),
        ([0.5, 1.5, 2.0], "Unknown label type: continuous"),
        ([1.0, 2.0, float("nan")], "NaN"),
        ([["a", "b"]] * 3, "should be a 1d array"),
    ],
)
def test_labels_that_are_no_classes_are_errors(y, message):
    with pytest.raises(ValueError, match=message):
        make().fit(["one", "two", "three"], y)


@pytest.mark.parametrize(
    "X", [["x", "y"], ("x", "y"), np.array(["x", "y"]), np.array([["x"], ["y"]], object), [["x"], ["y"]],
          pd.Series(["x", "y"], index=[5, 5]), pd.DataFrame({"text": ["x", "y"]})],
)  # fmt: skip
def test_forms_of_inputs(X):
    assert _inputs(X) == ["x", "y"] and all(isinstance(text, str) for text in _inputs(X))


def test_forms_of_inputs_of_polars():
    polars = pytest.importorskip("polars")
    assert _inputs(polars.Series(["x", "y"])) == _inputs(polars.DataFrame({"text": ["x", "y"]})) == ["x", "y"]


@pytest.mark.parametrize(
    ("y", "labels", "kind"),
    [([True, False], ["false", "true"], "b"), ([10, 9], ["9", "10"], "i"), (["b", "a"], ["a", "b"], "U"),
     (np.array(["b", "a"], object), ["a", "b"], "O")],
)  # fmt: skip
def test_labels_are_kept_in_their_type(y, labels, kind):
    found, classes, codes = _classes(y, 2)
    assert found == labels and classes.dtype.kind == kind
    assert classes[codes].tolist() == list(y)


@pytest.mark.parametrize(("sizes", "held"), [([50, 50], 10), ([1, 1, 40], 4), ([3] * 20, 6), ([1, 2], 1), ([1, 1], 0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_held_out(sizes, held, seed):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    texts = [f"text {number}" for number in range(len(codes))]
    train, valid = _held_out(texts, codes, 0.1, np.random.default_rng(seed))
    again = _held_out(texts, codes, 0.1, np.random.default_rng(seed))
    assert np.array_equal(valid, again[1]) and set(codes[train]) == set(codes)
    if not held:  # nothing can be spared
        assert len(train) == len(valid) == len(codes)
        return
    assert len(valid) == held and sorted([*train, *valid]) == list(range(len(codes)))
    share = np.bincount(codes[valid], minlength=len(sizes)) - 0.1 * np.array(sizes)
    assert (np.abs(share) < 1).all()


def test_equal_inputs_are_not_parted():
    texts, codes = [f"text {number // 2}" for number in range(200)], np.arange(200) // 2 % 2
    train, valid = _held_out(texts, codes, 0.1, np.random.default_rng(0))
    assert len(valid) == 20 and not {texts[i] for i in train} & {texts[i] for i in valid}


CHECKS = (
    "estimator_cloneable", "estimator_tags_renamed", "valid_tag_types", "estimator_repr", "no_attributes_set_in_init",
    "do_not_raise_errors_in_init_or_set_params", "mixin_order", "parameters_default_constructible",
    "get_params_invariance", "set_params", "estimators_unfitted",
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_checks_of_scikit_learn_that_need_no_numbers(check):
    """`check_estimator` runs only the first of them for inputs that are not numbers."""
    getattr(estimator_checks, f"check_{check}")("SequenceClassifier", make())


def test_what_scikit_learn_checks_of_texts_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it cannot test more
        found = estimator_checks.check_estimator(make(), on_fail="raise")
    assert {result["status"] for result in found} == {"passed"}


class OfNumbers(SequenceClassifier):
    """Rows of numbers as texts of one word for each column, for the checks of scikit-learn, whose data are matrices."""

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        super().fit(self._texts(X), y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(self._texts(validate_data(self, X, reset=False)))

    def _texts(self, X):
        return [" ".join(f"c{column}v{round(value)}" for column, value in enumerate(row)) for row in X]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = True, False, False
        tags.classifier_tags.poor_score = True  # one epoch of four units
        return tags


EXPECTED_FAILURES = {}


@pytest.mark.slow
def test_all_checks_of_scikit_learn_on_numbers_as_texts():
    found = estimator_checks.check_estimator(
        OfNumbers(random_state=0, **SMALL), expected_failed_checks=EXPECTED_FAILURES, on_skip=None
    )
    assert {result["check_name"] for result in found if result["status"] == "xfail"} == set(EXPECTED_FAILURES)
