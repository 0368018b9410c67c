"""Which task a target of a whole sequence is."""

from collections.abc import Sequence
from typing import Any, Literal

from seqtasks.errors import UserError
from seqtasks.tasks.classification import Classification, UndecidedTarget
from seqtasks.tasks.multi_label import MultiLabel
from seqtasks.tasks.ordinal import Ordinal
from seqtasks.tasks.regression import Regression

SequenceTask = Classification | MultiLabel | Regression


def sequence_task(
    target: Literal["auto", "class", "labels", "ordinal", "number"] = "auto",
    class_weights: Literal["none", "balanced"] = "none",
    separator: str | None = None,
    order: Sequence[str] = (),
) -> SequenceTask:
    """The task of one target per sequence.

    Args:
        target: what a label is; `auto` is `labels` with a separator, else decided by the data.
        class_weights: whether rare classes count as much as frequent ones.
        separator: what separates several labels.
        order: the labels of `ordinal` from the lowest to the highest.

    Raises:
        UserError: if an option has no effect on this target.

    Example:
        >>> type(sequence_task("number")).__name__, type(sequence_task(separator=";")).__name__
        ('Regression', 'MultiLabel')
    """
    target = "labels" if target == "auto" and separator else target
    given: list[tuple[str, Any, str]] = [("label_separator", separator, "labels"), ("label_order", order, "ordinal")]
    for option, value, needed in given:
        if value and target != needed:
            raise UserError(f"has no effect on --target {target}", where=f"--{option}", remedy=f"add --target {needed}")
    if target == "labels":
        return MultiLabel(class_weights, separator)
    if target == "ordinal":
        return Ordinal(class_weights, order)
    if target == "number":
        if class_weights != "none":
            raise UserError("has no effect on --target number", where="--class_weights", remedy="leave it out")
        return Regression()
    return Classification(class_weights) if target == "class" else UndecidedTarget(class_weights)
