"""Strict metrics of spans (seqeval)."""


def span_precision(gold, found):
    """Share of the found spans that are right: same type, same start, same end.

    Args:
        gold: (examples, types), how many spans there are.
        found: (examples, types, 2), how many were found, and how many of these are right.

    Example:
        >>> import numpy as np
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
