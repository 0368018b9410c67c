"""Recordings varied at random, in the graph: their speed, and noise."""

import tensorflow as tf

LEAST, MOST = 10.0, 40.0  # decibels that the signal is above the noise


def varied(waveforms, seed, speed=0.1, noise=0.5):
    """Recordings as training sees them: each at a speed of its own, some with white noise.

    Args:
        waveforms: ragged float32 (batch, None).
        seed: int tensor (2,).
        speed: a recording becomes up to this share faster or slower, and higher or lower with it.
        noise: share of the recordings that get noise, 10 to 40 decibels below them.

    Returns:
        A ragged tensor like `waveforms`.

    References:
        speed: Ko et al., 2015, https://www.danielpovey.com/files/2015_interspeech_augmentation.pdf
    """
    rows, flat = waveforms.nrows(tf.int32), waveforms.flat_values
    paces, levels, sounds = tf.unstack(tf.random.split(seed, 3))
    pace = tf.random.stateless_uniform([rows], paces, 1 - speed, 1 + speed)
    chance, level = tf.unstack(tf.random.stateless_uniform([rows, 2], levels), axis=1)
    ratio = 10 ** (-(LEAST + (MOST - LEAST) * level) / 20)
    keys = tf.random.stateless_uniform([rows, 2], sounds, None, None, tf.int64)

    def row(given):  # one at a time: waveforms of a row fit into the cache of a core, those of all do not
        start, end, pace, ratio, key = given
        sound = resampled(flat[start:end], pace) if speed else flat[start:end]
        return tf.cond(ratio > 0, lambda: noisy(sound, ratio, key), lambda: sound)

    given = waveforms.row_starts(), waveforms.row_limits(), pace, tf.where(chance < noise, ratio, 0), keys
    return tf.map_fn(row, given, fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0))


def resampled(waveform, speed):
    """A recording at another speed, by linear interpolation.

    Args:
        waveform: float32 (samples,).
        speed: at 2 it has half as many samples.

    Returns:
        float32 (samples / speed rounded down,).

    Example:
        >>> resampled(tf.range(4.0), 0.8).numpy().round(1).astype(str).tolist()
        ['0.0', '0.8', '1.6', '2.4', '3.0']
    """
    size = tf.shape(waveform)[0]
    place = tf.range(tf.cast(tf.cast(size, tf.float32) / speed, tf.int32))
    drift = tf.cast(place, tf.float32) * (speed - 1)  # how far it is ahead: exact to a hundredth of a sample
    whole = tf.floor(drift)
    before = place + tf.cast(whole, tf.int32)
    left, right = (tf.gather(waveform, tf.minimum(before + offset, size - 1)) for offset in (0, 1))
    return left + (drift - whole) * (right - left)


def noisy(waveform, ratio, seed):
    """A recording with white noise, `ratio` times as strong (in root mean square)."""
    strength = ratio * tf.sqrt(tf.reduce_mean(tf.square(waveform)))
    return waveform + strength * tf.random.stateless_normal(tf.shape(waveform), seed)
