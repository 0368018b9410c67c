"""Words as they are said: a one-directional model on a stream of samples."""

import functools

import numpy as np
import tensorflow as tf

from seqtasks.capabilities import Query
from seqtasks.errors import UserError
from seqtasks.layers import RNN, Bidirectional
from seqtasks.speech import audio
from seqtasks.speech.task import SMALLEST

CHUNK = 0.2  # seconds of sound that are taken from a stream at a time


def live(predictor, file):
    """Answers to a stream of 16-bit little-endian PCM, mono, at the sample rate of the model.

    Args:
        predictor: a trained model of the speech recipe.
        file: a binary file.

    Yields:
        Of a one-directional model ``{"word", "start", "end", "score"}`` for each word as soon as it is complete, by the
        likeliest class of each frame; of a bidirectional one, when the stream has ended, the answer to all of it.
    """
    config = predictor.config
    chunks = audio.stream(file, config.sample_rate, CHUNK)
    if config.bidirectional:
        sound = np.concatenate([np.zeros(0, "float32"), *chunks])
        if len(sound) > config.max_seconds * config.sample_rate:
            what = f"a stream of {len(sound) / config.sample_rate:.0f} seconds"
            remedy = "raise --max_seconds, or train with --bidirectional false, which has no limit"
            raise UserError(what, where="-", remedy=remedy)
        yield from predictor.answers([Query(sound, {})])
        return
    listener = StreamingTranscriber(predictor.model)
    words = Words(predictor.assets["characters"].tokens, predictor.task.seconds)
    for chunk in chunks:
        yield from words.hear(listener.hear(chunk))
    yield from words.hear(listener.end())
    yield from words.end()


class StreamingTranscriber:
    """A one-directional `seqtasks.models.transcriber` on a stream: chunks of samples in, logits of frames out.

    What a chunk leaves behind are the samples of frames that have begun, the frames that the convolution still looks
    back at, and the states of the recurrences. Put together, the logits are those of the whole recording.

    Args:
        model: the model, or such a model loaded from a file.

    Raises:
        UserError: if a layer reads from both ends.
    """

    def __init__(self, model):
        layers = {layer.name: layer for layer in model.layers}
        if any(isinstance(layer, Bidirectional) for layer in model.layers):
            remedy = "train with --bidirectional false"
            raise UserError("the model reads from both ends", where="streaming", remedy=remedy)
        self.spectrum, self.convolution, self.scores = (layers.get(n) for n in ("log_mel", "convolution", "logits"))
        own = [layer for layer in model.layers if isinstance(layer, RNN)]
        self.added = [layer.name.replace("recurrent", "recurrent_residual") in layers for layer in own]
        options = {"return_sequences": True, "return_state": True}
        self.recurrences = [RNN(layer.cell, dtype=layer.dtype_policy, **options) for layer in own]
        self.begin()

    def begin(self):
        """Forget what was heard."""
        self.sound, self.heard = np.zeros(0, "float32"), 0
        self.frames = tf.zeros([1, self.convolution.width - 1 if self.convolution else 0, self.spectrum.mels])
        self.states = [layer.cell.get_initial_state(1) for layer in self.recurrences]

    def hear(self, samples):
        """The logits of the frames that are complete with these samples, a float32 array (frames, classes)."""
        self.sound, self.heard = np.concatenate([self.sound, samples]), self.heard + len(samples)
        count = 1 + (len(self.sound) - self.spectrum.size) // self.spectrum.step
        if count < (self.convolution.width - self.frames.shape[1] if self.convolution else 1):
            return np.zeros((0, self.scores.units), "float32")
        used = (count - 1) * self.spectrum.step + self.spectrum.size
        logits, self.frames, self.states = self._advance(self.sound[None, :used], self.frames, self.states)
        self.sound = self.sound[count * self.spectrum.step :]
        return logits.numpy()[0]

    def end(self):
        """The same when nothing more comes: a recording that is shorter than a frame is filled up with silence."""
        return self.hear(np.zeros(max(self.spectrum.size - self.heard, 0) if self.heard else 0, "float32"))

    @functools.cached_property
    def _advance(self):
        numbers = tf.TensorSpec([None, None])
        frames = tf.TensorSpec([None, None, self.spectrum.mels])
        states = tf.nest.map_structure(lambda x: tf.TensorSpec([None, x.shape[1]], x.dtype), self.states)
        return tf.function(self._logits, input_signature=[numbers, frames, states])

    def _logits(self, sound, frames, states):
        x = self.spectrum([sound, tf.shape(sound)[1:]])
        if self.convolution:
            x = tf.concat([frames, x], 1)
            width, stride = self.convolution.width, self.convolution.stride
            frames = x[:, ((tf.shape(x)[1] - width) // stride + 1) * stride :]
            x = self.convolution(x, padded=False)
        last = []
        for layer, added, first in zip(self.recurrences, self.added, states, strict=True):
            outputs, *new = layer(x, initial_state=first)
            last.append(new)
            x = outputs + x if added else outputs
        return self.scores(x), frames, last


class Words:
    """Words out of logits, frame by frame: the likeliest class of each, repetitions joined, blanks left out.

    Args:
        characters: the string of each class; that of the blank is empty.
        seconds: from one frame to the next.

    Example:
        >>> words = Words(["", " ", "a"], seconds=0.1)
        >>> said = 9 * np.eye(3)[[2, 2, 0, 2, 1, 0]]  # a a - a space -
        >>> [(word["word"], word["start"], word["end"]) for word in words.hear(said)], words.end()
        ([('aa', 0.0, 0.4)], [])
    """

    def __init__(self, characters, seconds):
        self.characters, self.seconds = characters, seconds
        self.frame, self.last = 0, 0
        self.letters = []  # of the word that is being said: each with its first and last frame and its probabilities

    def hear(self, logits):
        """The words that are complete with these logits (frames, classes), a list of dicts."""
        found = []
        shares = np.exp(logits - logits.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        for row in shares:
            best = int(row.argmax())
            if self.characters[best] == " ":
                found += self.end()
            elif best and best == self.last:
                letter = self.letters[-1]
                letter[2], letter[3] = self.frame, [*letter[3], row[best]]
            elif best:
                self.letters.append([self.characters[best], self.frame, self.frame, [row[best]]])
            self.last, self.frame = best, self.frame + 1
        return found

    def end(self):
        """The word that is being said, in a list, or an empty one."""
        if not self.letters:
            return []
        letters, first, last, shares = zip(*self.letters, strict=True)
        score = np.exp(np.mean([np.log(max(np.mean(share), SMALLEST)) for share in shares]))
        start, end = (round(self.seconds * frame, 3) for frame in (first[0], last[-1] + 1))
        self.letters = []
        return [{"word": "".join(letters), "start": start, "end": end, "score": float(score)}]
