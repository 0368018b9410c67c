"""One label for a whole sequence."""

import numpy as np

from seqtasks import metrics
from seqtasks.tasks.task import Task


class Classification(Task):
    """One of the labels that train knows; the model gives logits (batch, classes), or (batch, members, classes).

    The probabilities of an ensemble are the mean of those of its members.

    The answer is `{"label", "score", "scores"}`, with `"truncated": true` where the encoder says so.

    Example:
        >>> task = Classification()
        >>> targets, scores = np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])
        >>> task.metrics["accuracy"](targets, scores), task.worst_examples(None, targets, scores)
        (0.5, [(0.8, 1)])
    """

    metrics = metrics.CLASSIFICATION
    lower_is_better = ("log_loss",)
    min_labels = 2

    def __init__(self, class_weights="none"):
        self.class_weights = class_weights

    def encode_target(self, assets, targets):
        return assets["labels"].lookup(targets)

    def decode(self, assets, outputs, features):
        import tensorflow as tf

        scores = tf.nn.softmax(outputs)
        scores = tf.reduce_mean(scores, 1) if len(outputs.shape) == 3 else scores
        best = tf.argmax(scores, -1, output_type=tf.int32)
        decoded = {"label": assets["labels"].name(best), "score": tf.reduce_max(scores, -1), "scores": scores}
        return decoded | ({"truncated": features["truncated"]} if "truncated" in features else {})

    def answer(self, assets, row):
        scores = {label: float(score) for label, score in zip(assets["labels"].tokens, row["scores"], strict=True)}
        cut = {"truncated": True} if row.get("truncated") else {}
        return {"label": row["label"].decode(), "score": float(row["score"]), "scores": scores, **cut}

    def targets(self, assets, strings):
        numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
        return np.array([numbers[string] for string in strings])

    def outputs(self, assets, decoded):
        return decoded["scores"]

    def compute_metrics(self, assets, targets, outputs):
        labels = assets["labels"].tokens
        return metrics.classification(targets, outputs, labels) | {"labels": labels}

    def worst_examples(self, assets, targets, outputs):
        wrong = np.flatnonzero(outputs.argmax(-1) != targets)
        return [(float(outputs[i].max()), int(i)) for i in wrong]

    def format_output(self, assets, row):
        return assets["labels"].tokens[int(np.argmax(row) if np.ndim(row) else row)]

    def baseline(self, assets, model, sample):
        model.fit([e.input for e in sample], self.targets(assets, [e.target for e in sample]))

        def outputs(examples):
            scores = np.zeros((len(examples), len(assets["labels"])))
            scores[:, model.classes_] = model.predict_proba([e.input for e in examples])
            return scores

        return outputs

    def weights_of_classes(self, assets, counts):
        if self.class_weights == "none":
            return None
        labels = assets["labels"].tokens
        found = np.array([counts.get(label, 0) for label in labels], "float32")
        return found.sum() / (len(labels) * np.maximum(found, 1))
