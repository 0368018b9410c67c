"""What sounds in a frame: distributions over the keys of a piano roll that are on or off in one step."""

import keras
import tensorflow as tf

from seqtasks.cells.affine import affine

RARE = -3.0  # the first log-odds of a key: about four of 88 sound in a frame
SMALLEST = 1e-37  # of a uniform number, so that its logit is finite


class _Frames(keras.layers.Layer):
    """What heads for frames share: places without a frame, and drawing.

    A head says the log-likelihoods of frames (`_log_likelihoods`), and which keys sound (`_sounding`) if each is on
    where its logit is above a threshold of its own.
    """

    def __init__(self, keys=88, **kwargs):
        super().__init__(**kwargs)
        self.keys, self.supports_masking = keys, True

    def call(self, vectors, following):
        live = following[..., 0] >= 0
        rows = tf.reshape(tf.where(live[..., None], vectors, 0), (-1, vectors.shape[-1]))
        found = self._log_likelihoods(rows, tf.reshape(following, (-1, self.keys)) > 0)
        return tf.where(live, tf.reshape(found, tf.shape(live)), 0)

    def draw(self, vectors, seed, temperature=1.0):
        """A frame for each vector; what a row draws depends on the seed, its number and its vector alone.

        Args:
            vectors: (rows, size).
            seed: int (2,).
            temperature: what the logits are divided by; 0 takes the likelier of on and off, key after key.

        Returns:
            frames (rows, keys), float32, 1 where a key sounds, and their log-likelihoods (rows,) at temperature 1.
        """
        uniform = tf.random.stateless_uniform([tf.shape(vectors)[0], self.keys], seed, SMALLEST, 1.0)
        thresholds = temperature * (tf.math.log(uniform) - tf.math.log1p(-uniform))  # above: uniform < p(on)
        sounding = self._sounding(vectors, thresholds)
        return tf.cast(sounding, tf.float32), self._log_likelihoods(vectors, sounding)

    def compute_output_spec(self, vectors, following):
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        return keras.KerasTensor(following.shape[:-1], dtype=dtype)

    def compute_mask(self, vectors, previous_mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "keys": self.keys}


@keras.saving.register_keras_serializable("seqtasks")
class IndependentBernoulli(_Frames):
    """The log-likelihoods of frames whose keys know nothing of each other: a Bernoulli variable a key.

    Args:
        keys: how many keys a frame has.

    Call arguments:
        vectors: (batch, time, size).
        following: float or int (batch, time, keys), 1 where a key of the frame that follows sounds, else 0; the first
            key is negative where no frame follows.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 where no frame follows; float32, or float64 of a float64 layer.

    Example:
        >>> layer = IndependentBernoulli(keys=3)
        >>> following = tf.constant([[[1, 0, 1], [-1, -1, -1]]])
        >>> layer(tf.zeros((1, 2, 8)), following).numpy().round(2)  # keys sound with a chance of 0.05 at first
        array([[-6.15, 0. ]], dtype=float32)
        >>> frames, log_likelihoods = layer.draw(tf.zeros((5, 8)), seed=(0, 1))
        >>> frames.shape, log_likelihoods.shape
        (TensorShape([5, 3]), TensorShape([5]))

    References:
        Boulanger-Lewandowski et al., 2012, https://arxiv.org/abs/1206.6392
    """

    def build(self, vectors_shape, following_shape=None):
        self.kernel = self.add_weight(shape=(vectors_shape[-1], self.keys), name="kernel")
        rare = keras.initializers.Constant(RARE)
        self.bias = self.add_weight(shape=(self.keys,), initializer=rare, name="bias")

    def _logits(self, vectors):
        return _precise(affine(vectors, *_alike(vectors, self.kernel, self.bias)))

    def _log_likelihoods(self, vectors, sounding):
        return _bernoulli(self._logits(vectors), sounding)

    def _sounding(self, vectors, thresholds):
        logits = self._logits(vectors)
        return logits > tf.cast(thresholds, logits.dtype)


