"""Baselines that several applications share."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

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
