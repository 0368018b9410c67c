"""Strict metrics of spans, as seqeval defines them."""

import numpy as np


def span_precision(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the predicted spans that are correct: same type, same start, same end.

    Args:
        gold: (examples, types), the number of true spans.
        predicted: (examples, types, 2), the number of predicted spans, and of the correct ones among them.

    Example:
        >>> span_precision(np.array([[2.0]]), np.array([[[4.0, 1.0]]]))
        0.25
    """
    count, correct = predicted.sum((0, 1))
    return float(correct / count) if count else 0.0


def span_recall(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the true spans that are predicted; arguments as in `span_precision`.

    Example:
        >>> span_recall(np.array([[2.0]]), np.array([[[4.0, 1.0]]]))
        0.5
    """
    return float(predicted[..., 1].sum() / gold.sum()) if gold.sum() else 0.0


def span_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Harmonic mean of precision and recall of spans, over all types (micro); arguments as in `span_precision`.

    Example:
        >>> round(span_f1(np.array([[2.0]]), np.array([[[4.0, 1.0]]])), 3)
        0.333
    """
    both = gold.sum() + predicted[..., 0].sum()
    return float(2 * predicted[..., 1].sum() / both) if both else 0.0
