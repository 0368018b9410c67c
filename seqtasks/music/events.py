"""Performances as events: note on, note off, time shift, velocity.

A performance is one string of event names separated by spaces: `velocity16 on60 shift50 off60` is middle C for half a
second. The 388 events and their numbers:

    on0 ... on127               0 to 127     a key, given by its MIDI number, goes down
    off0 ... off127             128 to 255   the key goes up
    shift1 ... shift100         256 to 355   time passes, in hundredths of a second
    velocity0 ... velocity31    356 to 387   `velocity // 4` of the notes that follow

At equal times, notes end before others begin, low ones first. A velocity event is written when the velocity changes.

References:
    Oore et al., 2018, This time with feeling, https://arxiv.org/abs/1808.03715
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqtasks.errors import UserError
from seqtasks.music.notes import Note, on_grid, timed, words

if TYPE_CHECKING:
    import tensorflow as tf

STEP = 0.01  # seconds of a shift of 1
LONGEST_SHIFT = 100
VELOCITIES = 4  # velocities per bin
KINDS = {"on": (0, 0, 127), "off": (128, 0, 127), "shift": (256, 1, LONGEST_SHIFT), "velocity": (356, 0, 31)}
# first number, smallest and largest value of each kind
EVENTS = tuple(f"{kind}{n}" for kind, (_, least, most) in KINDS.items() for n in range(least, most + 1))
_KNOWN = frozenset(EVENTS)
_PITCH = re.compile(r"\b(on|off)([0-9]+)")


def from_notes(notes: Iterable[Note]) -> str:
    """Converts notes to the string of a performance.

    Times are rounded to 10 ms. A note lasts at least 10 ms and ends when its key is struck again
    (`seqtasks.music.notes.on_grid`).

    Args:
        notes: in any order, with times in seconds.

    Raises:
        UserError: if the notes last longer than 5,000 seconds.

    Example:
        >>> from_notes([Note(60, 0, 0.5), Note(64, 0.25, 1.75, 100)])
        'velocity16 on60 shift25 velocity25 on64 shift25 off60 shift100 shift25 off64'
    """
    grid = on_grid(list(notes), STEP)
    changes = [(int(n.end), 0, n.pitch, 0) for n in grid] + [(int(n.start), 1, n.pitch, n.velocity) for n in grid]
    names: list[str] = []
    now, velocity_bin = 0, None
    for time, down, pitch, velocity in sorted(changes):
        whole, rest = divmod(time - now, LONGEST_SHIFT)
        names += [f"shift{LONGEST_SHIFT}"] * whole + [f"shift{rest}"] * (rest > 0)
        if down and velocity // VELOCITIES != velocity_bin:
            velocity_bin = velocity // VELOCITIES
            names.append(f"velocity{velocity_bin}")
        names.append(f"on{pitch}" if down else f"off{pitch}")
        now = time
    return " ".join(names)


def to_notes(text: str) -> list[Note]:
    """Converts the string of a performance to notes. Every sequence of events is valid.

    An `on` event of a key that is down ends its note and begins a new one. Notes without an `off` event end with the
    performance. An `off` event of a key that is not down, and notes of length 0, are ignored. The velocity of a note is
    the middle of its bin; it is 66 before the first velocity event.

    Args:
        text: the string.

    Returns:
        Notes by start, then pitch, in seconds.

    Raises:
        UserError: if a name is not an event.

    Example:
        >>> [tuple(note) for note in to_notes("velocity25 on60 shift50 on64 off60 shift100")]
        [(60, 0.0, 0.5, 102), (64, 0.5, 1.5, 102)]
        >>> to_notes("on60 wait")
        Traceback (most recent call last):
        seqtasks.errors.UserError: event 2: 'wait' is not an event; events are on0 to on127, off0 to off127, ...
    """
    down: dict[int, tuple[int, int]] = {}  # start and velocity of the notes that sound
    notes: list[Note] = []
    now, velocity_bin = 0, 16

    def end_note(pitch: int) -> None:
        start, velocity = down.pop(pitch, (now, 0))
        if start < now:
            notes.append(Note(pitch, start, now, velocity))

    for place, name in enumerate(words(text), 1):
        if name not in _KNOWN:
            listed = ", ".join(f"{kind}{least} to {kind}{most}" for kind, (_, least, most) in KINDS.items())
            raise UserError(f"{name!r:.40} is not an event", where=f"event {place}", remedy=f"events are {listed}")
        kind = name.rstrip("0123456789")
        number = int(name[len(kind) :])
        if kind == "shift":
            now += number
        elif kind == "velocity":
            velocity_bin = number
        else:
            end_note(number)
            if kind == "on":
                down[number] = now, velocity_bin * VELOCITIES + VELOCITIES // 2
    for pitch in list(down):
        end_note(pitch)
    return timed(sorted(notes, key=lambda note: (note.start, note.pitch)), STEP)


def transpose(text: str, semitones: int) -> str:
    """Transposes the string of a performance, within the range of MIDI.

    Args:
        text: the string.
        semitones: interval, positive for up. It is reduced if a note would leave the range.

    Example:
        >>> transpose("velocity16 on60 shift60 off60", 2), transpose("on120 on3", -5)
        ('velocity16 on62 shift60 off62', 'on117 on0')
    """
    pitches = [int(pitch) for _, pitch in _PITCH.findall(text)]
    if not pitches:
        return text
    semitones = min(max(semitones, -min(pitches)), 127 - max(pitches))
    return _PITCH.sub(lambda event: f"{event[1]}{int(event[2]) + semitones}", text)


def stretch(text: str, factor: float) -> str:
    """Changes the duration of the string of a performance.

    Args:
        text: the string.
        factor: what times are multiplied by; they are rounded to 10 ms.

    Example:
        >>> stretch("velocity16 on60 shift50 off60", 1.1)
        'velocity16 on60 shift55 off60'
    """
    return from_notes(timed(to_notes(text), factor))


def encode(texts: "tf.Tensor") -> "tf.RaggedTensor":
    """Converts strings to the numbers of their events, in the graph; other names are dropped.

    Args:
        texts: string tensor (batch,).

    Returns:
        Ragged int32 (batch, None), from 0 to 387.

    Example:
        >>> import tensorflow as tf
        >>> encode(tf.constant(["velocity16 on60 shift50 off60", "shift101 on", ""])).to_list()
        [[372, 60, 305, 188], [], []]
    """
    import tensorflow as tf

    names = tf.strings.split(texts)
    flat = names.flat_values
    numbers = tf.fill(tf.shape(flat), -1)
    for kind, (first, least, most) in KINDS.items():
        match = tf.strings.regex_full_match(flat, f"{kind}(0|[1-9][0-9]{{0,2}})")
        value = tf.strings.to_number(tf.where(match, tf.strings.regex_replace(flat, "^[a-z]+", ""), "-1"), tf.int32)
        numbers = tf.where((value >= least) & (value <= most), first + value - least, numbers)
    ragged = names.with_flat_values(numbers)
    return tf.ragged.boolean_mask(ragged, ragged >= 0)


def decode(numbers: "tf.Tensor | tf.RaggedTensor") -> "tf.Tensor":
    """Converts numbers of events to strings, in the graph; other numbers are dropped.

    Args:
        numbers: int (batch, None), dense or ragged.

    Returns:
        string tensor (batch,).

    Example:
        >>> import tensorflow as tf
        >>> decode(tf.constant([[372, 60, 305, 188], [-1, 5, 388, -1]])).numpy().tolist()
        [b'velocity16 on60 shift50 off60', b'on5']
    """
    import tensorflow as tf

    numbers = numbers if isinstance(numbers, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(numbers)
    numbers = tf.ragged.boolean_mask(numbers, (numbers >= 0) & (numbers < len(EVENTS)))
    names = numbers.with_flat_values(tf.gather(tf.constant(EVENTS), numbers.flat_values))
    return tf.strings.reduce_join(names, -1, separator=" ")
