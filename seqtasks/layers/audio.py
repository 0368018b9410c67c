"""Spectrogram frames of waveforms, their augmentation, and strided convolution over time."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqtasks.layers.plain_loop import is_converting

LOWEST = 20.0  # hertz, the lower end of the lowest band
FLOOR = 1e-10  # power that is added, about the noise of 16-bit samples
MEAN, SPREAD = -12.0, 4.0  # approximate mean and standard deviation of the log-power of speech


@keras.saving.register_keras_serializable("seqtasks")
class LogMel(keras.layers.Layer):
    """The log-power in frequency bands of equal width on the mel scale.

    Frame t is the spectrum, with a Hann window, of the samples from ``t * hop`` to ``t * hop + window`` seconds. Power
    is relative to that of a constant 1. The logarithms are scaled by fixed numbers, not by the statistics of the
    recording, so that a stream has the same frames as the whole recording::

        x = (ln(power + 1e-10) + 12) / 4

    The output mask is true for the frames that lie entirely within the samples of their row, and for the first frame.
    Waveforms and spectrum are float32, whatever the precision of the model.

    Args:
        sample_rate: samples per second.
        mels: number of bands, from 20 Hz to half the sample rate.
        window: length of a frame in seconds.
        hop: seconds from one frame to the next.

    Call arguments:
        inputs: `[waveforms, samples]`: float (batch, time), and int (batch,), the number of samples in each row.

    Output shape:
        (batch, frames, mels), with a mask (batch, frames).

    Raises:
        ValueError: if a band is narrower than the frequency resolution of a frame.

    Example:
        >>> layer = LogMel(8000)
        >>> frames = layer([tf.zeros((2, 8000)), tf.constant([8000, 4000])])
        >>> frames.shape, layer.frames(tf.constant([8000, 4000])).numpy().tolist()
        (TensorShape([2, 98, 40]), [98, 48])

    References:
        Davis and Mermelstein, 1980, section II, https://doi.org/10.1109/TASSP.1980.1163420
    """

    def __init__(
        self, sample_rate: int, mels: int = 40, window: float = 0.025, hop: float = 0.010, **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.sample_rate, self.mels, self.window, self.hop = sample_rate, mels, window, hop
        self.size, self.step = round(window * sample_rate), round(hop * sample_rate)
        self.points = 1 << (self.size - 1).bit_length()
        with tf.init_scope():
            bounds = (LOWEST, sample_rate / 2)
            bands = tf.signal.linear_to_mel_weight_matrix(mels, self.points // 2 + 1, sample_rate, *bounds).numpy()
        empty = int((bands.sum(0) == 0).sum())
        if empty:
            raise ValueError(f"LogMel: {empty} of {mels} bands are narrower than 1 / window: use fewer mels.")
        self.bands, self.supports_masking = bands, True

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        waveforms, _ = inputs  # (batch, time)
        missing = tf.maximum(self.size - tf.shape(waveforms)[1], 0)
        real, imaginary = self._spectrum(tf.pad(waveforms, [[0, 0], [0, missing]]))
        scale = np.float32(2 / self.size)  # 1 / the sum of the window
        power = tf.square(scale * real) + tf.square(scale * imaginary)
        return (tf.math.log(tf.tensordot(power, self.bands, 1) + FLOOR) - MEAN) / SPREAD

    def _spectrum(self, waveforms: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The parts of the spectrum of each frame, both (batch, frames, points // 2 + 1)."""
        if not is_converting():
            spectrum = tf.signal.stft(waveforms, self.size, self.step, self.points)
            return tf.math.real(spectrum), tf.math.imag(spectrum)
        angles = 2 * np.pi * np.outer(np.arange(self.size), np.arange(self.points // 2 + 1)) / self.points
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)[:, None]  # of Hann, periodic
        frames = tf.signal.frame(waveforms, self.size, self.step)
        parts = (
            np.float32(window * wave(angles)) for wave in (np.cos, np.sin)
        )  # no converter knows all of a transform
        real, imaginary = (tf.tensordot(frames, part, 1) for part in parts)
        return real, imaginary

    def frames(self, samples: tf.Tensor) -> tf.Tensor:
        """The number of frames that the mask keeps of rows with these numbers of samples; at least 1."""
        return ops.maximum(1, 1 + (samples - self.size) // self.step)

    def compute_mask(self, inputs: list[tf.Tensor], mask: Any = None) -> tf.Tensor:
        waveforms, samples = inputs[0], ops.cast(inputs[1], "int32")
        later = waveforms[:, self.size + self.step - 1 :: self.step]  # one sample of each frame except the first
        number = ops.cumsum(ops.ones_like(later, dtype="int32"), 1)
        first = ops.ones_like(samples[:, None], dtype="bool")
        return ops.concatenate([first, number < self.frames(samples)[:, None]], 1)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        (batch, time), _ = input_shape
        return (batch, None if time is None else max(1, 1 + (time - self.size) // self.step), self.mels)

    def get_config(self) -> dict[str, Any]:
        names = ("sample_rate", "mels", "window", "hop")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class SpecAugment(keras.layers.Layer):
    """In training, sets some intervals of time and some intervals of frequency bands to zero (SpecAugment).

    Lengths and positions are drawn independently for each row, the lengths uniformly from 0 to their largest value.

    Args:
        times, bands: number of intervals of time and of bands per row.
        time_share: largest length of an interval of time, as a share of the frames of its row.
        band_share: largest length of an interval of bands, as a share of all bands.

    Call arguments:
        inputs: (batch, frames, bands).
        mask: boolean (batch, frames), true for the first frames of each row.
        training: whether anything is set to zero.

    Output shape:
        That of the inputs, with their mask.

    Example:
        >>> layer = SpecAugment(times=0, bands=1, band_share=0.5)
        >>> hidden = tf.reduce_all(layer(tf.ones((8, 9, 10)), training=True) == 0, 1)
        >>> bool(tf.reduce_all(tf.reduce_sum(tf.cast(hidden, tf.int32), 1) <= 5))
        True

    References:
        Park et al., 2019, section 2, https://arxiv.org/abs/1904.08779; shares of the length: Park et al., 2020,
        section 3.2, https://arxiv.org/abs/1912.05533
    """

    def __init__(
        self, times: int = 2, bands: int = 2, time_share: float = 0.05, band_share: float = 0.3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.times, self.bands, self.time_share, self.band_share = times, bands, time_share, band_share
        self.generator, self.supports_masking = keras.random.SeedGenerator(), True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs
        batch, time, bands = tf.unstack(tf.shape(inputs))
        frames = tf.fill([batch], time) if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), 1)
        hidden = self._hidden(frames, time, self.times, self.time_share)[..., None]
        hidden |= self._hidden(tf.fill([batch], bands), bands, self.bands, self.band_share)[:, None]
        return tf.where(hidden, tf.zeros((), inputs.dtype), inputs)

    def _hidden(self, lengths: tf.Tensor, size: tf.Tensor, count: int, share: float) -> tf.Tensor:
        """Whether each of `size` positions is in one of `count` intervals within the first `lengths`, (batch, size)."""
        lengths = tf.cast(lengths, tf.float32)[:, None]
        uniform = keras.random.uniform((tf.shape(lengths)[0], 2 * count), dtype="float32", seed=self.generator)
        width = tf.floor(uniform[:, :count] * (tf.floor(share * lengths) + 1))  # (batch, count)
        first = tf.floor(uniform[:, count:] * (lengths - width + 1))
        position = tf.range(tf.cast(size, tf.float32))[:, None, None]
        return tf.transpose(tf.reduce_any((position >= first) & (position < first + width), -1))

    def get_config(self) -> dict[str, Any]:
        names = ("times", "bands", "time_share", "band_share")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class StridedConv1D(keras.layers.Conv1D):
    """A convolution over time with one output for each `stride` steps, which treats masked steps as zeros.

    Output u depends on the `width` steps around step ``u * stride``, or with `causal` on that step and those before it.

    Args:
        units: size of the outputs.
        width: number of steps that an output depends on.
        stride: steps from one output to the next.
        causal: whether outputs depend on no later steps.
        options: of `keras.layers.Conv1D` (`activation`, ...).

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).
        padded: whether to add zeros before and after the inputs; without them each output needs `width` input steps.

    Output shape:
        (batch, time / stride rounded up, units), with the mask of every `stride`-th step.

    Raises:
        ValueError: if the stride is larger than the width, so that steps would be skipped.

    Example:
        >>> layer = StridedConv1D(1, width=3, stride=2, causal=True, kernel_initializer="ones")
        >>> layer(tf.ones((1, 5, 1)))[0, :, 0].numpy().tolist()
        [1.0, 3.0, 3.0]
    """

    def __init__(self, units: int, width: int, stride: int, causal: bool = False, **options: Any) -> None:
        super().__init__(units, width, strides=stride, padding="valid", **options)
        if stride > width:
            raise ValueError(f"StridedConv1D: a stride of {stride} skips steps, the width is {width}.")
        self.units, self.width, self.stride, self.causal = units, width, stride, causal
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None, padded: bool = True) -> tf.Tensor:
        if mask is not None:
            inputs *= ops.cast(mask, inputs.dtype)[..., None]
        if padded:
            before = self.width - 1 if self.causal else (self.width - 1) // 2
            inputs = ops.pad(inputs, [[0, 0], [before, self.width - 1 - before], [0, 0]])
        return super().call(inputs)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return None if mask is None else mask[:, :: self.stride]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, time, _ = input_shape
        return (batch, None if time is None else -(-time // self.stride), self.units)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("filters", "kernel_size", "strides", "padding"):
            del config[name]
        return {**config, **{name: getattr(self, name) for name in ("units", "width", "stride", "causal")}}
