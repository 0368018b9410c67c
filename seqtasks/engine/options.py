"""Options of a recipe from flags, YAML files and Python arguments, with their types checked in one place."""

import dataclasses
import re
import typing
from pathlib import Path

import jsonargparse
import yaml

from seqtasks.errors import UserError, nearest
from seqtasks.recipe import helps


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
        >>> from seqtasks.recipe import find
        >>> make_config(find("sentiment"), {"units": "many"})
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
