"""A run directory: what a training leaves behind, and what can be done with it."""

import contextlib
import dataclasses
import functools
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seqtasks.atomic_files import write_json, write_text
from seqtasks.capabilities import Answer, Command
from seqtasks.engine import progress
from seqtasks.engine.inputs import inputs_of, parsed, read_inputs
from seqtasks.engine.run_folder import (
    COPY,
    OPENED,
    RESULTS,
    SETUP,
    check,
    checked_json,
    digest,
    is_run,
    manifest,
    runs_in,
    seal,
)  # fmt: skip
from seqtasks.engine.trust import is_trusting, recipe_of, trusting
from seqtasks.errors import UserError, needs
from seqtasks.options import describe, make_options
from seqtasks.recipe import list_recipes
from seqtasks.text.assets import Assets, load_assets
from seqtasks.yaml_files import read_yaml

if TYPE_CHECKING:
    import keras

    from seqtasks.engine.predictor import Predictor

PATHS = ("data", "train", "valid", "test")
IN_MEMORY = "in memory: "  # how `config.yaml` names data that was no file


class _MissingCapability(UserError, AttributeError):
    """A method that runs of other recipes have."""


class Run:
    """An opened run. Its recipe's capabilities add methods, such as `run.generate(...)`.

    Args:
        directory: the run directory.
        trust: whether its `recipe.py` may be executed, if it has one that was not trained on this machine; see
            `seqtasks.engine.trust`.

    Attributes:
        recipe, config, paths, assets: what it was trained with.
        source: the text of its `recipe.py`; None for an installed recipe.

    Raises:
        UserError: if the directory is not a run, a file of it is not as the run wrote it, or it brings a recipe that is
            not trusted.
    """

    def __init__(self, directory: str | Path, trust: bool = False) -> None:
        self.directory = Path(directory)
        path = self.directory / "config.yaml"
        if not is_run(self.directory):
            if several := runs_in(self.directory):
                what, remedy = f"holds {len(several)} runs ({', '.join(several)})", "name one, such as "
                raise UserError(what, where=self.directory, remedy=remedy + str(self.directory / several[0]))
            what = "not a run (no config.yaml)" if self.directory.is_dir() else "no such run"
            if self.directory.is_dir() and manifest(self.directory):
                what, remedy = "the run was stopped before it began", "train it again, with the same --run"
                raise UserError(what, where=self.directory, remedy=remedy)
            raise UserError(what, where=self.directory, remedy="give a directory that `seqtasks train` made")
        self.checked = check(self.directory, *OPENED)
        fields = read_yaml(path)
        with trusting(trust):
            self.trust = is_trusting()
            self.recipe, self.source = recipe_of(self.directory, fields.pop("recipe", None))
        self.paths = {name: fields.pop(name, None) for name in PATHS}
        try:
            self.config = make_options(self.recipe.Config, fields)
        except UserError as error:
            raise error if self.checked else UserError(str(error), where=path, remedy="correct the line") from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "recipe" not in self.__dict__:
            raise AttributeError(name)
        for capability in self.recipe.capabilities:
            if name in capability.methods():
                return functools.partial(capability.methods()[name], self)
        others = [n for n, point in sorted(list_recipes().items()) if name in _methods(point.load())]
        if others:
            what, remedy = f"a run of {self.recipe.name} has no {name}", f"use a run of {' or '.join(others)}"
            raise _MissingCapability(what, where=self.directory, remedy=remedy)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @functools.cached_property
    def assets(self) -> Assets:
        """The vocabularies by name."""
        return load_assets(self.directory / "encoder")

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The trained `keras.Model`."""
        import keras

        import seqtasks.models  # noqa: F401  registers the saved classes, with those of seqtasks.layers

        path = self.directory / "model.keras"
        if not path.is_file() and not (self.directory / "metrics.json").is_file():
            raise UserError("the run has not finished", where=self.directory, remedy="continue it with --resume")
        check(self.directory, path.name)
        try:
            return keras.models.load_model(path, compile=False)
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            what = f"cannot be loaded ({(str(error).strip() or type(error).__name__).splitlines()[0]})"
            raise UserError(what, where=path, remedy=COPY) from None

    def sha256(self) -> str:
        """The SHA-256 hash of the file of the model."""
        return digest(self.directory / "model.keras")

    @functools.cached_property
    def predictor(self) -> "Predictor":
        """What answers raw inputs."""
        from seqtasks.engine.predictor import Predictor

        return Predictor(self.recipe, self.config, self.assets, self.model)

    def with_options(self, **fields: Any) -> "Run":
        """This run with other values of options that can be changed when predicting, such as `beam_width`.

        Raises:
            UserError: if the recipe has no such option, or its value is invalid.
        """
        changeable = {o.name: o for o in describe(self.recipe.Config) if o.changeable}
        for name in fields:
            if name not in changeable:
                known = ", ".join(f"--{known}" for known in changeable) or "none"
                what = f"cannot be changed on a run of {self.recipe.name}"
                raise UserError(what, where=f"--{name}", remedy=f"options that can be changed: {known}")
        if not fields:
            return self
        other = Run(self.directory, self.trust)
        other.config = make_options(self.recipe.Config, dataclasses.asdict(self.config) | fields)
        for name in fields:
            changeable[name].check_number(getattr(other.config, name), getattr(self.config, name))
        if "model" in self.__dict__:
            other.model = self.model
        return other

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        if not (self.directory / "metrics.json").is_file():
            raise UserError("the run has not finished", where=self.directory, remedy="continue it with --resume")
        return checked_json(self.directory, "metrics.json")

    @property
    def environment(self) -> dict[str, Any]:
        """The content of `environment.json`; empty if there is none."""
        known = (self.directory / "environment.json").is_file()
        return checked_json(self.directory, "environment.json") if known else {}

    def readable_paths(self) -> dict[str, Any]:
        """The paths of the data it was trained on.

        Raises:
            UserError: if it was trained on data in memory.
        """
        for path in self.paths.values():
            if str(path).startswith(IN_MEMORY):
                what = f"was trained on data in memory ({str(path).removeprefix(IN_MEMORY)})"
                raise UserError(what, where=self.directory, remedy="give the data")
        return self.recipe.paths(self.config, self.paths)

    def splits(self, data: Any = None) -> Any:
        """The splits it was trained on, or those of `data`."""
        paths: dict[str, Any] = {"data": data} if data is not None else self.readable_paths()
        return self.recipe.splits(self.config, **paths, reader=self.predictor.reader)

    def predict(self, inputs: Any, *, as_frame: bool = False, carry: str = "", **options: Any) -> Any:
        """Answers for raw inputs, in their order.

        Args:
            inputs: a string, or an iterable of strings, as `seqtasks predict` takes them; arrays where inputs are
                files; or data in memory as for `seqtasks.train` (a DataFrame, a data set, a list of dicts), of which
                only the input is read.
            as_frame: whether to return a pandas DataFrame with a row for each answer, and the index of the inputs.
            carry: names of columns of the data, separated by commas, that the answers repeat; `all` for each.
            options: those of `seqtasks predict RUN --help`, such as `beam_width`.

        Returns:
            A list of dicts, or a DataFrame.

        Raises:
            UserError: for an unknown option, or an input that is not understood.
        """
        command, own, fields = self.predict_command(options, [])
        run = self.with_options(**fields)
        given = inputs_of(run, inputs, carry)
        with progress.shown():
            answers = list(progress.counted("predict", command.run(run, given, own) if command else run.answers(given)))
        if not as_frame:
            return answers
        needs("pandas", extra="formats")
        import pandas as pd

        same = isinstance(inputs, pd.DataFrame | pd.Series) and len(inputs) == len(answers)
        return pd.DataFrame(answers, index=inputs.index if same else None)

    def predict_command(
        self, options: Mapping[str, Any], given: list[str]
    ) -> tuple[Command | None, Any, dict[str, Any]]:
        """Which of the recipe's `predict` commands answers, if any.

        Args:
            options: by name, as given.
            given: the inputs, as given on the command line.

        Returns:
            (command, its options, the other options).

        Raises:
            UserError: if an option of such a command has no effect without another one.
        """
        for command in self.recipe.commands():
            if command.name != "predict":
                continue
            names = {o.name for o in describe(command.Options)} & set(options)
            own: Any = make_options(command.Options, {name: options[name] for name in names})
            if command.applies(own, given):
                return command, own, {name: value for name, value in options.items() if name not in names}
            for name in names:
                raise UserError("has no effect alone", where=f"--{name}", remedy=command.help)
        return None, None, dict(options)

    def answers(self, inputs: Iterable[Any], where: str = "input ") -> Iterator[Answer]:
        """Answers one at a time; errors name an input by `where` and its number.

        Args:
            inputs: raw inputs, or `Query` made of them.
            where: what the number of an input follows in messages.

        Raises:
            UserError: at an input that is not a text, or not an array or a path where inputs are files.
        """
        with self._fitting():
            yield from self.predictor.answers(parsed(self, inputs, where))

    def read_inputs(self, path: str | Path, carry: str = "") -> Iterator[Any]:
        """The inputs in a file, for `answers`; see `seqtasks.engine.inputs.read_inputs`."""
        return read_inputs(self, path, carry)

    def evaluate(self, data: Any = None, split: str | None = None) -> dict[str, Any]:
        """Metrics on a split of the run's data, or on other data.

        Args:
            data: None, or as for training. Other data counts as a whole, unless it has a test split of its own.
            split: `train`, `validation` or `test`, which is the default, of the run's data or of data with splits.

        Returns:
            The metrics, and on the run's own data the figures that capabilities add.

        Raises:
            UserError: if there is no such split, or the data is not understood.
        """
        from seqtasks.data.splits import has_splits
        from seqtasks.engine.data_summary import check_labels, summarize_splits
        from seqtasks.engine.evaluation import evaluate, interval

        task, reader, reference = self.predictor.task, self.predictor.reader, None
        if data is not None and split is None and not has_splits(data, self.recipe.reads(self.config)):
            source = self.recipe.open(self.config, data, reader=reader)
        else:
            splits = dict(self.splits(data))
            reference = splits["train"] if data is None else None
            if (split or "test") not in splits:
                raise UserError(f"unknown split {split!r}", where="--split", remedy="take train, validation or test")
            source = splits[split or "test"]
        name = split or "test"
        sources, summaries = summarize_splits([(name, source)], task, self.config.cache_mb, training=False)
        check_labels(sources, summaries, task, self.assets, "the run")
        if "columns" in self.assets:
            self.assets["columns"].check(sources[name])
        with progress.shown(), self._fitting():
            followed = progress.followed(sources[name], "measuring", summaries[name].examples)
            figures, statistics, _ = evaluate(self.predictor, followed)
        figures |= interval(self.recipe, self.config, statistics)
        if reference is not None:
            for capability in self.recipe.capabilities:
                figures |= capability.figures(self.predictor, reference)
        return figures

    def export(
        self, directory: str | Path, overwrite: bool = False, format: str = "saved_model", quantize: str = "none",
        license: str = "", check: bool = True,
    ) -> Path:  # fmt: skip
        """Write a model for another runtime and return its folder; see `seqtasks.engine.export.export`."""
        from seqtasks.engine.export import export

        with self._fitting():
            return export(self, directory, format, overwrite, quantize, license, check).path

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from seqtasks.report.notebook import card

        return self._shown(card)

    def report(self) -> Path:
        """Write `report.html` into the run and return its path."""
        from seqtasks.report.page import write_report

        return self._shown(write_report)

    def _shown(self, show: Callable[[Path], Any]) -> Any:
        """What a function makes of the files of the figures, which are checked before."""
        finished = (self.directory / "metrics.json").is_file()
        check(self.directory, *SETUP, *(RESULTS if finished else ()))
        with self._fitting():
            return show(self.directory)

    @contextlib.contextmanager
    def _fitting(self) -> Iterator[None]:
        """A context in which an error is the user's if the files of the run are unchecked."""
        try:
            yield
        except Exception as error:
            if self.checked or isinstance(error, UserError):
                raise
            what = f"its files, which are unchecked, do not fit together ({type(error).__name__})"
            raise UserError(what, where=self.directory, remedy=COPY) from error


