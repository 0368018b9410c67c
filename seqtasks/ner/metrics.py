"""Strict metrics of spans (seqeval). Each is a `seqtasks.metrics.Metric` of what `ner.task` counts."""

import numpy as np


def span_precision(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the predicted spans that are correct: same type, same start, same end.

    Args:
        gold: (examples, types), the number of true spans.
        predicted: (examples, types, 2), the number of predicted spans and how many of these are correct.

    Returns:
        0 if nothing is predicted.

    Example:
        >>> span_precision(np.array([[2.0]]), np.array([[[4.0, 1.0]]]))
        0.25
    """
    total, correct = predicted.sum((0, 1))
    return float(correct / total) if total else 0.0


def span_recall(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the true spans that are predicted, 0 if there are none; arguments as of `span_precision`.

    Example:
        >>> span_recall(np.array([[2.0]]), np.array([[[4.0, 1.0]]]))
        0.5
    """
    return float(predicted[..., 1].sum() / gold.sum()) if gold.sum() else 0.0


def span_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Harmonic mean of precision and recall of spans, over all types (micro); arguments as of `span_precision`.

    Example:
        >>> round(span_f1(np.array([[2.0]]), np.array([[[4.0, 1.0]]])), 4)
        0.3333
    """
    total = gold.sum() + predicted[..., 0].sum()
    return float(2 * predicted[..., 1].sum() / total) if total else 0.0
