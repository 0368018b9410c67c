"""Pieces of music in a report: positions of the notes in the picture, sound of the player, values of the table."""

import base64
import io
import re
import wave
from xml.etree import ElementTree

import numpy as np
import pytest

from seqtasks.music import analysis, report, synthesis
from seqtasks.music.notes import Note
from seqtasks.report.formatting import number

PIECE = [Note(43, 0, 2), Note(60, 0, 1), Note(60, 1, 1.5), Note(72, 2.25, 4), Note(61, 4, 8)]
LONG = [Note(48 + i % 25, i, i + 1.5) for i in range(5, 105)]


def parsed(html):
    return ElementTree.fromstring(f'<html xmlns:xlink="http://www.w3.org/1999/xlink">{html}</html>')


def corners(path):
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d")), float)


def boxes_of(picture):
    """(middle of the pitches, start, end) of each box of a piano roll, measured by the grid lines and their labels."""
    paths = [path for path in parsed(picture).iter("path") if "stroke: var(--rule)" in path.get("style", "")]
    labels = [text.text for text in parsed(picture).iter("text")]
    lines = np.array([corners(path) for path in paths])  # (lines, 2, 2)
    upright = lines[:, 0, 0] == lines[:, 1, 0]
    times = np.array([label for label in labels if label.isdigit()], float)
    pitches = np.array([12 * (int(label[1:]) + 1) for label in labels if re.fullmatch("C-?[0-9]", label)])
    in_time, in_pitch = (
        np.polyfit(*found, 1) for found in ((lines[upright, 0, 0], times), (lines[~upright, 0, 1], pitches))
    )
    boxes = [corners(p) for p in parsed(picture).iter("path") if "fill: var(--accent)" in p.get("style", "")]
    found = []
    for box in boxes:
        starts_ends, low_high = np.polyval(in_time, box[:, 0]), np.polyval(in_pitch, box[:, 1])
        assert 0.5 < np.ptp(low_high) < 1  # neighbouring keys do not touch
        found.append((np.mean([low_high.min(), low_high.max()]), starts_ends.min(), starts_ends.max()))
    return found


def alt(picture):
    return parsed(picture)[0].get("aria-label")


def sound(player):
    audio = parsed(player)[0]
    assert audio.tag == "audio" and audio.get("preload") == "none"
    assert audio.get("controls") is not None
    kind, content = audio.get("src").split(",")
    assert kind == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(content, validate=True))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, report.RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


def as_xml(player):
    """An element as XML, where an attribute has a value and every element an end."""
    return player.replace("<audio controls ", '<audio controls="" ')


