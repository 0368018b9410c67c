"""Baselines that several applications share."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from seqtasks.data.reading import names_of
from seqtasks.data.sources import Example, Source

WIDTH = 2  # neighbours on each side

Features = Callable[[Sequence[str]], Sequence[Sequence[Sequence[str]]]]


def majority() -> Any:
    """The share of each class in train as the scores of every input (a scikit-learn `DummyClassifier`).

    Example:
        >>> majority().fit(["a", "b", "c", "d"], [0, 1, 1, 1]).predict_proba(["e"]).tolist()
        [[0.25, 0.75]]
    """
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def of_target(
    target: str, name: str, features: Any, strength: float = 1.0, class_weight: str | None = None
) -> dict[str, Callable[[Any], Any]]:
    """The baselines of one target per sequence: what knows the targets of train alone, and a linear model.

    Args:
        target: `class`, `labels`, `ordinal` or `number`.
        name: of the features, the beginning of the name of the linear model.
        features: `features() -> transformer` of scikit-learn, of raw inputs.
        strength: C of logistic regression; ridge regression has the strength of regularisation 1.
        class_weight: of logistic regression.

    Returns:
        {name: `f(config) -> estimator`}: logistic regression of classes, of each label against the rest, or of being
        above each class of an order; ridge regression of numbers.

    Example:
        >>> list(of_target("number", "tfidf", lambda: None))
        ['mean', 'tfidf_ridge_regression']
    """
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    def logistic() -> Any:
        return LogisticRegression(max_iter=1000, C=strength, class_weight=class_weight)

    if target == "number":
        return {
            "mean": lambda config: DummyRegressor(),
            f"{name}_ridge_regression": lambda config: make_pipeline(features(), Ridge()),
        }
    if target == "labels":
        return {
            "majority": lambda config: Separate(majority),
            f"{name}_logistic_regression": lambda config: make_pipeline(features(), Separate(logistic)),
        }
    title, linear = {"ordinal": ("ordinal_logistic_regression", lambda: Cumulative(logistic))}.get(
        target, ("logistic_regression", logistic)
    )
    return {
        "majority": lambda config: majority(),
        f"{name}_{title}": lambda config: make_pipeline(features(), linear()),
    }


class Separate(BaseEstimator):
    """A binary classifier for each label, independent of the others.

    Args:
        make: `make() -> classifier` of scikit-learn.

    Example:
        >>> model = Separate(majority).fit(["a", "b"], np.array([[1, 0], [1, 1]]))
        >>> model.predict_proba(["c"]).tolist()
        [[1.0, 0.5]]
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def fit(self, inputs: Any, targets: np.ndarray) -> "Separate":
        """Trains on int (examples, labels); a label that is always or never there needs no classifier."""
        self.models_ = [
            self.make().fit(inputs, column) if 0 < column.sum() < len(column) else float(column[:1].sum() > 0)
            for column in targets.T
        ]
        return self

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """The probability of each label, float (examples, labels)."""
        size = inputs.shape[0] if hasattr(inputs, "shape") else len(inputs)
        columns = [np.full(size, m) if isinstance(m, float) else m.predict_proba(inputs)[:, 1] for m in self.models_]
        return np.stack(columns, 1)


