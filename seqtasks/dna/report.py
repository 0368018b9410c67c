"""The report section of DNA analysis: the effect of each substitution."""

import html

import matplotlib
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from seqtasks.dna.mutagenesis import effects
from seqtasks.report import charts
from seqtasks.report.charts import ACCENT, MUTED, SECOND, svg
from seqtasks.report.formatting import number as format_number
from seqtasks.tasks import Classification

PER_LINE = 60  # bases of a line


def substitutions(sequence, changes, title, name):
    """The change of a probability for every base and substitution: rows A, C, G, T, lines of 60 bases.

    Args:
        sequence: the bases.
        changes: array (bases, 4); 0 for the base that is there.
        title: what the picture shows.
        name: of the picture, unlike any other of the page.
    """
    lines = range(0, len(sequence), PER_LINE)
    figure = Figure(figsize=(9.5, 0.3 + 0.95 * len(lines)), layout="constrained")
    largest = max(abs(changes).max(), 1e-9)
    for row, first in enumerate(lines):
        axes = figure.add_subplot(len(lines), 1, row + 1)
        part = changes[first : first + PER_LINE]
        cells = [(i, j, part[i, j]) for i in range(len(part)) for j in range(4) if part[i, j]]
        squares = [[(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)] for i, j, _ in cells]
        colours = [SECOND if value < 0 else ACCENT for *_, value in cells]
        shades = [0.04 + 0.96 * abs(value) / largest for *_, value in cells]
        axes.add_collection(PolyCollection(squares, fc=colours, alpha=shades, linewidths=0))
        axes.set(xlim=(0, PER_LINE), ylim=(4, 0))
        axes.set_yticks([j + 0.5 for j in range(4)], "ACGT", fontsize=7)
        letters = sequence[first : first + PER_LINE]
        axes.set_xticks([i + 0.5 for i in range(len(letters))], letters, fontsize=7)
        axes.set_title(f"{first + 1:,}", loc="left", fontsize=7, color=MUTED, pad=2)
        axes.spines[["left", "bottom"]].set_visible(False)
    low, high = changes.min(), changes.max()
    alt = f"Substitutions of {len(sequence)} bases, {title}: changes from {format_number(low, True)} to {format_number(high, True)}"
    return svg(figure, alt, name)


LONGEST = 600  # bases of a sequence that the report shows: its mutants are three times as many


def illustrate(predictor, examples, most=3):
    """The part of the report that shows the effects in the first example of each of some classes."""
    if not isinstance(predictor.task, Classification):
        return []
    chosen = {}
    for example in examples:
        if len(example.input) <= LONGEST:
            chosen.setdefault(example.target, example.input)
    if not chosen:
        return []
    shown = ["<p>The change of the probability of the predicted class, for each base and each substitution.</p>"]
    for number, (target, sequence) in enumerate(list(chosen.items())[:most]):
        label, probability, changes = effects(predictor, sequence)
        title = f"predicted {label} ({probability:.3f}), true {target}"
        with matplotlib.rc_context(charts.STYLE):
            picture = substitutions(sequence, changes, title, f"bases-{number}")
        shown.append(f"<h3>{html.escape(title)}</h3><figure>{picture}</figure>")
    return [("Which bases matter", "".join(shown))]
