"""Stages of what takes long, and how they are shown: bars on a terminal, lines of the log, an output of a notebook."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from seqtasks.errors import visible

log = logging.getLogger("seqtasks")
REFRESH = 0.2  # seconds between updates of a bar
DELAY = 0.5  # seconds for which nothing is shown: what takes less needs no bar
PAUSE = 10.0  # seconds between the lines of a stage, at least
SHARE = 20  # the lines of a stage are also at least a twentieth of its time apart: a long log stays readable
LINES_KEPT = 30  # in the output of a notebook


class Stage:
    """Something that takes long, and how far it is. Calling it with a number advances it.

    Args:
        name: what is done.
        total: units of the whole; None if unknown.
        unit: what is counted.
        describe: None, or a function that returns how far it is and how fast, in words.
        done: units that were done before.

    Example:
        >>> stage = Stage("reading", total=4, unit="examples")
        >>> stage(2)
        >>> stage.text().split("  ")[0]
        '2 of 4 examples'
    """

    def __init__(
        self, name: str, total: int | None = None, unit: str = "examples",
        describe: Callable[[], tuple[str, str]] | None = None,
        done: int = 0, display: "Display | None" = None,
    ) -> None:  # fmt: skip
        self.name, self.total, self.unit, self.describe, self.display = name, total, unit, describe, display
        self.done = done
        self.began = time.perf_counter()
        self.measured: tuple[float, int] | None = None  # the speed counts from the end of the first units
        self.due = 0.0 if display else float("inf")

    def __call__(self, count: int = 1) -> None:
        self.done += count
        now = time.perf_counter()
        if self.measured is None:
            self.measured = now, self.done
        if now >= self.due and self.display:
            self.due = now + self.display.update(self)

    def refresh(self) -> None:
        """Show it as it is now, where it is a bar."""
        if self.display:
            self.display.refresh(self)

    def text(self) -> str:
        """How far it is, the time that is left, and how fast."""
        since, before = self.measured or (self.began, self.done)
        passed, done = time.perf_counter() - since, self.done - before
        if self.describe:
            place, speed = self.describe()
        else:
            whole = f" of {self.total:,}" if self.total is not None else ""
            place, speed = f"{self.done:,}{whole} {self.unit}", ""
            if done and passed > 1:
                speed = f"{rate(done / passed)} {self.unit}/s"
        left = ""
        if self.total is not None and done and self.done < self.total:
            left = f"{clock(passed * (self.total - self.done) / done)} left"
        return "  ".join(filter(None, (place, left, speed)))


class Display:
    """Shows nothing; the displays below show stages and lines."""

    def begin(self, stage: Stage) -> None:
        """A stage begins."""

    def update(self, stage: Stage) -> float:
        """A stage has advanced; returns the seconds until it is due again."""
        return float("inf")

    def refresh(self, stage: Stage) -> None:
        """Show a stage at once, if that replaces what was shown."""

    def end(self, stage: Stage) -> None:
        """A stage has ended."""

    def say(self, text: str) -> None:
        """Show a line that stays."""
        print(visible(text), file=sys.stderr, flush=True)


class Lines(Display):
    """Stages as lines of the log, few of them."""

    def __init__(self) -> None:
        self.shown: set[Stage] = set()

    def update(self, stage: Stage) -> float:
        passed = time.perf_counter() - stage.began
        if passed < PAUSE:
            return PAUSE - passed
        self.shown.add(stage)
        log.info("%s  %s", stage.name, stage.text())
        return max(PAUSE, passed / SHARE)

    def end(self, stage: Stage) -> None:
        if stage in self.shown and not stage.describe:
            log.info("%s  %s  %s", stage.name, stage.text(), clock(time.perf_counter() - stage.began))
        self.shown.discard(stage)


class Bars(Display):
    """Stages as bars on a terminal, one below the other; lines stand above them."""

    def __init__(self) -> None:
        self.tasks: dict[Stage, Any] = {}
        self.bars: Any = None
        self.lock, self.opened = threading.RLock(), time.perf_counter()

    def begin(self, stage: Stage) -> None:
        with self.lock:
            self.tasks[stage] = None
            if time.perf_counter() - self.opened > DELAY:
                self._show(stage)

    def update(self, stage: Stage) -> float:
        wait = DELAY - (time.perf_counter() - self.opened)
        if wait > 0:
            return wait
        with self.lock:
            if stage in self.tasks:
                self._show(stage)
        return REFRESH

    def refresh(self, stage: Stage) -> None:
        self.update(stage)

    def say(self, text: str) -> None:
        with self.lock:
            if self.bars is None:
                super().say(text)
            else:
                self.bars.console.print(visible(text), markup=False, highlight=False, soft_wrap=True)

    def end(self, stage: Stage) -> None:
        with self.lock:
            task = self.tasks.pop(stage, None)
            if self.bars and task is not None:
                self.bars.remove_task(task)
            if self.bars and not self.tasks:
                self.bars.stop()
                self.bars = None

    def _show(self, stage: Stage) -> None:
        if self.bars is None:
            self.bars = _bars()
            self.bars.start()
        if self.tasks[stage] is None:
            self.tasks[stage] = self.bars.add_task(
                stage.name, total=stage.total, completed=stage.done, facts=stage.text()
            )
        self.bars.update(self.tasks[stage], completed=stage.done, facts=stage.text())


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    console = Console(stderr=True)
    width = max(6, min(40, console.width - 100))
    facts = Column(no_wrap=True, overflow="ellipsis", max_width=max(20, console.width - width - 12))
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=width),
        TextColumn("{task.fields[facts]}", markup=False, table_column=facts),
        console=console, transient=True, refresh_per_second=5, redirect_stdout=sys.stdout.isatty(),
    )  # fmt: skip


class Notebook(Display):
    """Lines and the present stage in one output of a notebook, which is replaced as they change."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: list[Stage] = []
        self.output: Any = None

    def begin(self, stage: Stage) -> None:
        self.stages.append(stage)

    def update(self, stage: Stage) -> float:
        if stage.measured and time.perf_counter() - stage.measured[0] >= 1:
            self._show()
        return 1.0

    def end(self, stage: Stage) -> None:
        if stage in self.stages:
            self.stages.remove(stage)
        if not self.stages and self.output:
            self._show()

    def say(self, text: str) -> None:
        self.lines = [*self.lines, text][-LINES_KEPT:]
        self._show()

    def _show(self) -> None:
        from IPython.display import display

        text = "\n".join([*self.lines, *(f"{stage.name}  {stage.text()}" for stage in self.stages)])
        bundle = {"text/plain": text}
        if self.output:
            self.output.update(bundle, raw=True)
        else:
            self.output = display(bundle, raw=True, display_id=True)


def rate(value: float) -> str:
    """A number of units per second.

    Example:
        >>> rate(12345.6), rate(0.25)
        ('12,346', '0.2')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    Example:
        >>> clock(7), clock(75), clock(7400)
        ('0:07', '1:15', '2:03:20')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
