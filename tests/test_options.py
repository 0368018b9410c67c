"""Options that know themselves: types, bounds, groups, help and errors from one declaration."""

import dataclasses
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le

from seqtasks.budget import AUTO
from seqtasks.errors import UserError
from seqtasks.options import (
    Count,
    Declared,
    Options,
    Positive,
    Rate,
    describe,
    for_validation,
    make_options,
    option,
)  # fmt: skip
from seqtasks.recipe import list_recipes, load_recipe
from seqtasks.yaml_files import read_yaml


@dataclasses.dataclass(frozen=True)
class Config(Options):
    """Options of a test."""

    units: Count = option(64, "size of the state")
    rate: Rate | None = option(None, "a rate", "training")
    channels: list[Count] = option((16, 32), "channels")
    kind: Literal["lstm", "gru"] = option("lstm", "the cell")
    beam_width: Annotated[int, Ge(1), Le(9)] = option(5, "hypotheses", "answering", validation=1)
    limit: Positive = option(2.0, "a limit", "data", changeable=True)
    vectors: str | None = option(None, "vectors", "data", inherited=False)
    fast: bool = option(False, "faster")


def known(name):
    return next(o for o in describe(Config) if o.name == name)


@pytest.mark.parametrize(
    ("name", "type_", "limits"),
    [
        ("units", "int", "at least 1"),
        ("rate", "float or null", "at least 0 and below 1"),
        ("channels", "list of int", "at least 1"),
        ("kind", "lstm | gru", ""),
        ("beam_width", "int", "at least 1 and at most 9"),
        ("limit", "float", "above 0"),
    ],
)
def test_type_and_bounds_in_words(name, type_, limits):
    assert (known(name).type, known(name).limits) == (type_, limits)


def test_groups_and_time_of_validity():
    assert [o.name for o in describe(Config) if o.changeable] == ["encoding", "delimiter", "beam_width", "limit"]
    assert {o.name for o in describe(Config) if not o.inherited} == {
        *AUTO,
        "freeze",
        "rate_decay",
        "strategy",
        "tpu",
        "unfreeze_every",
        "vectors",
    }
    assert known("units").group == "model" and known("beam_width").group == "answering"
    assert known("beam_width").full_help == "hypotheses (at least 1 and at most 9)"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": 0}, "--units: 0 is out of range; give a number of at least 1"),
        ({"rate": 1.0}, "--rate: 1.0 is out of range; give a number of at least 0 and below 1"),
        ({"rate": float("nan")}, "--rate: nan is out of range; give a number of at least 0 and below 1"),
        ({"channels": [8, 0]}, "--channels: 0 is out of range; give a number of at least 1"),
        ({"limit": 0}, "--limit: 0.0 is out of range; give a number above 0"),
        ({"beam_width": 10}, "--beam_width: 10 is out of range; give a number of at least 1 and at most 9"),
        ({"units": "many"}, "--units: many is not int; see --help"),
        ({"units": 1.5}, "--units: 1.5 is not int; see --help"),
        ({"epochs": 1.5}, "--epochs: 1.5 is not int or auto; see --help"),
        ({"patience": -1}, "--patience: -1 is out of range; give a number of at least 0"),
        ({"kind": "lstn"}, "--kind: lstn is not a valid value; did you mean 'lstm'?"),
        ({"fast": "maybe"}, "--fast: maybe is not bool; see --help"),
        ({"rate": "high"}, "--rate: high is not float or null; see --help"),
        ({"unts": 3}, "unknown option --unts; did you mean '--units'?"),
    ],
)
def test_each_kind_of_error_is_one_line(fields, message):
    with pytest.raises(UserError) as error:
        make_options(Config, fields)
    assert str(error.value) == message


def test_texts_become_values():
    made = make_options(Config, {"units": "8", "rate": "0.5", "fast": "true", "limit": 3, "channels": [1, 2]})
    assert (made.units, made.rate, made.fast, made.limit, list(made.channels)) == (8, 0.5, True, 3.0, [1, 2])


def test_bounds_hold_in_python_too():
    with pytest.raises(UserError, match="--units: -1 is out of range"):
        Config(units=-1)


def test_validation_uses_the_quick_values():
    config = Config(beam_width=7, units=3)
    quick = for_validation(config)
    assert (quick.beam_width, quick.units, config.beam_width) == (1, 3, 7)
    assert for_validation(Options(seed=1)) == Options(seed=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [("units: [", "c.yaml:2: not YAML; write one"), ("- 1", "c.yaml: not a mapping; write one")],
)
def test_a_file_that_is_no_mapping_is_refused(content, message, tmp_path):
    (tmp_path / "c.yaml").write_text(content + "\n")
    with pytest.raises(UserError, match=message):
        read_yaml(tmp_path / "c.yaml")
    with pytest.raises(UserError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", sorted(list_recipes()))
def test_every_option_of_every_recipe_is_declared(name):
    recipe = load_recipe(name)
    for declared in describe(recipe.Config):
        assert declared.help and not declared.help.endswith("."), declared
        assert declared.group in ("data", "model", "training", "answering")
        declared.check(declared.default)
    for command in recipe.commands():
        assert all(o.help for o in describe(command.Options))
    assert issubclass(recipe.Config, Declared)
