"""Random augmentation of music: transposition of piano rolls, and variations of performances."""

import numpy as np
import tensorflow as tf

from seqtasks.music import events, piano_rolls

FIRST = 4  # number of the first event in a tokenizer, after the special tokens


def event_variations(semitones: int, stretch: float) -> np.ndarray:
    """Variations of events for `seqtasks.data.segments.Segments`: transposed, and slower or faster.

    Args:
        semitones: maximum transposition, up and down.
        stretch: maximum relative change of the tempo.

    Returns:
        int32 (variations, 4 + 388): what each number of a tokenizer of `events.EVENTS` becomes. The first variation
        changes nothing.

    Example:
        >>> event_variations(semitones=1, stretch=0.1).shape  # 3 transpositions at 5 tempi
        (15, 392)
    """
    unchanged = np.arange(len(events.EVENTS))
    rows = []
    for factor in (1.0, *((1 - stretch, 1 - stretch / 2, 1 + stretch / 2, 1 + stretch) if stretch else ())):
        for interval in (0, *(n for n in range(-semitones, semitones + 1) if n)):
            row = unchanged.copy()
            for first in (events.KINDS["on"][0], events.KINDS["off"][0]):
                row[first : first + 128] = first + np.clip(np.arange(128) + interval, 0, 127)
            first, least, most = events.KINDS["shift"]
            lengths = np.clip(np.round(np.arange(least, most + 1) * factor), least, most).astype(int)
            row[first : first + most] = first + lengths - least
            rows.append(np.concatenate([np.arange(FIRST), FIRST + row]))
    return np.array(rows, "int32")


def transpose_rolls(rolls: tf.RaggedTensor, seed: tf.Tensor, semitones: int) -> tf.RaggedTensor:
    """Transposes each piano roll by a random interval, within the range of a piano.

    Args:
        rolls: ragged float32 (batch, None, 88).
        seed: int tensor (2,).
        semitones: maximum transposition, up and down.

    Returns:
        Ragged float32 (batch, None, 88).

    Example:
        >>> rolls = piano_rolls.encode(tf.constant(["60 64;62"]))
        >>> piano_rolls.decode(transpose_rolls(rolls, tf.constant([0, 1]), semitones=0)).numpy().tolist()
        [b'60 64;62']
    """
    sounding = tf.reduce_max(rolls, 1) > 0  # (batch, 88)
    keys = tf.range(piano_rolls.KEYS)
    lowest = tf.reduce_min(tf.where(sounding, keys, piano_rolls.KEYS), 1)
    highest = tf.reduce_max(tf.where(sounding, keys, -1), 1)
    intervals = tf.random.stateless_uniform([rolls.nrows()], seed, -semitones, semitones + 1, tf.int32)
    intervals = tf.clip_by_value(intervals, tf.minimum(-lowest, 0), tf.maximum(piano_rolls.KEYS - 1 - highest, 0))
    intervals = tf.where(highest < 0, 0, intervals)
    sources = keys - tf.gather(intervals, rolls.value_rowids())[:, None]  # (frames, 88): old key of each new one
    inside = (sources >= 0) & (sources < piano_rolls.KEYS)
    flat = tf.gather(rolls.flat_values, tf.clip_by_value(sources, 0, piano_rolls.KEYS - 1), batch_dims=1)
    return rolls.with_values(tf.where(inside, flat, 0.0))