class Cumulative(BaseEstimator):
    """Ordinal classification by a binary classifier for being above each class but the highest.

    Args:
        make: `make() -> classifier` of scikit-learn.

    Example:
        >>> model = Cumulative(majority).fit(["a", "b", "c", "d"], [0, 1, 1, 2])
        >>> model.predict_proba(["e"]).tolist(), model.classes_.tolist()
        ([[0.25, 0.5, 0.25]], [0, 1, 2])

    References:
        Frank and Hall, 2001, https://doi.org/10.1007/3-540-44795-4_13
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def fit(self, inputs: Any, targets: Sequence[int]) -> "Cumulative":
        """Trains on a rank for each input."""
        self.classes_ = np.unique(targets)
        self.above_ = Separate(self.make).fit(inputs, (np.asarray(targets)[:, None] > self.classes_[:-1]).astype(int))
        return self

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """The probability of each of `classes_`: probabilities of being above that rise are levelled first."""
        above = np.minimum.accumulate(self.above_.predict_proba(inputs), 1)
        return -np.diff(above, axis=1, prepend=1, append=0)


class Row(str):
    """A raw input of a baseline, with the values of its side columns.

    Example:
        >>> row = Row.of(Example("a fine film", "good", 1, columns=("20",)))
        >>> row, row.columns
        ('a fine film', ('20',))
    """

    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, example: Example) -> Self:
        """The input of an example."""
        row = cls(example.input)
        row.columns = example.columns
        return row


def with_columns(features: Any, option: str) -> Any:
    """A scikit-learn transformer of raw inputs, with their encoded side columns beside its features.

    Args:
        features: the transformer.
        option: the names of the columns; without any it is returned as it is.

    Example:
        >>> from sklearn.feature_extraction.text import CountVectorizer
        >>> rows = [Row.of(Example("fine", "", n, columns=(f"{n}",))) for n in (1, 3)]
        >>> with_columns(CountVectorizer(), "age").fit_transform(rows).toarray().tolist()
        [[1.0, -1.0], [1.0, 1.0]]
    """
    from sklearn.pipeline import make_union

    return make_union(features, ColumnFeatures(names_of(option))) if names_of(option) else features


class ColumnFeatures:
    """The encoded side columns of rows, a transformer of scikit-learn.

    Args:
        names: of the columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def fit(self, rows: Sequence[Row], y: Any = None) -> Self:
        """Learns means, deviations and categories."""
        from seqtasks.data.side_columns import SideColumns

        examples = [Example(row, "", n, columns=row.columns) for n, row in enumerate(rows)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training has warned
            self.side = SideColumns.learn(self.names, Source(lambda: iter(examples), "rows"))
        return self

    def transform(self, rows: Sequence[Row]) -> np.ndarray:
        """float32 (rows, width)."""
        return self.side.encode(list(zip(*(row.columns for row in rows), strict=True))).numpy()


class WindowTagger:
    """Logistic regression of each step over the features of its neighbourhood, trained by stochastic gradient descent.

    Args:
        features: `features(inputs)`, for each input a list with a list of strings for each step.
        seed: for shuffling.

    Example:
        >>> model = WindowTagger(lambda inputs: [[[letter] for letter in text] for text in inputs])
        >>> model.fit(["ab", "ba"] * 9, [["A", "B"], ["B", "A"]] * 9).predict(["aab"])
        [['A', 'A', 'B']]
    """

    def __init__(self, features: Features, seed: int = 0) -> None:
        from sklearn.feature_extraction import FeatureHasher
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import make_pipeline

        self.features = features
        classifier = SGDClassifier(loss="log_loss", alpha=1e-6, average=True, max_iter=20, tol=None, random_state=seed)
        self.model = make_pipeline(FeatureHasher(2**20, input_type="string"), classifier)

    def fit(self, inputs: Sequence[str], tags: Sequence[Sequence[str]]) -> "WindowTagger":
        """Trains on a list of tags for each input; returns the tagger itself."""
        flat = np.concatenate([np.asarray(row) for row in tags])
        if len(np.unique(flat)) == 1:
            self.model = majority()  # logistic regression needs two classes
        self.model.fit(list(self._windows(inputs)), flat)
        return self

    def predict(self, inputs: Sequence[str]) -> list[list[str]]:
        """A list of tags for each input."""
        windows = list(self._windows(inputs))
        flat = iter(self.model.predict(windows).tolist() if windows else [])
        return [[next(flat) for _ in steps] for steps in self.features(inputs)]

    def _windows(self, inputs: Sequence[str]) -> Iterator[list[str]]:
        for steps in self.features(inputs):
            padded = [["edge"]] * WIDTH + [list(step) for step in steps] + [["edge"]] * WIDTH
            for index in range(len(steps)):
                window = padded[index : index + 2 * WIDTH + 1]
                yield [f"{offset}{feature}" for offset, step in enumerate(window) for feature in step]
