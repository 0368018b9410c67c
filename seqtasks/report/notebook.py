"""How a notebook shows a run: the metric with its interval, the verdict, the baselines and the curves, in one card."""

import hashlib
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup

from seqtasks.report import charts
from seqtasks.report.page import read_run, template, verdict

CURVES = 2  # charts that are shown: the loss and the chosen metric
CELL = Markup('style="text-align:right;padding:.1em 0 .1em 1.6em"')


def card(directory: Path) -> str:
    """The HTML of a run for a notebook. It loads nothing and runs no scripts; text from the data is escaped.

    Args:
        directory: the run. One that has not finished is shown with its curves so far.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> _ = (run / "metrics.json").write_text('{"metric": "f1", "test": {"f1": 0.5, "f1_interval": [0.4, 0.6]}}')
        >>> "F1 <b>0.500</b> <small>(95% interval 0.400 to 0.600)</small>" in card(run)
        True
    """
    run = read_run(directory, finished=False)
    metrics: dict[str, Any] = {"train": {}, "test": {}, "baselines": {}, "lower_is_better": []} | run.metrics
    metric = metrics.get("metric") or run.config.get("metric") or ""
    with matplotlib.rc_context(charts.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has other fonts
        drawn = charts.curves(run.history, metric, metrics["train"].get("best_epoch"))[:CURVES]
    prefix = f"run{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:8]}"  # unique among runs of a page
    report = directory / "report.html"
    return template("card.html.jinja").render(
        run=run,
        directory=directory,
        metrics=metrics,
        metric=metric,
        test=metrics["test"],
        train=defaultdict(str, metrics["train"]),
        verdict=verdict(metric, metrics["test"], metrics["baselines"], metrics["lower_is_better"]),
        curves=[(title, Markup(re.sub(r"\b(?=curve\d+-)", f"{prefix}-", svg))) for title, svg in drawn],
        report=report if report.is_file() else None,
        cell=CELL,
    )
