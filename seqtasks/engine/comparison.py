"""Runs side by side: their figures on the same test data, paired differences, and options that differ."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from seqtasks.engine import progress
from seqtasks.engine.data_summary import summarize_splits
from seqtasks.engine.evaluation import evaluate, finite, interval
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.metrics import paired_bootstrap

HOW = "compare runs that were tested on the same examples, in the same order"


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Measure runs on their test data and compare each with the first.

    Args:
        runs: at least two that were trained with the same test data.

    Returns:
        `{"metric", "lower_is_better", "test", "runs", "differences", "options"}`: the metric that decides, the name,
        number and hash of the test examples, the figures of each run with the interval of the metric, for each but the
        first its difference to the first with the paired interval and the p-value, and the values of the options that
        differ, one for each run.

    Raises:
        UserError: if there is one run, a run has not finished, or they have other test data or metrics.
    """
    if len(runs) < 2:
        raise UserError("takes two runs or more", where="compare", remedy="seqtasks compare RUN RUN ...")
    names = _names(runs)
    known = [run.environment.get("data", {}).get("test", {}) for run in runs]
    for run, data in zip(runs[1:], known[1:], strict=True):
        if data.get("sha256") != known[0].get("sha256"):
            what = f"was measured on other test data than {runs[0].directory} ({_counted(data)}, not "
            raise UserError(f"{what}{_counted(known[0])})", where=run.directory, remedy=HOW)
    first = runs[0]
    metric, larger = first.recipe.chosen_metric(first.config)
    rows, statistics = [], []
    for run, name in progress.counted("compare", zip(runs, names, strict=True), len(runs), "runs"):
        task = run.predictor.task
        if metric not in task.metrics:
            raise UserError(f"has no {metric}, which {first.directory} has", where=run.directory, remedy=HOW)
        sources, summaries = summarize_splits([("test", run.splits().test)], task, run.config.cache_mb, training=False)
        if summaries["test"].sha256 != known[0].get("sha256"):
            what, remedy = "the test data has changed since the run was trained", "put it back, or train a new run"
            raise UserError(what, where=summaries["test"].name, remedy=remedy)
        figures, found, _ = evaluate(run.predictor, sources["test"])
        kept = {n: value for n, value in figures.items() if n in task.metrics}
        if run.recipe.chosen_metric(run.config)[0] == metric:
            kept |= interval(run.recipe, run.config, found)
        rows.append({"run": name, "recipe": run.recipe.name, **kept, **_trained(run)})
        statistics.append(found)
    differences = []
    score = first.predictor.task.metrics[metric]
    for name, found in zip(names[1:], statistics[1:], strict=True):
        bounds, chance = paired_bootstrap(score, found, statistics[0], seed=first.config.seed)
        difference = finite(score(*found) - score(*statistics[0]))
        told = {"difference": difference, "difference_interval": [finite(b) for b in bounds], "p_value": finite(chance)}
        differences.append({"run": name, "against": names[0], **told})
    test = {"examples": summaries["test"].examples, "sha256": summaries["test"].sha256}
    shared: dict[str, Any] = {"metric": metric, "lower_is_better": not larger, "test": test}
    return shared | {"runs": rows, "differences": differences, "options": differing_options(runs)}


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the folders, or their paths where two are alike."""
    names = [run.directory.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.directory) for run in runs]


def _counted(data: dict[str, Any]) -> str:
    return f"{data.get('examples', 'unknown')} examples of {data.get('name', 'unknown data')}"


def _trained(run: Run) -> dict[str, Any]:
    train = run.metrics["train"]
    return {name: train[name] for name in ("parameters", "epochs", "seconds") if name in train}


def differing_options(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The options that runs do not share: {name: a value for each run}, None where a run has no such option.

    Args:
        runs: the runs.
    """
    values = [{"data": run.paths.get("data"), **dataclasses.asdict(run.config)} for run in runs]
    found = {name: [each.get(name) for each in values] for name in dict.fromkeys(n for each in values for n in each)}
    plain = {n: [list(v) if isinstance(v, tuple) else v for v in column] for n, column in found.items()}
    return {name: column for name, column in plain.items() if any(value != column[0] for value in column)}
