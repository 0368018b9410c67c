"""The report of a run: one HTML page that needs no other file."""

import csv
import json
import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeVar

import jinja2
import matplotlib
from markupsafe import Markup

from seqtasks.atomic_files import replacing
from seqtasks.errors import UserError
from seqtasks.report import charts
from seqtasks.report.formatting import duration, interval, known, number, shorten, words
from seqtasks.report.sanitised import sanitised
from seqtasks.yaml_files import read_yaml

CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}

Metrics = Mapping[str, Any]  # name -> value; `{name}_interval` -> [low, high]
T = TypeVar("T")


class RunFiles(NamedTuple):
    """The contents of the files of a run; a file that is missing is empty."""

    name: str
    metrics: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    mistakes: list[dict[str, Any]]
    history: list[dict[str, float]]
    sections: list[tuple[str, str]]
    gradient_flow: list[dict[str, float]]


def write_report(directory: Path) -> Path:
    """Writes `report.html` into the directory of a finished run.

    The page loads nothing from outside and runs no scripts. Text from the data is escaped.

    Args:
        directory: the run. `metrics.json` is required; `config.yaml`, `history.csv`, `gradient_flow.csv`,
            `environment.json`, `mistakes.json` and `sections.json` are used if they exist. `metrics.json` names under
            `lower_is_better` the metrics of which lower values are better. `sections.json` holds additional sections, a
            title and HTML each, with images, sounds and videos as `data:` URLs; see
            `seqtasks.report.sanitised.sanitised` for what is kept of it.

    Returns:
        The path of the page.

    Raises:
        UserError: if the run has not finished, or one of its files cannot be read.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> _ = (run / "metrics.json").write_text('{"metric": "f1", "test": {"f1": 0.5}}')
        >>> write_report(run).name
        'report.html'
    """
    run = read_run(Path(directory))
    with matplotlib.rc_context(charts.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has other fonts
        view = _view(run)
    page = template("page.html.jinja").render(
        run=run, **view, sections=[(title, Markup(sanitised(html))) for title, html in run.sections]
    )
    path = Path(directory) / "report.html"
    with replacing(path) as temporary:
        temporary.write_bytes(page.translate(CONTROLS).encode("utf-8", "replace"))
    return path


def verdict(
    metric: str, test: Metrics, baselines: Mapping[str, Metrics], lower_is_better: Collection[str] = ()
) -> tuple[str, str]:
    """Whether the network beats the best baseline, and whether the difference is significant.

    Args:
        metric: name of the metric that decides.
        test: metrics of the network.
        baselines: name -> metrics, with `difference` (network - baseline) and `difference_interval`.
        lower_is_better: names of the metrics of which lower values are better.

    Returns:
        `(kind, sentence)`; the kind is `better`, `same`, `worse` or `unknown`.

    Example:
        >>> hmm = {"wer": 0.7, "difference": -0.2, "difference_interval": [-0.3, -0.1]}
        >>> verdict("wer", {"wer": 0.5}, {"hmm": hmm}, lower_is_better=["wer"])
        ('better', 'The network beats the best baseline, HMM: WER 0.500 against 0.700 (lower is better). ...')
    """
    if not known(test.get(metric)):
        return "unknown", f"The {words(metric)} is undefined on these test examples, so there is no comparison."
    rivals = {name: values for name, values in baselines.items() if known(values.get(metric))}
    if not rivals:
        return "unknown", "There is no baseline to compare with."
    sign = -1 if metric in lower_is_better else 1
    name, best = max(rivals.items(), key=lambda item: sign * item[1][metric])
    difference = best["difference"] if known(best.get("difference")) else test[metric] - best[metric]
    bounds = interval(best, "difference")
    kind, opening = _opening(sign * difference, sorted(sign * bound for bound in bounds))
    lower = " (lower is better)" if sign < 0 else ""
    values = f"{words(metric)} {number(test[metric])} against {number(best[metric])}{lower}"
    return kind, f"{opening}, {words(name)}: {values}. {_significance(difference, bounds)}"


def _opening(gain: float, bounds: Sequence[float]) -> tuple[str, str]:
    """The kind of a verdict and the beginning of its sentence; a positive gain is an improvement."""
    if not bounds and gain > 0:
        return "unknown", "The network is ahead of the best baseline"
    if bounds and gain > 0 and bounds[0] > 0:
        return "better", "The network beats the best baseline"
    if bounds and gain < 0 and bounds[1] < 0:
        return "worse", "The network is worse than the best baseline"
    return "same", "The network is no better than the best baseline"


def _significance(difference: float, bounds: Sequence[float]) -> str:
    text = f"The difference is {number(difference, sign=True)}"
    if not bounds:
        return f"{text}; it has no confidence interval, so it may be due to chance."
    low, high = bounds
    zero = "includes zero, so it may be due to chance" if low <= 0 <= high else "excludes zero"
    return f"{text}; its paired 95% bootstrap interval, {number(low, True)} to {number(high, True)}, {zero}."


def read_run(directory: Path, finished: bool = True) -> RunFiles:
    """The contents of the files of a run.

    Args:
        directory: the run.
        finished: whether it must have finished.

    Raises:
        UserError: if there is no such run, it has not finished, or one of its files cannot be read.
    """
    if not directory.is_dir():
        raise UserError("there is no such folder", where=directory, remedy="name the folder of a run")
    if finished and not (directory / "metrics.json").is_file():
        raise UserError("the run has not finished", where=directory, remedy="continue it with --resume")
    return RunFiles(
        name=directory.resolve().name,
        metrics=_load(directory / "metrics.json", json.load, {}),
        config=read_yaml(directory / "config.yaml") if (directory / "config.yaml").is_file() else {},
        environment=_load(directory / "environment.json", json.load, {}),
        mistakes=_load(directory / "mistakes.json", json.load, []),
        history=_load(directory / "history.csv", _rows, []),
        sections=_load(directory / "sections.json", _pairs, []),
        gradient_flow=_load(directory / "gradient_flow.csv", _rows, []),
    )


def _load(path: Path, read: Callable[[TextIO], T], default: T) -> T:
    """What `read` returns for the file; the default if the file is missing or empty."""
    if not path.is_file():
        return default
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return read(file) or default
        except (ValueError, RecursionError) as error:
            raise UserError(f"cannot be read: {error}", where=path, remedy="restore what the run wrote") from None


def _pairs(file: TextIO) -> list[tuple[str, str]]:
    """Titles and HTML.

    Raises:
        ValueError: if it is something else.
    """
    found = json.load(file)
    if not isinstance(found, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in found
    ):
        raise ValueError("not a list of titles and texts")
    return [(title, html) for title, html in found]


def _rows(file: TextIO) -> list[dict[str, float]]:
    """The rows of a CSV file of numbers; an empty field is NaN."""
    return [{name: float(value) if value else math.nan for name, value in row.items()} for row in csv.DictReader(file)]


def _view(run: RunFiles) -> dict[str, Any]:
    """The variables of the template."""
    empty = {"train": {}, "validation": {}, "test": {}, "baselines": {}, "metric": "", "lower_is_better": []}
    metrics: dict[str, Any] = {**empty, **run.metrics}
    metric, test, train, baselines = (metrics[name] for name in ("metric", "test", "train", "baselines"))
    data = run.environment.get("data") or {}
    confusion = test.get("confusion")
    labels = [str(label) for label in test.get("labels") or test.get("per_class") or range(len(confusion or ()))]
    return {
        "metrics": metrics,
        "labels": list(dict.fromkeys(label for split in data.values() for label in split.get("labels") or {})),
        "verdict": verdict(metric, test, baselines, metrics["lower_is_better"]),
        "comparison": charts.comparison(metric, test, baselines),
        "curves": charts.curves(run.history, metric, train.get("best_epoch")),
        "results": _results(metrics),
        "flow": charts.gradient_flow(run.gradient_flow),
        "scatter": test.get("points") and charts.scatter(test["points"]),
        "confusion": confusion and charts.confusion_matrix(confusion, labels),
        "confusions": _confusions(confusion, labels) if confusion and len(labels) > charts.LEGIBLE else [],
    }


def _results(metrics: Metrics) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of the table of results: name and a cell for test, validation and each baseline.

    Metrics come first, then counts, which are integers, then the time.
    """
    train, metric, lower = (metrics[name] for name in ("train", "metric", "lower_is_better"))
    test = {"train_examples": train.get("examples"), **metrics["test"], "seconds": train.get("seconds")}
    columns = [test, metrics["validation"] | {"seconds": None}, *metrics["baselines"].values()]
    values = [(n, v) for column in columns for n, v in column.items() if v is None or known(v)]
    names = dict.fromkeys([metric, *(name for name, _ in values if name not in ("difference", "seconds"))])
    counts = {"train_examples", *(name for name, value in values if isinstance(value, int))} - {metric}
    scores = [name for name in names if name not in counts]
    rest = [name for name in (*names, "seconds") if name not in scores and any(known(c.get(name)) for c in columns)]
    rows = [(name, _cells(name, columns, min if name in lower else max)) for name in scores]
    return rows + [(name, _cells(name, columns, None)) for name in rest]


def _cells(name: str, columns: Sequence[Metrics], best_of: Callable[..., float] | None) -> list[dict[str, Any]]:
    """The cells of a row; those with the best value on test are marked unless all values are equal."""
    rivals = [column[name] for column in [columns[0], *columns[2:]] if known(column.get(name))]
    best = best_of(rivals) if best_of and len(set(rivals)) > 1 else None
    return [
        {
            "value": column.get(name),
            "interval": interval(column, name),
            "best": best is not None and column is not columns[1] and column.get(name) == best,
        }
        for column in columns
    ]


def _confusions(
    confusion: Sequence[Sequence[int]], labels: Sequence[str], most: int = 10
) -> list[tuple[int, str, str]]:
    """The most frequent confusions as (count, true label, predicted label)."""
    cells = ((count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j)
    return [(count, labels[i], labels[j]) for count, i, j in sorted(cells, reverse=True)[:most]]


def template(name: str) -> jinja2.Template:
    """A template of this package, with the functions of `formatting` as filters."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (number, duration, words, shorten, interval, _moment)
    environment.filters |= {function.__name__.strip("_"): function for function in filters}
    return environment.get_template(name)


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
