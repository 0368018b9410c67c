"""Words to vectors, by their number and by the hashed letters at their ends."""

import keras
import tensorflow as tf
from keras import ops


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
