"""Training and fine-tuning: from a recipe, its options and data to a finished run."""

import contextlib
import dataclasses
import datetime
import importlib.metadata
import itertools
import logging
import os
import platform
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import keras

from seqtasks.atomic_files import json_text, replacing, write_csv, write_json
from seqtasks.capabilities import Calibrates
from seqtasks.data.batches import POOL_BATCHES
from seqtasks.engine import checkpoint, cluster, distribute, evaluation, gradient_flow, kernels, progress
from seqtasks.engine.callbacks import callback_list
from seqtasks.engine.data_summary import describe_splits
from seqtasks.engine.experiment import Experiment, Prepared, check_same, has_data, policy
from seqtasks.engine.loop import Loop
from seqtasks.engine.predictor import Predictor
from seqtasks.engine.resuming import check_new, check_unchanged, complete, resumable
from seqtasks.engine.run import Run, load_assets, save_assets, save_setup, written
from seqtasks.engine.run_folder import (
    VARIANTS,
    beginning,
    check_free,
    is_unbegun,
    locked,
    seal,
)  # fmt: skip
from seqtasks.engine.trust import remember, trusting
from seqtasks.errors import UserError
from seqtasks.options import describe, make_options
from seqtasks.recipe import Recipe, load_recipe

log = logging.getLogger("seqtasks")
REPORT_EXAMPLES = 200  # examples of the test split among which the sections of the report choose
PACKAGES = ("seqtasks", "tensorflow", "keras", "numpy", "scikit-learn")
Paths = dict[str, Any]


