"""What is shown while something takes long: stages that count, as bars on a terminal and as lines of the log elsewhere.

Any part of the engine opens a `stage` and advances it. Nothing is shown until `shown` is entered: the command line
does so, and `train`, `finetune`, `predict` and `evaluate` do so where a person sits before a terminal or a notebook.
Everything goes to standard error, because standard output carries results.
"""

import contextlib
import dataclasses
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from seqtasks.engine.displays import Bars, Display, Lines, Notebook, Stage

log = logging.getLogger("seqtasks")

Item = TypeVar("Item")
SourceType = TypeVar("SourceType")


_display: Display | None = None


@contextlib.contextmanager
def shown(quiet: bool = False, always: bool = False) -> Iterator[None]:
    """Show the stages that are opened inside, and the lines of the log. Inside another `shown` it changes nothing.

    Args:
        quiet: show nothing but errors.
        always: whether stages are lines of the log where standard error is no terminal; otherwise nothing is shown
            there.
    """
    global _display
    if _display is not None and not quiet:
        yield
        return
    before, level, handler = _display, log.level, None
    _display = Display() if quiet else _chosen(always)
    if quiet:
        log.setLevel(logging.ERROR)
    elif _display and not log.hasHandlers():
        handler = Handler()
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _display = before
        log.setLevel(level)
        if handler:
            log.removeHandler(handler)


def _chosen(always: bool) -> Display | None:
    """The display that fits where the program runs; None if nobody is looking."""
    if sys.stderr and sys.stderr.isatty():
        return Bars()
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and type(shell).__name__ == "ZMQInteractiveShell":
        return Notebook()
    return Lines() if always else None


@contextlib.contextmanager
def stage(
    name: str, total: int | None = None, unit: str = "examples",
    describe: Callable[[], tuple[str, str]] | None = None, done: int = 0,
) -> Iterator[Stage]:  # fmt: skip
    """A stage, which is called with the number of units that were done since the last call.

    Args:
        name: what is done, such as `reading`.
        total: units of the whole; None if unknown.
        unit: what is counted.
        describe: None, or a function that returns how far it is and how fast, in words.
        done: units that were done before.

    Example:
        >>> with stage("reading", total=2) as advance:
        ...     advance()
        ...     advance()
    """
    display = _display
    opened = Stage(name, total, unit, describe, done, display)
    if display is None:
        yield opened
        return
    display.begin(opened)
    try:
        yield opened
    finally:
        display.end(opened)


def counted(name: str, items: Iterable[Item], total: int | None = None, unit: str = "examples") -> Iterator[Item]:
    """The items, counted by a stage.

    Args:
        name, total, unit: as of `stage`.
        items: what is iterated.

    Example:
        >>> list(counted("reading", "abc"))
        ['a', 'b', 'c']
    """
    if _display is None:
        yield from items
        return
    with stage(name, total, unit) as advance:
        for item in items:
            yield item
            advance()


def followed(source: SourceType, name: str, total: int | None = None) -> SourceType:
    """A source whose iterations are stages.

    Args:
        source: a `seqtasks.data.sources.Source`.
        name, total: as of `stage`.

    Example:
        >>> from seqtasks.data.sources import Example, Source
        >>> [e.input for e in followed(Source(lambda: iter([Example("a", "x", 1)]), "memory"), "reading")]
        ['a']
    """
    given: Any = source
    return dataclasses.replace(given, read=lambda: counted(name, given.read(), total))


def say(text: str) -> None:
    """Show a line on standard error; on a terminal it stands above the bars."""
    (_display or Display()).say(text)


class Handler(logging.Handler):
    """Shows the lines of the log by `say`."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


_before_training: list[Callable[[], None]] = []


@contextlib.contextmanager
def before_training(call: Callable[[], None]) -> Iterator[None]:
    """Call a function before the first epoch of a training inside.

    Args:
        call: the function.
    """
    _before_training.append(call)
    try:
        yield
    finally:
        _before_training.remove(call)


def training_begins() -> None:
    """The data is read and the model is built: the first epoch comes next."""
    for call in _before_training:
        call()
