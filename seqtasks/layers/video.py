"""What looks at the frames of a clip: a network of images on each, what changes from one to the next, and its flow."""

import math

import keras
from keras import ops

RANKS = (0, 1, 3, 7, 15)  # of the cells of a flow, the fastest first
SECTORS = 8  # of directions
SLOW = 0.02  # pixels a step beside which a speed is seen


@keras.saving.register_keras_serializable("seqtasks")
class TimeDistributed(keras.layers.Wrapper):
    """Applies a layer, or a model, of images to each frame of a clip.

    Args:
        layer: from (batch, height, width, channels) to (batch, features).

    Call arguments:
        inputs: (batch, time, height, width, channels), all but the first two of known size.

    Output shape:
        (batch, time, features).

    Example:
        >>> tuple(TimeDistributed(keras.layers.GlobalAveragePooling2D())(ops.ones((2, 5, 8, 8, 3))).shape)
        (2, 5, 3)
    """

    def build(self, input_shape):
        super().build((None, *input_shape[2:]))

    def call(self, inputs):
        features = self.layer(ops.reshape(inputs, (-1, *inputs.shape[2:])))
        return ops.reshape(features, (-1, ops.shape(inputs)[1], *features.shape[1:]))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], *self.layer.compute_output_shape((None, *input_shape[2:]))[1:])


@keras.saving.register_keras_serializable("seqtasks")
class FrameDifference(keras.layers.Layer):
    """Each step beside what has changed in it since the step before; the first has changed nothing.

    Call arguments:
        inputs: (batch, time, ..., features).

    Output shape:
        (batch, time, ..., 2 features).

    Example:
        >>> FrameDifference()(ops.convert_to_tensor([[[1.0], [3.0]]])).numpy().tolist()
        [[[1.0, 0.0], [3.0, 2.0]]]

    References:
        frame differences beside frames: Wang et al., 2016, section 3.2, https://arxiv.org/abs/1608.00859
    """

    def call(self, inputs):
        before = ops.concatenate([inputs[:, :1], inputs[:, :-1]], 1)
        return ops.concatenate([inputs, inputs - before], -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])


