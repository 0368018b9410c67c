"""Reading a text in one direction from its begin token, and putting what was read back into the order of the text."""

from typing import Any

import keras
import tensorflow as tf

from seqtasks.cells.cell import Shape

BOS = 2  # of `seqtasks.data.token_ids`, which layers do not import


def _in_order(x: tf.Tensor, tokens: tf.Tensor, backward: bool, ended: bool) -> tf.Tensor:
    """`x` (batch, time, ...), with the live steps of each row reversed if `backward`, but for an end token."""
    if not backward:
        return x
    live = tf.math.count_nonzero(tokens, 1, dtype=tf.int32)
    return tf.reverse_sequence(x, tf.maximum(live - 1, 0) if ended else live, 1, 0)


@keras.saving.register_keras_serializable("seqtasks")
class ReadingOrder(keras.layers.Layer):
    """The tokens of texts as a language model of one direction reads them, after `BOS`.

    Args:
        backward: whether it reads from the end.
        ended: whether texts end with an end token, which is read last in both directions, as in its training.

    Call arguments:
        tokens: int (batch, time), 0 for padding at the end.

    Output shape:
        (batch, 1 + time).

    Example:
        >>> ReadingOrder(backward=True)(tf.constant([[7, 8, 9], [5, 0, 0]])).numpy().tolist()
        [[2, 9, 8, 7], [2, 5, 0, 0]]
        >>> ReadingOrder(backward=True, ended=True)(tf.constant([[7, 8, 9, 3], [5, 3, 0, 0]])).numpy().tolist()
        [[2, 9, 8, 7, 3], [2, 5, 3, 0, 0]]
    """

    def __init__(self, backward: bool = False, ended: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backward, self.ended = backward, ended

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        ordered = _in_order(tokens, tokens, self.backward, self.ended)
        return tf.concat([tf.fill([tf.shape(tokens)[0], 1], tf.cast(BOS, tokens.dtype)), ordered], 1)

    def compute_output_spec(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        batch, time = tokens.shape
        return keras.KerasTensor((batch, None if time is None else time + 1), tokens.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "backward": self.backward, "ended": self.ended}


@keras.saving.register_keras_serializable("seqtasks")
class TextOrder(keras.layers.Layer):
    """What was computed at each token, in the order of the text: undoes `ReadingOrder`.

    Args:
        backward, ended: as of `ReadingOrder`.

    Call arguments:
        inputs: (batch, 1 + time, features), in reading order; the first step is that of `BOS`.
        tokens: int (batch, time), the tokens in the order of the text, 0 for padding.

    Output shape:
        (batch, time, features), with the mask of the steps after the first, which is that of the tokens.

    Example:
        >>> read = tf.constant([[[2.0], [9.0], [8.0], [7.0]]])
        >>> TextOrder(backward=True)(read, tf.constant([[7, 8, 9]]))[..., 0].numpy().tolist()
        [[7.0, 8.0, 9.0]]
    """

    def __init__(self, backward: bool = False, ended: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backward, self.ended = backward, ended

    def call(self, inputs: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        return _in_order(inputs[:, 1:], tokens, self.backward, self.ended)

    def compute_mask(self, inputs: tf.Tensor, previous_mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return None if previous_mask is None else previous_mask[:, 1:]

    def compute_output_shape(self, inputs_shape: Shape, tokens_shape: Shape) -> Shape:
        return (*tokens_shape[:2], *inputs_shape[2:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "backward": self.backward, "ended": self.ended}


@keras.saving.register_keras_serializable("seqtasks")
class StepsAt(keras.layers.Layer):
    """The steps of sequences at given positions.

    Call arguments:
        places: int (batch, steps), positions in time from 1; 0 for padding.
        sequence: (batch, time, features).

    Output shape:
        (batch, steps, features), zeros for padding, with the mask ``places != 0``.

    Example:
        >>> StepsAt()(tf.constant([[3, 1, 0]]), tf.constant([[[1.0], [2.0], [3.0]]]))[..., 0].numpy().tolist()
        [[3.0, 1.0, 0.0]]
    """

    def call(self, places: tf.Tensor, sequence: tf.Tensor) -> tf.Tensor:
        found = tf.gather(sequence, tf.maximum(places - 1, 0), batch_dims=1)
        return found * tf.cast(places > 0, sequence.dtype)[..., None]

    def compute_mask(self, places: tf.Tensor, previous_mask: tf.Tensor | None = None) -> tf.Tensor:
        return keras.ops.not_equal(places, 0)

    def compute_output_spec(self, places: keras.KerasTensor, sequence: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((*places.shape, sequence.shape[-1]), sequence.dtype)


@keras.saving.register_keras_serializable("seqtasks")
class NextTokens(keras.layers.Layer):
    """The token that follows each step of a text in reading order.

    Call arguments:
        tokens: int (batch, 1 + time), as `ReadingOrder` returns them.

    Output shape:
        (batch, 1 + time), -1 where no token follows.

    Example:
        >>> NextTokens()(tf.constant([[2, 9, 8, 0]])).numpy().tolist()
        [[9, 8, -1, -1]]
    """

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        following = tf.pad(tokens[:, 1:], [[0, 0], [0, 1]])
        return tf.where(following > 0, following, -1)

    def compute_output_spec(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(tokens.shape, tokens.dtype)


@keras.saving.register_keras_serializable("seqtasks")
class AuxiliaryLoss(keras.layers.Layer):
    """Adds the loss of a language model to that of the task, in training; its first input passes through.

    Args:
        weight: of the mean negative log-likelihood of a token, in nats.

    Call arguments:
        inputs: (batch, ...), returned as they are.
        log_likelihoods: (batch, time), in nats, 0 where there is no target.
        targets: int (batch, time), negative where there is none.

    Example:
        >>> layer = AuxiliaryLoss(0.5)
        >>> _ = layer(tf.ones((1, 2, 3)), tf.constant([[-4.0, 0.0]]), tf.constant([[7, -1]]), training=True)
        >>> [float(loss) for loss in layer.losses]
        [2.0]

    References:
        Chronopoulou et al., 2019, https://aclanthology.org/N19-1213
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight, self.supports_masking = weight, True

    def call(
        self, inputs: tf.Tensor, log_likelihoods: tf.Tensor, targets: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        if training:
            count = tf.reduce_sum(tf.cast(targets >= 0, log_likelihoods.dtype))
            replica = tf.distribute.get_replica_context()
            if replica and replica.num_replicas_in_sync > 1:  # Keras averages the losses of the devices
                count = replica.all_reduce(tf.distribute.ReduceOp.MEAN, count)
                self._clear_losses()  # of the devices before, which share this layer
            count = tf.maximum(count, 1 / (replica.num_replicas_in_sync if replica else 1))
            self.add_loss(-self.weight * tf.reduce_sum(log_likelihoods) / count)
        return tf.identity(inputs)

    def compute_mask(self, inputs: tf.Tensor, previous_mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return previous_mask

    def compute_output_spec(self, inputs: keras.KerasTensor, *others: Any, **named: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}
