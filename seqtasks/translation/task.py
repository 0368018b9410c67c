"""A sentence for a sentence."""

import numpy as np

from seqtasks.data.vocabulary import BOS, EOS, PAD
from seqtasks.tasks.task import Task, rows
from seqtasks.translation import metrics


def ended(numbers):
    """Ragged numbers (batch, None) with `EOS` behind each row.

    Example:
        >>> import tensorflow as tf
        >>> ended(tf.ragged.constant([[7, 8], []], dtype=tf.int32)).to_list()
        [[7, 8, 3], [3]]
    """
    import tensorflow as tf

    return tf.concat([numbers, tf.fill([numbers.nrows(), 1], EOS)], 1)


class Translation(Task):
    """A text written for a text; the model gives a `seqtasks.decoding.Decoded`, hypotheses from the best on.

    `assets["target"]` is the tokenizer of the written side. Of the features it needs `source`, numbers (batch, time)
    that end with 3 and are padded with 0; a source without anything else is answered with the empty text.

    The answer is `{"translation", "score"}`, and where there are several hypotheses the others as `"alternatives"`, in
    the same form. Scores are those of the decoding: log-probabilities, with its length penalty. The figures are those
    of sacrebleu.

    Example:
        >>> Translation().answer({}, {"translation": "Zwei Männer.".encode(), "score": np.array(-0.5)})
        {'translation': 'Zwei Männer.', 'score': -0.5}
    """

    metrics = metrics.TRANSLATION
    min_labels = 0
    error_name = "100 - chrF"

    def labels(self, target):
        return ()

    def encode_target(self, assets, targets):
        return ended(assets["target"].encode(targets))

    def add_decoder_inputs(self, features, targets):
        """The features with `previous`: before each number of the target the one before it, `BOS` before the first.

        Example:
            >>> import tensorflow as tf
            >>> Translation().add_decoder_inputs({}, tf.constant([[7, 8, 3], [9, 3, -1]]))["decoder_inputs"].numpy().tolist()
            [[2, 7, 8], [2, 9, 0]]
        """
        import tensorflow as tf

        shifted = tf.pad(targets, [[0, 0], [1, 0]], constant_values=BOS)[:, :-1]
        return features | {"decoder_inputs": tf.where(targets < 0, PAD, shifted)}

    def decode(self, assets, outputs, features):
        import tensorflow as tf

        batch, count, time = tf.unstack(tf.shape(outputs.tokens))
        texts = assets["target"].decode(tf.reshape(outputs.tokens, (batch * count, time)))
        said = tf.reduce_any((features["source"] != PAD) & (features["source"] != EOS), 1, keepdims=True)
        alone = tf.one_hot(0, count, 0.0, -float("inf"))  # one hypothesis, the empty one, and it is certain
        decoded = {
            "translation": tf.where(said, tf.reshape(texts, (batch, count)), ""),
            "score": tf.where(said, outputs.scores, alone),
        }
        single = outputs.tokens.shape[1] == 1
        return {name: value[:, 0] for name, value in decoded.items()} if single else decoded

    def answer(self, assets, row):
        texts, scores = np.atleast_1d(row["translation"]), np.atleast_1d(row["score"])
        best, *others = (
            {"translation": text.decode("utf-8", "replace"), "score": float(score)}
            for text, score in zip(texts.tolist(), scores, strict=True)
        )
        others = [other for other in others if np.isfinite(other["score"])]  # there may be fewer than were asked for
        return best | ({"alternatives": others} if len(texts) > 1 else {})

    def targets(self, assets, strings):
        return rows(list(strings))

    def outputs(self, assets, decoded):
        texts = decoded["translation"]
        return rows([text.decode("utf-8", "replace") for text in (texts[:, 0] if texts.ndim > 1 else texts)])

    def statistics(self, assets, targets, outputs):
        """The numbers of the rows, and counts of sacrebleu, (examples, 39), which hold all that the metrics need."""
        return np.arange(len(targets)), metrics.translation_counts(targets, outputs)

    def compute_metrics(self, assets, targets, outputs):
        counts, scorers = metrics.translation_counts(targets, outputs), metrics.sacrebleu_metrics()
        return {
            **{name: metric(None, counts) for name, metric in self.metrics.items()},
            "bleu_signature": str(scorers["bleu"].get_signature()),
            "chrf_signature": str(scorers["chrf"].get_signature()),
            "length_ratio": float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),  # in tokens
        }

    def worst_examples(self, assets, targets, outputs):
        counts = metrics.translation_counts(targets, outputs)
        lost = [100 - metrics.chrf(None, counts[i : i + 1]) for i in range(len(counts))]
        return [(bad, i) for i, bad in enumerate(lost) if bad > 0 and not counts[i, -1]]

    def format_output(self, assets, output):
        return output

    def baseline(self, assets, model, sample):
        model.fit([e.input for e in sample], [e.target for e in sample])
        return lambda examples: rows(model.predict([e.input for e in examples]))
