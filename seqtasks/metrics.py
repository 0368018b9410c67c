"""Metrics of classes, steps, spans, translations, transcripts and likelihoods, and how sure they are."""

import numpy as np
from sklearn import metrics as sk


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


LANGUAGE = {"perplexity": perplexity, "bits_per_character": bits_per_character, "nll": nll}


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
