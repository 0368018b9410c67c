"""BLEU, chrF (sacrebleu) and exact match. Each is a `seqtasks.metrics.Metric` of `translation_counts`."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqtasks.metrics import Metric

COUNTS = {"bleu": slice(0, 10), "bleu_lower_tokenized": slice(10, 20), "chrf": slice(20, 38)}  # columns of each metric


@functools.cache
def sacrebleu_metrics() -> dict[str, Any]:
    """The metrics of sacrebleu, {name: metric}: BLEU of 13a tokens, the same of lower-cased text, chrF2.

    BLEU of lower-cased 13a tokens is the public equivalent of the scores in papers on Multi30k: of the 1000 German
    sentences of its test set, the Moses tokenizer splits four differently.
    """
    from sacrebleu.metrics import BLEU, CHRF

    return {
        "bleu": BLEU(tokenize="13a", force=True),  # force: no warning if sentences end in a space and a full stop
        "bleu_lower_tokenized": BLEU(tokenize="13a", lowercase=True, force=True),
        "chrf": CHRF(),
    }


def translation_counts(references: Iterable[str], translations: Iterable[str]) -> np.ndarray:
    """The counts that the metrics of translations are computed from, a row per sentence.

    The counts of several sentences are the sum of their rows.

    Args:
        references, translations: sequences of strings.

    Returns:
        int64 (sentences, 39), by sacrebleu: for BLEU and for BLEU of lower-cased text the lengths of translation and
        reference, the matching n-grams and all n-grams (10 each); for chrF2 the n-grams of both sides and the common
        ones, of each order (18); last, whether the two sentences are equal.

    Example:
        >>> counts = translation_counts(["A dog runs."], ["A dog ran."])
        >>> counts[0, :10].tolist()  # tokens of the translation and the reference; matching and all n-grams, n = 1 to 4
        [4, 4, 3, 1, 0, 0, 4, 3, 2, 1]
        >>> round(bleu(counts), 2), exact_match(counts)
        (35.36, 0.0)
    """
    references, translations = list(references), list(translations)
    columns = [
        np.reshape(metric._extract_corpus_statistics(translations, [references]), (len(references), -1))
        for metric in sacrebleu_metrics().values()
    ]
    equal = [[target == output] for target, output in zip(references, translations, strict=True)]
    return np.concatenate([*columns, np.reshape(equal, (-1, 1))], 1).astype("int64")


def bleu(*statistics: np.ndarray) -> float:
    """BLEU of cased text, 0 to 100.

    Args:
        statistics: the last one is what `translation_counts` returns.
    """
    return _sacrebleu_score("bleu", statistics[-1])


def bleu_lower_tokenized(*statistics: np.ndarray) -> float:
    """BLEU of lower-cased text, 0 to 100; arguments as of `bleu`."""
    return _sacrebleu_score("bleu_lower_tokenized", statistics[-1])


def chrf(*statistics: np.ndarray) -> float:
    """chrF2, the F-score of character n-grams that weights recall twice, 0 to 100; arguments as of `bleu`."""
    return _sacrebleu_score("chrf", statistics[-1])


def _sacrebleu_score(name: str, counts: np.ndarray) -> float:
    total = counts[:, COUNTS[name]].sum(0).tolist()
    return float(sacrebleu_metrics()[name]._compute_score_from_stats(total).score)


def exact_match(*statistics: np.ndarray) -> float:
    """Share of translations that are equal to their reference; arguments as of `bleu`."""
    return float(statistics[-1][:, -1].mean())


TRANSLATION: dict[str, Metric] = {
    "bleu": bleu,
    "bleu_lower_tokenized": bleu_lower_tokenized,
    "chrf": chrf,
    "exact_match": exact_match,
}
