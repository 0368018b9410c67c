"""Several runs by one command: one for each variant of the options, side by side in one folder."""

import dataclasses
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.atomic_files import check_own, write_json
from seqtasks.engine.experiment import Experiment, check_same, has_data
from seqtasks.engine.run import FILES, VARIANTS, Run, is_run, runs_in, written
from seqtasks.engine.training import Training, resume_run
from seqtasks.errors import UserError
from seqtasks.options import make_options
from seqtasks.recipe import Recipe

log = logging.getLogger("seqtasks")


def train_variants(
    recipe: Recipe[Any], config: Any, paths: Mapping[str, Any], directory: Path, name: str, source: str | None,
    callbacks: Sequence[Any] = (), overwrite: bool = False, dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Train the variants of options one after the other, with the same vocabularies.

    Each is the run that the command would make with the options of that variant alone.

    Args:
        recipe: whose `variants(config)` are trained.
        config: its options.
        paths: the data, as of `Experiment`.
        directory: the folder to make, with a run of its own name for each variant and `runs.json`.
        name: of the recipe, as given.
        source: of the recipe, if it was given by its path.
        callbacks: of Keras.
        overwrite: replace such a folder that exists.
        dry_run: return shapes and counts; train nothing, write nothing.

    Returns:
        {name of a variant: its `Run`, or for a dry run a dict}.

    Raises:
        UserError: for every error that the user can correct.
    """
    configs, learnt = recipe.variants(config), dict[str, Any]()

    def learn(config: Any, train: Any) -> dict[str, Any]:
        learnt.update({} if learnt else recipe.learn(config, train))
        return dict(learnt)

    shared = dataclasses.replace(recipe, learn=learn)
    experiments = {variant: Experiment(shared, options, paths) for variant, options in configs.items()}
    if dry_run:
        return {variant: experiment.dry_run() for variant, experiment in experiments.items()}
    check_folder(directory, VARIANTS, "folder of several runs", overwrite)

    def begin() -> None:
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        known = {"recipe": recipe.name, "runs": list(configs), "data": written(paths)}
        write_json(directory / VARIANTS, {**known, "options": dataclasses.asdict(config)})

    runs: dict[str, Run] = {}
    for variant, experiment in experiments.items():
        log.info("run %d of %d: %s", len(runs) + 1, len(configs), directory / variant)
        training = Training(experiment, directory / variant, name, source, callbacks=callbacks)
        training.begin = None if runs else begin  # the first one finds the errors of data and options
        runs[variant] = training.start()
    return runs


def resume_variants(
    directory: Path, fields: Mapping[str, Any], paths: dict[str, Any], callbacks: Sequence[Any] = ()
) -> dict[str, Run]:
    """Continue the runs in a folder that `train_variants` made: those that have begun, and those that have not.

    Args:
        directory: the folder.
        fields: options that are given; only the time limit may differ.
        paths: the data that is given, which must be the same.
        callbacks: of Keras.

    Raises:
        UserError: if options or data differ.
    """
    known = json.loads((directory / VARIANTS).read_text("utf-8"))
    first = directory / known["runs"][0]
    if not is_run(first):
        raise UserError("no run in it has begun", where=directory, remedy="train again with --overwrite")
    run = Run(first)
    recipe = run.recipe
    check_same(make_options(recipe.Config, known["options"]), known["data"], fields, paths)
    limit = {name: value for name, value in fields.items() if name == "time_limit"}
    config = make_options(recipe.Config, known["options"] | limit)
    own = first / "recipe.py"
    name, source = (known["recipe"], None) if not own.is_file() else (str(own), own.read_text("utf-8"))
    runs: dict[str, Run] = {}
    for variant, options in recipe.variants(config).items():
        if is_run(directory / variant):
            runs[variant] = resume_run(directory / variant, limit, paths, callbacks)
            continue
        if not has_data(paths):
            run.readable_paths()  # raises if it was in memory
        experiment = Experiment(recipe, options, paths if has_data(paths) else run.paths)
        Training(experiment, first, name).check_unchanged(experiment.read().summaries)
        log.info("run %d of %d: %s", len(runs) + 1, len(known["runs"]), directory / variant)
        runs[variant] = Training(experiment, directory / variant, name, source, callbacks=callbacks).start()
    return runs


def check_folder(directory: Path, summary: str, kind: str, overwrite: bool) -> None:
    """Raise `UserError` if a folder of runs would be overwritten unasked, or something else than one.

    Args:
        directory: the folder.
        summary: the file in it that lists the runs.
        kind: what it is, in words.
        overwrite: whether it may be replaced.
    """
    if directory.exists() and not overwrite:
        remedy = "take another --run, or add --overwrite"
        remedy += " (or --resume to continue it)" if summary == VARIANTS else ""
        raise UserError("exists already", where=directory, remedy=remedy)
    if directory.exists() and not (directory / summary).is_file():
        what = f"is no {kind}, so it is not overwritten"
        raise UserError(what, where=directory, remedy="take another --run")
    if directory.exists():
        own = [f"{run}/{file}" for run in runs_in(directory) for file in FILES]
        check_own(directory, [summary, *own], "take another --run")
