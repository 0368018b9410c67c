"""Signals that end the program: Ctrl-C and SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

ENDING = signal.SIGTERM, signal.SIGINT


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
        >>> try:
        ...     with raised():
        ...         signal.raise_signal(signal.SIGTERM)
        ... except Terminated:
        ...     print("ended")
        ended
    """
    return _handled(_raise, signal.SIGTERM)


class Interrupts:
    """A context that turns the first Ctrl-C or SIGTERM into a flag; a second one is raised.

    Args:
        several: whether several processes train, which stop after the same step: then the flag waits for `agree`.

    Attributes:
        number: of the signal that stops the training, or 0.
        own: number of the signal that this process has got, or 0.
        repeatable: whether it was raised inside `at_once`.

    Example:
        >>> with Interrupts() as interrupts:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     print("the step ends")
        the step ends
        >>> try:
        ...     interrupts.reraise()
        ... except Terminated:
        ...     print("ended")
        ended
    """

    def __init__(self, several: bool = False) -> None:
        self.several, self.number, self.own, self.repeatable, self._at_once = several, 0, 0, False, False
        self._context = _handled(self._catch, *ENDING)

    @property
    def caught(self) -> bool:
        """Whether the training stops."""
        return self.number > 0

    def _catch(self, number: int, frame: FrameType | None) -> None:
        again, self.own = self.own > 0, number
        self.number = self.number if self.several else number
        self.repeatable = self._at_once and not again
        if again or self._at_once:
            _raise(number)

    def counts(self) -> list[int]:
        """How many signals of each kind of `ENDING` this process has got, at most one."""
        return [int(self.own == number) for number in ENDING]

    def agree(self, counts: Iterable[float]) -> None:
        """Take over the signals of all processes.

        Args:
            counts: the sums of `counts` over the processes.

        Example:
            >>> interrupts = Interrupts(several=True)
            >>> with interrupts:
            ...     signal.raise_signal(signal.SIGINT)
            >>> interrupts.caught, interrupts.counts()
            (False, [0, 1])
            >>> interrupts.agree([1, 1])
            >>> interrupts.caught
            True
        """
        self.number = next((int(number) for number, count in zip(ENDING, counts, strict=True) if count), 0)

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
            if self.own:
                self.repeatable = True
                self.reraise()
            yield
        finally:
            self._at_once = False

    def reraise(self) -> None:
        """Raise the signal, if there was one; that of this process too if it came too late for the others."""
        if number := self.number or self.own:
            _raise(number)
