"""When a training stops for lack of progress, and which of its validation figures is the best."""

from collections.abc import Sequence
from statistics import fmean

FALL = 0.01  # share of the training loss by which it falls while there is progress
STRETCH = 2  # times `patience` that training waits at most while the training loss falls


def replaces(value: float | None, best: float | None, larger: bool) -> bool:
    """Whether a validation figure replaces the best so far.

    A better one does. So does an equal one that is the worst there is, because a metric may stay there for several
    epochs while the loss falls: 0 of a score, 1 or more of an error rate, or undefined. Patience begins after that.

    Args:
        value: the figure of this epoch; None if it is undefined.
        best: the best so far.
        larger: whether a larger value is better.

    Example:
        >>> replaces(0.7, 0.6, larger=True), replaces(0.6, 0.6, larger=True), replaces(0.0, 0.0, larger=True)
        (True, False, True)
        >>> replaces(0.7, 0.6, larger=False), replaces(0.0, 0.0, larger=False), replaces(1.0, 1.0, larger=False)
        (False, False, True)
    """
    if value is None or best is None:
        return best is None
    worst = best <= 0 if larger else best >= 1
    return (value > best if larger else value < best) or (worst and value == best)


def is_worst(best: float | None, larger: bool) -> bool:
    """Whether the best validation figure so far is the worst there is: 0 of a score, an error rate of 1, or undefined.

    Args:
        best: the best so far.
        larger: whether a larger value is better.

    Example:
        >>> is_worst(0.0, larger=True), is_worst(1.0, larger=False), is_worst(49.9, larger=False)
        (True, True, False)
    """
    return best is None or (best <= 0 if larger else best == 1)


def is_perfect(value: float | None, larger: bool) -> bool:
    """Whether a figure is the best there is: a score of 1, or an error of 0.

    A validation split of few examples is answered without an error long before the model is trained. So the last of the
    epochs without an error is kept; patience counts from the first.

    Args:
        value: a validation figure.
        larger: whether a larger value is better.

    Example:
        >>> is_perfect(1.0, larger=True), is_perfect(0.0, larger=False), is_perfect(0.0, larger=True)
        (True, True, False)
    """
    return value is not None and (value == 1 if larger else value == 0)


def gives_up(losses: Sequence[float], waited: int, patience: int) -> bool:
    """Whether training stops for lack of progress: neither the validation metric nor the training loss gets better.

    The loss still falls if its mean over the last `patience` evaluations is more than 1 % below its mean over the
    `patience` evaluations before. Then training goes on, until it has waited twice as long as `patience`.

    Args:
        losses: the training loss at each evaluation, more than `waited`.
        waited: evaluations since the best one.
        patience: how many training waits; 0 for no limit.

    Example:
        >>> gives_up([60.0, 59.0, 58.0, 57.0, 56.0], waited=2, patience=2)
        False
        >>> gives_up([60.0, 59.0, 58.9, 58.8, 58.8], waited=2, patience=2)
        True
    """
    if not waited >= patience > 0:
        return False
    recent, before = fmean(losses[-patience:]), fmean(losses[-2 * patience : -patience])
    return waited >= STRETCH * patience or not before - recent > FALL * abs(before)
