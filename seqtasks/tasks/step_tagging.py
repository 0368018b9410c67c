"""The task of step tagging: one label for every step of a sequence."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks import metrics
from seqtasks.data.sources import Example
from seqtasks.tasks.task import UNKNOWN_LABEL, Task, rows

if TYPE_CHECKING:
    import tensorflow as tf


class StepTagging(Task):
    """A label for every step; the model scores pairs of adjacent labels (`seqtasks.layers.CRF`) or single labels.

    The answer is `{"segments": [{"label", "start", "end", "score"}]}`: runs of one label, the end exclusive, with the
    mean probability of the label over the run.

    Args:
        feature: name of the feature that is 0 where there is no step.

    Example:
        >>> StepTagging("bases").labels("exon exon intron")
        ('exon', 'exon', 'intron')
    """

    metrics = {"accuracy": metrics.step_accuracy, "macro_f1": metrics.step_macro_f1, "mcc": metrics.step_mcc}
    min_labels = 2
    error_name = "share of steps"

    def __init__(self, feature: str) -> None:
        self.feature = feature

    def labels(self, target: str) -> tuple[str, ...]:
        return tuple(target.split())

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        return assets["labels"].lookup(tf.strings.split(targets))

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        from seqtasks.ops import crf

        live = features[self.feature] > 0
        if len(outputs.shape) == 3:
            probabilities = tf.nn.softmax(outputs)
            best = tf.argmax(outputs, -1, output_type=tf.int32)
        else:
            probabilities, best = crf.marginals(outputs), crf.viterbi(outputs)[0]
        return {
            "label": tf.where(live, assets["labels"].name(best), ""),  # (batch, time)
            "score": tf.where(live, tf.gather(probabilities, best, batch_dims=2), 0.0),
        }

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        segments: list[dict[str, Any]] = []
        start = 0
        for label, run in itertools.groupby(label for label in row["label"] if label):
            end = start + len(list(run))
            score = float(row["score"][start:end].mean())
            segments.append({"label": label.decode(), "start": start, "end": end, "score": score})
            start = end
        return {"segments": segments}

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
        return rows([np.array([numbers.get(label, len(numbers)) for label in string.split()]) for string in strings])

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        return self.targets(assets, [" ".join(label.decode() for label in row if label) for row in decoded["label"]])

    def statistics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The indices of the examples, and their confusion matrices (examples, true labels, predicted labels)."""
        size = len(assets["labels"])
        size += any((target >= size).any() for target in targets)
        counts = [
            np.bincount(target * size + output, minlength=size * size).reshape(size, size)
            for target, output in zip(targets, outputs, strict=True)
        ]
        return np.arange(len(counts)), np.stack(counts)

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        labels = assets["labels"].tokens
        flat = np.concatenate(list(targets)), np.concatenate(list(outputs))
        _, counts = self.statistics(assets, targets, outputs)
        figures = {name: metric(counts) for name, metric in self.metrics.items()}
        return {**figures, **metrics.per_class(*flat, labels), "labels": labels}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        wrong = [(float((t != o).mean()), i) for i, (t, o) in enumerate(zip(targets, outputs, strict=True))]
        return [(share, i) for share, i in wrong if share]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        runs = [(label, len(list(run))) for label, run in itertools.groupby(output)]
        names = [*assets["labels"].tokens, UNKNOWN_LABEL]
        return " ".join(f"{names[label]}×{length}" for label, length in runs)

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], [e.target.split() for e in sample])

        def outputs(examples: Sequence[Example]) -> np.ndarray:
            return self.targets(assets, [" ".join(row) for row in model.predict([e.input for e in examples])])

        return outputs
