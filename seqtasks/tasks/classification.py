"""The task of classification: one label for a whole sequence."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqtasks import metrics
from seqtasks.data.numbers import number_of
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.targets import in_words, is_several, split_labels
from seqtasks.errors import UserError
from seqtasks.tasks.label_metrics import LABELS
from seqtasks.tasks.task import UNKNOWN_LABEL, Task

if TYPE_CHECKING:
    import tensorflow as tf

SHOWN_NUMBERS = 10  # distinct numbers up to which labels are taken for classes without a word


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

    metrics: Mapping[str, Callable[..., float]] = metrics.CLASSIFICATION
    lower_is_better: tuple[str, ...] = ("log_loss",)
    min_labels = 2

    def __init__(self, class_weights: Literal["none", "balanced"] = "none") -> None:
        self.balanced = class_weights == "balanced"

    def checked(self, source: Source) -> Source:
        def one(example: Example) -> Example | Faulty:
            if not is_several(example.target):
                return example
            what, remedy = f"several labels: {in_words(example.target):.60}", "give each record one, or --target labels"
            return Faulty(UserError(what, where=source.where(example), remedy=remedy))

        return source.map(one)

    def check_inherited(self, assets: Mapping[str, Any], train: Source, labels: Mapping[str, int]) -> None:
        warn_of_numbers(train, labels)

    def head(self, assets: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `seqtasks.models.classifier` for this target."""
        return {"outputs": len(assets["labels"])}

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor":
        return assets["labels"].lookup(targets)

    def probabilities(self, outputs: "tf.Tensor") -> "tf.Tensor":
        """The probabilities (batch, ..., classes) of a model's outputs."""
        import tensorflow as tf

        return tf.nn.softmax(outputs)

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        scores = mean_of_members(self.probabilities(outputs), outputs)
        best = tf.argmax(scores, -1, output_type=tf.int32)
        decoded = {"label": assets["labels"].name(best), "score": tf.reduce_max(scores, -1), "scores": scores}
        return decoded | truncation(features)

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        scores = {label: float(score) for label, score in zip(assets["labels"].tokens, row["scores"], strict=True)}
        return {"label": row["label"].decode(), "score": float(row["score"]), "scores": scores, **cut(row)}

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
        numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
        model.fit([e.input for e in sample], [numbers[e.target] for e in sample])

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
        return balanced_weights(assets["labels"].tokens, counts) if self.balanced else None


class UndecidedTarget(Classification):
    """One label or several, as the data has it: what `--target auto` is until the data is read.

    Args:
        class_weights: as of `Classification`.

    Example:
        >>> source = Source(lambda: iter([Example("a fine film", "\\x1fgood\\x1fnew", 1)]), "memory")
        >>> UndecidedTarget().options(source, {"good": 1, "new": 1})
        {'target': 'labels'}
    """

    metrics = {**Classification.metrics, **LABELS}
    lower_is_better = (*Classification.lower_is_better, "hamming_loss")

    def checked(self, source: Source) -> Source:
        return source

    def labels(self, target: str) -> tuple[str, ...]:
        return split_labels(target)

    def options(self, train: Source, labels: Mapping[str, int]) -> dict[str, Any]:
        if any(is_several(example.target) for example in train):
            return {"target": "labels"}
        warn_of_numbers(train, labels)
        return {"target": "class"}


def warn_of_numbers(train: Source, labels: Mapping[str, int]) -> None:
    """Warn of many labels that are numbers.

    Args:
        train: the training examples.
        labels: {label: number of training examples}.
    """
    if len(labels) > SHOWN_NUMBERS and all(number_of(label) is not None for label in labels):
        remedy = "--target number or --target ordinal answers numbers"
        warnings.warn(f"{train.name}: {len(labels)} different numbers are taken for classes; {remedy}", stacklevel=3)


def balanced_weights(labels: Sequence[str], counts: Mapping[str, int]) -> np.ndarray:
    """Weights, float32 (labels,), under which all labels count the same: inverse to their number, with mean 1 over all.

    Args:
        labels: the names.
        counts: {label: number of training examples}.

    Example:
        >>> balanced_weights(["a", "b"], {"a": 1, "b": 4}).tolist()
        [2.5, 0.625]
    """
    examples = np.array([counts.get(label, 0) for label in labels], "float32")
    return examples.sum() / (len(labels) * np.maximum(examples, 1))


def mean_of_members(values: "tf.Tensor", outputs: "tf.Tensor") -> "tf.Tensor":
    """The mean over the members of an ensemble, (batch, n); one network has none.

    Args:
        values: (batch, n), or (batch, members, n).
        outputs: of the model, which have as many axes.
    """
    import tensorflow as tf

    return tf.reduce_mean(values, 1) if len(outputs.shape) == 3 else values


def truncation(features: Mapping[str, Any]) -> dict[str, "tf.Tensor"]:
    """The feature that tells whether an input was cut, if there is one."""
    return {"truncated": features["truncated"]} if "truncated" in features else {}


def cut(row: Mapping[str, Any]) -> dict[str, bool]:
    """What an answer says if its input was cut."""
    return {"truncated": True} if row.get("truncated") else {}
