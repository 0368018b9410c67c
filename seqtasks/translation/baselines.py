"""A translation memory: the translation of the most similar training sentence."""

import numpy as np


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
