"""What a classical method makes of recordings."""

from collections import Counter

import numpy as np

MOST = 200  # different texts that are told apart


class SpectrumClassifier:
    """Which of a few texts a recording says, by logistic regression over the means and deviations of its spectrum.

    Where train holds more than 200 different texts, or each less than twice on average, it is the most frequent text,
    whatever is heard.

    Args:
        read: `read(path) -> float32 waveform`.
        spectrum: `spectrum(waveform) -> (frames, bands)`.

    Example:
        >>> tone = lambda path: np.sin(np.arange(800) * float(path))
        >>> spectrum = lambda x: np.abs(np.fft.rfft(x.reshape(-1, 80)))
        >>> model = SpectrumClassifier(tone, spectrum).fit(["0.1", "0.9", "0.11", "0.91"], ["low", "high"] * 2)
        >>> model.predict(["0.12", "0.88"])
        ['low', 'high']
    """

    def __init__(self, read, spectrum):
        self.read, self.spectrum, self.model = read, spectrum, None

    def fit(self, inputs, texts):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        counts = Counter(texts)
        self.usual = counts.most_common(1)[0][0]
        if 1 < len(counts) <= min(MOST, len(texts) / 2):
            self.model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(
                self._statistics(inputs), texts
            )
        return self

    def predict(self, inputs):
        """A text for each input."""
        if self.model is None:
            return [self.usual] * len(inputs)
        return self.model.predict(self._statistics(inputs)).tolist()

    def _statistics(self, inputs):
        frames = (self.spectrum(self.read(path)) for path in inputs)
        return np.stack([np.concatenate([rows.mean(0), rows.std(0)]) for rows in frames])