@keras.saving.register_keras_serializable("seqtasks")
class OpticalFlow(keras.layers.Layer):
    """How fast what is seen in each cell of a grid moves, from the step before: least squares over the cell's pixels.

    With g_x, g_y and g_t the differences of grey from pixel to pixel and from step to step, the velocity (u, v) makes
    the sum over the cell of (g_x u + g_y v + g_t)^2 + smoothing (u^2 + v^2) as small as can be. The first step has the
    flow of the second.

    Args:
        cells: along each side of the grid.
        scale: by how many pixels the sides are divided first; larger ones follow faster motion.
        smoothing: variance of grey below which a cell is taken to rest, in levels from 0 to 255, squared.

    Call arguments:
        inputs: (batch, time, height, width, channels), of any type, from 0 to 255.

    Output shape:
        (batch, time, cells, cells, 2), to the right and down, in pixels of the divided sides a step.

    Example:
        >>> import numpy as np
        >>> x = np.arange(32.0)  # a ramp of 4 levels a pixel; after a step it lies half a pixel further to the right
        >>> clip = np.stack([np.tile(4 * (x - moved), (32, 1)) for moved in (0, 0.5)])[None, ..., None]
        >>> round(float(OpticalFlow(cells=4, smoothing=1e-3)(clip)[0, 1, 1, 1, 0]), 3)
        0.5

    References:
        Lucas and Kanade, 1981, section 4, https://www.ijcai.org/Proceedings/81-2/Papers/017.pdf
    """

    def __init__(self, cells=8, scale=1, smoothing=16.0, **kwargs):
        super().__init__(**kwargs)
        self.cells, self.scale, self.smoothing = cells, scale, smoothing

    def call(self, inputs):
        sides = [side // self.scale for side in inputs.shape[2:4]]
        channels = inputs.shape[-1]
        grey = ops.matmul(ops.cast(inputs, self.compute_dtype), ops.full((channels, 1), 1 / channels))[..., 0]
        grey = _means(grey, sides, [self.scale] * 2)
        first, second = grey[:, :-1], grey[:, 1:]
        x, y, t = *_slopes((first + second) / 2), second - first
        cell = [side // self.cells for side in sides]
        means = (_means(product, [self.cells] * 2, cell) for product in (x * x, x * y, y * y, x * t, y * t))
        xx, xy, yy, xt, yt = means  # (batch, time - 1, cells, cells)
        xx, yy = xx + self.smoothing, yy + self.smoothing
        flow = ops.stack([xy * yt - yy * xt, xy * xt - xx * yt], -1) / (xx * yy - xy * xy)[..., None]
        return ops.concatenate([flow[:, :1], flow], 1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.cells, self.cells, 2)

    def get_config(self):
        own = {"cells": self.cells, "scale": self.scale, "smoothing": self.smoothing}
        return {**super().get_config(), **own}


def _means(pixels, counts, sizes):
    """Means over `counts` cells of `sizes` pixels, along the last two axes; what does not fill a cell is left out."""
    for axis, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        if size > 1 or count < pixels.shape[-2 + axis]:
            shares = ops.repeat(ops.eye(count, dtype=pixels.dtype) / size, size, 0)  # (pixels, cells)
            shares = ops.pad(shares, [[0, pixels.shape[-2 + axis] - count * size], [0, 0]])
            pixels = ops.matmul(pixels, shares) if axis else ops.matmul(ops.transpose(shares), pixels)
    return pixels


def _slopes(grey):
    """Differences from pixel to pixel along the last axis and the one before; 0 at the edges."""
    across, down = (grey[..., 2:] - grey[..., :-2]) / 2, (grey[..., 2:, :] - grey[..., :-2, :]) / 2
    return ops.pad(across, [[0, 0]] * 3 + [[1, 1]]), ops.pad(down, [[0, 0]] * 2 + [[1, 1], [0, 0]])


@keras.saving.register_keras_serializable("seqtasks")
class FlowStatistics(keras.layers.Layer):
    """What a flow is like in each step, wherever in the frame it is: how fast, how much of it, how orderly.

    Three speeds are looked at: of the flow, of the flow less its median over the cells, which is that of a camera that
    pans, and of its change since the step before. Of each there are the logarithms of the 1st, 2nd, 4th, 8th and 16th
    largest of the cells. Then, of the directions without the median, weighted by speed: their entropy over eight
    sectors in nats, and the length of their mean, 1 where all agree. At last the logarithms of the mean speeds across
    and up or down.

    Call arguments:
        inputs: (batch, time, cells, cells, 2), of 16 cells at least.

    Output shape:
        (batch, time, 19).

    Example:
        >>> FlowStatistics()(ops.zeros((2, 5, 8, 8, 2))).shape
        TensorShape([2, 5, 19])
    """

    def call(self, inputs):
        flow = ops.reshape(inputs, (-1, ops.shape(inputs)[1], inputs.shape[2] * inputs.shape[3], 2))
        apart = flow - ops.median(flow, 2, keepdims=True)
        change = flow - ops.concatenate([flow[:, :1], flow[:, :-1]], 1)
        speeds = [ops.sqrt(ops.sum(ops.square(each), -1)) for each in (flow, apart, change)]  # (batch, time, cells)
        ranked = [ops.take(-ops.sort(-speed, -1), RANKS, -1) for speed in speeds]
        weights = speeds[1] / (ops.sum(speeds[1], -1, keepdims=True) + 1e-3)
        turn = (ops.arctan2(apart[..., 1], apart[..., 0]) / math.pi + 1) / 2  # from 0 to 1
        sectors = ops.one_hot(ops.minimum(ops.cast(turn * SECTORS, "int32"), SECTORS - 1), SECTORS, dtype=inputs.dtype)
        shares = ops.sum(weights[..., None] * sectors, 2)
        entropy = -ops.sum(shares * ops.log(shares + 1e-6), -1, keepdims=True)
        unit = apart / (speeds[1][..., None] + 1e-6)
        agreement = ops.sqrt(ops.sum(ops.square(ops.sum(weights[..., None] * unit, 2)), -1, keepdims=True))
        logarithms = ops.log(ops.concatenate([*ranked, ops.mean(ops.abs(flow), 2)], -1) + SLOW)
        return ops.concatenate([logarithms, entropy, agreement], -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], 3 * len(RANKS) + 4)


def image_stack(shape, channels, grid, units, dropout=0.0, name="image_stack"):
    """A small convolutional network from images to vectors: convolutions, each with batch normalisation and a
    rectifier, then one dense layer. The first convolution sees 5 x 5 pixels and leaves every other place out; the later
    ones see 3 x 3, after the largest of 2 x 2 each was taken.

    Args:
        shape: (height, width, channels) of the images.
        channels: of the outputs of each convolution.
        grid: places along each side, at most, over which the last outputs are averaged; 1 forgets where they were.
        units: size of the vectors.
        dropout: rate of the averages.
        name: of the network.

    Returns:
        A functional `keras.Model`.

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
