"""The text that a recording says."""

import warnings

import numpy as np

from seqtasks.speech import metrics
from seqtasks.tasks.task import Task, rows

SMALLEST = 1e-12  # a confidence counts as this at least, so that its logarithm is a number


class Transcription(Task):
    """A text, character by character, by connectionist temporal classification; the model gives logits of frames.

    `assets["characters"]` is a vocabulary whose number 0, the empty string, is the blank. Texts have single spaces, and
    none at their ends.

    The answer is `{"text", "words": [{"word", "start", "end", "score"}], "score"}`. A word lasts from the first frame
    of its first character to the last of its last one in the likeliest alignment, in seconds. A character's confidence
    is the mean of its probability over its frames; a word's score is the geometric mean over its characters, and that
    of a text over all of them. A text without any is scored by the probability of nothing but blanks.

    Args:
        seconds: from one frame of the logits to the next.
        search: `search(characters, logits) -> labels` int32 (batch, longest), -1 behind the last; None: the likeliest
            class of each frame.

    Example:
        >>> import tensorflow as tf
        >>> task, assets = Transcription(seconds=0.1), {"characters": character_vocabulary(["a b"])}
        >>> said = tf.one_hot([[2, 2, 0, 2, 1, 3]], 4, 20.0, 0.0)  # a a - a space b
        >>> decoded = task.decode(assets, said, {})
        >>> answer = task.answer(assets, {name: value[0].numpy() for name, value in decoded.items()})
        >>> answer["text"], [(word["word"], word["start"], word["end"]) for word in answer["words"]]
        ('aa b', [('aa', 0.0, 0.4), ('b', 0.5, 0.6)])
    """

    metrics = metrics.TRANSCRIPTION
    lower_is_better = ("wer", "cer")
    min_labels = 0
    error_name = "character error rate"

    def __init__(self, seconds, search=None):
        self.seconds, self.search = seconds, search

    def labels(self, target):
        return ()

    def encode_target(self, assets, targets):
        import tensorflow as tf

        numbers = assets["characters"].lookup(tf.strings.unicode_split(targets, "UTF-8"))
        return tf.ragged.boolean_mask(numbers, numbers > 0)

    def decode(self, assets, outputs, features):
        import tensorflow as tf

        from seqtasks.ops import ctc

        characters = assets["characters"]
        labels = self.search(characters, outputs) if self.search else ctc.greedy(outputs)[0]
        letters = characters.name(tf.maximum(labels, 0))  # (batch, longest), "" behind the last
        raw = tf.strings.reduce_join(letters, 1)
        aligned = ctc.align(outputs, labels)
        sure = tf.math.log(tf.maximum(aligned.confidence, SMALLEST)) * tf.cast(labels > 0, outputs.dtype)
        inside = (labels > 0) & (letters != " ")
        begins = tf.where(inside & ~tf.pad(inside, [[0, 0], [1, 0]])[:, :-1])  # row by row, from left to right
        ends = tf.where(inside & ~tf.pad(inside, [[0, 0], [0, 1]])[:, 1:])
        before, after = tf.cast(begins[:, 1], tf.int32), tf.cast(ends[:, 1], tf.int32) + 1
        totals = tf.gather(tf.pad(tf.cumsum(sure, 1), [[0, 0], [1, 0]]), begins[:, 0])  # (words, longest + 1)
        total = tf.gather(totals, after, batch_dims=1) - tf.gather(totals, before, batch_dims=1)
        words = {
            "words": tf.strings.substr(tf.gather(raw, begins[:, 0]), before, after - before, unit="UTF8_CHAR"),
            "starts": self.seconds * tf.cast(tf.gather_nd(aligned.first, begins), tf.float32),
            "ends": self.seconds * tf.cast(tf.gather_nd(aligned.last, ends) + 1, tf.float32),
            "word_scores": tf.exp(total / tf.cast(after - before, total.dtype)),
        }
        rows = (begins[:, 0], tf.shape(labels, tf.int64)[0])
        ragged = {name: tf.RaggedTensor.from_value_rowids(value, *rows) for name, value in words.items()}
        count = tf.cast(tf.reduce_sum(tf.cast(labels > 0, tf.int32), 1), sure.dtype)
        nothing = tf.exp(tf.reduce_sum(tf.nn.log_softmax(outputs)[..., 0], 1))
        return {
            "text": tf.strings.reduce_join(ragged["words"], 1, separator=" "),
            "score": tf.where(count > 0, tf.exp(tf.reduce_sum(sure, 1) / tf.maximum(count, 1)), nothing),
            **{name: value.to_tensor("" if name == "words" else -1.0) for name, value in ragged.items()},
        }

    def answer(self, assets, row):
        columns = (row[name] for name in ("words", "starts", "ends", "word_scores"))
        words = [
            {"word": word.decode(), "start": round(float(start), 3), "end": round(float(end), 3), "score": float(score)}
            for word, start, end, score in zip(*columns, strict=True)
            if word
        ]
        return {"text": row["text"].decode(), "words": words, "score": float(row["score"])}

    def check(self, assets, source):
        """Warn of texts with characters that the model does not know, which are counted as errors."""
        from seqtasks.speech.transcripts import outside

        known, found, first = assets["characters"].tokens, [], None
        for example in source:
            if strange := outside(example.target, known):
                found.append(strange)
                first = first or example
        if found:
            what = f"{len(found)} texts have characters that train has not ({outside(''.join(found), '')[:20]})"
            told = f"{what}, which count as errors; first at {source.where(first)}"
            warnings.warn(f"{source.name}: {told}", stacklevel=2)

    def targets(self, assets, strings):
        return rows(list(strings))

    def outputs(self, assets, decoded):
        return rows([text.decode() for text in decoded["text"].tolist()])

    def statistics(self, assets, targets, outputs):
        """The numbers of the rows, and counts of jiwer, (examples, 9), which hold all that the metrics need."""
        return np.arange(len(targets)), metrics.transcription_counts(targets, outputs)

    def compute_metrics(self, assets, targets, outputs):
        counts = metrics.transcription_counts(targets, outputs)
        figures = {name: metric(counts) for name, metric in self.metrics.items()}
        names = ("hits", "substitutions", "deletions", "insertions")
        return figures | dict(zip(names, counts[:, :4].sum(0).tolist(), strict=True))

    def worst_examples(self, assets, targets, outputs):
        counts = metrics.transcription_counts(targets, outputs)
        return [(metrics.cer(row[None]), i) for i, row in enumerate(counts) if not row[-1]]

    def format_output(self, assets, output):
        return output

    def baseline(self, assets, model, sample):
        model.fit([e.input for e in sample], [e.target for e in sample])
        return lambda examples: rows(model.predict([e.input for e in examples]))


def character_vocabulary(texts):
    """The vocabulary of all characters in texts, behind the blank.

    Example:
        >>> character_vocabulary(["no", "on it"]).tokens
        ['', ' ', 'i', 'n', 'o', 't']
    """
    from seqtasks.data.vocabulary import Vocabulary
    from seqtasks.speech.transcripts import alphabet

    return Vocabulary(["", *alphabet(texts)])
