"""Features of linear baselines: the TF-IDF weights of words, of one text or of a pair."""

from collections.abc import Sequence
from typing import Any, Self

from seqtasks.data import pairs

WORDS = r"[぀-ヿ㐀-鿿]|[^\W぀-ヿ㐀-鿿]+"  # a character of scripts without spaces is a word


def tfidf(paired: bool = False) -> Any:
    """The weights of words and of pairs of neighbouring words.

    Args:
        paired: whether inputs are pairs of texts.

    Returns:
        A transformer of scikit-learn.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=WORDS)
    return PairedTexts(words) if paired else words


class PairedTexts:
    """Features u and v of two texts as [u, v, u v, |u - v|].

    Args:
        features: a transformer of texts, fitted to both texts of all pairs.

    Example:
        >>> from sklearn.feature_extraction.text import CountVectorizer
        >>> PairedTexts(CountVectorizer()).fit_transform([pairs.join("dog dog", "dog")]).toarray().tolist()
        [[2, 1, 2, 1]]
    """

    def __init__(self, features: Any) -> None:
        self.features = features

    def fit(self, inputs: Sequence[str], y: Any = None) -> Self:
        """Fits the features."""
        self.features.fit([text for both in self._split(inputs) for text in both])
        return self

    def transform(self, inputs: Sequence[str]) -> Any:
        """A sparse matrix (inputs, 4 features)."""
        from scipy.sparse import hstack

        u, v = (self.features.transform(texts) for texts in self._split(inputs))
        return hstack([u, v, u.multiply(v), abs(u - v)]).tocsr()

    def fit_transform(self, inputs: Sequence[str], y: Any = None) -> Any:
        """Both."""
        return self.fit(inputs).transform(inputs)

    @staticmethod
    def _split(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
        both = [text.split(pairs.SEPARATOR, 1) for text in inputs]
        return [first for first, _ in both], [second for _, second in both]
