"""Signals that end the program: Ctrl-C and SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where the program is, as Python raises `KeyboardInterrupt` for Ctrl-C."""


def _raise(number: int, frame: FrameType | None = None) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


@contextlib.contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """A context in which a function handles signals; only the main thread can do that."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers} if main else {}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def raised() -> contextlib.AbstractContextManager[None]:
    """A context in which SIGTERM raises `Terminated`.

    Example:
        >>> with raised():
        ...     signal.raise_signal(signal.SIGTERM)
        Traceback (most recent call last):
        seqtasks.engine.signals.Terminated
    """
    return _handled(_raise, signal.SIGTERM)


class Interrupts:
    """A context that turns the first Ctrl-C or SIGTERM into a flag; a second one is raised.

    Attributes:
        caught: whether there was one.
        repeatable: whether it was raised inside `at_once`.

    Example:
        >>> with Interrupts() as interrupts:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     print("the step ends")
        the step ends
        >>> interrupts.reraise()
        Traceback (most recent call last):
        seqtasks.engine.signals.Terminated
    """

    def __init__(self) -> None:
        self.number, self.repeatable, self._at_once = 0, False, False
        self._context = _handled(self._catch, signal.SIGINT, signal.SIGTERM)

    @property
    def caught(self) -> bool:
        return self.number > 0

    def _catch(self, number: int, frame: FrameType | None) -> None:
        again, self.number = self.caught, number
        self.repeatable = self._at_once and not again
        if again or self._at_once:
            _raise(number)

    def __enter__(self) -> "Interrupts":
        self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A context in which the first signal is raised too, around what changes nothing and can be done again."""
        self._at_once = True
        try:
            if self.caught:
                self.repeatable = True
                self.reraise()
            yield
        finally:
            self._at_once = False

    def reraise(self) -> None:
        """Raise the signal, if there was one."""
        if self.caught:
            _raise(self.number)
