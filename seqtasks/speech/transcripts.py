"""Normalisation of transcripts, and the characters that appear in them."""

import functools
import re
import unicodedata
from collections.abc import Container, Iterable

APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"))
OUTER_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def normalise(text: str) -> str:
    """Normalises a text for training and for the metrics.

    1. Typographic apostrophes (U+2019, U+2018, U+02BC, U+00B4, U+0060) become `'`.
    2. Compatible characters become one, by Unicode's NFKC: full-width letters, ligatures, letters with accents.
    3. Letters become lower case.
    4. Dashes, slashes and white space become a space.
    5. All other punctuation, symbols and control characters are removed, and apostrophes that do not stand between two
       letters or digits.
    6. Several spaces become one; leading and trailing spaces are removed.

    Digits are not changed.

    Example:
        >>> normalise("“Don’t,” she said — the DOGS’ twenty-one \\ufb01ngers!")
        "don't she said the dogs twenty one fingers"
        >>> normalise("Änderung: 3 CAFE\\u0301S")
        'änderung 3 cafés'
    """
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).lower().translate(APOSTROPHES)
    text = OUTER_APOSTROPHE.sub("", "".join(map(_normalise_character, text)))
    return " ".join(unicodedata.normalize("NFKC", text).split())


def alphabet(texts: Iterable[str]) -> str:
    """The distinct characters of texts, sorted.

    Example:
        >>> alphabet(["no", "on it"])
        ' inot'
    """
    characters: set[str] = set()
    for text in texts:
        characters.update(text)
    return "".join(sorted(characters))


def unknown_characters(text: str, alphabet: Container[str]) -> str:
    """The distinct characters of a text that are not in an alphabet, in order of appearance.

    Example:
        >>> unknown_characters("naïve café, naïve", "abcdefghijklmnopqrstuvwxyz ")
        'ïé,'
    """
    return "".join(dict.fromkeys(character for character in text if character not in alphabet))


@functools.cache
def _normalise_character(character: str) -> str:
    """A lower-case character, or the space or empty string that replaces it."""
    kind = unicodedata.category(character)
    if character.isspace() or character == "/" or kind == "Pd":
        return " "
    return character if kind[0] in "LMN" or character == "'" else ""
