"""Baselines that several applications share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

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
