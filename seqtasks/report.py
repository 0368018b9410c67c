"""The report of a run: one HTML page that needs nothing beside itself."""

import csv
import io
import json
import math
import re
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import jinja2
import matplotlib
import yaml
from markupsafe import Markup
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqtasks.engine.files import replacing
from seqtasks.errors import UserError

LOWER_IS_BETTER = {"loss", "log_loss", "nll", "perplexity", "bits_per_character", "wer", "cer"}
NOT_QUALITY = ("train_examples", "examples", "seconds")
LEGIBLE = 30  # classes up to which the cells of the confusion matrix hold text
LONGEST = 600  # characters of an input that are shown at once
CAPITALS = ("f1", "roc", "auc", "pr", "mcc", "bleu", "wer", "cer", "nll", "rnn", "crf", "hmm")
SPELLING = {word: word.upper() for word in CAPITALS} | {"tfidf": "TF-IDF", "chrf": "chrF"}
CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}

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


def write_report(directory: Path, sections: Sequence[tuple[str, str]] = ()) -> Path:
    """Writes `report.html` into the directory of a finished run.

    The page loads nothing from outside and runs no scripts. What the data holds is escaped.

    Args:
        directory: the run: `metrics.json`, and as far as there are any `config.yaml`, `history.csv`,
            `environment.json` and `mistakes.json`.
        sections: further parts of the page, before configuration and reproduction: a title and trusted HTML each.
            Pictures, sounds and films go in as `data:` addresses.

    Returns:
        The path of the page.

    Raises:
        UserError: if the run has not finished.
    """
    run = _read(Path(directory))
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has other fonts
        view = _view(run)
    page = _template().render(run=run, **view, sections=[(title, Markup(html)) for title, html in sections])
    path = Path(directory) / "report.html"
    with replacing(path) as temporary:
        temporary.write_bytes(page.translate(CONTROLS).encode("utf-8", "replace"))
    return path


def number(value, sign=False):
    """A number as a person wants to read it: about three digits, thousands apart, a dash for none.

    Example:
        >>> [number(v) for v in (0.91249, 27.354, 1234567, 0.00046, None)]
        ['0.912', '27.35', '1,234,567', '0.00046', '–']
        >>> number(0.0421, sign=True), number(-0.5)
        ('+0.042', '−0.500')
    """
    if not _known(value):
        return "–"
    size = abs(value)
    if isinstance(value, int) or size == 0:
        text = f"{size:,.0f}"
    elif size < 0.01:
        text = f"{size:.2g}"
    else:
        text = f"{size:,.{3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0}f}"
    return ("−" if value < 0 else "+" if sign and value > 0 else "") + text


def duration(seconds):
    """Seconds in the units of a clock.

    Example:
        >>> duration(0.214), duration(75), duration(7400)
        ('0.21 s', '1 min 15 s', '2 h 3 min')
    """
    if not _known(seconds):
        return "–"
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def words(name):
    """A name from the files as words.

    Example:
        >>> words("macro_f1"), words("tfidf_logistic_regression")
        ('macro F1', 'TF-IDF logistic regression')
    """
    return " ".join(SPELLING.get(word, word) for word in str(name).split("_"))


def shorten(text, longest=LONGEST):
    """The beginning of a long text, cut between words where possible.

    Example:
        >>> shorten("one two three", 9)
        'one two…'
    """
    if len(text) <= longest:
        return text
    between = max(text.rfind(gap, 0, longest + 1) for gap in " \n")
    return text[: between if between > 0.7 * longest else longest].rstrip() + "…"


def verdict(metric, test, baselines):
    """Whether the network beats the best baseline, and how sure that is.

    Args:
        metric: name of the figure that decides.
        test: figures of the network.
        baselines: name -> figures, with `difference` (network - baseline) and `difference_interval`.

    Returns:
        `(kind, sentence)`; the kind is `better`, `same`, `worse` or `unknown`.

    Example:
        >>> verdict("wer", {"wer": 0.5}, {"hmm": {"wer": 0.7, "difference": -0.2, "difference_interval": [-0.3, -0.1]}})
        ('better', 'The network beats the best baseline, HMM: WER 0.500 against 0.700 (lower is better). ...')
    """
    if not _known(test.get(metric)):
        return "unknown", f"The {words(metric)} has no value on these test examples, so nothing can be compared."
    known = {name: figures for name, figures in baselines.items() if _known(figures.get(metric))}
    if not known:
        return "unknown", "There is no baseline to compare with."
    towards = -1 if metric in LOWER_IS_BETTER else 1
    name, best = max(known.items(), key=lambda item: towards * item[1][metric])
    difference = best["difference"] if _known(best.get("difference")) else test[metric] - best[metric]
    interval = _interval(best, "difference")
    kind, opening = _opening(towards * difference, sorted(towards * bound for bound in interval))
    lower = " (lower is better)" if towards < 0 else ""
    figures = f"{words(metric)} {number(test[metric])} against {number(best[metric])}{lower}"
    return kind, f"{opening}, {words(name)}: {figures}. {_certainty(difference, interval)}"


def _opening(gain, bounds):
    if not bounds and gain > 0:
        return "unknown", "The network is ahead of the best baseline"
    if bounds and gain > 0 and bounds[0] > 0:
        return "better", "The network beats the best baseline"
    if bounds and gain < 0 and bounds[1] < 0:
        return "worse", "The network is worse than the best baseline"
    return "same", "The network is no better than the best baseline"


