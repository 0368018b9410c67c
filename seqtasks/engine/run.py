"""A run directory: what a training leaves behind, and what can be done with it."""

import dataclasses
import functools
import json
import os
import zipfile
from pathlib import Path

import yaml

from seqtasks.atomic_files import write_text
from seqtasks.errors import UserError
from seqtasks.options import make_config, read_config
from seqtasks.recipe import Query, load_recipe
from seqtasks.text.assets import load_assets

PATHS = ("data", "train", "valid", "test")


class Run:
    """A run, opened.

    Args:
        directory: the run directory.

    Attributes:
        recipe, config, paths, assets: what it was trained with.

    Raises:
        UserError: if the directory is no run.
    """

    def __init__(self, directory):
        self.directory = Path(directory)
        if not (self.directory / "config.yaml").is_file():
            what = "not a run (no config.yaml)" if self.directory.is_dir() else "no such run"
            raise UserError(what, where=self.directory, remedy="give a directory that `seqtasks train` made")
        fields = read_config(self.directory / "config.yaml")
        source = fields.pop("recipe")
        self.recipe = load_recipe(self.directory / source if source.endswith(".py") else source)
        self.paths = {name: fields.pop(name, None) for name in PATHS}
        self.config = make_config(self.recipe, fields)
        self.assets = load_assets(self.directory / "encoder")

    @functools.cached_property
    def model(self):
        """The trained `keras.Model`."""
        import keras

        import seqtasks.models  # noqa: F401  registers the saved classes, with those of seqtasks.layers

        path = self.directory / "model.keras"
        if not path.is_file():
            raise UserError("the run has not finished", where=self.directory, remedy="continue it with --resume")
        try:
            return keras.models.load_model(path, compile=False)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            what = f"cannot be loaded ({str(error).strip().splitlines()[0]})"
            raise UserError(what, where=path, remedy="copy the whole run again, or train a new one") from None

    @functools.cached_property
    def predictor(self):
        from seqtasks.engine.predictor import Predictor

        return Predictor(self.recipe, self.config, self.assets, self.model)

    def told(self, **fields):
        """This run with other answers: what decides about them (`beam_width`) may be told anew, None leaves it.

        Raises:
            UserError: if the recipe has nothing of that name to be told.
        """
        fields = {name: value for name, value in fields.items() if value is not None}
        for name in fields:
            if name not in self.recipe.told_anew:
                known = ", ".join(f"--{known}" for known in self.recipe.told_anew) or "nothing"
                raise UserError(f"not for a run of {self.recipe.name}", where=f"--{name}", remedy=f"it takes {known}")
        if not fields:
            return self
        other = Run(self.directory)
        other.config = make_config(self.recipe, dataclasses.asdict(self.config) | fields)
        if "model" in self.__dict__:
            other.model = self.model
        return other

    @property
    def metrics(self):
        """The content of `metrics.json`."""
        path = self.directory / "metrics.json"
        if not path.is_file():
            raise UserError("the run has not finished", where=self.directory, remedy="continue it with --resume")
        return json.loads(path.read_text("utf-8"))

    def splits(self, data=None):
        """The splits it was trained on, or those behind `data`."""
        paths = {"data": data} if data is not None else self.paths
        if not any(paths.values()):
            paths = {"data": str(self.recipe.sample)}
        return self.recipe.load(self.config, **paths)

    def predict(self, inputs, tokens=False):
        """Answers for raw inputs, a list of dicts in their order.

        Args:
            inputs: iterable of strings, as `seqtasks predict` takes them.
            tokens: whether they have been tokenised, with spaces between the tokens.
        """
        return list(self.answers([inputs] if isinstance(inputs, str) else inputs, tokens))

    def answers(self, inputs, tokens=False, where="input "):
        """The same, one after the other; `where` and its number are what an input is called in an error."""
        if tokens and not self.recipe.tokens:
            raise UserError("a recipe without tokens", where="--tokens", remedy="leave it out")
        asked, files = self.recipe.asked, self.recipe.medium is not None
        if files:
            inputs = map(os.fsdecode, inputs)
        if asked is None:
            return self.predictor.answers(inputs)

        def items():
            for number, text in enumerate(inputs, 1):
                try:
                    yield from asked(self.config, text, tokens)
                except UserError as error:
                    if not files:
                        raise UserError(str(error), where=f"{where}{number}") from None
                    yield Query(error, {"file": text})

        return self.predictor.answers(items())

    def live(self, file):
        """Answers to a stream of bytes, as they can be given: an iterator of dicts.

        Args:
            file: binary file, read to its end; what it holds is the recipe's affair (see `seqtasks predict --help`).
        """
        if self.recipe.live is None:
            raise UserError(f"a run of {self.recipe.name} reads no stream", where="-", remedy="give paths of files")
        return self.recipe.live(self.predictor, file)

    def score(self, texts):
        """How likely texts are: a list of dicts with `log_probability`, `perplexity` and those of each token."""
        if not self.recipe.scores:
            raise UserError(f"not for a run of {self.recipe.name}", where="score", remedy="take a language model")
        return self.predict(texts)

    def generate(self, prompt="", shown=0, **asked):
        """Novel sequences: an iterator of answers; see `seqtasks.decoding.options.GenerationOptions` for what can be asked.

        Args:
            prompt: what each begins with: a text, or for music also the path of a MIDI file.
            shown: how many of the likeliest tokens are told of every step.
            asked: `num`, `length`, `temperature`, `top_k`, `top_p`, `seed`.
        """
        from seqtasks.decoding.options import GenerationOptions

        if shown < 0:
            raise UserError(f"{shown} is too small", where="--show", remedy="take at least 0")
        if self.recipe.generate is None:
            remedy = "take a run of language_model or music"
            raise UserError(f"a run of {self.recipe.name} writes nothing new", where="generate", remedy=remedy)
        return self.recipe.generate(self.predictor, prompt, GenerationOptions(**asked), shown)

    def scan(self, path, window, stride, threshold=0.5, label=None):
        """What a classifier finds along a genome, window by window: an iterator of `seqtasks.dna.bed.Hit`."""
        self._classifies(self.recipe.scan, "--window")
        return self.recipe.scan(self.predictor, path, window, stride, threshold, label)

    def explain(self, text):
        """What in an input made the answer: a list of rows."""
        self._classifies(self.recipe.explain, "explain")
        asked = self.recipe.asked(self.config, text, False)
        return [row for item in asked for row in self.recipe.explain(self.predictor, item.input)]

    def _classifies(self, function, where):
        from seqtasks.tasks import Classification

        if function is None or not isinstance(self.predictor.task, Classification):
            raise UserError("not for this run", where=where, remedy="take a run of dna that classifies sequences")

    def evaluate(self, data=None, split="test"):
        """Figures on a split of the run's data, or of other data; a single file of other data counts whole.

        Args:
            data: None, or as for training.
            split: `train`, `validation` or `test`.

        Returns:
            The figures; on the run's own data with `written`, how what the model writes compares with train.
        """
        from seqtasks.engine.data_summary import check_labels, summarize_splits
        from seqtasks.engine.evaluation import evaluate, interval

        if data is not None and not Path(data).is_dir() and not str(data).startswith("tfds:"):
            source, reference = self.recipe.load(self.config, data, valid=data, test=data).test, None
        else:
            splits = dict(self.splits(data))
            reference = splits["train"] if data is None else None
            if split not in splits:
                raise UserError(f"unknown split {split!r}", where="--split", remedy="take train, validation or test")
            source = splits[split]
        task, reader = self.predictor.task, self.predictor.reader
        source = reader.readable(source) if reader else source
        sources, surveys = summarize_splits([(split, source)], task, self.config.cache_mb, training=False)
        check_labels(sources, surveys, task, self.assets)
        figures, evidence, _ = evaluate(self.predictor, sources[split])
        figures |= interval(self.recipe, self.config, evidence)
        written = reference and self.recipe.checks and self.recipe.checks(self.predictor, reference)
        return figures | ({"written": written} if written else {})

    def export(self, directory, overwrite=False):
        """Write a SavedModel that takes raw strings; see `seqtasks.engine.export.export`."""
        from seqtasks.engine.export import export

        return export(self.predictor, directory, overwrite)

    def report(self):
        """Write `report.html` into the run and return its path."""
        from seqtasks.report.page import write_report

        return write_report(self.directory)


def load_run(directory):
    """Open the run in a directory.

    Args:
        directory: as `seqtasks train --run` made it.

    Returns:
        A `Run`: `.predict([...])`, `.evaluate()`, `.export(directory)`, `.report()`, `.metrics`, `.model`.

    Raises:
        UserError: if it is no run.
    """
    return Run(directory)


def save_setup(directory, recipe_name, recipe_source, paths, config, assets):
    """Write `config.yaml` and `encoder/`, and the source of a recipe that was given by its path."""
    (directory / "encoder").mkdir(parents=True, exist_ok=True)
    (directory / "checkpoints").mkdir(exist_ok=True)
    for name, asset in assets.items():
        write_text(directory / "encoder" / f"{name}.txt", asset.text())
    fields = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}
    if recipe_source is not None:
        write_text(directory / "recipe.py", recipe_source)
        recipe_name = "recipe.py"
    given = {name: path for name, path in paths.items() if path is not None}
    text = yaml.safe_dump({"recipe": recipe_name, **given, **fields}, sort_keys=False, allow_unicode=True)
    write_text(directory / "config.yaml", text)
