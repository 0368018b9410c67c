"""Dates: read back by the month and day names of babel, and no text that can mean two of them."""

import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

babel = pytest.importorskip("babel")

from babel.dates import format_date, get_day_names, get_month_names  # noqa: E402

from seqtasks.data.splits import open_data  # noqa: E402
from seqtasks.translation.files import formats  # noqa: E402
from seqtasks.translation.sample import LANGUAGES, pairs, patterns, plain  # noqa: E402

SAMPLE = Path(__file__).parents[2] / "recipes" / "samples" / "dates.tsv"
CLDR = "47"  # the version of babel's data that wrote the committed file
DAYS = [(name.lower(), day) for language in LANGUAGES for day, name in get_day_names("wide", locale=language).items()]
MONTHS = {}  # name: the months that it stands for in any of the languages
for language in LANGUAGES:
    for width in ("wide", "abbreviated"):
        for month, name in get_month_names(width, locale=language).items():
            MONTHS.setdefault(name.lower(), set()).add(month)


def meanings(text):
    """Every date that a text can mean: by its numbers and, whatever the language, the names of months in it."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    words = set(re.split(r"[\d ,]+", text.lower()))
    months = set().union(*(MONTHS[word] for word in words & set(MONTHS)))
    if not months:
        assert re.match(r"\d{4}\D+\d{1,2}\D+\d{1,2}(\D|$)", text), text  # the year comes first, then the month
        return {datetime.date(*numbers)}
    assert re.fullmatch(r"\D*\d{1,2}\D+\d{4}\D*", text), text
    return {datetime.date(numbers[1], month, numbers[0]) for month in months}


def weekdays(text):
    return {day for name, day in DAYS if name in text.lower()}


def check(found):
    for text, iso in found:
        date = datetime.date.fromisoformat(iso)
        assert 1900 <= date.year <= 2099 and date.isoformat() == iso
        assert meanings(text) == {date}, text
        assert weekdays(text) <= {date.weekday()}, text
        assert text == plain(text) and text.isprintable()


def test_generated_dates_can_be_parsed():
    found = pairs(3000, seed=1)
    check(found)
    assert len(dict(found)) == len(found) == 3000
    assert pairs(3000, seed=1) == found != pairs(3000, seed=2)
    assert 0.2 < sum(bool(weekdays(text)) for text, _ in found) / 3000 < 0.5
    assert 0.03 < sum(text == iso for text, iso in found) / 3000 < 0.1  # ISO 8601 itself
    french = [text for text, _ in found if re.match("(lun|mar|mercre|jeu|vendre|same)di ", text.lower())]
    assert 0.1 < sum(text[0].isupper() for text in french) / len(french) < 0.3  # as at the start of a line


def test_committed_dates_can_be_parsed():
    found = [tuple(line.split("\t")) for line in SAMPLE.read_text("utf-8").splitlines()]
    assert [(e.input, e.target) for e in open_data(SAMPLE, formats())] == found
    check(found)
    assert len(dict(found)) == len(found) == 6000
    assert SAMPLE.stat().st_size < 300_000
    scripts = {"latin": "[a-z]", "cyrillic": "[а-я]", "greek": "[α-ω]", "han": "年", "hangul": "년", "kana": "曜日"}
    for name, letters in scripts.items():
        assert sum(bool(re.search(letters, text)) for text, _ in found) > 50, name


@given(st.sampled_from(LANGUAGES), st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
def test_every_pattern_is_unambiguous(language, date):
    assert len(patterns(language)) >= 2
    for pattern in patterns(language):
        assert meanings(plain(format_date(date, pattern, language))) == {date}


def test_no_text_of_a_year_is_ambiguous():
    found = {}
    for day in range(366):
        date = datetime.date(2024, 1, 1) + datetime.timedelta(day)
        for language in LANGUAGES:
            for pattern in patterns(language):
                found.setdefault(plain(format_date(date, pattern, language)).lower(), set()).add(date)
    assert len(found) > 366 * 30
    assert not {text: dates for text, dates in found.items() if len(dates) > 1}


def test_the_committed_file_is_what_the_module_writes():
    version = getattr(babel.core, "get_cldr_version", lambda: None)()
    if version != CLDR:
        pytest.skip(f"babel holds CLDR {version}, and the file was written with {CLDR}")
    written = subprocess.run(
        [sys.executable, "-m", "seqtasks.translation.sample"], capture_output=True, check=True
    ).stdout
    assert written == SAMPLE.read_bytes()
