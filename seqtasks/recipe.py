"""What a recipe is: one declarative value that the engine can train, evaluate, serve and export."""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from seqtasks.budget import Budget
from seqtasks.capabilities import C, Capability, Command, FileInputs
from seqtasks.errors import UserError, nearest
from seqtasks.options import Options

if TYPE_CHECKING:
    import keras

    from seqtasks.data.file_inputs import Reader
    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats, Splits
    from seqtasks.tasks.task import Task

ConfigT = TypeVar("ConfigT", bound=Options)
Assets = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Sample:
    """The built-in sample of a recipe.

    Args:
        data: its path, or another name that the recipe's `load` knows.
        options: options that suit it, for those that are not given.
    """

    data: Path | str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recipe(Generic[ConfigT]):
    """An application. Functions take `(config, assets, ...)`; `assets` are the vocabularies learnt from train.

    Args:
        name: as in `seqtasks train NAME`.
        summary: what it answers, in one line.
        rnn_type: the lecture's: many-to-one, many-to-many, ...
        formats: the formats of `--data`, in words.
        Config: frozen dataclass, a subclass of `Options`, whose fields are declared by `seqtasks.options.option`.
        sample: the built-in data.
        reads: `reads(config) -> seqtasks.data.splits.Formats`, how its data is read.
        learn: `learn(config, train) -> {name: Vocabulary or Tokenizer}`, from the training split; `labels`, if targets
            have labels, holds all of them.
        encode: `encode(config, assets, inputs) -> {name: tensor}` of a vector of raw inputs, in the graph. Tensors that
            are named like an input of the model go to the model, all go to `task.decode`.
        build: `build(config, assets) -> keras.Model`, functional.
        task: `task(config) -> seqtasks.tasks.Task`: how targets become numbers, how outputs become answers, and how
            metrics are computed from both.
        loss: `loss(config) -> keras.losses.Loss`. If it has an attribute `passes`, each row of a training batch is
            repeated that many times.
        metric: the validation metric that chooses the best epoch, where the task names none.
        baselines: `baselines(config) -> {name: f(config) -> estimator}` over raw inputs, as the task expects them.
        capabilities: what it can do beyond that; see `seqtasks.capabilities`.
        budget: `budget(config)`: how long it trains, where `epochs`, `batch_size`, `patience` and so on are `auto`.
        rows: {pattern of names of layers: name of the asset that numbers rows of their weights}, by which fine-tuning
            adds words and replaces labels; see `seqtasks.engine.transfer`. Layers that are numbered by labels are the
            head, also where an option of the target leaves no labels. Assets that no layer names stay as they are in
            the run. An asset whose name begins with that of another and `_` is learnt anew with it.
        settle: `settle(config) -> config` with values for options of its own that are `auto`, before data is read.
        as_text: None, or `as_text(config, example, option) -> str`, the input of an example as `encode` gives it to the
            tokenizer of the language model that this option names, so that the model can be adapted to it.
        variants: `variants(config) -> {name: config}` where the value of an option stands for several runs; empty
            where it does not. One command trains them, each in a folder of its name. They share the vocabularies that
            `learn` makes with the options of the first.
        card: `card(config) -> fields` of the head of the model card, such as `pipeline_tag` and `language`, as the
            Hugging Face hub knows them.
    """

    name: str
    summary: str
    rnn_type: str
    formats: tuple[str, ...]
    Config: type[ConfigT]
    sample: Sample
    reads: Callable[[ConfigT], "Formats"]
    learn: Callable[[ConfigT, Any], dict[str, Any]]
    encode: Callable[[ConfigT, Any, Any], dict[str, Any]]
    build: Callable[[ConfigT, Any], "keras.Model"]
    task: Callable[[ConfigT], "Task"]
    loss: Callable[[ConfigT], Any]
    metric: str
    baselines: Callable[[ConfigT], Mapping[str, Callable[[ConfigT], Any]]]
    capabilities: tuple[Capability, ...] = ()
    budget: Callable[[ConfigT], Budget] = lambda config: Budget()
    rows: Mapping[str, str] = dataclasses.field(default_factory=dict)
    settle: Callable[[ConfigT], ConfigT] = lambda config: config
    as_text: Callable[[ConfigT, Any, str], str] | None = None
    variants: Callable[[ConfigT], Mapping[str, ConfigT]] = lambda config: {}
    card: Callable[[ConfigT], Mapping[str, Any]] = lambda config: {}

    def capability(self, kind: type[C]) -> C | None:
        """The recipe's capability of a class, or None.

        Example:
            >>> from seqtasks.capabilities import Scores
            >>> load_recipe("language_model").capability(Scores), load_recipe("ner").capability(Scores)
            (Scores(), None)
        """
        return next((c for c in self.capabilities if isinstance(c, kind)), None)

    def commands(self) -> Iterator[Command]:
        """The commands that its capabilities bring."""
        for capability in self.capabilities:
            yield from capability.commands()

    def features(self, config: ConfigT, assets: Assets, inputs: Any, columns: Any = None) -> dict[str, Any]:
        """Features of a vector of raw inputs, and of their side columns as the feature `columns`, in the graph.

        Args:
            config: the options.
            assets: what was learnt from train.
            inputs: as `encode` takes them.
            columns: None, or a tensor (batch,) for each side column.
        """
        found = self.encode(config, assets, inputs)
        return found if columns is None else {**found, "columns": assets["columns"].encode(columns)}

    def reader(self, config: ConfigT) -> "Reader | None":
        """What reads inputs that are files; None where they are texts."""
        files = self.capability(FileInputs)
        if files is None:
            return None
        from seqtasks.data.file_inputs import Reader

        array = files.array and functools.partial(files.array, config)
        return Reader(functools.partial(files.read, config), files.spec(config), config.cache_mb * 2**20, array)

    def paths(self, config: ConfigT, given: Mapping[str, Any]) -> dict[str, Any]:
        """The data to read: what is given, else what the options name, else the built-in sample.

        Args:
            config: the options.
            given: `data`, `train`, `valid`, `test`, each None if it is not given.
        """
        if any(value is not None for value in given.values()):
            return dict(given)
        named = self.reads(config).named
        return {"data": str(self.sample.data) if named is None else named}

    def splits(
        self, config: ConfigT, data: Any = None, train: Any = None, valid: Any = None, test: Any = None,
        reader: "Reader | None" = None,
    ) -> "Splits":  # fmt: skip
        """The splits of data; see `seqtasks.data.splits.find_splits`.

        Args:
            config: the options.
            data, train, valid, test: as for `seqtasks.train`.
            reader: None, or what reads inputs that are files; those that cannot be read are faulty records then.
        """
        from seqtasks.data.reading import Reading
        from seqtasks.data.splits import find_splits

        return find_splits(
            data, self.reads(config), Reading.of(config), train, valid, test, self._check(config, reader)
        )

    def _check(
        self, config: ConfigT, reader: "Reader | None", labelled: bool = True
    ) -> "Callable[[Source], Source]":  # fmt: skip
        """What makes examples faulty whose target does not suit the task, or whose file cannot be read."""
        from seqtasks.data.reading import Reading
        from seqtasks.data.side_columns import required

        task, files, columns = self.task(config), self.capability(FileInputs), Reading.of(config).columns

        def check(source: "Source") -> "Source":
            return required(task.checked(source) if labelled else source, columns)

        if reader is None or files is None:
            return check
        fits = files.check and functools.partial(files.check, config)
        return lambda source: reader.checked(check(source), fits)

    def folds(self, config: ConfigT, data: Any, count: int, reader: "Reader | None" = None) -> "Iterator[Splits]":
        """The splits of each fold of a cross-validation; see `seqtasks.data.partition.fold`.

        Args:
            config: the options.
            data: as for `seqtasks.train`.
            count: the number of folds.
            reader: as for `splits`.
        """
        from seqtasks.data.partition import fold
        from seqtasks.data.reading import Reading
        from seqtasks.data.splits import Splits, whole

        formats = self.reads(config)
        source = whole(data, formats, Reading.of(config), self._check(config, reader))
        return (Splits(**fold(source, formats, number, count)) for number in range(count))

    def open(
        self, config: ConfigT, data: Any, labelled: bool = True, carry: tuple[str, ...] = (),
        reader: "Reader | None" = None,
    ) -> "Source":  # fmt: skip
        """All examples of data, as they are; see `seqtasks.data.splits.open_data`.

        Args:
            config: the options.
            data: a path, a pattern, a data set, or data in memory.
            labelled: whether they need a target.
            carry: columns to carry through.
            reader: as for `splits`.
        """
        from seqtasks.data.reading import Reading
        from seqtasks.data.sources import literal
        from seqtasks.data.splits import open_data

        reading = Reading.of(config, labelled=labelled, carry=carry, group=None)
        return literal(self._check(config, reader, labelled)(open_data(data, self.reads(config), reading)))

    def chosen_metric(self, config: ConfigT) -> tuple[str, bool]:
        """The name of the metric that chooses the best epoch, and whether larger is better.

        Raises:
            UserError: if the task has no metric of that name.
        """
        task = self.task(config)
        known = list(task.metrics)
        name = config.metric or task.metric or self.metric
        if name not in known:
            raise UserError(f"unknown metric {name!r}", where="--metric", remedy=nearest(name, known))
        return name, name not in task.lower_is_better


