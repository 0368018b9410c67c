"""Training and fine-tuning: from a recipe, its options and data to a finished run."""

import contextlib
import dataclasses
import datetime
import fnmatch
import functools
import importlib.metadata
import itertools
import json
import logging
import os
import platform
import shlex
import shutil
import time
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from seqtasks.atomic_files import write_csv, write_json
from seqtasks.data.batches import POOL_BATCHES, Batches
from seqtasks.engine import checkpoint, distribute, evaluation, gradient_flow
from seqtasks.engine.data_summary import check_labels, summarize_splits
from seqtasks.engine.loop import Loop
from seqtasks.engine.predictor import Predictor
from seqtasks.engine.run import Run, load_assets, save_setup
from seqtasks.errors import UserError
from seqtasks.optimizers import AdamW, schedule
from seqtasks.options import make_config
from seqtasks.recipe import load_recipe

log = logging.getLogger("seqtasks")
COMPILED_BOUNDARY = 8  # XLA compiles for every padded length: few of them
LOOKED_AT = 200  # examples of the test split among which a recipe's own part of the report chooses
PACKAGES = ("seqtasks", "tensorflow", "keras", "numpy", "scikit-learn")


def train(recipe, data=None, run=None, *, train=None, valid=None, test=None, resume=False, overwrite=False,
          dry_run=False, **fields):  # fmt: skip
    """Train a recipe; the Python twin of `seqtasks train`.

    Args:
        recipe: a name or the path of a .py file.
        data: a file, a folder or `tfds:NAME`; None takes the built-in sample.
        run: the run directory to make; None makes `runs/RECIPE-TIME`.
        train, valid, test: paths of splits that lie apart.
        resume: go on with a run that was stopped, with the options it has.
        overwrite: replace a run that exists.
        dry_run: look at the data and the shapes, train nothing, write nothing.
        fields: options of the recipe's `Config`.

    Returns:
        A `Run`, or for a dry run a dict of what was found.

    Raises:
        UserError: for every mistake that a person can put right; nothing is written then.
    """
    name, recipe = str(recipe), load_recipe(recipe)
    paths = {"data": data, "train": train, "valid": valid, "test": test}
    paths = {key: None if path is None else str(path) for key, path in paths.items()}
    directory = Path(run or f"runs/{recipe.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    if resume:
        return _resume(directory, run, fields)
    check_free(directory, overwrite)
    source = Path(name).read_text("utf-8") if name.endswith(".py") else None
    if not any(paths.values()):
        fields = recipe.sample_options | fields
    setup = _Setup(recipe, name, source, paths, make_config(recipe, fields), directory)
    return setup.dry_run() if dry_run else setup.train(overwrite=overwrite)


def finetune(run, data=None, new=None, *, train=None, valid=None, test=None, freeze=(), overwrite=False, **fields):
    """Go on training a finished run on other data, from its encoder and weights; the twin of `seqtasks finetune`.

    Args:
        run: the finished run, a path or a `Run`.
        data, train, valid, test: the new data, with labels that the run knows.
        new: the run directory to make.
        freeze: patterns of layer names (`embedding`, `recurrent_*`) whose weights stay as they are.
        overwrite: replace a run that exists.
        fields: options that differ from the run's.

    Returns:
        The new `Run`.
    """
    run = run if isinstance(run, Run) else Run(run)
    paths = {"data": data, "train": train, "valid": valid, "test": test}
    paths = {key: None if path is None else str(path) for key, path in paths.items()}
    if not any(paths.values()):
        raise UserError("no data to fine-tune on", where="--data", remedy="give a file, a folder or tfds:NAME")
    directory = Path(new or f"runs/{run.recipe.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    check_free(directory, overwrite)
    kept = {name: value for name, value in dataclasses.asdict(run.config).items() if name != "vectors"}
    config = make_config(run.recipe, kept | fields)
    given = run.directory / "recipe.py"
    source = given.read_text("utf-8") if given.is_file() else None
    told = {"run": str(directory), "freeze": list(freeze), **paths, **fields}
    command = shlex.join(["seqtasks", "finetune", str(run.directory), *_flags(told)])
    setup = _Setup(run.recipe, run.recipe.name, source, paths, config, directory, command)
    return setup.train(base=run, freeze=freeze, overwrite=overwrite)


def _flags(given):
    """Options as they are written on the command line."""
    for name, value in given.items():
        if value not in (None, [], ()):
            yield f"--{name}"
            yield from map(str, value) if isinstance(value, list | tuple) else [str(value)]


def check_free(directory, overwrite):
    """A run directory is never overwritten unasked."""
    if directory.exists() and not overwrite:
        remedy = "take another --run, or add --overwrite (or --resume to go on with it)"
        raise UserError("exists already", where=directory, remedy=remedy)
    if overwrite and directory.exists() and not (directory / "config.yaml").is_file():
        raise UserError("is not a run, so it is not overwritten", where=directory, remedy="take another --run")


def _resume(directory, given, fields):
    if given is None:
        raise UserError("which run?", where="--resume", remedy="name it with --run")
    run = Run(directory)
    if (directory / "metrics.json").is_file():
        log.info("%s has finished already", directory)
        return run
    config = dataclasses.asdict(run.config)
    for name, value in fields.items():
        if name != "time_limit" and value != config.get(name):
            what = f"the run was begun with {config.get(name)}"
            raise UserError(what, where=f"--{name}", remedy="leave the option out, or train a new run")
    config = make_config(run.recipe, config | {k: v for k, v in fields.items() if k == "time_limit"})
    setup = _Setup(run.recipe, run.recipe.name, None, run.paths, config, directory)
    return setup.train(resume=True)


@dataclasses.dataclass
class _Setup:
    """A training about to happen."""

    recipe: object
    name: str
    source: str | None
    paths: dict
    config: object
    directory: Path
    command: str = ""

    def __post_init__(self):
        self.task = self.recipe.task(self.config)
        self.reader = self.recipe.reader(self.config)

    def read(self):
        paths = self.paths if any(self.paths.values()) else {"data": str(self.recipe.sample)}
        splits = dict(self.recipe.load(self.config, **paths))
        if self.reader:
            fits = self.recipe.medium.fits and functools.partial(self.recipe.medium.fits, self.config)
            splits = {n: self.reader.readable(s, fits if n == "train" else None) for n, s in splits.items()}
        sources, surveys = summarize_splits(splits.items(), self.task, self.config.cache_mb)
        for split, found in surveys.items():
            if split == "train" and found.longest_run > self.config.shuffle_buffer:
                what = f"{found.name}: {found.longest_run} examples of one label in a row, more than --shuffle_buffer"
                warnings.warn(f"{what}: shuffle the file, or batches will hold one label alone", stacklevel=3)
        return sources, surveys

    def dry_run(self):
        self.recipe.metric(self.config)
        sources, surveys = self.read()
        assets = self.recipe.learn(self.config, sources["train"])
        with _policy(self.config.precision):
            model = self.recipe.build(self.config, assets)
        found = {
            "recipe": self.recipe.name,
            "data": {split: dataclasses.asdict(s) for split, s in surveys.items()},
            "vocabularies": {name: len(asset) for name, asset in assets.items()},
            "inputs": {i.name: list(i.shape) for i in model.inputs},
            "outputs": list(model.output_shape),
            "parameters": model.count_params(),
            "steps_per_epoch": len(self.batches(sources["train"], surveys["train"], assets)),
        }
        for split in found["data"].values():
            split.pop("longest_run")
        return found

    def batches(self, source, found, assets, replicas=1):
        config, recipe = self.config, self.recipe
        carried = recipe.segments(config, assets, source) if recipe.segments else None
        if carried is not None and replicas > 1:
            what, remedy = "a state cannot be carried on several devices", "take one, --strategy cpu or gpu"
            raise UserError(what, where="--strategy", remedy=remedy)
        if carried is not None:
            return carried
        return Batches(
            source,
            found.examples,
            lambda inputs: recipe.encode(config, assets, inputs),
            lambda targets: self.task.encode_target(assets, targets),
            config.batch_size,
            COMPILED_BOUNDARY if config.jit else 1,
            config.shuffle_buffer,
            by_tokens=config.batch_by == "tokens",
            replicas=replicas,
            target_feature=self.task.target_feature,
            reader=self.reader,
            augment=recipe.augment and (lambda features, seed: recipe.augment(config, features, seed)),
        )

    def train(self, resume=False, overwrite=False, base=None, freeze=()):
        config, recipe = self.config, self.recipe
        metric, larger = recipe.metric(config)
        strategy = distribute.strategy(config.strategy)
        distribute.check_batch_size(strategy, config.batch_size)
        sources, surveys = self.read()
        if resume:
            self.check_unchanged(surveys)
        assets = load_assets(self.directory / "encoder") if resume else None
        assets = assets or (base.assets if base else recipe.learn(config, sources["train"]))
        check_labels(sources, surveys, self.task, assets)
        for name in ("validation", "test"):
            self.task.check(assets, sources[name])
        batches = self.batches(sources["train"], surveys["train"], assets, strategy.num_replicas_in_sync)
        keras.utils.set_random_seed(config.seed)
        with _policy(config.precision), strategy.scope():
            model = self.compiled(assets, batches, base, freeze)
        if not resume:
            self.begin(assets, surveys, overwrite)
        predictor = Predictor(recipe, config, assets, model, self.reader)
        glancing = predictor  # whose graphs are traced once
        if recipe.glance:
            glancing = Predictor(recipe, dataclasses.replace(config, **recipe.glance), assets, model, self.reader)
        balanced = getattr(config, "class_weights", "none") == "balanced"
        weights = self.task.class_weights(assets, surveys["train"].labels) if balanced else None
        views = recipe.views(config)

        def inputs(features, targets, weight, index):
            features = self.task.add_decoder_inputs(features, targets)
            chosen = {i.name: features[i.name] for i in model.inputs}
            row = chosen, targets, weight if weights is None else weight * tf.gather(weights, targets)
            return tf.nest.map_structure(lambda x: tf.repeat(x, views, axis=0), row) if views > 1 else row

        def validate():
            return evaluation.evaluate(glancing, sources["validation"])[0]

        loop = Loop(model, batches, inputs, validate, config, metric, larger, self.directory)
        if resume:
            loop.resume()
        with strategy.scope(), _policy(config.precision):
            loop.run()
        return self.finish(loop, predictor, sources, surveys)

    def compiled(self, assets, batches, base, freeze):
        config = self.config
        model = self.recipe.build(config, assets)
        if base:
            try:
                checkpoint.copy(base.model, model)
            except ValueError:
                remedy = "leave out options that change its shape"
                raise UserError("the weights of the run do not fit", where=base.directory, remedy=remedy) from None
        for pattern in freeze:
            layers = [layer for layer in model.layers if layer.weights and fnmatch.fnmatch(layer.name, pattern)]
            if not layers:
                known = ", ".join(layer.name for layer in model.layers if layer.weights)
                raise UserError(f"no layer is called {pattern!r}", where="--freeze", remedy=f"the layers are {known}")
            for layer in layers:
                layer.trainable = False
        steps = config.epochs * len(batches)
        rate = schedule(config.schedule, config.learning_rate, steps, round(config.warmup * steps))
        given = config.weight_decay, config.clip_norm, config.average, config.clip_by
        optimizer = AdamW(rate, *given, epsilon=config.epsilon)
        model.compile(optimizer, self.recipe.loss(config), jit_compile=config.jit)
        optimizer.build(model.trainable_variables)
        return model

    def begin(self, assets, surveys, overwrite):
        if overwrite and self.directory.exists():
            shutil.rmtree(self.directory)
        try:
            save_setup(self.directory, self.name, self.source, self.paths, self.config, assets)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            what = f"cannot be written ({error.strerror})"
            raise UserError(what, where=self.directory, remedy="take another --run") from None
        described = {split: dataclasses.asdict(found) for split, found in surveys.items()}
        for split in described.values():
            split.pop("longest_run")
        setup = shlex.quote(str(self.directory / "config.yaml"))
        environment = {
            "command": self.command or f"seqtasks train {shlex.quote(self.name)} --config {setup}",
            "seed": self.config.seed,
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "hardware": hardware(),
            "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            "data": described,
        }
        write_json(self.directory / "environment.json", environment)

    def check_unchanged(self, surveys):
        known = json.loads((self.directory / "environment.json").read_text("utf-8"))["data"]
        for split, found in surveys.items():
            if known[split]["sha256"] != found.sha256:
                raise UserError("the data has changed since the run began", where=found.name, remedy="train a new run")

    def finish(self, loop, predictor, sources, surveys):
        """Measure the best weights, compare with the baselines, and write what makes the run complete."""
        config, recipe, state, model = self.config, self.recipe, loop.state, predictor.model
        name, larger = recipe.metric(config)

        def validate():
            return evaluation.evaluate(predictor, sources["validation"])[0][name] * (1 if larger else -1)

        settled = recipe.settle(predictor, validate) if recipe.settle else {}
        validation, *_ = evaluation.evaluate(predictor, sources["validation"])
        test, evidence, mistakes = evaluation.evaluate(predictor, sources["test"])
        test |= evaluation.interval(recipe, config, evidence)
        given = (recipe, config, predictor.assets, sources["train"], sources["test"], evidence)
        compared = evaluation.baselines(*given)
        plain = type(model).from_config(model.get_config())  # without the optimizer
        checkpoint.copy(model, plain)
        temporary = self.directory / f".{time.time_ns()}.keras"
        plain.save(temporary)
        temporary.replace(self.directory / "model.keras")
        write_json(self.directory / "mistakes.json", mistakes)
        if recipe.illustrate:
            examples = list(itertools.islice(sources["test"], LOOKED_AT))
            write_json(self.directory / "sections.json", recipe.illustrate(predictor, examples))
        longest = min(len(loop.batches), POOL_BATCHES) - 1  # the last batch of the first pool
        flow = gradient_flow.gradient_flow(model, next(iter(loop.batches.epoch(start=longest).map(loop.inputs))))
        write_csv(self.directory / "gradient_flow.csv", gradient_flow.rows(flow))
        rows = state["rows"]
        trained = {
            "examples": surveys["train"].examples,
            "epochs": len(rows),
            "best_epoch": state["best_epoch"],
            "stopped": state["stopped"],
            "loss": rows[state["best_epoch"] - 1]["loss"],
            "seconds": state["seconds"],
            "examples_per_second": len(rows) * surveys["train"].examples / max(state["seconds"], 1e-9),
            "parameters": model.count_params(),
            **settled,
        }
        figures = {"metric": name, "train": trained, "validation": validation, "test": test, "baselines": compared}
        write_json(self.directory / "metrics.json", figures)
        log.info("test %s %.4f, baselines %s", name, test[name], {k: round(v[name], 4) for k, v in compared.items()})
        run = Run(self.directory)
        run.report()
        return run


@contextlib.contextmanager
def _policy(precision):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def hardware():
    """The processor and the devices in words."""
    names = [d.name for d in tf.config.list_logical_devices() if d.device_type != "CPU"]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return ", ".join([f"{os.cpu_count()} x {model}", *names])
