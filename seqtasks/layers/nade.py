"""Distributions over the keys of a piano roll that are on or off in one frame."""

from typing import Any

import keras
import tensorflow as tf

from seqtasks.cells.affine import affine

RARE = -3.0  # initial log-odds of a key: about four of 88 sound in a frame
SMALLEST = 1e-37  # lower bound of a uniform number, so that its logit is finite


class _FrameDistribution(keras.layers.Layer):
    """Base of the distributions over frames: positions without a frame, and sampling.

    Subclasses compute the log-likelihoods of frames (`_log_likelihoods`), and which keys sound (`_sounding`) if each
    key is on when its logit is above its threshold.
    """

    def __init__(self, keys: int = 88, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keys, self.supports_masking = keys, True

    def call(self, vectors: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        live = targets[..., 0] >= 0  # (batch, time)
        rows = tf.reshape(tf.where(live[..., None], vectors, 0), (-1, vectors.shape[-1]))  # (batch * time, size)
        log_probs = self._log_likelihoods(rows, tf.reshape(targets, (-1, self.keys)) > 0)
        return tf.where(live, tf.reshape(log_probs, tf.shape(live)), 0)

    def draw(
        self, vectors: tf.Tensor, seed: tf.Tensor | tuple[int, int], temperature: tf.Tensor | float = 1.0
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Samples a frame for each vector. The frame depends only on the seed, the number of the row and its vector.

        Args:
            vectors: (rows, size).
            seed: int (2,).
            temperature: divides the logits; with 0 each key in turn takes the more probable of on and off.

        Returns:
            frames (rows, keys), float32, 1 if a key sounds, and their log-likelihoods (rows,) at temperature 1.
        """
        uniform = tf.random.stateless_uniform([tf.shape(vectors)[0], self.keys], seed, SMALLEST, 1.0)
        thresholds = temperature * (tf.math.log(uniform) - tf.math.log1p(-uniform))  # above: uniform < p(on)
        sounding = self._sounding(vectors, thresholds)
        return tf.cast(sounding, tf.float32), self._log_likelihoods(vectors, sounding)

    def compute_output_spec(self, vectors: keras.KerasTensor, targets: keras.KerasTensor) -> keras.KerasTensor:
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        return keras.KerasTensor(targets.shape[:-1], dtype=dtype)

    def compute_mask(self, vectors: tf.Tensor, previous_mask: tf.Tensor | None = None) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keys": self.keys}

    def _log_likelihoods(self, vectors: tf.Tensor, sounding: tf.Tensor) -> tf.Tensor:
        """Log-likelihoods (rows,) of frames `sounding`, boolean (rows, keys), given vectors (rows, size)."""
        raise NotImplementedError

    def _sounding(self, vectors: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
        """Which keys are on, boolean (rows, keys), given vectors (rows, size) and thresholds (rows, keys)."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("seqtasks")
class IndependentBernoulli(_FrameDistribution):
    """The log-likelihoods of frames with independent keys: one Bernoulli variable per key.

    Args:
        keys: number of keys of a frame.

    Call arguments:
        vectors: (batch, time, size).
        targets: float or int (batch, time, keys), 1 if a key of the next frame sounds, else 0; the first key is
            negative if there is no next frame.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 without a next frame; float32, or float64 of a float64 layer; without
        a mask.

    Example:
        >>> layer = IndependentBernoulli(keys=3)
        >>> targets = tf.constant([[[1, 0, 1], [-1, -1, -1]]])
        >>> layer(tf.zeros((1, 2, 8)), targets).numpy().round(2)  # the initial probability of a key is 0.05
        array([[-6.15, 0. ]], dtype=float32)
        >>> frames, log_likelihoods = layer.draw(tf.zeros((5, 8)), seed=(0, 1))
        >>> frames.shape, log_likelihoods.shape
        (TensorShape([5, 3]), TensorShape([5]))

    References:
        Boulanger-Lewandowski et al., 2012, https://arxiv.org/abs/1206.6392
    """

    def build(self, vectors_shape: tuple[int | None, ...], targets_shape: tuple[int | None, ...] | None = None) -> None:
        self.kernel = self.add_weight(shape=(vectors_shape[-1], self.keys), name="kernel")
        initializer = keras.initializers.Constant(RARE)
        self.bias = self.add_weight(shape=(self.keys,), initializer=initializer, name="bias")

    def _logits(self, vectors: tf.Tensor) -> tf.Tensor:
        return _at_least_float32(affine(vectors, *_cast_like(vectors, self.kernel, self.bias)))

    def _log_likelihoods(self, vectors: tf.Tensor, sounding: tf.Tensor) -> tf.Tensor:
        return _bernoulli(self._logits(vectors), sounding)

    def _sounding(self, vectors: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
        logits = self._logits(vectors)
        return logits > tf.cast(thresholds, logits.dtype)


@keras.saving.register_keras_serializable("seqtasks")
class NADE(_FrameDistribution):
    """The log-likelihoods of frames in which each key, from low to high, depends on the keys below it.

    ::

        b, c    = vector W_bc + b_bc
        a_k     = c + sum over the sounding keys j < k of W_j
        logit_k = b_k + V_k . sigmoid(a_k)

    a_k changes only above a key that sounds, so it is computed once for each of these and not for every key: a frame
    with n notes has n + 1 hidden states. Sampling proceeds from note to note in the same way.

    | symbol       | attribute                                 | shape                                  |
    |--------------|-------------------------------------------|----------------------------------------|
    | W_bc, b_bc   | `condition_kernel`, `condition_bias`      | (size, keys + hidden), (keys + hidden,)|
    | W            | `note_kernel`                             | (keys, hidden)                         |
    | V            | `key_kernel`                              | (keys, hidden)                         |

    Args:
        keys: number of keys of a frame.
        hidden: size of the hidden states.

    Call arguments:
        vectors: (batch, time, size).
        targets: float or int (batch, time, keys), 1 if a key of the next frame sounds, else 0; the first key is
            negative if there is no next frame.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 without a next frame; float32, or float64 of a float64 layer; without
        a mask.

    Example:
        >>> layer = NADE(keys=3, hidden=4)
        >>> layer(tf.ones((1, 2, 8)), tf.constant([[[1, 0, 1], [-1, -1, -1]]])).shape
        TensorShape([1, 2])
        >>> frames, log_likelihoods = layer.draw(tf.ones((5, 8)), seed=(0, 1))
        >>> frames.shape, log_likelihoods.shape
        (TensorShape([5, 3]), TensorShape([5]))

    References:
        Larochelle and Murray, 2011, https://proceedings.mlr.press/v15/larochelle11a;
        b and c from a recurrent network: Boulanger-Lewandowski et al., 2012, https://arxiv.org/abs/1206.6392
    """

    def __init__(self, keys: int = 88, hidden: int = 64, **kwargs: Any) -> None:
        super().__init__(keys, **kwargs)
        self.hidden = hidden

    def build(self, vectors_shape: tuple[int | None, ...], targets_shape: tuple[int | None, ...] | None = None) -> None:
        columns = self.keys + self.hidden
        self.condition_kernel = self.add_weight(shape=(vectors_shape[-1], columns), name="condition_kernel")
        self.condition_bias = self.add_weight(shape=(columns,), initializer="zeros", name="condition_bias")
        self.note_kernel = self.add_weight(shape=(self.keys, self.hidden), name="note_kernel")
        self.key_kernel = self.add_weight(shape=(self.keys, self.hidden), name="key_kernel")

    def _conditions(self, vectors: tf.Tensor) -> list[tf.Tensor]:
        """b (rows, keys) and c (rows, hidden)."""
        conditions = affine(vectors, *_cast_like(vectors, self.condition_kernel, self.condition_bias))
        return tf.split(conditions, [self.keys, self.hidden], -1)

    def _log_likelihoods(self, vectors: tf.Tensor, sounding: tf.Tensor) -> tf.Tensor:
        b, c = self._conditions(vectors)
        note_kernel, key_kernel = _cast_like(vectors, self.note_kernel, self.key_kernel)
        # a new state begins at the lowest key, and above each note; converters pad no booleans
        changed = tf.concat([tf.ones_like(sounding[:, :1]), sounding], 1)
        places = tf.where(changed)  # (states, 2)
        row, first = places[:, 0], places[:, 1]  # (states,): the first key that each state is for
        below = tf.gather(sounding, row) & (tf.range(self.keys, dtype=tf.int64) < first[:, None])  # (states, keys)
        states = tf.sigmoid(tf.gather(c, row) + tf.matmul(tf.cast(below, c.dtype), note_kernel))  # (states, hidden)
        scores = _at_least_float32(tf.matmul(states, key_kernel, transpose_b=True))  # (states, keys)
        number = tf.cumsum(tf.cast(changed, tf.int32), 1)  # (rows, 1 + keys), number of the state of a key
        own = tf.gather(number[:, :-1], row) == tf.gather_nd(number, tf.stack([row, first], 1))[:, None]
        logits = _at_least_float32(b) + tf.math.unsorted_segment_sum(tf.where(own, scores, 0), row, tf.shape(b)[0])
        return _bernoulli(logits, sounding)

    def _sounding(self, vectors: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
        b, c = self._conditions(vectors)
        note_kernel, key_kernel = _cast_like(vectors, self.note_kernel, self.key_kernel)
        keys = tf.range(self.keys)

        def body(active: tf.Tensor, a: tf.Tensor, sounding: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor, ...]:
            logits = _at_least_float32(b + tf.matmul(tf.sigmoid(a), key_kernel, transpose_b=True))
            on = (logits > tf.cast(thresholds, logits.dtype)) & (keys >= first[:, None])
            next_key = tf.where(tf.reduce_any(on, 1), tf.argmax(on, 1, tf.int32), self.keys)
            note = next_key[:, None] == keys  # (rows, keys), none if the frame is complete
            a += tf.matmul(tf.cast(note, a.dtype), note_kernel)
            return tf.reduce_any(note), a, sounding | note, next_key + 1

        start = (True, c, tf.zeros_like(b, tf.bool), tf.zeros_like(b[:, 0], tf.int32))
        return tf.while_loop(lambda active, *_: active, body, start)[2]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}


def _cast_like(vectors: tf.Tensor, *weights: keras.Variable) -> list[tf.Tensor]:
    """Weights in the precision of vectors."""
    return [tf.cast(weight, vectors.dtype) for weight in weights]


def _at_least_float32(logits: tf.Tensor) -> tf.Tensor:
    return logits if logits.dtype == tf.float64 else tf.cast(logits, tf.float32)


def _bernoulli(logits: tf.Tensor, sounding: tf.Tensor) -> tf.Tensor:
    """The log-probability of each row of keys, (rows,)."""
    return -tf.reduce_sum(tf.nn.softplus(tf.where(sounding, -logits, logits)), 1)
