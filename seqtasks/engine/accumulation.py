"""Gradient accumulation: a step computes its batch in parts, one after the other, and needs the memory of one part."""

import types
from typing import Any

import keras
import tensorflow as tf

from seqtasks.errors import UserError


def accumulate(model: keras.Model, parts: int, passes: int = 1) -> None:
    """Let a compiled model compute each training step in parts.

    The gradient is that of the whole batch: each part counts by its share of the rows, as a loss does that is divided
    by the number of rows. Weights of rows are those of the whole batch, so it is exact for batches by tokens too.

    Args:
        model: compiled, with a loss that is a mean over rows.
        parts: how many.
        passes: rows next to each other that stay together.

    Raises:
        UserError: if the model carries a state from batch to batch.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> accumulate(model, 2)
        >>> sorted(model.fit(tf.ones((4, 1)), tf.ones((4, 1)), verbose=0).history)
        ['loss']
    """
    states = [v for layer in model.layers for v in getattr(layer, "training_state", ())]
    if any(getattr(layer, "training_state", ()) and hasattr(layer, "reset_state") for layer in model.layers):
        what, remedy = "a state that is carried over batches has a value for each row", "take a smaller --batch_size"
        raise UserError(what, where="--accumulate", remedy=remedy)

    def train_step(model: keras.Model, data: Any) -> dict[str, Any]:
        weights = model.trainable_weights
        rows = tf.shape(tf.nest.flatten(data)[0])[0]
        groups = rows // passes
        size = passes * -(-groups // parts)
        before = [tf.identity(state) for state in states]  # a step counts once

        def part(start: tf.Tensor, loss: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(
                tf.nest.map_structure(lambda value: value[start : start + size], data)
            )
            for state, value in zip(states, before, strict=True):
                state.assign(value)
            share = tf.cast(tf.minimum(size, rows - start), tf.float32) / tf.cast(rows, tf.float32)
            with tf.GradientTape() as tape:
                outputs = model(x, training=True)
                mean = share * model.compute_loss(x, y, outputs, weight, training=True)
                scaled = model.optimizer.scale_loss(mean)
            gradients = tape.gradient(scaled, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return start + size, loss + mean, *(s + g for s, g in zip(sums, gradients, strict=True))

        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in weights]
        given = [tf.constant(0), tf.constant(0.0), *zeros]
        _, loss, *gradients = tf.while_loop(lambda start, *_: start < rows, part, given, parallel_iterations=1)
        devices = tf.distribute.get_strategy().num_replicas_in_sync  # by which Keras divides the loss of each
        model._loss_tracker.update_state(loss * devices, sample_weight=rows)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return model.get_metrics_result()

    model.train_step = types.MethodType(train_step, model)
