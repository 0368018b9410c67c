"""N-grams: the baseline of models that predict the next id of a sequence."""

from collections.abc import Iterable, Sequence

import numpy as np

from seqtasks.data.token_ids import BOS
from seqtasks.errors import UserError

DISCOUNT = 0.75  # if the counts are too few to estimate one

Ids = Sequence[int] | np.ndarray


class NGrams:
    """An n-gram model with interpolated, modified Kneser-Ney smoothing.

    The empty context is interpolated with the uniform distribution, so that every id has a positive probability. An
    order whose discounts cannot be estimated (no n-gram is counted once, twice, three or four times, or an estimate is
    not positive) subtracts 0.75 from every count: absolute discounting. `fit` and `score` need about 100 bytes of
    memory for each id they are given, the model 16 for each n-gram and for each context, of every length.

    Args:
        order: the length of the longest n-grams; the context is one shorter.
        tokens: the number of ids; they start at 0.

    Raises:
        UserError: if `order` is below 1; by `fit` and `score`, if an id is out of range.

    Example:
        >>> model = NGrams(order=2, tokens=6).fit([[4, 5, 3], [4, 5, 5, 3]])
        >>> np.exp(model.score([[4, 5, 3]])[0]).round(2).tolist()
        [0.68, 0.78, 0.49]

    References:
        Chen and Goodman, 1999, An empirical study of smoothing techniques for language modeling (modified Kneser-Ney
        smoothing), https://doi.org/10.1006/csla.1999.0128
    """

    def __init__(self, order: int, tokens: int) -> None:
        if order < 1:
            raise UserError(f"order {order}", where="n-grams", remedy="give 1 or more")
        self.order, self.tokens = order, tokens

    def fit(self, sequences: Iterable[Ids]) -> "NGrams":
        """Counts n-grams.

        Args:
            sequences: lists or arrays of ints, with the end token if it is to be predicted, and without `BOS`.

        Returns:
            The model itself.
        """
        flat, places, _ = self._flat(sequences)
        if not len(places):
            raise UserError("no tokens to count n-grams of", remedy="give a sequence that is not empty")
        contexts = np.zeros_like(places)
        self.contexts: list[np.ndarray] = []
        self.levels: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for back in range(1, self.order):  # a context is a shorter one and the id before it
            keys, contexts = np.unique(contexts * self.tokens + flat[places - back], return_inverse=True)
            self.contexts.append(keys)
        grams, counts = np.unique(contexts * self.tokens + flat[places], return_counts=True)
        for keys in reversed(self.contexts):
            self.levels.insert(0, self._smooth(grams, counts))
            contexts, numbers = np.divmod(grams, self.tokens)
            shorter = keys[contexts] // self.tokens * self.tokens + numbers
            grams, counts = np.unique(shorter, return_counts=True)  # after how many ids each occurs
        self.levels.insert(0, self._smooth(grams, counts))
        return self

    def score(self, sequences: Iterable[Ids], lead: Sequence[Ids] | None = None) -> list[np.ndarray]:
        """The log-probability of each id, given those before it.

        Args:
            sequences: as in `fit`.
            lead: None, or for each sequence the ids before it, which are not scored.

        Returns:
            For each sequence an array of its length, natural logarithms.
        """
        flat, places, lengths = self._flat(sequences, lead)
        contexts, probabilities = np.zeros_like(places), np.full(len(places), 1 / self.tokens)
        for back, (grams, kept, freed) in enumerate(self.levels):
            if back:
                contexts = _find(self.contexts[back - 1], contexts * self.tokens + flat[places - back])
            found = _find(grams, contexts * self.tokens + flat[places])  # below 0 if the context is
            longer = np.where(found >= 0, kept[found], 0) + freed[contexts] * probabilities
            probabilities = np.where(contexts >= 0, longer, probabilities)
        return np.split(np.log(probabilities), np.cumsum(lengths))[:-1]

    def _flat(
        self, sequences: Iterable[Ids], lead: Sequence[Ids] | None = None
    ) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """All ids in one array, each sequence after `BOS` and its lead; indices of scored ids; sequence lengths."""
        sequences = list(sequences)
        lead = [[]] * len(sequences) if lead is None else lead
        begin = [BOS] * (self.order - 1)
        parts = [part for pair in zip(lead, sequences, strict=True) for part in (begin, *pair)]
        flat = np.concatenate([np.asarray(part, np.int64) for part in [[], *parts]])
        if wrong := flat[(flat < 0) | (flat >= self.tokens)][:1].tolist():
            raise UserError(f"{wrong[0]} is not the id of a token", remedy=f"ids are from 0 to {self.tokens - 1}")
        lengths = [len(part) for part in parts]
        scored = np.repeat(np.arange(len(parts)) % 3 == 2, lengths)
        return flat, np.flatnonzero(scored), lengths[2::3]

    def _smooth(self, grams: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The n-grams of one order, the discounted probability of each, and the mass discounted in each context."""
        contexts = grams // self.tokens
        taken = _discounts(counts)[np.minimum(counts, 3) - 1]
        totals = np.bincount(contexts, counts)
        return grams, (counts - taken) / totals[contexts], np.bincount(contexts, taken) / totals


def _discounts(counts: np.ndarray) -> np.ndarray:
    """The discounts of counts of 1, of 2, and of 3 or more."""
    times = np.bincount(np.minimum(counts, 5), minlength=6)[1:5]  # how many n-grams are counted 1, 2, 3, 4 times
    if times.all():
        share = times[0] / (times[0] + 2 * times[1])
        discounts = np.arange(1, 4) - np.arange(2, 5) * share * times[1:] / times[:-1]
        if (discounts > 0).all():
            return discounts
    return np.full(3, DISCOUNT)


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The index of each value in sorted keys, or -1."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)
