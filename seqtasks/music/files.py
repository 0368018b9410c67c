"""Sources of pieces of music: JSON files of piano rolls, MIDI files, tunes as text.

The input of an example is a piece as a string, of frames (`seqtasks.music.piano_rolls`) or of events
(`seqtasks.music.events`); its target is empty.
"""

import functools
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from seqtasks.data.sources import UNREADABLE, Example, Source, faults, open_bytes, open_text, suffix_of
from seqtasks.data.splits import NAMES, TEST, VALIDATION, Formats, Splits, find_splits, part
from seqtasks.errors import UserError, needs
from seqtasks.music import events, midi, piano_rolls, tunes
from seqtasks.music.notes import Note, timed

SUFFIXES = (".json", ".txt", *midi.SUFFIXES)
NAMED = 5  # maximum number of files that a warning names
Item = TypeVar("Item")


@dataclass(frozen=True)
class Options:
    """Options for reading pieces.

    Args:
        representation: `frames`, the keys of a piano that sound in each step; or `events`, a performance.
        step: length of a step, for MIDI files and tunes. Files of frames have steps of their own.
        unit: of `step`: `quarters` (quarter notes, independent of the tempo) or `seconds`.
    """

    representation: Literal["frames", "events"] = "frames"
    step: float = 0.25
    unit: Literal["quarters", "seconds"] = "quarters"

    @property
    def in_seconds(self) -> bool:
        """Whether MIDI files and tunes are read with times in seconds instead of quarter notes."""
        return self.representation == "events" or self.unit == "seconds"


def load_splits(
    data: Path | str | None,
    options: Options = Options(),
    train: Path | str | None = None,
    valid: Path | str | None = None,
    test: Path | str | None = None,
) -> Splits:
    """Finds the splits of pieces of music.

    Args:
        data: a JSON file with the splits by name; a folder with `train`, `valid` and `test`, which are folders of MIDI
            files or JSON files; or one folder of MIDI files, or one file of tunes, which are split 80/10/10 by the hash
            (`seqtasks.data.splits.part`) of the name of the file, or the title.
        options: see `Options`.
        train: path that replaces the split of `data`.
        valid: the same.
        test: the same.

    Raises:
        UserError: if there is nothing to train on.
    """
    given = {"train": train, "valid": valid, "test": test}
    given = {split: path for split, path in given.items() if path is not None}
    found = _open_parts(data, options, given) if data is not None and train is None else {}
    return find_splits(None if found else data, options, **(found | given), formats=FORMATS)


def open_pieces(path: Path | str, options: Options = Options()) -> Source:
    """Opens a MIDI file, a folder of MIDI files at any depth, a JSON file with a list of pieces, or a file of tunes.

    Files of a folder that are not valid MIDI files, or have no notes, are left out; after the first complete pass a
    warning counts them.

    Args:
        path: the file or folder.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.
    """
    path = _single_json(Path(path))
    if path.is_dir():
        if files := _midi_files(path):
            return _open_midi_files(path, files, options)
        listed = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        remedy = f"give a folder with files that end in {' or '.join(midi.SUFFIXES)}, or one that ends in .json"
        raise UserError(f"no MIDI files here (found {listed})", where=path, remedy=remedy)
    open_bytes(path).close()  # raises if the file is missing or empty
    suffix = suffix_of(path)
    if suffix in midi.SUFFIXES:
        return Source(lambda: iter([Example(_read_midi(path, options), "", str(path))]), str(path), _size([path]))
    if suffix == ".json":
        if isinstance(_read_json(path), dict):
            what = "contains several splits"
            raise UserError(what, where=path, remedy="name it with --data, or give a file with a list of pieces")
        return _open_json(path, None, options)
    if suffix == ".txt":
        return _open_tunes(path, tunes.read_tunes(path), options)
    remedy = f"files end in {', '.join(SUFFIXES)}; or give a folder of MIDI files"
    raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)