def _certainty(difference, interval):
    amount = f"The difference is {number(difference, sign=True)}"
    if not interval:
        return f"{amount}; it has no interval, so it may be chance."
    low, high = interval
    zero = "includes zero: it may be chance" if low <= 0 <= high else "excludes zero"
    return f"{amount}; its paired 95% bootstrap interval, {number(low, True)} to {number(high, True)}, {zero}."


def _known(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _interval(figures, name):
    bounds = figures.get(f"{name}_interval") or []
    return bounds if all(map(_known, bounds)) else []


def _read(directory):
    if not directory.is_dir():
        raise UserError("there is no such folder", where=directory, remedy="name the folder of a run")
    if not (directory / "metrics.json").is_file():
        raise UserError("the run has not finished", where=directory, remedy="continue it with --resume")
    return SimpleNamespace(
        name=directory.resolve().name,
        metrics=_load(directory / "metrics.json", json.load, {}),
        config=_load(directory / "config.yaml", yaml.safe_load, {}),
        environment=_load(directory / "environment.json", json.load, {}),
        mistakes=_load(directory / "mistakes.json", json.load, []),
        history=_load(directory / "history.csv", _rows, []),
    )


def _load(path, read, default):
    if not path.is_file():
        return default
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return read(file) or default
        except (ValueError, yaml.YAMLError) as error:
            raise UserError(f"cannot be read: {error}", where=path, remedy="restore what the run wrote") from None


def _rows(file):
    return [{name: float(value) if value else math.nan for name, value in row.items()} for row in csv.DictReader(file)]


def _view(run):
    metrics = {"train": {}, "validation": {}, "test": {}, "baselines": {}, "metric": "", **run.metrics}
    metric, test, train, baselines = (metrics[name] for name in ("metric", "test", "train", "baselines"))
    data = run.environment.get("data") or {}
    confusion = test.get("confusion")
    labels = [str(label) for label in test.get("labels") or test.get("per_class") or range(len(confusion or ()))]
    return {
        "metrics": metrics,
        "lower": LOWER_IS_BETTER,
        "labels": list(dict.fromkeys(label for split in data.values() for label in split.get("labels") or {})),
        "verdict": verdict(metric, test, baselines),
        "ranges": _ranges_picture(metric, test, baselines),
        "curves": _curves(run.history, metric, train.get("best_epoch")),
        "figures": _figures(metric, metrics),
        "confusion": confusion and _confusion_picture(confusion, labels),
        "frequent": _frequent(confusion, labels) if confusion and len(labels) > LEGIBLE else [],
    }


def _figures(metric, metrics):
    """The rows of the table of figures: every scalar of the network on both splits, and of each baseline."""
    train = metrics["train"]
    test = metrics["test"] | {"train_examples": train.get("examples"), "seconds": train.get("seconds")}
    columns = [test, metrics["validation"] | {"seconds": None}, *metrics["baselines"].values()]
    found = [name for column in columns for name, value in column.items() if value is None or _known(value)]
    quality = [name for name in dict.fromkeys([metric, *found]) if name not in (*NOT_QUALITY, "difference")]
    names = [*quality, *(name for name in NOT_QUALITY if any(_known(column.get(name)) for column in columns))]
    return [(name, [_cell(name, column, columns) for column in columns]) for name in names]


def _cell(name, column, columns):
    rivals = [c[name] for c in [columns[0], *columns[2:]] if _known(c.get(name))]
    best = (min if name in LOWER_IS_BETTER else max)(rivals, default=None)
    return {
        "value": column.get(name),
        "interval": _interval(column, name),
        "best": name not in NOT_QUALITY and column is not columns[1] and len(rivals) > 1 and column.get(name) == best,
    }


def _frequent(confusion, labels, most=10):
    """The commonest confusions as (count, true label, predicted label)."""
    cells = ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j)
    return [(count, labels[i], labels[j]) for count, i, j in sorted(cells, reverse=True)[:most]]


def _ranges_picture(metric, test, baselines):
    """The chosen figure of the network and of each baseline, with intervals, as an SVG; None without baselines."""
    systems = {"this network": test, **{words(name): figures for name, figures in baselines.items()}}
    systems = {name: figures for name, figures in systems.items() if _known(figures.get(metric))}
    if len(systems) < 2:
        return None
    figure, axes = _chart(4.9, 0.55 + 0.3 * len(systems), "x")
    for row, figures in enumerate(systems.values()):
        colour = MUTED if row else ACCENT
        if interval := _interval(figures, metric):
            axes.plot(interval, [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(figures[metric], row, "o", color=colour, markersize=7)
    axes.set_yticks(range(len(systems)), [shorten(name, 40) for name in systems])
    axes.set(ylim=(len(systems) - 0.5, -0.5), xlabel=words(metric))
    axes.spines["left"].set_visible(False)
    alt = "; ".join(f"{name} {number(figures[metric])}" for name, figures in systems.items())
    return _svg(figure, f"{words(metric)} on the test examples: {alt}", "ranges")


def _chart(width, height, grid):
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis=grid)
    return figure, axes


def _curves(history, metric, best_epoch):
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
    return _svg(figure, f"{title} over the epochs: {', '.join(alt)}", name)


def _confusion_picture(confusion, labels):
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
    return _svg(figure, alt, "confusion", natural=True)


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


def _svg(figure, alt, name, natural=False):
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


def _template():
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    rules = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, **rules)
    filters = (number, duration, words, shorten, _interval, _moment)
    environment.filters |= {function.__name__.strip("_"): function for function in filters}
    return environment.get_template("report.html.jinja")


def _moment(text):
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
