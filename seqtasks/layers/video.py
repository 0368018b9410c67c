"""Layers of video clips: image networks on each frame, differences between frames, and optical flow."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

RANKS = (0, 1, 3, 7, 15)  # of the cells of a flow, the fastest first
SECTORS = 8  # of directions
SLOW = 0.02  # pixels per step, added to a speed before its logarithm


@keras.saving.register_keras_serializable("seqtasks")
class TimeDistributed(keras.layers.Wrapper):
    """Applies a layer, or a model, of images to each frame of a clip.

    `keras.layers.TimeDistributed` calls its layer for each step; this one calls it once, with all frames of the batch
    as one batch of images.

    Args:
        layer: from (batch, height, width, channels) to (batch, features).

    Call arguments:
        inputs: (batch, time, height, width, channels), all axes but the first two of known size.

    Output shape:
        (batch, time, features), without a mask.

    Example:
        >>> tuple(TimeDistributed(keras.layers.GlobalAveragePooling2D())(ops.ones((2, 5, 8, 8, 3))).shape)
        (2, 5, 3)
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build((None, *input_shape[2:]))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        features = self.layer(ops.reshape(inputs, (-1, *inputs.shape[2:])))  # (batch * time, features)
        return ops.reshape(features, (-1, ops.shape(inputs)[1], *features.shape[1:]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], *self.layer.compute_output_shape((None, *input_shape[2:]))[1:])


@keras.saving.register_keras_serializable("seqtasks")
class FrameDifference(keras.layers.Layer):
    """Each step, concatenated with its difference to the step before, which is 0 at the first step.

    Call arguments:
        inputs: (batch, time, ..., features).

    Output shape:
        (batch, time, ..., 2 features), without a mask.

    Example:
        >>> FrameDifference()(ops.convert_to_tensor([[[1.0], [3.0]]])).numpy().tolist()
        [[[1.0, 0.0], [3.0, 2.0]]]

    References:
        frame differences in addition to frames: Wang et al., 2016, section 3.2, https://arxiv.org/abs/1608.00859
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        shifted = ops.concatenate([inputs[:, :1], inputs[:, :-1]], 1)
        return ops.concatenate([inputs, inputs - shifted], -1)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*input_shape[:-1], 2 * input_shape[-1])


@keras.saving.register_keras_serializable("seqtasks")
class OpticalFlow(keras.layers.Layer):
    """The velocity of the image in each cell of a grid since the step before, by least squares over the cell's pixels.

    With g_x, g_y and g_t the differences of grey from pixel to pixel and from step to step, the velocity (u, v)
    minimises the sum over the cell of (g_x u + g_y v + g_t)^2 + smoothing (u^2 + v^2). The first step has the flow of
    the second.

    Args:
        cells: number of cells along each side of the grid.
        scale: factor by which the image is reduced first; a larger one follows faster motion.
        smoothing: variance of grey, in squared levels from 0 to 255, below which the velocity shrinks to 0.

    Call arguments:
        inputs: (batch, time, height, width, channels), of any type, from 0 to 255.

    Output shape:
        (batch, time, cells, cells, 2), to the right and down, in pixels of the reduced image per step; without a mask.

    Example:
        >>> import numpy as np
        >>> x = np.arange(32.0)  # a ramp of 4 levels per pixel, moved to the right by half a pixel
        >>> clip = np.stack([np.tile(4 * (x - shift), (32, 1)) for shift in (0, 0.5)])[None, ..., None]
        >>> round(float(OpticalFlow(cells=4, smoothing=1e-3)(clip)[0, 1, 1, 1, 0]), 3)
        0.5

    References:
        Lucas and Kanade, 1981, section 4, https://www.ijcai.org/Proceedings/81-2/Papers/017.pdf
    """

    def __init__(self, cells: int = 8, scale: int = 1, smoothing: float = 16.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells, self.scale, self.smoothing = cells, scale, smoothing

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        sides = [side // self.scale for side in inputs.shape[2:4]]
        channels = inputs.shape[-1]
        grey = ops.matmul(ops.cast(inputs, self.compute_dtype), ops.full((channels, 1), 1 / channels))[..., 0]
        grey = _means(grey, sides, [self.scale] * 2)  # (batch, time, height / scale, width / scale)
        first, second = grey[:, :-1], grey[:, 1:]
        x, y, t = *_slopes((first + second) / 2), second - first
        cell = [side // self.cells for side in sides]
        means = (_means(product, [self.cells] * 2, cell) for product in (x * x, x * y, y * y, x * t, y * t))
        xx, xy, yy, xt, yt = means  # (batch, time - 1, cells, cells)
        xx, yy = xx + self.smoothing, yy + self.smoothing
        flow = ops.stack([xy * yt - yy * xt, xy * xt - xx * yt], -1) / (xx * yy - xy * xy)[..., None]
        return ops.concatenate([flow[:, :1], flow], 1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], self.cells, self.cells, 2)

    def get_config(self) -> dict[str, Any]:
        config = {"cells": self.cells, "scale": self.scale, "smoothing": self.smoothing}
        return {**super().get_config(), **config}


def _means(pixels: tf.Tensor, counts: Sequence[int], sizes: Sequence[int]) -> tf.Tensor:
    """Means over `counts` cells of `sizes` pixels along the last two axes; pixels beyond the last cell are ignored."""
    for axis, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        if size > 1 or count < pixels.shape[-2 + axis]:
            shares = ops.repeat(ops.eye(count, dtype=pixels.dtype) / size, size, 0)  # (pixels, cells)
            shares = ops.pad(shares, [[0, pixels.shape[-2 + axis] - count * size], [0, 0]])
            pixels = ops.matmul(pixels, shares) if axis else ops.matmul(ops.transpose(shares), pixels)
    return pixels


def _slopes(grey: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Differences from pixel to pixel along the last axis and the one before; 0 at the edges."""
    across, down = (grey[..., 2:] - grey[..., :-2]) / 2, (grey[..., 2:, :] - grey[..., :-2, :]) / 2
    return ops.pad(across, [[0, 0]] * 3 + [[1, 1]]), ops.pad(down, [[0, 0]] * 2 + [[1, 1], [0, 0]])


