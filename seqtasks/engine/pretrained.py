"""Pretraining: a run that starts from the vocabulary, the embeddings and the recurrences of language models.

An option whose name begins with `pretrained` and whose value is a string names one run of a language model, two with a
comma between them, a forward and a backward one, or a folder that one command trained both in. The tokenizer and the
shape of their layers become the asset of that name. The recipe encodes its inputs with it, and builds the layers by
`seqtasks.models.pretrained_states`, whose names begin with that of the option; or it encodes its targets with it, and
builds a decoder with the cells of `seqtasks.models.pretrained_cells`. Then `fill` gives the layers the weights.
Fine-tuning keeps the asset, so the language model is needed only once.
"""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from seqtasks.engine.run import Run
from seqtasks.engine.run_folder import runs_in
from seqtasks.errors import UserError
from seqtasks.models.language_model import NAME
from seqtasks.models.pretrained import Network, take_over
from seqtasks.models.pretrained_decoder import decodes, take_over_decoder, taken_weights
from seqtasks.options import describe
from seqtasks.text.pretrained_encoder import PretrainedEncoder
from seqtasks.text.tokenizer import Tokenizer

log = logging.getLogger("seqtasks")
TOKENS = "tokens"  # asset of a language model
DIRECTIONS = "forward", "backward"


def options(config: Any) -> dict[str, str]:
    """The options that name language models, with their values.

    Example:
        >>> from seqtasks.recipe import load_recipe
        >>> options(load_recipe("sentiment").Config(pretrained="runs/lm", vectors="a.txt"))
        {'pretrained': 'runs/lm'}
    """
    named = {o.name: getattr(config, o.name) for o in describe(type(config)) if o.name.startswith("pretrained")}
    return {name: value for name, value in named.items() if isinstance(value, str)}


class Pretrained:
    """The language models that options name.

    Args:
        config: the options of a recipe.

    Attributes:
        assets: for each option the tokenizer and the shape of its language models.

    Raises:
        UserError: if a run is not that of a language model of tokens, or two do not fit together.
    """

    def __init__(self, config: Any) -> None:
        self.runs = {name: _runs(name, value) for name, value in options(config).items()}
        self.assets = {name: _encoder(name, runs) for name, runs in self.runs.items()}

    def fill(self, model: keras.Model) -> dict[str, Any]:
        """Gives the layers of a model the weights of the language models; what is recorded of it."""
        recorded: dict[str, Any] = {}
        for name, runs in self.runs.items():
            for run in runs:
                if decodes(model, name):
                    take_over_decoder(model, run.model)
                else:
                    take_over(model, run.model, direction_of(run), name)
                log.info("%s: taken over from %s", name, run.directory)
            recorded[name] = [{"path": str(run.directory), "sha256": run.sha256()} for run in runs]
        return recorded

    def check_kept(self, kept: Mapping[str, Any]) -> None:
        """Raise `UserError` if a run that is fine-tuned was trained with other language models.

        Args:
            kept: what `inherited_assets` returns for it.
        """
        for name, asset in self.assets.items():
            if name not in kept or kept[name].text() != asset.text():
                what, remedy = "the run was trained with other tokens", "leave the option out, or train a new run"
                raise UserError(what, where=f"--{name}", remedy=remedy)


def check_used(config: Any, model: keras.Model, assets: Mapping[str, Any]) -> None:
    """Raise `UserError` if the loss of a language model is asked for where none reads the inputs."""
    names = [name for name, asset in assets.items() if isinstance(asset, PretrainedEncoder)]
    if getattr(config, "auxiliary", 0) and all(decodes(model, name) for name in names):
        what = "a decoder has the loss of the task alone" if names else "there is no language model"
        remedy = "name one of the inputs with --pretrained, or leave the option out"
        raise UserError(what, where="--auxiliary", remedy=remedy)


def limit_rates(model: keras.Model, config: Any, assets: Mapping[str, Any]) -> None:
    """Gives the layers of language models their share of the learning rate, or freezes them if it is 0."""
    rate = getattr(config, "pretrained_rate", 1.0)
    names = [name for name, asset in assets.items() if isinstance(asset, PretrainedEncoder)]
    for name in (name for name in names if decodes(model, name)):
        for layer, weights in taken_weights(model, assets[name].networks[0]):
            for variable in weights:
                variable.trainable = rate > 0
            layer.learning_rates = {variable.path: rate for variable in weights}
    for layer in model.layers:
        if layer.weights and any(layer.name.startswith(f"{name}_{d}_") for name in names for d in DIRECTIONS):
            if rate == 0:
                layer.trainable = False
            layer.learning_rates = {variable.name: rate for variable in layer.weights}


def inherited_assets(base: Run) -> dict[str, Any]:
    """The assets of the language models that a run was pretrained with."""
    return {name: asset for name, asset in base.assets.items() if isinstance(asset, PretrainedEncoder)}


def as_trained(config: Any, kept: Mapping[str, Any]) -> Any:
    """The options by which a run that is fine-tuned learns vocabularies: its language models have theirs.

    Args:
        config: options of the new run.
        kept: what `inherited_assets` returns for the run.
    """
    return dataclasses.replace(config, **dict.fromkeys(kept, "kept")) if kept else config


def direction_of(run: Run) -> str:
    """The direction in which a language model reads."""
    return str(getattr(run.config, "direction", "forward"))


def _runs(name: str, value: str) -> list[Run]:
    paths = [Path(part.strip()) for part in value.split(",")]
    runs = [Run(run) for path in paths for run in [path / name for name in runs_in(path)] or [path]]
    for run in runs:
        if not isinstance(run.assets.get(TOKENS), Tokenizer) or run.model.name != NAME:
            what = f"a run of {run.recipe.name} is not a language model of tokens"
            raise UserError(what, where=f"--{name} {run.directory}", remedy="give the run of a language model")
    directions = [direction_of(run) for run in runs]
    if len(set(directions)) < len(directions):
        what, remedy = f"two {directions[0]} models", "give one, or a forward and a backward one"
        raise UserError(what, where=f"--{name}", remedy=remedy)
    return runs


def _encoder(name: str, runs: list[Run]) -> PretrainedEncoder:
    tokenizers = [run.assets[TOKENS] for run in runs]
    for run, tokenizer in zip(runs[1:], tokenizers[1:], strict=True):
        if tokenizer.text() != tokenizers[0].text():
            what = f"its tokens are not those of {runs[0].directory}"
            remedy = "train both directions on the same data, with the same options"
            raise UserError(what, where=f"--{name} {run.directory}", remedy=remedy)
    return PretrainedEncoder(tokenizers[0], [Network.of(run.model, direction_of(run)) for run in runs])
