"""The sample data: Morse code as sound, rendered without files. An input is a name such as `morse:17:hello world`.

References:
    ITU-R M.1677-1, 2009, International Morse code
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from seqtasks.data.partition import TEST, VALIDATION, part
from seqtasks.data.sources import Example, Source
from seqtasks.errors import UserError

LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_CODES = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
    "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
CODES = dict(zip(LETTERS + DIGITS, _CODES.split(), strict=True))
PREFIX = "morse:"
COUNTS = {"train": 4000, "validation": 200, "test": 200}
# Frequencies of letters in English text, in thousandths, and of a digit. Frequent letters have short codes.
LETTER_FREQUENCIES = 82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1
DIGIT_FREQUENCY = 10
WORDS, CHARACTERS = (1, 2), (1, 3)  # minimum and maximum: words per text, characters per word
SPEEDS = 15, 35  # words per minute; a word has 50 units, like PARIS with the gap after it
PITCHES, LEVELS = (400, 1000), (0.1, 0.5)  # hertz; amplitudes
NOISES = 5, 30  # signal-to-noise ratio in decibels while the tone sounds, over all frequencies
JITTER = 0.1  # maximum relative change of the length of an element
EDGE = 0.005  # seconds in which the tone rises or falls, as a raised cosine
SILENCE = 0.1, 0.5  # seconds before and after the message


def splits(seed: int = 0, counts: Mapping[str, int] = COUNTS) -> dict[str, Source]:
    """Sources of messages, by the names of the splits. No text is in two splits.

    Args:
        seed: equal seeds give equal messages.
        counts: number of messages of each split.

    Example:
        >>> {name: len(list(source)) for name, source in splits(counts={"train": 8, "test": 2}).items()}
        {'train': 8, 'test': 2}
    """

    def source(name: str, count: int) -> Source:
        examples = [Example(f"{PREFIX}{n}:{text}", text, n) for n, text in enumerate(messages(count, seed, name))]
        return Source(lambda: iter(examples), f"{PREFIX}{name}")

    return {name: source(name, count) for name, count in counts.items()}


def messages(count: int, seed: int = 0, split: str = "train") -> list[str]:
    """Texts of random words.

    The hash of a text (`seqtasks.data.partition.part`) decides its split, so splits have no text in common.

    Args:
        count: number of texts.
        seed: equal seeds give equal texts.
        split: `train`, `validation` or `test`.

    Returns:
        Distinct texts of one or two words; a word has one to three lower-case letters and digits.

    Example:
        >>> texts = messages(4000)
        >>> len(set(texts)), set("".join(texts)) == {*CODES, " "}
        (4000, True)
    """
    parts = {"validation": {VALIDATION}, "test": {TEST}}.get(split, set(range(10)) - {VALIDATION, TEST})
    candidates = _random_texts(np.random.default_rng(seed))
    texts: dict[str, None] = {}
    while len(texts) < count:
        text = next(candidates)
        if part(text) in parts:
            texts[text] = None
    return list(texts)


def units(text: str) -> list[int]:
    """The lengths of the tones of a text and of the gaps between them, alternating, the first of a tone, in units.

    A dot lasts one unit, a dash three; a gap within a letter one, between letters three, between words seven.

    Raises:
        UserError: if the text has a character without a code, or no characters.

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
    lengths = []
    for mark in re.findall(r"[.-][ /]?", coded):  # a dot or dash, and the separator after it, if any
        lengths += [3 if mark[0] == "-" else 1, {" ": 3, "/": 7}.get(mark[1:], 1)]
    return lengths[:-1]


def sound(text: str, rng: np.random.Generator, sample_rate: int = 8000) -> np.ndarray:
    """Renders a text as a waveform with random speed, pitch, amplitude, noise, and silence around it.

    The speed is 15 to 35 words per minute, the pitch 400 to 1000 hertz, the white noise 5 to 30 decibels below the
    tone, over all frequencies. Each tone and gap is up to a tenth longer or shorter than its nominal length.

    Args:
        text: letters from a to z, digits and spaces.
        rng: random numbers.
        sample_rate: samples per second.

    Returns:
        float32 array (samples,).

    Raises:
        UserError: as for `units`.
    """
    lengths = np.array(units(text)) * (
        1.2 / rng.uniform(*SPEEDS)
    )  # 50 units per word: at 1 word per minute a unit lasts 1.2 s
    lengths = lengths * rng.uniform(1 - JITTER, 1 + JITTER, len(lengths))
    lengths = np.concatenate([[rng.uniform(*SILENCE)], lengths, [rng.uniform(*SILENCE)]])
    bounds = np.rint(np.cumsum(lengths) * sample_rate).astype(int)
    gate = np.repeat(np.arange(len(lengths)) % 2, np.diff(bounds, prepend=0)).astype(float)  # (samples,)
    edge = np.hanning(round(EDGE * sample_rate) + 2)
    gate = np.convolve(gate, edge / edge.sum(), "same")
    pitch, phase, level = rng.uniform(*PITCHES), rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(*np.log(LEVELS)))
    tone = gate * np.sin(2 * np.pi * pitch / sample_rate * np.arange(len(gate)) + phase)
    noise = rng.standard_normal(len(gate)) * 10 ** (-rng.uniform(*NOISES) / 20) / np.sqrt(2)
    return (level * (tone + noise)).astype("float32")


def read(name: str, sample_rate: int = 8000) -> np.ndarray:
    """Renders the message of a name, `morse:SEED:TEXT`. Equal names give equal waveforms.

    Args:
        name: the name.
        sample_rate: samples per second.

    Returns:
        float32 array (samples,).

    Raises:
        UserError: if the name does not have this form, or the text has no code.

    Example:
        >>> read("morse:17:hello world").shape == read("morse:17:hello world").shape
        True
        >>> read("morse:hello")
        Traceback (most recent call last):
        seqtasks.errors.UserError: morse:hello: not a Morse message; write morse:SEED:TEXT, SEED a whole number
    """
    match = re.fullmatch(f"{PREFIX}([0-9]{{1,18}}):(.*)", name, re.DOTALL)
    if match is None:
        remedy = f"write {PREFIX}SEED:TEXT, SEED a whole number"
        raise UserError("not a Morse message", where=f"{name:.40}", remedy=remedy)
    return sound(match[2], np.random.default_rng([int(match[1]), *match[2].encode()]), sample_rate)


def _random_texts(rng: np.random.Generator) -> Iterator[str]:
    """Random texts without end."""
    characters, weights = list(CODES), np.array([*LETTER_FREQUENCIES, *[DIGIT_FREQUENCY] * len(DIGITS)])
    bounds = np.cumsum(weights / weights.sum())[:-1]
    while True:
        sizes = rng.integers(*CHARACTERS, rng.integers(*WORDS, endpoint=True), endpoint=True)
        yield " ".join("".join(characters[n] for n in np.searchsorted(bounds, rng.random(size))) for size in sizes)
