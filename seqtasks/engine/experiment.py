"""An experiment: a recipe, its options and data, prepared up to the point where training begins."""

import contextlib
import dataclasses
import functools
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from seqtasks.budget import AUTO, with_batch_size, with_length
from seqtasks.capabilities import Augments, RunningText
from seqtasks.data.batches import Batches
from seqtasks.data.numbers import Numbers
from seqtasks.data.sources import Source
from seqtasks.data.splits import Splits
from seqtasks.engine import cluster, distribute, layer_rates, progress, transfer
from seqtasks.engine.accumulation import accumulate
from seqtasks.engine.data_summary import SplitSummary, check_labels, describe_splits, summarize_splits
from seqtasks.engine.predictor import Predictor
from seqtasks.engine.pretrained import Pretrained, as_trained, check_used, inherited_assets, limit_rates
from seqtasks.engine.run import Run, written
from seqtasks.errors import UserError
from seqtasks.optimizers import AdamW, schedule
from seqtasks.options import describe, for_validation
from seqtasks.recipe import Recipe

log = logging.getLogger("seqtasks")
COMPILED_BOUNDARY = 8  # XLA compiles for every padded length: few of them


class Data(NamedTuple):
    """The splits of an experiment: sources by name, and what each holds."""

    sources: dict[str, Source]
    summaries: dict[str, SplitSummary]


def has_data(paths: Mapping[str, Any]) -> bool:
    """Whether any data is given; data in memory has no truth of its own."""
    return any(value is not None for value in paths.values())


@dataclasses.dataclass
class Prepared:
    """What a training starts from.

    Args:
        data: sources and summaries of the splits.
        assets: the vocabularies.
        batches: the training batches: `seqtasks.data.batches.Batches` or `seqtasks.data.segments.Segments`.
        model: the compiled model, built under `strategy`.
        strategy: the `tf.distribute.Strategy`.
        parent: of a fine-tuning what is recorded of the run that it starts from: its path, recipe and hash, and what
            became of its weights.
        pretrained: what is recorded of language models that the weights were taken from.
    """

    data: Data
    assets: Mapping[str, Any]
    batches: Any
    model: keras.Model
    strategy: tf.distribute.Strategy
    parent: dict[str, Any] | None = None
    pretrained: dict[str, Any] | None = None


