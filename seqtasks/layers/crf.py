"""A conditional random field over the steps of a sequence."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqtasks.ops.crf import FORBIDDEN


@keras.saving.register_keras_serializable("seqtasks")
class CRF(keras.layers.Layer):
    """Pairwise scores of neighbouring tags, from the emissions of a network and the weights of transitions.

    ::

        scores[t, i, j] = emission[t, j] + transition[i, j]     between the first and the last unmasked step
        scores[t, i, j] = emission[t, j] + start[j]             at the first one
        + end[j]                                                at the last one

    The output is one plain tensor, from which `seqtasks.ops.crf` computes the likelihood (`seqtasks.losses.CRFLoss`),
    the best paths and the marginals, so that `fit`, `.keras` files and exports need nothing special. Masked steps may
    be anywhere; they are skipped.

    | symbol      | attribute      | shape          |
    |-------------|----------------|----------------|
    | start       | `start`        | (tags,)        |
    | transition  | `transitions`  | (tags, tags)   |
    | end         | `end`          | (tags,)        |

    Args:
        allowed: `(start, transitions, end)`, booleans of these shapes: which tag may be first, follow another, be last;
            None allows all. `seqtasks.ner.tag_schemes.constraints` returns those of IOB2 and IOBES.
        learn: whether the scores of transitions are weights; otherwise they are 0, and only the constraints apply.

    Call arguments:
        inputs: emissions (batch, time, tags).
        mask: boolean (batch, time).

    Output shape:
        (batch, time, tags, tags), float32, or float64 for float64 inputs; without a mask.

    Raises:
        ValueError: if the constraints do not have the shapes of the weights.

    Example:
        >>> from seqtasks.ops import crf
        >>> layer = CRF(([True, False], [[True, False], [True, True]], [True, True]), learn=False)
        >>> crf.viterbi(layer(tf.constant([[[0.0, 9.0], [0.0, 9.0]]])))[0].numpy().tolist()  # tag 1 cannot be first
        [[0, 0]]

    References:
        Lample et al., 2016, equation 1, https://arxiv.org/abs/1603.01360
    """

    row_axes = {"start": (0,), "transitions": (0, 1), "end": (0,)}  # numbered by tags

    def __init__(self, allowed: Sequence[Any] | None = None, learn: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = None if allowed is None else [ops.convert_to_numpy(a).astype(bool).tolist() for a in allowed]
        self.learn, self.supports_masking = learn, True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = input_shape[-1]
        shapes = {"start": (size,), "transitions": (size, size), "end": (size,)}
        allowed = self.allowed or [np.ones(shape, bool) for shape in shapes.values()]
        self.penalties = [np.where(part, 0.0, FORBIDDEN) for part in allowed]
        for (name, shape), penalty in zip(shapes.items(), self.penalties, strict=True):
            if penalty.shape != shape:
                raise ValueError(f"CRF: allowed {name} has the shape {penalty.shape}, expected {shape}.")
        if self.learn:
            self.start, self.transitions, self.end = (
                self.add_weight(shape=shape, initializer="zeros", name=name, dtype="float32")
                for name, shape in shapes.items()
            )

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        emissions = inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
        start, transitions, end = (tf.cast(penalty, emissions.dtype) for penalty in self.penalties)
        if self.learn:
            start += tf.cast(self.start, emissions.dtype)
            transitions += tf.cast(self.transitions, emissions.dtype)
            end += tf.cast(self.end, emissions.dtype)
        live = tf.ones(tf.shape(emissions)[:2], bool) if mask is None else tf.cast(mask, bool)
        number = tf.cumsum(tf.cast(live, tf.int32), axis=1)
        first = (live & (number == 1))[..., None, None]
        last = (live & (number == number[:, -1:]))[..., None]
        emissions += tf.where(last, end, 0)  # (batch, time, tags)
        scores = emissions[:, :, None] + tf.where(first, start, transitions)  # (batch, time, from, to)
        waiting = tf.where(tf.eye(emissions.shape[-1], dtype=tf.bool), tf.zeros((), scores.dtype), FORBIDDEN)
        return tf.where(live[..., None, None], scores, waiting)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, input_shape[-1])

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "allowed": self.allowed, "learn": self.learn}
