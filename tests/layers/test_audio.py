"""Spectrograms, SpecAugment and strided convolution: against NumPy in float64; padding changes nothing."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.layers import LogMel, SpecAugment, StridedConv1D
from seqtasks.losses import CTC
from seqtasks.models import transcriber
from seqtasks.models.transcriber import FrameScores
from seqtasks.ops import ctc


def log_mel(waveform, rate, mels):
    """The frames of one waveform in float64, from the definitions."""
    size, step = round(0.025 * rate), round(0.010 * rate)
    waveform = np.pad(waveform.astype("float64"), (0, max(0, size - len(waveform))))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    starts = range(0, len(waveform) - size + 1, step)
    points = 2 ** int(np.ceil(np.log2(size)))
    spectra = np.array([np.fft.rfft(waveform[s : s + size] * window, points) for s in starts])
    power = np.abs(spectra / window.sum()) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    corners, bins = np.linspace(mel(20), mel(rate / 2), mels + 2), mel(np.arange(points // 2 + 1) * rate / points)
    up = (bins[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    down = (corners[2:] - bins[:, None]) / (corners[2:] - corners[1:-1])
    bands = np.maximum(0, np.minimum(up, down))
    bands[0] = 0  # without the constant component
    return (np.log(power @ bands + 1e-10) + 12) / 4


@given(st.integers(0, 2**32 - 1), st.sampled_from([(8000, 40), (16000, 80), (11025, 30)]), st.integers(1, 4000))
def test_log_mel_matches_numpy(seed, kind, length):
    rate, mels = kind
    rng = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * rng.uniform(50, rate / 2) * np.arange(length) / rate)
    waveform = (10 ** rng.uniform(-4, 0) * (tone + 0.1 * rng.normal(size=length))).astype("float32")
    layer, padding = LogMel(rate, mels), rng.integers(0, 3000)
    inputs = [np.pad(waveform, (0, padding))[None], tf.constant([length])]
    found, live = layer(inputs).numpy()[0], layer.compute_mask(inputs).numpy()[0]
    expected = log_mel(waveform, rate, mels)
    assert live[: len(expected)].all() and live.sum() == len(expected) == layer.frames(tf.constant([length]))[0]
    np.testing.assert_allclose(found[: len(expected)], expected, atol=2e-3)
    assert layer.compute_output_shape([(1, length + padding), (1,)]) == (1, *found.shape)


def test_speech_is_near_unit_scale_and_silence_at_the_floor(rng):
    layer = LogMel(16000)
    speech = 0.03 * rng.normal(size=(1, 16000)).astype("float32")  # -30 decibels
    found = layer([speech, tf.constant([16000])]).numpy()
    assert abs(found.mean()) < 1 and found.std() < 1
    silence = layer([np.zeros((1, 10), "float32"), tf.constant([0])]).numpy()
    np.testing.assert_allclose(silence, (np.log(1e-10) + 12) / 4, rtol=1e-5)
    assert silence.shape == (1, 1, 40)


def test_too_many_bands_raise():
    with pytest.raises(ValueError, match="of 200 bands are narrower"):
        LogMel(8000, 200)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 3))
def test_spec_augment_hides_intervals_of_time_and_bands(seed, times, bands):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 60, 6)
    x = np.ones((6, lengths.max(), 12), "float32")
    layer = SpecAugment(times, bands, time_share=0.2, band_share=0.5)
    layer.generator = keras.random.SeedGenerator(seed % 2**31)
    mask = np.arange(x.shape[1]) < lengths[:, None]
    hidden = layer(x, mask=mask, training=True).numpy() == 0
    np.testing.assert_array_equal(layer(x, mask=mask), x)
    for row, length in zip(hidden, lengths, strict=True):
        columns = row.all(0)
        stretches = row.all(1)
        np.testing.assert_array_equal(row, stretches[:, None] | columns)  # nothing else
        if not columns.all():
            assert not stretches[length:].any()
            assert stretches.sum() <= times * int(0.2 * length)
            assert runs(stretches) <= times
        assert runs(columns) <= bands and columns.sum() <= 6 * bands


def runs(flags):
    return sum(flag for flag, _ in itertools.groupby(flags))


def test_spec_augment_draws_for_each_row_and_call():
    keras.utils.set_random_seed(0)
    layer, x = SpecAugment(1, 1, 0.5, 0.5), np.ones((200, 40, 20), "float32")
    first, second = (layer(x, training=True).numpy() == 0 for _ in range(2))
    assert len({row.tobytes() for row in np.concatenate([first, second])}) > 300
    wide = (SpecAugment(1, 0, 0.5)(x, training=True).numpy() == 0).all(2).sum(1)
    assert set(wide) == set(range(21)) and abs(wide.mean() - 10) < 2  # uniform from 0 to half of the row


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 2), st.booleans())
def test_strided_convolution_matches_numpy(seed, stride, more, causal):
    rng = np.random.default_rng(seed)
    width, length, padding = stride + more, rng.integers(1, 12), rng.integers(0, 5)
    layer = StridedConv1D(3, width, stride, causal)
    x = rng.normal(size=(1, length + padding, 2)).astype("float32")
    mask = np.arange(length + padding) < length
    outputs, live = layer(x, mask=mask[None]).numpy()[0], layer.compute_mask(x, mask[None])[0]
    kernel, bias = (w.numpy() for w in layer.weights)
    before = width - 1 if causal else (width - 1) // 2
    padded = np.pad(x[0, :length], [(before, width + padding), (0, 0)])
    count = -(-length // stride)
    expected = [np.einsum("wf,wfu->u", padded[u * stride : u * stride + width], kernel) + bias for u in range(count)]
    np.testing.assert_allclose(outputs[:count], expected, atol=1e-5)
    assert live.sum() == count and live[:count].all()
    assert layer.compute_output_shape(x.shape) == (1, *outputs.shape)


def test_a_stride_that_skips_steps_raises():
    with pytest.raises(ValueError, match="a stride of 4 skips steps, the width is 3"):
        StridedConv1D(2, 3, 4)


@given(st.integers(0, 2**32 - 1))
def test_ctc_loss_ignores_padding(seed):
    rng = np.random.default_rng(seed)
    x, frames = rng.normal(size=(3, 9, 4)).astype("float32"), np.array([9, 5, 1])
    labels = np.array([[1, 2, 2], [3, -1, -1], [1, 1, -1]], "int32")  # the last does not fit
    scores = FrameScores(4)
    logits = scores(x, mask=np.arange(9) < frames[:, None])
    alone = [-float(ctc.log_likelihood(scores(x[i : i + 1, :n]), labels[i : i + 1])[0]) for i, n in enumerate(frames)]
    found = CTC(reduction=None)(labels, logits).numpy()
    np.testing.assert_allclose(found, [*alone[:2], 0], rtol=1e-5)
    assert float(CTC()(labels, logits)) == pytest.approx(sum(alone[:2]) / 3, rel=1e-5)


def small_model(bidirectional=True, **options):
    waveforms, samples = keras.Input((None,), name="waveforms"), keras.Input((), dtype="int32", name="samples")
    x = SpecAugment()(LogMel(8000, name="log_mel")([waveforms, samples]))
    inputs = {"waveforms": waveforms, "samples": samples}
    config = {"filters": 6, "width": 3, "units": 5, "layers": 2, "cell": "gru", "residual": True} | options
    return transcriber(inputs, x, 4, bidirectional=bidirectional, convolution_dropout=0.1, dropout=0.1, **config)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_transcriber_trains_on_padded_rows_saves_and_loads(bidirectional, tmp_path, rng):
    model = small_model(bidirectional)
    x = {"waveforms": rng.normal(size=(3, 4000)).astype("float32"), "samples": np.array([4000, 2500, 30], "int32")}
    alone = model({"waveforms": x["waveforms"][1:2, :2500], "samples": x["samples"][1:2]})
    logits = model(x)
    np.testing.assert_allclose(logits[1, : alone.shape[1]], alone[0], atol=1e-5)  # the convolution's padding too
    assert logits.shape == (3, 24, 4)
    np.testing.assert_allclose(tf.nn.softmax(logits)[2, 1:], np.tile([1, 0, 0, 0], (23, 1)), atol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(x), logits, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = CTC()(tf.constant([[1, 2], [3, 3], [1, -1]]), model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(g).all() and np.any(g) for g in gradients)
