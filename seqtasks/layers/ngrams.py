"""A linear model of hashed n-grams, the wide path beside a deep one."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class NgramScores(keras.layers.Layer):
    """The sum of the scores of the n-grams of a text, over the square root of their number: a linear model.

    A linear model of n-grams knows every rare phrase of train at once; a recurrence learns to know only what is
    frequent. Their scores are added and trained together, so that the network learns what the n-grams do not know.

    Args:
        buckets: rows of the table, one for each hash of an n-gram; row 0 is padding.
        outputs: number of scores.
        dropout: share of the n-grams that are left out in training.
        scale: factor of the scores. With Adam, all weights move at the same rate; a larger factor lets the linear
            model learn faster than the layers beside it.

    Call arguments:
        ngrams: int (batch, n), the distinct n-grams of each text, 0 for padding; see
            `seqtasks.text.word_features.ngrams`.
        training: whether n-grams are left out.

    Output shape:
        (batch, outputs).

    Example:
        >>> layer = NgramScores(buckets=10, outputs=2, scale=1.0)
        >>> layer.build((None, None))
        >>> _ = layer.table.assign(tf.ones((10, 2)))
        >>> layer(tf.constant([[3, 4, 5, 6], [3, 0, 0, 0]])).numpy().tolist()
        [[2.0, 2.0], [1.0, 1.0]]

    References:
        Wang and Manning, 2012, https://aclanthology.org/P12-2018/; wide and deep: Cheng et al., 2016,
        https://arxiv.org/abs/1606.07792; hashing: Weinberger et al., 2009, https://arxiv.org/abs/0902.2206
    """

    def __init__(self, buckets: int, outputs: int, dropout: float = 0.0, scale: float = 30.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.buckets, self.outputs, self.dropout, self.scale = buckets, outputs, dropout, scale
        self.generator = keras.random.SeedGenerator()

    @property
    def row_axes(self) -> dict[str, tuple[int, ...]]:
        """The axes of the weights that are numbered by labels; one score belongs to all of them together."""
        return {"table": (1,)} if self.outputs > 1 else {}

    def build(self, ngrams_shape: tuple[int | None, ...]) -> None:
        self.table = self.add_weight(shape=(self.buckets, self.outputs), initializer="zeros", name="table")

    def call(self, ngrams: tf.Tensor, training: bool = False) -> tf.Tensor:
        present = tf.cast(ngrams > 0, self.compute_dtype)  # (batch, n)
        size = tf.reduce_sum(present, 1, keepdims=True)
        if training and self.dropout:
            kept = keras.random.uniform(ops.shape(ngrams), seed=self.generator) >= self.dropout
            present *= tf.cast(kept, present.dtype) / (1 - self.dropout)
        weights = present * self.scale * tf.math.rsqrt(tf.maximum(size, 1))
        return tf.einsum("bn,bno->bo", weights, tf.gather(tf.convert_to_tensor(self.table), ngrams))

    def compute_output_shape(self, ngrams_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (ngrams_shape[0], self.outputs)

    def get_config(self) -> dict[str, Any]:
        names = ("buckets", "outputs", "dropout", "scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