def read_piece(value: str | bytes, options: Options = Options()) -> str:
    """Reads an input of `predict`: the path of a MIDI file, or a piece as a string.

    Args:
        value: `str`, or UTF-8 `bytes`.
        options: see `Options`.

    Returns:
        The piece as a string.

    Raises:
        UserError: if the input is neither.

    Example:
        >>> read_piece("60 64 67;;062")
        '60 64 67;;62'
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if suffix_of(text) in midi.SUFFIXES:
        return _read_midi(Path(text), options)
    if options.representation == "frames":
        return piano_rolls.text(piano_rolls.parse(text))
    events.to_notes(text)  # raises if the text has other words than events
    return " ".join(text.split())


def notes_of(piece: str, options: Options = Options()) -> list[Note]:
    """Converts the string of a piece to notes, with times in seconds for events, otherwise in `options.unit`.

    Example:
        >>> [tuple(note) for note in notes_of("60;60 64")]
        [(60, 0.0, 0.5, 64), (64, 0.25, 0.5, 64)]
    """
    if options.representation == "events":
        return events.to_notes(piece)
    return piano_rolls.to_notes(piano_rolls.parse(piece), options.step)


FORMATS = Formats(open_pieces, SUFFIXES)


def _piece_of(notes: Sequence[Note], options: Options) -> str:
    """Converts notes, with times in seconds if `options.in_seconds`, otherwise in quarter notes, to a string."""
    if options.representation == "events":
        return events.from_notes(notes)
    return piano_rolls.text(piano_rolls.from_notes(notes, options.step))


def _single_json(path: Path) -> Path:
    """The only JSON file of a folder without MIDI files; otherwise the path itself."""
    if not path.is_dir() or _midi_files(path):
        return path
    found = [p for p in path.iterdir() if suffix_of(p) == ".json"]
    return found[0] if len(found) == 1 else path


def _open_parts(data: Path | str, options: Options, given: Mapping[str, Any]) -> dict[str, Source]:
    """Sources of the splits of a file or folder that `find_splits` cannot split; empty for others."""
    path = Path(data)
    if path.is_dir() and any(p.name.lower().split(".")[0] in sum(NAMES.values(), ()) for p in path.iterdir()):
        return {}
    path = _single_json(path)
    if path.is_dir() and (files := _midi_files(path)):
        return _split_by_hash(files, lambda p: p.name, functools.partial(_open_midi_files, path), path, options, given)
    if path.is_file() and suffix_of(path) == ".txt":
        found = tunes.read_tunes(path)
        return _split_by_hash(found, lambda t: t.title, functools.partial(_open_tunes, path), path, options, given)
    if path.is_file() and suffix_of(path) == ".json" and isinstance(_read_json(path), dict):
        return _open_json_splits(path, options)
    return {}


def _split_by_hash(
    items: Sequence[Item],
    name: Callable[[Item], str],
    open_items: Callable[[list[Item], Options], Source],
    path: Path,
    options: Options,
    given: Mapping[str, Any],
) -> dict[str, Source]:
    """Sources of the items of each split; the items of splits that are given elsewhere belong to train."""
    parts = {number: split for split, number in (("valid", VALIDATION), ("test", TEST)) if split not in given}
    chosen: dict[str, list[Item]] = {split: [] for split in ("train", *parts.values())}
    for item in items:
        chosen[parts.get(part(name(item)), "train")].append(item)
    if parts:
        missing, each = " and no ".join(sorted(parts.values())), "each " * (len(parts) > 1)
        what = f"no {missing} split given; 10 % of all {each}taken by the hash of the name"
        warnings.warn(f"{path}: {what}", stacklevel=4)
    return {split: open_items(own, options) for split, own in chosen.items()}


def _midi_files(folder: Path) -> list[Path]:
    found = (p for p in folder.rglob("*") if p.suffix.lower() in midi.SUFFIXES and p.name[0] != "." and p.is_file())
    return sorted(found)


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _read_midi(path: Path, options: Options) -> str:
    notes = midi.read_midi(path, "seconds" if options.in_seconds else "quarters")
    try:
        piece = _piece_of(notes, options)
    except UserError as error:
        raise UserError(str(error), where=path) from None
    if not piece.strip("; "):
        raise UserError("no notes in the range of a piano", where=path, remedy="leave the file out")
    return piece


def _open_midi_files(folder: Path, files: Sequence[Path], options: Options) -> Source:
    needs("pretty_midi", extra="music")
    warned = False

    def read() -> Iterator[Example]:
        nonlocal warned
        faulty = []
        for path in files:
            try:
                yield Example(_read_midi(path, options), "", str(path))
            except UserError as error:
                faulty.append(str(error).removeprefix(f"{folder}/").split("; ")[0])
        listed = ", ".join(faulty[:NAMED]) + ", ..." * (len(faulty) > NAMED)
        if faulty and len(faulty) == len(files):
            remedy = "give Standard MIDI Files with notes"
            raise UserError(f"none of {len(files)} MIDI files can be read: {listed}", where=folder, remedy=remedy)
        if faulty and not warned:
            warned = True
            warnings.warn(f"{folder}: {len(faulty)} of {len(files)} MIDI files left out: {listed}", stacklevel=2)

    return Source(read, str(folder), _size(files))


def _open_tunes(path: Path, found: Sequence[tunes.Tune], options: Options) -> Source:
    """Each tune in twelve keys, its own first."""
    unit = 60 / midi.TEMPO if options.in_seconds else 1

    def read() -> Iterator[Example]:
        for tune in found:
            for semitones in sorted(tunes.KEYS, key=abs):
                notes = timed(tunes.in_key(tune, semitones), unit)
                yield Example(_piece_of(notes, options), "", f"{path}: {tune.title}, {semitones:+} semitones")

    return Source(read, str(path), _size([path]))


def _read_json(path: Path) -> Any:
    try:
        with open_text(path) as file:
            found = json.load(file)
    except json.JSONDecodeError as error:
        what = f"not JSON ({error.msg} at column {error.colno})"
        raise UserError(what, where=f"{path}:{error.lineno}", remedy="correct the file") from None
    except UNREADABLE as error:
        raise faults(path, error) from None
    if not isinstance(found, list | dict):
        remedy = 'write {"train": [...], "valid": [...], "test": [...]}, or a list of pieces'
        raise UserError("neither splits nor a list of pieces", where=path, remedy=remedy)
    return found


def _open_json_splits(path: Path, options: Options) -> dict[str, Source]:
    known = {name: {"validation": "valid"}.get(split, split) for split, names in NAMES.items() for name in names}
    names = {known[name]: name for name in _read_json(path) if name in known}
    if "train" not in names:
        raise UserError("no split train", where=path, remedy='write {"train": [...], "valid": [...], "test": [...]}')
    return {split: _open_json(path, name, options) for split, name in names.items()}


def _open_json(path: Path, split: str | None, options: Options) -> Source:
    """The pieces of a JSON file, or of one split of it: lists of steps, which are lists of MIDI numbers."""
    if options.representation == "events":
        what = "the file has frames, not events"
        raise UserError(what, where=path, remedy="read it with --representation frames")

    def read() -> Iterator[Example]:
        found = _read_json(path) if split is None else _read_json(path)[split]
        if not isinstance(found, list):
            remedy = "write a list of pieces, each a list of steps"
            raise UserError(f"no list of pieces in {split}", where=path, remedy=remedy)
        for number, steps in enumerate(found, 1):
            where = f"{path}: piece {number}{f' of {split}' if split else ''}"
            yield Example(_frames(steps, where), "", where)

    return Source(read, f"{path}[{split}]" if split else str(path), _size([path]))


def _frames(steps: Any, where: str) -> str:
    if not isinstance(steps, list) or not steps:
        raise UserError("not a list of steps", where=where, remedy="a piece is a list of lists of MIDI numbers")
    for number, pitches in enumerate(steps, 1):
        wrong = [p for p in pitches if type(p) is not int] if isinstance(pitches, list) else [pitches]
        wrong += [p for p in pitches if not piano_rolls.LOWEST <= p <= piano_rolls.HIGHEST] if not wrong else []
        if wrong:
            keys = f"{piano_rolls.LOWEST} to {piano_rolls.HIGHEST}"
            remedy = f"a step is a list of MIDI numbers from {keys}, [] for silence"
            raise UserError(f"{wrong[0]!r:.40} in step {number}", where=where, remedy=remedy)
    return ";".join(" ".join(map(str, sorted(set(pitches)))) for pitches in steps)