def train(
    recipe: str | Path, data: Any = None, run: str | Path | None = None, *, train: Any = None, valid: Any = None,
    test: Any = None, resume: bool | Literal["auto"] = False, overwrite: bool = False, dry_run: bool = False,
    callbacks: Sequence[Any] = (), quiet: bool = False, trust: bool = False, **fields: Any,
) -> Any:  # fmt: skip
    """Train a recipe; the Python twin of `seqtasks train`.

    Args:
        recipe: a name or the path of a .py file.
        data: a path, a pattern of paths, a folder, `hf:NAME` or `tfds:NAME`; or data in memory: a pandas or polars
            DataFrame, a Hugging Face `Dataset`, a `tf.data.Dataset`, a list of pairs or dicts, inputs and labels as two
            lists, or a dict of splits of these. None for the built-in sample.
        run: the run directory to make; None makes `runs/RECIPE-TIME`.
        train, valid, test: the splits, where they are in different places.
        resume: continue a run that was stopped, with its options; "auto" begins it if it has not begun.
        overwrite: replace a run that exists.
        dry_run: return shapes and counts; train nothing, write nothing.
        callbacks: instances of `keras.callbacks.Callback`, which see the whole training as one `fit`. A resumed
            training does not remember them: give them again.
        quiet: show no progress on a terminal or in a notebook.
        trust: whether the recipes in runs that it opens may be executed; see `seqtasks.load_run`.
        fields: options of the recipe's `Config`.

    Returns:
        A `Run`, or for a dry run a dict. Where options stand for several runs, a dict of these by the name of each.

    Raises:
        UserError: for every error that the user can correct; nothing is written then.
    """
    name, found = str(recipe), load_recipe(recipe)
    paths = _paths(data, train, valid, test)
    directory = Path(run or f"runs/{found.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    distribute.check_named(run, fields)
    for other, given in (("dry_run", dry_run), ("overwrite", resume == "auto" and overwrite)):
        if resume and given:
            raise UserError(f"--resume and --{other} exclude each other", where="train", remedy="leave one out")
    if resume and run is None:
        raise UserError("which run?", where="--resume", remedy="name it with --run")
    begun = os.path.lexists(directory) or resume is True
    source = Path(name).read_text("utf-8") if name.endswith(".py") else None
    if source is not None:
        remember(source)
    with progress.shown(quiet), trusting(trust), resumable(name, directory):
        if resume and begun and not is_unbegun(directory):
            return _resume(directory, fields, paths, callbacks)
        return _begin(found, directory, name, source, paths, fields, callbacks, overwrite, dry_run)


def _begin(
    found: Recipe[Any], directory: Path, name: str, source: str | None, paths: Paths, fields: dict[str, Any],
    callbacks: Sequence[Any], overwrite: bool, dry_run: bool,
) -> Any:  # fmt: skip
    """Train from the beginning; arguments as of `train`."""
    if not has_data(paths) and found.reads(make_options(found.Config, fields)).named is None:
        fields = {**found.sample.options, **fields}
    config = make_options(found.Config, fields)
    if found.variants(config):
        from seqtasks.engine.variants import train_variants

        return train_variants(found, config, paths, directory, name, source, callbacks, overwrite, dry_run)
    check_free(directory, overwrite)
    experiment = Experiment(found, config, paths)
    if dry_run:
        return experiment.dry_run()
    if getattr(experiment.config, "adapt_epochs", 0):
        from seqtasks.engine.adaptation import adapt

        experiment = adapt(experiment, directory, overwrite)
    return Training(experiment, directory, name, source, callbacks=callbacks).start(overwrite)


def finetune(
    run: str | Path | Run, data: Any = None, new: str | Path | None = None, *, train: Any = None, valid: Any = None,
    test: Any = None, freeze: Sequence[str] = (), relearn: Sequence[str] = (), model: Any = None,
    overwrite: bool = False, callbacks: Sequence[Any] = (), quiet: bool = False, trust: bool = False, **fields: Any,
) -> Run:  # fmt: skip
    """Continue training a finished run on other data, with its weights: `seqtasks finetune`.

    Words and characters that the run lacks are added to its vocabularies. Labels that it lacks, or another `target`,
    give the new run a head of its own, in which labels of both keep their weights. See `seqtasks.engine.transfer`.

    Args:
        run: the finished run, a path or a `Run`.
        data, train, valid, test: the new data.
        new: the run directory to make.
        freeze: patterns of layer names (`embedding`, `recurrent_*`) whose weights stay as they are.
        relearn: names of vocabularies of the run (files of `encoder/`) that are learnt anew from the new data;
            what they share with those of the run keeps its weights.
        model: `run.model`, changed in Keras: its weights are taken instead of those of the run, layer by layer by name.
            Layers of other names and shapes are not taken; a warning names them.
        overwrite: replace a run that exists.
        callbacks, quiet, trust: as of `train`.
        fields: options that differ from the run's.

    Returns:
        The new `Run`.

    Raises:
        UserError: for every error that the user can correct; nothing is written then.
    """
    base = run if isinstance(run, Run) else Run(run, trust)
    recipe, paths = base.recipe, _paths(data, train, valid, test)
    if not has_data(paths):
        raise UserError("no data to fine-tune on", where="--data", remedy="give a file, a folder, hf:NAME or tfds:NAME")
    distribute.check_named(new, fields)
    directory = Path(new or f"runs/{recipe.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    check_free(directory, overwrite)
    if model is not None and not isinstance(model, keras.Model):
        what = f"{type(model).__name__} is not a keras.Model"
        raise UserError(what, where="model", remedy="give run.model, changed as you like")
    kept = inherited(base, fields)
    fields |= {"freeze": list(freeze)} if freeze else {}
    arguments = {"run": str(directory), "freeze": list(freeze) or None, "relearn": list(relearn) or None}
    arguments |= written(paths)
    arguments = {name: value for name, value in arguments.items() if value is not None} | fields
    command = shlex.join(["seqtasks", "finetune", str(base.directory), *_flags(arguments)])
    experiment = Experiment(recipe, make_options(recipe.Config, kept | fields), paths)
    with progress.shown(quiet), trusting(trust or base.trust), resumable(recipe.name, directory):
        training = Training(experiment, directory, recipe.name, base.source, command, callbacks)
        return training.start(overwrite, base, relearn, model)


def inherited(base: Run, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The options that fine-tuning takes over; not those that follow from one that is given another value.

    Raises:
        UserError: if an option that is fixed is given another value.
    """
    changed = {name for name, value in fields.items() if value != getattr(base.config, name, value)}
    declared = describe(base.recipe.Config)
    for name in (o.name for o in declared if o.fixed and o.name in changed):
        what = f"the run was trained with {getattr(base.config, name)}, and its weights mean nothing with another value"
        remedy = "leave the option out, or train a new run"
        raise UserError(what, where=f"--{name} {fields[name]}", remedy=remedy)
    options = [o for o in declared if o.inherited and o.follows not in changed]
    return {o.name: getattr(base.config, o.name) for o in options}


@cluster.together
@dataclasses.dataclass
class Training:
    """A training that is written to a run directory.

    Args:
        experiment: recipe, options and data.
        directory: the run directory.
        name: of the recipe, as given.
        source: of the recipe, if it was given by its path.
        command: that repeats the training; empty for `seqtasks train NAME --config ...`.
        callbacks: of Keras.
        around: makes a context, which is entered before the first file is written, when everything has been checked.
    """

    experiment: Experiment
    directory: Path
    name: str
    source: str | None = None
    command: str = ""
    callbacks: Sequence[Any] = ()
    around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext

    def start(
        self, overwrite: bool = False, base: Run | None = None, relearn: Sequence[str] = (), weights: Any = None
    ) -> Run:  # fmt: skip
        """Train from the beginning, or from the weights of a finished run; see `Experiment.prepare`."""
        self.experiment.scale()
        strategy = self.experiment.strategy
        prepared = self.experiment.prepare(base=base, relearn=relearn, weights=weights)
        callbacks, config = self._callbacks(prepared), self.experiment.config
        reads = [*self.experiment.paths.values(), *dataclasses.asdict(config).values(), base and base.directory]
        with contextlib.ExitStack() as stack:
            if cluster.is_chief(strategy):
                stack.enter_context(self.around())
                stack.enter_context(beginning(self.directory, overwrite, reads))
                self._write_setup(prepared)
            cluster.meet(strategy, self.directory / "config.yaml")
            return self._run(prepared, callbacks, base=base)

    def resume(self) -> Run:
        """Continue from the last checkpoint."""
        chief = cluster.is_chief(self.experiment.strategy)
        with locked(self.directory) if chief else contextlib.nullcontext():
            data = self.experiment.read()
            check_unchanged(self.directory, data.summaries)
            prepared = self.experiment.prepare(data, load_assets(self.directory / "encoder") or None)
            return self._run(prepared, self._callbacks(prepared), resume=True)

    def _callbacks(self, prepared: Prepared) -> Any:
        task, steps = self.experiment.task, len(prepared.batches)
        names = task.metrics, task.lower_is_better
        return callback_list(self.callbacks, prepared.model, self.experiment.config.epochs, steps, *names)

    def _run(self, prepared: Prepared, callbacks: Any, resume: bool = False, base: Run | None = None) -> Run:
        config, counts = self.experiment.config, {n: s.examples for n, s in prepared.data.summaries.items()}
        predictor, quick = self.experiment.predictors(prepared)
        validation = progress.followed(prepared.data.sources["validation"], "validation", counts["validation"])

        def validate() -> dict[str, Any]:
            return evaluation.evaluate(quick, validation)[0]

        metric, larger = self.experiment.recipe.chosen_metric(config)
        inputs = self.experiment.fit_inputs(prepared)
        given = prepared.model, prepared.batches, inputs, validate, config, metric, larger, self.directory
        loop = Loop(*given, callbacks)
        if resume:
            if not loop.resume():
                check_new(self.directory)
        elif base or prepared.pretrained:  # a run that is killed before its first checkpoint continues from them too
            loop.save()
        sizes = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        log.info("examples: %s; %s parameters", sizes, f"{prepared.model.count_params():,}")
        progress.training_begins()
        steps, used = config.epochs * len(prepared.batches), loop.state["kernels"]
        with prepared.strategy.scope(), policy(config.precision), kernels.of_training(config, steps, used):
            loop.run()
        run = self._finish(loop, predictor, prepared) if loop.chief else None
        cluster.meet(prepared.strategy, self.directory / "metrics.json")
        return run or Run(self.directory, trust=True)  # its recipe has just been executed

    def _write_setup(self, prepared: Prepared) -> None:
        config, paths = self.experiment.config, self.experiment.paths
        setup = shlex.quote(str(self.directory / "config.yaml"))
        environment = {
            "command": self.command or f"seqtasks train {shlex.quote(self.name)} --config {setup}",
            "seed": config.seed,
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "hardware": distribute.hardware(),
            "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            "data": describe_splits(prepared.data.summaries),
        }
        taken = {"parent": prepared.parent, "pretrained": prepared.pretrained}
        environment |= {name: recorded for name, recorded in taken.items() if recorded}
        save_setup(self.directory, self.name, self.source, paths, config, prepared.assets, environment)

    def _finish(self, loop: Loop, predictor: Predictor, prepared: Prepared) -> Run:
        """Measure the chosen weights, compare with the baselines, and write what makes the run complete."""
        recipe, config, summaries = self.experiment.recipe, self.experiment.config, prepared.data.summaries
        sources = {
            n: progress.followed(s, f"measuring {n}", summaries[n].examples) if n != "train" else s
            for n, s in prepared.data.sources.items()
        }
        name, larger = recipe.chosen_metric(config)

        def validate() -> float:
            return evaluation.evaluate(predictor, sources["validation"])[0][name] * (1 if larger else -1)

        calibrates = recipe.capability(Calibrates)
        calibrated = calibrates.calibrate(predictor, validate) if calibrates else {}
        validation, on_validation, _ = evaluation.evaluate(predictor, sources["validation"])
        if tuned := self.experiment.task.calibrate(predictor.assets, *on_validation):
            predictor = Predictor(recipe, config, {**predictor.assets, **tuned}, predictor.model, predictor.reader)
            seal(self.directory, forget=[f"encoder/{asset}.txt" for asset in tuned])
            save_assets(self.directory, tuned)
            calibrated |= {asset: list(values) for asset, values in tuned.items()}
            validation, *_ = evaluation.evaluate(predictor, sources["validation"])
        test, statistics, mistakes = evaluation.evaluate(predictor, sources["test"])
        test |= evaluation.interval(recipe, config, statistics)
        given = (recipe, config, predictor.assets, sources["train"], sources["test"], statistics)
        compared = evaluation.baselines(*given)
        self._save_model(predictor.model)
        write_json(self.directory / "mistakes.json", mistakes)
        examples = list(itertools.islice(sources["test"], REPORT_EXAMPLES))
        sections = [s for capability in recipe.capabilities for s in capability.sections(predictor, examples)]
        if sections:
            write_json(self.directory / "sections.json", sections)
        if config.gradient_flow:
            longest = min(len(loop.batches), POOL_BATCHES) - 1  # the last batch of the first pool
            batch = next(iter(loop.batches.epoch(start=longest).map(loop.inputs)))
            flow = gradient_flow.gradient_flow(predictor.model, batch)
            write_csv(self.directory / "gradient_flow.csv", gradient_flow.rows(flow))
        trained = _training_figures(loop, prepared) | calibrated
        lower: list[str] = list(self.experiment.task.lower_is_better)
        figures = {"metric": name, "lower_is_better": lower, "train": trained, "validation": validation, "test": test}
        seal(self.directory, {"metrics.json": json_text(figures | {"baselines": compared})})
        others = ", ".join(f"{title} {evaluation.text(b[name])}" for title, b in compared.items())
        log.info("test %s %s, baselines: %s", name, evaluation.text(test[name]), others)
        return complete(Run(self.directory, trust=True))  # its recipe has just been executed

    def _save_model(self, model: Any) -> None:
        plain = type(model).from_config(model.get_config())  # without the optimizer
        checkpoint.copy(model, plain)
        with replacing(self.directory / "model.keras") as temporary:
            plain.save(temporary)


def _resume(directory: Path, fields: Mapping[str, Any], paths: Paths, callbacks: Sequence[Any]) -> Any:
    if (directory / VARIANTS).is_file():
        from seqtasks.engine.variants import resume_variants

        return resume_variants(directory, fields, paths, callbacks)
    return resume_run(directory, fields, paths, callbacks)


def resume_run(directory: Path, fields: Mapping[str, Any], paths: Paths, callbacks: Sequence[Any]) -> Run:
    """Continue one run; arguments as of `train`."""
    run = Run(directory)
    check_same(run.config, run.paths, fields, paths)
    if (directory / "metrics.json").is_file():
        log.info("%s has finished already", directory)
        with locked(directory) if (chief := cluster.leads(run.config.strategy)) else contextlib.nullcontext():
            return complete(run) if chief else run
    limit = {name: value for name, value in fields.items() if name == "time_limit"}
    paths = paths if has_data(paths) else run.readable_paths()  # a check that the data is unchanged follows
    config = make_options(run.recipe.Config, dataclasses.asdict(run.config) | limit)
    experiment = Experiment(run.recipe, config, paths)
    return Training(experiment, directory, run.recipe.name, callbacks=callbacks).resume()


def _training_figures(loop: Loop, prepared: Prepared) -> dict[str, Any]:
    state, examples = loop.state, prepared.data.summaries["train"].examples
    epochs = state["epoch"]
    return {
        "examples": examples,
        "epochs": epochs,
        "best_epoch": state["best_epoch"],
        "stopped": state["stopped"],
        "loss": next(row["loss"] for row in state["rows"] if row["epoch"] == state["best_epoch"]),
        "seconds": state["seconds"],
        "examples_per_second": epochs * examples / max(state["seconds"], 1e-9),
        "parameters": prepared.model.count_params(),
        "kernels": sorted(state["kernels"]),
    }


def _paths(data: Any, train: Any, valid: Any, test: Any) -> Paths:
    paths = {"data": data, "train": train, "valid": valid, "test": test}
    return {name: os.fspath(path) if isinstance(path, str | os.PathLike) else path for name, path in paths.items()}


def _flags(given: Mapping[str, Any]) -> Iterator[str]:
    """Options as they are written on the command line."""
    for name, value in given.items():
        yield f"--{name}"
        yield from map(str, value) if isinstance(value, list | tuple) else ["null" if value is None else str(value)]
