"""Files of word vectors: the text format of GloVe, fastText and word2vec, and the binary format of word2vec.

A line of text is a word and its numbers; a first line with the number of words and the dimension is skipped. Files are
read once from front to back, also compressed ones, and only the vectors that are asked for are held.
"""

import io
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from seqtasks.data.text_files import UNREADABLE, open_text, raw_bytes, read_error, suffix_of
from seqtasks.errors import UserError

Wanted = Callable[[str], bool]
FASTTEXT = struct.pack("<i", 793712314)  # how fastText's own models begin
LONGEST = 10_000  # bytes of a word in a binary file, at most
EACH_LINE = "each line is a word and its numbers"


def dimension(path: Path | str) -> int:
    """The number of numbers of each word.

    Args:
        path: the file.

    Raises:
        UserError: if the file is missing, empty, or not of a known format.
    """
    for _, vector in scan(path, lambda word: True):
        assert vector is not None
        return len(vector)
    raise UserError("no vectors", where=path, remedy=EACH_LINE)


def read(path: Path | str, words: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads the vectors of some words.

    Args:
        path: the file, also compressed. A word of a text file may contain blanks, as in GloVe 840B: the last fields of
            a line, as many as the first has, are the numbers.
        words: the words to read; others are skipped.

    Returns:
        {word: float32 array (dimension,)} of those that the file has.

    Raises:
        UserError: if the file is missing or of an unknown format, or a line is invalid or of another length than the
            first.
    """
    wanted = set(words)
    return {word: vector for word, vector in scan(path, wanted.__contains__) if vector is not None}


def scan(path: Path | str, wanted: Wanted) -> Iterator[tuple[str, np.ndarray | None]]:
    """All words of a file in its order, which is that of frequency in all files in use.

    Args:
        path: the file.
        wanted: whether a word's vector is needed.

    Yields:
        The word, and its float32 array (dimension,), or None if it is not needed.

    Raises:
        UserError: as of `read`.
    """
    try:
        with raw_bytes(path) as file:
            start = file.read(4)
        if start == FASTTEXT:
            remedy = "take the .vec file that fastText writes beside it"
            raise UserError("fastText's own binary format", where=path, remedy=remedy)
        if start == b"PK\x03\x04":
            raise UserError("a ZIP archive", where=path, remedy="unpack it, and give the file of vectors")
        yield from (_binary if suffix_of(path) == ".bin" else _text)(path, wanted)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError("no such file", where=path, remedy="give word vectors in text format to --vectors") from None
    except UnicodeDecodeError:
        raise UserError("not UTF-8", where=path, remedy="save the vectors as UTF-8 text, not binary") from None
    except UNREADABLE as error:
        raise read_error(Path(path), error) from None


def _text(path: Path | str, wanted: Wanted) -> Iterator[tuple[str, np.ndarray | None]]:
    size = 0
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip()
            blanks = line.count(" ")
            if number == 1 and blanks == 1:
                continue
            if not size:
                size = _numbers_at_the_end(line.split(" "))
            if blanks < size:
                raise UserError(f"{blanks} numbers, expected {size}", where=f"{path}:{number}", remedy=EACH_LINE)
            if blanks == size:
                word, numbers = line.split(" ", 1)
                kept = wanted(word)
            else:
                fields = line.split(" ")
                word, numbers = " ".join(fields[:-size]), " ".join(fields[-size:])
                kept = wanted(word)
                if not kept:  # a word with blanks, or a line with too many numbers
                    _check_word(fields[:-size], f"{path}:{number}", size)
            yield word, _floats(numbers, f"{path}:{number}") if kept else None


def _floats(text: str, where: str) -> np.ndarray:
    try:
        return np.array(text.split(" "), "float32")
    except ValueError as error:
        raise UserError(f"not a number ({error})", where=where, remedy="give numbers") from None


def _binary(path: Path | str, wanted: Wanted) -> Iterator[tuple[str, np.ndarray | None]]:
    """The format of word2vec: a line with count and dimension; for each word it, a blank, and float32 numbers."""
    with io.BufferedReader(raw_bytes(path), 2**20) as file:  # type: ignore[type-var]
        head = file.readline(64)
        found = re.fullmatch(rb"(\d+) (\d+)\s*", head)
        if not found:
            remedy = "a .bin file is one of word2vec; give vectors in text format (.txt, .vec) otherwise"
            raise UserError("does not begin with the number of words and of numbers", where=path, remedy=remedy)
        count, size = int(found[1]), int(found[2])
        for number in range(1, count + 1):
            name = bytearray()
            while (byte := file.read(1)) not in (b" ", b"") and len(name) < LONGEST:
                name += byte
            values = file.read(4 * size)
            if byte != b" " or len(values) < 4 * size:
                what = f"ends in word {number} of {count}" if len(name) < LONGEST else f"no blank after word {number}"
                raise UserError(what, where=path, remedy="download the file again")
            word = bytes(name).lstrip(b"\n").decode("utf-8", "replace")  # some writers end a vector with a line end
            yield word, np.frombuffer(values, "<f4").astype("float32") if wanted(word) else None


def _numbers_at_the_end(fields: Sequence[str]) -> int:
    """How many fields at the end of a line are numbers; at least one is left for the word.

    Example:
        >>> _numbers_at_the_end([".", ".", "0.5", "-1"]), _numbers_at_the_end(["7", "0.5"])
        (2, 1)
    """
    count = 0
    while count < len(fields) - 1 and _is_number(fields[-1 - count]):
        count += 1
    return max(count, 1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_word(parts: Sequence[str], where: str, dimension: int) -> None:
    """Raise `UserError` if what should be a word with blanks is a word and numbers: the line has too many of them."""
    if len(parts) > 1 and all(_is_number(part) for part in parts[1:]) and not _is_number(parts[0]):
        what = f"{dimension + len(parts) - 1} numbers, expected {dimension}"
        raise UserError(what, where=where, remedy=EACH_LINE)
