"""Words to vectors, by their number and by the hashed letters at their ends, and vectors to words."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks.ops.log_likelihood import log_likelihoods


@keras.saving.register_keras_serializable("seqtasks")
class WordEmbedding(keras.layers.Layer):
    """Embeds words by number, and by affixes so that rare and unknown words get a vector of their own.

    The vector of a word is its row plus the sum of the rows of its affixes over the square root of their number.
    While training, two kinds of dropout act on whole words: some become UNK and keep their affixes, which trains UNK,
    and some disappear (a zero vector).

    Args:
        words: size of the vocabulary, padding (0) and UNK (1) included.
        dimension: size of the vectors.
        affixes: number of affix rows, 0 for none.
        unknown_rate: share of words that become UNK while training.
        drop_rate: share of words that disappear while training.

    Call arguments:
        words: int (batch, time), 0 where there is no word.
        affixes: int (batch, time, n), 0 where there is no affix; left out where `affixes` is 0.

    Output shape:
        (batch, time, dimension), with the mask words != 0.

    Example:
        >>> layer = WordEmbedding(words=10, dimension=4)
        >>> tuple(layer(tf.constant([[2, 3, 0]])).shape)
        (1, 3, 4)

    References:
        affixes: Bojanowski et al., 2017, https://arxiv.org/abs/1607.04606;
        dropout of whole words: Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287
    """

    def __init__(self, words, dimension, affixes=0, unknown_rate=0.0, drop_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.words, self.dimension, self.affixes = words, dimension, affixes
        self.unknown_rate, self.drop_rate = unknown_rate, drop_rate
        self.generator = keras.random.SeedGenerator()

    def build(self, words_shape, affixes_shape=None):
        self.table = self.add_weight(shape=(self.words, self.dimension), initializer="uniform", name="table")
        if self.affixes:
            shape = (self.affixes, self.dimension)
            self.affix_table = self.add_weight(shape=shape, initializer="uniform", name="affix_table")

    def call(self, words, affixes=None, training=False):
        live = words > 0
        shown = words
        if training and self.unknown_rate:
            chosen = keras.random.uniform(ops.shape(words), seed=self.generator) < self.unknown_rate
            shown = tf.where(chosen & live, 1, words)
        vectors = tf.gather(self.table, shown)  # (batch, time, dimension)
        if affixes is not None:
            present = tf.cast(affixes > 0, vectors.dtype)[..., None]
            number = tf.reduce_sum(present, 2)
            total = tf.reduce_sum(tf.gather(self.affix_table, affixes) * present, 2)
            vectors += total * tf.math.rsqrt(tf.maximum(number, 1))
        if training and self.drop_rate:
            live &= keras.random.uniform(ops.shape(words), seed=self.generator) >= self.drop_rate
        return vectors * tf.cast(live, vectors.dtype)[..., None]

    def compute_mask(self, words, affixes=None, mask=None):
        return ops.not_equal(words, 0)

    def compute_output_shape(self, words_shape, affixes_shape=None):
        return (*words_shape, self.dimension)

    def get_config(self):
        names = ("words", "dimension", "affixes", "unknown_rate", "drop_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class ReversibleEmbedding(keras.layers.Layer):
    """Embeds tokens, and scores tokens by their embeddings: one table for what is read and what is written.

    Args:
        tokens: size of the vocabulary.
        dimension: size of the vectors.

    Call arguments:
        inputs: int (..., time), or with `reverse` vectors (..., dimension).
        reverse: whether to score instead of to embed.
        whole: whether to give the vectors of all tokens, (tokens, dimension), whatever the inputs are.
        following: None, or with `reverse` the tokens, int (...), whose log-likelihoods are wanted; negative where
            there is none.

    Output shape:
        (..., dimension), or with `reverse` logits (..., tokens), or of `following` log-likelihoods (...), float32.

    Example:
        >>> layer = ReversibleEmbedding(tokens=10, dimension=4)
        >>> layer(layer(tf.constant([[2, 3, 0]])), reverse=True).shape
        TensorShape([1, 3, 10])

    References:
        Press and Wolf, 2017, https://arxiv.org/abs/1608.05859
    """

    def __init__(self, tokens, dimension, **kwargs):
        super().__init__(**kwargs)
        self.tokens, self.dimension = tokens, dimension

    def build(self, input_shape):
        spread = keras.initializers.RandomNormal(stddev=self.dimension**-0.5)
        self.table = self.add_weight(shape=(self.tokens, self.dimension), initializer=spread, name="table")
        self.bias = self.add_weight(shape=(self.tokens,), initializer="zeros", name="bias")

    def call(self, inputs, reverse=False, following=None, whole=False):
        table = tf.convert_to_tensor(self.table)
        if whole:
            return tf.identity(table)
        if not reverse:
            return tf.gather(table, inputs)
        logits = tf.matmul(tf.reshape(inputs, (-1, self.dimension)), table, transpose_b=True)
        logits = tf.nn.bias_add(tf.cast(logits, tf.float32), tf.cast(self.bias, tf.float32))
        if following is not None:
            return tf.reshape(log_likelihoods(logits, tf.reshape(following, [-1])), tf.shape(following))
        logits = tf.reshape(logits, tf.concat([tf.shape(inputs)[:-1], [self.tokens]], 0))
        return tf.ensure_shape(logits, (*inputs.shape[:-1], self.tokens))

    def get_config(self):
        return {**super().get_config(), "tokens": self.tokens, "dimension": self.dimension}


@keras.saving.register_keras_serializable("seqtasks")
class ScheduledSampling(keras.layers.Layer):
    """Shows a decoder some tokens of its own in training, so that it learns to go on from its mistakes.

    A first pass over the true tokens gives the logits, for all places at once; the second pass, which learns, is shown
    the likeliest token of the first in place of a true one with probability `rate`, which rises in proportion to
    the steps trained over the first `ramp` of them. When not training, the true tokens are shown.

    Args:
        rate: share of the tokens that are replaced in the end.
        ramp: training steps over which it rises to that.

    Call arguments:
        previous: int (batch, time), the true token before each place; the first is kept.
        logits: (batch, time, tokens) of each place.

    Output shape:
        that of `previous`.

    Example:
        >>> layer = ScheduledSampling(0.5)
        >>> layer(tf.constant([[1, 4]]), tf.one_hot([[3, 2]], 5)).numpy().tolist()
        [[1, 4]]

    References:
        Bengio et al., 2015, https://arxiv.org/abs/1506.03099; in two passes: Mihaylova and Martins, 2019,
        https://arxiv.org/abs/1906.07651
    """

    def __init__(self, rate, ramp=2000, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"ScheduledSampling: rate must lie in [0, 1], got {rate!r}.")
        self.rate, self.ramp = rate, ramp
        self.generator = keras.random.SeedGenerator()

    def build(self, previous_shape, logits_shape):
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

    def call(self, previous, logits, training=False):
        if not training:
            return tf.identity(previous)
        rate = self.rate * tf.minimum(tf.convert_to_tensor(self.steps) / self.ramp, 1.0)
        self.steps.assign_add(1.0)
        own = tf.argmax(tf.stop_gradient(logits), -1, previous.dtype)
        own = tf.concat([previous[:, :1], own[:, :-1]], 1)
        chosen = keras.random.uniform(ops.shape(previous), seed=self.generator) < rate
        return tf.where(chosen & (previous > 0), own, previous)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "ramp": self.ramp}
