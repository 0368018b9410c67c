"""From waveforms to frames of a spectrum, and on to fewer frames."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

LOWEST = 20.0  # hertz, the lower end of the lowest band
FLOOR = 1e-10  # power that is added, as little as the noise of 16-bit samples
MEAN, SPREAD = -12.0, 4.0  # of the logarithms of speech, about


@keras.saving.register_keras_serializable("seqtasks")
class LogMel(keras.layers.Layer):
    """The logarithms of the power in bands of the spectrum, equally wide on the mel scale.

    Frame t is the spectrum, under a Hann window, of the samples from ``t * hop`` to ``t * hop + window`` seconds. Power
    is relative to that of a constant 1, and its logarithms are brought near unit scale by fixed numbers, not by the
    statistics of the recording, so that a stream has the frames of the whole::

        x = (ln(power + 1e-10) + 12) / 4

    The mask tells the frames that lie wholly within the samples of their row; the first always counts. Waveforms and
    spectrum are float32, whatever the precision of the model.

    Args:
        sample_rate: samples a second.
        mels: how many bands, from 20 Hz to half the sample rate.
        window: seconds of a frame.
        hop: seconds from one frame to the next.

    Call arguments:
        inputs: `[waveforms, samples]`, float (batch, time), and int (batch,), how many samples each row has.

    Output shape:
        (batch, frames, mels).

    Raises:
        ValueError: if a band is narrower than what a frame can tell apart.

    Example:
        >>> layer = LogMel(8000)
        >>> frames = layer([tf.zeros((2, 8000)), tf.constant([8000, 4000])])
        >>> frames.shape, layer.frames(tf.constant([8000, 4000])).numpy().tolist()
        (TensorShape([2, 98, 40]), [98, 48])

    References:
        Davis and Mermelstein, 1980, section II, https://doi.org/10.1109/TASSP.1980.1163420
    """

    def __init__(self, sample_rate, mels=40, window=0.025, hop=0.010, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.sample_rate, self.mels, self.window, self.hop = sample_rate, mels, window, hop
        self.size, self.step = round(window * sample_rate), round(hop * sample_rate)
        self.points = 1 << (self.size - 1).bit_length()
        with tf.init_scope():
            bounds = (LOWEST, sample_rate / 2)
            bands = tf.signal.linear_to_mel_weight_matrix(mels, self.points // 2 + 1, sample_rate, *bounds).numpy()
        empty = int((bands.sum(0) == 0).sum())
        if empty:
            raise ValueError(f"LogMel: {empty} of {mels} bands are narrower than 1 / window: take fewer mels.")
        self.bands, self.supports_masking = bands, True

    def call(self, inputs):
        waveforms, _ = inputs
        missing = tf.maximum(self.size - tf.shape(waveforms)[1], 0)
        spectrum = tf.signal.stft(tf.pad(waveforms, [[0, 0], [0, missing]]), self.size, self.step, self.points)
        scale = np.float32(2 / self.size)  # 1 / the sum of the window
        power = tf.square(scale * tf.math.real(spectrum)) + tf.square(scale * tf.math.imag(spectrum))
        return (tf.math.log(tf.tensordot(power, self.bands, 1) + FLOOR) - MEAN) / SPREAD

    def frames(self, samples):
        """How many frames of a row count that has so many samples."""
        return ops.maximum(1, 1 + (samples - self.size) // self.step)

    def compute_mask(self, inputs, mask=None):
        waveforms, samples = inputs[0], ops.cast(inputs[1], "int32")
        later = waveforms[:, self.size + self.step - 1 :: self.step]  # a sample of each frame but the first
        number = ops.cumsum(ops.ones_like(later, dtype="int32"), 1)
        first = ops.ones_like(samples[:, None], dtype="bool")
        return ops.concatenate([first, number < self.frames(samples)[:, None]], 1)

    def compute_output_shape(self, input_shape):
        (batch, time), _ = input_shape
        return (batch, None if time is None else max(1, 1 + (time - self.size) // self.step), self.mels)

    def get_config(self):
        names = ("sample_rate", "mels", "window", "hop")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class SpecAugment(keras.layers.Layer):
    """While training, hides some stretches of time and some bands of a spectrum: they become zeros.

    Each stretch lasts up to a share of the frames of its own row, each band is up to a share of all bands wide; both
    lengths and places are drawn anew for each row.

    Args:
        times, bands: how many are hidden in a row.
        time_share: of a row's frames, that one stretch takes at most.
        band_share: of the bands, that one takes at most.

    Call arguments:
        inputs: (batch, frames, bands).
        mask: boolean (batch, frames), true for the first frames of each row.

    Output shape:
        The same.

    Example:
        >>> layer = SpecAugment(times=0, bands=1, band_share=0.5)
        >>> hidden = tf.reduce_all(layer(tf.ones((8, 9, 10)), training=True) == 0, 1)
        >>> bool(tf.reduce_all(tf.reduce_sum(tf.cast(hidden, tf.int32), 1) <= 5))
        True

    References:
        Park et al., 2019, section 2, https://arxiv.org/abs/1904.08779; shares of the length: Park et al., 2020,
        section 3.2, https://arxiv.org/abs/1912.05533
    """

    def __init__(self, times=2, bands=2, time_share=0.05, band_share=0.3, **kwargs):
        super().__init__(**kwargs)
        self.times, self.bands, self.time_share, self.band_share = times, bands, time_share, band_share
        self.generator, self.supports_masking = keras.random.SeedGenerator(), True

    def call(self, inputs, mask=None, training=False):
        if not training:
            return inputs
        batch, time, bands = tf.unstack(tf.shape(inputs))
        every = tf.fill([batch], time) if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), 1)
        hidden = self._hidden(every, time, self.times, self.time_share)[..., None]
        hidden |= self._hidden(tf.fill([batch], bands), bands, self.bands, self.band_share)[:, None]
        return tf.where(hidden, tf.zeros((), inputs.dtype), inputs)

    def _hidden(self, lengths, places, count, share):
        """Which of `places`, (batch, places), lie in one of `count` intervals within the first `lengths`."""
        lengths = tf.cast(lengths, tf.float32)[:, None]
        drawn = keras.random.uniform((tf.shape(lengths)[0], 2 * count), dtype="float32", seed=self.generator)
        wide = tf.floor(drawn[:, :count] * (tf.floor(share * lengths) + 1))
        first = tf.floor(drawn[:, count:] * (lengths - wide + 1))
        place = tf.range(tf.cast(places, tf.float32))[:, None, None]
        return tf.transpose(tf.reduce_any((place >= first) & (place < first + wide), -1))

    def get_config(self):
        names = ("times", "bands", "time_share", "band_share")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("seqtasks")
class StridedConv1D(keras.layers.Conv1D):
    """A convolution over time with one output for each `stride` steps; masked steps are zeros to it.

    Output u depends on the `width` steps around step ``u * stride``, or with `causal` on that step and those before it.

    Args:
        units: size of the outputs.
        width: steps that an output depends on.
        stride: steps from one output to the next.
        causal: whether outputs depend on nothing that is to come.
        options: of `keras.layers.Conv1D` (`activation`, ...).

    Call arguments:
        inputs: (batch, time, features).
        mask: boolean (batch, time).
        padded: whether there are zeros around the inputs; without them an output needs `width` steps that are given.

    Output shape:
        (batch, time / stride rounded up, units).

    Raises:
        ValueError: if the stride is larger than the width, so that steps would be left out.

    Example:
        >>> layer = StridedConv1D(1, width=3, stride=2, causal=True, kernel_initializer="ones")
        >>> layer(tf.ones((1, 5, 1)))[0, :, 0].numpy().tolist()
        [1.0, 3.0, 3.0]
    """

    def __init__(self, units, width, stride, causal=False, **options):
        super().__init__(units, width, strides=stride, padding="valid", **options)
        if stride > width:
            raise ValueError(f"StridedConv1D: a stride of {stride} leaves out steps, the width is {width}.")
        self.units, self.width, self.stride, self.causal = units, width, stride, causal
        self.supports_masking = True

    def call(self, inputs, mask=None, padded=True):
        if mask is not None:
            inputs *= ops.cast(mask, inputs.dtype)[..., None]
        if padded:
            before = self.width - 1 if self.causal else (self.width - 1) // 2
            inputs = ops.pad(inputs, [[0, 0], [before, self.width - 1 - before], [0, 0]])
        return super().call(inputs)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[:, :: self.stride]

    def compute_output_shape(self, input_shape):
        batch, time, _ = input_shape
        return (batch, None if time is None else -(-time // self.stride), self.units)

    def get_config(self):
        config = super().get_config()
        for name in ("filters", "kernel_size", "strides", "padding"):
            del config[name]
        return {**config, **{name: getattr(self, name) for name in ("units", "width", "stride", "causal")}}
