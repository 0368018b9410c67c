"""Options of models that generate sequences."""

import dataclasses
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from seqtasks.errors import UserError
from seqtasks.options import Count, Declared, Size, describe, option

MAX_INT = 2**31 - 1  # the largest int32


@dataclasses.dataclass(frozen=True)
class GenerationOptions(Declared):
    """How sequences are generated.

    Raises:
        UserError: if a number is out of its range.

    Example:
        >>> GenerationOptions(top_p=1.5)
        Traceback (most recent call last):
        seqtasks.errors.UserError: --top_p: 1.5 is out of range; give a number above 0 and at most 1
    """

    num: Count = option(1, "number of sequences", "answering")
    length: Annotated[int, Ge(1), Le(MAX_INT)] = option(200, "tokens or steps of each sequence, at most", "answering")
    temperature: Annotated[float, Ge(0), Le(MAX_INT)] = option(
        1.0,
        "divisor of the logits: less than 1 for more probable sequences; 0 for the most probable token",
        "answering",
    )
    top_k: Annotated[int, Ge(0), Le(MAX_INT)] = option(
        0, "sample from the k most probable tokens; 0 for all", "answering"
    )
    top_p: Annotated[float, Gt(0), Le(1)] = option(
        1.0, "sample from the most probable tokens that together have this probability", "answering"
    )
    seed: Annotated[int, Ge(0), Le(MAX_INT)] = option(0, "seed of the random numbers", "answering")
    prompt: str = option(
        "",
        "what each sequence begins with, or ends with if the model reads backward: a text, or a path where inputs are "
        "files",
        "answering",
    )
    top_logprobs: Size = option(
        0,
        "number of most probable tokens that are reported for each step, next to the one that was sampled",
        "answering",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed > MAX_INT - self.num:  # each sequence has its own seed
            raise UserError(f"{self.seed} is out of range", where="--seed", remedy=f"give at most {MAX_INT - self.num}")


def check_in_graph(**given: Any) -> None:
    """Checks options that an exported model is called with; NaN is out of each range.

    Args:
        given: tensors () by the names of `GenerationOptions`.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs with a number that is out of its range.

    Example:
        >>> import tensorflow as tf
        >>> check_in_graph(temperature=tf.constant(float("nan")))
        Traceback (most recent call last):
        tensorflow.python.framework.errors_impl.InvalidArgumentError: ...temperature is out of range; give a number ...
    """
    import tensorflow as tf

    for declared in describe(GenerationOptions):
        if declared.name in given:
            remedy = f"give a number {'of ' * declared.limits.startswith('at')}{declared.limits}"
            for within in declared.within(given[declared.name]):
                tf.debugging.Assert(within, [f"{declared.name} is out of range; {remedy}", given[declared.name]])
