"""Baselines for DNA: k-mer frequencies, one-hot bases, and features of neighbouring bases."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from seqtasks.dna.alphabets import DNA, Alphabet
from seqtasks.tasks.baselines import with_columns


def base_features(inputs: Sequence[str], alphabet: Alphabet = DNA) -> list[list[list[str]]]:
    """Features of each base: the letter, and the three letters that begin with it.

    Args:
        inputs: the sequences.
        alphabet: their letters.

    Returns:
        For each sequence, for each base, a list of two strings.

    Example:
        >>> base_features(["acgu"])[0][:2]
        [['A', 'ACG'], ['C', 'CGT']]
    """
    rows = [alphabet.as_read(sequence) for sequence in inputs]
    return [[[row[i], row[i : i + 3]] for i in range(len(row))] for row in rows]


def kmer_logistic_regression(alphabet: Alphabet = DNA, columns: str = "") -> Any:
    """Logistic regression over the TF-IDF weights of k-mers of one to six bases, wherever they are.

    Args:
        alphabet: the letters of the sequences.
        columns: the names of side columns, whose values are features too.

    Returns:
        A scikit-learn estimator over sequences.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    kmers = TfidfVectorizer(analyzer="char", ngram_range=(1, 6), sublinear_tf=True, lowercase=alphabet.folds)
    return make_pipeline(with_columns(kmers, columns), LogisticRegression(max_iter=1000, C=10.0))


class BaseSVM:
    """A support vector machine with the radial basis function over one-hot bases at their positions.

    It is trained on at most 5,000 sequences, since the time grows with their square. Its scores are a softmax of the
    decision function, not calibrated probabilities.

    Args:
        alphabet: the letters of the sequences.

    Example:
        >>> model = BaseSVM().fit(["AAAA", "CCCC"] * 5, [0, 1] * 5)
        >>> model.predict_proba(["AAAA", "CCC"]).argmax(-1).tolist()
        [0, 1]
    """

    MAX_EXAMPLES = 5000

    def __init__(self, alphabet: Alphabet = DNA) -> None:
        self.alphabet = alphabet

    def fit(self, inputs: Sequence[str], targets: Sequence[int]) -> Self:
        """Fits the model.

        Args:
            inputs: the sequences.
            targets: the class of each.
        """
        from sklearn.svm import SVC

        inputs, targets = inputs[: self.MAX_EXAMPLES], targets[: self.MAX_EXAMPLES]
        self.length = max(map(len, inputs))
        self.model = SVC(decision_function_shape="ovr").fit(self._one_hot(inputs), targets)
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, inputs: Sequence[str]) -> np.ndarray:
        """Scores (sequences, classes), in the order of `classes_`."""
        from scipy.special import softmax

        decisions = self.model.decision_function(self._one_hot(inputs))
        if decisions.ndim == 1:  # two classes: the decision for the second
            decisions = np.stack([-decisions, decisions], -1)
        return softmax(decisions, -1)

    def _one_hot(self, inputs: Sequence[str]) -> np.ndarray:
        """One-hot letters (sequences, all letters), cut or padded to the longest sequence of the training data."""
        from seqtasks.dna.encoding import one_hot

        cut = [sequence[: self.length] for sequence in inputs]
        shape = (len(cut), self.length, len(self.alphabet.letters))
        return one_hot(cut, self.alphabet).to_tensor(shape=shape).numpy().reshape(len(cut), -1)
