"""The length of a training by the size of the data: batch size, epochs, evaluations, patience and warm-up."""

import dataclasses

import pytest

from seqtasks.budget import AUTO, Budget, with_batch_size, with_length
from seqtasks.options import Options
from seqtasks.recipe import list_recipes, load_recipe

BUDGET = Budget(steps=600, epochs=(2, 100), batch_size=(8, 64), patience=3)


def numbers(examples, validation, budget=BUDGET, **given):
    """(batch size, epochs, epochs between evaluations, patience, warm-up)."""
    config = with_batch_size(Options(**given), budget, examples)
    steps = -(-examples // config.batch_size)
    config = with_length(config, budget, steps, examples, validation)
    return config.batch_size, config.epochs, config.evaluate_every, config.patience, config.warmup


@pytest.mark.parametrize(
    ("examples", "validation", "expected"),
    [
        (1, 1, (8, 100, 5, 30, 0.1)),
        (40, 5, (8, 100, 4, 8, 0.05)),
        (500, 60, (8, 10, 1, 3, 0.05)),
        (2_047, 250, (32, 10, 1, 3, 0.05)),
        (2_048, 250, (64, 19, 1, 5, 0.05)),
        (7_000, 900, (64, 6, 1, 3, 0.05)),
        (25_000, 2_500, (64, 2, 1, 3, 0.05)),
        (1_000_000, 9_000, (64, 2, 1, 3, 0.05)),
    ],
)
def test_small_data_has_small_batches_and_many_epochs(examples, validation, expected):
    assert numbers(examples, validation) == expected


def test_a_large_validation_split_is_evaluated_less_often():
    assert numbers(50, 1_000)[1:4] == (86, 4, 6)  # a twentieth of the epochs
    assert numbers(500, 1_000, dataclasses.replace(BUDGET, epochs=(60, 100)))[2] == 2


def test_what_is_given_stays_and_the_others_follow():
    assert numbers(40, 5, epochs=6) == (8, 6, 1, 30, 0.1)
    assert numbers(40, 5, batch_size=2)[:2] == (2, 30)
    given = {"epochs": 7, "batch_size": 3, "patience": 0, "evaluate_every": 2, "warmup": 0.0}
    assert numbers(1_000, 100, **given) == (3, 7, 2, 0, 0.0)


def test_a_batch_divides_among_devices_and_running_text_has_the_largest():
    assert [BUDGET.rows(examples, replicas=3) for examples in (10, 10_000)] == [9, 66]
    assert BUDGET.rows(None) == 64


@pytest.mark.parametrize("name", sorted(list_recipes()))
def test_every_recipe_follows_its_data(name):
    recipe = load_recipe(name)
    config, budget = recipe.Config(), recipe.budget(recipe.Config())
    assert {getattr(config, option) for option in AUTO} == {"auto"}
    assert budget.epochs[0] < budget.epochs[1] and budget.batch_size[0] <= budget.batch_size[1]
