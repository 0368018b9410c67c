"""Errors that the user can correct, in one line: what is wrong, where, and the remedy."""

import difflib
import importlib.util
import os
from collections.abc import Iterable


class UserError(Exception):
    """An error that the user can correct. The command line prints its text as one line and exits with status 2.

    Args:
        what: what is wrong.
        where: the file, line or option; the message starts with it.
        remedy: how to correct it; the message ends with it.

    Example:
        >>> str(UserError("no label", where="reviews.csv:7", remedy="give every line a text and a label"))
        'reviews.csv:7: no label; give every line a text and a label'
    """

    def __init__(self, what: str, where: "str | os.PathLike[str]" = "", remedy: str = "") -> None:
        super().__init__(" ".join(f"{where}{': ' if where else ''}{what}{'; ' if remedy else ''}{remedy}".split()))


def nearest(name: object, known: Iterable[object]) -> str:
    """The remedy for a misspelt name: the most similar valid name, or all of them.

    Args:
        name: the name that was given.
        known: the valid names.

    Example:
        >>> nearest("sentment", ["sentiment", "ner"])
        "did you mean 'sentiment'?"
        >>> nearest("x", ["sentiment", "ner"])
        'known are: sentiment, ner'
    """
    names = [str(valid) for valid in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(names)}"


def needs(package: str, extra: str) -> None:
    """Checks that an optional package is installed.

    Args:
        package: name of the module.
        extra: the extra of seqtasks that installs it.

    Raises:
        UserError: if it is not; the message names the extra.

    Example:
        >>> needs("no_such_package", extra="dna")
        Traceback (most recent call last):
        seqtasks.errors.UserError: the package no_such_package is missing; pip install 'seqtasks[dna]'
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f"the package {package} is missing", remedy=f"pip install 'seqtasks[{extra}]'")
