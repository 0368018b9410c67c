"""The task of translation: a sentence for a sentence."""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data.sources import Example, Source
from seqtasks.data.token_ids import EOS, PAD, UNK
from seqtasks.tasks.task import Task, rows, shift_right
from seqtasks.translation import metrics

if TYPE_CHECKING:
    import tensorflow as tf

MANY_UNKNOWN = 0.1  # share of unknown tokens from which on fine-tuning warns
PRETRAINED = {"source": "pretrained", "target": "pretrained_target"}  # assets of language models of each side


def tokenizer(assets: Mapping[str, Any], side: str) -> Any:
    """The tokenizer of the side `source` or `target`: that of its language model, else what train taught.

    Example:
        >>> tokenizer({"source": "that of train"}, "source")
        'that of train'
    """
    pretrained = assets.get(PRETRAINED[side])
    return assets[side] if pretrained is None else pretrained.tokenizer


class Translation(Task):
    """A text for a text; the outputs of the model are a `seqtasks.decoding.Decoded`, the best hypothesis first.

    `tokenizer(assets, "target")` is that of the target side. The task needs the feature `source`, ids (batch, time)
    that end with 3 and are padded with 0; for a source without other ids the answer is the empty text.

    The answer is `{"translation", "score"}`. With several hypotheses, the others are `"alternatives"`, in the same
    form. Scores are those of the decoding: log-probabilities with its length penalty. The metrics are those of
    sacrebleu.

    Args:
        language: the target language, or None; it decides what BLEU counts as words, see `metrics.tokenizer_for`.
        tokenize: a tokenizer of sacrebleu that is used instead.

    Example:
        >>> Translation().answer({}, {"translation": "Zwei Männer.".encode(), "score": np.array(-0.5)})
        {'translation': 'Zwei Männer.', 'score': -0.5}
    """

    metrics = metrics.TRANSLATION
    min_labels = 0
    error_name = "100 - chrF"

    def __init__(self, language: str | None = None, tokenize: str | None = None) -> None:
        self.language, self.tokenize = language, tokenize

    def tokenizer(self, references: Sequence[str]) -> str:
        """The tokenizer of sacrebleu for these references."""
        return self.tokenize or metrics.tokenizer_for(self.language, references)

    def check_inherited(self, assets: Mapping[str, Any], train: Source, labels: Mapping[str, int]) -> None:
        """Warns of a side of which many tokens are unknown: subwords stay those of the run."""
        import tensorflow as tf

        examples = list(itertools.islice(train, metrics.LOOKED_AT))
        for name, texts in (("source", [e.input for e in examples]), ("target", [e.target for e in examples])):
            numbers = tokenizer(assets, name).encode(tf.constant(texts, tf.string)).flat_values.numpy()
            if (share := float((numbers == UNK).mean()) if len(numbers) else 0.0) >= MANY_UNKNOWN:
                what = f"{100 * share:.0f} % of the tokens of the {name} are not in the vocabulary of the run"
                remedy = f"--relearn {name} learns it anew" if name in assets else "it is that of a language model"
                warnings.warn(f"{train.name}: {what}: {remedy}", stacklevel=3)

    def check(self, assets: Mapping[str, Any], source: Source) -> None:
        """Raises `UserError` before training if the metrics need a package that is missing."""
        metrics.sacrebleu_metrics(self.tokenizer([e.target for e in itertools.islice(source, metrics.LOOKED_AT)]))

    def labels(self, target: str) -> tuple[str, ...]:
        return ()

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.RaggedTensor":
        from seqtasks.data.segments import append_end

        return append_end(tokenizer(assets, "target").encode(targets))

    def add_decoder_inputs(self, features: dict[str, Any], targets: "tf.Tensor") -> dict[str, Any]:
        """Adds `decoder_inputs`, by `seqtasks.tasks.task.shift_right`."""
        return features | {"decoder_inputs": shift_right(targets)}

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        batch, count, time = tf.unstack(tf.shape(outputs.tokens))
        texts = tokenizer(assets, "target").decode(tf.reshape(outputs.tokens, (batch * count, time)))
        has_text = tf.reduce_any((features["source"] != PAD) & (features["source"] != EOS), 1, keepdims=True)
        empty_scores = tf.one_hot(0, count, 0.0, -float("inf"))  # one hypothesis, the empty text, with probability 1
        decoded = {
            "translation": tf.where(has_text, tf.reshape(texts, (batch, count)), ""),
            "score": tf.where(has_text, outputs.scores, empty_scores),
        }
        single = outputs.tokens.shape[1] == 1
        return {name: value[:, 0] for name, value in decoded.items()} if single else decoded

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        texts, scores = np.atleast_1d(row["translation"]), np.atleast_1d(row["score"])
        best, *others = (
            {"translation": text.decode("utf-8", "replace"), "score": float(score)}
            for text, score in zip(texts.tolist(), scores, strict=True)
        )
        others = [other for other in others if np.isfinite(other["score"])]  # there may be fewer than requested
        return best | ({"alternatives": others} if len(texts) > 1 else {})

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        return rows(list(strings))

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        texts = decoded["translation"]
        return rows([text.decode("utf-8", "replace") for text in (texts[:, 0] if texts.ndim > 1 else texts)])

    def statistics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The indices of the rows, and the counts of sacrebleu, (examples, 39), of which the metrics are functions."""
        return np.arange(len(targets)), self._counts(targets, outputs)

    def _counts(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return metrics.translation_counts(targets, outputs, self.tokenizer(list(targets)))

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        counts, scorers = self._counts(targets, outputs), metrics.sacrebleu_metrics(self.tokenizer(list(targets)))
        return {
            **{name: metric(counts) for name, metric in self.metrics.items()},
            "bleu_signature": str(scorers["bleu"].get_signature()),
            "chrf_signature": str(scorers["chrf"].get_signature()),
            "length_ratio": float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),  # in tokens
        }

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        counts = self._counts(targets, outputs)
        lost = [100 - metrics.chrf(counts[i : i + 1]) for i in range(len(counts))]
        return [(error, i) for i, error in enumerate(lost) if error > 0 and not counts[i, -1]]

    def format_output(self, assets: Mapping[str, Any], output: str) -> str:
        return output

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], [e.target for e in sample])
        return lambda examples: rows(model.predict([e.input for e in examples]))
