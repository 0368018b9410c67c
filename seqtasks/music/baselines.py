"""A baseline for piano rolls: how often a key sounds, given whether it sounded in the frame before."""

import numpy as np


class FrameFrequencies:
    """How often each key sounds, given whether it sounded in the frame before, whatever the other keys do.

    In the first frame of a roll it is how often the key sounds in all frames. One is added to the counts of frames in
    which it sounds, and of those in which it does not.

    Example:
        >>> model = FrameFrequencies().fit([[[1, 0], [1, 0], [1, 1]]])
        >>> np.exp(model.score([[[1, 0], [1, 0]]])[0]).round(4).tolist()  # 4/5 * 3/5, 3/4 * 2/4
        [0.48, 0.375]
    """

    def fit(self, rolls):
        """Count.

        Args:
            rolls: arrays (frames, keys), true or not 0 where a key sounds.

        Returns:
            The model itself.
        """
        rolls = [np.asarray(roll, bool) for roll in rolls]
        before, after = (np.concatenate([roll[cut] for roll in rolls]) for cut in (np.s_[:-1], np.s_[1:]))
        self.first = _laplace(np.concatenate(rolls))
        self.struck = np.array([_laplace(a[~b]) for a, b in zip(after.T, before.T, strict=True)])
        self.held = np.array([_laplace(a[b]) for a, b in zip(after.T, before.T, strict=True)])
        return self

    def score(self, rolls):
        """Log-likelihoods of each frame, given the one before it.

        Args:
            rolls: as of `fit`.

        Returns:
            For each roll an array (frames,) of natural logarithms.
        """
        return [self._score(np.asarray(roll, bool)) for roll in rolls]

    def _score(self, roll):
        later = np.where(roll[:-1], self.held, self.struck)
        chances = np.concatenate([self.first[None], later])[: len(roll)]
        return np.log(np.where(roll, chances, 1 - chances)).sum(1)


def _laplace(frames):
    return (frames.sum(0) + 1) / (len(frames) + 2)
