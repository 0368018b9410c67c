"""Which recipes in runs may be executed: a run that was received from elsewhere can bring any program as `recipe.py`.

A recipe is trusted if its text is that of a file that was trained on this machine, which is remembered by its SHA-256
in `$SEQTASKS_CACHE`, or else in `~/.cache/seqtasks`; or if the user says so, by `--trust` or `trust=True`.
"""

import contextlib
import contextvars
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtasks.errors import UserError
from seqtasks.recipe import Recipe, load_recipe

_given = contextvars.ContextVar("trust", default=False)


@contextlib.contextmanager
def trusting(given: bool = True) -> Iterator[None]:
    """A context in which the recipes of all runs that are opened are trusted, if `given`.

    Example:
        >>> with trusting():
        ...     is_trusting()
        True
        >>> is_trusting()
        False
    """
    token = _given.set(given or _given.get())
    try:
        yield
    finally:
        _given.reset(token)


def is_trusting() -> bool:
    """Whether the user has said that recipes of runs may be executed."""
    return _given.get()


def remember(source: str) -> None:
    """Trust runs with a recipe of this text from now on: the user has trained with it."""
    path = _place(source.encode())
    with contextlib.suppress(OSError):  # without such a folder, `--trust` is asked for
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def recipe_of(directory: Path, source: Any) -> tuple[Recipe[Any], str | None]:
    """The recipe that `config.yaml` of a run names, and its text if it is the one that was copied into the run.

    Args:
        directory: the run.
        source: what it names.

    Raises:
        UserError: if it is not trusted, or not a file of the run.
    """
    path = directory / "config.yaml"
    if not isinstance(source, str):
        raise UserError("names no recipe", where=path, remedy="copy the whole run again, or train a new one")
    if not source.endswith(".py"):
        return load_recipe(source), None
    if source != "recipe.py" or (directory / source).is_symlink():
        what = f"the recipe {source} is not a file of the run, so it is not executed"
        raise UserError(what, where=path, remedy="take only runs that `seqtasks train` made")
    recipe = directory / source
    if not is_trusting() and recipe.is_file() and not _place(recipe.read_bytes()).is_file():
        what = "a program that came with the run and would be executed; it was not trained with on this machine"
        raise UserError(what, where=recipe, remedy="read it, and add --trust (in Python trust=True) if you trust it")
    return load_recipe(recipe), recipe.read_text("utf-8")


def _place(source: bytes) -> Path:
    cache = Path(os.environ.get("SEQTASKS_CACHE", Path.home() / ".cache" / "seqtasks"))
    return cache / "trusted" / hashlib.sha256(source).hexdigest()
