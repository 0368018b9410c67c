"""Labels as text. Several labels of one example are one string too: the ASCII unit separator stands before each."""

import ast
import json
from collections.abc import Iterable
from typing import Any

from seqtasks.data.text_files import replace_surrogates
from seqtasks.data.values import missing
from seqtasks.errors import UserError

MARK = "\x1f"


def join_labels(labels: Iterable[str]) -> str:
    """The target of several labels: each once, sorted, with the unit separator before it; of none the separator alone.

    Example:
        >>> join_labels(["b", " a ", "b"]), join_labels([])
        ('\\x1fa\\x1fb', '\\x1f')
    """
    kept = sorted({label for one in labels if (label := one.strip())})
    return MARK + MARK.join(kept)


def is_several(target: str) -> bool:
    """Whether a target was made by `join_labels`."""
    return target.startswith(MARK)


def split_labels(target: str) -> tuple[str, ...]:
    """The labels of a target, which may be a single one.

    Example:
        >>> split_labels("good"), split_labels(join_labels(["b", "a"])), split_labels(join_labels([]))
        (('good',), ('a', 'b'), ())
    """
    if not is_several(target):
        return (target,)
    return tuple(target[1:].split(MARK)) if len(target) > 1 else ()


def in_words(target: str) -> str:
    """A target as messages show it.

    Example:
        >>> in_words("good"), in_words(join_labels(["b", "a"])), in_words(join_labels([]))
        ('good', 'a, b', 'no label')
    """
    return ", ".join(split_labels(target)) or "no label"


def list_in_text(text: str) -> list[object] | None:
    """The list that a text writes in JSON, or in Python as pandas does; None if it writes none.

    Example:
        >>> list_in_text('["a", "b"]'), list_in_text("['a']"), list_in_text("[sic]"), list_in_text("a")
        (['a', 'b'], ['a'], None, None)
    """
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    return None


def label_text(value: Any, where: str = "") -> str:
    """A label as text, without white space around it; empty if it is missing.

    Args:
        value: as it was read.
        where: the place of the record, for the message.

    Raises:
        UserError: if it is a list or a mapping.

    Example:
        >>> label_text(" good "), label_text(5), label_text(float("nan")), label_text(True)
        ('good', '5', '', 'true')
    """
    if type(value) is not str and hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # of NumPy
        value = value.item()
    if missing(value):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return replace_surrogates(str(value)).strip()
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    what = f"{value!r:.60} is not one label" if isinstance(value, list | tuple) else f"{value!r:.60} is not a label"
    raise UserError(what, where=where, remedy="give each record one name or number")


def labels_text(value: Any, where: str = "") -> str:
    """A label as text, or a list of labels as `join_labels` writes it.

    Args:
        value: as it was read.
        where: the place of the record, for the message.

    Raises:
        UserError: if a label is a mapping, or a list in a list.

    Example:
        >>> labels_text(["b", "a"]), labels_text('["b", "a"]'), labels_text([]), labels_text(5)
        ('\\x1fa\\x1fb', '\\x1fa\\x1fb', '\\x1f', '5')
    """
    if getattr(value, "ndim", 0) == 1:  # of NumPy
        value = value.tolist()
    if isinstance(value, str) and (found := list_in_text(value.strip())) is not None:
        value = found
    if isinstance(value, list | tuple | set | frozenset):
        return join_labels(label_text(one, where) for one in value)
    return label_text(value, where)
