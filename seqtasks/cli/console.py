"""Input and output of commands."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from seqtasks.engine import progress
from seqtasks.errors import UserError

_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class Warnings:
    """Warnings for a person: each is shown once, and those before a training together.

    Args:
        quiet: whether none is shown.
        held: whether they wait until `release`; at the latest they are shown when the context ends.

    Example:
        >>> with contextlib.redirect_stderr(sys.stdout), Warnings(held=True) as warnings:
        ...     for text in ("one", "two", "one"):
        ...         warnings.add(text)
        ...     print("read")
        read
        one
        two
    """

    def __init__(self, quiet: bool = False, held: bool = False) -> None:
        self.quiet, self.held = quiet, held
        self.known: set[str] = set()
        self.waiting: list[str] = []

    def __enter__(self) -> "Warnings":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def add(self, text: str) -> None:
        """Show a warning, at once or with the others that wait."""
        if text in self.known or self.quiet:
            return
        self.known.add(text)
        self.waiting.append(text)
        if not self.held:
            self.release()

    def release(self) -> None:
        """Show the warnings that wait, and from now on each at once."""
        self.held, waiting, self.waiting = False, self.waiting, []
        for text in waiting:
            progress.say(text)


class Inputs:
    """The raw inputs of a command; `where` and its number name an input in an error.

    Args:
        inputs: the inputs, as text or bytes, or queries made of records.
        where: the file that they come from with a colon, or `input `.
    """

    def __init__(self, inputs: Iterator[Any], where: str) -> None:
        self.inputs, self.where = inputs, where

    def __iter__(self) -> Iterator[Any]:
        return self.inputs


def read_inputs(run: Any, arguments: Sequence[str], path: str | None, carry: str = "") -> Inputs:
    """The raw inputs of a command in order: arguments, `-` for standard input, and those of a file.

    Args:
        run: the run that answers them.
        arguments: as given; they are texts, or paths where inputs are files.
        path: None, or the file with inputs.
        carry: columns of the file that answers repeat.

    Raises:
        UserError: if there are none, or the file does not exist.
    """
    if path is None and not arguments:
        raise UserError("nothing to read", where="INPUT", remedy="give inputs, --input FILE, or - for standard input")
    if path is not None and not Path(path).exists() and path != "-":
        raise UserError("no such file", where=path, remedy="give --input a table, or a file with one input per line")
    if carry and (path is None or path == "-"):
        raise UserError("arguments have no columns", where="--carry", remedy="give a table to --input")
    return Inputs(_inputs(run, arguments, path, carry), f"{path}:" if path and not arguments else "input ")


def _inputs(run: Any, arguments: Sequence[str], path: str | None, carry: str) -> Iterator[Any]:
    for text in arguments:
        if text == "-":
            yield from _lines(sys.stdin.buffer)
        else:
            yield os.fsencode(text)
    if path == "-":
        yield from _lines(sys.stdin.buffer)
    elif path is not None:
        yield from run.read_inputs(path, carry)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)


@contextlib.contextmanager
def results(path: Path | None) -> Iterator[IO[str]]:
    """Where answers are written: a file, which appears when it is complete, or standard output."""
    with _opened(path) if path else contextlib.nullcontext(sys.stdout) as output:
        yield output
        output.flush()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    from seqtasks.atomic_files import replacing

    check_folder(path)
    if path.exists() and not path.is_file():  # a device or a pipe
        with open(path, "w", encoding="utf-8") as file:
            yield file
    else:
        with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            yield file


def show(value: Any) -> None:
    """Print a result as one line of JSON."""
    print(line_of(value))


def line_of(value: Any) -> str:
    r"""A value as a line of JSON, in which all control characters are escaped.

    Example:
        >>> print(line_of({"label": "a\x9b2J"}))
        {"label": "a\u009b2J"}
    """
    return json.dumps(value, ensure_ascii=False).translate(_CONTROLS)


def show_comparison(compared: dict[str, Any], html: Path | None) -> None:
    """Print a comparison, as a table on a terminal and else as JSON, and write its page if there is a file for it."""
    from seqtasks.report import comparison

    if html:
        comparison.write_page(compared, html)
        compared = compared | {"html": str(html)}
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(comparison.table(compared))
    else:
        show(compared)


def open_run(directory: str) -> Any:
    """The run in a directory."""
    from seqtasks.engine.run import Run

    return Run(directory)


def load_tensorflow() -> None:
    """Import TensorFlow without what its libraries print while they load."""
    sys.stderr.flush()
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def check_folder(path: Path) -> None:
    """Raise `UserError` if there is no folder that an output could be written to."""
    if path.is_dir():
        raise UserError("is a folder", where=path, remedy="give --output the name of a file")
    if not path.parent.is_dir():
        raise UserError("no such folder", where=path.parent, remedy="make it, or take another --output")
