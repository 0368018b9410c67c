"""The pictures of a report, as inline SVG in the page's own fonts and colours."""

import io
import re

from markupsafe import Markup
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqtasks.report.formatting import interval, known, number, shorten, words

NOT_QUALITY = ("train_examples", "examples", "tokens", "frames", "unknown_rate", "seconds")
LEGIBLE = 30  # classes up to which the cells of the confusion matrix hold text

# Colours that the page's style sheet replaces, so that pictures follow the light or dark scheme.
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


def ranges(metric, test, baselines):
    """The chosen figure of the network and of each baseline, with intervals, as an SVG; None without baselines."""
    systems = {"this network": test, **{words(name): figures for name, figures in baselines.items()}}
    systems = {name: figures for name, figures in systems.items() if known(figures.get(metric))}
    if len(systems) < 2:
        return None
    figure, axes = _chart(4.9, 0.55 + 0.3 * len(systems), "x")
    for row, figures in enumerate(systems.values()):
        colour = MUTED if row else ACCENT
        if bounds := interval(figures, metric):
            axes.plot(bounds, [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(figures[metric], row, "o", color=colour, markersize=7)
    axes.set_yticks(range(len(systems)), [shorten(name, 40) for name in systems])
    axes.set(ylim=(len(systems) - 0.5, -0.5), xlabel=words(metric))
    axes.spines["left"].set_visible(False)
    alt = "; ".join(f"{name} {number(figures[metric])}" for name, figures in systems.items())
    return svg(figure, f"{words(metric)} on the test examples: {alt}", "ranges")


def _chart(width, height, grid):
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis=grid)
    return figure, axes


def curves(history, metric, best_epoch):
    """(title, SVG) of the losses and of each validation metric, the chosen one first."""
    if not history:
        return []
    other = "validation_loss" if "validation_loss" in history[0] else "validation_log_loss"
    losses = {name: c for name, c in (("training", "loss"), ("validation", other)) if c in history[0]}
    apart = {*losses.values(), *(f"validation_{name}" for name in NOT_QUALITY)}
    others = [name for name in history[0] if name.startswith("validation_") and name not in apart]
    chosen = f"validation_{metric}" if f"validation_{metric}" in history[0] else None
    charts = [("Loss", losses, None if chosen else best_epoch)] if losses else []
    for column in dict.fromkeys([*filter(None, [chosen]), *others]):
        charts.append((words(column), {"validation": column}, best_epoch if column == chosen else None))
    return [(title, _curve(history, title, lines, best, f"curve{i}")) for i, (title, lines, best) in enumerate(charts)]


def _curve(history, title, lines, best_epoch, name):
    figure, axes = _chart(4.6, 2.7, "y")
    epochs = [row.get("epoch", i + 1) for i, row in enumerate(history)]
    alt = []
    for label, column in lines.items():
        values = [row[column] for row in history]
        style = {"color": ACCENT, "linestyle": "-"} if label == "validation" else {"color": SECOND, "linestyle": "--"}
        axes.plot(epochs, values, **style, linewidth=2, label=label, marker="o", markersize=3)
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


def confusion_matrix(confusion, labels):
    """Counts of true (rows) and predicted (columns) classes; shade and percentages are shares of the row."""
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


def _cell_texts(axes, confusion, shares, shaded, cell):
    large, digits = (13, 1) if cell >= 1 else (7.5 if cell < 0.5 else 9, 0)
    style = {"ha": "center", "in_layout": False}
    for i, j in shaded:
        bold = {"weight": "bold"} if i == j else {}
        axes.text(j + 0.5, i + 0.5, f"{confusion[i][j]:,}", va="bottom", fontsize=large, **bold, **style)
        axes.text(j + 0.5, i + 0.56, f"{shares[i][j]:.{digits}%}", va="top", fontsize=0.8 * large, **style)


def _class_names(axes, labels, cell):
    size, names = len(labels), [shorten(label, 24) for label in labels]
    middles = [i + 0.5 for i in range(size)]
    wide = max(map(len, names), default=0) * 0.085 > cell
    turned = {} if not wide else {"rotation": 45, "ha": "right"} if size <= 15 else {"rotation": 90}
    small = min(10, 0.75 * 72 * cell)
    axes.set(xlim=(0, size), ylim=(size, 0), xlabel="predicted", ylabel="true")
    axes.set_xticks(middles, names, fontsize=small, **turned)
    axes.set_yticks(middles, names, fontsize=small)
    if small < 5:  # points: nobody could read them
        axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)


def svg(figure, alt, name, natural=False):
    """An inline SVG in the page's own fonts and colours; `natural` stops it from shrinking much on narrow pages."""
    file = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.04, metadata=metadata)
    opening, body = re.search(r"<svg([^>]*)>(.*)", file.getvalue(), flags=re.DOTALL).groups()
    view, width = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', opening).group(0, 1)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0], name), body)
    pixels = round(float(width) * 4 / 3)
    size = f"width:{pixels}px;min-width:{pixels * 3 // 4}px" if natural else f"width:{pixels}px"
    return Markup(f'<svg role="img" aria-label="{Markup.escape(alt)}" {view} style="{size}">') + Markup(body)


def _tag(tag, name):
    tag = re.sub(r'<g id="[^"]*"', "<g", " ".join(tag.split()))
    tag = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", tag)
    tag = re.sub(r" font-family:[^;]*;", "", tag)
    return re.sub("#01020[0-5]", lambda colour: f"var(--{VARIABLES[colour[0]]})", tag)


def gradient_flow(flow):
    """The norm of the loss gradient at each time step, a line for each recurrent layer; None without any.

    Args:
        flow: rows of `gradient_flow.csv`.
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
            colour, line = (ACCENT, SECOND, MUTED)[place % 3], ("-", "--", ":")[place // 3 % 3]
            axes.plot(steps, norms, color=colour, linestyle=line, linewidth=2, label=words(name))
            alt.append(f"{words(name)} from {number(norms[0])} at the first step to {number(norms[-1])} at the last")
    axes.set(xlabel="time step", yscale="log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}" if f"{value:.0e}"[0] in "25" else "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(names) > 1:
        axes.legend()
    return svg(figure, f"Norm of the loss gradient over time: {'; '.join(alt)}", "flow")
