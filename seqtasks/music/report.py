"""Pieces of music in a report: what they look like, what they sound like, and how they differ from others.

Pieces are lists of `seqtasks.music.notes.Note`.
"""

import base64
import html
import re

import matplotlib
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqtasks.music import analysis, synthesis
from seqtasks.report.charts import ACCENT, STYLE, svg
from seqtasks.report.formatting import duration, number

LONGEST = {"quarter notes": 64, "seconds": 40}  # of a picture
TICKS = {"quarter notes": [1, 2, 4, 8, 10], "seconds": [1, 2, 5, 10]}
BOX = {"facecolor": (ACCENT, 0.6), "edgecolor": ACCENT, "linewidth": 0.6}
SECONDS = 30  # of a sound
RATE = 11_025  # samples a second: more than twice the frequency of the highest key of a piano
NAMES = {
    "pitch": "pitch, as a MIDI number",
    "pitch_class": "pitch class, from 0 (C) to 11 (B)",
    "length": "length of a note",
    "range": "range of a piece, in semitones",
    "key_fit": "fit of the best key",
    "repetition": f"share of runs of {analysis.ONSETS} onsets that came before",
}


def piano_roll(notes, name, title="", unit="quarter notes"):
    """The notes of a piece over time, the beginning of a long one, as an SVG.

    Args:
        notes: in any order, one at least.
        name: of the picture, unlike any other of the page.
        title: of the piece, for those who cannot see the picture.
        unit: of the times: `quarter notes` or `seconds`.
    """
    longest = LONGEST[unit]
    shown = _opening(notes, longest)
    start, end = min(note.start for note in shown), max(note.end for note in shown)
    low, high = analysis.pitch_range(shown)
    octaves = range(low // 12 * 12, high + 1, 12)
    with matplotlib.rc_context(STYLE):
        size = 9 * max((end - start) / longest, 0.25), 0.065 * (high - octaves[0] + 2)  # inches
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.grid()
        axes.add_collection(PolyCollection([_box(note) for note in shown], clip_on=False, **BOX))
        axes.set(xlim=(start, end), ylim=(octaves[0] - 1, high + 1), xlabel=unit)
        axes.set_yticks(octaves, [_pitch(octave) for octave in octaves])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=TICKS[unit]))
        alt = f"Piano roll{title and f' of {title}'}: {_words(notes)}"
        if len(shown) < len(notes) or end < max(note.end for note in notes):
            alt += f"; of these the first {longest} {unit}, {len(shown):,} notes"
        return svg(figure, alt, name, natural=True)


def player(notes, tempo=None):
    """The sound of a piece, its first 30 seconds at most, as an `<audio>` element that holds it.

    Args:
        notes: in any order, one at least.
        tempo: quarter notes a minute; the times of the notes are then quarter notes. None: they are seconds.
    """
    opening = _opening(notes, SECONDS / _second(tempo))
    start = min(note.start for note in opening)
    opening = [note._replace(start=note.start - start, end=note.end - start) for note in opening]
    samples = synthesis.render(opening, tempo, RATE)[: SECONDS * RATE]
    content = base64.b64encode(synthesis.wav(samples, RATE)).decode()
    return f'<audio controls preload="none" src="data:audio/wav;base64,{content}"></audio>'


def section(title, pieces):
    """The part of a report that shows pieces: of each its range and key in words, its notes, and its sound.

    Args:
        title: of the part, unlike any other of the page.
        pieces: list of (heading, notes, tempo); tempo as of `player`.

    Returns:
        `(title, HTML)`.

    Example:
        >>> section("Music", [("<empty>", [], 120)])
        ('Music', '<h3>&lt;empty&gt;</h3><p>There are no notes in it.</p>')
    """
    name = re.sub("[^a-z0-9]+", "-", title.lower())
    shown = [_shown(f"{name}-roll{place}", *piece) for place, piece in enumerate(pieces)]
    return title, "".join(shown)


def differences(compared, reference="training set"):
    """The HTML table of what `seqtasks.music.analysis.compare` found.

    Args:
        compared: what it gave.
        reference: what the other pieces are called.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in ("written", reference, "overlap", "distance"))
    rows = "".join(
        f'<tr><th scope="row">{NAMES[statistic]}</th>'
        + "".join(f"<td>{number(found[name])}</td>" for name in ("mean", "reference", "overlap", "distance"))
        + "</tr>"
        for statistic, found in compared.items()
    )
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Differences of what was written">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="quiet">Means; the area that both histograms have in common, from 0 to 1; and how far a value has to '
        "move, in the mean, to make one set the other.</p>"
    )


def _shown(name, heading, notes, tempo=None):
    text = f"<h3>{html.escape(heading)}</h3>"
    if not notes:
        return f"{text}<p>There are no notes in it.</p>"
    unit = "quarter notes" if tempo else "seconds"
    length = max(note.end for note in notes) - min(note.start for note in notes)
    seconds = length * _second(tempo)
    told = f"{_words(notes)}; {duration(seconds)}"
    told += f"; the first {LONGEST[unit]} {unit} are shown" if length > LONGEST[unit] else ""
    told += f"; the first {SECONDS} s can be heard" if seconds > SECONDS else ""
    picture = piano_roll(notes, name, heading, unit)
    figure = f'<figure class="scroll" tabindex="0" aria-label="Piano roll">{picture}</figure>'
    return f"{text}<p>{told}.</p>{figure}{player(notes, tempo)}"


def _opening(notes, longest):
    """The notes that begin within `longest` of the first one, and end there at the latest."""
    end = min(note.start for note in notes) + longest
    return [note._replace(end=min(note.end, end)) for note in notes if note.start < end]


def _box(note):
    low, high = note.pitch - 0.4, note.pitch + 0.4
    return (note.start, low), (note.end, low), (note.end, high), (note.start, high)


def _words(notes):
    low, high = analysis.pitch_range(notes)
    key = analysis.key(notes)
    count = f"{len(notes):,} note{'s' * (len(notes) > 1)}"
    return f"{count} from {_pitch(low)} to {_pitch(high)}; best key {key.name} (fit {key.fit:.2f})"


def _pitch(number):
    return f"{analysis.TONICS[number % 12]}{number // 12 - 1}"


def _second(tempo):
    """The seconds of a unit of time."""
    return 60 / tempo if tempo else 1
