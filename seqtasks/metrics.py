"""Metrics of classes, steps and likelihoods, and their bootstrap intervals.

A `Metric` is a function of the arrays that `Task.statistics` returns, called as ``metric(*statistics)``. Each array has
one row per example, so that any draw of the examples can be measured from the drawn rows. There are two kinds:

- ``metric(targets, scores)`` compares the scores of classes with the true classes;
- ``metric(*statistics)`` needs only the last array, which holds counts or sums that already compare outputs with
  targets. It can be called with this array alone.

The metrics of one application live with it: `seqtasks.ner.metrics`, `seqtasks.translation.metrics`,
`seqtasks.speech.metrics`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

Metric = Callable[..., float]  # of arrays (examples, ...), see above


def _known(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose target is one of the classes."""
    known = targets < scores.shape[-1]
    return targets[known], scores[known]


def _widened(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The scores with a column of zeros for targets that are none of the classes: each of them is a miss."""
    unknown = len(targets) > 0 and targets.max() >= scores.shape[-1]
    return np.pad(scores, [(0, 0), (0, 1)]) if unknown else scores


def accuracy(targets: np.ndarray, scores: np.ndarray) -> float:
    """Share of rows whose highest score is at the target.

    Args:
        targets: int (examples,), the true classes; the number of classes stands for a label that is none of them,
            which counts as a miss.
        scores: float (examples, classes).

    Example:
        >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        0.5
    """
    return float(np.mean(scores.argmax(-1) == targets))


def macro_f1(targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean F1 of the classes that occur among the targets or the predictions; arguments as of `accuracy`.

    Example:
        >>> round(macro_f1(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])), 4)
        0.6667
    """
    scores = _widened(targets, scores)
    predicted, size = scores.argmax(-1), scores.shape[-1]
    correct = np.bincount(targets[predicted == targets], minlength=size)
    total = np.bincount(targets, minlength=size) + np.bincount(predicted, minlength=size)
    return float(np.mean(2 * correct[total > 0] / total[total > 0]))


def roc_auc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: of the second of two classes, or the mean over each class against the rest.

    Arguments as of `accuracy`. NaN if a class is missing, because no curve exists then.
    """
    targets, scores = _known(targets, scores)
    if len(np.unique(targets)) < scores.shape[-1]:
        return float("nan")
    if scores.shape[-1] == 2:
        return float(sk.roc_auc_score(targets, scores[:, 1]))
    return float(sk.roc_auc_score(targets, scores / scores.sum(-1, keepdims=True), multi_class="ovr"))


def log_loss(targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean of -ln(score of the target), in nats; arguments as of `accuracy`.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """
    scores = _widened(targets, scores)
    own = scores[np.arange(len(targets)), targets].astype("float64")
    return float(-np.mean(np.log(np.maximum(own, 1e-15))))


def pr_auc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve (average precision): of the second of two classes, or the classes' mean.

    Arguments as of `accuracy`. NaN if a class is missing.
    """
    targets, scores = _known(targets, scores)
    if len(np.unique(targets)) < scores.shape[-1]:
        return float("nan")
    columns = [1] if scores.shape[-1] == 2 else range(scores.shape[-1])
    return float(np.mean([sk.average_precision_score(targets == c, scores[:, c]) for c in columns]))


def mcc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Matthews correlation coefficient; 0 if there is only one class among the targets or the predictions.

    Arguments as of `accuracy`.

    Example:
        >>> mcc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]))
        0.5
    """
    scores = _widened(targets, scores)
    size = scores.shape[-1]
    counts = np.bincount(targets * size + scores.argmax(-1), minlength=size * size).reshape(size, size)
    return _correlation(counts)


def _correlation(confusion: np.ndarray) -> float:
    """R_K of a confusion matrix (Gorodkin, 2004, equation 8, https://doi.org/10.1016/j.compbiolchem.2004.09.006)."""
    confusion = np.asarray(confusion, "float64")
    true, predicted, total = confusion.sum(1), confusion.sum(0), confusion.sum()
    bounds = (total**2 - true @ true) * (total**2 - predicted @ predicted)
    return float((np.trace(confusion) * total - true @ predicted) / np.sqrt(bounds)) if bounds > 0 else 0.0


CLASSIFICATION: dict[str, Metric] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
}