def loudest_tone(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * rate / len(samples)


@pytest.mark.parametrize("unit", ["quarter notes", "seconds"])
def test_notes_are_boxes_at_their_pitches_and_times(unit):
    picture = report.piano_roll(PIECE, "a", "<A> & B", unit)
    np.testing.assert_allclose(boxes_of(picture), [note[:3] for note in PIECE], atol=0.01)
    assert [t.text for t in parsed(picture).iter("text") if "C" in t.text] == ["C2", "C3", "C4", "C5"]
    assert unit in [text.text for text in parsed(picture).iter("text")]
    assert alt(picture).startswith("Piano roll of <A> & B: 5 notes from G2 to C5; best key ")
    assert analysis.key(PIECE).name in alt(picture) and "first" not in alt(picture)


def test_a_piece_of_one_note_is_drawn():
    (box,) = parsed(report.piano_roll([Note(60, 3, 4)], "a")).findall(".//use")
    assert "fill: var(--accent)" in box.get("style")
    assert alt(report.piano_roll([Note(60, 3, 4)], "a")).startswith(
        "Piano roll: 1 note from C4 to C4; best key C major"
    )


@pytest.mark.parametrize(("unit", "longest"), [("quarter notes", 64), ("seconds", 40)])
def test_long_pieces_are_cut(unit, longest):
    picture = report.piano_roll(LONG, "a", unit=unit)
    expected = [(n.pitch, n.start, min(n.end, 5 + longest)) for n in LONG if n.start < 5 + longest]
    np.testing.assert_allclose(boxes_of(picture), expected, atol=0.02)
    expected_alt = f"Piano roll: 100 notes from C3 to C5; .*; of these the first {longest} {unit}, {longest} notes"
    assert re.fullmatch(expected_alt, alt(picture))
    assert float(re.search(r"width:(\d+)px", picture)[1]) <= 944  # the column of the page


def test_the_sound_has_the_pitches_at_their_times():
    samples = sound(as_xml(report.player([Note(69, 2, 3), Note(57, 3, 5)], tempo=60)))
    assert len(samples) == (3 + 1) * report.RATE  # begins with the first note, and ends a second after the last
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-4)
    for start, hertz in ((0, 440), (1, 220)):
        part = samples[start * report.RATE :][: report.RATE // 2]
        assert loudest_tone(part, report.RATE) == pytest.approx(hertz, abs=2)
    fast = sound(as_xml(report.player([Note(69, 2, 3), Note(57, 3, 5)], tempo=180)))
    assert len(fast) == (1 + 1) * report.RATE


@pytest.mark.parametrize("tempo", [None, 60, 240])
def test_the_sound_of_a_long_piece_is_cut(tempo):
    notes = [Note(60, 100, 101), Note(64, 101, 500)]
    samples = sound(as_xml(report.player(notes, tempo)))
    assert len(samples) == 30 * report.RATE
    change = int(report.RATE * (60 / tempo if tempo else 1))
    for part, hertz in ((samples[: change // 2], 261.6), (samples[change:][:4000], 329.6)):
        assert loudest_tone(part, report.RATE) == pytest.approx(hertz, abs=5)


@pytest.mark.parametrize("pitch", [60, 96, 108])
def test_harmonics_do_not_alias(pitch):
    samples = synthesis.render([Note(pitch, 0, 1)], rate=report.RATE)[: report.RATE]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))  # a bin is 1 Hz
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    harmonics = [n * fundamental for n in range(1, 5) if n * fundamental < report.RATE / 2]
    loud = np.flatnonzero(spectrum > 0.02 * spectrum.max())
    assert max(min(abs(hertz - h) for h in harmonics) for hertz in loud) < 6
    assert all(min(abs(loud - h)) < 6 for h in harmonics)


def test_tones_beyond_the_rate_are_silent():
    samples = synthesis.render([Note(127, 0, 1)], rate=8000)
    assert len(samples) == 16000 and not samples.any()


def test_a_section_has_a_picture_and_a_player_of_each_piece():
    pieces = [("<script>A & B", PIECE, 120), ("slow", LONG, 30), ("played", PIECE, None), ("none", [], 120)]
    title, html = report.section("What was <written>", pieces)
    assert title == "What was <written>" and "<script" not in html
    page = parsed(as_xml(html))
    assert [heading.text for heading in page.findall("h3")] == [heading for heading, *_ in pieces]
    texts = [p.text for p in page.findall("p")]
    assert texts[0].startswith("5 notes from G2 to C5; best key ") and texts[0].endswith("); 4 s.")
    first = "; 3 min 21 s; the first 64 quarter notes are shown; the first 30 s can be played."
    assert texts[1].endswith(first) and texts[2].endswith("); 8 s.")
    assert texts[3] == "The piece has no notes."
    assert len(page.findall("audio")) == len(page.findall("figure/svg")) == 3
    assert ["seconds" in [t.text for t in svg.iter("text")] for svg in page.iter("svg")] == [False, False, True]
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


def test_the_table_of_differences_matches_the_comparison():
    compared = analysis.compare([PIECE], [LONG])
    rows = [[cell.text for cell in row] for row in parsed(report.differences(compared)).iter("tr")]
    assert rows[0] == [None, "generated", "training set", "overlap", "distance"]
    assert [row[0] for row in rows[1:]] == [report.NAMES[statistic] for statistic in analysis.STATISTICS]
    by_hand = [43, 60, 60, 72, 61], [n.pitch for n in LONG]
    assert rows[1][1:3] == [number(float(np.mean(pitches))) for pitches in by_hand]
    for row, found in zip(rows[1:], compared.values(), strict=True):
        assert row[1:] == [number(value) for value in found.values()]
