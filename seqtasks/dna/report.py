"""The report section of DNA analysis: the effect of each substitution."""

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from seqtasks.dna.alphabets import alphabet_of
from seqtasks.dna.mutagenesis import effects
from seqtasks.report import charts
from seqtasks.report.charts import ACCENT, MUTED, SECOND, svg
from seqtasks.report.formatting import number
from seqtasks.tasks import Classification

if TYPE_CHECKING:
    from seqtasks.capabilities import Predictor
    from seqtasks.data.sources import Example

PER_LINE = 60  # bases of a line
LONGEST = 600  # bases of a sequence in the report; it has three times as many mutants


def substitutions(sequence: str, changes: np.ndarray, title: str, name: str, alphabet: str = "ACGT") -> Markup:
    """A chart of the change of a probability for every base and substitution.

    Args:
        sequence: the bases.
        changes: array (bases, letters of the alphabet), for DNA A, C, G, T; 0 for the base that is there.
        title: what the chart shows, for screen readers.
        name: of the chart, unique on the page.
        alphabet: the letters of the columns.

    Returns:
        An SVG with lines of 60 bases, each with a row for each letter of the alphabet.
    """
    lines = range(0, len(sequence), PER_LINE)
    rows = len(alphabet)
    figure = Figure(figsize=(9.5, 0.3 + (0.35 + 0.15 * rows) * len(lines)), layout="constrained")
    largest = max(abs(changes).max(), 1e-9)
    for row, first in enumerate(lines):
        axes = figure.add_subplot(len(lines), 1, row + 1)
        part = changes[first : first + PER_LINE]
        cells = [(i, j, part[i, j]) for i in range(len(part)) for j in range(rows) if part[i, j]]
        squares = [[(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)] for i, j, _ in cells]
        colours = [SECOND if value < 0 else ACCENT for *_, value in cells]
        shades = [0.04 + 0.96 * abs(value) / largest for *_, value in cells]
        axes.add_collection(PolyCollection(squares, fc=colours, alpha=shades, linewidths=0))
        axes.set(xlim=(0, PER_LINE), ylim=(rows, 0))
        axes.set_yticks([j + 0.5 for j in range(rows)], list(alphabet), fontsize=7)
        letters = sequence[first : first + PER_LINE]
        axes.set_xticks([i + 0.5 for i in range(len(letters))], letters, fontsize=7)
        axes.set_title(f"{first + 1:,}", loc="left", fontsize=7, color=MUTED, pad=2)
        axes.spines[["left", "bottom"]].set_visible(False)
    low, high = changes.min(), changes.max()
    bounds = f"from {number(low, True)} to {number(high, True)}"
    return svg(figure, f"Substitutions of {len(sequence)} bases, {title}: changes {bounds}", name)


def report_sections(predictor: "Predictor", examples: "Iterable[Example]", most: int = 3) -> list[tuple[str, str]]:
    """The report section with the effects of substitutions in the first example of some classes.

    Args:
        predictor: a trained model over sequences.
        examples: examples of the test split; sequences of more than 600 bases are skipped.
        most: number of classes.

    Returns:
        `[(title, HTML)]`; empty for a task other than `Classification` or without a suitable example.
    """
    if not isinstance(predictor.task, Classification):
        return []
    chosen: dict[str, Example] = {}  # by class
    for example in examples:
        if len(example.input) <= LONGEST:
            chosen.setdefault(example.target, example)
    if not chosen:
        return []
    parts = ["<p>Change of the probability of the predicted class under each substitution of each base.</p>"]
    for i, (target, example) in enumerate(list(chosen.items())[:most]):
        sequence = example.input
        label, probability, changes = effects(predictor, sequence, columns=example.columns)
        title = f"predicted {label} ({probability:.3f}), true {target}"
        with matplotlib.rc_context(charts.STYLE):
            chart = substitutions(
                sequence, changes, title, f"bases-{i}", alphabet_of(predictor.config.alphabet).letters
            )
        parts.append(f"<h3>{html.escape(title)}</h3><figure>{chart}</figure>")
    return [("Which bases matter", "".join(parts))]
