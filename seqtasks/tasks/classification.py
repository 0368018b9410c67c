"""The task of classification: one label for a whole sequence."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqtasks import metrics
from seqtasks.data.sources import Example
from seqtasks.tasks.task import UNKNOWN_LABEL, Task

if TYPE_CHECKING:
    import tensorflow as tf


class Classification(Task):
    """One of the labels in train; the model outputs logits (batch, classes), or (batch, members, classes).

    The probabilities of an ensemble are the mean of those of its members.

    The answer is `{"label", "score", "scores"}`, with `"truncated": true` if the feature `truncated` is true.

    Args:
        class_weights: "balanced" weights the loss of each class by the inverse of its frequency in train, so that rare
            classes count as much as frequent ones; "none" does not.

    Example:
        >>> task = Classification()
        >>> targets, scores = np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])
        >>> task.metrics["accuracy"](targets, scores), task.worst_examples(None, targets, scores)
        (0.5, [(0.8, 1)])
    """

    metrics = metrics.CLASSIFICATION
    lower_is_better = ("log_loss",)
    min_labels = 2

    def __init__(self, class_weights: Literal["none", "balanced"] = "none") -> None:
        self.balanced = class_weights == "balanced"

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor":
        return assets["labels"].lookup(targets)

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        scores = tf.nn.softmax(outputs)
        scores = tf.reduce_mean(scores, 1) if len(outputs.shape) == 3 else scores
        best = tf.argmax(scores, -1, output_type=tf.int32)
        decoded = {"label": assets["labels"].name(best), "score": tf.reduce_max(scores, -1), "scores": scores}
        return decoded | ({"truncated": features["truncated"]} if "truncated" in features else {})

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        scores = {label: float(score) for label, score in zip(assets["labels"].tokens, row["scores"], strict=True)}
        cut = {"truncated": True} if row.get("truncated") else {}
        return {"label": row["label"].decode(), "score": float(row["score"]), "scores": scores, **cut}

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
        return np.array([numbers.get(string, len(numbers)) for string in strings])

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        return decoded["scores"]

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        labels = assets["labels"].tokens
        return metrics.classification(targets, outputs, labels) | {"labels": labels}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        wrong = np.flatnonzero(outputs.argmax(-1) != targets)
        return [(float(outputs[i].max()), int(i)) for i in wrong]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        names = [*assets["labels"].tokens, UNKNOWN_LABEL]
        return names[int(np.argmax(output) if np.ndim(output) else output)]

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], self.targets(assets, [e.target for e in sample]))

        def outputs(examples: Sequence[Example]) -> np.ndarray:
            scores = np.zeros((len(examples), len(assets["labels"])))
            scores[:, model.classes_] = model.predict_proba([e.input for e in examples])
            return scores

        return outputs

    def weights_of_classes(self, assets: Mapping[str, Any], counts: Mapping[str, int]) -> np.ndarray | None:
        """Balanced weights: number of examples / (number of classes * number of examples of the class).

        Example:
            >>> from seqtasks.data.vocabulary import Vocabulary
            >>> assets, counts = {"labels": Vocabulary.labels("ab")}, {"a": 1, "b": 4}
            >>> Classification("balanced").weights_of_classes(assets, counts).tolist()
            [2.5, 0.625]
        """
        if not self.balanced:
            return None
        labels = assets["labels"].tokens
        examples = np.array([counts.get(label, 0) for label in labels], "float32")
        return examples.sum() / (len(labels) * np.maximum(examples, 1))