def step_accuracy(*statistics: np.ndarray) -> float:
    """Share of steps with the correct label.

    Args:
        statistics: the last one is int (examples, labels, labels), the confusion matrix of the steps of each example,
            with a row per true label.

    Example:
        >>> step_accuracy(np.array([[[2, 1], [0, 1]]]))
        0.75
    """
    confusion = statistics[-1].sum(0)
    return float(np.trace(confusion) / confusion.sum())


def step_macro_f1(*statistics: np.ndarray) -> float:
    """Mean F1 over all steps of the labels that occur; arguments as of `step_accuracy`."""
    confusion = statistics[-1].sum(0)
    total = confusion.sum(0) + confusion.sum(1)
    return float(np.mean(2 * np.diag(confusion)[total > 0] / total[total > 0]))


def step_mcc(*statistics: np.ndarray) -> float:
    """Matthews correlation coefficient over all steps; arguments as of `step_accuracy`."""
    return _correlation(statistics[-1].sum(0))


def classification(targets: np.ndarray, scores: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """All metrics of a classifier.

    Args:
        targets: int (examples,), the true classes.
        scores: float (examples, classes), rows that sum to 1.
        labels: names of the classes.

    Returns:
        A dict with accuracy, macro_f1, mcc, roc_auc and pr_auc (None if a class is missing), log_loss, and what
        `per_class` returns.

    Example:
        >>> figures = classification(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["no", "yes"])
        >>> figures["accuracy"], figures["confusion"]
        (0.5, [[1, 0], [1, 0]])
    """
    values = {name: metric(targets, scores) for name, metric in CLASSIFICATION.items()}
    figures = {name: None if np.isnan(value) else value for name, value in values.items()}
    return figures | per_class(targets, scores.argmax(-1), labels)


def per_class(targets: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Precision, recall, F1 and support of each class, and the confusion matrix.

    Args:
        targets: int (n,), the true classes.
        predicted: int (n,), the predicted classes.
        labels: names of the classes.

    Returns:
        A dict with `per_class`, {label: {"precision", "recall", "f1", "support"}}, and `confusion`, a list of lists
        with a row per true class.

    Example:
        >>> per_class(np.array([0, 1]), np.array([0, 0]), ["no", "yes"])["per_class"]["no"]
        {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'support': 1}
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


def nll(*statistics: np.ndarray) -> float:
    """Negative log-likelihood per token, or per frame, in nats.

    Args:
        statistics: the last one is float (examples, 3 or more): log-likelihood in nats, number of tokens, number of
            characters.

    Example:
        >>> sums = np.array([[-2.0, 1, 4], [-6.0, 3, 4]])
        >>> nll(sums), round(perplexity(sums), 4), round(bits_per_character(sums), 4)
        (2.0, 7.3891, 1.4427)
    """
    sums = statistics[-1]
    return float(-sums[:, 0].sum() / max(sums[:, 1].sum(), 1))


def perplexity(*statistics: np.ndarray) -> float:
    """``exp(nll)``, the number of equally probable tokens with the same uncertainty; arguments as of `nll`."""
    return float(np.exp(min(nll(*statistics), 700)))


def bits_per_character(*statistics: np.ndarray) -> float:
    """Negative log-likelihood per character of the text, in bits, whatever the tokens are; arguments as of `nll`."""
    sums = statistics[-1]
    return float(-sums[:, 0].sum() / np.log(2) / max(sums[:, 2].sum(), 1))


def nll_per_sequence(*statistics: np.ndarray) -> float:
    """Mean over the sequences of the mean negative log-likelihood of their frames, in nats; arguments as of `nll`.

    Example:
        >>> nll_per_sequence(np.array([[-2.0, 1, 4], [-6.0, 2, 4]]))
        2.5
    """
    sums = statistics[-1]
    return float((-sums[:, 0] / np.maximum(sums[:, 1], 1)).mean())


LANGUAGE: dict[str, Metric] = {"perplexity": perplexity, "bits_per_character": bits_per_character, "nll": nll}


def paired_bootstrap(
    metric: Metric, first: Sequence[np.ndarray], second: Sequence[np.ndarray], samples: int = 1000, seed: int = 0
) -> tuple[list[float], float]:
    """The 95% interval of the difference of two systems in a metric, and how probable it would be by chance.

    Both are measured on the same drawn examples. Unlike in `bootstrap`, each has targets of its own, so their labels
    may be numbered differently.

    Args:
        metric: a `Metric`.
        first, second: its arguments for each system, arrays (examples, ...).
        samples: how many times the examples are drawn with replacement.
        seed: of the draws.

    Returns:
        [low, high] of first minus second, and the two-sided p-value: twice the share of draws, with one more, whose
        difference is zero or of the other sign. NaN if the metric is not defined.

    Example:
        >>> targets, right = np.tile([0, 1], 50), np.tile([[0.9, 0.1], [0.1, 0.9]], (50, 1))
        >>> wrong = np.where(np.arange(100)[:, None] < 20, 1 - right, right)
        >>> bounds, chance = paired_bootstrap(accuracy, (targets, right), (targets, wrong))
        >>> [round(bound, 1) for bound in bounds], round(chance, 3)
        ([0.1, 0.3], 0.002)
        >>> paired_bootstrap(accuracy, (targets, right), (targets, right))
        ([0.0, 0.0], 1.0)

    References:
        Koehn, 2004, https://aclanthology.org/W04-3250
    """
    generator, values = np.random.default_rng(seed), []
    for _ in range(samples):
        rows = generator.integers(len(first[-1]), size=len(first[-1]))
        values.append(metric(*(array[rows] for array in first)) - metric(*(array[rows] for array in second)))
    found = np.array([value for value in values if not np.isnan(value)])
    if not len(found):
        return [float("nan")] * 2, float("nan")
    tail = min((found <= 0).sum(), (found >= 0).sum())
    low, high = np.quantile(found, [0.025, 0.975])
    return [float(low), float(high)], float(min(1.0, 2 * (tail + 1) / (len(found) + 1)))


def bootstrap(
    metric: Metric,
    *statistics: np.ndarray,
    baseline: np.ndarray | None = None,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[float]:
    """The percentile bootstrap interval of a metric, or of its paired difference to a baseline.

    Both systems are measured on the same drawn examples, so that the difficulty of a draw cancels out.

    Args:
        metric: a `Metric`.
        statistics: its arguments, arrays (examples, ...); the last one belongs to the system, those before it to the
            targets.
        baseline: None, or the last array of the other system.
        samples: how many times the examples are drawn with replacement.
        level: probability mass inside the interval.
        seed: of the draws.

    Returns:
        [low, high].

    Example:
        >>> targets, scores = np.tile([0, 1], 50), np.tile([[0.9, 0.1], [0.8, 0.2]], (50, 1))
        >>> [round(bound, 1) for bound in bootstrap(accuracy, targets, scores)]
        [0.4, 0.6]
        >>> bootstrap(accuracy, targets, scores, baseline=scores)
        [0.0, 0.0]

    References:
        Efron and Tibshirani, 1993, chapter 13; paired for two systems: Koehn, 2004, https://aclanthology.org/W04-3250
    """
    generator = np.random.default_rng(seed)
    *shared, system = statistics
    values = []
    for _ in range(samples):
        rows = generator.integers(len(system), size=len(system))
        targets = [array[rows] for array in shared]
        value = metric(*targets, system[rows])
        values.append(value if baseline is None else value - metric(*targets, baseline[rows]))
    tail = (1 - level) / 2
    return [float(bound) for bound in np.nanquantile(values, [tail, 1 - tail])]
