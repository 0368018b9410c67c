"""Pretrained word vectors: which words get a row of an embedding, and which vector each row starts from.

A recipe calls `settled` for options that are `auto`, `vocabulary` where it learns its words, and `place` where it
builds its embedding.
"""

import dataclasses
import itertools
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from seqtasks.data.token_ids import PAD, SPECIAL_TOKENS, UNK
from seqtasks.data.vocabulary import Vocabulary, count
from seqtasks.errors import UserError
from seqtasks.text import vector_files
from seqtasks.text.vector_files import read

__all__ = ["fill", "forms", "more_words", "place", "read", "settled", "vocabulary"]
ConfigT = TypeVar("ConfigT")
SCALE = 0.4  # standard deviation of vectors where they start, about that of GloVe
ENDINGS = (("'s", ""), ("s'", "s"), ("ies", "y"), ("es", ""), ("s", ""))  # of possessives and plurals


def forms(word: str) -> Iterator[str]:
    """The forms under which a word is looked up in a file of vectors, the best first.

    The word itself, in lower case, with a capital and in capitals; then without the end of a possessive or a plural;
    then the parts of a compound with a hyphen, the last first.

    Args:
        word: the word.

    Example:
        >>> list(forms("Babies"))
        ['Babies', 'babies', 'BABIES', 'Baby', 'baby', 'BABY', 'Babi', 'babi', 'BABI', 'Babie', 'babie', 'BABIE']
    """
    stems = [word, *(word.removesuffix(end) + new for end, new in ENDINGS if word.endswith(end) and len(word) > 3)]
    stems += [part for part in reversed(word.split("-")) if "-" in word and len(part) > 2]
    cases = itertools.chain.from_iterable((s, s.lower(), s.capitalize(), s.upper()) for s in stems)
    return iter(dict.fromkeys(cases))


def zeros(word: str) -> str:
    """A word in lower case with each digit replaced by 0.

    Example:
        >>> zeros("May-1984")
        'may-0000'
    """
    return re.sub(r"\d", "0", word.lower())


