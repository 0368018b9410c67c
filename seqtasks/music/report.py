"""Pieces of music in a report: pictures, players, and a table of their differences from other pieces.

A piece is a list of `seqtasks.music.notes.Note`.
"""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqtasks.music import analysis, synthesis
from seqtasks.music.notes import Note
from seqtasks.report.charts import ACCENT, STYLE, svg
from seqtasks.report.formatting import duration, number

LONGEST = {"quarter notes": 64, "seconds": 40}  # maximum time in a picture
TICKS = {"quarter notes": [1, 2, 4, 8, 10], "seconds": [1, 2, 5, 10]}
BOX: dict[str, Any] = {"facecolor": (ACCENT, 0.6), "edgecolor": ACCENT, "linewidth": 0.6}
SECONDS = 30  # maximum time of a player
RATE = 11_025  # samples per second: more than twice the frequency of the highest key of a piano
NAMES = {
    "pitch": "pitch, as a MIDI number",
    "pitch_class": "pitch class, from 0 (C) to 11 (B)",
    "length": "length of a note",
    "range": "range of a piece, in semitones",
    "key_fit": "fit of the best key",
    "repetition": f"fraction of {analysis.ONSETS} onsets in a row that appeared before",
}


def piano_roll(notes: Sequence[Note], name: str, title: str = "", unit: str = "quarter notes") -> str:
    """Draws the notes of a piece over time as an SVG; of a long piece the beginning.

    Args:
        notes: in any order, at least one.
        name: of the picture, unique in the page.
        title: of the piece, for the alternative text.
        unit: of the times: `quarter notes` or `seconds`.

    Returns:
        The SVG element.
    """
    longest = LONGEST[unit]
    opening = _opening(notes, longest)
    start, end = min(note.start for note in opening), max(note.end for note in opening)
    low, high = analysis.pitch_range(opening)
    octaves = range(low // 12 * 12, high + 1, 12)
    with matplotlib.rc_context(STYLE):
        size = 9 * max((end - start) / longest, 0.25), 0.065 * (high - octaves[0] + 2)  # inches
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.grid()
        axes.add_collection(PolyCollection([_box(note) for note in opening], clip_on=False, **BOX))
        axes.set(xlim=(start, end), ylim=(octaves[0] - 1, high + 1), xlabel=unit)
        axes.set_yticks(octaves, [_pitch(octave) for octave in octaves])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=TICKS[unit]))
        alt = f"Piano roll{title and f' of {title}'}: {_description(notes)}"
        if len(opening) < len(notes) or end < max(note.end for note in notes):
            alt += f"; of these the first {longest} {unit}, {len(opening):,} notes"
        return svg(figure, alt, name, natural=True)


def player(notes: Sequence[Note], tempo: float | None = None) -> str:
    """Renders at most the first 30 seconds of a piece as an `<audio>` element that contains the sound.

    Args:
        notes: in any order, at least one.
        tempo: quarter notes per minute, if the times of the notes are quarter notes; None if they are seconds.

    Returns:
        The HTML element.
    """
    opening = _opening(notes, SECONDS / _seconds_per_unit(tempo))
    start = min(note.start for note in opening)
    opening = [note._replace(start=note.start - start, end=note.end - start) for note in opening]
    samples = synthesis.render(opening, tempo, RATE)[: SECONDS * RATE]
    content = base64.b64encode(synthesis.wav(samples, RATE)).decode()
    return f'<audio controls preload="none" src="data:audio/wav;base64,{content}"></audio>'


def section(title: str, pieces: Sequence[tuple[str, Sequence[Note], float | None]]) -> tuple[str, str]:
    """Makes a section of a report that shows pieces: for each a description, a piano roll and a player.

    Args:
        title: of the part, unlike any other of the page.
        pieces: (heading, notes, tempo) of each; tempo as for `player`.

    Returns:
        `(title, HTML)`.

    Example:
        >>> section("Music", [("<empty>", [], 120)])
        ('Music', '<h3>&lt;empty&gt;</h3><p>The piece has no notes.</p>')
    """
    name = re.sub("[^a-z0-9]+", "-", title.lower())
    return title, "".join(_piece(f"{name}-roll{place}", *piece) for place, piece in enumerate(pieces))


def differences(compared: Mapping[str, Mapping[str, float]], reference: str = "training set") -> str:
    """Makes an HTML table of the result of `seqtasks.music.analysis.compare`.

    Args:
        compared: the result.
        reference: name of the reference set.

    Returns:
        The HTML element.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in ("generated", reference, "overlap", "distance"))
    rows = "".join(
        f'<tr><th scope="row">{NAMES[statistic]}</th>'
        + "".join(f"<td>{number(values[name])}</td>" for name in ("mean", "reference", "overlap", "distance"))
        + "</tr>"
        for statistic, values in compared.items()
    )
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Differences of the generated pieces">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="quiet">The means of both sets; the area that their histograms have in common, from 0 to 1; their '
        "Wasserstein distance.</p>"
    )


def _piece(name: str, heading: str, notes: Sequence[Note], tempo: float | None = None) -> str:
    text = f"<h3>{html.escape(heading)}</h3>"
    if not notes:
        return f"{text}<p>The piece has no notes.</p>"
    unit = "quarter notes" if tempo else "seconds"
    length = max(note.end for note in notes) - min(note.start for note in notes)
    seconds = length * _seconds_per_unit(tempo)
    description = f"{_description(notes)}; {duration(seconds)}"
    description += f"; the first {LONGEST[unit]} {unit} are shown" if length > LONGEST[unit] else ""
    description += f"; the first {SECONDS} s can be played" if seconds > SECONDS else ""
    picture = piano_roll(notes, name, heading, unit)
    figure = f'<figure class="scroll" tabindex="0" aria-label="Piano roll">{picture}</figure>'
    return f"{text}<p>{description}.</p>{figure}{player(notes, tempo)}"


def _opening(notes: Sequence[Note], longest: float) -> list[Note]:
    """The notes of the first `longest` units of time, those that sound at the end shortened."""
    end = min(note.start for note in notes) + longest
    return [note._replace(end=min(note.end, end)) for note in notes if note.start < end]


def _box(note: Note) -> tuple[tuple[float, float], ...]:
    low, high = note.pitch - 0.4, note.pitch + 0.4
    return (note.start, low), (note.end, low), (note.end, high), (note.start, high)


def _description(notes: Sequence[Note]) -> str:
    low, high = analysis.pitch_range(notes)
    key = analysis.key(notes)
    count = f"{len(notes):,} note{'s' * (len(notes) > 1)}"
    return f"{count} from {_pitch(low)} to {_pitch(high)}; best key {key.name} (fit {key.fit:.2f})"


def _pitch(number: int) -> str:
    return f"{analysis.TONICS[number % 12]}{number // 12 - 1}"


def _seconds_per_unit(tempo: float | None) -> float:
    return 60 / tempo if tempo else 1
