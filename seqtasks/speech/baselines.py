"""A baseline for recordings without a neural network."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

MAX_TEXTS = 200  # distinct texts for which a classifier is fitted


class SpectrumClassifier:
    """Logistic regression from the means and standard deviations of a spectrum to one of the texts of the training set.

    If the training set has more than 200 distinct texts, or each appears less than twice on average, every prediction
    is the most frequent text.

    Args:
        read: `read(path) -> waveform`, float32 (samples,).
        spectrum: `spectrum(waveform) -> array (frames, bands)`.

    Example:
        >>> tone = lambda path: np.sin(np.arange(800) * float(path))
        >>> spectrum = lambda x: np.abs(np.fft.rfft(x.reshape(-1, 80)))
        >>> model = SpectrumClassifier(tone, spectrum).fit(["0.1", "0.9", "0.11", "0.91"], ["low", "high"] * 2)
        >>> model.predict(["0.12", "0.88"])
        ['low', 'high']
    """

    def __init__(self, read: Callable[[str], np.ndarray], spectrum: Callable[[np.ndarray], np.ndarray]) -> None:
        self.read, self.spectrum = read, spectrum
        self.model: Any = None
        self.most_frequent = ""

    def fit(self, inputs: Sequence[str], texts: Sequence[str]) -> "SpectrumClassifier":
        """Fits the classifier to paths and their texts; returns itself."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        counts = Counter(texts)
        self.most_frequent = counts.most_common(1)[0][0]
        if 1 < len(counts) <= min(MAX_TEXTS, len(texts) / 2):
            self.model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(
                self._statistics(inputs), texts
            )
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """Predicts a text for each path."""
        if self.model is None:
            return [self.most_frequent] * len(inputs)
        return self.model.predict(self._statistics(inputs)).tolist()

    def _statistics(self, inputs: Sequence[str]) -> np.ndarray:
        """Means and standard deviations over time, (inputs, 2 * bands)."""
        spectra = (self.spectrum(self.read(path)) for path in inputs)
        return np.stack([np.concatenate([frames.mean(0), frames.std(0)]) for frames in spectra])
