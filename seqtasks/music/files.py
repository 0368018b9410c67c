"""Sources of pieces of music: the JSON of piano-roll data sets, MIDI files, tunes written down as text.

The input of an example is a piece as one string, of frames (`seqtasks.music.piano_rolls`) or events (`seqtasks.music.events`);
its target is empty.
"""

import functools
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtasks.data.sources import UNREADABLE, Example, Source, faults, open_bytes, open_text, suffix_of
from seqtasks.data.splits import NAMES, TEST, VALIDATION, Formats, find_splits, part
from seqtasks.errors import UserError, needs
from seqtasks.music import events, midi, piano_rolls, tunes
from seqtasks.music.notes import timed

SUFFIXES = (".json", ".txt", *midi.SUFFIXES)
NAMED = 5  # files that a warning names


@dataclass(frozen=True)
class Options:
    """How pieces are to be read.

    Args:
        representation: `frames`, the keys of a piano that sound in each step; or `events`, a performance.
        step: length of a step of frames read from MIDI files and tunes. Files of frames have steps of their own.
        unit: of `step`: `quarters` (quarter notes, whatever the tempo) or `seconds`.
    """

    representation: Literal["frames", "events"] = "frames"
    step: float = 0.25
    unit: Literal["quarters", "seconds"] = "quarters"


def load_splits(data, options=Options(), train=None, valid=None, test=None):
    """The splits of pieces of music.

    Args:
        data: a JSON file that holds the splits by name; a folder with `train`, `valid` and `test`, which are folders of
            MIDI files or JSON files; or one folder of MIDI files, or one file of tunes, which are split 80/10/10 by the
            hash (`seqtasks.data.splits.part`) of the name of the file, or the title.
        options: see `Options`.
        train, valid, test: paths that take the place of what `data` holds.
    """
    given = {"train": train, "valid": valid, "test": test}
    given = {split: path for split, path in given.items() if path is not None}
    found = _parts(data, options, given) if data is not None and train is None else {}
    return find_splits(None if found else data, options, **(found | given), formats=FORMATS)


def open_pieces(path, options=Options()):
    """The source behind a MIDI file, a folder of them at any depth, a JSON file with a list of pieces, or tunes.

    A file of a folder that is no MIDI file, or has no notes, is left out; a warning tells once, after the first whole
    pass.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.
    """
    path = _only(Path(path))
    if path.is_dir():
        if files := _midi_files(path):
            return _open_files(path, files, options)
        listed = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        remedy = f"give a folder with files that end in {' or '.join(midi.SUFFIXES)}, or one that ends in .json"
        raise UserError(f"no MIDI files here (found {listed})", where=path, remedy=remedy)
    open_bytes(path).close()  # there is something in it
    suffix = suffix_of(path)
    if suffix in midi.SUFFIXES:
        return Source(lambda: iter([Example(_read_midi(path, options), "", str(path))]), str(path), _size([path]))
    if suffix == ".json":
        if isinstance(_json(path), dict):
            what = "holds several splits"
            raise UserError(what, where=path, remedy="name it with --data, or give a file with a list of pieces")
        return _open_json(path, None, options)
    if suffix == ".txt":
        return _open_tunes(path, tunes.read_tunes(path), options)
    remedy = f"files end in {', '.join(SUFFIXES)}; or give a folder of MIDI files"
    raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)


def piece(text, options=Options()):
    """The piece behind an input of `predict`: that of a MIDI file by its path, else the text itself.

    Args:
        text: `str`, or UTF-8 `bytes`.
        options: see `Options`.

    Raises:
        UserError: if it is neither.

    Example:
        >>> piece("60 64 67;;062")
        '60 64 67;;62'
    """
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if suffix_of(text) in midi.SUFFIXES:
        return _read_midi(Path(text), options)
    if options.representation == "frames":
        return piano_rolls.text(piano_rolls.parse(text))
    events.to_notes(text)  # they are events
    return " ".join(text.split())


def notes_of(text, options=Options()):
    """The notes of a piece, with times in seconds if it is of events, else in `options.unit`.

    Example:
        >>> [tuple(note) for note in notes_of("60;60 64")]
        [(60, 0.0, 0.5, 64), (64, 0.25, 0.5, 64)]
    """
    if options.representation == "events":
        return events.to_notes(text)
    return piano_rolls.to_notes(piano_rolls.parse(text), options.step)


FORMATS = Formats(open_pieces, SUFFIXES)


def _text(notes, options):
    """Notes, in seconds or quarter notes as `_in_seconds` says, as the string of a piece."""
    if options.representation == "events":
        return events.from_notes(notes)
    return piano_rolls.text(piano_rolls.from_notes(notes, options.step))


def _in_seconds(options):
    return options.representation == "events" or options.unit == "seconds"


def _only(path):
    """The one JSON file of a folder without MIDI files; else the path itself."""
    if not path.is_dir() or _midi_files(path):
        return path
    found = [p for p in path.iterdir() if suffix_of(p) == ".json"]
    return found[0] if len(found) == 1 else path


