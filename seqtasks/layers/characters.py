"""From the letters of a word to a vector."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks import cells
from seqtasks.layers.rnn import Bidirectional


@keras.saving.register_keras_serializable("seqtasks")
class CharacterEncoder(keras.layers.Layer):
    """Reads each word letter by letter: by convolution and the maximum over the letters, or by a bidirectional LSTM.

    Args:
        characters: how many there are, padding (0) included.
        dimension: size of the vectors of characters.
        units: size of the vector of a word.
        kind: `cnn` (windows of three letters) or `bilstm` (the last outputs of both directions, half of `units` each).

    Call arguments:
        inputs: int (batch, time, letters), 0 behind the end of a word.

    Output shape:
        (batch, time, units).

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

    WIDTH = 3  # letters of a window
    KINDS = ("cnn", "bilstm")

    def __init__(self, characters, dimension, units, kind="cnn", **kwargs):
        super().__init__(**kwargs)
        if kind not in self.KINDS:
            raise ValueError(f"CharacterEncoder: unknown kind {kind!r}: the kinds are {', '.join(self.KINDS)}.")
        self.characters, self.dimension, self.units, self.kind = characters, dimension, units, kind
        self.supports_masking = True
        if kind == "bilstm":
            pair = (cells.make("lstm", units // 2, name=name) for name in ("forward", "backward"))
            self.reader = Bidirectional(*pair, return_sequences=False, name="reader")

    def build(self, input_shape):
        shape = (self.characters, self.dimension)
        self.table = self.add_weight(shape=shape, initializer="uniform", name="table")
        if self.kind == "bilstm":
            self.reader.build((None, input_shape[2], self.dimension))
            return
        self.kernel = self.add_weight(shape=(self.WIDTH * self.dimension, self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs):
        shape = tf.shape(inputs)
        letters = tf.reshape(inputs, (-1, inputs.shape[2]))  # (batch * time, letters)
        live = letters > 0
        vectors = tf.gather(self.table, letters) * tf.cast(live, self.compute_dtype)[..., None]
        if self.kind == "bilstm":
            words = self.reader(vectors, mask=live)
        else:
            side = self.WIDTH // 2
            around = tf.pad(vectors, [[0, 0], [side, side], [0, 0]])
            windows = tf.concat([around[:, i : i + inputs.shape[2]] for i in range(self.WIDTH)], -1)
            words = tf.reduce_max(tf.nn.relu(ops.matmul(windows, self.kernel) + self.bias), 1)
        return tf.reshape(words, (shape[0], shape[1], self.units))

    def compute_mask(self, inputs, mask=None):
        return ops.any(ops.not_equal(inputs, 0), -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.units)

    def get_config(self):
        names = ("characters", "dimension", "units", "kind")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
