"""Pretrained word vectors in the text format of GloVe and fastText: a word and its numbers on each line."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from seqtasks.data.sources import open_text
from seqtasks.errors import UserError


def read(path: Path | str, words: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads the vectors of some words from a file, line by line.

    Args:
        path: the file, gzip if its name ends in `.gz`; a first line with two numbers (fastText) is skipped.
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
                word, *values = line.rstrip().split(" ")
                if number == 1 and len(values) == 1:
                    continue
                dimension = dimension or len(values)
                if len(values) != dimension:
                    what = f"{len(values)} numbers, expected {dimension}"
                    raise UserError(what, where=f"{path}:{number}", remedy="each line is a word and its numbers")
                if word in wanted:
                    vectors[word] = np.array(values, "float32")
    except FileNotFoundError:
        raise UserError("no such file", where=path, remedy="give word vectors in text format to --vectors") from None
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise UserError("not UTF-8", where=path, remedy="save the vectors as UTF-8 text, not binary") from None
        raise UserError(f"not a number ({error})", where=f"{path}:{number}", remedy="give numbers") from None
    return vectors


def fill(variable: keras.Variable, path: Path | str, words: Sequence[str]) -> None:
    """Copies the vectors of a file into the rows of an embedding; words without a vector keep their random row.

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
    logging.getLogger("seqtasks").info("%s: vectors for %d of %d words", path, len(vectors), len(words))
