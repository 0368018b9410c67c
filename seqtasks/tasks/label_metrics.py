"""Metrics of several labels per example.

Each is called as ``metric(targets, outputs)``, see `seqtasks.metrics`:

- `targets`: int (examples, labels + 1), 1 for a label that the example has; the last column counts its labels that are
  none of the labels of the model. Each of these is a miss.
- `outputs`: float (examples, 2 * labels), the scores of the labels, and then 1 for each label that is answered, else 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.metrics import Metric


def _counts(targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, answered and true labels, each (labels,); the true ones with a last entry for unknown labels."""
    answered = outputs[:, outputs.shape[1] // 2 :]
    return (answered * targets[:, :-1]).sum(0), answered.sum(0), targets.sum(0)


def micro_f1(targets: np.ndarray, outputs: np.ndarray) -> float:
    """F1 of all decisions about all labels together; 0 if no label is true or answered.

    Args:
        targets: see above.
        outputs: see above.

    Example:
        >>> micro_f1(np.array([[1, 0, 0], [1, 1, 0]]), np.array([[0.9, 0.8, 1, 1], [0.9, 0.3, 1, 0]]))
        0.6666666666666666
    """
    hits, answered, true = _counts(targets, outputs)
    total = answered.sum() + true.sum()
    return float(2 * hits.sum() / total) if total else 0.0


def macro_f1(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Mean F1 of the labels that are true or answered somewhere; arguments as of `micro_f1`."""
    hits, answered, true = _counts(targets, outputs)
    total = answered + true[:-1]
    return float(np.mean(2 * hits[total > 0] / total[total > 0])) if total.any() else 0.0


def mean_average_precision(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Mean area under the precision-recall curve (average precision) of the labels that are true somewhere.

    It depends on the order of the scores alone, not on the threshold. NaN if no label is true. Arguments as of
    `micro_f1`.
    """
    values = average_precisions(targets, outputs)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def average_precisions(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The average precision of each label, float (labels,); NaN for a label that is never true.

    Arguments as of `micro_f1`.
    """
    size = outputs.shape[1] // 2
    order = np.argsort(-outputs[:, :size], axis=0, kind="stable")
    scores, true = (np.take_along_axis(a, order, 0) for a in (outputs[:, :size], targets[:, :size]))
    rows = np.arange(len(scores))[:, None]
    is_last = np.append(scores[1:] != scores[:-1], np.ones((1, size), bool), 0)  # of equal scores, which have one rank
    ends = np.minimum.accumulate(np.where(is_last, rows, len(scores))[::-1], 0)[::-1]
    precision = np.take_along_axis(true.cumsum(0) / (rows + 1), ends, 0)
    counts = true.sum(0)
    return np.where(counts > 0, (precision * true).sum(0) / np.maximum(counts, 1), np.nan)


def hamming_loss(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Share of wrong decisions about all labels of the model; arguments as of `micro_f1`.

    Example:
        >>> hamming_loss(np.array([[1, 0, 0], [1, 1, 0]]), np.array([[0.9, 0.8, 1, 1], [0.9, 0.3, 1, 0]]))
        0.5
    """
    return float(np.mean(outputs[:, outputs.shape[1] // 2 :] != targets[:, :-1]))


def subset_accuracy(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Share of examples with exactly the true labels; arguments as of `micro_f1`."""
    same = outputs[:, outputs.shape[1] // 2 :] == targets[:, :-1]
    return float(np.mean(same.all(1) & (targets[:, -1] == 0)))


LABELS: dict[str, Metric] = {
    "micro_f1": micro_f1,
    "macro_f1": macro_f1,
    "mean_average_precision": mean_average_precision,
    "hamming_loss": hamming_loss,
    "subset_accuracy": subset_accuracy,
}


def per_label(targets: np.ndarray, outputs: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1, average precision and support of each label.

    Args:
        targets, outputs: as of `micro_f1`.
        labels: their names.

    Returns:
        {label: {"precision", "recall", "f1", "average_precision", "support"}}; the average precision of a label that is
        never true is None.

    Example:
        >>> per_label(np.array([[1, 0], [0, 0]]), np.array([[0.9, 1], [0.8, 1]]), ["new"])["new"]["precision"]
        0.5
    """
    hits, answered, true = _counts(targets, outputs)
    curves = average_precisions(targets, outputs)
    return {
        label: {
            "precision": float(hits[i] / answered[i]) if answered[i] else 0.0,
            "recall": float(hits[i] / true[i]) if true[i] else 0.0,
            "f1": float(2 * hits[i] / (answered[i] + true[i])) if answered[i] + true[i] else 0.0,
            "average_precision": None if np.isnan(curves[i]) else float(curves[i]),
            "support": int(true[i]),
        }
        for i, label in enumerate(labels)
    }


def best_threshold(targets: np.ndarray, scores: np.ndarray) -> float:
    """The threshold of all labels with the best micro F1; of equally good ones that next to 0.5.

    One threshold for all labels is chosen, since those of single labels follow the chance of few examples.

    Args:
        targets: as of `micro_f1`.
        scores: float (examples, labels).

    Returns:
        A multiple of 0.01 from 0.01 to 0.99.

    Example:
        >>> best_threshold(np.array([[1, 0], [0, 0]]), np.array([[0.3], [0.2]]))
        0.3

    References:
        Fan and Lin, 2007, section 3, https://www.csie.ntu.edu.tw/~cjlin/papers/threshold.pdf
    """
    candidates = sorted((n / 100 for n in range(1, 100)), key=lambda value: abs(value - 0.5))
    values = [micro_f1(targets, np.concatenate([scores, scores >= t], 1)) for t in candidates]
    return candidates[int(np.argmax(values))]
