"""JSON: one value on each line, one array, or one object with a table inside."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError


def read_json(path: str | Path, encoding: str | None = None) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON: one on each line, or the elements of one array, or the records of one object.

    The records of an object are the only list of objects in it, or a table as pandas writes it (`orient` columns, index
    or split). Memory holds one value; all of the file if it is one object.

    Args:
        path: the file, also compressed.
        encoding: of the file; None for UTF-8.

    Yields:
        (line, value): the number of the line where it begins, from 1. A line that is not JSON gives its `UserError`.

    Raises:
        UserError: inside an array, at what is not JSON; at a byte that is not text.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.json"
        >>> _ = path.write_text('[{"text": "fine"},\\n {"text": "dull"}]')
        >>> list(read_json(path))
        [(1, {'text': 'fine'}), (2, {'text': 'dull'})]
    """
    with opened(path, encoding=encoding) as file:
        line = next((line.lstrip() for line in iter(lambda: file.readline(2**20), "") if line.strip()), "")
    with opened(path, encoding=encoding) as file:
        if line.startswith("[") and (not _is_json(line) or _is_list_of_objects(line)):
            yield from _json_values(file, path)
        elif line.startswith("{") and (not _is_json(line) or not _more(file, line)):
            file.seek(0)
            yield from _json_object(file, path)
        else:
            file.seek(0)
            yield from json_lines(file, path)


def _more(file: IO[str], line: str) -> bool:
    """Whether a file has more than one line."""
    file.seek(0)
    next(file)
    return any(text.strip() for text in itertools.islice(file, 9))


def _json_object(file: IO[str], path: str | Path) -> Iterator[tuple[int, Any]]:
    """The records of a file that is one object, or the objects of a file in which they span several lines.

    The records are the only list of objects in it, or the columns of a table as pandas writes them (`orient` columns,
    index or split).
    """
    values = list(itertools.islice(_json_values(file, path, array=False), 2))
    if len(values) != 1 or isinstance(values[0][1], UserError):
        file.seek(0)
        yield from json_lines(file, path) if _is_line(file) else _json_values(file, path, array=False)
        return
    line, whole = values[0]
    records = _table_of(whole)
    if records is None:
        yield line, whole
        return
    yield from enumerate(records, 1)


def _is_line(file: IO[str]) -> bool:
    """Whether the first line of a file is a JSON value of its own; the file is at its start again."""
    first = file.readline()
    file.seek(0)
    return _is_json(first)


def _table_of(whole: Any) -> list[Any] | None:
    """The records in one JSON object, or None if it is a record itself.

    Example:
        >>> _table_of({"data": [{"text": "fine"}]}), _table_of({"text": {"0": "fine", "1": "dull"}})
        ([{'text': 'fine'}], [{'text': 'fine'}, {'text': 'dull'}])
        >>> _table_of({"columns": ["text"], "index": [0], "data": [["fine"]]}), _table_of({"text": "fine"})
        ([{'text': 'fine'}], None)
    """
    if isinstance(whole, dict) and isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):
        return [dict(zip(whole["columns"], row, strict=False)) for row in whole["data"]]
    inner = list(whole.values()) if isinstance(whole, dict) else []
    if inner and all(isinstance(value, dict) for value in inner):
        if all(key.isdigit() for key in whole):
            return inner
        rows = list(inner[0])
        if all(list(value) == rows for value in inner) and all(key.isdigit() for key in rows):
            return [{name: column[row] for name, column in whole.items()} for row in rows]
    found = [v for v in inner if isinstance(v, list) and v and all(isinstance(element, dict) for element in v)]
    if len(found) == 1 and not any(isinstance(value, str) for value in inner):
        return found[0]
    if len(inner) == 1 and isinstance(inner[0], dict):
        return _table_of(inner[0])
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _is_list_of_objects(text: str) -> bool:
    """Whether a line is a whole array of records; else it is a record that is itself a list."""
    return all(isinstance(element, dict) for element in json.loads(text))


def json_lines(lines: Iterable[str], path: str | Path) -> Iterator[tuple[int, Any]]:
    """The values of lines of JSON: pairs (number of the line, value); empty lines are skipped.

    Args:
        lines: the lines of a file.
        path: the file, for messages.

    Yields:
        (line, value), the value of a line that is not JSON being its `UserError`.

    Example:
        >>> list(json_lines(['{"a": 1}', "", "[2]"], "a.jsonl"))
        [(1, {'a': 1}), (3, [2])]
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line.rstrip())
        except json.JSONDecodeError as error:
            if number == 1 and line.strip() == "{":
                what, remedy = (
                    "one JSON object over many lines",
                    "write an array of records, or one record on each line",
                )
                raise UserError(what, where=path, remedy=remedy) from None
            what = f"not JSON ({error.msg} at column {error.colno})"
            yield number, UserError(what, where=f"{path}:{number}", remedy="put one JSON object on each line")


def _json_values(file: IO[str], path: str | Path, array: bool = True) -> Iterator[tuple[int, Any]]:
    """The elements of an array, or values one after the other, and the lines where they begin.

    Memory holds one value and a block of the file.
    """
    decoder, gap = json.JSONDecoder(), re.compile(r"[\s,]*")
    text, place, line = file.read(2**16), 0, 1
    place = text.index("[") + 1 if array else 0
    line += text.count("\n", 0, place)
    while True:
        begin, place = place, gap.match(text, place).end()  # type: ignore[union-attr]  # it matches the empty string
        line += text.count("\n", begin, place)
        if array and text.startswith("]", place):
            return
        if not array and place == len(text):
            if not (text := file.read(2**16)):
                return
            place = 0
            continue
        try:
            record, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            cut_off = error.pos > len(text) - 8 or error.msg.startswith("Unterminated")
            more = file.read(max(2**16, len(text) - place)) if cut_off else ""
            if not more:
                where = f"{path}:{line + text.count(chr(10), place, error.pos)}"
                remedy = "correct it, or write one object per line"
                raise UserError(f"not JSON ({error.msg})", where=where, remedy=remedy) from None
            text, place = text[place:] + more, 0
        else:
            yield line, record
            line += text.count("\n", place, end)
            place = end
