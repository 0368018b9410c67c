"""The inputs of `predict`: of any kind in memory, the records or lines of a file, and what each must be."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.capabilities import FileInputs, Query, TextInputs
from seqtasks.data import pairs
from seqtasks.data.memory import KINDS, array_of, keep_file
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Faulty
from seqtasks.data.text_files import reading, suffix_of
from seqtasks.errors import UserError


def inputs_of(run: Any, inputs: Any, carry: str = "") -> Iterable[Any]:
    """The raw inputs of `predict`, or queries made of the records of data in memory.

    Args:
        run: the run that answers.
        inputs: as of `Run.predict`.
        carry: as of `Run.predict`.

    Raises:
        UserError: if they are neither.
    """
    files = run.recipe.capability(FileInputs)
    if isinstance(inputs, np.ndarray) and not files:
        return queries(run, [inputs] if inputs.dtype.kind in "buif" else inputs, carry)
    if isinstance(inputs, str | bytes | np.ndarray):
        return [inputs]
    if inputs is None or isinstance(inputs, Mapping | int | float):
        what = f"{type(inputs).__name__} {inputs!r:.40} is not a list of inputs"
        raise UserError(what, where="inputs", remedy=f"give a string, a list of strings, or {KINDS}")
    first = None
    if isinstance(inputs, Sequence):
        first = next(iter(inputs), None)
    nested = isinstance(first, np.ndarray) or (isinstance(first, list) and isinstance(next(iter(first), None), list))
    if isinstance(first, list) and "texts" in run.assets:
        return queries(run, inputs, carry)
    if isinstance(first, Mapping | tuple) or (nested and not files) or not isinstance(inputs, Sequence | Iterator):
        return queries(run, inputs, carry)
    return inputs


def queries(run: Any, data: Any, carry: str = "") -> Iterator[Query]:
    """The inputs of a file or of data in memory, with the columns that their answers repeat.

    Args:
        run: the run that answers.
        data: what `seqtasks.train` takes as data; a target is not needed.
        carry: names of columns, separated by commas, or `all`.

    Raises:
        UserError: if it cannot be read.
    """
    columns = tuple(name.strip() for name in carry.split(",") if name.strip())
    source = run.recipe.open(run.config, data, labelled=False, carry=columns)
    files, side = run.recipe.capability(FileInputs), run.assets.get("columns")
    unknown = side.unknown(source.name) if side else None
    for example in source.read():
        if isinstance(example, Faulty):
            if not files:
                raise example.error
            yield Query(example.error, dict(example.fields))  # answered as a file that cannot be read is
            continue
        if unknown:
            unknown.add(example.columns)
        named = {"file": example.input} if files and array_of(example.input) is None else {}
        parsed = files.parse(run.config, example.input) if files and files.parse else [Query(example.input, named)]
        for query in parsed:
            metadata = {n: value for n, value in query.metadata.items() if n != "file" or named}
            yield Query(query.input, {**metadata, **dict(example.fields)}, example.columns)
    if unknown:
        unknown.warn()


def read_inputs(run: Any, path: str | Path, carry: str = "") -> Iterator[Any]:
    """The inputs in a file: its records if training reads such files, else its lines.

    Args:
        run: the run that answers.
        path: the file.
        carry: as of `Run.predict`.

    Raises:
        UserError: if it cannot be read.
    """
    formats = run.recipe.reads(run.config)
    if suffix_of(path) in {*formats.tables, *formats.suffixes} - {*formats.lines} or Path(path).is_dir():
        yield from queries(run, path, carry)
        return
    if carry:
        raise UserError("lines have no columns", where=path, remedy="leave out --carry, or give a table")
    if formats.check_lines:
        formats.check_lines(Path(path), Reading.of(run.config))
    with reading(path, encoding=run.config.encoding) as file:
        file.reconfigure(newline="\n")
        yield from (line.removesuffix("\n").removesuffix("\r") for line in file)


def parsed(run: Any, inputs: Iterable[Any], where: str) -> Iterator[Query]:
    """The queries of raw inputs, by the recipe's own syntax if it has one.

    Args:
        run: the run that answers.
        inputs: raw inputs, or `Query` made of them.
        where: what the number of an input follows in messages.

    Raises:
        UserError: at an input that is not understood. Of a file that is not, the query holds the error.
    """
    files, texts = run.recipe.capability(FileInputs), run.recipe.capability(TextInputs)
    parse, side = files.parse if files else texts.parse if texts else None, run.assets.get("columns")
    for number, item in enumerate(inputs, 1):
        for query in [item] if isinstance(item, Query) else _parsed(run, item, f"{where}{number}", parse, bool(files)):
            if side and not query.columns and not isinstance(query.input, UserError):
                raise side.needed(f"{where}{number}")
            yield query


def _parsed(run: Any, item: Any, where: str, parse: Any, files: bool) -> Iterator[Query]:
    raw = checked_input(item, where, files)
    if "texts" in run.assets:
        raw = pairs.from_line(raw, where)
    if isinstance(raw, np.ndarray) or parse is None:
        yield Query(raw, {"file": raw} if files and isinstance(raw, str) else {})
        return
    try:
        yield from parse(run.config, raw)
    except UserError as error:
        if not files:
            raise UserError(str(error), where=where) from None
        yield Query(error, {"file": raw})


def checked_input(item: Any, where: str, files: bool = False) -> Any:
    """A raw input: a text, or where inputs are files the path of one, its content or an array.

    Args:
        item: what was given.
        where: its name, for the message.
        files: whether inputs are files.

    Raises:
        UserError: if it is something else.

    Example:
        >>> checked_input(None, "input 3")
        Traceback (most recent call last):
        seqtasks.errors.UserError: input 3: NoneType is not a text; give a string
    """
    if files:
        if isinstance(item, bytes) and b"\0" in item:  # no path: the content of a file
            return keep_file(item)
        if isinstance(item, str | bytes | os.PathLike):
            return os.fsdecode(item)
        if isinstance(item, np.ndarray) and item.dtype.kind in "fiu":
            return item
        kind, remedy = "a file", "give its path, or an array of numbers"
    else:
        kind, remedy = "a text", "give a string"
        if isinstance(item, bytes):
            try:
                item = item.decode("utf-8")
            except UnicodeDecodeError as error:
                what = f"not UTF-8 (byte 0x{item[error.start]:02x} at offset {error.start})"
                raise UserError(what, where=where, remedy="save the text as UTF-8, or name its --encoding") from None
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError as error:
                what = f"a lone surrogate U+{ord(item[error.start]):04X} at position {error.start} is no character"
                raise UserError(what, where=where, remedy="decode the text with its right encoding") from None
            return str(item)
    raise UserError(f"{type(item).__name__} is not {kind}", where=where, remedy=remedy)
