"""JSON files of pieces: lists of piano rolls, splits of these by name, and tables of paths."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtasks.data import tables
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Record, Records
from seqtasks.data.text_files import reading
from seqtasks.errors import UserError
from seqtasks.music import pieces
from seqtasks.music.pieces import Options


def read_json(path: Path, how: Reading) -> Any:
    """The list or object that a file of JSON holds.

    Raises:
        UserError: if it is not JSON, or holds something else.
    """
    try:
        with reading(path, encoding=how.encoding) as file:
            found = json.load(file)
    except json.JSONDecodeError as error:
        what = f"not JSON ({error.msg} at column {error.colno})"
        raise UserError(what, where=f"{path}:{error.lineno}", remedy="correct the file") from None
    if not isinstance(found, list | dict):
        remedy = 'write {"train": [...], "valid": [...], "test": [...]}, or a list of pieces'
        raise UserError("neither splits nor a list of pieces", where=path, remedy=remedy)
    return found


def open_json(path: Path, split: str | None, options: Options, how: Reading) -> Source:
    """The pieces of a JSON file, or of one split of it: lists of steps, which are lists of MIDI numbers.

    Raises:
        UserError: if events are read; while reading, if there is no list. A piece that is none is `Faulty`.
    """
    pieces.need_frames(options, path)

    def read() -> Iterator[Example | Faulty]:
        found = read_json(path, how)
        found = found if split is None else found[split]
        if not isinstance(found, list):
            remedy = "write a list of pieces, each a list of steps"
            raise UserError(f"no list of pieces in {split}", where=path, remedy=remedy)
        for number, steps in enumerate(found, 1):
            where = f"{path}: piece {number}{f' of {split}' if split else ''}"
            try:
                yield Example(pieces.read_steps(steps), options.target, where)
            except UserError as error:
                yield Faulty(UserError(str(error), where=where))

    return Source(read, f"{path}[{split}]" if split else str(path), path.stat().st_size)


def json_table(path: Path, held: Any, how: Reading = Reading()) -> Records:
    """The records of JSON: a list of objects, or an object with a list or an object of values for each column.

    Args:
        path: the file.
        held: what `read_json` returned.
        how: `encoding`.

    Raises:
        UserError: if it is something else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "table.json"
        >>> _ = path.write_text('{"split": {"0": "train"}, "midi_filename": {"0": "a.mid"}}')
        >>> list(json_table(path, read_json(path, Reading())).read())
        [(1, {'split': 'train', 'midi_filename': 'a.mid'})]
    """
    if isinstance(held, list):
        return tables.open_records(path, how)
    values = {name: list(column.values() if isinstance(column, dict) else column) for name, column in held.items()}
    lengths = {len(column) for column in values.values()}
    if len(lengths) != 1:
        remedy = 'write {"train": [...], "valid": [...], "test": [...]}, or a list of pieces'
        raise UserError("neither splits nor columns of one length", where=path, remedy=remedy)

    def read() -> Iterator[tuple[int, Record]]:
        for number, row in enumerate(zip(*values.values(), strict=True), 1):
            yield number, dict(zip(values, row, strict=True))

    return Records(read, str(path), tuple(values), size=path.stat().st_size)
