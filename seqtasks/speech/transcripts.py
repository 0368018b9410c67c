"""Texts as they are spoken: one spelling for what sounds the same, and the characters that occur."""

import functools
import re
import unicodedata

APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"))
OUTER = re.compile(r"(?<!\w)'|'(?!\w)")


def normalise(text):
    """The text as it is learnt and compared.

    1. Typographic apostrophes (U+2019, U+2018, U+02BC, U+00B4, U+0060) become `'`.
    2. Compatible characters become one, by Unicode's NFKC: full-width letters, ligatures, letters with their accents.
    3. Letters become lower case.
    4. Dashes, slashes and white space become a space.
    5. All other punctuation goes, and symbols and control characters; of apostrophes those that do not stand between
       two letters or digits.
    6. Several spaces become one; those at the ends go.

    Digits stay what they are.

    Example:
        >>> normalise("“Don’t,” she said — the DOGS’ twenty-one \\ufb01ngers!")
        "don't she said the dogs twenty one fingers"
        >>> normalise("Änderung: 3 CAFE\\u0301S")
        'änderung 3 cafés'
    """
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).lower().translate(APOSTROPHES)
    text = OUTER.sub("", "".join(map(_spoken, text)))
    return " ".join(unicodedata.normalize("NFKC", text).split())


def alphabet(texts):
    """The characters of texts, sorted, as a string.

    Example:
        >>> alphabet(["no", "on it"])
        ' inot'
    """
    found = set()
    for text in texts:
        found.update(text)
    return "".join(sorted(found))


def outside(text, alphabet):
    """The characters of a text that an alphabet lacks, each once, as a string.

    Example:
        >>> outside("naïve café, naïve", "abcdefghijklmnopqrstuvwxyz ")
        'ïé,'
    """
    return "".join(dict.fromkeys(character for character in text if character not in alphabet))


@functools.cache
def _spoken(character):
    """What a character becomes, in lower case already: itself, a space or nothing."""
    kind = unicodedata.category(character)
    if character.isspace() or character == "/" or kind == "Pd":
        return " "
    return character if kind[0] in "LMN" or character == "'" else ""
