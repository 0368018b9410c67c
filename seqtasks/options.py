"""Options of a recipe: what all share, and how flags, YAML files and Python arguments become a checked `Config`."""

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Literal

import jsonargparse
import yaml

from seqtasks.errors import UserError, nearest

Cell = Literal[  # the names of `seqtasks.cells.CELLS`, which options know without importing TensorFlow
    "simple_rnn", "simplified_gru", "gru", "lstm", "peephole_lstm", "coupled_lstm",
    "layer_norm_simple_rnn", "layer_norm_gru", "layer_norm_lstm", "nas", "echo_state",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options:
    """What every recipe can be told, under one name everywhere. A recipe's `Config` inherits it and adds its own."""

    seed: int = 0  # of weights, shuffling, dropout and bootstrap
    epochs: int = 10  # passes over the training data, at most
    batch_size: int = 32  # examples of a step
    batch_by: Literal["examples", "tokens"] = "examples"  # tokens: about as many of them a step, batch_size on average
    learning_rate: float = 1e-3  # its largest value
    schedule: Literal["constant", "linear", "cosine"] = "cosine"  # how it falls over all epochs
    warmup: float = 0.05  # share of the steps over which it first rises
    weight_decay: float = 0.0  # decoupled, of all weights but biases
    clip_norm: float | None = 1.0  # bound of the gradients; null for none
    clip_by: Literal["global_norm", "norm", "value"] = "global_norm"  # what it bounds: all, each weight's, each element
    epsilon: float = 1e-7  # of Adam, beside the root of the mean square of a gradient
    average: float = 0.99  # momentum of the moving average of the weights that is kept; 0 for none
    patience: int = 3  # epochs without a better validation metric before training stops
    keep: Literal["best", "last"] = "best"  # the epoch whose weights are kept: best by validation, or the last of all
    metric: str = ""  # the validation metric that chooses the best epoch; empty for the recipe's own
    time_limit: float | None = None  # seconds after which training stops cleanly
    strategy: str = "auto"  # devices: auto, cpu, gpu (the first) or mirrored (all)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"  # of the arithmetic
    jit: bool = False  # compile the whole training step with XLA: faster steps, a compilation per padded length
    shuffle_buffer: int = 20_000  # examples held for shuffling
    cache_mb: int = 256  # data up to this size is held in memory, larger data is read anew each epoch
    checkpoint_steps: int = 500  # steps between two checkpoints (each epoch ends with one too)


def rnn_options(config):
    """The arguments of `seqtasks.layers.recurrent_stack` from the options that recipes with one share.

    Example:
        >>> from seqtasks.recipe import load_recipe
        >>> rnn_options(load_recipe("ner").Config())["units"]
        100
    """
    names = ("cell", "units", "layers", "bidirectional", "residual", "recurrent_dropout", "zoneout")
    return {"dropout": config.output_dropout, **{name: getattr(config, name) for name in names}}


def helps(config_class):
    """The comment behind each field of a `Config`, which is its help: {field: comment}.

    Example:
        >>> helps(Options)["batch_size"]
        'examples of a step'
    """
    found = {}
    for parent in reversed(config_class.__mro__[:-1]):
        for line in inspect.getsource(parent).splitlines():
            if match := re.match(r"    (\w+): .*?  # (.*)", line):
                found[match[1]] = match[2]
    return found


def parser(recipe, prog, data=True):
    """The argument parser of a recipe: `--data` and its kin, and a flag for each field of its `Config`."""
    made = jsonargparse.ArgumentParser(prog=prog, description=recipe.summary, exit_on_error=False, allow_abbrev=False)
    if data:
        texts = {
            "data": "file, folder or tfds:NAME; without it the built-in sample",
            "train": "file or folder with the training split",
            "valid": "file or folder with the validation split",
            "test": "file or folder with the test split",
        }
        for name, text in texts.items():
            made.add_argument(f"--{name}", type=str | None, default=None, help=text)
    types, texts = typing.get_type_hints(recipe.Config), helps(recipe.Config)
    for field in dataclasses.fields(recipe.Config):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        flag = {"nargs": "?", "const": True} if types[field.name] is bool else {}  # --repair is --repair true
        help_text = texts.get(field.name, "")
        made.add_argument(f"--{field.name}", type=types[field.name], default=default, help=help_text, **flag)
    return made


def known_fields(recipe):
    return [field.name for field in dataclasses.fields(recipe.Config)]


def explain(error, known):
    """The one line for a person from a message of the parser."""
    message = str(error)
    if found := re.search(r"unrecognized arguments: (\S+)", message) or re.search(r"Option '(\S+?)'", message):
        name = found[1].split("=")[0]
        if not name.startswith("-") and "unrecognized" in message:
            return UserError(f"unexpected {name!r}", remedy="options start with --; put values with spaces in quotes")
        bare = name.lstrip("-")
        return UserError(f"unknown option --{bare}", remedy=nearest(f"--{bare}", [f"--{k}" for k in known]))
    if found := re.search(r"Parser key \"(\w+)\":(.*)", message, re.S):
        expected = re.findall(r"Expected an? (?:typing\.)?(.+?)(?:\. Got|$)", found[2], re.M)
        value = re.search(r"(?:Got value|Given value): (.*)", found[2])
        kinds = [re.sub(r"<class '(\w+)'>", r"\1", e).replace("NoneType", "null") for e in expected]
        kinds = " or ".join(dict.fromkeys(kinds))
        got = value[1] if value else "something else"
        if choices := re.findall(r"'(\w+)'", kinds):
            return UserError(f"{got} is none of its values", where=f"--{found[1]}", remedy=nearest(got, choices))
        return UserError(f"{got} is not {kinds or 'a value it takes'}", where=f"--{found[1]}", remedy="see --help")
    return UserError(message.splitlines()[0] if message else "bad options", remedy="see --help")


def read_config(path):
    """The mapping in a YAML file, a run's `config.yaml` for one."""
    try:
        values = yaml.safe_load(Path(path).read_text("utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError("no such file", where=path, remedy="give a YAML file to --config") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise UserError("not YAML", where=f"{path}:{line}", remedy="write one `name: value` on each line") from None
    if not isinstance(values, dict):
        raise UserError("not a mapping", where=path, remedy="write one `name: value` on each line")
    return values


def make_config(recipe, fields):
    """A `Config` of the recipe from a mapping; unknown names and wrong types are told in one line.

    Example:
        >>> from seqtasks.recipe import load_recipe
        >>> make_config(load_recipe("sentiment"), {"units": "many"})
        Traceback (most recent call last):
        seqtasks.errors.UserError: --units: many is not int; see --help
    """
    try:
        parsed = parser(recipe, recipe.name, data=False).parse_object(dict(fields))
    except jsonargparse.ArgumentError as error:
        raise explain(error, known_fields(recipe)) from None
    return checked(recipe.Config(**parsed.as_dict()))


LIMITS = {
    "epochs": 1,
    "batch_size": 1,
    "units": 1,
    "layers": 1,
    "dimension": 1,
    "max_length": 1,
    "max_vocabulary": 3,
    "min_count": 1,
    "shuffle_buffer": 1,
    "checkpoint_steps": 1,
    "patience": 0,
    "seed": 0,
    "members": 1,
    "k": 1,
    "width": 1,
    "filters": 0,
    "positions": 0,
    "pool": 1,
    "window": 0,
    "decoder_layers": 1,
    "vocabulary_size": 5,
    "max_characters": 1,
    "max_ratio": 1,
    "beam_width": 1,
    "n_best": 1,
    "length_penalty": 0,
    "coverage_penalty": 0,
    "no_repeat_ngram": 0,
    "segment": 1,
    "hidden": 1,
    "transpose": 0,
    "frames": 1,
    "size": 1,
    "grid": 1,
    "vector": 1,
    "sample_rate": 1000,
    "mels": 1,
    "stride": 1,
    "masks": 0,
}
RATES = (
    "dropout", "embedding_dropout", "output_dropout", "recurrent_dropout", "zoneout", "unknown_rate", "drop_rate",
    "average", "warmup", "substitution", "convolution_dropout", "label_smoothing", "scheduled_sampling",
    "stretch", "image_dropout", "flow_dropout", "speed", "shift", "zoom", "brightness",
)  # fmt: skip


def checked(config):
    """The config itself, where its numbers make sense."""
    for name, least in LIMITS.items():
        value = getattr(config, name, None)
        if value is not None and value < least:
            raise UserError(f"{value} is too small", where=f"--{name}", remedy=f"take at least {least}")
    for name in RATES:
        if not 0 <= getattr(config, name, 0) < 1:
            raise UserError(f"{getattr(config, name)} is no rate", where=f"--{name}", remedy="take 0 <= rate < 1")
    if getattr(config, "n_best", 1) > getattr(config, "beam_width", 1):
        what = f"{config.n_best} of a beam of {config.beam_width}"
        raise UserError(what, where="--n_best", remedy="take at most --beam_width")
    for name in ("learning_rate", "epsilon", "step"):
        if not getattr(config, name, 1) > 0:
            raise UserError(f"{getattr(config, name)} is too small", where=f"--{name}", remedy="take a number above 0")
    return config
