"""Sources of pieces of music: MIDI files, scores, JSON files of piano rolls, tunes as text, tables of paths, arrays.

The input of an example is a piece as a string, of frames (`seqtasks.music.piano_rolls`) or of events
(`seqtasks.music.events`); its target is empty, or `end` for events.
"""

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqtasks.data import path_sources, tables
from seqtasks.data.columns import Columns, find_column, with_fields
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import NAMES, Formats
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.text_files import open_bytes, suffix_of
from seqtasks.errors import UserError
from seqtasks.music import json_files, midi, pieces, tunes
from seqtasks.music.notes import timed
from seqtasks.music.pieces import Found, Options

SUFFIXES = (".json", ".txt", *pieces.SUFFIXES)
PATH_NAMES = ("midi_filename", "path", "file", "file_name", "filename", "midi", "midi_path", "midi_file")
PIECE_NAMES = ("piece", "roll", "piano_roll", "frames", "text", "1")
SPLIT_COLUMN = "split"
TABLES = (".csv", ".tsv", ".json")
KIND = "piece of music"
NAMED = 5  # maximum number of files that a warning names


def formats(options: Options = Options()) -> Formats:
    """How pieces of music are read.

    Args:
        options: see `Options`.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.splits import open_data
        >>> path = Path(tempfile.mkdtemp()) / "pieces.json"
        >>> _ = path.write_text("[[[60, 64], [62]], [[65]]]")
        >>> [example.input for example in open_data(path, formats())]
        ['60 64;62', '65']
    """
    columns = Columns(options.path_column, text_names=(*PATH_NAMES, *PIECE_NAMES))
    return Formats(
        records=lambda records, reading: read_records(records, options, reading),
        open=lambda path, reading: open_pieces(path, options, reading),
        suffixes=SUFFIXES,
        is_header=lambda first, reading: columns.is_header(first, labelled=False),
        find=lambda data, reading: find_splits_of(data, options, reading),
        parts=lambda records, reading: _record_splits(records, options, reading),
        grouped="name of the file, title or piece",
    )


def open_pieces(path: Path | str, options: Options = Options(), how: Reading = Reading()) -> Source:
    """Opens a MIDI file or score, a folder of these at any depth, a JSON file of pieces, or a file of tunes.

    Files that are damaged are `Faulty`. Those without notes are left out; after the first complete pass a warning names
    them. Examples of one file, or of one title, are a group.

    Args:
        path: the file or folder.
        options: see `Options`.
        how: `encoding` of text files.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.
    """
    return _held(_open(_single_json(Path(path)), options, how), options)


def _open(path: Path, options: Options, how: Reading) -> Source:
    if how.group:
        raise UserError("these files have no columns", where="--group", remedy="leave it out, or give a table")
    if path.is_dir():
        return _open_folder(path, options, how)
    open_bytes(path).close()  # raises if the file is missing or empty
    if suffix_of(path) == ".json":
        held = json_files.read_json(path, how)
        if isinstance(held, dict) or (held and isinstance(held[0], dict)):
            return read_records(json_files.json_table(path, held, how), options, how)
        return json_files.open_json(path, None, options, how)
    if suffix_of(path) == ".txt":
        return _open_tunes(path, options, how)
    one = Example(str(path), "", str(path))
    return _expanded(Source(lambda: iter([one]), str(path), path.stat().st_size), options, how)


def _open_folder(folder: Path, options: Options, how: Reading) -> Source:
    files = _music_files(folder)
    if not files:
        listed = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        remedy = f"give a folder with files that end in {', '.join(pieces.SUFFIXES)}, or one that ends in .json"
        raise UserError(f"no music here (found {listed})", where=folder, remedy=remedy)
    path_sources.warn_of_others(folder, folder.rglob("*"), pieces.SUFFIXES, KIND)
    examples = [Example(str(path), "", str(path)) for path in files]
    size = sum(path.stat().st_size for path in files)
    return _expanded(Source(lambda: iter(examples), str(folder), size), options, how)


def _music_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if suffix_of(path) in pieces.SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _single_json(path: Path) -> Path:
    """The only JSON file of a folder without other music; otherwise the path itself."""
    if not path.is_dir() or _music_files(path):
        return path
    found = [p for p in path.iterdir() if suffix_of(p) == ".json" and not p.name.startswith(".")]
    return found[0] if len(found) == 1 else path


