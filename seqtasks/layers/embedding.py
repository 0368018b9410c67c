"""Embeddings of words and tokens, scores of tokens by their embeddings, and scheduled sampling of decoder inputs."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqtasks.ops.log_likelihood import log_likelihoods


@keras.saving.register_keras_serializable("seqtasks")
class WordEmbedding(keras.layers.Layer):
    """Embeds words by their number and by their affixes, so that rare and unknown words have different vectors.

    The vector of a word is its row plus the sum of the rows of its affixes over the square root of their number.
    In training, two kinds of dropout apply to whole words: some become UNK and keep their affixes, which trains UNK,
    and some become zero vectors.

    Args:
        words: size of the vocabulary, including padding (0) and UNK (1).
        dimension: size of the vectors.
        affixes: number of affix rows, 0 for none.
        unk_dropout: share of words that become UNK in training.
        word_dropout: share of words that become zero vectors in training.

    Call arguments:
        words: int (batch, time), 0 if there is no word.
        affixes: int (batch, time, n), 0 if there is no affix; None without affixes.
        training: whether words are dropped.

    Output shape:
        (batch, time, dimension), with the mask ``words != 0``.

    Example:
        >>> layer = WordEmbedding(words=10, dimension=4)
        >>> tuple(layer(tf.constant([[2, 3, 0]])).shape)
        (1, 3, 4)

    References:
        affixes: Bojanowski et al., 2017, https://arxiv.org/abs/1607.04606;
        dropout of whole words: Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287
    """

    row_axes = {"table": (0,)}  # numbered by words

    def __init__(
        self,
        words: int,
        dimension: int,
        affixes: int = 0,
        unk_dropout: float = 0.0,
        word_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.words, self.dimension, self.affixes = words, dimension, affixes
        self.unk_dropout, self.word_dropout = unk_dropout, word_dropout
        self.generator = keras.random.SeedGenerator()

    def build(self, words_shape: tuple[int | None, ...], affixes_shape: tuple[int | None, ...] | None = None) -> None:
        self.table = self.add_weight(shape=(self.words, self.dimension), initializer="uniform", name="table")
        if self.affixes:
            shape = (self.affixes, self.dimension)
            self.affix_table = self.add_weight(shape=shape, initializer="uniform", name="affix_table")

    def call(self, words: tf.Tensor, affixes: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        live = words > 0
        numbers = words
        if training and self.unk_dropout:
            unknown = keras.random.uniform(ops.shape(words), seed=self.generator) < self.unk_dropout
            numbers = tf.where(unknown & live, 1, words)
        vectors = tf.gather(self.table, numbers)  # (batch, time, dimension)
        if affixes is not None:
            present = tf.cast(affixes > 0, vectors.dtype)[..., None]
            count = tf.reduce_sum(present, 2)
            total = tf.reduce_sum(tf.gather(self.affix_table, affixes) * present, 2)
            vectors += total * tf.math.rsqrt(tf.maximum(count, 1))
        if training and self.word_dropout:
            live &= keras.random.uniform(ops.shape(words), seed=self.generator) >= self.word_dropout
        return vectors * tf.cast(live, vectors.dtype)[..., None]

    def compute_mask(
        self, words: tf.Tensor, affixes: tf.Tensor | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        return ops.not_equal(words, 0)

    def compute_output_shape(
        self, words_shape: tuple[int | None, ...], affixes_shape: tuple[int | None, ...] | None = None
    ) -> tuple[int | None, ...]:
        return (*words_shape, self.dimension)

    def get_config(self) -> dict[str, Any]:
        names = ("words", "dimension", "affixes", "unk_dropout", "word_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class ReversibleEmbedding(keras.layers.Layer):
    """Embeds tokens, and scores tokens by their embeddings: one table for inputs and outputs (tied weights).

    Args:
        tokens: size of the vocabulary.
        dimension: size of the vectors.

    Call arguments:
        inputs: int (..., time), or with `reverse` vectors (..., dimension).
        reverse: whether to score tokens instead of embedding them.
        targets: None, or with `reverse` int (...), the tokens whose log-likelihoods to compute; negative if there is
            none.
        whole: whether to return the whole table instead, (tokens, dimension), whatever the inputs are. A recurrent
            layer that takes a table (`seqtasks.layers.StatefulRNN`) then projects each token once, and not once for
            each time that the token occurs.

    Output shape:
        (..., dimension), or with `reverse` logits (..., tokens), or with `targets` log-likelihoods (...) in nats, 0
        without a target; logits and log-likelihoods are float32. With `whole` (tokens, dimension).

    Example:
        >>> layer = ReversibleEmbedding(tokens=10, dimension=4)
        >>> layer(layer(tf.constant([[2, 3, 0]])), reverse=True).shape
        TensorShape([1, 3, 10])
        >>> layer(tf.constant([[2]]), whole=True).shape
        TensorShape([10, 4])

    References:
        Press and Wolf, 2017, https://arxiv.org/abs/1608.05859
    """

    row_axes = {"table": (0,), "bias": (0,)}  # numbered by tokens

    def __init__(self, tokens: int, dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens, self.dimension = tokens, dimension

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        initializer = keras.initializers.RandomNormal(stddev=self.dimension**-0.5)
        self.table = self.add_weight(shape=(self.tokens, self.dimension), initializer=initializer, name="table")
        self.bias = self.add_weight(shape=(self.tokens,), initializer="zeros", name="bias")

    def call(
        self, inputs: tf.Tensor, reverse: bool = False, targets: tf.Tensor | None = None, whole: bool = False
    ) -> tf.Tensor:
        table = tf.convert_to_tensor(self.table)
        if whole:
            return tf.identity(table)
        if not reverse:
            return tf.gather(table, inputs)
        logits = tf.matmul(tf.reshape(inputs, (-1, self.dimension)), table, transpose_b=True)  # (vectors, tokens)
        logits = tf.nn.bias_add(tf.cast(logits, tf.float32), tf.cast(self.bias, tf.float32))
        if targets is not None:
            return tf.reshape(log_likelihoods(logits, tf.reshape(targets, [-1])), tf.shape(targets))
        logits = tf.reshape(logits, tf.concat([tf.shape(inputs)[:-1], [self.tokens]], 0))
        logits.set_shape((*inputs.shape[:-1], self.tokens))
        return logits

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tokens": self.tokens, "dimension": self.dimension}


@keras.saving.register_keras_serializable("seqtasks")
class ScheduledSampling(keras.layers.Layer):
    """In training, replaces some decoder inputs by the decoder's own predictions, so that it learns from its errors.

    A first pass over the true tokens gives the logits of all positions at once. The second pass, which is trained, gets
    the most probable token of the first pass instead of a true one with probability `rate`, which rises linearly over
    the first `ramp` training steps. Outside training, the true tokens are returned.

    Args:
        rate: final share of the tokens that are replaced.
        ramp: training steps over which the share rises to `rate`.

    Call arguments:
        decoder_inputs: int (batch, time), the true token before each position, 0 for padding; the first is kept.
        logits: (batch, time, tokens) of each position.
        training: whether tokens are replaced.

    Output shape:
        That of `decoder_inputs`.

    Raises:
        ValueError: if `rate` is not in [0, 1].

    Example:
        >>> layer = ScheduledSampling(0.5)
        >>> layer(tf.constant([[1, 4]]), tf.one_hot([[3, 2]], 5)).numpy().tolist()
        [[1, 4]]

    References:
        Bengio et al., 2015, https://arxiv.org/abs/1506.03099; in two passes: Mihaylova and Martins, 2019,
        https://arxiv.org/abs/1906.07651
    """

    def __init__(self, rate: float, ramp: int = 2000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"ScheduledSampling: rate must be in [0, 1], got {rate!r}.")
        self.rate, self.ramp = rate, ramp
        self.generator = keras.random.SeedGenerator()

    def build(self, decoder_inputs_shape: tuple[int | None, ...], logits_shape: tuple[int | None, ...]) -> None:
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

    @property
    def training_state(self) -> list[keras.Variable]:
        """The variables that belong to a training and not to the trained model."""
        return [self.steps]

    def call(self, decoder_inputs: tf.Tensor, logits: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return tf.identity(decoder_inputs)
        rate = self.rate * tf.minimum(tf.convert_to_tensor(self.steps) / self.ramp, 1.0)
        self.steps.assign_add(1.0)
        predicted = tf.argmax(tf.stop_gradient(logits), -1, decoder_inputs.dtype)
        predicted = tf.concat([decoder_inputs[:, :1], predicted[:, :-1]], 1)
        replaced = keras.random.uniform(ops.shape(decoder_inputs), seed=self.generator) < rate
        return tf.where(replaced & (decoder_inputs > 0), predicted, decoder_inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "ramp": self.ramp}