@keras.saving.register_keras_serializable("seqtasks")
class NADE(_Frames):
    """The log-likelihoods of frames whose keys are told, from low to high, which of the keys below them sound.

    ::

        b, c    = vector W_bc + b_bc
        a_k     = c + sum over the sounding keys j < k of W_j
        logit_k = b_k + V_k . sigmoid(a_k)

    a_k changes only above a key that sounds, so it is computed once for each of these and not for every key: a frame
    with n notes has n + 1 hidden states. Drawing goes from note to note in the same way.

    | symbol       | attribute                                 | shape                                  |
    |--------------|-------------------------------------------|----------------------------------------|
    | W_bc, b_bc   | `condition_kernel`, `condition_bias`      | (size, keys + hidden), (keys + hidden,)|
    | W            | `told_kernel`                             | (keys, hidden)                         |
    | V            | `key_kernel`                              | (keys, hidden)                         |

    Args:
        keys: how many keys a frame has.
        hidden: size of the hidden states.

    Call arguments:
        vectors: (batch, time, size).
        following: float or int (batch, time, keys), 1 where a key of the frame that follows sounds, else 0; the first
            key is negative where no frame follows.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 where no frame follows; float32, or float64 of a float64 layer.

    Example:
        >>> layer = NADE(keys=3, hidden=4)
        >>> layer(tf.ones((1, 2, 8)), tf.constant([[[1, 0, 1], [-1, -1, -1]]])).shape
        TensorShape([1, 2])
        >>> frames, log_likelihoods = layer.draw(tf.ones((5, 8)), seed=(0, 1))
        >>> frames.shape, log_likelihoods.shape
        (TensorShape([5, 3]), TensorShape([5]))

    References:
        Larochelle and Murray, 2011, https://proceedings.mlr.press/v15/larochelle11a;
        b and c of a recurrent network: Boulanger-Lewandowski et al., 2012, https://arxiv.org/abs/1206.6392
    """

    def __init__(self, keys=88, hidden=64, **kwargs):
        super().__init__(keys, **kwargs)
        self.hidden = hidden

    def build(self, vectors_shape, following_shape=None):
        columns = self.keys + self.hidden
        self.condition_kernel = self.add_weight(shape=(vectors_shape[-1], columns), name="condition_kernel")
        self.condition_bias = self.add_weight(shape=(columns,), initializer="zeros", name="condition_bias")
        self.told_kernel = self.add_weight(shape=(self.keys, self.hidden), name="told_kernel")
        self.key_kernel = self.add_weight(shape=(self.keys, self.hidden), name="key_kernel")

    def _conditions(self, vectors):
        """b (rows, keys) and c (rows, hidden)."""
        conditions = affine(vectors, *_alike(vectors, self.condition_kernel, self.condition_bias))
        return tf.split(conditions, [self.keys, self.hidden], -1)

    def _log_likelihoods(self, vectors, sounding):
        b, c = self._conditions(vectors)
        told_kernel, key_kernel = _alike(vectors, self.told_kernel, self.key_kernel)
        changed = tf.pad(sounding, [[0, 0], [1, 0]], constant_values=True)  # below the lowest key, and above each note
        row, first = tf.unstack(tf.where(changed), axis=1)  # (states,): the first key that each state is for
        told = tf.gather(sounding, row) & (tf.range(self.keys, dtype=tf.int64) < first[:, None])
        states = tf.sigmoid(tf.gather(c, row) + tf.matmul(tf.cast(told, c.dtype), told_kernel))  # (states, hidden)
        scores = _precise(tf.matmul(states, key_kernel, transpose_b=True))  # (states, keys)
        number = tf.cumsum(tf.cast(changed, tf.int32), 1)  # (rows, 1 + keys), which state of its frame a key has
        own = tf.gather(number[:, :-1], row) == tf.gather_nd(number, tf.stack([row, first], 1))[:, None]
        logits = _precise(b) + tf.math.unsorted_segment_sum(tf.where(own, scores, 0), row, tf.shape(b)[0])
        return _bernoulli(logits, sounding)

    def _sounding(self, vectors, thresholds):
        b, c = self._conditions(vectors)
        told_kernel, key_kernel = _alike(vectors, self.told_kernel, self.key_kernel)
        keys = tf.range(self.keys)

        def body(going, a, sounding, first):
            logits = _precise(b + tf.matmul(tf.sigmoid(a), key_kernel, transpose_b=True))
            on = (logits > tf.cast(thresholds, logits.dtype)) & (keys >= first[:, None])
            next_key = tf.where(tf.reduce_any(on, 1), tf.argmax(on, 1, tf.int32), self.keys)
            note = next_key[:, None] == keys  # (rows, keys), none where the frame is done
            a += tf.matmul(tf.cast(note, a.dtype), told_kernel)
            return tf.reduce_any(note), a, sounding | note, next_key + 1

        start = (True, c, tf.zeros_like(b, tf.bool), tf.zeros_like(b[:, 0], tf.int32))
        return tf.while_loop(lambda going, *_: going, body, start)[2]

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden}


def _alike(vectors, *weights):
    """Weights in the precision of vectors."""
    return [tf.cast(weight, vectors.dtype) for weight in weights]


def _precise(logits):
    return logits if logits.dtype == tf.float64 else tf.cast(logits, tf.float32)


def _bernoulli(logits, sounding):
    """The log-probability of each row of keys (rows,)."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(sounding, logits.dtype), logits=logits)
    return -tf.reduce_sum(losses, 1)
