"""Pieces of music as strings, of frames or of events: read from a file, from a string, or from an object in memory."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError
from seqtasks.music import events, midi, piano_rolls, scores
from seqtasks.music.notes import Note, words

SUFFIXES = (*midi.SUFFIXES, *scores.SUFFIXES)


@dataclass(frozen=True)
class Options:
    """Options for reading pieces.

    Args:
        representation: `frames`, the keys of a piano that sound in each step; or `events`, a performance.
        step: length of a step, for MIDI files, scores and tunes. Files of frames have steps of their own.
        unit: of `step`: `quarters` (quarter notes, independent of the tempo) or `seconds`.
        instruments: which instruments are read: `melody`, all but percussion; `drums`; or `all`.
        path_column: name or number of the column of a table with the pieces; None looks for a usual name.
        cache_mb: pieces of files up to this size are held in memory.
    """

    representation: Literal["frames", "events"] = "frames"
    step: float = 0.25
    unit: midi.Unit = "quarters"
    instruments: midi.Instruments = "melody"
    path_column: str | None = None
    cache_mb: int = 256

    @property
    def in_seconds(self) -> bool:
        """Whether files are read with times in seconds instead of quarter notes."""
        return self.representation == "events" or self.unit == "seconds"

    @property
    def target(self) -> str:
        """The target of an example: a performance is a whole document of running text."""
        return "end" if self.representation == "events" else ""


class Found(NamedTuple):
    """A piece in a file.

    Args:
        text: the piece; empty if it has no notes.
        title: of the piece, if the file has several; otherwise empty.
        setting: its tempi, metres and instrument.
        error: why there is no piece, or why it is not the whole piece; None if it is.
        notices: what else a reader should know.
    """

    text: str
    title: str = ""
    setting: midi.Setting | None = None
    error: UserError | None = None
    notices: tuple[str, ...] = ()


def read_file(path: Path | str, options: Options = Options(), encoding: str | None = None) -> list[Found]:
    """Reads the pieces of a MIDI file or of a score.

    Args:
        path: a file that ends in one of `SUFFIXES`.
        options: see `Options`.
        encoding: of text files.

    Returns:
        The pieces: of MIDI files one, or one for each pattern of format 2; of scores one, or one for each tune of ABC.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.mid"
        >>> midi.write_midi([Note(60, 0, 0.5), Note(64, 0.25, 0.5)], path, tempo=90)
        >>> [found.text for found in read_file(path)]
        ['60;60 64']
    """
    if suffix_of(path) in scores.SUFFIXES:
        scores.check_installed()
    try:
        if suffix_of(path) in midi.SUFFIXES:
            return _of_midi(midi.file_bytes(path), path, options)
        found = []
        for score in scores.read_scores(path, encoding):
            found += [Found("", error=score)] if isinstance(score, UserError) else _of_score(score, path, options)
    except UserError as error:
        return [Found("", error=error)]
    return found if len(found) > 1 else [one._replace(title="") for one in found]


def _of_score(score: scores.Score, path: Path | str, options: Options) -> list[Found]:
    if score.unpitched and options.instruments != "melody":
        what, remedy = "the drums of a score are not read", "export it as MIDI, or take --instruments melody"
        return [Found("", error=UserError(what, where=path, remedy=remedy))]
    return [found._replace(title=score.title) for found in _of_midi(score.midi, path, options)]


def _of_midi(data: bytes, where: Path | str, options: Options) -> list[Found]:
    file = midi.parse_midi(data, where, "seconds" if options.in_seconds else "quarters", options.instruments)
    found = []
    for number, piece in enumerate(file.pieces, 1):
        text, error = "", midi.cut_short(file.cut, where) if file.cut and number == len(file.pieces) else None
        try:
            piece.check(where)
            text = piece_of(piece.notes, options)
            if not text.strip("; "):
                text = ""
                raise midi.NoNotes("no notes in the range of a piano", where=where, remedy=midi.REMEDY)
        except UserError as wrong:
            error = error or _named(wrong, where)
        title = f"piece {number}" if len(file.pieces) > 1 else ""
        found.append(Found(text, title, piece.setting, error, file.notices))
    return found


def _named(error: UserError, where: Path | str) -> UserError:
    """The error with the name of its file."""
    return error if str(error).startswith(str(where)) else UserError(str(error), where=where)


def piece_of(notes: Sequence[Note], options: Options) -> str:
    """Converts notes, with times in seconds if `options.in_seconds`, otherwise in quarter notes, to a string."""
    if options.representation == "events":
        return events.from_notes(notes)
    return piano_rolls.text(piano_rolls.from_notes(notes, options.step))


def notes_of(piece: str, options: Options = Options()) -> list[Note]:
    """Converts the string of a piece to notes, with times in seconds for events, otherwise in `options.unit`.

    Example:
        >>> [tuple(note) for note in notes_of("60;60 64")]
        [(60, 0.0, 0.5, 64), (64, 0.25, 0.5, 64)]
    """
    if options.representation == "events":
        return events.to_notes(piece)
    return piano_rolls.to_notes(piano_rolls.parse(piece), options.step)


def read_piece(value: str | bytes, options: Options = Options()) -> Found:
    """Reads a prompt: the path of a file of one piece, or a piece as a string.

    Args:
        value: `str`, or UTF-8 `bytes`.
        options: see `Options`.

    Raises:
        UserError: if it is neither, or the file has several pieces.

    Example:
        >>> read_piece("60 64 67;;062").text
        '60 64 67;;62'
    """
    (found, *others) = read_pieces(value, options)
    if others:
        what = f"{1 + len(others)} pieces in one file"
        raise UserError(what, where=str(value), remedy="give a file of one piece")
    return found


def read_pieces(value: str | bytes, options: Options = Options()) -> list[Found]:
    """As `read_piece`, of a file with one piece or several.

    Raises:
        UserError: if it is neither, or a piece cannot be read as a whole.
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if suffix_of(text) not in SUFFIXES:
        return [Found(_checked(text, options))]
    found = read_file(Path(text), options)
    for one in found:
        if one.error:
            raise one.error
    return found


