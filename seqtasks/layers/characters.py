"""Vectors of words from their characters."""

from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from seqtasks import cells
from seqtasks.layers.bidirectional import Bidirectional


@keras.saving.register_keras_serializable("seqtasks")
class CharacterEncoder(keras.layers.Layer):
    """Encodes each word from its characters: by convolution and max pooling, or by a bidirectional LSTM.

    Args:
        characters: number of characters, including padding (0).
        dimension: size of the vectors of characters.
        units: size of the vector of a word.
        kind: `cnn` (windows of three characters) or `bilstm` (the last outputs of both directions, half of `units`
            each).

    Call arguments:
        inputs: int (batch, time, characters), 0 after the end of a word.

    Output shape:
        (batch, time, units), with a mask that is true for words with at least one character.

    Raises:
        ValueError: if the kind is unknown.

    Example:
        >>> layer = CharacterEncoder(characters=30, dimension=4, units=6)
        >>> tuple(layer(tf.constant([[[1, 2, 3], [4, 0, 0]]])).shape)
        (1, 2, 6)

    References:
        cnn: Ma and Hovy, 2016, section 2.1, https://arxiv.org/abs/1603.01354;
        bilstm: Lample et al., 2016, section 4.1, https://arxiv.org/abs/1603.01360
    """

    WIDTH = 3  # characters of a window
    KINDS = ("cnn", "bilstm")
    row_axes = {"table": (0,)}  # numbered by characters

    def __init__(
        self, characters: int, dimension: int, units: int, kind: Literal["cnn", "bilstm"] = "cnn", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kind not in self.KINDS:
            raise ValueError(f"CharacterEncoder: unknown kind {kind!r}: the kinds are {', '.join(self.KINDS)}.")
        self.characters, self.dimension, self.units, self.kind = characters, dimension, units, kind
        self.supports_masking = True
        if kind == "bilstm":
            forward, backward = (cells.make("lstm", units // 2, name=name) for name in ("forward", "backward"))
            self.reader = Bidirectional(forward, backward, return_sequences=False, name="reader")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (self.characters, self.dimension)
        self.table = self.add_weight(shape=shape, initializer="uniform", name="table")
        if self.kind == "bilstm":
            self.reader.build((None, input_shape[2], self.dimension))
            return
        self.kernel = self.add_weight(shape=(self.WIDTH * self.dimension, self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(inputs)
        characters = tf.reshape(inputs, (-1, inputs.shape[2]))  # (words, characters), words = batch * time
        mask = characters > 0
        vectors = tf.gather(self.table, characters) * tf.cast(mask, self.compute_dtype)[..., None]
        if self.kind == "bilstm":
            words = self.reader(vectors, mask=mask)
        else:
            side = self.WIDTH // 2
            padded = tf.pad(vectors, [[0, 0], [side, side], [0, 0]])
            windows = tf.concat([padded[:, i : i + inputs.shape[2]] for i in range(self.WIDTH)], -1)
            words = tf.reduce_max(tf.nn.relu(ops.matmul(windows, self.kernel) + self.bias), 1)
        return tf.reshape(words, (shape[0], shape[1], self.units))

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return ops.any(ops.not_equal(inputs, 0), -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        names = ("characters", "dimension", "units", "kind")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
