"""Metrics of classification, and how sure they are."""

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


CLASSIFICATION = {"accuracy": accuracy, "macro_f1": macro_f1, "roc_auc": roc_auc, "log_loss": log_loss}
LOWER_IS_BETTER = ("log_loss",)


def classification(targets, scores, labels):
    """All figures of a classifier.

    Args:
        targets: int array (examples,), the true classes.
        scores: float array (examples, classes), rows that sum to 1.
        labels: names of the classes.

    Returns:
        A dict with accuracy, macro_f1, roc_auc (None where a class is missing), log_loss, `per_class` (precision,
        recall, f1, support) and `confusion` (rows are true classes).
    """
    figures = {name: metric(targets, scores) for name, metric in CLASSIFICATION.items()}
    numbers = range(len(labels))
    per_class = sk.precision_recall_fscore_support(targets, scores.argmax(-1), labels=numbers, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return {
        **{name: None if np.isnan(value) else value for name, value in figures.items()},
        "per_class": {
            label: {name: values[i].item() for name, values in zip(names, per_class, strict=True)}
            for i, label in enumerate(labels)
        },
        "confusion": sk.confusion_matrix(targets, scores.argmax(-1), labels=numbers).tolist(),
    }


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
