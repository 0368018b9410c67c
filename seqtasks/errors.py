"""Mistakes of the user, told in one line: what is wrong, where, and what would be right."""

import difflib
import importlib.util


class UserError(Exception):
    """What a person can put right. The command line prints its text as one line and exits with status 2.

    Args:
        what: what was wrong.
        where: the file, line or option, named first.
        remedy: what would be right.

    Example:
        >>> str(UserError("no label", where="reviews.csv:7", remedy="give every line a text and a label"))
        'reviews.csv:7: no label; give every line a text and a label'
    """

    def __init__(self, what, where="", remedy=""):
        super().__init__(" ".join(f"{where}{': ' if where else ''}{what}{'; ' if remedy else ''}{remedy}".split()))


def nearest(name, known):
    """The remedy for a misspelt name: the nearest known one, or all of them.

    Example:
        >>> nearest("sentment", ["sentiment", "ner"])
        "did you mean 'sentiment'?"
        >>> nearest("x", ["sentiment", "ner"])
        'known are: sentiment, ner'
    """
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"


def needs(package, extra):
    """Say what to install where an optional package is missing.

    Args:
        package: name of the module.
        extra: the extra of seqtasks that brings it.

    Example:
        >>> needs("no_such_package", extra="dna")
        Traceback (most recent call last):
        seqtasks.errors.UserError: the package no_such_package is missing; pip install 'seqtasks[dna]'
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f"the package {package} is missing", remedy=f"pip install 'seqtasks[{extra}]'")
