"""What a recipe is: one declarative value that an engine can train, measure, serve and export."""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.errors import UserError, nearest
from seqtasks.options import Options


class Query(NamedTuple):
    """A raw input, and what its answer begins with."""

    input: Any
    told: dict


class FileInputs(NamedTuple):
    """Inputs that are files, named by their paths; without it inputs are texts.

    Args:
        read: `read(config, path) -> array` of one input; raises `UserError` where the file is faulty.
        spec: `spec(config) -> tf.TensorSpec` of such an array; a first axis of unknown length makes batches ragged.
        raw: `raw(config) -> {name: tf.TensorSpec}`, the batch that an exported model takes.
        inputs: `inputs(config, **raw) -> inputs`, what `encode` takes, from such a batch, in the graph.
        fits: None, or `fits(config, target, array)`, raises `UserError` where a target cannot be learnt from its input.
    """

    read: Callable
    spec: Callable
    raw: Callable
    inputs: Callable
    fits: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Recipe:
    """An application. Functions take `(config, assets, ...)`; `assets` are the vocabularies learnt from train.

    Args:
        name: as in `seqtasks train NAME`.
        summary: one line.
        rnn_type: the lecture's: many-to-one, many-to-many, ...
        formats: the formats of `--data`.
        Config: frozen dataclass, a subclass of `Options`; each field with a comment that becomes its help.
        sample: path of the built-in sample, or another name that `load` knows.
        sample_options: options that suit the sample, where none are given.
        load: `load(config, data, train, valid, test) -> Splits`.
        learn: `learn(config, train) -> {name: Vocabulary or Tokenizer}`; `labels`, where a target has some, are all
            that it may hold.
        encode: `encode(config, assets, inputs) -> {name: tensor}` over a vector of raw inputs, in the graph. The model
            takes those that bear its inputs' names; the others go to `decode`.
        build: `build(config, assets) -> keras.Model`, functional.
        medium: how inputs that are files are read; None where they are texts.
        write: `write(config, model, features) -> outputs`, the decoding loop of a model that writes, in the graph; None
            where the model itself gives what the task decodes.
        task: `task(config) -> seqtasks.tasks.Task`: how targets become numbers, outputs answers, and both figures.
        loss: `loss(config) -> keras.losses.Loss`.
        default_metric: the one that chooses the best epoch.
        baselines: `baselines(config) -> {name: f(config) -> estimator over raw inputs}`, with `fit` and what the task
            asks for.
        segments: `segments(config, assets, source) -> seqtasks.data.segments.Segments`, where examples are pieces of
            running text and the state is carried from batch to batch; None where they are independent.
        stream: `stream(predictor, source) -> pools of examples with their decoded arrays`, for the same reason.
        augment: `augment(config, features, seed) -> features`, a training batch's ragged features varied at random, in
            the graph; `seed` is an int tensor (2,).
        views: `views(config)`, how many times each row of a training batch is repeated.
        settle: `settle(predictor, validate) -> dict`: a last touch to the trained model, chosen by `validate()`, the
            figure of the validation split (larger is better); what it returns is told with the training's figures.
        illustrate: `illustrate(predictor, examples) -> [(title, HTML)]`, the recipe's own part of the report, made from
            some examples of the test split.
        glance: options of the validation between epochs, {field: value}, where the full ones take long.
        told_anew: fields of `Config` that a trained run may be told anew, `seqtasks predict RUN --beam_width 10`.
        asked: `asked(config, text, tokens) -> iterable of Query`: what an INPUT of `seqtasks predict` stands for;
            `tokens` is whether it has been tokenised. None takes the text itself.
        tokens: whether inputs may have been tokenised (`predict --tokens`).
        live: `live(predictor, file) -> iterable of answers` to a stream of bytes, `seqtasks predict RUN -`.
        scan: `scan(predictor, path, window, stride, threshold, label) -> iterable of Hit`, `predict --window`.
        explain: `explain(predictor, raw input) -> rows`, `seqtasks explain`.
        generate: `generate(predictor, prompt, ask, shown) -> iterable of answers`, `seqtasks generate`; `ask` is a
            `seqtasks.decoding.options.GenerationOptions`, `shown` the number of likeliest tokens that are told of every step.
        checks: `checks(predictor, train) -> dict`: how what the model writes compares with the source that it learnt
            from, told by `evaluate` as `written`; None where there is nothing to compare.
        scores: whether `predict` tells how likely an input is, `seqtasks score`.
        signatures: `signatures(predictor) -> {name: tf.function}` that an export has beside `serving_default`.
        deliver: `deliver(config, answer, path)`: write an answer of `generate` as a file of another format.
        delivers: the suffixes of such files (`.mid`).
    """

    name: str
    summary: str
    rnn_type: str
    formats: tuple[str, ...]
    Config: type[Options]
    sample: Path | str
    sample_options: dict[str, Any]
    load: Callable
    learn: Callable
    encode: Callable
    build: Callable
    task: Callable
    loss: Callable
    default_metric: str
    baselines: Callable
    medium: FileInputs | None = None
    write: Callable | None = None
    segments: Callable | None = None
    stream: Callable | None = None
    augment: Callable | None = None
    views: Callable[[Any], int] = lambda config: 1
    settle: Callable | None = None
    illustrate: Callable | None = None
    glance: dict[str, Any] = dataclasses.field(default_factory=dict)
    told_anew: tuple[str, ...] = ()
    asked: Callable | None = None
    tokens: bool = False
    live: Callable | None = None
    scan: Callable | None = None
    explain: Callable | None = None
    generate: Callable | None = None
    checks: Callable | None = None
    scores: bool = False
    signatures: Callable | None = None
    deliver: Callable | None = None
    delivers: tuple[str, ...] = ()

    def reader(self, config):
        """What reads the inputs, a `seqtasks.data.file_inputs.Reader`; None where they are texts."""
        if self.medium is None:
            return None
        from seqtasks.data.file_inputs import Reader

        read = functools.partial(self.medium.read, config)
        return Reader(read, self.medium.spec(config), config.cache_mb * 2**20)

    def metric(self, config):
        """The name of the metric that chooses the best epoch, and whether more of it is better."""
        task = self.task(config)
        known = list(task.metrics)
        name = config.metric or self.default_metric
        if name not in known:
            raise UserError(f"unknown metric {name!r}", where="--metric", remedy=nearest(name, known))
        return name, name not in task.lower_is_better


def list_recipes():
    """The names of the recipes of this and other packages, without importing them."""
    return {point.name: point for point in importlib.metadata.entry_points(group="seqtasks.recipes")}


def load_recipe(name):
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
    if name not in points:
        raise UserError(f"unknown recipe {name!r}", remedy=f"{nearest(name, points)} (or give a path to a .py file)")
    return points[name].load()


def _from_file(path):
    if not path.is_file():
        raise UserError("no such recipe file", where=path, remedy="give a path to a .py file that defines RECIPE")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
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
