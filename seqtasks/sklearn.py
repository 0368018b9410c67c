"""A classifier of scikit-learn over any recipe that classifies: for pipelines, cross-validation and searches.

from seqtasks.sklearn import SequenceClassifier

classifier = SequenceClassifier("sentiment", units=32, random_state=0).fit(texts, labels)
classifier.predict(["What a film!"])
"""

import contextlib
import io
import logging
import random
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from seqtasks.data.memory import records_of
from seqtasks.data.targets import label_text
from seqtasks.errors import UserError, nearest
from seqtasks.options import describe, make_options
from seqtasks.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from seqtasks.engine.run import Run

NOT_PACKED = ("checkpoints", "logs")  # what only the training needs


class InvalidInput(UserError, ValueError):
    """A `UserError` that scikit-learn takes for what it is, a wrong value."""


class SequenceClassifier(ClassifierMixin, BaseEstimator):
    """A recipe that classifies, as an estimator of scikit-learn.

    The options of the recipe are parameters: `SequenceClassifier("dna", filters=64)`, `set_params(units=32)`, and the
    names of a grid. Where an option is not given, the recipe's default holds.

    Args:
        recipe: the name of a recipe whose targets are classes, such as `sentiment` or `dna`, or the path of a .py file.
        run: the run directory to make, which must not exist; None for a temporary one, which is removed with the
            estimator. In a search or a cross-validation it must be None.
        validation_fraction: the share of the data that chooses the best epoch and is not trained on. It has the same
            share of each class; equal inputs are on one side; each class keeps an example in train. Data that is too
            small to spare any is validated on itself, with a warning.
        random_state: the seed; a whole number makes fits repeatable. It takes the place of the option `seed`.
        verbose: whether to log the epochs to standard error.
        options: options of the recipe, as in `seqtasks train RECIPE --help`.

    Attributes:
        classes_: the labels, in order, in the type in which they were given.
        run_: the `seqtasks.engine.run.Run`, with `metrics`, `report()`, `export(directory)`. Its report calls the
            validation examples test too: an estimator is measured by `score` or by a cross-validation.
        n_features_in_: 1; a sample is one text, one sequence, or the path of one file.

    Example:
        >>> classifier = SequenceClassifier("sentiment", units=32, random_state=0)
        >>> classifier.set_params(epochs=2).get_params()["epochs"]
        2
        >>> classifier.set_params(unit=4)
        Traceback (most recent call last):
        seqtasks.sklearn.InvalidInput: sentiment has no option 'unit'; did you mean 'units'?
    """

    def __init__(
        self, recipe: str | Path = "sentiment", *, run: str | Path | None = None, validation_fraction: float = 0.1,
        random_state: Any = None, verbose: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        self.recipe = recipe
        self.run = run
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose
        self._options = options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, and the options of the recipe that were given.

        Args:
            deep: as in scikit-learn.
        """
        return super().get_params(deep) | self._options

    def set_params(self, **params: Any) -> "SequenceClassifier":
        """Set parameters and options of the recipe.

        Args:
            params: by name.

        Raises:
            InvalidInput: if neither the estimator nor the recipe has one of this name.
        """
        own = self._get_param_names()
        super().set_params(**{name: value for name, value in params.items() if name in own})
        options = {name: value for name, value in params.items() if name not in own}
        try:
            recipe = load_recipe(self.recipe)
        except UserError:  # `fit` raises it
            recipe = None
        if recipe:
            _check_names(recipe, options)
        self._options = self._options | options
        return self

    def fit(self, X: Any, y: Any) -> "SequenceClassifier":
        """Train the recipe.

        Args:
            X: texts, or what else the recipe takes as inputs: a list, a series, an array, or a frame with one column.
            y: a label for each: strings, whole numbers or truth values.

        Returns:
            The estimator.

        Raises:
            InvalidInput: if data, parameters or options are not valid.
        """
        with _as_value_errors():
            inputs, recipe = _inputs(X), load_recipe(self.recipe)
            labels, classes, codes = _classes(y, len(inputs))
            options = self._checked_options(recipe)
            held = _held_out(inputs, codes, self._fraction(), np.random.default_rng(options["seed"]))
            parts = [([inputs[i] for i in rows], [labels[codes[i]] for i in rows]) for rows in held]
            self.run_ = self._train(recipe, parts, options)
            self._places = [self.run_.assets["labels"].tokens.index(label) for label in labels]
        self.classes_, self.n_features_in_ = classes, 1
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each input.

        Args:
            X: as for `fit`.

        Raises:
            InvalidInput: if an input cannot be read.
        """
        scores = self.predict_proba(X)
        return self.classes_[scores.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities (inputs, classes), in the order of `classes_`.

        Args:
            X: as for `fit`.

        Raises:
            InvalidInput: if an input cannot be read.
        """
        from seqtasks.engine.inputs import queries

        check_is_fitted(self)
        with _as_value_errors():
            answers = list(self.run_.answers(queries(self.run_, records_of(_inputs(X)))))
            for answer in answers:
                if "error" in answer:
                    raise UserError(answer["error"])
        scores = np.array([list(answer["scores"].values()) for answer in answers], "float64")[:, self._places]
        return scores / scores.sum(1, keepdims=True)

    def _fraction(self) -> float:
        fraction = self.validation_fraction
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
            raise UserError(
                f"{fraction!r} is no share", where="validation_fraction", remedy="give one above 0 and below 1"
            )
        return float(fraction)

    def _checked_options(self, recipe: Recipe[Any]) -> dict[str, Any]:
        """The options of the recipe with the seed; a faulty input is an error, not left out."""
        from seqtasks.engine.experiment import check_single
        from seqtasks.tasks import Classification, Ordinal

        _check_names(recipe, self._options)
        for name in (o.name for o in describe(recipe.Config) if o.names and self._options.get(o.name)):
            what, remedy = "a sample of an estimator is one input, without columns", "take seqtasks.train with a frame"
            raise UserError(what, where=name, remedy=remedy)
        given = self.random_state
        seed = int(given) if isinstance(given, int | np.integer) else check_random_state(given).randint(2**31 - 1)
        options = {"strict": True, **self._options, "seed": int(seed)}
        if any(option.name == "target" for option in describe(recipe.Config)):
            options.setdefault("target", "class")
        config = make_options(recipe.Config, options)
        check_single(recipe, config)
        task = recipe.task(config)
        if not isinstance(task, Classification) or isinstance(task, Ordinal):
            what, remedy = f"{recipe.name} does not classify with these options", "take sentiment, dna or video"
            raise UserError(what, where="recipe", remedy=remedy)
        return options

    def _train(self, recipe: Recipe[Any], parts: Sequence[Any], options: dict[str, Any]) -> "Run":
        from seqtasks.engine.training import train

        if self.run is not None and Path(self.run).exists():
            raise UserError("exists already", where=self.run, remedy="give another run, or None for a temporary one")
        folder = None if self.run is not None else tempfile.mkdtemp(prefix="seqtasks-")
        directory = Path(folder) / "run" if folder else self.run
        try:
            with _told(self.verbose), _own_randomness():
                run = train(self.recipe, run=directory, train=parts[0], valid=parts[1], test=parts[1], **options)
        except BaseException:
            shutil.rmtree(folder or "", ignore_errors=True)
            raise
        return _removed_with_it(run, folder) if folder else run

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return state | ({"run_": _packed(self.run_.directory)} if "run_" in state else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | ({"run_": _unpacked(state["run_"])} if "run_" in state else {}))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _check_names(recipe: Recipe[Any], options: Mapping[str, Any]) -> None:
    known = [option.name for option in describe(recipe.Config)]
    for name in options:
        if name not in known:
            raise InvalidInput(f"{recipe.name} has no option {name!r}", remedy=nearest(name, known))
        if name == "seed":
            raise InvalidInput("seed is called random_state here", remedy="give random_state")


def _inputs(X: Any) -> list[Any]:
    """The inputs as a list; a frame, or an array with two axes, has one column."""
    if isinstance(X, str | bytes) or not (hasattr(X, "__len__") and (hasattr(X, "__iter__") or hasattr(X, "to_numpy"))):
        what = f"{type(X).__name__} is not a list of inputs"
        raise UserError(what, where="X", remedy="give a list, a series, an array, or a frame with one column")
    array = X.to_numpy() if hasattr(X, "to_numpy") else X
    if getattr(array, "ndim", 1) != 1:
        if array.ndim != 2 or array.shape[1] != 1:
            what = f"an array of shape {array.shape}"
            raise UserError(what, where="X", remedy="give one text, one sequence or one path for each sample")
        array = array[:, 0]
    rows = [row[0] if isinstance(row, list | tuple | np.ndarray) and len(row) == 1 else row for row in array]
    if not rows:
        raise UserError("0 samples", where="X", remedy="give at least one")
    for number, row in enumerate(rows):
        if not isinstance(row, str | bytes | Path):
            what = f"sample {number} is {type(row).__name__} {row!r:.40}, not a text or a path"
            raise UserError(what, where="X", remedy="give strings")
    return [str(row) if isinstance(row, Path) else row for row in rows]


def _classes(y: Any, count: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The labels as texts, the classes as they were given, and the number of the class of each example."""
    if y is None:
        raise UserError("requires y to be passed, but the target y is None", where="fit", remedy="give labels")
    y = column_or_1d(y, warn=True)
    if len(y) != count:
        raise UserError(f"{count} inputs and {len(y)} labels", where="y", remedy="give each input one label")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    labels = [label_text(label) for label in classes]
    if len(classes) < 2:
        raise UserError(f"one class, {labels[0]!r}", where="y", remedy="a classifier needs at least two classes")
    if "" in labels or len(set(labels)) < len(labels):
        what = f"labels that are missing, or differ in white space alone: {', '.join(map(repr, classes.tolist()))}"
        raise UserError(what, where="y", remedy="give each class a name of its own")
    return labels, classes, codes


def _held_out(
    inputs: Sequence[Any], codes: np.ndarray, fraction: float, draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the examples for training and for validation; the same ones for both if none can be spared.

    Example:
        >>> train, held = _held_out(list("abcdefgh"), np.array([0, 1] * 4), 0.25, np.random.default_rng(0))
        >>> len(train), sorted((held % 2).tolist())
        (6, [0, 1])
    """
    counts = np.bincount(codes)
    exact = fraction * counts
    quota = np.minimum(np.floor(exact), counts - 1)
    for one in np.argsort(np.floor(exact) - exact, kind="stable"):  # the largest remainder first
        if quota.sum() < max(1, round(fraction * len(codes))) and quota[one] < counts[one] - 1:
            quota[one] += 1
    equal: dict[Any, list[int]] = {}
    for place, item in enumerate(inputs):
        equal.setdefault(item, []).append(place)
    groups, held = list(equal.values()), np.zeros(len(codes), bool)
    for number in draws.permutation(len(groups)):
        taken = np.bincount(codes[groups[number]], minlength=len(counts))
        if (taken <= quota).all():
            held[groups[number]] = True
            quota -= taken
    everything = np.arange(len(codes))
    return (everything[~held], everything[held]) if held.any() else (everything, everything)


def _packed(directory: Path) -> bytes:
    """The files of a run that answers need, as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            if path.is_file() and name.parts[0] not in NOT_PACKED:
                archive.write(path, name)
    return buffer.getvalue()


def _unpacked(archive: bytes) -> "Run":
    from seqtasks.engine.run import load_run

    folder = tempfile.mkdtemp(prefix="seqtasks-")
    zipfile.ZipFile(io.BytesIO(archive)).extractall(Path(folder) / "run")
    return _removed_with_it(load_run(Path(folder) / "run", trust=True), folder)


def _removed_with_it(run: "Run", folder: str) -> "Run":
    weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    return run


@contextlib.contextmanager
def _as_value_errors() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise error if isinstance(error, ValueError) else InvalidInput(str(error)) from None


@contextlib.contextmanager
def _told(verbose: bool) -> Iterator[None]:
    """Logs epochs to standard error."""
    log, handler = logging.getLogger("seqtasks"), logging.StreamHandler()
    before = log.level
    if verbose:
        log.setLevel(logging.INFO)
        if not log.hasHandlers():
            log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Keeps the training from seeding the generators that other estimators draw from."""
    before, numpy_before = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)