def vocabulary(
    chunks: Iterable[Iterable[str | bytes]],
    max_size: int | None,
    min_count: int,
    path: Path | str | None = None,
    more: int = 0,
    normal: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> Vocabulary:
    """The words of train as `Vocabulary.learn` counts them, and with a file of vectors words that have one.

    A text of validation or of later holds words that train does not, or holds rarely. Their vectors are known, so they
    get a row each: first words of train that are rarer than `min_count`, then the most frequent words of the file.

    Args:
        chunks: iterable of lists of words of train (`str` or UTF-8 `bytes`).
        max_size: number of words of train to keep, padding and UNK included; None keeps all.
        min_count: how often a word of train must appear to be kept without a vector.
        path: a file of vectors, or None.
        more: how many words that have a vector are added, at most.
        normal: what makes words of the file such as `chunks` have them (see `word_features.normal`).

    Raises:
        UserError: as of `vector_files.read`.
    """
    counts = count(chunks, 1 if path else min_count)
    ranked = [word for word, number in counts.items() if number >= min_count]
    ranked = ranked[: None if max_size is None else max(0, max_size - 2)]
    extra = more_words(path, more, ranked, counts, normal) if path else []
    return Vocabulary([*SPECIAL_TOKENS[:2], *ranked, *extra])


def more_words(
    path: Path | str,
    more: int,
    known: Iterable[str],
    others: Iterable[str] = (),
    normal: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> list[str]:
    """Words that have a vector and no row yet: those of `others`, then the most frequent of the file.

    Args:
        path: the file.
        more: how many, at most.
        known: words that have a row.
        others, normal: as of `vocabulary`.

    Raises:
        UserError: as of `vector_files.read`.
    """
    taken = {*known, *SPECIAL_TOKENS, ""}
    rare = [word for word in others if word not in taken]
    looked_up = {word: list(forms(word)) for word in rare}
    wanted = {form for found in looked_up.values() for form in found} | set(map(zeros, rare))
    has: set[str] = set()
    frequent: list[str] = []
    for word, _ in vector_files.scan(path, lambda word: False):
        has |= wanted & {word, zeros(word)}
        if len(frequent) < more:
            frequent.append(word)
    if normal and frequent:
        frequent = [word.decode("utf-8", "replace") for word in normal(tf.constant(frequent)).numpy().tolist()]
    rare = [word for word in rare if zeros(word) in has or not has.isdisjoint(looked_up[word])]
    return list(dict.fromkeys([*rare, *(word for word in frequent if word not in taken)]))[:more]


def vectors_of(path: Path | str, words: Sequence[str]) -> dict[str, np.ndarray]:
    """The vector of each word that has one, under one of its `forms`, or under a form that differs in its digits.

    Args:
        path: the file.
        words: the words.

    Raises:
        UserError: as of `vector_files.read`.
    """
    exact = {form for word in words for form in forms(word)}
    alike = {zeros(word) for word in words if re.search(r"\d", word)}
    found: dict[str, np.ndarray] = {}
    digits: dict[str, np.ndarray] = {}
    for word, vector in vector_files.scan(path, lambda word: word in exact or zeros(word) in alike):
        if vector is not None:
            found.setdefault(word, vector)
            if zeros(word) in alike:
                digits.setdefault(zeros(word), vector)
    result = {}
    for word in words:
        form = next((form for form in forms(word) if form in found), None)
        if form is not None or zeros(word) in digits:
            result[word] = digits[zeros(word)] if form is None else found[form]
    return result


def fill(
    variable: keras.Variable, path: Path | str, words: Sequence[str], scale: float | None = None, marker: str = ""
) -> None:
    """Copies the vectors of a file into the rows of an embedding.

    The row of UNK becomes the mean of the vectors. Words without a vector keep their random row. All are then
    multiplied by one number, which gives the vectors a standard deviation of `scale`.

    `variable.filled_rows` tells fine-tuning which rows have a vector.

    Args:
        variable: Keras variable (words, dimension).
        path: see `vector_files.read`.
        words: the word of each row, padding and UNK first.
        scale: standard deviation of the elements of the vectors; None leaves them as they are.
        marker: what a word of `words` may begin with that does not belong to it.

    Raises:
        UserError: as of `vector_files.read`, or if the vectors have another size than the rows.
    """
    bare = {word: word.removeprefix(marker) for word in words if word not in SPECIAL_TOKENS}
    vectors = vectors_of(path, list(dict.fromkeys(bare.values())))
    size = len(next(iter(vectors.values()))) if vectors else variable.shape[1]
    if size != variable.shape[1]:
        raise UserError(f"vectors of size {size}", where=path, remedy=f"train with --dimension {size}")
    rows = [row for row, word in enumerate(words) if bare.get(word) in vectors]
    if rows:
        table = variable.numpy()
        found = np.stack([vectors[bare[words[row]]] for row in rows])
        factor = 1.0 if scale is None else scale / max(float(found.std()), 1e-12)
        random = np.setdiff1d(np.arange(len(words)), rows)
        table[random] *= factor * float(found.std()) / max(float(table.std()), 1e-12)
        table[rows] = factor * found
        table[PAD], table[UNK] = 0, table[rows].mean(0)
        variable.assign(table)
    variable.filled_rows = rows
    logging.getLogger("seqtasks").info("%s: vectors for %d of %d words", path, len(rows), len(bare))


def place(
    layer: keras.layers.Layer,
    variable: keras.Variable,
    path: Path | str | None,
    words: Sequence[str],
    rate: float,
    begin: int = 0,
    scale: float = SCALE,
    marker: str = "",
) -> None:
    """Fills an embedding with the vectors of a file, and says at which rate it learns and from which epoch on.

    Args:
        layer: the embedding.
        variable: its table.
        path: the file, or None for a table that stays random, or that gets its weights from another run.
        words: the word of each row.
        rate: the learning rate of the table as a share of that of other weights; 0 for a table that never changes.
        begin: how many epochs it does not learn at the beginning.
        scale, marker: as of `fill`.

    Raises:
        UserError: as of `fill`.
    """
    if path is not None:
        fill(variable, path, words, scale, marker)
    variable.trainable = rate > 0
    layer.learning_rates, layer.learning_begins = {variable.name: rate}, {variable.name: begin}


def settled(config: ConfigT, files: Sequence[str] = ("vectors",), **defaults: tuple[Any, Any]) -> ConfigT:
    """The options with values for those that are `auto`, and with the dimension of the vectors.

    Args:
        config: options with `vectors` and `dimension`.
        files: the options that name files of vectors.
        defaults: for each option that may be `auto` its value without and with vectors.

    Raises:
        UserError: if another dimension was asked for than the vectors have, or vectors that never change were to
            change after some epochs.
    """
    paths = [path for path in (getattr(config, name) for name in files) if path is not None]
    values = {name: both[bool(paths)] for name, both in defaults.items() if getattr(config, name) == "auto"}
    if config.vectors_frozen_epochs:  # type: ignore[attr-defined]
        values |= {"vectors_rate": 1.0} if "vectors_rate" in values else {}
        if not paths or config.vectors_rate == 0:  # type: ignore[attr-defined]
            what = "the vectors never change" if paths else "there are no vectors"
            remedy = "leave it out, or give --vectors and a --vectors_rate above 0"
            raise UserError(what, where="--vectors_frozen_epochs", remedy=remedy)
    size = config.dimension  # type: ignore[attr-defined]
    for path in paths:
        found = vector_files.dimension(path)
        if size not in ("auto", found):
            other = f"vectors of size {size}" if path != paths[0] else f"--dimension {found}, or leave it out"
            raise UserError(f"vectors of size {found}", where=path, remedy=f"train with {other}")
        values["dimension"] = size = found
    return dataclasses.replace(config, **values)  # type: ignore[type-var]
