"""Piano rolls: the keys of a piano, of 88, that sound in each step of a grid.

A roll is one string: the MIDI numbers of the keys of a step are separated by spaces, the steps by `;`.
`60 64 67;60 64;;62` is a chord, two of its notes, a silent step, and a D. The empty string has no steps. A roll does
not distinguish a key that is struck again from one that is held, and has no velocities.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.errors import UserError
from seqtasks.music.notes import Note, on_grid, timed, words

if TYPE_CHECKING:
    import tensorflow as tf

LOWEST, HIGHEST = 21, 108  # MIDI numbers of the keys of a piano
KEYS = HIGHEST - LOWEST + 1
REMEDY = f"write MIDI numbers from {LOWEST} to {HIGHEST} separated by spaces, and ; between the steps"


def from_notes(notes: Iterable[Note], step: float) -> np.ndarray:
    """Converts notes to a roll; notes outside the range of a piano are dropped.

    Args:
        notes: in any order.
        step: length of a step, in the unit of the notes.

    Returns:
        bool array (steps, 88).

    Raises:
        UserError: if there are more than `seqtasks.music.notes.LONGEST` steps.

    Example:
        >>> text(from_notes([Note(60, 0, 1), Note(64, 0.5, 1), Note(62, 1.5, 2)], 0.5))
        '60;60 64;;62'
    """
    grid = [note for note in on_grid(list(notes), step) if LOWEST <= note.pitch <= HIGHEST]
    roll = np.zeros((max((int(note.end) for note in grid), default=0), KEYS), bool)
    for note in grid:
        roll[int(note.start) : int(note.end), note.pitch - LOWEST] = True
    return roll


def from_array(array: np.ndarray) -> np.ndarray:
    """Converts an array of numbers to a roll: a key sounds where the number, such as a velocity, is above 0.

    Args:
        array: (steps, 88), the keys of a piano, or (steps, 128), all MIDI numbers; those outside a piano are dropped.

    Returns:
        bool array (steps, 88).

    Raises:
        UserError: if it has another shape, or values that are no numbers from 0 on.

    Example:
        >>> array = np.zeros((2, 128), "uint8")
        >>> array[1, 60] = 100
        >>> text(from_array(array))
        ';60'
    """
    shape = array.shape
    if len(shape) != 2 or shape[1] not in (KEYS, 128):
        turned = ", or the array with its axes exchanged" * (len(shape) == 2 and shape[0] in (KEYS, 128))
        remedy = f"give the keys of a piano, or all MIDI numbers{turned}"
        what = f"an array of shape {tuple(shape)} is not a piano roll (steps, {KEYS}) or (steps, 128)"
        raise UserError(what, remedy=remedy)
    if array.dtype.kind not in "buif" or not np.all(array >= 0):
        raise UserError("values that are no numbers from 0 on", remedy="give velocities, or 1 where a key sounds")
    return (array[:, LOWEST : HIGHEST + 1] if shape[1] == 128 else array) > 0


def to_notes(roll: np.ndarray, step: float, velocity: int = 64) -> list[Note]:
    """Converts a roll to notes, each as long as its key sounds; silence at the end is lost.

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
    _, ends = np.nonzero(changes == -1)  # sorted like the starts: by key, then by time
    order = np.lexsort((keys, starts))
    return timed([Note(int(keys[i]) + LOWEST, int(starts[i]), int(ends[i]), velocity) for i in order], step)


def text(roll: np.ndarray) -> str:
    """Converts a roll to its string.

    Args:
        roll: array (steps, 88), true or not 0 where a key sounds.

    Example:
        >>> text(parse("64 60;;62")), text(np.zeros((1, 88)))
        ('60 64;;62', ' ')
    """
    steps = [" ".join(str(key + LOWEST) for key in np.flatnonzero(step)) for step in np.asarray(roll)]
    return " " if steps == [""] else ";".join(steps)  # a silent step is not nothing


def parse(text: str) -> np.ndarray:
    """Converts a string to its roll.

    Args:
        text: the string.

    Returns:
        bool array (steps, 88).

    Raises:
        UserError: if a number is not a key of a piano.

    Example:
        >>> roll = parse("60 64;;62")
        >>> roll.shape, int(roll.sum())
        ((3, 88), 3)
        >>> parse("60;C4")
        Traceback (most recent call last):
        seqtasks.errors.UserError: step 2: 'C4' is not a key of a piano; write MIDI numbers from 21 to 108 ...
    """
    steps = text.split(";") if text else []
    roll = np.zeros((len(steps), KEYS), bool)
    for number, step in enumerate(steps):
        for pitch in words(step):
            if not re.fullmatch("[0-9]{1,3}", pitch) or not LOWEST <= int(pitch) <= HIGHEST:
                raise UserError(f"{pitch!r:.40} is not a key of a piano", where=f"step {number + 1}", remedy=REMEDY)
            roll[number, int(pitch) - LOWEST] = True
    return roll


def transpose(text: str, semitones: int) -> str:
    """Transposes the string of a roll, within the range of a piano.

    Args:
        text: the string.
        semitones: interval, positive for up. It is reduced if a note would leave the range.

    Example:
        >>> transpose("60 64;;107", -2), transpose("60 64;;107", 5)
        ('58 62;;105', '61 65;;108')
    """
    pitches = [int(pitch) for pitch in re.findall("[0-9]+", text)]
    if not pitches:
        return text
    semitones = min(max(semitones, LOWEST - min(pitches)), HIGHEST - max(pitches))
    return re.sub("[0-9]+", lambda pitch: str(int(pitch[0]) + semitones), text)


def encode(texts: "tf.Tensor") -> "tf.RaggedTensor":
    """Converts strings to rolls, in the graph; numbers that are not keys of a piano are dropped.

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
    valid = tf.strings.regex_full_match(pitches.flat_values, "[0-9]{1,3}")
    keys = tf.strings.to_number(tf.where(valid, pitches.flat_values, "0"), tf.int64) - LOWEST
    places = tf.stack([pitches.value_rowids(), keys], 1)[(keys >= 0) & (keys < KEYS)]
    sounding = tf.scatter_nd(places, tf.ones_like(places[:, 0], tf.float32), [tf.size(steps, tf.int64), KEYS])
    return steps.with_flat_values(tf.minimum(sounding, 1))


def decode(rolls: "tf.Tensor | tf.RaggedTensor") -> "tf.Tensor":
    """Converts rolls to strings, in the graph.

    Args:
        rolls: (batch, time, 88), dense or ragged; a key sounds where the value is more than 0.5.

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
    texts = tf.strings.regex_replace(tf.strings.reduce_join(rolls.with_flat_values(joined), -1), "^;", "")
    return tf.where((texts == "") & (rolls.row_lengths() == 1), " ", texts)