@keras.saving.register_keras_serializable("seqtasks")
class FlowStatistics(keras.layers.Layer):
    """Statistics of a flow in each step that do not depend on the position: speeds, and the order of the directions.

    There are three speeds: of the flow, of the flow minus its median over the cells (the motion of a panning camera),
    and of the change of the flow since the step before. The outputs are:

    - 15 logarithms: of each speed the 1st, 2nd, 4th, 8th and 16th largest over the cells;
    - 2 logarithms: of the mean horizontal and the mean vertical speed of the flow;
    - the entropy of the directions without the median over eight sectors, weighted by speed, in nats;
    - the length of the weighted mean of these directions, 1 if all agree.

    Call arguments:
        inputs: (batch, time, cells, cells, 2), of at least 16 cells.

    Output shape:
        (batch, time, 19), without a mask.

    Example:
        >>> FlowStatistics()(ops.zeros((2, 5, 8, 8, 2))).shape
        TensorShape([2, 5, 19])
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        flow = ops.reshape(inputs, (-1, ops.shape(inputs)[1], inputs.shape[2] * inputs.shape[3], 2))
        centred = flow - ops.median(flow, 2, keepdims=True)
        change = flow - ops.concatenate([flow[:, :1], flow[:, :-1]], 1)
        speeds = [ops.sqrt(ops.sum(ops.square(each), -1)) for each in (flow, centred, change)]  # (batch, time, cells)
        ranked = [ops.take(-ops.sort(-speed, -1), RANKS, -1) for speed in speeds]
        weights = speeds[1] / (ops.sum(speeds[1], -1, keepdims=True) + 1e-3)
        turn = (ops.arctan2(centred[..., 1], centred[..., 0]) / math.pi + 1) / 2  # from 0 to 1
        sectors = ops.one_hot(ops.minimum(ops.cast(turn * SECTORS, "int32"), SECTORS - 1), SECTORS, dtype=inputs.dtype)
        shares = ops.sum(weights[..., None] * sectors, 2)
        entropy = -ops.sum(shares * ops.log(shares + 1e-6), -1, keepdims=True)
        unit = centred / (speeds[1][..., None] + 1e-6)
        agreement = ops.sqrt(ops.sum(ops.square(ops.sum(weights[..., None] * unit, 2)), -1, keepdims=True))
        logarithms = ops.log(ops.concatenate([*ranked, ops.mean(ops.abs(flow), 2)], -1) + SLOW)
        return ops.concatenate([logarithms, entropy, agreement], -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], 3 * len(RANKS) + 4)


def image_stack(
    shape: tuple[int, int, int],
    channels: Sequence[int],
    grid: int,
    units: int,
    dropout: float = 0.0,
    name: str = "image_stack",
) -> keras.Model:
    """A small convolutional network from images to vectors.

    It has convolutions, each with batch normalisation and ReLU, average pooling and one dense layer. The first
    convolution has a kernel of 5 x 5 and stride 2; the later ones have 3 x 3, after max pooling of 2 x 2.

    Args:
        shape: (height, width, channels) of the images.
        channels: number of output channels of each convolution.
        grid: largest number of cells along each side over which the last outputs are averaged; 1 discards positions.
        units: size of the vectors.
        dropout: rate of the dropout of the averages.
        name: of the network.

    Returns:
        A functional `keras.Model` from (batch, height, width, channels) to (batch, units).

    Example:
        >>> image_stack((32, 32, 3), [8, 16], grid=2, units=32).output_shape
        (None, 32)
    """
    layers = keras.layers
    images = x = keras.Input(shape)
    for number, count in enumerate(channels, 1):
        if number > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"pooling_{number}")(x)
        width, stride = (5, 2) if number == 1 else (3, 1)
        x = layers.Conv2D(count, width, stride, "same", use_bias=False, name=f"convolution_{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"normalisation_{number}")(x)
        x = layers.Activation("relu", name=f"rectifier_{number}")(x)
    cell = [-(-side // grid) for side in x.shape[1:3]]
    x = layers.Flatten(name="flat")(layers.AveragePooling2D(cell, padding="same", name="grid")(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(images, layers.Dense(units, "relu", name="vector")(x), name=name)
