"""BLEU, chrF (sacrebleu) and exact match, from counts per sentence."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

COUNTS = {"bleu": slice(0, 10), "bleu_lower_tokenized": slice(10, 20), "chrf": slice(20, 38)}  # columns of the counts


@functools.cache
def sacrebleu_metrics() -> dict[str, Any]:
    """The metrics of sacrebleu, {name: metric}: BLEU of 13a tokens, the same of lower-cased text, chrF2.

    Papers on Multi30k score lower-cased text that is tokenised by Moses; of the 1000 German sentences of its test set,
    Moses tokenises four differently from 13a.
    """
    from sacrebleu.metrics import BLEU, CHRF

    return {
        "bleu": BLEU(tokenize="13a", force=True),  # force: no warning about tokenised text
        "bleu_lower_tokenized": BLEU(tokenize="13a", lowercase=True, force=True),
        "chrf": CHRF(),
    }


def translation_counts(references: Iterable[str], translations: Iterable[str]) -> np.ndarray:
    """Counts for each sentence; the metrics of a set of sentences are functions of the sum of their rows.

    Args:
        references, translations: sequences of strings.

    Returns:
        int array (sentences, 39): the statistics of sacrebleu, for BLEU and for BLEU of lower-cased text the lengths
        of both sides, the matching n-grams and all n-grams (10 each), and for chrF2 the n-grams of both sides and the
        matching ones of each order (18); last, whether the two sentences are equal.

    Example:
        >>> counts = translation_counts(["A dog runs."], ["A dog ran."])
        >>> counts[0, :10].tolist()  # tokens of the translation and the reference; matching and all n-grams, n = 1 to 4
        [4, 4, 3, 1, 0, 0, 4, 3, 2, 1]
        >>> round(bleu(None, counts), 2), exact_match(None, counts)
        (35.36, 0.0)
    """
    references, translations = list(references), list(translations)
    columns = [
        np.reshape(metric._extract_corpus_statistics(translations, [references]), (len(references), -1))
        for metric in sacrebleu_metrics().values()
    ]
    equal = [[target == output] for target, output in zip(references, translations, strict=True)]
    return np.concatenate([*columns, np.reshape(equal, (-1, 1))], 1).astype("int64")


def bleu(_: Any, counts: np.ndarray) -> float:
    """BLEU of cased text, 0 to 100; `counts` as of `translation_counts`, the first argument is not used."""
    return _sacrebleu_score("bleu", counts)


def bleu_lower_tokenized(_: Any, counts: np.ndarray) -> float:
    """BLEU of lower-cased text, 0 to 100."""
    return _sacrebleu_score("bleu_lower_tokenized", counts)


def chrf(_: Any, counts: np.ndarray) -> float:
    """chrF2, the F-score of character n-grams with recall weighted twice, 0 to 100."""
    return _sacrebleu_score("chrf", counts)


def _sacrebleu_score(name: str, counts: np.ndarray) -> float:
    total = counts[:, COUNTS[name]].sum(0).tolist()
    return float(sacrebleu_metrics()[name]._compute_score_from_stats(total).score)


def exact_match(_: Any, counts: np.ndarray) -> float:
    """Share of translations that equal their reference."""
    return float(counts[:, -1].mean())


TRANSLATION = {
    "bleu": bleu,
    "bleu_lower_tokenized": bleu_lower_tokenized,
    "chrf": chrf,
    "exact_match": exact_match,
}