@dataclasses.dataclass
class Experiment:
    """A recipe with options and data.

    Args:
        recipe: the recipe.
        config: an instance of its `Config`.
        paths: `data`, `train`, `valid`, `test` as for `seqtasks.train`; empty for the built-in sample.
        splits: None, or the splits themselves, in place of those of `paths`.

    Example:
        >>> from seqtasks.recipe import load_recipe
        >>> recipe = load_recipe("sentiment")
        >>> prepared = Experiment(recipe, recipe.Config(units=8, affixes=0)).prepare()
        >>> prepared.model.output_shape, sorted(prepared.assets)
        ((None, 2), ['labels', 'words'])
    """

    recipe: Recipe[Any]
    config: Any
    paths: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    splits: Splits | None = None

    def __post_init__(self) -> None:
        check_single(self.recipe, self.config)
        self.strategy = distribute.strategy(self.config.strategy, self.config.tpu)  # before any operation runs
        self.config = self.recipe.settle(self.config)
        self.task = self.recipe.task(self.config)
        self.reader = self.recipe.reader(self.config)

    def scale(self) -> None:
        """Make of a batch size and a learning rate for one device those of all, if `device_scaling` asks for it."""
        if changed := distribute.scaled(self.config, self.strategy.num_replicas_in_sync):
            log.info(
                "%d devices: %s", self.strategy.num_replicas_in_sync, ", ".join(f"{n} {v}" for n, v in changed.items())
            )
            self.config = dataclasses.replace(self.config, **changed)

    def read(self) -> Data:
        """Read all splits once. Options that follow from the data replace those of the experiment.

        Raises:
            UserError: if the data is missing or not understood.
        """
        paths = self.recipe.paths(self.config, self.paths)
        splits = self.splits or self.recipe.splits(self.config, **paths, reader=self.reader)
        data = Data(*summarize_splits(splits, self.task, self.config.cache_mb))
        train = data.summaries["train"]
        if train.longest_run > self.config.shuffle_buffer:
            what = f"{train.name}: {train.longest_run} examples of one label in a row, more than --shuffle_buffer"
            warnings.warn(f"{what}: shuffle the file, or batches will hold one label alone", stacklevel=3)
        options = self.task.options(data.sources["train"], train.labels)
        if options := {name: value for name, value in options.items() if hasattr(self.config, name)}:
            self.config = dataclasses.replace(self.config, **options)
            self.task = self.recipe.task(self.config)
        return data

    def prepare(
        self, data: Data | None = None, assets: Mapping[str, Any] | None = None, base: Run | None = None,
        relearn: Sequence[str] = (), weights: keras.Model | None = None,
    ) -> Prepared:  # fmt: skip
        """Learn the vocabularies, and build the batches and the compiled model.

        Options that are `auto` become numbers in `self.config`; see `seqtasks.budget`.

        Args:
            data: what `read` returned; None reads.
            assets: vocabularies that are known already; None learns them from train.
            base: a finished run whose vocabularies and weights are taken over; see `seqtasks.engine.transfer`.
            relearn: names of the vocabularies of `base` that are learnt anew.
            weights: the model of `base`, changed in Keras: its weights are taken instead, layer by layer by name.

        Raises:
            UserError: if data, options and weights do not fit together.
        """
        recipe = self.recipe
        recipe.chosen_metric(self.config)
        strategy = self.strategy
        if self.config.batch_size != "auto":
            distribute.check_batch_size(strategy, self.config.batch_size)
        data = data or self.read()
        config = self.config
        recipe.chosen_metric(config)
        train = progress.followed(data.sources["train"], "learning vocabularies", data.summaries["train"].examples)
        plan, known_to, pretrained = None, "train", None if assets else Pretrained(config)
        if base:
            kept = inherited_assets(base)
            if pretrained:
                pretrained.check_kept(kept)
            known_as = as_trained(config, kept)
            plan = transfer.plan(base, recipe, config, self.task, lambda: recipe.learn(known_as, train), relearn)
            assets = {**plan.assets, **kept}
            known_to = known_to if plan.new_head else f"the run {base.directory}"
            self.task.check_inherited(assets, data.sources["train"], data.summaries["train"].labels)
        assets = dict(assets or recipe.learn(config, train)) | (pretrained.assets if pretrained else {})
        check_labels(data.sources, data.summaries, self.task, assets, known_to)
        for name in ("validation", "test"):
            self.task.check(assets, data.sources[name])
            if "columns" in assets:
                assets["columns"].check(data.sources[name])
        batches = self._batches(data, assets, strategy.num_replicas_in_sync)
        counts = (data.summaries[name].examples for name in ("train", "validation"))
        self.config = config = with_length(self.config, recipe.budget(self.config), len(batches), *counts)
        keras.utils.set_random_seed(config.seed)
        with policy(config.precision), strategy.scope():
            model = recipe.build(config, assets)
            check_used(config, model, assets)
            limit_rates(model, config, assets)
            taken = pretrained.fill(model) if pretrained else None
            parent = self._taken_over(model, base, plan, weights) if base and plan else None
            self._compile(model, len(batches))
        distribute.check_model(strategy, config, model)
        return Prepared(data, assets, batches, model, strategy, parent, taken)

    def _batches(self, data: Data, assets: Mapping[str, Any], replicas: int) -> Any:
        """The training batches; `batch_size` becomes a number."""
        recipe, source, examples = self.recipe, data.sources["train"], data.summaries["train"].examples
        running, augments = recipe.capability(RunningText), recipe.capability(Augments)
        shard, compiled = cluster.share(self.strategy), distribute.is_tpu(self.strategy)
        config = with_batch_size(self.config, recipe.budget(self.config), None, replicas)
        segments = running.segments(config, assets, source) if running else None
        if segments is None:
            config = with_batch_size(self.config, recipe.budget(self.config), examples, replicas)
        self.config = config
        if segments is not None:
            segments.shard = shard
            return segments
        beside = len(assets["columns"].names) if "columns" in assets else 0

        def encode(inputs: Any, columns: Any = None) -> dict[str, Any]:
            values = None if columns is None else tf.unstack(columns, beside, axis=1)
            return recipe.features(config, assets, inputs, values)

        return Batches(
            source,
            examples,
            encode,
            lambda targets: self.task.encode_target(assets, targets),
            config.batch_size,
            COMPILED_BOUNDARY if config.jit or compiled else 1,
            config.shuffle_buffer,
            shard,
            by_tokens=config.batch_by == "tokens",
            replicas=replicas,
            target_feature=self.task.target_feature,
            reader=self.reader,
            augment=functools.partial(augments.augment, config) if augments else None,
            columns=beside,
            doubling=compiled,
        )

    def fit_inputs(self, prepared: Prepared) -> Any:
        """The function from a training batch to what `fit` takes: `f(features, targets, weight, index)`."""
        model, passes = prepared.model, getattr(prepared.model.loss, "passes", 1)
        weights = self.task.weights_of_classes(prepared.assets, prepared.data.summaries["train"].labels)

        def inputs(features: dict[str, Any], targets: Any, weight: Any, index: Any) -> Any:
            features = self.task.add_decoder_inputs(features, targets)
            chosen = {i.name: features[i.name] for i in model.inputs}
            row = chosen, targets, weight if weights is None else weight * self.task.weights_of_rows(weights, targets)
            return tf.nest.map_structure(lambda x: tf.repeat(x, passes, axis=0), row) if passes > 1 else row

        return inputs

    def predictors(self, prepared: Prepared) -> tuple[Predictor, Predictor]:
        """What answers with the options as they are, and with those of the validation between epochs."""
        given = prepared.assets, prepared.model, self.reader
        full, quick = Predictor(self.recipe, self.config, *given), for_validation(self.config)
        return full, full if quick == self.config else Predictor(self.recipe, quick, *given)

    def dry_run(self) -> dict[str, Any]:
        """Shapes and counts, without training."""
        prepared = self.prepare()
        return {
            "recipe": self.recipe.name,
            "data": describe_splits(prepared.data.summaries),
            "vocabularies": {n: len(asset) for n, asset in prepared.assets.items() if not isinstance(asset, Numbers)},
            "inputs": {i.name: list(i.shape) for i in prepared.model.inputs},
            "outputs": list(prepared.model.output_shape),
            "parameters": prepared.model.count_params(),
            "steps_per_epoch": len(prepared.batches),
            "training": {name: getattr(self.config, name) for name in AUTO},
        }

    def _taken_over(
        self, model: keras.Model, base: Run, plan: transfer.Plan, weights: keras.Model | None
    ) -> dict[str, Any]:
        """Fill a model with the weights of a run; what is recorded of it."""
        strict = weights is None
        differ = changes(base.config, self.config)
        try:
            done = transfer.transfer(base.model if weights is None else weights, model, self.recipe.rows, plan, strict)
        except ValueError as error:
            of = "run" if strict else "given model"
            shaping = [f"--{o.name}" for o in describe(type(self.config)) if o.name in differ and o.group != "training"]
            listed = f" ({', '.join(shaping)})" if shaping else ""
            what, remedy = f"the weights of the {of} do not fit: {error}", "leave out options that change its shape"
            raise UserError(what, where=base.directory, remedy=remedy + listed) from None
        if not strict and (lost := [*done.new, *done.left]):
            warnings.warn(f"layers whose weights are not taken from the given model: {', '.join(lost)}", stacklevel=4)
        if differ:
            log.info("options other than those of %s: %s", base.directory, ", ".join(differ.values()))
        for line in done.lines():
            log.info(line)
        recorded = {"path": str(base.directory), "recipe": base.recipe.name, "sha256": base.sha256()}
        return recorded | ({} if strict else {"weights": "of a given model"}) | done.fields()

    def _compile(self, model: keras.Model, batches: int) -> None:
        config = self.config
        layer_rates.freeze(model, config.freeze)
        steps = config.epochs * batches
        rate = schedule(config.schedule, config.learning_rate, steps, round(config.warmup * steps))
        given = config.weight_decay, config.clip_norm, config.ema_momentum, config.clip_by
        each = layer_rates.rates(model, config.rate_decay, config.unfreeze_every, config.epochs, batches)
        optimizer = AdamW(rate, *given, *each, epsilon=config.epsilon)
        model.compile(optimizer, self.recipe.loss(config), jit_compile=config.jit)
        model.optimizer.build(model.trainable_variables)  # with what Keras wraps around it for float16
        if config.accumulate > 1:
            accumulate(model, config.accumulate, getattr(model.loss, "passes", 1))


