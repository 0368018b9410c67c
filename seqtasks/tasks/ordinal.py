"""The task of ordinal regression: one class of an order, such as one to five stars, for a whole sequence."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqtasks import metrics
from seqtasks.data.numbers import Numbers, number_of
from seqtasks.data.sources import Source
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.errors import UserError
from seqtasks.tasks.classification import Classification, mean_of_members
from seqtasks.tasks.number_metrics import ORDINAL

if TYPE_CHECKING:
    import tensorflow as tf


class Ordinal(Classification):
    """One of ordered classes; the model outputs the log-odds that the class is above each but the last.

    The outputs are (batch, classes - 1), or (batch, members, classes - 1). The probabilities of the classes are the
    differences of neighbouring probabilities of being above, of an ensemble their mean over its members.

    The label is the median of the distribution, the class with the smallest expected distance. The answer is `{"label",
    "score", "scores", "expected"}`, the score that of the label, with `"truncated": true` if the feature `truncated` is
    true. The value of a class is its number if all labels are numbers, else its rank from 0; `expected` is the mean of
    the values.

    Args:
        class_weights: as of `Classification`.
        order: the labels from the lowest to the highest; empty for labels that are numbers.

    Example:
        >>> task = Ordinal()
        >>> assets = task.learn(["1", "5", "1", "2"])
        >>> assets["labels"].tokens, [round(value, 2) for value in assets["thresholds"]]
        (['1', '2', '5'], [0.18, -0.98])
        >>> task.statistics(assets, task.targets(assets, ["5"]), np.array([[0.2, 0.4, 0.4]]))
        (array([[2., 5.]]), array([[1., 2., 3.]]))

    References:
        McCullagh, 1980, Regression models for ordinal data, https://doi.org/10.1111/j.2517-6161.1980.tb01109.x
    """

    metrics = ORDINAL
    metric = "mae"
    lower_is_better = ("mae", "rmse")
    error_name = "error"

    def __init__(self, class_weights: Literal["none", "balanced"] = "none", order: Sequence[str] = ()) -> None:
        super().__init__(class_weights)
        self.order = [label.strip() for label in order]
        if len(set(self.order)) < len(self.order):
            raise UserError("a label twice", where="--label_order", remedy="give each label once")

    def learn(self, targets: Iterable[str]) -> dict[str, Any]:
        """The labels in their order, and the log-odds in train of being above each but the last."""
        counts = Counter(targets)
        labels = Vocabulary(self.order) if self.order else Vocabulary.labels(counts)
        if not self.order and any(number_of(label) is None for label in labels.tokens):
            name = next(label for label in labels.tokens if number_of(label) is None)
            remedy = "name the labels from the lowest to the highest with --label_order"
            raise UserError(f"the order of the labels is unknown: {name!r} is not a number", remedy=remedy)
        if unknown := next((label for label in counts if label not in labels.tokens), None):
            raise UserError(f"the label {unknown!r} has no place in it", where="--label_order", remedy="add it")
        for first, second in itertools.pairwise(labels.tokens):
            if number_of(first) is not None and number_of(first) == number_of(second):
                what = f"the labels {first!r} and {second!r} are one number"
                raise UserError(what, remedy="write it in one way")
        shares = np.cumsum([counts[label] + 0.5 for label in labels.tokens])
        below = shares[:-1] / shares[-1]
        return {"labels": labels, "thresholds": Numbers(np.log1p(-below) - np.log(below))}

    def values(self, assets: Mapping[str, Any]) -> np.ndarray:
        """The value of each class: the numbers that the labels are, if these rise, else the ranks."""
        numbers = np.array([number_of(label) for label in assets["labels"].tokens], float)
        return numbers if np.all(np.diff(numbers) > 0) else np.arange(len(numbers), dtype=float)

    def check_inherited(self, assets: Mapping[str, Any], train: Source, labels: Mapping[str, int]) -> None:
        """Nothing: numbers have an order."""

    def check(self, assets: Mapping[str, Any], source: Source) -> None:
        """Raises `UserError` at a label that has no place in the order."""
        values = self._values_of_labels(assets)
        for example in source:
            if values(example.target) is None:
                what, remedy = f"the label {example.target!r} has no place in the order of the labels", "correct it"
                raise UserError(what, where=source.where(example), remedy=remedy)

    def _values_of_labels(self, assets: Mapping[str, Any]) -> Callable[[str], float | None]:
        """The value of a label; None if it has none. Numbers have a value even if they are no class."""
        labels, values = assets["labels"].tokens, self.values(assets)
        known = dict(zip(labels, values.tolist(), strict=True))
        numeric = all(number_of(label) == value for label, value in known.items())
        return lambda label: known.get(label, number_of(label) if numeric else None)

    def head(self, assets: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `seqtasks.models.classifier` for this target."""
        return {"outputs": len(assets["labels"]) - 1, "thresholds": list(assets["thresholds"])}

    def probabilities(self, outputs: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        above = tf.sigmoid(outputs)
        one = tf.ones_like(above[..., :1])
        return tf.concat([one, above], -1) - tf.concat([above, 0 * one], -1)

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        scores = mean_of_members(self.probabilities(outputs), outputs)
        place = tf.reduce_sum(tf.cast(tf.cumsum(scores, -1)[:, :-1] < 0.5, tf.int32), -1)
        decoded = super().decode(assets, outputs, features)
        return decoded | {
            "label": assets["labels"].name(place),
            "score": tf.gather(scores, place, batch_dims=1),
            "expected": tf.linalg.matvec(scores, tf.constant(self.values(assets), scores.dtype)),
        }

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        answer = super().answer(assets, row)
        cut = {name: answer.pop(name) for name in ("truncated",) if name in answer}
        return answer | {"expected": float(row["expected"])} | cut

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        """Float (examples,): the value of each label. A number need not be one of the labels."""
        values = self._values_of_labels(assets)
        if unknown := [string for string in strings if values(string) is None]:
            what, remedy = f"the label {unknown[0]!r} has no place in the order of the labels", "correct it"
            raise UserError(what, where="evaluate", remedy=remedy)
        return np.array([values(string) for string in strings], float)

    def statistics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rank and value of the true classes; and of the answers rank, value, and mean of the distribution.

        The rank of a number that is none of the labels is between those of its neighbours.
        """
        values, places = self.values(assets), medians(outputs)
        ranks = np.interp(targets, values, np.arange(len(values)))
        return np.stack([ranks, targets], 1), np.stack([places, values[places], outputs @ values], 1)

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        statistics, labels = self.statistics(assets, targets, outputs), assets["labels"].tokens
        figures = {name: metric(*statistics) for name, metric in self.metrics.items()}
        known = np.isin(targets, self.values(assets))
        true, answered = (array[known, 0].astype(int) for array in statistics)
        classes = metrics.per_class(true, answered, labels) | {"labels": labels}
        return {name: None if np.isnan(value) else value for name, value in figures.items()} | classes

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        error = np.abs(targets - self.values(assets)[medians(outputs)])
        return [(float(error[i]), int(i)) for i in np.flatnonzero(error)]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        labels, values = assets["labels"].tokens, self.values(assets)
        if np.ndim(output):
            return labels[medians(output[None])[0]]
        return labels[int(np.argmax(values == output))] if output in values else f"{output:g}"


def medians(scores: np.ndarray) -> np.ndarray:
    """The places of the medians of distributions.

    Args:
        scores: float (examples, classes).

    Example:
        >>> medians(np.array([[0.4, 0.3, 0.3], [0.6, 0.2, 0.2]])).tolist()
        [1, 0]
    """
    return (np.cumsum(scores, -1)[:, :-1] < 0.5).sum(-1)
