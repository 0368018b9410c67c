"""The task of entities: typed spans of the tokens of a text."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data.sources import Example
from seqtasks.ner import metrics
from seqtasks.ner import tag_schemes as schemes
from seqtasks.tasks.task import Task
from seqtasks.tasks.task import rows as as_rows
from seqtasks.text.word_tokenizer import SEPARATOR

if TYPE_CHECKING:
    import tensorflow as tf


def labels_of(target: str) -> tuple[str, ...]:
    """The types of the entities of a target.

    Example:
        >>> labels_of("B-PER E-PER O S-LOC")
        ('PER', 'LOC')
    """
    return tuple(tag[2:] for tag in target.split() if tag[0] in "BS")


class SpanTagging(Task):
    """Typed spans, as tags in IOBES; the model scores pairs of adjacent tags (`seqtasks.layers.CRF`) or single tags.

    Scores of single tags, (batch, time, tags), are decoded under the constraints of the scheme, so that both heads give
    well-formed entities. The score of an entity is the exact probability under the model of its sequence of tags: its
    begin, its end, and its type.

    The task needs the features `words` (0 where there is no token), `starts` and `ends` (code points) and `surface`
    (the text they refer to). The answer is `{"entities": [{"type", "text", "start", "end", "score"}]}`.

    Example:
        >>> SpanTagging().labels("B-PER E-PER O S-LOC")
        ('PER', 'LOC')
    """

    metrics = {"f1": metrics.span_f1, "precision": metrics.span_precision, "recall": metrics.span_recall}
    error_name = "wrong tags"

    def labels(self, target: str) -> tuple[str, ...]:
        return labels_of(target)

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.RaggedTensor":
        import tensorflow as tf

        return assets["tags"].lookup(tf.strings.split(targets))

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        from seqtasks.layers import CRF
        from seqtasks.ops import crf

        live = features["words"] > 0
        if len(outputs.shape) == 3:
            allowed = schemes.constraints(assets["tags"].tokens)
            outputs = CRF(allowed, learn=False)(tf.nn.log_softmax(outputs), mask=live)
        tags, _ = crf.viterbi(outputs)  # (batch, time)
        kind, types = (tags - 1) % 4, (tags - 1) // 4  # the order of `tagset`: O, then B I E S of each type
        inside = live & (tags > 0)
        where = tf.where(inside & ((kind == 0) | (kind == 3)))  # row by row, from left to right
        rows, first = where[:, 0], where[:, 1]
        last = tf.where(inside & ((kind == 2) | (kind == 3)))[:, 1]
        start = tf.gather_nd(features["starts"], where)
        end = tf.gather_nd(features["ends"], tf.stack([rows, last], 1))
        entities = {
            "type": assets["labels"].name(tf.gather_nd(types, where)),
            "text": tf.strings.substr(tf.gather(features["surface"], rows), start, end - start, unit="UTF8_CHAR"),
            "start": start,
            "end": end,
            "score": tf.exp(crf.span_log_probability(outputs, tags, rows, first, last)),
            "first": tf.cast(first, tf.int32),
            "last": tf.cast(last, tf.int32),
        }
        size = tf.shape(tags, tf.int64)[0]
        entities = {
            name: tf.RaggedTensor.from_value_rowids(values, rows, size).to_tensor(
                "" if values.dtype == tf.string else -1
            )
            for name, values in entities.items()
        }
        return entities | {"tokens": tf.reduce_sum(tf.cast(live, tf.int32), 1)}

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        return {
            "entities": [
                {
                    "type": row["type"][i].decode(),
                    "text": row["text"][i].decode("utf-8", "replace"),
                    "start": int(row["start"][i]),
                    "end": int(row["end"][i]),
                    "score": float(row["score"][i]),
                }
                for i in np.flatnonzero(row["start"] >= 0)
            ]
        }

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        return as_rows([string.split() for string in strings])

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        outputs = []
        for types, first, last, length in zip(*(decoded[n] for n in ("type", "first", "last", "tokens")), strict=True):
            spans = zip(types[first >= 0], first[first >= 0], last[first >= 0], strict=True)
            outputs.append(schemes.iobes([(name.decode(), int(i), int(j) + 1) for name, i, j in spans], length))
        return as_rows(outputs)

    def statistics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of true entities, (examples, types), and of predicted and correct ones, (examples, types, 2)."""
        types = {name: i for i, name in enumerate(assets["labels"].tokens)}
        size = len(types) + 1  # the last is for types that train lacks
        gold, predicted = np.zeros((len(targets), size)), np.zeros((len(targets), size, 2))
        for row, (target, output) in enumerate(zip(targets, outputs, strict=True)):
            true_spans, output_spans = (set(schemes.spans(tags, "IOBES")) for tags in (target, output))
            for span in true_spans:
                gold[row, types.get(span[0], len(types))] += 1
            for span in output_spans:
                predicted[row, types[span[0]]] += (1, span in true_spans)
        return gold, predicted

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        from seqeval.metrics import classification_report
        from seqeval.scheme import IOBES

        listed = [targets.tolist(), outputs.tolist()]
        options = {"mode": "strict", "scheme": IOBES, "output_dict": True, "zero_division": 0}
        if not any(tag != "O" for tags in (*listed[0], *listed[1]) for tag in tags):
            zero = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}
            report = {"micro avg": zero}  # seqeval raises an error without any entity
        else:
            report = classification_report(*listed, **options)
        figures = {name: _named(values) for name, values in report.items()}
        whole = figures.pop("micro avg")
        averages = {"macro avg", "weighted avg"}
        labels = [*assets["labels"].tokens, *(name for name in figures if name not in averages)]
        per_type = {label: figures[label] for label in dict.fromkeys(labels) if label in figures}
        return {"f1": whole["f1"], "precision": whole["precision"], "recall": whole["recall"], "per_class": per_type}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        wrong = [i for i, (target, output) in enumerate(zip(targets, outputs, strict=True)) if target != output]
        apart = [sum(a != b for a, b in zip(targets[i], outputs[i], strict=True)) for i in wrong]
        return list(zip(map(float, apart), wrong, strict=True))

    def format_output(self, assets: Mapping[str, Any], output: list[str]) -> str:
        return ", ".join(f"{name} {start + 1}-{end}" for name, start, end in schemes.spans(output, "IOBES")) or "none"

    def format_input(self, raw: str) -> str:
        return raw.removeprefix(SEPARATOR).replace(SEPARATOR, " ")

    def annotated(
        self, assets: Mapping[str, Any], features: dict[str, Any], target: str
    ) -> tuple[str, list[tuple[int, int, str]]]:
        """(text, [(start, end, type)]) of one encoded input and its target, in code points of the text."""
        text = features["surface"].numpy()[0].decode()
        starts, ends = (features[name].numpy()[0] for name in ("starts", "ends"))
        spans = schemes.spans(target.split(), "IOBES")
        return text, [(int(starts[i]), int(ends[j - 1]), name) for name, i, j in spans]

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], [e.target.split() for e in sample])

        def outputs(examples: Sequence[Example]) -> np.ndarray:
            tags = model.predict([e.input for e in examples])
            return as_rows([schemes.repair(list(row), "IOBES") for row in tags])

        return outputs


def _named(values: dict[str, Any]) -> dict[str, int | float]:
    names = {"precision": "precision", "recall": "recall", "f1-score": "f1", "support": "support"}
    return {name: int(values[k]) if k == "support" else float(values[k]) for k, name in names.items()}
