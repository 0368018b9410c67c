"""Streaming speech recognition with a one-directional model: words are returned while the stream runs."""

import functools
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError
from seqtasks.layers import Bidirectional
from seqtasks.layers.stack import RecurrentStack, StackNames
from seqtasks.speech import audio
from seqtasks.speech.task import MIN_CONFIDENCE

CHUNK = 0.2  # seconds that are read from a stream at a time


def stream(predictor: Any, file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Transcribes a stream of 16-bit little-endian PCM with one channel, at the sample rate of the model.

    Args:
        predictor: predictor of a trained speech model, with `config`, `assets`, `task`, `model` and `predict_batch`.
        file: binary file.

    Yields:
        If the model is one-directional, ``{"word", "start", "end", "score"}`` for each word as soon as it is complete,
        by the most probable class of each frame. Otherwise the answer to the whole recording, when the stream ends.

    Raises:
        UserError: if the model is bidirectional and the stream is longer than the option `longest`.
    """
    config = predictor.config
    chunks = audio.pcm_chunks(file, config.sample_rate, CHUNK)
    if config.bidirectional:
        waveform = np.concatenate([np.zeros(0, "float32"), *chunks])
        if len(waveform) > config.max_seconds * config.sample_rate:
            what = f"the stream lasts {len(waveform) / config.sample_rate:.0f} seconds"
            remedy = "raise --max_seconds, or train with --bidirectional false, which has no limit"
            raise UserError(what, where="-", remedy=remedy)
        decoded = predictor.predict_batch([waveform])
        yield predictor.task.answer(predictor.assets, {name: value[0] for name, value in decoded.items()})
        return
    transcriber = StreamingTranscriber(predictor.model)
    words = WordAssembler(predictor.assets["characters"].tokens, predictor.task.seconds)
    for chunk in chunks:
        yield from words.process(transcriber.process(chunk))
    yield from words.process(transcriber.end())
    yield from words.end()


class StreamingTranscriber:
    """Runs a one-directional `seqtasks.models.transcriber` on a stream: chunks of samples in, logits of frames out.

    Between two chunks it keeps the samples of incomplete frames, the last frames that the convolution still needs, and
    the states of the recurrent layers. The concatenated logits equal those of the whole recording.

    Args:
        model: the model, also when loaded from a file.

    Raises:
        UserError: if a layer is bidirectional.
    """

    def __init__(self, model: keras.Model) -> None:
        layers: dict[str, Any] = {layer.name: layer for layer in model.layers}
        if any(isinstance(layer, Bidirectional) for layer in model.layers):
            remedy = "train with --bidirectional false"
            raise UserError("the model is bidirectional", where="streaming", remedy=remedy)
        self.spectrum, self.convolution, self.logits = layers["log_mel"], layers.get("convolution"), layers["logits"]
        self.stack = RecurrentStack.from_model(model, StackNames.with_prefix("recurrent"))
        self.reset()

    def reset(self) -> None:
        """Starts a new stream."""
        self.samples: np.ndarray = np.zeros(0, "float32")  # of incomplete frames
        self.count = 0  # samples of the stream so far
        self.frames = tf.zeros([1, self.convolution.width - 1 if self.convolution else 0, self.spectrum.mels])
        self.states = self.stack.begin(1)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Processes a chunk of the stream.

        Args:
            samples: float32 (samples,).

        Returns:
            Logits of the frames that are complete with these samples, float32 (frames, classes).
        """
        self.samples, self.count = np.concatenate([self.samples, samples]), self.count + len(samples)
        frames = 1 + (len(self.samples) - self.spectrum.size) // self.spectrum.step
        if frames < (self.convolution.width - self.frames.shape[1] if self.convolution else 1):
            return np.zeros((0, self.logits.units), "float32")
        used = (frames - 1) * self.spectrum.step + self.spectrum.size
        logits, self.frames, self.states = self._advance(self.samples[None, :used], self.frames, self.states)
        self.samples = self.samples[frames * self.spectrum.step :]
        return logits.numpy()[0]

    def end(self) -> np.ndarray:
        """The last logits, when the stream ends; a stream that is shorter than a frame is padded with silence."""
        return self.process(np.zeros(max(self.spectrum.size - self.count, 0) if self.count else 0, "float32"))

    @functools.cached_property
    def _advance(self) -> Any:
        samples = tf.TensorSpec([None, None])
        frames = tf.TensorSpec([None, None, self.spectrum.mels])
        states = tf.nest.map_structure(lambda x: tf.TensorSpec([None, x.shape[1]], x.dtype), self.states)
        return tf.function(self._step, input_signature=[samples, frames, states])

    def _step(self, samples: tf.Tensor, frames: tf.Tensor, states: list[Any]) -> tuple[tf.Tensor, tf.Tensor, list[Any]]:
        x = self.spectrum([samples, tf.shape(samples)[1:]])  # (1, frames, mels)
        if self.convolution:
            x = tf.concat([frames, x], 1)
            width, stride = self.convolution.width, self.convolution.stride
            frames = x[:, ((tf.shape(x)[1] - width) // stride + 1) * stride :]
            x = self.convolution(x, padded=False)
        x, states = self.stack.run(x, states)
        return self.logits(x), frames, states


class _Letter(NamedTuple):
    """A character of the current word."""

    text: str
    first: int  # frames
    last: int
    probabilities: list[float]  # one per frame


class WordAssembler:
    """Assembles words from logits, frame by frame: greedy decoding of connectionist temporal classification.

    Args:
        characters: the string of each class; the blank is class 0, the empty string.
        seconds: time between two frames.

    Example:
        >>> words = WordAssembler(["", " ", "a"], seconds=0.1)
        >>> logits = 9 * np.eye(3)[[2, 2, 0, 2, 1, 0]]  # a a - a space -
        >>> [(word["word"], word["start"], word["end"]) for word in words.process(logits)], words.end()
        ([('aa', 0.0, 0.4)], [])
    """

    def __init__(self, characters: list[str], seconds: float) -> None:
        self.characters, self.seconds = characters, seconds
        self.frame, self.last = 0, 0  # number of the next frame, class of the last one
        self.letters: list[_Letter] = []  # of the current word

    def process(self, logits: np.ndarray) -> list[dict[str, Any]]:
        """Processes the logits of some frames.

        Args:
            logits: float (frames, classes).

        Returns:
            The words that are complete with these frames: dicts with `word`, `start` and `end` in seconds, and `score`.
        """
        words = []
        probabilities = np.exp(logits - logits.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)
        for row in probabilities:
            best = int(row.argmax())
            if self.characters[best] == " ":
                words += self.end()
            elif best and best == self.last:
                letter = self.letters[-1]
                self.letters[-1] = letter._replace(last=self.frame, probabilities=[*letter.probabilities, row[best]])
            elif best:
                self.letters.append(_Letter(self.characters[best], self.frame, self.frame, [row[best]]))
            self.last, self.frame = best, self.frame + 1
        return words

    def end(self) -> list[dict[str, Any]]:
        """Ends the current word; a list of it, or an empty list if there is none."""
        if not self.letters:
            return []
        means: list[Any] = [np.mean(letter.probabilities) for letter in self.letters]
        score = np.exp(np.mean([np.log(max(mean, MIN_CONFIDENCE)) for mean in means]))
        start, end = (round(self.seconds * frame, 3) for frame in (self.letters[0].first, self.letters[-1].last + 1))
        word = "".join(letter.text for letter in self.letters)
        self.letters = []
        return [{"word": word, "start": start, "end": end, "score": float(score)}]
