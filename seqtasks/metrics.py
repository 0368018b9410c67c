"""Metrics of classes, steps, spans, translations, transcripts and likelihoods, and how sure they are."""

import functools

import numpy as np
from sklearn import metrics as sk

from seqtasks.errors import needs


def accuracy(targets, scores):
    """Share of rows whose highest score is at the target.

    Example:
        >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        0.5
    """
    return float(np.mean(scores.argmax(-1) == targets))


def macro_f1(targets, scores):
    """Mean over the classes of the harmonic mean of precision and recall; over those that occur."""
    predicted, size = scores.argmax(-1), scores.shape[-1]
    right = np.bincount(targets[predicted == targets], minlength=size)
    both = np.bincount(targets, minlength=size) + np.bincount(predicted, minlength=size)
    return float(np.mean(2 * right[both > 0] / both[both > 0]))


def roc_auc(targets, scores):
    """Area under the ROC curve: of the second of two classes, or the mean over each class against the rest.

    NaN where a class is missing, since no curve exists then.
    """
    if len(np.unique(targets)) < scores.shape[-1]:
        return float("nan")
    if scores.shape[-1] == 2:
        return float(sk.roc_auc_score(targets, scores[:, 1]))
    return float(sk.roc_auc_score(targets, scores / scores.sum(-1, keepdims=True), multi_class="ovr"))


def log_loss(targets, scores):
    """Mean of -ln(score of the target), in nats."""
    own = scores[np.arange(len(targets)), targets].astype("float64")
    return float(-np.mean(np.log(np.maximum(own, 1e-15))))


def pr_auc(targets, scores):
    """Area under the precision-recall curve (average precision): of the second of two classes, or the classes' mean.

    NaN where a class is missing.
    """
    if len(np.unique(targets)) < scores.shape[-1]:
        return float("nan")
    columns = [1] if scores.shape[-1] == 2 else range(scores.shape[-1])
    return float(np.mean([sk.average_precision_score(targets == c, scores[:, c]) for c in columns]))


def mcc(targets, scores):
    """Matthews correlation coefficient of the highest scores; 0 where one class alone is there or predicted.

    Example:
        >>> mcc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]))
        0.5
    """
    size = scores.shape[-1]
    counts = np.bincount(targets * size + scores.argmax(-1), minlength=size * size).reshape(size, size)
    return _correlation(counts)


def _correlation(confusion):
    """R_K of a confusion matrix (Gorodkin, 2004, equation 8, https://doi.org/10.1016/j.compbiolchem.2004.09.006)."""
    confusion = np.asarray(confusion, "float64")
    true, said, total = confusion.sum(1), confusion.sum(0), confusion.sum()
    bounds = (total**2 - true @ true) * (total**2 - said @ said)
    return float((np.trace(confusion) * total - true @ said) / np.sqrt(bounds)) if bounds > 0 else 0.0


CLASSIFICATION = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
}


def step_accuracy(_, confusion):
    """Share of steps with the right label; `confusion` (examples, labels, labels) has a matrix for each example."""
    total = confusion.sum(0)
    return float(np.trace(total) / total.sum())


def step_macro_f1(_, confusion):
    """Mean over the labels that occur of the harmonic mean of precision and recall over all steps."""
    total = confusion.sum(0)
    both = total.sum(0) + total.sum(1)
    return float(np.mean(2 * np.diag(total)[both > 0] / both[both > 0]))


def step_mcc(_, confusion):
    """Matthews correlation coefficient over all steps."""
    return _correlation(confusion.sum(0))


def span_precision(gold, found):
    """Share of the found spans that are right: same type, same start, same end.

    Args:
        gold: (examples, types), how many spans there are.
        found: (examples, types, 2), how many were found, and how many of these are right.

    Example:
        >>> span_precision(np.array([[2.0]]), np.array([[[4.0, 1.0]]]))
        0.25
    """
    said, right = found.sum((0, 1))
    return float(right / said) if said else 0.0


def span_recall(gold, found):
    """Share of the spans that were found; arguments as of `span_precision`."""
    return float(found[..., 1].sum() / gold.sum()) if gold.sum() else 0.0


def span_f1(gold, found):
    """Harmonic mean of precision and recall of spans, over all types (micro); arguments as of `span_precision`."""
    both = gold.sum() + found[..., 0].sum()
    return float(2 * found[..., 1].sum() / both) if both else 0.0


def classification(targets, scores, labels):
    """All figures of a classifier.

    Args:
        targets: int array (examples,), the true classes.
        scores: float array (examples, classes), rows that sum to 1.
        labels: names of the classes.

    Returns:
        A dict with accuracy, macro_f1, mcc, roc_auc and pr_auc (None where a class is missing), log_loss, and what
        `per_class` gives.
    """
    figures = {name: metric(targets, scores) for name, metric in CLASSIFICATION.items()}
    figures = {name: None if np.isnan(value) else value for name, value in figures.items()}
    return figures | per_class(targets, scores.argmax(-1), labels)


