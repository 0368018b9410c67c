"""BLEU, chrF (sacrebleu) and exact match, from counts per sentence."""

import functools

import numpy as np

COUNTS = {"bleu": slice(0, 10), "bleu_lower_tokenized": slice(10, 20), "chrf": slice(20, 38)}  # columns of each metric


@functools.cache
def sacrebleu_metrics():
    """The metrics of sacrebleu, {name: metric}: BLEU of 13a tokens, the same of lower-cased text, chrF2.

    Lower-cased 13a tokens are the public form of what papers on Multi30k score: of the 1000 German sentences of its
    test set, the tokeniser of Moses splits four otherwise.
    """
    from sacrebleu.metrics import BLEU, CHRF

    return {
        "bleu": BLEU(tokenize="13a", force=True),  # force: no warning where sentences end in a space and a full stop
        "bleu_lower_tokenized": BLEU(tokenize="13a", lowercase=True, force=True),
        "chrf": CHRF(),
    }


def translation_counts(references, translations):
    """What the metrics of translations follow from, a row for each sentence, a draw of sentences being a sum of rows.

    Args:
        references, translations: sequences of strings.

    Returns:
        int array (sentences, 39): of sacrebleu, for BLEU and for BLEU of lower-cased text the lengths of both sides,
        the right n-grams and all n-grams (10 each), and for chrF2 the n-grams of both sides and the common ones of
        each order (18); last, whether the two sentences are equal.

    Example:
        >>> counts = translation_counts(["A dog runs."], ["A dog ran."])
        >>> counts[0, :10].tolist()  # tokens of the translation and the reference; right and all n-grams, n = 1 to 4
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


def bleu(_, counts):
    """BLEU of cased text, 0 to 100; `counts` as of `translation_counts`, the first argument has no part in it."""
    return _sacrebleu_score("bleu", counts)


def bleu_lower_tokenized(_, counts):
    """BLEU of lower-cased text, 0 to 100."""
    return _sacrebleu_score("bleu_lower_tokenized", counts)


def chrf(_, counts):
    """chrF2, the F-score of character n-grams that weighs recall twice, 0 to 100."""
    return _sacrebleu_score("chrf", counts)


def _sacrebleu_score(name, counts):
    total = counts[:, COUNTS[name]].sum(0).tolist()
    return float(sacrebleu_metrics()[name]._compute_score_from_stats(total).score)


def exact_match(_, counts):
    """Share of translations that are equal to their reference."""
    return float(counts[:, -1].mean())


TRANSLATION = {
    "bleu": bleu,
    "bleu_lower_tokenized": bleu_lower_tokenized,
    "chrf": chrf,
    "exact_match": exact_match,
}
