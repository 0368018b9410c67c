"""Generates the built-in sample of translation: dates as written in fifteen languages, with their ISO 8601 form.

The sample is kept in a file; nothing imports this module at run time. To write the file again:

    python -m seqtasks.translation.sample > recipes/samples/dates.tsv
"""

import datetime
import random
import sys

from seqtasks.errors import needs

LANGUAGES = ("de", "el", "en", "es", "fi", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "zh")
NUMBERED = ("ja", "ko", "zh")  # languages in which months are numbers and the year comes first
COMMON = ("d MMMM y", "EEEE d MMMM y", "d MMM y")  # patterns in common use in languages with names of months
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
CAPITALISED = 0.2  # share of the texts that begin with a capital letter


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Distinct texts, each with its date; no text is ambiguous.

    Args:
        count: number of pairs.
        seed: equal seeds give equal pairs, with the same version of babel.

    Returns:
        List of (text, ISO 8601 date).

    Example:
        >>> texts, dates = zip(*pairs(1000))
        >>> len(set(texts)), min(dates) >= "1900-01-01", max(dates) <= "2099-12-31"
        (1000, True, True)
    """
    needs("babel", extra="translation")
    from babel.dates import format_date

    rng = random.Random(seed)
    found: dict[str, str] = {}
    kinds = [*((language, patterns(language)) for language in LANGUAGES), ("en", ["y-MM-dd"])]
    while len(found) < count:
        date = FIRST + datetime.timedelta(rng.randrange((LAST - FIRST).days + 1))
        language, choices = rng.choice(kinds)
        text = plain(format_date(date, rng.choice(choices), language))
        if rng.random() < CAPITALISED:
            text = text[0].upper() + text[1:]
        found[text] = date.isoformat()
    return list(found.items())


def patterns(language: str) -> list[str]:
    """The date patterns of a language that are not ambiguous: the month has a name, or the year comes first.

    Example:
        >>> patterns("de")  # and not dd.MM.y
        ['EEEE, d. MMMM y', 'd. MMMM y', 'd MMMM y', 'EEEE d MMMM y', 'd MMM y']
    """
    from babel import Locale

    formats = Locale.parse(language).date_formats
    own = [formats[name].pattern for name in ("full", "long", "medium")]
    common = () if language in NUMBERED else COMMON
    return [p for p in dict.fromkeys([*own, *common]) if "MMM" in p or p.startswith("y")]


def plain(text: str) -> str:
    """The text with plain spaces in place of narrow and no-break ones.

    Example:
        >>> plain("5 марта 2024\\u202fг.")
        '5 марта 2024 г.'
    """
    return " ".join(text.split())


if __name__ == "__main__":
    lines = "".join(f"{text}\t{iso}\n" for text, iso in pairs(6000))
    sys.stdout.buffer.write(lines.encode())