def list_recipes() -> dict[str, importlib.metadata.EntryPoint]:
    """The recipes of this and other packages by name, without importing them."""
    return {point.name: point for point in importlib.metadata.entry_points(group="seqtasks.recipes")}


def load_recipe(name: str | Path) -> Recipe[Any]:
    """The recipe of this name, or the `RECIPE` of a Python file.

    Raises:
        UserError: if there is none.

    Example:
        >>> load_recipe("sentiment").rnn_type
        'many-to-one'
    """
    if str(name).endswith(".py"):
        return _from_file(Path(name))
    points = list_recipes()
    if str(name) not in points:
        raise UserError(
            f"unknown recipe {name!r}", remedy=f"{nearest(str(name), points)} (or give a path to a .py file)"
        )
    return points[str(name)].load()


def _from_file(path: Path) -> Recipe[Any]:
    if not path.is_file():
        raise UserError("no such recipe file", where=path, remedy="give a path to a .py file that defines RECIPE")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserError(
            f"not Python ({error.msg})", where=f"{path}:{error.lineno}", remedy="correct the line"
        ) from None
    if not isinstance(getattr(module, "RECIPE", None), Recipe):
        raise UserError("defines no RECIPE", where=path, remedy="end the file with RECIPE = Recipe(...)")
    return module.RECIPE
