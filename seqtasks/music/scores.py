"""Written music (MusicXML, ABC, Humdrum, MEI), which music21 reads, as the bytes of MIDI files.

Repeats are played, ties are one note, and transposing instruments sound at their pitch.
"""

import contextlib
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.data.text_files import COMPRESSED, reading, suffix_of
from seqtasks.errors import UserError, needs
from seqtasks.music.midi import file_bytes

MUSICXML = (".musicxml", ".mxl", ".xml")
SUFFIXES = (*MUSICXML, ".abc", ".krn", ".mei")


class Score(NamedTuple):
    """A score as a MIDI file; whether it has percussion, whose sounds are not known; and the title of a tune of ABC."""

    midi: bytes
    unpitched: bool = False
    title: str = ""


def check_installed() -> None:
    """Raise `UserError` if music21 is missing."""
    needs("music21", extra="music")


def read_scores(path: Path | str, encoding: str | None = None) -> Iterator[Score | UserError]:
    """Reads the scores of a file, which may be compressed.

    Args:
        path: a file that ends in one of `SUFFIXES`.
        encoding: of ABC files; None for UTF-8.

    Yields:
        The scores, of a file of ABC one for each tune. A tune that cannot be read gives its error.

    Raises:
        UserError: if the file cannot be read.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "tunes.abc"
        >>> _ = path.write_text("X:1\\nT:One\\nL:1/4\\nK:C\\nCDEF|\\n\\nX:2\\nT:Two\\nL:1/4\\nK:C\\nGABc|\\n")
        >>> [(score.title, score.midi[:4]) for score in read_scores(path)]
        [('One', b'MThd'), ('Two', b'MThd')]
    """
    check_installed()
    if suffix_of(path) != ".abc":
        if not Path(path).is_file():
            raise UserError("no such file", where=path, remedy="check the path")
        yield _score(path, lambda converter: _parse_file(converter, Path(path)))
        return
    with reading(path, encoding=encoding) as file:
        tunes = _tunes(file.read())
    if not tunes:
        raise UserError("no tunes in it (no X:)", where=path, remedy="begin each tune with X: and its number")
    for title, line, text in tunes:
        where = f"{path}:{line}"
        try:
            score = _score(where, lambda converter, text=text: converter.parseData(text, format="abc"))  # type: ignore[misc]
            yield score._replace(title=title)
        except UserError as error:
            yield error


def _tunes(text: str) -> list[tuple[str, int, str]]:
    """The title, the first line and the text of each tune of a file of ABC; its header belongs to each."""
    text = "\n".join(text.splitlines())
    starts = [match.start() for match in re.finditer(r"^X:", text, re.M)]
    header = "\n".join(line for line in text[: starts[0]].splitlines() if re.match("[A-Z]:", line)) if starts else ""
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        number, _, rest = text[start:end].partition("\n")
        title = re.search(r"^T:[ \t]*(.*?)[ \t]*$", rest, re.M)
        name = title[1] if title and title[1] else number
        found.append((name, text.count("\n", 0, start) + 1, "\n".join([number, *header.splitlines(), rest])))
    return found


def _parse_file(converter: Any, path: Path) -> Any:
    if path.suffix.lower() not in COMPRESSED:
        return converter.parseFile(path, forceSource=True, storePickle=False)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"score{suffix_of(path)}"
        plain.write_bytes(file_bytes(path))
        return converter.parseFile(plain, forceSource=True, storePickle=False)


def _score(where: Path | str, parse: Callable[[Any], Any]) -> Score:
    """What `parse(music21.converter)` returns as a MIDI file."""
    from music21 import converter, note, percussion
    from music21.midi import translate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            score = parse(converter).toSoundingPitch()
            drums = bool(score.recurse().getElementsByClass((note.Unpitched, percussion.PercussionChord)))
            with contextlib.suppress(Exception):  # repeats that do not fit together are played once
                score = score.expandRepeats()
            return Score(translate.music21ObjectToMidiFile(score).writestr(), drums)
        except Exception as error:  # music21 raises many types of errors; all mean that the file is invalid
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            what = f"cannot be read as a score ({reason:.200})"
            raise UserError(what, where=where, remedy="export it again, or as MIDI") from None
