"""The length of a training: how options with the value `auto` become numbers, by the size of the data.

A network learns by steps. Small data has few steps in an epoch, so it needs small batches and many epochs; large data
needs few. A recipe declares a `Budget`, and the engine makes numbers of it when the data has been read.
"""

import dataclasses
import math
from typing import Any, TypeVar

ConfigT = TypeVar("ConfigT")
AUTO = ("epochs", "batch_size", "patience", "evaluate_every", "warmup")  # options whose numbers follow from the data
STEPS_PER_EPOCH = 32  # at least, between the bounds of the batch size
EVALUATIONS = 20  # of a training of many epochs, at least
STEPS_BETWEEN = 20  # steps between two evaluations, at least
WARMUP_STEPS = 20  # over which the learning rate rises, at least,
WARMUP = (0.05, 0.1)  # between these shares of all steps
PATIENT = 1 / 4  # share of a budget's steps that training waits for a better metric, at least


@dataclasses.dataclass(frozen=True)
class Budget:
    """What the length of a recipe's training depends on, apart from the size of its data.

    Args:
        steps: training steps that small data needs.
        epochs: least and largest number of epochs.
        batch_size: least and largest number of examples in a batch.
        patience: evaluations without a better validation metric before training stops, at least.

    Example:
        >>> Budget(steps=600, batch_size=(8, 64)).rows(50), Budget(steps=600, batch_size=(8, 64)).rows(25_000)
        (8, 64)
    """

    steps: int = 1000
    epochs: tuple[int, int] = (5, 500)
    batch_size: tuple[int, int] = (8, 32)
    patience: int = 3

    def rows(self, examples: int | None, replicas: int = 1) -> int:
        """The batch size: the largest power of two that gives an epoch 32 steps, between the bounds.

        Args:
            examples: of the training split; None for running text, which has no examples: the largest size.
            replicas: the size is a multiple of it.
        """
        low, high = self.batch_size
        rows = high if examples is None else 2 ** int(math.log2(max(1.0, examples / STEPS_PER_EPOCH)))
        return -(-min(max(rows, low), high) // replicas) * replicas


def with_batch_size(config: ConfigT, budget: Budget, examples: int | None, replicas: int = 1) -> ConfigT:
    """The options with a number for `batch_size`.

    Args:
        config: the options.
        budget: of the recipe.
        examples, replicas: as of `Budget.rows`.

    Example:
        >>> from seqtasks.options import Options
        >>> [with_batch_size(given, Budget(), 1000).batch_size for given in (Options(), Options(batch_size=5))]
        [16, 5]
    """
    return _with_numbers(config, {"batch_size": budget.rows(examples, replicas)})


def with_length(config: ConfigT, budget: Budget, steps: int, train: int, validation: int) -> ConfigT:
    """The options with numbers for `epochs`, `evaluate_every`, `patience` and `warmup`.

    - `epochs`: as many as the steps of the budget need, between its bounds.
    - `evaluate_every`: so many that there are 20 steps between two evaluations, and that no more examples are evaluated
      than trained; but no more than a twentieth of the epochs.
    - `patience`: as many evaluations as fit into a quarter of the budget's steps, at least those of the budget.
    - `warmup`: 20 steps, between 5 and 10 % of all; 10 % of a slanted schedule.

    What is a number already stays as it is, and the others follow from it.

    Args:
        config: the options.
        budget: of the recipe.
        steps: steps of an epoch.
        train, validation: examples of the splits.

    Example:
        >>> from seqtasks.options import Options
        >>> found = with_length(Options(), Budget(steps=1000), steps=4, train=32, validation=4)
        >>> found.epochs, found.evaluate_every, found.patience, found.warmup
        (250, 5, 13, 0.05)
        >>> with_length(Options(epochs=6), Budget(steps=1000), steps=4, train=32, validation=4).evaluate_every
        1
    """
    low, high = budget.epochs
    config = _with_numbers(config, {"epochs": min(max(-(-budget.steps // steps), low), high)})
    epochs: int = config.epochs  # type: ignore[attr-defined]
    wanted = math.ceil(max(STEPS_BETWEEN / steps, validation / train))
    config = _with_numbers(config, {"evaluate_every": max(1, min(wanted, epochs // EVALUATIONS))})
    between = steps * config.evaluate_every  # type: ignore[attr-defined]
    return _with_numbers(config, {
        "patience": max(budget.patience, math.ceil(PATIENT * budget.steps / between)),
        "warmup": WARMUP[1]
        if getattr(config, "schedule", "") == "slanted"
        else round(min(max(WARMUP_STEPS / (epochs * steps), WARMUP[0]), WARMUP[1]), 3),
    })  # fmt: skip


def _with_numbers(config: Any, numbers: dict[str, float]) -> Any:
    return dataclasses.replace(config, **{n: value for n, value in numbers.items() if getattr(config, n) == "auto"})
