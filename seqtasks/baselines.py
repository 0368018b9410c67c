"""Baselines in the manner of scikit-learn: a linear tagger of every step, classifiers of DNA, a translation memory."""

import re

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


def token_features(inputs):
    """What tokens look like: the word, its affixes of two and three letters and its shape.

    Args:
        inputs: texts, raw or split into tokens (see `seqtasks.data.tokenizer.tokenize`).

    Example:
        >>> token_features(["In Paris"])[0][1]
        ['w=paris', 'p=pa', 's=is', 'p=par', 's=ris', 'h=Xx']
    """
    import tensorflow as tf

    from seqtasks.data.tokenizer import tokenize

    rows = tokenize(tf.constant(list(inputs), tf.string))[0].to_list()
    return [[_looks(token.decode()) for token in row] for row in rows]


def _looks(token):
    lower = token.lower()
    shape = "".join("0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in token)
    shape = re.sub(r"(.)\1+", r"\1", shape)
    affixes = [f"{side}={part}" for n in (2, 3) for side, part in (("p", lower[:n]), ("s", lower[-n:]))]
    return [f"w={lower}", *affixes, f"h={shape}"]


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
        from seqtasks.data.bases import one_hot

        cut = [sequence[: self.length] for sequence in inputs]
        return one_hot(cut).to_tensor(shape=(len(cut), self.length, 4)).numpy().reshape(len(cut), -1)


class TranslationMemory:
    """The translation of the nearest training sentence, by the cosine of TF-IDF of character n-grams within words.

    Example:
        >>> memory = TranslationMemory().fit(["a black dog", "two men"], ["ein schwarzer Hund", "zwei Männer"])
        >>> memory.predict(["The dogs", "MEN"])
        ['ein schwarzer Hund', 'zwei Männer']
    """

    ROWS = 256  # inputs compared at once: each costs a number for every training sentence

    def fit(self, inputs, targets):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
        self.memory, self.targets = self.weigh.fit_transform(inputs), list(targets)
        return self

    def predict(self, inputs):
        """A translation for each input; of equally near sentences the first one's."""
        found = []
        for start in range(0, len(inputs), self.ROWS):
            cosines = self.weigh.transform(inputs[start : start + self.ROWS]) @ self.memory.T
            found += [self.targets[i] for i in np.ravel(cosines.argmax(1))]
        return found
