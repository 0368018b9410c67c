"""Baselines that several applications share."""

import numpy as np

WIDTH = 2  # neighbours on each side


class WindowTagger:
    """Logistic regression of each step over the features of its neighbourhood, trained by stochastic gradient descent.

    Args:
        features: `features(inputs) -> for each input a list with a list of strings for each step`.
        seed: of the shuffling.

    Example:
        >>> model = WindowTagger(lambda inputs: [[[letter] for letter in text] for text in inputs])
        >>> model.fit(["ab", "ba"] * 9, [["A", "B"], ["B", "A"]] * 9).predict(["aab"])
        [['A', 'A', 'B']]
    """

    def __init__(self, features, seed=0):
        from sklearn.feature_extraction import FeatureHasher
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import make_pipeline

        self.features = features
        classifier = SGDClassifier(loss="log_loss", alpha=1e-6, average=True, max_iter=20, tol=None, random_state=seed)
        self.model = make_pipeline(FeatureHasher(2**20, input_type="string"), classifier)

    def fit(self, inputs, tags):
        flat = np.concatenate([np.asarray(row) for row in tags])
        if len(np.unique(flat)) == 1:
            from sklearn.dummy import DummyClassifier

            self.model = DummyClassifier()
        self.model.fit(list(self._windows(inputs)), flat)
        return self

    def predict(self, inputs):
        """A list of tags for each input."""
        windows = list(self._windows(inputs))
        flat = iter(self.model.predict(windows).tolist() if windows else [])
        return [[next(flat) for _ in steps] for steps in self.features(inputs)]

    def _windows(self, inputs):
        for steps in self.features(inputs):
            padded = [["edge"]] * WIDTH + steps + [["edge"]] * WIDTH
            for place in range(len(steps)):
                around = padded[place : place + 2 * WIDTH + 1]
                yield [f"{offset}{feature}" for offset, found in enumerate(around) for feature in found]


def majority():
    """The most frequent class of train, with the shares of all classes as probabilities (scikit-learn)."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")
