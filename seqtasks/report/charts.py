"""The charts of a report, as inline SVG in the fonts and colours of the page."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqtasks.report.formatting import interval, known, number, shorten, words

LEGIBLE = 30  # most classes for which the cells of the confusion matrix hold text

Row = Mapping[str, float]  # column -> value of a CSV file

# Placeholders for the colours of the page's style sheet, so that charts follow the light or dark scheme.
INK, MUTED, RULE, ACCENT, SECOND, HEAT = (f"#01020{i}" for i in range(6))
VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", SECOND: "second", HEAT: "heat"}
STYLE = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon", "text.parse_math"), False),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 0),
    **{"axes.edgecolor": MUTED, "grid.color": RULE, "axes.axisbelow": True, "font.size": 10},
    **{"svg.fonttype": "none", "svg.hashsalt": "seqtasks"},
}


def comparison(metric: str, test: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """The chosen metric of the network and of each baseline, with confidence intervals.

    Args:
        metric: name of the metric.
        test: values of the network on the test split, by name; `{metric}_interval` holds the bounds.
        baselines: the same for each baseline.

    Returns:
        An SVG; None if fewer than two systems have a value.
    """
    return systems(metric, {"this network": test, **{words(name): values for name, values in baselines.items()}})


def systems(metric: str, systems: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """A metric of several systems, the first in another colour, with confidence intervals.

    Args:
        metric: name of the metric.
        systems: figures of each by name; `{metric}_interval` holds the bounds.

    Returns:
        An SVG; None if fewer than two systems have a value.
    """
    systems = {name: values for name, values in systems.items() if known(values.get(metric))}
    if len(systems) < 2:
        return None
    figure, axes = _chart(4.9, 0.55 + 0.3 * len(systems), "x")
    for row, values in enumerate(systems.values()):
        colour = MUTED if row else ACCENT
        if bounds := interval(values, metric):
            axes.plot(bounds, [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(values[metric], row, "o", color=colour, markersize=7)
    axes.set_yticks(range(len(systems)), [shorten(name, 40) for name in systems])
    axes.set(ylim=(len(systems) - 0.5, -0.5), xlabel=words(metric))
    axes.spines["left"].set_visible(False)
    alt = "; ".join(f"{name} {number(values[metric])}" for name, values in systems.items())
    return svg(figure, f"{words(metric)} on the test examples: {alt}", "comparison")


def _chart(width: float, height: float, grid: Literal["x", "y"]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis=grid)
    return figure, axes


def curves(history: Sequence[Row], metric: str, best_epoch: int | None) -> list[tuple[str, Markup]]:
    """The losses and each validation metric over the epochs, the chosen metric first.

    A metric that never changes has no curve, unless it is the chosen one.

    Args:
        history: rows of `history.csv`.
        metric: the chosen metric.
        best_epoch: the epoch to mark; None for no mark.

    Returns:
        (title, SVG) of each chart.
    """
    if not history:
        return []
    first = history[0]
    validation_loss = "validation_loss" if "validation_loss" in first else "validation_log_loss"
    losses = {name: c for name, c in (("training", "loss"), ("validation", validation_loss)) if c in first}
    chosen = f"validation_{metric}" if f"validation_{metric}" in first else None
    excluded = {*losses.values(), chosen, "validation_seconds"}
    others = [c for c in first if c.startswith("validation_") and c not in excluded and _varies(history, c)]
    charts = [("Loss", losses, None if chosen else best_epoch)] if losses else []
    for column in [chosen, *others] if chosen else others:
        charts.append((words(column), {"validation": column}, best_epoch if column == chosen else None))
    return [(title, _curve(history, title, lines, best, f"curve{i}")) for i, (title, lines, best) in enumerate(charts)]


def _varies(history: Sequence[Row], column: str) -> bool:
    values = {row[column] for row in history if known(row[column])}
    return len(values) > 1 or len(values) == len(history)


def _curve(history: Sequence[Row], title: str, lines: Mapping[str, str], best_epoch: int | None, name: str) -> Markup:
    figure, axes = _chart(4.6, 2.7, "y")
    epochs = [row.get("epoch", i + 1) for i, row in enumerate(history)]
    alt = []
    for label, column in lines.items():
        values = [row[column] for row in history]
        colour, style = (ACCENT, "-") if label == "validation" else (SECOND, "--")
        axes.plot(epochs, values, color=colour, linestyle=style, linewidth=2, label=label, marker="o", markersize=3)
        alt.append(f"{label} from {number(values[0])} to {number(values[-1])}")
        if best_epoch in epochs:
            best = values[epochs.index(best_epoch)]
            axes.plot(best_epoch, best, "o", markersize=10, mfc="none", mec=INK, mew=1.6)
            alt.append(f"{number(best)} at the best epoch, {best_epoch}")
    if len(lines) > 1:
        axes.legend()
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(y=0.12)
    return svg(figure, f"{title} over the epochs: {', '.join(alt)}", name)


def confusion_matrix(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup:
    """An SVG of a confusion matrix.

    Args:
        confusion: counts of true (rows) and predicted (columns) classes; shade and percentages are shares of the row.
        labels: names of the classes.
    """
    size = len(confusion)
    cell = 1.0 if size <= 4 else min(0.62, max(0.31, 7 / size)) if size <= LEGIBLE else 8 / size  # inches
    figure = Figure(figsize=(size * cell, size * cell))
    axes = figure.add_axes((0, 0, 1, 1))
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion]
    shaded = [(i, j) for i in range(size) for j in range(size) if confusion[i][j]]
    squares = [[(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)] for i, j in shaded]
    axes.add_collection(PolyCollection(squares, fc=HEAT, alpha=[0.06 + 0.86 * shares[i][j] for i, j in shaded]))
    if size <= LEGIBLE:
        _cell_texts(axes, confusion, shares, shaded, cell)
    _class_names(axes, labels, cell)
    right = sum(confusion[i][i] for i in range(size))
    alt = f"Confusion matrix of {size} classes: {right:,} of {sum(map(sum, confusion)):,} test examples on the diagonal"
    return svg(figure, alt, "confusion", natural=True)


def scatter(points: Sequence[Sequence[float]]) -> Markup:
    """An SVG of true numbers and answers, with the line on which they are equal.

    Args:
        points: pairs of a true number and the answer.
    """
    true, answers = zip(*points, strict=True)
    figure, axes = _chart(4.6, 4.6, "y")
    low, high = min(true + answers), max(true + answers)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.2, linestyle="--")
    axes.scatter(true, answers, color=ACCENT, s=12, alpha=0.45, linewidths=0)
    axes.grid(axis="x")
    axes.set(xlabel="true", ylabel="answer", aspect="equal")
    bounds = f"true numbers from {number(min(true))} to {number(max(true))}"
    alt = f"{len(points):,} test examples: {bounds}, answers from {number(min(answers))} to {number(max(answers))}"
    return svg(figure, alt, "scatter")


def _cell_texts(
    axes: Axes,
    confusion: Sequence[Sequence[int]],
    shares: Sequence[Sequence[float]],
    shaded: Sequence[tuple[int, int]],
    cell: float,
) -> None:
    """Writes count and share into the cells (row, column); `cell` is their side in inches."""
    large, digits = (13, 1) if cell >= 1 else (7.5 if cell < 0.5 else 9, 0)
    style: dict[str, Any] = {"ha": "center", "in_layout": False}
    for i, j in shaded:
        weight = "bold" if i == j else "normal"
        axes.text(j + 0.5, i + 0.5, f"{confusion[i][j]:,}", va="bottom", fontsize=large, weight=weight, **style)
        axes.text(j + 0.5, i + 0.56, f"{shares[i][j]:.{digits}%}", va="top", fontsize=0.8 * large, **style)


def _class_names(axes: Axes, labels: Sequence[str], cell: float) -> None:
    size, names = len(labels), [shorten(label, 24) for label in labels]
    middles = [i + 0.5 for i in range(size)]
    wide = max(map(len, names), default=0) * 0.085 > cell
    rotation = {} if not wide else {"rotation": 45, "ha": "right"} if size <= 15 else {"rotation": 90}
    points = min(10, 0.75 * 72 * cell)
    axes.set(xlim=(0, size), ylim=(size, 0), xlabel="predicted", ylabel="true")
    axes.set_xticks(middles, names, fontsize=points, **rotation)
    axes.set_yticks(middles, names, fontsize=points)
    if points < 5:  # not legible
        axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)


def svg(figure: Figure, alt: str, name: str, natural: bool = False) -> Markup:
    """A figure as inline SVG in the fonts and colours of the page.

    Args:
        figure: the figure, drawn with the colours of this module (`INK`, `ACCENT`, ...) and `STYLE`.
        alt: text that says what the figure shows, for screen readers.
        name: prefix of the ids in the SVG, unique on the page.
        natural: whether a narrow page scrolls the figure rather than shrink it below three quarters of its width.
    """
    file = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.04, metadata=metadata)
    opening, _, body = file.getvalue().partition("<svg")[2].partition(">")
    view, width = re.findall(r'(viewBox="0 0 ([\d.]+) [\d.]+")', opening)[0]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0], name), body)
    pixels = round(float(width) * 4 / 3)
    size = f"width:{pixels}px;min-width:{pixels * 3 // 4}px" if natural else f"width:{pixels}px"
    return Markup(f'<svg role="img" aria-label="{Markup.escape(alt)}" {view} style="{size}">') + Markup(body)


def _tag(tag: str, name: str) -> str:
    """A tag with ids that are unique on the page and the colours of its style sheet."""
    tag = re.sub(r'<g id="[^"]*"', "<g", " ".join(tag.split()))
    tag = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", tag)
    tag = re.sub(r" font-family:[^;]*;", "", tag)
    return re.sub("#01020[0-5]", lambda colour: f"var(--{VARIABLES[colour[0]]})", tag)


def gradient_flow(flow: Sequence[Row]) -> Markup | None:
    """The norm of the loss gradient at each time step, one line per recurrent layer.

    Args:
        flow: rows of `gradient_flow.csv`: the step and the norm of each layer.

    Returns:
        An SVG; None if there is no layer.
    """
    names = [name for name in (flow[0] if flow else {}) if name != "step"]
    if not names:
        return None
    figure, axes = _chart(6.4, 2.9, "y")
    alt = []
    for place, name in enumerate(names):
        points = [(row["step"], row[name]) for row in flow if known(row[name]) and row[name] > 0]
        if points:
            steps, norms = zip(*points, strict=True)
            colour, style = (ACCENT, SECOND, MUTED)[place % 3], ("-", "--", ":")[place // 3 % 3]
            axes.plot(steps, norms, color=colour, linestyle=style, linewidth=2, label=words(name))
            alt.append(f"{words(name)} from {number(norms[0])} at the first step to {number(norms[-1])} at the last")
    axes.set(xlabel="time step", yscale="log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}" if f"{value:.0e}"[0] in "25" else "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(names) > 1:
        axes.legend()
    return svg(figure, f"Norm of the loss gradient over time: {'; '.join(alt)}", "flow")