def check_single(recipe: Recipe[Any], config: Any, where: str = "") -> None:
    """Raise `UserError` if options stand for several runs.

    Args:
        recipe: the recipe.
        config: its options.
        where: the option that needs a single run.
    """
    if several := recipe.variants(config):
        what, remedy = f"the options of {recipe.name} stand for {len(several)} runs", "choose one"
        raise UserError(what, where=where, remedy=f"{remedy}: {' or '.join(several)}")


def check_same(
    config: Any, known: Mapping[str, Any], fields: Mapping[str, Any], paths: Mapping[str, Any]
) -> None:  # fmt: skip
    """Raise `UserError` if options or data differ from those that a run was started with.

    Args:
        config: its options.
        known: its data, as it wrote it.
        fields: options that are given; the time limit may differ, and `auto` is not compared.
        paths: the data that is given.
    """
    own = {"time_limit", "device_scaling"}
    own |= {"batch_size", "learning_rate"} if fields.get("device_scaling", "none") != "none" else set()  # are scaled
    for name, value in fields.items():
        if name in own or value == "auto":  # the run has the number that followed from it
            continue
        if value != (before := dataclasses.asdict(config).get(name)):
            what = f"the run was started with {before}"
            raise UserError(what, where=f"--{name}", remedy="leave the option out, or train a new run")
    if has_data(paths) and written(paths) != {name: str(path) for name, path in known.items() if path is not None}:
        what, remedy = "the run was started on other data", "leave the option out, or train a new run"
        raise UserError(what, where="--data", remedy=remedy)


def changes(before: Any, after: Any) -> dict[str, str]:
    """The options whose values differ, in words: {name: "name old -> new"}.

    Example:
        >>> from seqtasks.options import Options
        >>> changes(Options(batch_size=8), Options(batch_size=16))
        {'batch_size': 'batch_size 8 -> 16'}
    """
    found = {o.name: (getattr(before, o.name), getattr(after, o.name)) for o in describe(type(after))}
    plain = {n: [list(v) if isinstance(v, tuple) else v for v in values] for n, values in found.items()}
    return {n: f"{n} {_shown(old)} -> {_shown(new)}" for n, (old, new) in plain.items() if old != new}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "null" if value is None else str(value) if value != "" else '""'


@contextlib.contextmanager
def policy(precision: str) -> Iterator[None]:
    """The dtype policy of all layers that are made inside."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
