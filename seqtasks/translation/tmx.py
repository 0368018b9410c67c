"""Reads translation memories (TMX): units with a text in each of several languages."""

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.data.text_files import UNREADABLE, open_bytes, raw_bytes, read_error
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError
from seqtasks.translation.directions import Options, direction, find_name

SUFFIX = ".tmx"
CODES = ("bpt", "ept", "it", "ph", "ut")  # elements with the markup of the original document
BLOCK = 2**16
FIRST_UNITS = 100  # whose languages are looked at where none is named


class Unit(NamedTuple):
    """A unit of a memory.

    Args:
        line: where it begins.
        texts: {language: text}, of which the first of a language is kept.
    """

    line: int
    texts: dict[str, str]


def open_tmx(path: Path, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The sentence pairs of a translation memory, which is read as a stream.

    Units without one of the two languages are left out, and counted in a warning. Markup inside a text is left out.

    Args:
        path: the file, also compressed.
        options: the two languages; `en` stands for `en-US` too. If none is named, a memory of two languages is read
            from its `srclang` to the other one.
        reading: `encoding`, which replaces the one that the file declares, and `labelled`.

    Raises:
        UserError: if the languages are not there; while reading, at what is not XML.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.tmx"
        >>> unit = '<tuv xml:lang="en-US"><seg>A dog.</seg></tuv><tuv xml:lang="de"><seg>Ein Hund.</seg></tuv>'
        >>> _ = path.write_text(f'<tmx><header srclang="en-US"/><body><tu>{unit}</tu></body></tmx>')
        >>> [example[:2] for example in open_tmx(path)]
        [('A dog.', 'Ein Hund.')]
    """
    open_bytes(path).close()  # raises an error if there is nothing in it
    source, target = _languages(path, options, reading)
    name, warned = str(path), False

    def read() -> Iterator[Example]:
        nonlocal warned
        count = left_out = 0
        for unit in units(path, reading.encoding):
            count += 1
            known = list(unit.texts)
            sides = [find_name(language, known) or _variant(language, known) for language in (source, target)]
            if sides[0] is None or (reading.labelled and sides[1] is None):
                left_out += 1
                continue
            yield Example(unit.texts[sides[0]], unit.texts[sides[1] or ""] if reading.labelled else "", unit.line)
        if left_out and not warned:
            warned = True
            languages = f"{source!r} and {target!r}" if reading.labelled else repr(source)
            warnings.warn(f"{name}: {left_out} of {count} units without {languages} left out", stacklevel=2)

    return Source(read, name, path.stat().st_size)


def _variant(language: str, known: list[str]) -> str | None:
    """The first of several variants of a language in a unit."""
    return next((name for name in known if find_name(language, [name])), None)


def _languages(path: Path, options: Options, reading: Reading) -> tuple[str, str]:
    """The languages of source and target: as they are wanted, or else in the spelling of the file."""
    known: dict[str, None] = {}
    srclang = ""
    memory = _Memory(path, reading.encoding)
    for number, unit in enumerate(memory, 1):
        known |= dict.fromkeys(unit.texts)
        srclang = memory.srclang
        wanted = [name for name in (options.source, options.target) if name]
        complete = [name for name in wanted if _variant(name, list(known))]
        if complete == wanted and (len(wanted) == 2 or number >= FIRST_UNITS):
            break
    names = list(known)
    if not names:
        raise UserError("no texts in it", where=path, remedy="give a memory with <tu>, <tuv xml:lang=...> and <seg>")
    source, target = (_variant(name, names) and name for name in (options.source or "", options.target or ""))
    if source and target and not find_name(source, [target]):
        return source, target
    if not options.source and not options.target and len(names) == 2:
        options = replace(options, source=find_name(srclang, names))
    return direction(names, options, path, reading.labelled)


def units(path: Path, encoding: str | None = None) -> Iterator[Unit]:
    """The units of a memory.

    Args:
        path: the file, also compressed.
        encoding: of the file; None for the one that it declares.

    Raises:
        UserError: at what is not XML.
    """
    return iter(_Memory(path, encoding))


class _Memory:
    """The units of a file while it is parsed; memory holds those of one block."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path, self.encoding = path, encoding
        self.srclang = ""

    def __iter__(self) -> Iterator[Unit]:
        self.found: list[Unit] = []
        self.unit: Unit | None = None
        self.language = ""
        self.pieces: list[str] | None = None  # of the text that is being read
        self.depth = 0  # of elements of CODES
        self.parser = parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.buffer_text = self._text, True
        try:
            for block in itertools.chain(self._blocks(), [None]):
                parser.Parse(block or b"", block is None)
                yield from self.found
                self.found = []
        except expat.ExpatError as error:
            what = f"not TMX ({expat.ErrorString(error.code)})"
            remedy = "correct the line, or name the encoding of the file with --encoding"
            raise UserError(what, where=f"{self.path}:{error.lineno}", remedy=remedy) from None

    def _blocks(self) -> Iterator[Any]:
        if self.encoding is not None:  # a text is parsed whatever encoding it declares
            with opened(self.path, encoding=self.encoding) as file:
                yield from iter(lambda: file.read(BLOCK), "")
            return
        try:
            with raw_bytes(self.path) as file:
                yield from iter(lambda: file.read(BLOCK), b"")
        except UNREADABLE as error:
            raise read_error(self.path, error) from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]  # without the prefix of a namespace
        if name == "tu":
            self.unit = Unit(self.parser.CurrentLineNumber, {})
        elif name == "tuv":
            self.language = attributes.get("xml:lang") or attributes.get("lang") or ""
        elif name == "seg":
            self.pieces = []
        elif name == "header":
            self.srclang = attributes.get("srclang", "")
        self.depth += name in CODES

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        self.depth -= name in CODES
        if name == "seg" and self.unit is not None and self.pieces is not None:
            self.unit.texts.setdefault(self.language, "".join(self.pieces))
            self.pieces = None
        elif name == "tu" and self.unit is not None:
            self.found.append(self.unit)
            self.unit = None

    def _text(self, text: str) -> None:
        if self.pieces is not None and not self.depth:
            self.pieces.append(text)
