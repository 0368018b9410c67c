"""Morse code as sound, to be read without files: an input such as `morse:17:hello world` stands for a waveform.

References:
    ITU-R M.1677-1, 2009, International Morse code
"""

import re

import numpy as np

from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import TEST, VALIDATION, part
from seqtasks.errors import UserError

LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
CODES = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
    "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
CODES = dict(zip(LETTERS + DIGITS, CODES.split(), strict=True))
PREFIX = "morse:"
COUNTS = {"train": 4000, "validation": 200, "test": 200}
# Of letters in English text, in thousandths, and of a digit. The most frequent are the shortest, and are learnt first.
FREQUENCIES = 82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1
DIGIT = 10
WORDS, SIZES = (1, 2), (1, 3)  # words of a text, characters of a word: the fewest and the most
SPEEDS = 15, 35  # words a minute, each of 50 units, as PARIS is with the gap behind it
PITCHES, LEVELS = (400, 1000), (0.1, 0.5)  # hertz; amplitudes
NOISES = 5, 30  # signal-to-noise ratio in decibels while the tone sounds, over all frequencies
JITTER = 0.1  # share by which an element is longer or shorter, at most
EDGE = 0.005  # seconds in which the tone rises or falls, as a raised cosine
SILENCE = 0.1, 0.5  # seconds before and after


def splits(seed=0, counts=COUNTS):
    """Sources of messages by the names of the splits; each has texts of its own.

    Args:
        seed: equal seeds give equal messages.
        counts: how many each split has.

    Example:
        >>> {name: len(list(source)) for name, source in splits(counts={"train": 8, "test": 2}).items()}
        {'train': 8, 'test': 2}
    """

    def source(name, count):
        found = [Example(f"{PREFIX}{n}:{text}", text, n) for n, text in enumerate(messages(count, seed, name))]
        return Source(lambda: iter(found), f"{PREFIX}{name}")

    return {name: source(name, count) for name, count in counts.items()}


def messages(count, seed=0, split="train"):
    """Texts of random words.

    A text is of the split that its hash says (`seqtasks.data.splits.part`), so that splits have none in common.

    Args:
        count: how many.
        seed: equal seeds give equal texts.
        split: `train`, `validation` or `test`.

    Returns:
        List of distinct texts of one or two words, of one to three small letters and digits each.

    Example:
        >>> texts = messages(4000)
        >>> len(set(texts)), set("".join(texts)) == {*CODES, " "}
        (4000, True)
    """
    drawn, parts = _drawn(np.random.default_rng(seed)), {"validation": {VALIDATION}, "test": {TEST}}
    own = parts.get(split, set(range(10)) - {VALIDATION, TEST})
    found = {}
    while len(found) < count:
        text = next(drawn)
        if part(text) in own:
            found[text] = None
    return list(found)


def units(text):
    """The lengths of the tones and of the gaps between them, in turns, the first a tone's, in units.

    A dot lasts one, a dash three; the gaps within a letter one, between letters three, between words seven.

    Raises:
        UserError: if the text holds a character that has no code, or none at all.

    Example:
        >>> units("an a")
        [1, 1, 3, 3, 3, 1, 1, 7, 1, 1, 3]
    """
    words = text.lower().split()
    unknown = sorted(set("".join(words)) - set(CODES))
    if unknown or not words:
        what = f"no code for {unknown[0]!r}" if unknown else "no text"
        raise UserError(what, where=f"{PREFIX}{text:.40}", remedy="give letters from a to z and digits")
    coded = "/".join(" ".join(CODES[letter] for letter in word) for word in words)
    found = []
    for mark in re.findall(r"[.-][ /]?", coded):  # what follows a dot or a dash within a letter is nothing
        found += [3 if mark[0] == "-" else 1, {" ": 3, "/": 7}.get(mark[1:], 1)]
    return found[:-1]


def sound(text, rng, sample_rate=8000):
    """The waveform of a text: speed, pitch, loudness, noise and the silence around it are drawn.

    From 15 to 35 words a minute, 400 to 1000 hertz, in white noise of 5 to 30 decibels below the tone, over all
    frequencies. Every tone and gap is up to a tenth longer or shorter than it should be.

    Args:
        text: letters from a to z, digits and spaces.
        rng: `numpy.random.Generator`.
        sample_rate: samples a second.

    Returns:
        float32 array (samples,).

    Raises:
        UserError: as of `units`.
    """
    lengths = np.array(units(text)) * (1.2 / rng.uniform(*SPEEDS))  # 50 units a word: 1.2 s of a word a minute
    lengths = lengths * rng.uniform(1 - JITTER, 1 + JITTER, len(lengths))
    lengths = np.concatenate([[rng.uniform(*SILENCE)], lengths, [rng.uniform(*SILENCE)]])
    bounds = np.rint(np.cumsum(lengths) * sample_rate).astype(int)
    gate = np.repeat(np.arange(len(lengths)) % 2, np.diff(bounds, prepend=0)).astype(float)  # (samples,)
    edge = np.hanning(round(EDGE * sample_rate) + 2)
    gate = np.convolve(gate, edge / edge.sum(), "same")
    pitch, turn, level = rng.uniform(*PITCHES), rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(*np.log(LEVELS)))
    tone = gate * np.sin(2 * np.pi * pitch / sample_rate * np.arange(len(gate)) + turn)
    noise = rng.standard_normal(len(gate)) * 10 ** (-rng.uniform(*NOISES) / 20) / np.sqrt(2)
    return (level * (tone + noise)).astype("float32")


def read(name, sample_rate=8000):
    """The waveform that a name stands for, `morse:SEED:TEXT`, always the same.

    Raises:
        UserError: if it is no such name, or the text cannot be sent.

    Example:
        >>> read("morse:17:hello world").shape == read("morse:17:hello world").shape
        True
        >>> read("morse:hello")
        Traceback (most recent call last):
        seqtasks.errors.UserError: morse:hello: no message; write morse:SEED:TEXT, SEED a whole number
    """
    found = re.fullmatch(f"{PREFIX}([0-9]{{1,18}}):(.*)", name, re.DOTALL)
    if found is None:
        raise UserError("no message", where=f"{name:.40}", remedy=f"write {PREFIX}SEED:TEXT, SEED a whole number")
    return sound(found[2], np.random.default_rng([int(found[1]), *found[2].encode()]), sample_rate)


def _drawn(rng):
    """Random texts without end."""
    characters, weights = list(CODES), np.array([*FREQUENCIES, *[DIGIT] * len(DIGITS)])
    bounds = np.cumsum(weights / weights.sum())[:-1]
    while True:
        sizes = rng.integers(*SIZES, rng.integers(*WORDS, endpoint=True), endpoint=True)
        yield " ".join("".join(characters[n] for n in np.searchsorted(bounds, rng.random(size))) for size in sizes)
