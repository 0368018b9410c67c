"""n-gram models against the formulas on dictionaries, frequencies of keys against loops and enumeration."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.errors import UserError
from seqtasks.music.baselines import FrameFrequencies
from seqtasks.tasks.ngrams import NGrams

END = 3
TOKENS = 8
numbers = st.lists(st.integers(0, TOKENS - 1), max_size=8)
texts = st.lists(numbers.map(lambda row: [*row, END]), min_size=1, max_size=6)


class Formulas:
    """Modified Kneser-Ney smoothing with a dictionary of tuples for each order, one probability at a time."""

    def __init__(self, order, tokens, sequences):
        self.order, self.tokens = order, tokens
        grams = []
        for row in sequences:
            padded = [2] * (order - 1) + list(row)
            grams += [tuple(padded[i : i + order]) for i in range(len(row))]
        self.counts = {order: Counter(grams)}
        for k in range(order - 1, 0, -1):
            self.counts[k] = Counter(gram[1:] for gram in self.counts[k + 1])
        self.discounts = {k: self.estimate(Counter(self.counts[k].values())) for k in self.counts}

    @staticmethod
    def estimate(n):
        if all(n[i] for i in (1, 2, 3, 4)):
            y = n[1] / (n[1] + 2 * n[2])
            found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
            if min(found) > 0:
                return found
        return [0.75] * 3

    def probability(self, number, context):
        """Of a number behind a context, a tuple of less than `order` numbers."""
        k = len(context) + 1
        lower = self.probability(number, context[1:]) if context else 1 / self.tokens
        seen = [c for gram, c in self.counts[k].items() if gram[:-1] == context]
        if not seen:
            return lower
        count = self.counts[k][(*context, number)]
        kept = count - self.discounts[k][min(count, 3) - 1] if count else 0
        freed = sum(self.discounts[k][min(c, 3) - 1] for c in seen)
        return (kept + freed * lower) / sum(seen)

    def score(self, row, lead):
        padded = [2] * (self.order - 1) + list(lead) + list(row)
        places = range(len(padded) - len(row), len(padded))
        return [math.log(self.probability(padded[i], tuple(padded[i - self.order + 1 : i]))) for i in places]


def skewed(rng, rows=40, length=25):
    """Sequences in which few numbers are frequent, and each leans on the one before."""
    found = []
    for _ in range(rows):
        row = [4]
        while len(row) < length:
            row.append((row[-1] + min(rng.geometric(0.5), 5)) % 12)
        found.append([*row, END])
    return found


@given(texts, texts, st.lists(numbers, min_size=6, max_size=6), st.integers(1, 5))
def test_scores_match_the_formulas(train, test, lead, order):
    formulas = Formulas(order, TOKENS, train)
    scores = NGrams(order, TOKENS).fit(train).score(test, lead[: len(test)])
    for score, row, before in zip(scores, test, lead, strict=False):
        np.testing.assert_allclose(score, formulas.score(row, before), rtol=1e-9)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_estimated_discounts_match_the_formulas(order, rng):
    train, test = skewed(rng), skewed(rng, rows=4)
    formulas = Formulas(order, 12, train)
    assert any(len(set(found)) == 3 for found in formulas.discounts.values())
    scores = NGrams(order, 12).fit([np.array(row, np.int32) for row in train]).score(test)
    for score, row in zip(scores, test, strict=True):
        np.testing.assert_allclose(score, formulas.score(row, []), rtol=1e-9)


@given(texts, st.lists(numbers, min_size=1, max_size=5), st.integers(1, 5))
def test_probabilities_sum_to_one_in_any_context(train, contexts, order):
    contexts += [row[:cut] for row in train for cut in range(len(row))]
    nexts = [[number] for _ in contexts for number in range(TOKENS)]
    lead = [context for context in contexts for _ in range(TOKENS)]
    chances = np.exp(NGrams(order, TOKENS).fit(train).score(nexts, lead)).reshape(-1, TOKENS)
    assert (chances > 0).all()
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-9)


def test_probabilities_sum_to_one_with_estimated_discounts(rng):
    model = NGrams(4, 12).fit(skewed(rng))
    lead = list(itertools.product(range(12), repeat=2))
    scores = model.score([[n] for _ in lead for n in range(12)], [before for before in lead for _ in range(12)])
    np.testing.assert_allclose(np.exp(scores).reshape(-1, 12).sum(1), 1, rtol=1e-9)


@given(texts, numbers, numbers, st.integers(1, 4))
def test_a_lead_is_context_and_not_scored(train, before, behind, order):
    model = NGrams(order, TOKENS).fit(train)
    whole, start = model.score([before + behind, before])
    np.testing.assert_array_equal(model.score([behind], [before])[0], whole[len(before) :])
    np.testing.assert_array_equal(start, whole[: len(before)])


def test_longer_contexts_lower_the_loss():
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    known = {letter: number for number, letter in enumerate(sorted(set(text)), 4)}
    lines = [[*(known[letter] for letter in line), END] for line in text.splitlines()]
    models = [NGrams(order, len(known) + 4).fit(lines[::2]) for order in (1, 2, 3)]
    losses = [-np.concatenate(model.score(lines[1::2])).mean() for model in models]
    assert losses[0] > losses[1] + 0.2 > losses[2] + 0.4


def test_no_sequences_and_empty_sequences():
    model = NGrams(3, TOKENS).fit([[4, END], []])
    assert model.score([]) == []
    assert [len(score) for score in model.score([[], [4, END], []])] == [0, 2, 0]


def test_invalid_arguments_raise():
    with pytest.raises(UserError, match=r"^n-grams: order 0; give 1 or more$"):
        NGrams(0, TOKENS)
    with pytest.raises(UserError, match=r"^no tokens to count n-grams of; "):
        NGrams(2, TOKENS).fit([[]])
    for wrong in (-1, TOKENS):
        with pytest.raises(UserError, match=rf"^{wrong} is not the id of a token; ids are from 0 to 7$"):
            NGrams(2, TOKENS).fit([[4, wrong]])
        with pytest.raises(UserError, match=rf"^{wrong} is not the id of a token"):
            NGrams(2, TOKENS).fit([[4, END]]).score([[4]], [[wrong]])


def test_scores_of_frames_match_loops(rng):
    train, test = ([rng.random((length, 88)) < 0.3 for length in lengths] for lengths in ([9, 1, 0, 30], [7, 0, 1]))
    counts, always = np.ones((88, 2, 2)), np.ones((88, 2))  # of key, whether it sounded, whether it sounds
    for roll in train:
        for t, key in itertools.product(range(len(roll)), range(88)):
            always[key, int(roll[t, key])] += 1
            if t:
                counts[key, int(roll[t - 1, key]), int(roll[t, key])] += 1
    scores = FrameFrequencies().fit(train).score(test)
    for score, roll in zip(scores, test, strict=True):
        assert score.shape == (len(roll),)
        for t, found in enumerate(score):
            rows = [counts[key, int(roll[t - 1, key])] if t else always[key] for key in range(88)]
            expected = sum(math.log(row[int(roll[t, key])] / row.sum()) for key, row in enumerate(rows))
            np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(st.lists(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1), min_size=1, max_size=3))
def test_probabilities_of_frames_sum_to_one(train):
    model = FrameFrequencies().fit(train)
    frames = list(itertools.product([0, 1], repeat=3))
    for before in frames:
        behind = np.exp(model.score([[before, frame] for frame in frames]))[:, 1]
        np.testing.assert_allclose(behind.sum(), 1, rtol=1e-9)
    np.testing.assert_allclose(np.exp(model.score([[frame] for frame in frames])).sum(), 1, rtol=1e-9)
