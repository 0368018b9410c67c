"""A sequence that is foretold step by step."""

import numpy as np

from seqtasks import metrics
from seqtasks.data.vocabulary import BOS, EOS, UNK
from seqtasks.tasks.task import Task

LEARNT = 2_000_000  # characters that a baseline learns from, at most


class LanguageModelling(Task):
    """The likelihood of a text; the model gives the log-likelihood of each token.

    `assets["tokens"]` is the tokenizer. Of the features it needs `targets`, ids (batch, time) padded with -1, and
    `characters`, the code points of the text and one for each end of a document.

    The answer is `{"log_probability", "perplexity", "bits_per_character", "tokens"}`; the last is a list of a token and
    its log-probability given those before it, in nats. Figures follow from sums over all tokens, not from means of
    means.

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
    target_feature = "targets"
    error_name = "nats a token"

    def labels(self, target):
        return ()

    def add_decoder_inputs(self, features, targets):
        """The features with `decoder_inputs`, the id before each target, and `targets`.

        Example:
            >>> import tensorflow as tf
            >>> shown = LanguageModelling().add_decoder_inputs({}, tf.constant([[7, 8, 3], [9, 3, -1]]))
            >>> shown["decoder_inputs"].numpy().tolist()
            [[2, 7, 8], [2, 9, 0]]
        """
        import tensorflow as tf

        if "decoder_inputs" not in features:
            shifted = tf.pad(targets, [[0, 0], [1, 0]], constant_values=BOS)[:, :-1]
            features = features | {"decoder_inputs": tf.where(targets < 0, 0, shifted)}
        return features | {"targets": targets}

    def decode(self, assets, outputs, features):
        import tensorflow as tf

        from seqtasks.data.segments import due

        targets = due(features["targets"])
        names = tf.gather(assets["tokens"].tables[1], tf.maximum(targets, 0))
        return {
            "log_probability": tf.reduce_sum(outputs, 1),
            "log_likelihoods": outputs,
            "pieces": tf.where(targets >= 0, names, ""),
            "length": tf.reduce_sum(tf.cast(targets >= 0, tf.int32), 1),
            "unknown": tf.reduce_sum(tf.cast(targets == UNK, tf.int32), 1),
            "characters": features["characters"],
        }

    def answer(self, assets, row):
        length, total = int(row["length"]), float(row["log_probability"])
        sums = np.array([[total, length, int(row["characters"])]])
        pieces = [piece.decode("utf-8", "replace") for piece in row["pieces"][:length].tolist()]
        return {
            "log_probability": total,
            **{name: metrics.LANGUAGE[name](None, sums) for name in ("perplexity", "bits_per_character")},
            "tokens": [list(pair) for pair in zip(pieces, row["log_likelihoods"].tolist(), strict=False)],
        }

    def targets(self, assets, strings):
        return np.zeros(len(strings))

    def outputs(self, assets, decoded):
        """Rows of log-probability, tokens, characters, unknown tokens."""
        names = ("log_probability", "length", "characters", "unknown")
        return np.stack([np.asarray(decoded[name], "float64") for name in names], 1)

    def compute_metrics(self, assets, targets, outputs):
        tokens = int(outputs[:, 1].sum())
        return {
            **{name: metric(targets, outputs) for name, metric in self.metrics.items()},
            "tokens": tokens,
            "unknown_rate": float(outputs[:, 3].sum() / max(tokens, 1)),
        }

    def worst_examples(self, assets, targets, outputs):
        """What was least expected."""
        return [(-row[0] / row[1], i) for i, row in enumerate(outputs) if row[1] > 0]

    def format_output(self, assets, output):
        return ""

    def baseline(self, assets, model, sample):
        """`model(size of the vocabulary)` learns from numbers (`fit`) and tells their log-likelihoods (`score`).

        It learns from the first two million characters of the sample.
        """
        ends = np.cumsum([len(e.input) for e in sample])
        sample = sample[: 1 + int(np.searchsorted(ends, LEARNT))]
        learnt = model(len(assets["tokens"])).fit(self._documents(assets, sample)[0])

        def guess(examples):
            documents, sizes = self._documents(assets, examples)
            found = np.concatenate([np.zeros(1), *learnt.score(documents)])
            unknown = np.concatenate([np.zeros(1), *documents]) == UNK
            likely, unknown = (np.diff(np.cumsum(x)[np.cumsum([0, *sizes])]) for x in (found, unknown))
            characters = [len(e.input) + (e.target == "end") for e in examples]
            return np.stack([likely, sizes, characters, unknown], 1).astype("float64")

        return guess

    def _documents(self, assets, examples):
        """The numbers of documents, put together from their pieces, and how many numbers each piece has."""
        import tensorflow as tf

        texts = tf.constant([e.input.encode("utf-8", "surrogatepass") for e in examples], tf.string)
        pieces = assets["tokens"].encode(texts).to_list()
        pieces = [piece + [EOS] * (e.target == "end") for piece, e in zip(pieces, examples, strict=True)]
        documents, current = [], []
        for piece, example in zip(pieces, examples, strict=True):
            current += piece
            if example.target == "end":
                documents.append(np.array(current))
                current = []
        return [*documents, np.array(current, int)][: len(documents) + bool(current)], [len(p) for p in pieces]