def written(paths: Mapping[str, Any]) -> dict[str, str]:
    """The paths as `config.yaml` holds them; data in memory is described.

    Example:
        >>> written({"data": "a.csv", "test": [("a text", "good")], "valid": None})
        {'data': 'a.csv', 'test': 'in memory: list'}
    """
    given = {name: path for name, path in paths.items() if path is not None}
    return {
        n: str(p) if isinstance(p, str | os.PathLike) else f"{IN_MEMORY}{type(p).__name__}" for n, p in given.items()
    }


def load_run(directory: str | Path, trust: bool = False) -> Run:
    """Open the run in a directory.

    Args:
        directory: as `seqtasks train --run` made it.
        trust: whether its `recipe.py` may be executed, if it has one that was not trained on this machine.

    Returns:
        A `Run`: `.predict([...])`, `.evaluate()`, `.export(directory)`, `.report()`, `.metrics`, `.model`, and what the
        capabilities of its recipe add.

    Raises:
        UserError: if it is not a run, a file of it is not as the run wrote it, or its recipe is not trusted.
    """
    return Run(directory, trust)


def save_setup(
    directory: Path, recipe_name: str, recipe_source: str | None, paths: Mapping[str, Any], config: Any,
    assets: Mapping[str, Any], environment: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write `encoder/`, `recipe.py` for a recipe that was given by its path, `environment.json`; last `config.yaml`."""
    (directory / "encoder").mkdir(parents=True, exist_ok=True)
    (directory / "checkpoints").mkdir(exist_ok=True)
    save_assets(directory, assets)
    fields = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}
    if recipe_source is not None:
        write_text(directory / "recipe.py", recipe_source)
        recipe_name = "recipe.py"
    if environment is not None:
        write_json(directory / "environment.json", environment)
    text = yaml.safe_dump({"recipe": recipe_name, **written(paths), **fields}, sort_keys=False, allow_unicode=True)
    seal(directory, {"config.yaml": text})


def save_assets(directory: Path, assets: Mapping[str, Any]) -> None:
    """Write vocabularies and numbers, {name: asset}, into `encoder/`."""
    for name, asset in assets.items():
        write_text(directory / "encoder" / f"{name}.txt", asset.text())


def _methods(recipe: Any) -> set[str]:
    return {name for capability in recipe.capabilities for name in capability.methods()}
