"""Errors that the user can correct, in one line: what is wrong, where, and the remedy."""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterable

# those of ASCII and of Latin-1, and those that turn the direction of writing
_CODES = {*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {9, 10, 13}
_CONTROLS = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CODES}


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
        super().__init__(visible(" ".join(f"{where}{': ' * bool(where)}{what}{'; ' * bool(remedy)}{remedy}".split())))


def visible(text: str) -> str:
    r"""A text in which control characters are written as `\x1b`, so that a terminal shows them and obeys none.

    Args:
        text: what is shown; tabs and line ends stay.

    Example:
        >>> print(visible("a film\x1b[2J"))
        a film\x1b[2J
    """
    return text.translate(_CONTROLS)


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


def explain(error: Exception, known: list[str]) -> UserError:
    """The one line for a person from an error of `jsonargparse`.

    Args:
        error: a `jsonargparse.ArgumentError`.
        known: names of the options that exist, without hyphens.
    """
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
        kinds = " or ".join(
            dict.fromkeys(re.sub(r"<class '(\w+)'>", r"\1", e).replace("NoneType", "null") for e in expected)
        )
        kinds = re.sub(r"(?<= or )Literal\['(\w+)'\]", r"\1", kinds)
        got = value[1] if value else "the value"
        if choices := re.findall(r"'(\w+)'", kinds):
            return UserError(f"{got} is not a valid value", where=f"--{found[1]}", remedy=nearest(got, choices))
        return UserError(f"{got} is not {kinds or 'a valid value'}", where=f"--{found[1]}", remedy="see --help")
    return UserError(message.splitlines()[0] if message else "invalid options", remedy="see --help")
