"""A baseline for piano rolls without a neural network."""

from collections.abc import Iterable, Sequence

import numpy as np


class FrameFrequencies:
    """Frequency of each key of a piano, given whether it sounded in the previous frame, independent of other keys.

    In the first frame it is the frequency of the key in all frames. Frequencies are smoothed by adding one to both
    counts, of frames in which the key sounds and of frames in which it does not.

    Example:
        >>> model = FrameFrequencies().fit([[[1, 0], [1, 0], [1, 1]]])
        >>> np.exp(model.score([[[1, 0], [1, 0]]])[0]).round(4).tolist()  # 4/5 * 3/5, 3/4 * 2/4
        [0.48, 0.375]
    """

    def fit(self, rolls: Iterable[np.ndarray | Sequence]) -> "FrameFrequencies":
        """Counts the keys.

        Args:
            rolls: arrays (frames, keys), true or not 0 where a key sounds.

        Returns:
            The model itself.
        """
        arrays = [np.asarray(roll, bool) for roll in rolls]
        previous, current = (np.concatenate([roll[cut] for roll in arrays]) for cut in (np.s_[:-1], np.s_[1:]))
        self.first = _smoothed_frequency(np.concatenate(arrays))
        columns = list(zip(current.T, previous.T, strict=True))
        self.after_off = np.array([_smoothed_frequency(now[~before]) for now, before in columns])
        self.after_on = np.array([_smoothed_frequency(now[before]) for now, before in columns])
        return self

    def score(self, rolls: Iterable[np.ndarray | Sequence]) -> list[np.ndarray]:
        """Log-likelihood of each frame, given the previous one.

        Args:
            rolls: as for `fit`.

        Returns:
            For each roll an array (frames,), in nats.
        """
        return [self._score(np.asarray(roll, bool)) for roll in rolls]

    def _score(self, roll: np.ndarray) -> np.ndarray:
        later = np.where(roll[:-1], self.after_on, self.after_off)
        probabilities = np.concatenate([self.first[None], later])[: len(roll)]
        return np.log(np.where(roll, probabilities, 1 - probabilities)).sum(1)


def _smoothed_frequency(frames: np.ndarray) -> np.ndarray:
    return (frames.sum(0) + 1) / (len(frames) + 2)
