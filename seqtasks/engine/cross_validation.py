"""Cross-validation: one training for each fold of the data, and the mean and spread of their figures."""

import contextlib
import dataclasses
import datetime
import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.atomic_files import write_json
from seqtasks.engine.experiment import Experiment, check_single
from seqtasks.engine.run import IN_MEMORY, Run, written
from seqtasks.engine.run_folder import FOLDS, beginning
from seqtasks.engine.training import Training
from seqtasks.engine.trust import remember
from seqtasks.engine.variants import check_folder, entered
from seqtasks.errors import UserError
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe

log = logging.getLogger("seqtasks")


def cross_validate(
    recipe: str | Path, data: Any = None, run: str | Path | None = None, *, folds: int = 10, overwrite: bool = False,
    **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """Train and measure a recipe on each fold of its data: `seqtasks train RECIPE --folds N`.

    Each example is in the test split of one fold, by the hash of its input or group; a twentieth of the rest of a fold
    is its validation split.

    Args:
        recipe: a name or the path of a .py file.
        data: as for `seqtasks.train`; splits that it has are joined.
        run: the directory to make, with a run `fold-01`, `fold-02`, ... for each fold and `folds.json`; None makes
            `runs/RECIPE-folds-TIME`.
        folds: how many, at least 2.
        overwrite: replace such a directory that exists.
        fields: options of the recipe's `Config`.

    Returns:
        {"run", "recipe", "folds", "runs", "metric", "test": {metric: {"mean", "deviation", "each"}}, "baselines":
        {name: ...}}, which is also written as `folds.json`. The deviation is the standard deviation over folds (n - 1).

    Raises:
        UserError: for every error that the user can correct.
    """
    if folds < 2:
        raise UserError(f"{folds} is out of range", where="--folds", remedy="give a number of at least 2")
    found = load_recipe(recipe)
    directory = Path(run or f"runs/{found.name}-folds-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    check_folder(directory, FOLDS, "cross-validation", overwrite)
    if data is None:
        data, fields = str(found.sample.data), {**found.sample.options, **fields}
    config = make_options(found.Config, fields)
    check_single(found, config, "--folds")
    if config.strategy == "multiworker":
        raise UserError(
            "excludes --folds", where="--strategy multiworker", remedy="train each fold as a run of its own"
        )
    reader = found.reader(config)
    source = Path(recipe).read_text("utf-8") if str(recipe).endswith(".py") else None
    if source is not None:
        remember(source)
    splits = list(found.folds(config, data, folds, reader))
    names, runs = [f"fold-{number:02}" for number in range(1, folds + 1)], list[Run]()
    summary = {"run": str(directory), "recipe": found.name, "folds": folds, "runs": names}

    @contextlib.contextmanager
    def folder() -> Iterator[None]:
        reads = [data, *dataclasses.asdict(config).values()]
        with beginning(directory, overwrite, reads, "cross-validation", names):
            write_json(directory / FOLDS, summary)
            yield

    with contextlib.ExitStack() as stack:
        for number, split in enumerate(splits, 1):
            log.info("fold %d of %d", number, folds)
            name = f"{IN_MEMORY}fold {number} of {folds} of {written({'data': data})['data'].removeprefix(IN_MEMORY)}"
            experiment = Experiment(found, config, {"data": name}, split)
            experiment.reader = reader  # which holds what was read already
            training = Training(experiment, directory / names[number - 1], str(recipe), source)
            if not runs:  # the first one finds the errors of data and options
                training.around = functools.partial(entered, stack, folder())
            runs.append(training.start())
        summary |= summarize([run.metrics for run in runs])
        write_json(directory / FOLDS, summary)
    return summary


def summarize(metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean and spread of each figure over the metrics of several runs.

    Example:
        >>> runs = [{"metric": "f1", "test": {"f1": f}, "baselines": {"linear": {"f1": 0.5}}} for f in (0.6, 0.8)]
        >>> found = summarize(runs)
        >>> round(found["test"]["f1"]["mean"], 4), round(found["test"]["f1"]["deviation"], 4)
        (0.7, 0.1414)
    """
    name = metrics[0]["metric"]

    def spread(values: list[Any]) -> dict[str, Any]:
        known = [value for value in values if value is not None]
        mean = float(np.mean(known)) if known else None
        return {"mean": mean, "deviation": float(np.std(known, ddof=1)) if len(known) > 1 else None, "each": values}

    figures = [key for key, value in metrics[0]["test"].items() if isinstance(value, float) and key != "seconds"]
    baselines = {
        title: {name: spread([m["baselines"][title][name] for m in metrics])} for title in metrics[0]["baselines"]
    }
    test = {key: spread([m["test"].get(key) for m in metrics]) for key in figures}
    return {"metric": name, "test": test, "baselines": baselines}
