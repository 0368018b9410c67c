"""How tagged sentences are read: columns, tables, JSON of annotation tools, brat, data sets, data in memory."""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtasks.data.json_files import read_json
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Source, join
from seqtasks.data.splits import Formats
from seqtasks.data.tables import LINES, Record, Records, open_records
from seqtasks.data.tables import SUFFIXES as RECORDS
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError
from seqtasks.ner import brat, columns
from seqtasks.ner.annotations import SENTENCE_NAMES, TOKEN_NAMES, is_header, read_records
from seqtasks.ner.sentences import Options, in_windows, source_of
from seqtasks.ner.task import labels_of

SUFFIXES = (*columns.SUFFIXES, brat.SUFFIX, *columns.TABLES, *LINES)  # read here; other tables are records as they are


def formats(options: Options = Options(), max_length: int | None = None) -> Formats:
    """How tagged sentences are read.

    Args:
        options: columns, scheme, offsets.
        max_length: tokens of the longest sentence in training; longer ones are cut there. None cuts none.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.splits import open_data
        >>> path = Path(tempfile.mkdtemp()) / "a.conll"
        >>> _ = path.write_text("Ada B-PER\\nByron I-PER\\nsleeps O\\n")
        >>> [example.target for example in open_data(path, formats())]
        ['B-PER E-PER O']
    """
    return Formats(
        records=lambda records, reading: open_records_of(records, options, reading),
        open=lambda path, reading: open_sentences(path, options, reading),
        suffixes=SUFFIXES,
        is_header=lambda first, reading: is_header(first, options, reading.labelled),
        grouped="sentence",
        labels=labels_of,
        training=(lambda source: in_windows(source, max_length)) if max_length else None,
        check_lines=columns.refuse_columns,
    )


def open_records_of(records: Records, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of records of sentences, or of a table of tokens; see `seqtasks.ner.annotations.read_records`."""
    return source_of(lambda: read_records(records, options, reading), records, options, reading)


def open_sentences(path: str | Path, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of a file of tagged sentences, or of a folder of them.

    Args:
        path: the file or folder.
        options: see `Options`.
        reading: see `Reading`.

    Raises:
        UserError: if there is nothing that can be read; while reading, if nothing is a sentence.
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix == brat.SUFFIX or (path.is_dir() and next(path.rglob(f"*{brat.SUFFIX}"), None)):
        standoff = brat.Standoff(path, options, reading)
        placed = dataclasses.replace(options, offsets="codepoints")  # it converts them itself
        return source_of(standoff.read, _described(path, standoff.size), placed, reading)
    if path.is_dir():
        return _folder(path, options, reading)
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=path, remedy="give a token and a tag on each line")
    if suffix in LINES:
        json_records = Records(lambda: _json_records(path, reading), str(path), size=path.stat().st_size)
        return open_records_of(json_records, options, reading)
    if suffix in columns.TABLES and not _is_columns(path, options, reading):
        found = open_records(path, reading, lambda first: is_header(first, options, reading.labelled))
        return open_records_of(found, options, reading)
    read = lambda: columns.read_columns(path, options, reading)  # noqa: E731
    return source_of(read, _described(path, path.stat().st_size), options, reading)


def _described(path: Path, size: int) -> Records:
    """The name and size of sentences whose fields are not known beforehand."""
    return Records(lambda: iter(()), str(path), size=size)


def _folder(path: Path, options: Options, reading: Reading) -> Source:
    known = (*SUFFIXES, *RECORDS)
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name[0] != "." and suffix_of(p) in known)
    files = [p for p in files if suffix_of(p) != ".txt"] or files
    if not files:
        remedy = f"files end in {', '.join(dict.fromkeys(known))}, also with .gz, .bz2, .xz or .zst"
        raise UserError("no files of sentences in this folder", where=path, remedy=remedy)
    tables = [p for p in files if suffix_of(p) not in SUFFIXES]
    sources = [
        open_records_of(open_records(p, reading), options, reading)
        if p in tables
        else open_sentences(p, options, reading)
        for p in files
    ]
    return sources[0] if len(sources) == 1 else join(sources, str(path))


def _is_columns(path: Path, options: Options, reading: Reading) -> bool:
    """Whether a table has a token on each row and a blank line after each sentence."""
    lines = list(itertools.islice(columns.lines_of(path, reading), columns.SAMPLE))
    first = next((fields for _, fields in lines if fields), [])
    blank = any(not before and after for (_, before), (_, after) in itertools.pairwise(lines))
    names = {name.strip().lower() for name in first}
    if not is_header(first, options, reading.labelled):
        return reading.labelled or blank
    if options.sentence_column or names & {*SENTENCE_NAMES}:
        return False
    return bool(names & {*TOKEN_NAMES}) or (isinstance(options.token_column, str) and blank)


def _json_records(path: Path, reading: Reading) -> Iterator[tuple[int, Record | UserError]]:
    """The records of JSON; `[text, {"entities": [...]}]`, as spaCy is trained on, is one."""
    for line, value in read_json(path, reading.encoding):
        for record in _inside(value):
            if isinstance(record, dict | UserError):
                yield line, record
            elif isinstance(record, list) and len(record) == 2 and isinstance(record[1], dict):
                yield line, {"text": record[0], **record[1]}
            else:
                remedy = 'write {"tokens": [...], "tags": [...]}, one object per line'
                yield (
                    line,
                    UserError(f"not a sentence: {json.dumps(record)[:60]}", where=f"{path}:{line}", remedy=remedy),
                )


def _inside(value: Any) -> list[Any]:
    """The records in a value: itself, those of a list of them, or of an object with a list of annotated texts."""
    if isinstance(value, dict) and isinstance(value.get("annotations"), list) and "data" not in value:
        value = value["annotations"]
    if isinstance(value, list) and all(isinstance(item, list | dict) for item in value):
        return [item for item in value if item is not None]
    return [value]
