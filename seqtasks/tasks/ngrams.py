"""Baselines of models that say what comes next: n-grams of numbers, and frequencies of keys in piano rolls."""

import numpy as np

from seqtasks.data.vocabulary import BOS
from seqtasks.errors import UserError

DISCOUNT = 0.75  # where the counts are too few to estimate one


class NGrams:
    """An n-gram model with interpolated, modified Kneser-Ney smoothing.

    The shortest context, none, is interpolated with the uniform distribution, so that every number has a probability
    more than 0. An order whose discounts cannot be estimated (no n-gram counted once, twice, three or four times, or an
    estimate that is not more than 0) takes 0.75 off every count: absolute discounting. `fit` and `score` hold about 100
    bytes for each number they are given, the model 16 for each n-gram and for each context, of every length.

    Args:
        order: how long an n-gram is at most; the context is one less.
        tokens: how many numbers there are, from 0 on.

    Raises:
        UserError: if `order` is below 1; by `fit` and `score`, if a number is out of range.

    Example:
        >>> model = NGrams(order=2, tokens=6).fit([[4, 5, 3], [4, 5, 5, 3]])
        >>> np.exp(model.score([[4, 5, 3]])[0]).round(2).tolist()
        [0.68, 0.78, 0.49]

    References:
        Chen and Goodman, 1999, An empirical study of smoothing techniques for language modeling (modified Kneser-Ney
        smoothing), https://doi.org/10.1006/csla.1999.0128
    """

    def __init__(self, order, tokens):
        if order < 1:
            raise UserError(f"order {order}", where="n-grams", remedy="give 1 or more")
        self.order, self.tokens = order, tokens

    def fit(self, sequences):
        """Count n-grams.

        Args:
            sequences: lists or arrays of ints, with the end token where it is to be learnt, and without `BOS`.

        Returns:
            The model itself.
        """
        flat, places, _ = self._flat(sequences)
        if not len(places):
            raise UserError("no numbers to count n-grams of", remedy="give a sequence that holds some")
        contexts, self.contexts, self.levels = np.zeros_like(places), [], []
        for back in range(1, self.order):  # a context is a shorter one and the number before it
            keys, contexts = np.unique(contexts * self.tokens + flat[places - back], return_inverse=True)
            self.contexts.append(keys)
        grams, counts = np.unique(contexts * self.tokens + flat[places], return_counts=True)
        for keys in reversed(self.contexts):
            self.levels.insert(0, self._smooth(grams, counts))
            contexts, numbers = np.divmod(grams, self.tokens)
            shorter = keys[contexts] // self.tokens * self.tokens + numbers
            grams, counts = np.unique(shorter, return_counts=True)  # how many numbers each is seen behind
        self.levels.insert(0, self._smooth(grams, counts))
        return self

    def score(self, sequences, lead=None):
        """Log-probabilities of each number, given those before it.

        Args:
            sequences: as of `fit`.
            lead: None, or for each sequence the numbers that come before it, which are known and not scored.

        Returns:
            For each sequence an array of natural logarithms, as long as it is.
        """
        flat, places, lengths = self._flat(sequences, lead)
        contexts, chances = np.zeros_like(places), np.full(len(places), 1 / self.tokens)
        for back, (grams, kept, freed) in enumerate(self.levels):
            if back:
                contexts = _find(self.contexts[back - 1], contexts * self.tokens + flat[places - back])
            found = _find(grams, contexts * self.tokens + flat[places])  # below 0 where the context is
            longer = np.where(found >= 0, kept[found], 0) + freed[contexts] * chances
            chances = np.where(contexts >= 0, longer, chances)
        return np.split(np.log(chances), np.cumsum(lengths))[:-1]

    def _flat(self, sequences, lead=None):
        """All numbers in a row, each sequence behind `BOS` and its lead; places and lengths of the sequences."""
        sequences = list(sequences)
        lead = [[]] * len(sequences) if lead is None else lead
        begin = [BOS] * (self.order - 1)
        parts = [part for pair in zip(lead, sequences, strict=True) for part in (begin, *pair)]
        flat = np.concatenate([np.asarray(part, np.int64) for part in [[], *parts]])
        if wrong := flat[(flat < 0) | (flat >= self.tokens)][:1].tolist():
            raise UserError(f"{wrong[0]} is no number of a token", remedy=f"they go from 0 to {self.tokens - 1}")
        lengths = [len(part) for part in parts]
        scored = np.repeat(np.arange(len(parts)) % 3 == 2, lengths)
        return flat, np.flatnonzero(scored), lengths[2::3]

    def _smooth(self, grams, counts):
        """The n-grams of one order, what is kept of the probability of each, and what is freed in each context."""
        contexts = grams // self.tokens
        taken = _discounts(counts)[np.minimum(counts, 3) - 1]
        totals = np.bincount(contexts, counts)
        return grams, (counts - taken) / totals[contexts], np.bincount(contexts, taken) / totals


def _discounts(counts):
    """What is taken off counts of 1, of 2, and of 3 or more."""
    times = np.bincount(np.minimum(counts, 5), minlength=6)[1:5]  # how many n-grams are counted 1, 2, 3, 4 times
    if times.all():
        share = times[0] / (times[0] + 2 * times[1])
        discounts = np.arange(1, 4) - np.arange(2, 5) * share * times[1:] / times[:-1]
        if (discounts > 0).all():
            return discounts
    return np.full(3, DISCOUNT)


def _find(keys, wanted):
    """Where in sorted keys each stands, or -1."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)
