"""Several runs by one command: one for each variant of the options, side by side in one folder."""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from seqtasks.atomic_files import write_json
from seqtasks.engine.experiment import Experiment, check_same, has_data
from seqtasks.engine.resuming import check_unchanged
from seqtasks.engine.run import Run, written
from seqtasks.engine.run_folder import VARIANTS, beginning, check_free, is_run, is_unbegun, read_json, runs_in
from seqtasks.engine.training import Training, resume_run
from seqtasks.errors import UserError
from seqtasks.options import make_options
from seqtasks.recipe import Recipe

log = logging.getLogger("seqtasks")
KIND = "folder of several runs"


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
    check_folder(directory, VARIANTS, KIND, overwrite)

    @contextlib.contextmanager
    def folder() -> Iterator[None]:
        given = [*paths.values(), *dataclasses.asdict(config).values()]
        with beginning(directory, overwrite, given, KIND, list(configs)):
            known = {"recipe": recipe.name, "runs": list(configs), "data": written(paths)}
            write_json(directory / VARIANTS, {**known, "options": dataclasses.asdict(config)})
            yield

    runs: dict[str, Run] = {}
    with contextlib.ExitStack() as stack:
        for variant, experiment in experiments.items():
            log.info("run %d of %d: %s", len(runs) + 1, len(configs), directory / variant)
            training = Training(experiment, directory / variant, name, source, callbacks=callbacks)
            if not runs:  # the first one finds the errors of data and options
                training.around = functools.partial(entered, stack, folder())
            runs[variant] = training.start()
    return runs


def entered(stack: contextlib.ExitStack, context: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """A context that enters another one, which lasts as long as the stack."""
    stack.enter_context(context)
    return contextlib.nullcontext()


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
    listed, known = runs_in(directory), read_json(directory / VARIANTS)
    if not listed or not {"recipe", "data", "options"} <= set(known):
        raise UserError("does not list runs", where=directory / VARIANTS, remedy="train again with --overwrite")
    first = directory / listed[0]
    if not is_run(first):
        raise UserError("no run in it has begun", where=directory, remedy="train again with --overwrite")
    run = Run(first)
    recipe = run.recipe
    check_same(make_options(recipe.Config, known["options"]), known["data"], fields, paths)
    limit = {name: value for name, value in fields.items() if name == "time_limit"}
    config = make_options(recipe.Config, known["options"] | limit)
    name, source = known["recipe"] if run.source is None else str(first / "recipe.py"), run.source
    runs: dict[str, Run] = {}
    for variant, options in recipe.variants(config).items():
        if is_run(directory / variant):
            runs[variant] = resume_run(directory / variant, limit, paths, callbacks)
            continue
        if not has_data(paths):
            run.readable_paths()  # raises if it was in memory
        experiment = Experiment(recipe, options, paths if has_data(paths) else run.paths)
        check_unchanged(first, experiment.read().summaries)
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
    check_free(directory, overwrite, kind=kind)
    if directory.is_dir() and not is_unbegun(directory) and not (directory / summary).is_file():
        what = f"is no {kind}, so it is not overwritten"
        raise UserError(what, where=directory, remedy="take another --run")
