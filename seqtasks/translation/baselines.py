"""A translation memory: the translation of the most similar training sentence."""

from collections.abc import Iterable, Sequence

import numpy as np


class TranslationMemory:
    """The translation of the nearest training sentence, by the cosine of TF-IDF vectors of character n-grams in words.

    Example:
        >>> memory = TranslationMemory().fit(["a black dog", "two men"], ["ein schwarzer Hund", "zwei Männer"])
        >>> memory.predict(["The dogs", "MEN"])
        ['ein schwarzer Hund', 'zwei Männer']
    """

    ROWS = 256  # inputs compared at once; memory is this times the training sentences

    def fit(self, inputs: Iterable[str], targets: Iterable[str]) -> "TranslationMemory":
        """Stores the sentence pairs; returns the memory itself."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
        self.memory, self.targets = self.vectorizer.fit_transform(inputs), list(targets)
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """A translation for each input; of equally near sentences, that of the first."""
        translations: list[str] = []
        for start in range(0, len(inputs), self.ROWS):
            cosines = self.vectorizer.transform(inputs[start : start + self.ROWS]) @ self.memory.T
            translations += [self.targets[i] for i in np.ravel(cosines.argmax(1))]
        return translations
