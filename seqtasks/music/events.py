"""Performances as events: keys that go down and up, time that passes, and how hard keys are struck.

A performance travels as one string, names of events with spaces between: `velocity16 on60 shift50 off60` is middle C
for half a second. The 388 events and their numbers:

    on0 ... on127               0 to 127     a key, by its MIDI number, goes down
    off0 ... off127             128 to 255   it goes up
    shift1 ... shift100         256 to 355   so many hundredths of a second pass
    velocity0 ... velocity31    356 to 387   of the keys that go down from here on: `velocity // 4`

At one moment keys go up before others go down, low ones first, and a velocity is told when it changes.

References:
    Oore et al., 2018, This time with feeling, https://arxiv.org/abs/1808.03715
"""

import re

from seqtasks.errors import UserError
from seqtasks.music.notes import Note, on_grid, timed

STEP = 0.01  # seconds of a shift of 1
LONGEST_SHIFT = 100
VELOCITIES = 4  # of a bin
KINDS = {"on": (0, 0, 127), "off": (128, 0, 127), "shift": (256, 1, LONGEST_SHIFT), "velocity": (356, 0, 31)}
EVENTS = tuple(f"{kind}{n}" for kind, (_, least, most) in KINDS.items() for n in range(least, most + 1))
_KNOWN = frozenset(EVENTS)
_PITCH = re.compile(r"\b(on|off)([0-9]+)")


def from_notes(notes):
    """The string of a performance.

    Times are rounded to 10 ms, a note lasts one such step at least, and keys that are struck again while they are down
    go up just then (`seqtasks.music.notes.cut`).

    Args:
        notes: `seqtasks.music.notes.Note` with times in seconds, in any order.

    Example:
        >>> from_notes([Note(60, 0, 0.5), Note(64, 0.25, 1.75, 100)])
        'velocity16 on60 shift25 velocity25 on64 shift25 off60 shift100 shift25 off64'
    """
    notes = on_grid(notes, STEP)
    changes = sorted([(n.end, 0, n.pitch, 0) for n in notes] + [(n.start, 1, n.pitch, n.velocity) for n in notes])
    names, now, loud = [], 0, None
    for time, down, pitch, velocity in changes:
        whole, rest = divmod(time - now, LONGEST_SHIFT)
        names += [f"shift{LONGEST_SHIFT}"] * whole + [f"shift{rest}"] * (rest > 0)
        if down and velocity // VELOCITIES != loud:
            loud = velocity // VELOCITIES
            names.append(f"velocity{loud}")
        names.append(f"on{pitch}" if down else f"off{pitch}")
        now = time
    return " ".join(names)


def to_notes(text):
    """The notes of a performance, whoever wrote it.

    A key that goes down while it is down begins a new note; one that never goes up does so at the end; one that goes up
    without having been down, and a note that lasts no time, are nothing. The velocity of a note is the middle of its
    bin; before the first is told it is 64's.

    Args:
        text: the string.

    Returns:
        Notes by start, then pitch, in seconds.

    Raises:
        UserError: if it holds what is no event.

    Example:
        >>> [tuple(note) for note in to_notes("velocity25 on60 shift50 on64 off60 shift100")]
        [(60, 0.0, 0.5, 102), (64, 0.5, 1.5, 102)]
        >>> to_notes("on60 wait")
        Traceback (most recent call last):
        seqtasks.errors.UserError: event 2: 'wait' is unknown; events are on0 to on127, off0 to off127, ...
    """
    down, notes, now, loud = {}, [], 0, 16

    def lift(pitch):
        start, velocity = down.pop(pitch, (now, 0))
        if start < now:
            notes.append(Note(pitch, start, now, velocity))

    for place, name in enumerate(text.split(), 1):
        if name not in _KNOWN:
            listed = ", ".join(f"{kind}{least} to {kind}{most}" for kind, (_, least, most) in KINDS.items())
            raise UserError(f"{name!r:.40} is unknown", where=f"event {place}", remedy=f"events are {listed}")
        kind = name.rstrip("0123456789")
        number = int(name[len(kind) :])
        if kind == "shift":
            now += number
        elif kind == "velocity":
            loud = number
        else:
            lift(number)
            if kind == "on":
                down[number] = now, loud * VELOCITIES + VELOCITIES // 2
    for pitch in list(down):
        lift(pitch)
    return timed(sorted(notes, key=lambda note: (note.start, note.pitch)), STEP)


def transpose(text, semitones):
    """The string of a performance, moved up by `semitones`, or as far as MIDI goes.

    Example:
        >>> transpose("velocity16 on60 shift60 off60", 2), transpose("on120 on3", -5)
        ('velocity16 on62 shift60 off62', 'on117 on0')
    """
    pitches = [int(pitch) for _, pitch in _PITCH.findall(text)]
    if not pitches:
        return text
    semitones = min(max(semitones, -min(pitches)), 127 - max(pitches))
    return _PITCH.sub(lambda event: f"{event[1]}{int(event[2]) + semitones}", text)


def stretch(text, factor):
    """The string of a performance that takes `factor` times as long, times rounded to 10 ms.

    Example:
        >>> stretch("velocity16 on60 shift50 off60", 1.1)
        'velocity16 on60 shift55 off60'
    """
    return from_notes(timed(to_notes(text), factor))


def encode(texts):
    """Strings to numbers of events, in the graph; what is no event is left out.

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
    found = tf.fill(tf.shape(flat), -1)
    for kind, (first, least, most) in KINDS.items():
        own = tf.strings.regex_full_match(flat, f"{kind}(0|[1-9][0-9]{{0,2}})")
        number = tf.strings.to_number(tf.where(own, tf.strings.regex_replace(flat, "^[a-z]+", ""), "-1"), tf.int32)
        found = tf.where((number >= least) & (number <= most), first + number - least, found)
    found = names.with_flat_values(found)
    return tf.ragged.boolean_mask(found, found >= 0)


def decode(numbers):
    """Numbers of events to strings, in the graph; other numbers are left out.

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
