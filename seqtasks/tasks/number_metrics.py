"""Metrics of answers that are numbers, or classes of an order.

Those of numbers are called as ``metric(targets, answers)`` of float arrays (examples,). Those of ordered classes, in
`ORDINAL`, get rows of several numbers; see `seqtasks.tasks.Ordinal.statistics`.
"""

import numpy as np

from seqtasks.metrics import Metric


def mae(targets: np.ndarray, answers: np.ndarray) -> float:
    """Mean absolute error.

    Args:
        targets: float (examples,).
        answers: float (examples,).

    Example:
        >>> mae(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
        1.5
    """
    return float(np.mean(np.abs(targets - answers)))


def rmse(targets: np.ndarray, answers: np.ndarray) -> float:
    """Root of the mean squared error; arguments as of `mae`."""
    return float(np.sqrt(np.mean((targets - answers) ** 2)))


def r2(targets: np.ndarray, answers: np.ndarray) -> float:
    """Coefficient of determination: 1 minus the squared error relative to that of the mean of the targets.

    NaN if all targets are equal. Arguments as of `mae`.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]))
        0.5
    """
    spread = np.sum((targets - targets.mean()) ** 2)
    return float(1 - np.sum((targets - answers) ** 2) / spread) if spread > 0 else float("nan")


def pearson(targets: np.ndarray, answers: np.ndarray) -> float:
    """Correlation of targets and answers; NaN if all of either are equal. Arguments as of `mae`."""
    targets, answers = targets - targets.mean(), answers - answers.mean()
    spread = np.sqrt(targets @ targets) * np.sqrt(answers @ answers)
    return float(targets @ answers / spread) if spread > 1e-12 else float("nan")


def spearman(targets: np.ndarray, answers: np.ndarray) -> float:
    """Correlation of the ranks; NaN if all of either are equal. Arguments as of `mae`.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0])), 9)
        1.0
    """
    from scipy.stats import rankdata

    return pearson(rankdata(targets), rankdata(answers))


def quadratic_kappa(targets: np.ndarray, answers: np.ndarray) -> float:
    """Cohen's kappa with quadratic weights: 1 minus the squared distance of ranks relative to that of chance.

    Chance draws targets and answers independently, each with its own distribution. NaN if all targets and answers are
    equal.

    Args:
        targets: the ranks of the true classes (examples,).
        answers: those of the answers (examples,).

    Example:
        >>> quadratic_kappa(np.array([0, 1, 2]), np.array([0, 1, 1]))
        0.6666666666666667

    References:
        Cohen, 1968, https://doi.org/10.1037/h0026256
    """
    chance = targets.var() + answers.var() + (targets.mean() - answers.mean()) ** 2
    return float(1 - np.mean((targets - answers) ** 2) / chance) if chance > 0 else float("nan")


NUMBER: dict[str, Metric] = {"mae": mae, "rmse": rmse, "r2": r2, "spearman": spearman, "pearson": pearson}
ORDINAL: dict[str, Metric] = {  # targets: rank, value; answers: rank, value, mean of the distribution
    "mae": lambda targets, answers: mae(targets[:, 1], answers[:, 1]),
    "rmse": lambda targets, answers: rmse(targets[:, 1], answers[:, 2]),
    "quadratic_kappa": lambda targets, answers: quadratic_kappa(targets[:, 0], answers[:, 0]),
    "spearman": lambda targets, answers: spearman(targets[:, 1], answers[:, 2]),
    "accuracy": lambda targets, answers: float(np.mean(targets[:, 1] == answers[:, 1])),
}