def per_class(targets, predicted, labels):
    """`per_class` (precision, recall, f1, support of each label) and `confusion` (rows are true classes).

    Args:
        targets: int array (n,), the true classes.
        predicted: int array (n,).
        labels: names of the classes.
    """
    numbers = range(len(labels))
    columns = sk.precision_recall_fscore_support(targets, predicted, labels=numbers, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return {
        "per_class": {
            label: {name: values[i].item() for name, values in zip(names, columns, strict=True)}
            for i, label in enumerate(labels)
        },
        "confusion": sk.confusion_matrix(targets, predicted, labels=numbers).tolist(),
    }


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


def nll(_, sums):
    """Negative log-likelihood of a token, or a frame, in nats.

    Args:
        _: has no part in it.
        sums: array (examples, 3 or more): log-likelihood in nats, count of tokens, count of characters.

    Example:
        >>> sums = np.array([[-2.0, 1, 4], [-6.0, 3, 4]])
        >>> nll(None, sums), round(perplexity(None, sums), 4), round(bits_per_character(None, sums), 4)
        (2.0, 7.3891, 1.4427)
    """
    return float(-sums[:, 0].sum() / max(sums[:, 1].sum(), 1))


def perplexity(_, sums):
    """``exp(nll)``: as uncertain as a fair choice among so many tokens; `sums` as of `nll`."""
    return float(np.exp(min(nll(None, sums), 700)))


def bits_per_character(_, sums):
    """Bits that a character of the text takes, whatever the tokens are; `sums` as of `nll`."""
    return float(-sums[:, 0].sum() / np.log(2) / max(sums[:, 2].sum(), 1))


def nll_per_sequence(_, sums):
    """Negative log-likelihood of a frame, as the mean over sequences of the mean of each; `sums` as of `nll`."""
    return float((-sums[:, 0] / np.maximum(sums[:, 1], 1)).mean())


MUSIC = {"nll": nll, "nll_per_sequence": nll_per_sequence}
LANGUAGE = {"perplexity": perplexity, "bits_per_character": bits_per_character, "nll": nll}


def transcription_counts(references, transcripts):
    """What the metrics of transcripts follow from, a row for each, by the alignments of jiwer.

    Args:
        references, transcripts: sequences of strings; words stand between spaces.

    Returns:
        int array (transcripts, 9): of words the hits, substitutions, deletions and insertions, the same of characters,
        and whether the two are equal.

    Example:
        >>> counts = transcription_counts(["one two two", "six"], ["one to", "six"])
        >>> counts.tolist()
        [[1, 1, 1, 0, 6, 0, 5, 0, 0], [1, 0, 0, 0, 3, 0, 0, 0, 1]]
        >>> wer(None, counts), round(cer(None, counts), 4), same_text(None, counts)
        (0.5, 0.3571, 0.5)
    """
    needs("jiwer", extra="speech")
    import jiwer

    names = ("hits", "substitutions", "deletions", "insertions")
    rows = []
    for pair in zip(references, transcripts, strict=True):
        found = jiwer.process_words(*pair), jiwer.process_characters(*pair)
        rows.append([*(getattr(aligned, name) for aligned in found for name in names), pair[0] == pair[1]])
    return np.array(rows, "int64").reshape(-1, 9)


def wer(_, counts):
    """Word error rate: substitutions, deletions and insertions for each word of the references.

    The counts, as of `transcription_counts`, are added up first; the first argument has no part in it.
    """
    return _error_rate(counts[:, :4])


def cer(_, counts):
    """Character error rate, the same of characters, spaces too."""
    return _error_rate(counts[:, 4:8])


def _error_rate(counts):
    hits, substitutions, deletions, insertions = counts.sum(0).tolist()
    return (substitutions + deletions + insertions) / max(hits + substitutions + deletions, 1)


def same_text(_, counts):
    """Share of transcripts that are equal to their reference."""
    return float(counts[:, 8].mean())


TRANSCRIPTION = {"wer": wer, "cer": cer, "accuracy": same_text}


def bootstrap(metric, targets, scores, baseline=None, samples=1000, level=0.95, seed=0):
    """The percentile bootstrap interval of a metric, or of its paired difference to a baseline.

    Both systems are measured on the same drawn examples, so that what makes a draw easy cancels out.

    Args:
        metric: `metric(targets, scores) -> float`.
        targets: array (examples,).
        scores: array (examples, classes).
        baseline: None, or the scores of the other system.
        samples: how many times the examples are drawn with replacement.
        level: probability mass inside the interval.
        seed: of the draws.

    Returns:
        [low, high].

    References:
        Efron and Tibshirani, 1993, chapter 13; paired for two systems: Koehn, 2004, https://aclanthology.org/W04-3250

    Example:
        >>> targets, scores = np.tile([0, 1], 50), np.tile([[0.9, 0.1], [0.8, 0.2]], (50, 1))
        >>> [round(bound, 1) for bound in bootstrap(accuracy, targets, scores)]
        [0.4, 0.6]
        >>> bootstrap(accuracy, targets, scores, baseline=scores)
        [0.0, 0.0]
    """
    draws = np.random.default_rng(seed)
    values = []
    for _ in range(samples):
        rows = draws.integers(len(targets), size=len(targets))
        value = metric(targets[rows], scores[rows])
        values.append(value - metric(targets[rows], baseline[rows]) if baseline is not None else value)
    tail = (1 - level) / 2
    return [float(bound) for bound in np.nanquantile(values, [tail, 1 - tail])]