def _parts(path, options, given):
    """The sources {split: source} of a file or folder that `find_splits` cannot take apart."""
    path = Path(path)
    if path.is_dir() and any(p.name.lower().split(".")[0] in sum(NAMES.values(), ()) for p in path.iterdir()):
        return {}
    path = _only(path)
    if path.is_dir() and (files := _midi_files(path)):
        return _by_hash(files, lambda p: p.name, functools.partial(_open_files, path), path, options, given)
    if path.is_file() and suffix_of(path) == ".txt":
        found = tunes.read_tunes(path)
        return _by_hash(found, lambda t: t.title, functools.partial(_open_tunes, path), path, options, given)
    if path.is_file() and suffix_of(path) == ".json" and isinstance(_json(path), dict):
        return _open_splits(path, options)
    return {}


def _by_hash(items, name, open_items, path, options, given):
    """Sources of the items of each split, those of splits that are given elsewhere among train."""
    parts = {number: split for split, number in (("valid", VALIDATION), ("test", TEST)) if split not in given}
    found = {split: [] for split in ("train", *parts.values())}
    for item in items:
        found[parts.get(part(name(item)), "train")].append(item)
    if parts:
        told = (
            f"no {' and no '.join(sorted(parts.values()))} split given; 10 % of all {'each ' * (len(parts) > 1)}taken"
        )
        warnings.warn(f"{path}: {told} by the hash of the name", stacklevel=4)
    return {split: open_items(chosen, options) for split, chosen in found.items()}


def _midi_files(folder):
    found = (p for p in folder.rglob("*") if p.suffix.lower() in midi.SUFFIXES and p.name[0] != "." and p.is_file())
    return sorted(found)


def _size(paths):
    return sum(path.stat().st_size for path in paths)


def _read_midi(path, options):
    notes = midi.read_midi(path, "seconds" if _in_seconds(options) else "quarters")
    try:
        text = _text(notes, options)
    except UserError as error:
        raise UserError(str(error), where=path) from None
    if not text.strip("; "):
        raise UserError("no key of a piano sounds", where=path, remedy="leave the file out")
    return text


def _open_files(folder, files, options):
    """The MIDI files of a folder, or those of them that a split has."""
    needs("pretty_midi", extra="music")
    warned = False

    def read():
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


def _open_tunes(path, found, options):
    """Every tune in twelve keys, in its own first."""
    unit = 60 / midi.TEMPO if _in_seconds(options) else 1

    def read():
        for tune in found:
            for semitones in sorted(tunes.KEYS, key=abs):
                notes = timed(tunes.in_key(tune, semitones), unit)
                yield Example(_text(notes, options), "", f"{path}: {tune.title}, {semitones:+} semitones")

    return Source(read, str(path), _size([path]))


def _json(path):
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
        raise UserError("neither splits nor pieces", where=path, remedy=remedy)
    return found


def _open_splits(path, options):
    known = {name: {"validation": "valid"}.get(split, split) for split, names in NAMES.items() for name in names}
    held = {known[name]: name for name in _json(path) if name in known}
    if "train" not in held:
        raise UserError("no split train", where=path, remedy='write {"train": [...], "valid": [...], "test": [...]}')
    return {split: _open_json(path, name, options) for split, name in held.items()}


def _open_json(path, split, options):
    """The pieces of a JSON file, or of one split of it: lists of steps, which are lists of MIDI numbers."""
    if options.representation == "events":
        raise UserError("frames, which hold no events", where=path, remedy="read them with --representation frames")

    def read():
        found = _json(path) if split is None else _json(path)[split]
        if not isinstance(found, list):
            remedy = "write a list of pieces, each a list of steps"
            raise UserError(f"no list of pieces in {split}", where=path, remedy=remedy)
        for number, steps in enumerate(found, 1):
            where = f"{path}: piece {number}{f' of {split}' if split else ''}"
            yield Example(_frames(steps, where), "", where)

    return Source(read, f"{path}[{split}]" if split else str(path), _size([path]))


def _frames(steps, where):
    if not isinstance(steps, list) or not steps:
        raise UserError("no list of steps", where=where, remedy="a piece is a list of lists of MIDI numbers")
    for number, pitches in enumerate(steps, 1):
        wrong = [p for p in pitches if type(p) is not int] if isinstance(pitches, list) else [pitches]
        wrong += [p for p in pitches if not piano_rolls.LOWEST <= p <= piano_rolls.HIGHEST] if not wrong else []
        if wrong:
            remedy = f"a step is a list of MIDI numbers from {piano_rolls.LOWEST} to {piano_rolls.HIGHEST}, [] where nothing sounds"
            raise UserError(f"{wrong[0]!r:.40} in step {number}", where=where, remedy=remedy)
    return ";".join(" ".join(map(str, sorted(set(pitches)))) for pitches in steps)
