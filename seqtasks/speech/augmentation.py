"""Random augmentation of recordings, in the graph: speed and noise."""

import tensorflow as tf

MIN_RATIO, MAX_RATIO = 10.0, 40.0  # signal-to-noise ratio in decibels


def augment(waveforms: tf.RaggedTensor, seed: tf.Tensor, speed: float = 0.1, noise: float = 0.5) -> tf.RaggedTensor:
    """Changes the speed of every recording of a training batch, and adds white noise to some.

    Args:
        waveforms: ragged float32 (batch, None).
        seed: int tensor (2,).
        speed: maximum relative change of the speed, which changes the pitch as well.
        noise: fraction of the recordings that get noise, 10 to 40 decibels below the signal.

    Returns:
        Ragged float32 (batch, None).

    References:
        Speed: Ko et al., 2015, https://www.danielpovey.com/files/2015_interspeech_augmentation.pdf

    Example:
        >>> waveforms = tf.RaggedTensor.from_row_lengths(tf.ones([1000]), [600, 400])
        >>> augment(waveforms, tf.constant([0, 1]), speed=0.0, noise=0.0).row_lengths().numpy().tolist()
        [600, 400]
    """
    rows, flat = waveforms.nrows(tf.int32), waveforms.flat_values
    speed_seed, noise_seed, sample_seed = tf.unstack(tf.random.split(seed, 3))
    speeds = tf.random.stateless_uniform([rows], speed_seed, 1 - speed, 1 + speed)
    chance, level = tf.unstack(tf.random.stateless_uniform([rows, 2], noise_seed), axis=1)
    ratios = 10 ** (-(MIN_RATIO + (MAX_RATIO - MIN_RATIO) * level) / 20)
    seeds = tf.random.stateless_uniform([rows, 2], sample_seed, None, None, tf.int64)

    def augment_row(row: tuple[tf.Tensor, ...]) -> tf.Tensor:  # one row at a time: a row fits into a core's cache
        start, end, row_speed, ratio, row_seed = row
        waveform = change_speed(flat[start:end], row_speed) if speed else flat[start:end]
        return tf.cond(ratio > 0, lambda: add_noise(waveform, ratio, row_seed), lambda: waveform)

    given = waveforms.row_starts(), waveforms.row_limits(), speeds, tf.where(chance < noise, ratios, 0), seeds
    return tf.map_fn(augment_row, given, fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0))


def change_speed(waveform: tf.Tensor, speed: tf.Tensor | float) -> tf.Tensor:
    """Changes the speed of a recording by linear interpolation.

    Args:
        waveform: float32 (samples,).
        speed: factor; 2 halves the number of samples.

    Returns:
        float32 (samples / speed rounded down,).

    Example:
        >>> change_speed(tf.range(4.0), 0.8).numpy().round(1).astype(str).tolist()
        ['0.0', '0.8', '1.6', '2.4', '3.0']
    """
    size = tf.shape(waveform)[0]
    index = tf.range(tf.cast(tf.cast(size, tf.float32) / speed, tf.int32))
    shift = tf.cast(index, tf.float32) * (speed - 1)  # position minus index: exact to a hundredth of a sample
    whole = tf.floor(shift)
    before = index + tf.cast(whole, tf.int32)
    left, right = (tf.gather(waveform, tf.minimum(before + offset, size - 1)) for offset in (0, 1))
    return left + (shift - whole) * (right - left)


def add_noise(waveform: tf.Tensor, ratio: tf.Tensor | float, seed: tf.Tensor) -> tf.Tensor:
    """Adds white noise to a recording.

    Args:
        waveform: float32 (samples,).
        ratio: root mean square of the noise, relative to that of the recording.
        seed: int tensor (2,).

    Returns:
        float32 (samples,).
    """
    level = ratio * tf.sqrt(tf.reduce_mean(tf.square(waveform)))
    return waveform + level * tf.random.stateless_normal(tf.shape(waveform), seed)
