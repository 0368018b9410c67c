"""Piano rolls: which of the 88 keys of a piano sound in each step of a grid.

A roll travels as one string: the MIDI numbers of the keys of a step with spaces between, and `;` between the steps.
`60 64 67;60 64;;62` is a chord, two of its notes, a silent step, and a D. The empty string has no steps. A roll does
not tell a key that is struck again from one that is held, nor how loud it is.
"""

import re

import numpy as np

from seqtasks.errors import UserError
from seqtasks.music.notes import Note, on_grid, timed

LOWEST, HIGHEST = 21, 108  # MIDI numbers of the keys of a piano
KEYS = HIGHEST - LOWEST + 1
REMEDY = f"write MIDI numbers from {LOWEST} to {HIGHEST} with spaces between, and ; between the steps"


def from_notes(notes, step):
    """The roll of notes; what lies outside a piano is left out.

    Args:
        notes: `seqtasks.music.notes.Note`, in any order.
        step: length of a step, in the unit of the notes.

    Returns:
        bool array (steps, 88).

    Example:
        >>> text(from_notes([Note(60, 0, 1), Note(64, 0.5, 1), Note(62, 1.5, 2)], 0.5))
        '60;60 64;;62'
    """
    notes = [note for note in on_grid(notes, step) if LOWEST <= note.pitch <= HIGHEST]
    roll = np.zeros((max((note.end for note in notes), default=0), KEYS), bool)
    for note in notes:
        roll[note.start : note.end, note.pitch - LOWEST] = True
    return roll


def to_notes(roll, step, velocity=64):
    """The notes of a roll, each as long as its key sounds; silence behind the last one is lost.

    Args:
        roll: array (steps, 88), true or not 0 where a key sounds.
        step: length of a step.
        velocity: of all notes.

    Returns:
        Notes by start, then pitch, in the unit of `step`.

    Example:
        >>> [tuple(note) for note in to_notes(parse("60;60 64;;62"), 0.5)]
        [(60, 0.0, 1.0, 64), (64, 0.5, 1.0, 64), (62, 1.5, 2.0, 64)]
    """
    changes = np.diff(np.pad(np.asarray(roll, bool).T, [[0, 0], [1, 1]]).astype("int8"))  # (88, steps + 1)
    keys, starts = np.nonzero(changes == 1)
    _, ends = np.nonzero(changes == -1)  # those of a key come in the order of its starts
    order = np.lexsort((keys, starts))
    return timed([Note(int(keys[i]) + LOWEST, int(starts[i]), int(ends[i]), velocity) for i in order], step)


def text(roll):
    """The string of a roll, array (steps, 88); see the module."""
    return ";".join(" ".join(str(key + LOWEST) for key in np.flatnonzero(step)) for step in np.asarray(roll))


def parse(text):
    """The roll of a string, bool (steps, 88).

    Raises:
        UserError: if it holds what is no key of a piano.

    Example:
        >>> roll = parse("60 64;;62")
        >>> roll.shape, int(roll.sum())
        ((3, 88), 3)
        >>> parse("60;C4")
        Traceback (most recent call last):
        seqtasks.errors.UserError: step 2: 'C4' is no key of a piano; write MIDI numbers from 21 to 108 ...
    """
    steps = text.split(";") if text else []
    roll = np.zeros((len(steps), KEYS), bool)
    for number, step in enumerate(steps):
        for pitch in step.split():
            if not re.fullmatch("[0-9]{1,3}", pitch) or not LOWEST <= int(pitch) <= HIGHEST:
                raise UserError(f"{pitch!r:.40} is no key of a piano", where=f"step {number + 1}", remedy=REMEDY)
            roll[number, int(pitch) - LOWEST] = True
    return roll


def transpose(text, semitones):
    """The string of a roll, moved up by `semitones`, or as far as the piano goes.

    Example:
        >>> transpose("60 64;;107", -2), transpose("60 64;;107", 5)
        ('58 62;;105', '61 65;;108')
    """
    pitches = [int(pitch) for pitch in re.findall("[0-9]+", text)]
    if not pitches:
        return text
    semitones = min(max(semitones, LOWEST - min(pitches)), HIGHEST - max(pitches))
    return re.sub("[0-9]+", lambda pitch: str(int(pitch[0]) + semitones), text)


def encode(texts):
    """Strings to rolls, in the graph; what is no key of a piano is left out.

    Args:
        texts: string tensor (batch,).

    Returns:
        Ragged float32 (batch, None, 88), 1 where a key sounds.

    Example:
        >>> import tensorflow as tf
        >>> rolls = encode(tf.constant(["60 64;;62", ""]))
        >>> rolls.row_lengths().numpy().tolist(), tf.where(rolls[0])[:, 1].numpy().tolist()
        ([3, 0], [39, 43, 41])
    """
    import tensorflow as tf

    steps = tf.strings.split(texts, ";")
    steps = tf.ragged.boolean_mask(steps, steps.with_flat_values(tf.gather(texts != "", steps.value_rowids())))
    pitches = tf.strings.split(steps.flat_values)
    read = tf.strings.regex_full_match(pitches.flat_values, "[0-9]{1,3}")
    keys = tf.strings.to_number(tf.where(read, pitches.flat_values, "0"), tf.int64) - LOWEST
    places = tf.stack([pitches.value_rowids(), keys], 1)[(keys >= 0) & (keys < KEYS)]
    sounding = tf.scatter_nd(places, tf.ones_like(places[:, 0], tf.float32), [tf.size(steps, tf.int64), KEYS])
    return steps.with_flat_values(tf.minimum(sounding, 1))


def decode(rolls):
    """Rolls to strings, in the graph.

    Args:
        rolls: (batch, time, 88), dense or ragged; a key sounds where it is more than 0.5.

    Returns:
        string tensor (batch,).

    Example:
        >>> import tensorflow as tf
        >>> decode(encode(tf.constant(["64 60;;062", ""]))).numpy().tolist()
        [b'60 64;;62', b'']
    """
    import tensorflow as tf

    rolls = rolls if isinstance(rolls, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(rolls)
    sounding = tf.where(rolls.flat_values > 0.5)  # (notes, 2): step and key
    names, size = tf.strings.as_string(sounding[:, 1] + LOWEST), tf.shape(rolls.flat_values, tf.int64)[0]
    steps = tf.RaggedTensor.from_value_rowids(names, sounding[:, 0], size, validate=False)
    joined = tf.strings.join([";", tf.strings.reduce_join(steps, -1, separator=" ")])  # a separator is lost before ""
    return tf.strings.regex_replace(tf.strings.reduce_join(rolls.with_flat_values(joined), -1), "^;", "")