class _Remarks:
    """What one pass over files says about them, apart from faults."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files = self.pieces = 0
        self.without: list[UserError] = []
        self.notices: dict[str, list[str]] = defaultdict(list)

    def name(self, text: object) -> str:
        return str(text).removeprefix(f"{self.folder}/").split("; ")[0]

    def warn(self) -> None:
        """Warn of files that were left out, and of what was mended in others."""
        for names, what in [
            ([self.name(error) for error in self.without], "left out"),
            *((names, f"with {notice}") for notice, names in self.notices.items()),
        ]:
            if names:
                listed = ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)
                warnings.warn(f"{self.folder}: {len(names)} of {self.files} files {what}: {listed}", stacklevel=4)


def _held(source: Source, options: Options) -> Source:
    """The source; after the first complete pass it is in memory, if it has no more than `options.cache_mb`."""
    held: list[Example | Faulty] | None = None

    def read() -> Iterator[Example | Faulty]:
        nonlocal held
        stream = source.read()
        found: list[Example | Faulty] = []
        count, free = 0, options.cache_mb * 2**20
        while held is None:  # another pass may have filled it meanwhile
            item = next(stream, None)
            if item is None:
                held = found if free >= 0 else None
                return
            count += 1
            free -= len(item.input) if isinstance(item, Example) else 0
            if free >= 0:
                found.append(item)
            else:
                found.clear()
            yield item
        yield from held[count:]

    return Source(read, source.name, source.size)


def _expanded(paths: Source, options: Options, how: Reading) -> Source:
    """The pieces of a source of paths."""
    warned = False

    def read() -> Iterator[Example | Faulty]:
        nonlocal warned
        remarks = _Remarks(paths.name)
        for item in paths.read():
            remarks.files += 1
            if isinstance(item, Faulty):
                remarks.pieces += 1
                yield item
                continue
            for found in pieces.read_file(item.input, options, how.encoding):
                if isinstance(found.error, midi.NoNotes) and item.input != paths.name:
                    remarks.without.append(found.error)
                    continue
                remarks.pieces += 1
                for notice in found.notices:
                    remarks.notices[notice].append(remarks.name(item.input))
                yield _example(found, item, options)
        if remarks.files and not remarks.pieces:
            listed = ", ".join(map(remarks.name, remarks.without[:NAMED]))
            what = f"none of {remarks.files} files has notes to read: {listed}{', ...' * (remarks.files > NAMED)}"
            raise UserError(what, where=paths.name, remedy="give files with notes, or other --instruments")
        if not warned:
            warned = True
            remarks.warn()

    return Source(read, paths.name, paths.size)


def _example(found: Found, item: Example, options: Options) -> Example | Faulty:
    """The example of a piece of a file, which is the input of `item`."""
    path = Path(item.input)
    place = f"{path}: {found.title}" if found.title else item.place
    several = suffix_of(path) == ".abc" and found.title
    group = item.group or (found.title if several else path.name)
    example = item._replace(input=found.text, target=options.target, place=place, group=group)
    return Faulty(found.error, example if found.text else None) if found.error else example


def _open_tunes(path: Path, options: Options, how: Reading) -> Source:
    """Each tune in twelve keys, its own first."""
    unit = 60 / midi.TEMPO if options.in_seconds else 1

    def read() -> Iterator[Example | Faulty]:
        for tune in tunes.each_tune(path, how.encoding):
            if isinstance(tune, UserError):
                yield Faulty(tune)
                continue
            for semitones in sorted(tunes.KEYS, key=abs):
                piece = pieces.piece_of(timed(tunes.in_key(tune, semitones), unit), options)
                place = f"{path}: {tune.title}, {semitones:+} semitones"
                yield Example(piece, options.target, place, tune.title)

    return Source(read, str(path), path.stat().st_size)


# --- splits that are in the data ---


def find_splits_of(data: str, options: Options, how: Reading) -> Mapping[str, Source]:
    """The splits of a JSON file that has them by name, or of a table with a column `split`, as MAESTRO has it.

    Args:
        data: the file, or a folder that holds it.
        options: see `Options`.
        how: the options of reading.

    Returns:
        {split: source}; empty for other data.

    Raises:
        UserError: if there is no train split in it.
    """
    path = _single_json(Path(data))
    if path.is_dir():
        inside = sorted(path.iterdir())
        if any(_split_of(p.name.split(".")[0]) for p in inside):
            return {}
        tables_here = [p for p in inside if suffix_of(p) in TABLES and p.name[0] != "." and p.is_file()]
        return next((found for p in tables_here if (found := _table_splits(p, options, how))), {})
    if not path.is_file():
        return {}
    if suffix_of(path) == ".json" and isinstance(held := json_files.read_json(path, how), dict):
        names = {split: name for name in reversed(held) if (split := _split_of(name))}
        if "train" in names:
            return {split: json_files.open_json(path, names[split], options, how) for split in NAMES if split in names}
        if SPLIT_COLUMN not in held:
            remedy = 'write {"train": [...], "valid": [...], "test": [...]}'
            raise UserError("no split train", where=path, remedy=remedy)
    return _table_splits(path, options, how) if how.labelled and suffix_of(path) in tables.SUFFIXES else {}


def _split_of(name: object) -> str | None:
    """The split that a name stands for; see `seqtasks.data.splits.NAMES`."""
    return next((split for split, names in NAMES.items() if str(name).strip().lower() in names), None)


def _table_splits(path: Path, options: Options, how: Reading) -> dict[str, Source]:
    """The splits of a table that names the split and the file of each piece; empty if it does not."""
    held = json_files.read_json(path, how) if suffix_of(path) == ".json" else None
    if isinstance(held, list) and not (held and isinstance(held[0], dict)):
        return {}
    return _record_splits(
        json_files.json_table(path, held, how) if held else tables.open_records(path, how), options, how
    )


def _record_splits(records: Records, options: Options, how: Reading) -> dict[str, Source]:
    """The splits of records that name the split and the file of each piece; empty if they do not."""
    names = records.names or tuple(next((r for _, r in records.read() if not isinstance(r, UserError)), {}))
    lower = {name.lower(): name for name in reversed(names)}
    if SPLIT_COLUMN not in lower or not ({*PATH_NAMES, *PIECE_NAMES, options.path_column} & {*names, *lower}):
        return {}
    column, found = lower[SPLIT_COLUMN], {}
    values = {value_of(record, column) for _, record in records.read() if not isinstance(record, UserError)}
    for split in NAMES:
        if own := {value for value in values if _split_of(value) == split}:
            chosen = dataclasses.replace(records, read=_selected(records, column, own, split == "train"))
            found[split] = read_records(chosen, options, how)
    if unknown := sorted(str(value) for value in values if _split_of(value) is None):
        what = f"no split is called {unknown[0]!r} in column {column!r}"
        raise UserError(what, where=records.name, remedy="call them train, validation and test")
    return found


def _selected(
    records: Records, column: str, values: set[Any], faulty: bool
) -> Callable[[], Iterator[tuple[int | str, Record | UserError]]]:
    """`read` of the records of a split; those that are faulty belong to train."""

    def read() -> Iterator[tuple[int | str, Record | UserError]]:
        for place, record in records.read():
            if faulty if isinstance(record, UserError) else value_of(record, column) in values:
                yield place, record

    return read


# --- records ---


def read_records(records: Records, options: Options = Options(), how: Reading = Reading()) -> Source:
    """The pieces of records: paths of files, or pieces themselves, as `seqtasks.music.pieces.read_value` takes them.

    Args:
        records: a table of paths, which are relative to its folder; or data in memory, such as a list of piano rolls.
        options: see `Options`.
        how: `carry` and `group`.

    Raises:
        UserError: if no column holds pieces.

    Example:
        >>> import numpy as np
        >>> from seqtasks.data.memory import records_of
        >>> roll = np.zeros((2, 88), bool)
        >>> roll[1, 60 - 21] = True
        >>> [example.input for example in read_records(records_of([roll]))]
        [';60']
    """
    first: Record = next((record for _, record in records.read() if not isinstance(record, UserError)), {})
    names = records.names or tuple(first)
    usual = (*PATH_NAMES, *PIECE_NAMES)
    column = find_column(names, options.path_column, usual, KIND, "--path_column", records.name)
    column = column or (names[0] if len(names) == 1 else None)
    if column is None:
        listed = ", ".join(repr(name[:40]) for name in names)
        raise UserError(f"no pieces among {listed}", where=records.name, remedy="name their column with --path_column")
    value = value_of(first, column)
    if isinstance(value, str) and (column.lower() in PATH_NAMES or suffix_of(value) in pieces.SUFFIXES):
        how = dataclasses.replace(how, labelled=False)
        columns = Columns(column, text_option="--path_column")
        paths = path_sources.open_paths(records, columns, how, pieces.SUFFIXES, KIND)
        return _held(_expanded(paths, options, how), options)
    return _open_values(records, column, options, how)


def _open_values(records: Records, column: str, options: Options, how: Reading) -> Source:
    rest = with_fields(records, how)

    def read() -> Iterator[Example | Faulty]:
        for place, record in records.read():
            try:
                if isinstance(record, UserError):
                    raise record
                example = rest(Example("", options.target, place), record)
                for found in pieces.read_value(value_of(record, column), options):
                    if found.error:
                        raise found.error
                    yield example._replace(input=found.text)
            except UserError as error:
                where = records.where(place)
                yield Faulty(error if str(error).startswith(where) else UserError(str(error), where=where))

    return Source(read, records.name, records.size)
