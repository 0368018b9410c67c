"""The task of regression: a number for a whole sequence."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data.numbers import Numbers, number_of
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.targets import in_words
from seqtasks.errors import UserError
from seqtasks.tasks.classification import cut, mean_of_members, truncation
from seqtasks.tasks.number_metrics import NUMBER
from seqtasks.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf

FAR = 4  # deviations from the mean of a run, or factor of its deviation, from which on numbers are warned of
POINTS = 500  # pairs of target and answer that figures hold, for a chart


class Regression(Task):
    """A number; the model outputs it standardised, (batch, 1), or (batch, members, 1).

    `assets["scale"]` holds mean and standard deviation of the targets of train. The number of an ensemble is the mean
    of those of its members.

    The answer is `{"value"}`, with `"truncated": true` if the feature `truncated` is true.

    Example:
        >>> task = Regression()
        >>> assets = task.learn(["1", "3", "3", "1"])
        >>> list(assets["scale"]), task.encode_target(assets, ["1", "3", "4"]).numpy().tolist()
        ([2.0, 1.0], [-1.0, 1.0, 2.0])
    """

    metrics = NUMBER
    metric = "mae"
    lower_is_better = ("mae", "rmse")
    min_labels = 0
    error_name = "error"

    def labels(self, target: str) -> tuple[str, ...]:
        return ()

    def checked(self, source: Source) -> Source:
        def one(example: Example) -> Example | Faulty:
            if number_of(example.target) is not None:
                return example
            what, remedy = (
                f"{in_words(example.target)!r:.60} is not a number",
                "give each record one, or --target class",
            )
            return Faulty(UserError(what, where=source.where(example), remedy=remedy))

        return source.map(one)

    def learn(self, targets: Iterable[str]) -> dict[str, Any]:
        """Mean and standard deviation; the deviation of equal numbers is 1."""
        values = np.fromiter(map(float, targets), float)
        return {"scale": Numbers([values.mean(), values.std() or 1.0])}

    def check_inherited(self, assets: Mapping[str, Any], train: Source, labels: Mapping[str, int]) -> None:
        """Warns of numbers on quite another scale than those of the run."""
        (mean, deviation), (own, spread) = assets["scale"], self.learn(e.target for e in train)["scale"]
        if abs(own - mean) > FAR * deviation or not 1 / FAR < spread / deviation < FAR:
            what = f"the numbers are {own:.4g} ± {spread:.3g} and those of the run {mean:.4g} ± {deviation:.3g}"
            warnings.warn(f"{train.name}: {what}; --relearn scale gives the model a new scale and head", stacklevel=3)

    def head(self, assets: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `seqtasks.models.classifier` for this target."""
        return {"outputs": 1}

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        mean, deviation = assets["scale"]
        return tf.cast((tf.strings.to_number(targets, tf.float64) - mean) / deviation, tf.float32)

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        mean, deviation = assets["scale"]
        return {"value": mean_of_members(outputs, outputs)[:, 0] * deviation + mean} | truncation(features)

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        return {"value": float(row["value"]), **cut(row)}

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        return np.array([float(string) for string in strings])

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(decoded["value"], "float64")

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        """The metrics, and under `points` pairs of target and answer."""
        values = {name: metric(targets, outputs) for name, metric in self.metrics.items()}
        figures: dict[str, Any] = {name: None if np.isnan(value) else value for name, value in values.items()}
        return figures | {"points": np.stack([targets, outputs], 1)[:POINTS].tolist()}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        return [(float(error), i) for i, error in enumerate(np.abs(targets - outputs)) if error > 0]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        return f"{output:.4g}"

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], self.targets(assets, [e.target for e in sample]))
        return lambda examples: np.asarray(model.predict([e.input for e in examples]), "float64")
