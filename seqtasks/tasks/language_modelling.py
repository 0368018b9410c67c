"""The task of language modelling: a sequence that is predicted step by step."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks import metrics
from seqtasks.data.sources import Example
from seqtasks.data.token_ids import EOS, UNK
from seqtasks.tasks.task import Task, shift_right

if TYPE_CHECKING:
    import tensorflow as tf

MAX_CHARACTERS = 2_000_000  # that a baseline is trained on


class LanguageModelling(Task):
    """The likelihood of a text; the model outputs the log-likelihood of each token.

    `assets["tokens"]` is the tokenizer. The task needs the features `targets`, ids (batch, time) padded with -1, and
    `characters`, the number of code points of the text, and one for each end of a document.

    The answer is `{"log_probability", "perplexity", "bits_per_character", "tokens"}`; the last is a list of tokens with
    their log-probability given those before, in nats. Metrics are computed from sums over all tokens, not from means of
    means.

    A backward model reads a text from its end: `targets` are the tokens in reverse order. Its answers have them in the
    order of the text, each with the log-probability given those after it, and the end of a document first.

    Args:
        backward: whether the model reads a text from its end.

    Example:
        >>> row = {"log_probability": np.array(-4.0), "characters": np.array(2), "length": np.array(2)}
        >>> row |= {"pieces": np.array([b"a", b"b", b""]), "log_likelihoods": np.array([-1.0, -3.0, 0.0])}
        >>> answer = LanguageModelling().answer({}, row)
        >>> answer["tokens"], round(answer["perplexity"], 3)
        ([['a', -1.0], ['b', -3.0]], 7.389)
    """

    metrics = metrics.LANGUAGE
    lower_is_better = tuple(metrics)
    min_labels = 0
    summary = ("unknown_rate",)
    target_feature = "targets"
    error_name = "nats a token"

    def __init__(self, backward: bool = False) -> None:
        self.backward = backward

    def labels(self, target: str) -> tuple[str, ...]:
        return ()

    def add_decoder_inputs(self, features: dict[str, Any], targets: "tf.Tensor") -> dict[str, Any]:
        """Adds `targets`, and `decoder_inputs` by `shift_right`, unless the features have them."""
        if "decoder_inputs" not in features:
            features = features | {"decoder_inputs": shift_right(targets)}
        return features | {"targets": targets}

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        import tensorflow as tf

        from seqtasks.data.segments import ignore_padding

        targets = ignore_padding(features["targets"])
        length = tf.reduce_sum(tf.cast(targets >= 0, tf.int32), 1)
        if self.backward:
            targets, outputs = (tf.reverse_sequence(x, length, seq_axis=1) for x in (targets, outputs))
        names = tf.gather(assets["tokens"].tables[1], tf.maximum(targets, 0))
        return {
            "log_probability": tf.reduce_sum(outputs, 1),
            "log_likelihoods": outputs,
            "pieces": tf.where(targets >= 0, names, ""),
            "length": length,
            "unknown": tf.reduce_sum(tf.cast(targets == UNK, tf.int32), 1),
            "characters": features["characters"],
        }

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        length, total = int(row["length"]), float(row["log_probability"])
        sums = np.array([[total, length, int(row["characters"])]])
        pieces = [piece.decode("utf-8", "replace") for piece in row["pieces"][:length].tolist()]
        return {
            "log_probability": total,
            **{name: metrics.LANGUAGE[name](sums) for name in ("perplexity", "bits_per_character")},
            "tokens": [list(pair) for pair in zip(pieces, row["log_likelihoods"].tolist(), strict=False)],
        }

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        return np.zeros(len(strings))

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        """Rows of log-probability, tokens, characters, unknown tokens."""
        names = ("log_probability", "length", "characters", "unknown")
        return np.stack([np.asarray(decoded[name], "float64") for name in names], 1)

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        tokens = int(outputs[:, 1].sum())
        return {
            **{name: metric(targets, outputs) for name, metric in self.metrics.items()},
            "tokens": tokens,
            "unknown_rate": float(outputs[:, 3].sum() / max(tokens, 1)),
        }

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        """The texts with the highest negative log-likelihood per token."""
        return [(-row[0] / row[1], i) for i, row in enumerate(outputs) if row[1] > 0]

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        return ""

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        """Fits `model(size of the vocabulary)` by `fit(sequences)`; its `score(sequences)` gives log-likelihoods.

        It is trained on the first two million characters of the sample, and reads them in the direction of the model.
        """
        ends = np.cumsum([len(e.input) for e in sample])
        sample = sample[: 1 + int(np.searchsorted(ends, MAX_CHARACTERS))]
        step = -1 if self.backward else 1
        fitted = model(len(assets["tokens"])).fit([document[::step] for document in self._documents(assets, sample)[0]])

        def outputs(examples: Sequence[Example]) -> np.ndarray:
            documents, sizes = self._documents(assets, examples)
            scores = [score[::step] for score in fitted.score([document[::step] for document in documents])]
            ids = np.concatenate([np.zeros(1), *documents])
            sums = (np.cumsum(x) for x in (np.concatenate([np.zeros(1), *scores]), ids == UNK, ids == EOS))
            log_prob, unknown, ended = (np.diff(x[np.cumsum([0, *sizes])]) for x in sums)
            characters = [len(e.input) for e in examples] + ended
            return np.stack([log_prob, sizes, characters, unknown], 1).astype("float64")

        return outputs

    def _documents(self, assets: Mapping[str, Any], examples: Sequence[Example]) -> tuple[list[np.ndarray], list[int]]:
        """The ids of documents, joined from their pieces, and the number of ids of each piece.

        `EOS` is where a document ends for the model: backward, before its first id, as in `seqtasks.data.segments`.
        """
        import tensorflow as tf

        texts = tf.constant([e.input.encode("utf-8", "surrogatepass") for e in examples], tf.string)
        pieces = assets["tokens"].encode(texts).to_list()
        ended = [[EOS] * (e.target == "end") for e in examples]
        if self.backward:
            pieces = [end + piece for end, piece in zip([*ended[-1:], *ended[:-1]], pieces, strict=True)]
        else:
            pieces = [piece + end for end, piece in zip(ended, pieces, strict=True)]
        documents: list[np.ndarray] = []
        current: list[int] = []
        for piece, example in zip(pieces, examples, strict=True):
            current += piece
            if example.target == "end":
                documents.append(np.array(current))
                current = []
        return [*documents, np.array(current, int)][: len(documents) + bool(current)], [len(p) for p in pieces]
