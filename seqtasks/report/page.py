"""The report of a run: one HTML page that needs nothing beside itself."""

import csv
import json
import math
import warnings
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import jinja2
import matplotlib
import yaml
from markupsafe import Markup

from seqtasks.atomic_files import replacing
from seqtasks.errors import UserError
from seqtasks.report import charts
from seqtasks.report.charts import LEGIBLE, NOT_QUALITY
from seqtasks.report.formatting import duration, interval, known, number, shorten, words

LOWER_IS_BETTER = {"loss", "log_loss", "nll", "perplexity", "bits_per_character", "wer", "cer"}
CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}


def write_report(directory: Path) -> Path:
    """Writes `report.html` into the directory of a finished run.

    The page loads nothing from outside and runs no scripts. What the data holds is escaped.

    Args:
        directory: the run: `metrics.json`, and as far as there are any `config.yaml`, `history.csv`,
            `gradient_flow.csv`, `environment.json`, `mistakes.json` and `sections.json`. The last holds further parts
            of the page, a title and trusted HTML each; pictures, sounds and films are in them as `data:` addresses.

    Returns:
        The path of the page.

    Raises:
        UserError: if the run has not finished.
    """
    run = _read(Path(directory))
    with matplotlib.rc_context(charts.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has other fonts
        view = _view(run)
    page = _template().render(run=run, **view, sections=[(title, Markup(html)) for title, html in run.sections])
    path = Path(directory) / "report.html"
    with replacing(path) as temporary:
        temporary.write_bytes(page.translate(CONTROLS).encode("utf-8", "replace"))
    return path


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
    if not known(test.get(metric)):
        return "unknown", f"The {words(metric)} has no value on these test examples, so nothing can be compared."
    rivals = {name: figures for name, figures in baselines.items() if known(figures.get(metric))}
    if not rivals:
        return "unknown", "There is no baseline to compare with."
    towards = -1 if metric in LOWER_IS_BETTER else 1
    name, best = max(rivals.items(), key=lambda item: towards * item[1][metric])
    difference = best["difference"] if known(best.get("difference")) else test[metric] - best[metric]
    bounds = interval(best, "difference")
    kind, opening = _opening(towards * difference, sorted(towards * bound for bound in bounds))
    lower = " (lower is better)" if towards < 0 else ""
    figures = f"{words(metric)} {number(test[metric])} against {number(best[metric])}{lower}"
    return kind, f"{opening}, {words(name)}: {figures}. {_certainty(difference, bounds)}"


def _opening(gain, bounds):
    if not bounds and gain > 0:
        return "unknown", "The network is ahead of the best baseline"
    if bounds and gain > 0 and bounds[0] > 0:
        return "better", "The network beats the best baseline"
    if bounds and gain < 0 and bounds[1] < 0:
        return "worse", "The network is worse than the best baseline"
    return "same", "The network is no better than the best baseline"


def _certainty(difference, bounds):
    amount = f"The difference is {number(difference, sign=True)}"
    if not bounds:
        return f"{amount}; it has no interval, so it may be chance."
    low, high = bounds
    zero = "includes zero: it may be chance" if low <= 0 <= high else "excludes zero"
    return f"{amount}; its paired 95% bootstrap interval, {number(low, True)} to {number(high, True)}, {zero}."


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
        sections=_load(directory / "sections.json", json.load, []),
        gradient_flow=_load(directory / "gradient_flow.csv", _rows, []),
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
        "ranges": charts.ranges(metric, test, baselines),
        "curves": charts.curves(run.history, metric, train.get("best_epoch")),
        "figures": _figures(metric, metrics),
        "flow": charts.gradient_flow(run.gradient_flow),
        "confusion": confusion and charts.confusion_matrix(confusion, labels),
        "frequent": _frequent(confusion, labels) if confusion and len(labels) > LEGIBLE else [],
    }


def _figures(metric, metrics):
    """The rows of the table of figures: every scalar of the network on both splits, and of each baseline."""
    train = metrics["train"]
    test = metrics["test"] | {"train_examples": train.get("examples"), "seconds": train.get("seconds")}
    columns = [test, metrics["validation"] | {"seconds": None}, *metrics["baselines"].values()]
    found = [name for column in columns for name, value in column.items() if value is None or known(value)]
    quality = [name for name in dict.fromkeys([metric, *found]) if name not in (*NOT_QUALITY, "difference")]
    names = [*quality, *(name for name in NOT_QUALITY if any(known(column.get(name)) for column in columns))]
    return [(name, [_cell(name, column, columns) for column in columns]) for name in names]


def _cell(name, column, columns):
    rivals = [c[name] for c in [columns[0], *columns[2:]] if known(c.get(name))]
    best = (min if name in LOWER_IS_BETTER else max)(rivals, default=None)
    return {
        "value": column.get(name),
        "interval": interval(column, name),
        "best": name not in NOT_QUALITY and column is not columns[1] and len(rivals) > 1 and column.get(name) == best,
    }


def _frequent(confusion, labels, most=10):
    """The commonest confusions as (count, true label, predicted label)."""
    cells = ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j)
    return [(count, labels[i], labels[j]) for count, i, j in sorted(cells, reverse=True)[:most]]


def _template():
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    rules = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, **rules)
    filters = (number, duration, words, shorten, interval, _moment)
    environment.filters |= {function.__name__.strip("_"): function for function in filters}
    return environment.get_template("page.html.jinja")


def _moment(text):
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
