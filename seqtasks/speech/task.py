"""The task of speech recognition: texts as targets, transcripts with times as answers."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data.sources import Example, Source
from seqtasks.speech import metrics
from seqtasks.tasks.task import Task, rows

if TYPE_CHECKING:
    import tensorflow as tf

    from seqtasks.data.vocabulary import Vocabulary

MIN_CONFIDENCE = 1e-12  # confidences are at least this, so that their logarithm is finite


class Transcription(Task):
    """A text, character by character, with connectionist temporal classification; the model returns logits of frames.

    `assets["characters"]` is a vocabulary in which 0, the empty string, is the blank. Texts have single spaces between
    words, and none at their ends.

    The answer is `{"text", "words": [{"word", "start", "end", "score"}], "score"}`. A word lasts from the first frame
    of its first character to the last frame of its last character in the most probable alignment, in seconds. The
    confidence of a character is the mean of its probability over its frames. The score of a word is the geometric mean
    of the confidences of its characters, the score of a text that of all its characters. The score of an empty text is
    the probability of the alignment that has only blanks; that of a recording without samples is 0.

    Args:
        seconds: time between two frames of the logits.
        search: `search(characters, logits) -> labels`, int32 (batch, longest), -1 after the last label; None takes the
            most probable class of each frame.

    Example:
        >>> import tensorflow as tf
        >>> task, assets = Transcription(seconds=0.1), {"characters": character_vocabulary(["a b"])}
        >>> logits = tf.one_hot([[2, 2, 0, 2, 1, 3]], 4, 20.0, 0.0)  # a a - a space b
        >>> decoded = task.decode(assets, logits, {})
        >>> answer = task.answer(assets, {name: value[0].numpy() for name, value in decoded.items()})
        >>> answer["text"], [(word["word"], word["start"], word["end"]) for word in answer["words"]]
        ('aa b', [('aa', 0.0, 0.4), ('b', 0.5, 0.6)])
    """

    metrics = metrics.TRANSCRIPTION
    lower_is_better = ("wer", "cer")
    min_labels = 0
    error_name = "character error rate"

    def __init__(self, seconds: float, search: "Callable[[Vocabulary, tf.Tensor], tf.Tensor] | None" = None) -> None:
        self.seconds, self.search = seconds, search

    def labels(self, target: str) -> tuple[str, ...]:
        return ()

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.RaggedTensor":
        import tensorflow as tf

        numbers = assets["characters"].lookup(tf.strings.unicode_split(targets, "UTF-8"))
        return tf.ragged.boolean_mask(numbers, numbers > 0)

    def decode(
        self, assets: Mapping[str, Any], outputs: "tf.Tensor", features: Mapping[str, Any]
    ) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        from seqtasks.ops import ctc

        characters, heard = assets["characters"], None
        if "samples" in features:  # a recording of no length says nothing, whatever the model answers
            heard = features["samples"] > 0
            blank = tf.one_hot(0, len(characters), 0.0, -1e9, dtype=outputs.dtype)
            outputs = tf.where(heard[:, None, None], outputs, blank)
        labels = self.search(characters, outputs) if self.search else ctc.greedy(outputs)[0]  # (batch, longest)
        aligned = ctc.align(outputs, labels)
        log_confidence = tf.math.log(tf.maximum(aligned.confidence, MIN_CONFIDENCE))
        log_confidence *= tf.cast(labels > 0, outputs.dtype)
        words = self._words(characters.name(tf.maximum(labels, 0)), labels > 0, aligned, log_confidence)
        count = tf.cast(tf.reduce_sum(tf.cast(labels > 0, tf.int32), 1), log_confidence.dtype)
        only_blanks = tf.exp(tf.reduce_sum(tf.nn.log_softmax(outputs)[..., 0], 1))
        score = tf.exp(tf.reduce_sum(log_confidence, 1) / tf.maximum(count, 1))
        score = tf.where(count > 0, score, only_blanks)
        return {
            "text": tf.strings.reduce_join(words["words"], 1, separator=" "),
            "score": score if heard is None else tf.where(heard, score, 0.0),
            **{name: value.to_tensor("" if name == "words" else -1.0) for name, value in words.items()},
        }

    def _words(
        self, characters: "tf.Tensor", valid: "tf.Tensor", aligned: Any, log_confidence: "tf.Tensor"
    ) -> "dict[str, tf.RaggedTensor]":
        """Words with their times and scores, ragged (batch, None).

        Args:
            characters: string (batch, longest), "" after the last.
            valid: bool (batch, longest), whether there is a character.
            aligned: `seqtasks.ops.ctc.Alignment` of the characters.
            log_confidence: float (batch, longest), 0 after the last.
        """
        import tensorflow as tf

        texts = tf.strings.reduce_join(characters, 1)
        inside = valid & (characters != " ")
        first = tf.where(inside & ~tf.pad(inside, [[0, 0], [1, 0]])[:, :-1])  # (words, 2): row and column
        last = tf.where(inside & ~tf.pad(inside, [[0, 0], [0, 1]])[:, 1:])
        begin, end = tf.cast(first[:, 1], tf.int32), tf.cast(last[:, 1], tf.int32) + 1
        totals = tf.gather(tf.pad(tf.cumsum(log_confidence, 1), [[0, 0], [1, 0]]), first[:, 0])  # (words, longest + 1)
        total = tf.gather(totals, end, batch_dims=1) - tf.gather(totals, begin, batch_dims=1)
        words = {
            "words": tf.strings.substr(tf.gather(texts, first[:, 0]), begin, end - begin, unit="UTF8_CHAR"),
            "starts": self.seconds * tf.cast(tf.gather_nd(aligned.first, first), tf.float32),
            "ends": self.seconds * tf.cast(tf.gather_nd(aligned.last, last) + 1, tf.float32),
            "word_scores": tf.exp(total / tf.cast(end - begin, total.dtype)),
        }
        rows = (first[:, 0], tf.shape(valid, tf.int64)[0])
        return {name: tf.RaggedTensor.from_value_rowids(value, *rows) for name, value in words.items()}

    def answer(self, assets: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        columns = (row[name] for name in ("words", "starts", "ends", "word_scores"))
        words = [
            {"word": word.decode(), "start": round(float(start), 3), "end": round(float(end), 3), "score": float(score)}
            for word, start, end, score in zip(*columns, strict=True)
            if word
        ]
        return {"text": row["text"].decode(), "words": words, "score": float(row["score"])}

    def check(self, assets: Mapping[str, Any], source: Source) -> None:
        """Warns about texts with characters that are not in the vocabulary; they count as errors."""
        from seqtasks.speech.transcripts import unknown_characters

        known, found, first = assets["characters"].tokens, [], None
        for example in source:
            if unknown := unknown_characters(example.target, known):
                found.append(unknown)
                first = first or example
        if first is not None:
            listed = unknown_characters("".join(found), "")[:20]
            what = f"{len(found)} texts have characters that are not in the training set ({listed})"
            where = f"first at {source.where(first)}"
            warnings.warn(f"{source.name}: {what}, which count as errors; {where}", stacklevel=2)

    def targets(self, assets: Mapping[str, Any], strings: Iterable[str]) -> np.ndarray:
        return rows(list(strings))

    def outputs(self, assets: Mapping[str, Any], decoded: Mapping[str, np.ndarray]) -> np.ndarray:
        return rows([text.decode() for text in decoded["text"].tolist()])

    def statistics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The row numbers, and the counts of `seqtasks.speech.metrics.transcription_counts`, (examples, 9)."""
        return np.arange(len(targets)), metrics.transcription_counts(targets, outputs)

    def compute_metrics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> dict[str, float | int]:
        counts = metrics.transcription_counts(targets, outputs)
        figures = {name: metric(counts) for name, metric in self.metrics.items()}
        names = ("hits", "substitutions", "deletions", "insertions")
        return figures | dict(zip(names, counts[:, :4].sum(0).tolist(), strict=True))

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        counts = metrics.transcription_counts(targets, outputs)
        return [(metrics.cer(row[None]), i) for i, row in enumerate(counts) if not row[-1]]

    def format_output(self, assets: Mapping[str, Any], output: str) -> str:
        return output

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        model.fit([e.input for e in sample], [e.target for e in sample])
        return lambda examples: rows(model.predict([e.input for e in examples]))


def character_vocabulary(texts: Iterable[str]) -> "Vocabulary":
    """Makes the vocabulary of the characters of texts; 0 is the blank.

    Example:
        >>> character_vocabulary(["no", "on it"]).tokens
        ['', ' ', 'i', 'n', 'o', 't']
    """
    from seqtasks.data.vocabulary import Vocabulary
    from seqtasks.speech.transcripts import alphabet

    return Vocabulary(["", *alphabet(texts)])
