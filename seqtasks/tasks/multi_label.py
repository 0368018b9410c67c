"""The task of multi-label classification: any number of labels for a whole sequence."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqtasks.data.numbers import Numbers
from seqtasks.data.sources import Example, Source
from seqtasks.data.targets import MARK, is_several, join_labels, split_labels
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.tasks.classification import balanced_weights, cut, mean_of_members, truncation
from seqtasks.tasks.label_metrics import LABELS, best_threshold, per_label
from seqtasks.tasks.task import UNKNOWN_LABEL, Task

if TYPE_CHECKING:
    import tensorflow as tf


class MultiLabel(Task):
    """Any of the labels in train, or none; the model outputs logits (batch, labels), or (batch, members, labels).

    The probability of each label is the sigmoid of its logit, of an ensemble the mean over its members. The labels are
    those whose probability reaches the threshold, one for all, which has the best micro F1 on validation;
    `assets["threshold"]` holds it.

    The answer is `{"labels", "scores"}`, the labels in the order of their scores, with `"truncated": true` if the
    feature `truncated` is true.

    Args:
        class_weights: "balanced" weights the loss of an example by the mean of the inverse frequencies of its labels
            (1 without labels); "none" does not.
        separator: what separates the labels of a target that is a plain text; None takes it for one label.

    Example:
        >>> row = {"scores": np.array([0.9, 0.2]), "chosen": np.array([True, False])}
        >>> from seqtasks.data.vocabulary import Vocabulary
        >>> MultiLabel().answer({"labels": Vocabulary(["new", "old"])}, row)
        {'labels': ['new'], 'scores': {'new': 0.9, 'old': 0.2}}
    """

    metrics = LABELS
    metric = "micro_f1"
    lower_is_better = ("hamming_loss",)
    min_labels = 1

    def __init__(self, class_weights: Literal["none", "balanced"] = "none", separator: str | None = None) -> None:
        self.balanced, self.separator = class_weights == "balanced", separator

    def labels(self, target: str) -> tuple[str, ...]:
        return split_labels(target)

    def options(self, train: Source, labels: Mapping[str, int]) -> dict[str, Any]:
        return {"target": "labels"}

    def checked(self, source: Source) -> Source:
        return source.map(lambda example: example._replace(target=self._several(example.target)))

    def _several(self, target: str) -> str:
        return join_labels(target.split(self.separator)) if self.separator and not is_several(target) else target

    def learn(self, targets: Iterable[str]) -> dict[str, Any]:
        """The labels, the threshold before it is tuned, and the log-odds of each label in train."""
        counts: Counter[str] = Counter()
        total = 0
        for total, target in enumerate(targets, 1):  # noqa: B007
            counts.update(self.labels(target))
        labels = Vocabulary.labels(counts)
        log_odds = [math.log((counts[label] + 0.5) / (total - counts[label] + 0.5)) for label in labels.tokens]
        return {"labels": labels, "threshold": Numbers([0.5]), "log_odds": Numbers(log_odds)}

    def head(self, assets: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `seqtasks.models.classifier` for this target."""
        return {"outputs": len(assets["labels"]), "bias": list(assets["log_odds"])}

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor":
        """Float (batch, labels), 1 for each label of a target."""
        import tensorflow as tf

        places = assets["labels"].lookup(tf.strings.split(targets, MARK))
        return tf.reduce_max(tf.one_hot(places.to_tensor(-1), len(assets["labels"])), 1)

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        scores = mean_of_members(tf.sigmoid(outputs), outputs)
        (threshold,) = assets["threshold"]
        return {"scores": scores, "chosen": scores >= threshold} | truncation(features)

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        labels, scores = assets["labels"].tokens, row["scores"]
        chosen = [labels[i] for i in np.argsort(-scores, kind="stable") if row["chosen"][i]]
        return {"labels": chosen, "scores": dict(zip(labels, scores.tolist(), strict=True)), **cut(row)}

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        """Int (examples, labels + 1), as `seqtasks.tasks.label_metrics` describes it."""
        places = {label: i for i, label in enumerate(assets["labels"].tokens)}
        found = np.zeros((len(strings), len(places) + 1), int)
        for row, string in zip(found, strings, strict=True):
            for label in split_labels(string):
                row[places.get(label, -1)] += 1
        return found

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([decoded["scores"], decoded["chosen"]], 1)

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        values = {name: metric(targets, outputs) for name, metric in self.metrics.items()}
        figures: dict[str, Any] = {name: None if np.isnan(value) else value for name, value in values.items()}
        return figures | {"per_class": per_label(targets, outputs, assets["labels"].tokens)}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        """The examples with a wrong label, by the largest error of the score of such a label."""
        scores, chosen = np.split(outputs, 2, 1)
        wrong = chosen != targets[:, :-1]
        error = np.max(np.where(wrong, np.abs(targets[:, :-1] - scores), 0), 1, initial=0)
        error = np.where(targets[:, -1] > 0, 1, error)
        return [(float(error[i]), int(i)) for i in np.flatnonzero(wrong.any(1) | (targets[:, -1] > 0))]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        labels = assets["labels"].tokens
        true = np.issubdtype(output.dtype, np.integer)
        names = [label for label, one in zip(labels, output if true else output[len(labels) :], strict=False) if one]
        names += [UNKNOWN_LABEL] if true and output[-1] else []
        return ", ".join(names) or "no label"

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        """Fits `model.fit(inputs, int (examples, labels))`, whose `predict_proba(inputs)` gives (examples, labels).

        Its threshold is chosen as that of the network is: on a fifth of the sample that is held out first.
        """
        inputs, targets = [e.input for e in sample], self.targets(assets, [e.target for e in sample])
        held = np.arange(len(sample)) % 5 == 4
        threshold = 0.5
        if held.any():
            model.fit([inputs[i] for i in np.flatnonzero(~held)], targets[~held, :-1])
            scores = np.asarray(model.predict_proba([inputs[i] for i in np.flatnonzero(held)]))
            threshold = best_threshold(targets[held], scores)
        model.fit(inputs, targets[:, :-1])

        def outputs(examples: Sequence[Example]) -> np.ndarray:
            scores = np.asarray(model.predict_proba([e.input for e in examples]))
            return np.concatenate([scores, scores >= threshold], 1)

        return outputs

    def calibrate(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        return {"threshold": Numbers([best_threshold(targets, np.split(outputs, 2, 1)[0])])}

    def weights_of_classes(self, assets: Mapping[str, Any], counts: Mapping[str, int]) -> np.ndarray | None:
        return balanced_weights(assets["labels"].tokens, counts) if self.balanced else None

    def weights_of_rows(self, weights: np.ndarray, targets: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        count = tf.reduce_sum(targets, 1)
        return tf.where(count > 0, tf.linalg.matvec(targets, weights) / tf.maximum(count, 1), 1)
