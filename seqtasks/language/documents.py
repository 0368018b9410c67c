"""Cuts texts into documents, and long documents into pieces: the examples of running text.

The input of an example is a piece; its target is `END` if the document ends with it, and empty if the document
continues in the next example.
"""

import io
import itertools
from collections.abc import Iterable, Iterator
from typing import IO, Literal

from seqtasks.data.sources import Example

END = "end"
PIECE = 1000  # characters: a piece has no more lines than are needed for this length
LONGEST_LINE = 8 * PIECE  # longer lines are cut
LONGEST = 64 * PIECE  # paragraphs and lines up to this length are one piece
MANY = 10  # documents, from which on each goes to a split as a whole

Document = Literal["file", "paragraph", "line"]
Line = tuple[int, str]  # the number of a line and its text
Text = tuple[int | str | None, Iterator[Line]]  # the place of a text, None for that of each of its lines; its lines


def pieces_of(texts: Iterable[Text], document: Document) -> Iterator[Example]:
    """The examples of texts.

    Args:
        texts: pairs (place, lines); the place of the examples of a text, None for the number of a piece's first line.
        document: what a document is: a text (`file`), a paragraph of it, or a line.

    Example:
        >>> text = io.StringIO("one\\n\\ntwo\\nlines\\n")
        >>> [example[:3] for example in pieces_of([(None, lines_of(text))], "paragraph")]
        [('one', 'end', 1), ('two\\nlines', 'end', 3)]
    """
    for place, lines in texts:
        for part in _documents(lines, document):
            for number, piece, target in _pieces(part, 0 if document == "file" else LONGEST):
                if target == END and document != "file":
                    piece = piece.removesuffix("\n")
                yield Example(piece, target, number if place is None else place)


def texts_of(rows: Iterable[tuple[int | str, str]]) -> Iterator[Text]:
    """The texts of pairs (place, text), without those of only white space.

    Example:
        >>> [(place, list(lines)) for place, lines in texts_of([(1, "one\\ntwo"), (2, " ")])]
        [(1, [(1, 'one\\n'), (2, 'two')])]
    """
    return ((place, lines_of(io.StringIO(text))) for place, text in rows if text.strip())


def lines_of(file: IO[str]) -> Iterator[Line]:
    """The lines of a text with their ends, `\\n` or `\\r\\n`, which become `\\n`; long lines are cut.

    Example:
        >>> [(number, len(line)) for number, line in lines_of(io.StringIO("ab\\r\\n" + "c" * 20000))]
        [(1, 3), (2, 7998), (2, 8000), (2, 4002)]
    """
    number, held = 1, ""
    while line := file.readline(LONGEST_LINE):
        cut = len(line) == LONGEST_LINE and line[-1] != "\n"
        line = held + line
        line, held = (line[:-2], line[-2:]) if cut else (line, "")  # a line end stays with its line and is not cut
        yield number, line[:-2] + "\n" if line.endswith("\r\n") else line
        number += line.endswith("\n")
    if held:
        yield number, held


def count_if_few(source: Iterable[Example]) -> int | None:
    """The number of pieces, or None if they are of `MANY` documents or more.

    Example:
        >>> count_if_few([Example("a", "", 1), Example("b", "end", 2)])
        2
    """
    pieces = documents = 0
    for pieces, example in enumerate(source, 1):  # noqa: B007
        documents += example.target == END
        if documents == MANY:
            return None
    return pieces


def _documents(lines: Iterator[Line], kind: Document) -> Iterator[Iterator[Line]]:
    """The documents of a text, each as its lines."""
    if kind == "file":
        yield lines
        return
    for key, group in itertools.groupby(_keyed(lines, kind), key=lambda item: item[0]):
        if key is not None:
            yield (item[1:] for item in group)


def _keyed(lines: Iterator[Line], kind: Document) -> Iterator[tuple[int | str | None, int, str]]:
    """(key, number, line): adjacent lines of one document have equal keys; the key of white space is None."""
    last: int | None = None
    blank = False
    for number, line in lines:
        blank = line.isspace() and (blank or number != last)
        last = number
        yield None if blank else number if kind == "line" else kind, number, line


def _pieces(lines: Iterator[Line], longest: int) -> Iterator[tuple[int, str, str]]:
    """A document as one piece if it is no longer than `longest`, else in pieces: (number of a line, piece, target).

    Example:
        >>> lines = [(1, "a" * 600), (2, "b" * 600), (3, "c")]
        >>> [(number, len(piece), target) for number, piece, target in _pieces(iter(lines), 0)]
        [(1, 1200, ''), (3, 1, 'end')]
        >>> [(number, len(piece), target) for number, piece, target in _pieces(iter(lines), 2000)]
        [(1, 1201, 'end')]
    """
    start: list[Line] = []
    size = 0
    while size <= longest and (item := next(lines, None)):
        start.append(item)
        size += len(item[1])
    if size <= longest:
        yield *_joined(start), END
        return
    held: list[Line] = []
    size = 0
    for number, line in itertools.chain(start, lines):
        if size >= PIECE:
            yield *_joined(held), ""
            held, size = [], 0
        held.append((number, line))
        size += len(line)
    yield *_joined(held), END


def _joined(lines: list[Line]) -> Line:
    return lines[0][0], "".join(line for _, line in lines)
