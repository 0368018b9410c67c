"""Pretrained word vectors in the text format of GloVe and fastText: a word and its numbers on each line."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from seqtasks.data.text_files import open_text
from seqtasks.errors import UserError


def read(path: Path | str, words: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads the vectors of some words from a file, line by line.

    Args:
        path: the file, also compressed; a first line with two numbers (fastText) is skipped. A word may contain blanks,
            as in GloVe 840B: the last fields of a line, as many as the first has, are the numbers.
        words: the words to read; others are skipped.

    Returns:
        {word: float32 array (dimension,)} of those that the file has.

    Raises:
        UserError: if the file is missing or not UTF-8, or a line is invalid or of another length than the first.
    """
    wanted, vectors, dimension = set(words), {}, None
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                fields = line.rstrip().split(" ")
                if number == 1 and len(fields) == 2:
                    continue
                dimension = dimension or _numbers_at_the_end(fields)
                if len(fields) <= dimension:
                    what = f"{len(fields) - 1} numbers, expected {dimension}"
                    raise UserError(what, where=f"{path}:{number}", remedy="each line is a word and its numbers")
                word = " ".join(fields[:-dimension])
                if word in wanted:
                    vectors[word] = np.array(fields[-dimension:], "float32")
                elif len(fields) > dimension + 1:  # a word with blanks, or a line with too many numbers
                    _check_word(fields[:-dimension], f"{path}:{number}", dimension)
    except FileNotFoundError:
        raise UserError("no such file", where=path, remedy="give word vectors in text format to --vectors") from None
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise UserError("not UTF-8", where=path, remedy="save the vectors as UTF-8 text, not binary") from None
        raise UserError(f"not a number ({error})", where=f"{path}:{number}", remedy="give numbers") from None
    return vectors


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
        raise UserError(what, where=where, remedy="each line is a word and its numbers")


def fill(variable: keras.Variable, path: Path | str, words: Sequence[str]) -> None:
    """Copies the vectors of a file into the rows of an embedding; words without a vector keep their random row.

    `variable.filled_rows` tells fine-tuning which rows have a vector.

    Args:
        variable: Keras variable (words, dimension).
        path: see `read`.
        words: the word of each row.

    Raises:
        UserError: as of `read`, or if the vectors have another size than the rows.
    """
    vectors = read(path, words)
    dimension = len(next(iter(vectors.values()))) if vectors else variable.shape[1]
    if dimension != variable.shape[1]:
        raise UserError(f"vectors of size {dimension}", where=path, remedy=f"train with --dimension {dimension}")
    table = variable.numpy()
    for row, word in enumerate(words):
        table[row] = vectors.get(word, table[row])
    variable.assign(table)
    variable.filled_rows = [row for row, word in enumerate(words) if word in vectors]
    logging.getLogger("seqtasks").info("%s: vectors for %d of %d words", path, len(vectors), len(words))