def _checked(text: str, options: Options) -> str:
    """The string of a piece in its usual form."""
    if options.representation == "frames":
        return piano_rolls.text(piano_rolls.parse(text))
    events.to_notes(text)  # raises if the text has other words than events
    return " ".join(words(text))


def read_value(value: Any, options: Options = Options()) -> Iterator[Found]:
    """Reads pieces that are in memory.

    Args:
        value: a piano roll as an array (steps, 88) or (steps, 128); a list of steps, which are lists of MIDI numbers; a
            `pretty_midi.PrettyMIDI`; a piece as a string; or the bytes of a MIDI file.
        options: see `Options`.

    Yields:
        The pieces.

    Raises:
        UserError: if it is something else.

    Example:
        >>> [found.text for found in read_value([[60, 64], [], [62]])]
        ['60 64;;62']
    """
    if hasattr(value, "instruments") and hasattr(value, "write"):
        content = io.BytesIO()
        value.write(content)
        value = content.getvalue()
    if isinstance(value, bytes) and value[:4] in (b"MThd", b"RIFF"):
        yield from _of_midi(value, "", options)
    elif isinstance(value, str):
        yield Found(_checked(value, options))
    elif isinstance(value, np.ndarray) and value.dtype != object:
        need_frames(options)
        yield Found(piano_rolls.text(piano_rolls.from_array(value)))
    else:
        need_frames(options)
        yield Found(read_steps(value))


def need_frames(options: Options, where: Path | str = "") -> None:
    """Raise `UserError` if events are read, where there are frames."""
    if options.representation == "events":
        remedy = "read them with --representation frames"
        raise UserError("these are frames, not events", where=where, remedy=remedy)


def read_steps(steps: Any) -> str:
    """A list of steps, which are lists of MIDI numbers, as a string.

    Raises:
        UserError: if it is something else.

    Example:
        >>> read_steps([[64, 60, 60], []])
        '60 64;'
    """
    steps = steps.tolist() if isinstance(steps, np.ndarray) else steps
    if not isinstance(steps, list | tuple) or not steps:
        raise UserError("not a list of steps", remedy="a piece is a list of lists of MIDI numbers")
    written = []
    for number, pitches in enumerate(steps, 1):
        pitches = pitches.tolist() if isinstance(pitches, np.ndarray) else pitches
        wrong = [p for p in pitches if not _is_int(p)] if isinstance(pitches, list | tuple) else [pitches]
        wrong += [p for p in pitches if not piano_rolls.LOWEST <= p <= piano_rolls.HIGHEST] if not wrong else []
        if wrong:
            keys = f"{piano_rolls.LOWEST} to {piano_rolls.HIGHEST}"
            remedy = f"a step is a list of MIDI numbers from {keys}, [] for silence"
            raise UserError(f"{wrong[0]!r:.40} in step {number}", remedy=remedy)
        written.append(" ".join(str(int(pitch)) for pitch in sorted(set(pitches))))
    return ";".join(written)


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
