"""Baselines for DNA: k-mer frequencies, one-hot bases, and the features of neighbouring bases."""

import numpy as np


def base_features(inputs):
    """What bases look like: the letter, and the three letters that begin with it.

    Example:
        >>> base_features(["acgu"])[0][:2]
        [['A', 'ACG'], ['C', 'CGT']]
    """
    rows = [sequence.upper().replace("U", "T") for sequence in inputs]
    return [[[row[i], row[i : i + 3]] for i in range(len(row))] for row in rows]


def kmer_logistic_regression():
    """Logistic regression over the counts of k-mers of one to six bases, wherever they stand."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 6), sublinear_tf=True),
        LogisticRegression(max_iter=1000, C=10.0),
    )


class BaseSVM:
    """A support vector machine with the radial basis function over one-hot bases at their places.

    It learns from 5,000 sequences at most, for its time grows with their square. Its scores are a softmax of what it
    decides by, no calibrated probabilities.

    Example:
        >>> model = BaseSVM().fit(["AAAA", "CCCC"] * 5, [0, 1] * 5)
        >>> model.predict_proba(["AAAA", "CCC"]).argmax(-1).tolist()
        [0, 1]
    """

    MOST = 5000

    def fit(self, inputs, targets):
        from sklearn.svm import SVC

        inputs, targets = inputs[: self.MOST], targets[: self.MOST]
        self.length = max(map(len, inputs))
        self.model = SVC(decision_function_shape="ovr").fit(self._bases(inputs), targets)
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, inputs):
        from scipy.special import softmax

        decided = self.model.decision_function(self._bases(inputs))
        if decided.ndim == 1:  # of the second of two classes
            decided = np.stack([-decided, decided], -1)
        return softmax(decided, -1)

    def _bases(self, inputs):
        from seqtasks.dna.encoding import one_hot

        cut = [sequence[: self.length] for sequence in inputs]
        return one_hot(cut).to_tensor(shape=(len(cut), self.length, 4)).numpy().reshape(len(cut), -1)
