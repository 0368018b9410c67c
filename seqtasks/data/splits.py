"""Splits: which examples train, which choose the model, and which measure it."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqtasks.data.sources import SUFFIXES, Columns, Source, open_source, open_tfds, suffix_of
from seqtasks.errors import UserError

NAMES = {"train": ("train",), "validation": ("valid", "dev", "validation"), "test": ("test",)}
TEST, VALIDATION = 0, 1  # of ten parts by hash


@dataclass(frozen=True)
class Splits:
    """The three sources of a run: train, validation, test."""

    train: Source
    validation: Source
    test: Source

    def __iter__(self):
        return iter({"train": self.train, "validation": self.validation, "test": self.test}.items())


def part(text):
    """Which tenth a text belongs to, from 0 to 9: its SHA-256 as an integer, modulo 10.

    Equal texts land in the same part, so that none is both learnt and asked for.

    Example:
        >>> part("a fine film"), part("a fine film")
        (5, 5)
    """
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), 16) % 10


class Formats(NamedTuple):
    """How the files of a kind of data are read.

    Args:
        open: `open(path, options) -> Source`.
        suffixes: of the files that may hold a split.
        open_tfds: `open_tfds(name, split, options) -> Source`, or None.
        several: `several(paths) -> paths`: what to open where a split lies in several of these files, or None.
        complete: `complete({name: source}, options) -> {name: source}` with the splits that are missing, taken from
            train; None takes them by the hash of the input.
        group: `group(input)`, the text whose hash decides: examples with the same stay on one side.
        grouped: what that is called in the warning.
    """

    open: Callable
    suffixes: tuple[str, ...]
    open_tfds: Callable | None = None
    several: Callable | None = None
    complete: Callable | None = None
    group: Callable = str
    grouped: str = "text"


TEXTS = Formats(open_source, SUFFIXES, open_tfds)


def find_splits(data, options=Columns(), train=None, valid=None, test=None, formats=TEXTS):
    """The splits behind `--data`, `--train`, `--valid` and `--test`.

    Args:
        data: a folder with `train.*`, `valid.*` (or `dev.*`, `validation.*`) and `test.*`, files or folders; one file
            or one folder with a sub-folder per class, which is split 80/10/10 by `part`; or `tfds:NAME`.
        options: how to read a file, as `formats` takes it.
        train, valid, test: paths that take the place of what `data` holds.
        formats: what the files may be.

    Raises:
        UserError: if there is nothing to train on.
    """
    if str(data).startswith("tfds:") and formats.open_tfds:
        found = _tfds(str(data)[5:], options, formats)
    else:
        found = _paths(data, formats)
    found |= {k: v for k, v in (("train", train), ("validation", valid), ("test", test)) if v is not None}
    if "train" not in found:
        raise UserError("nothing to train on", where=data or "--train", remedy="give --data or --train a file")
    sources = {k: v if isinstance(v, Source) else formats.open(v, options) for k, v in found.items()}
    return Splits(**(formats.complete(sources, options) if formats.complete else _complete(sources, formats)))


def _paths(data, formats):
    if data is None:
        return {}
    data = Path(data)
    if not data.is_dir():
        return {"train": data}
    found = {}
    for split, names in NAMES.items():
        named = sorted(p for p in data.iterdir() if _stem(p) in names)
        here = [p for p in named if p.is_dir() or suffix_of(p) in formats.suffixes]
        here += formats.several(named) if formats.several else []
        if len(here) > 1:
            listed = ", ".join(p.name for p in here)
            raise UserError(f"several files for {split}: {listed}", where=data, remedy=f"name one with --{names[0]}")
        if here:
            found[split] = here[0]
    if found and "train" not in found:
        listed = ", ".join(p.name for p in found.values())
        raise UserError(f"{listed} but no train.*", where=data, remedy="add one, or name it with --train")
    return found or {"train": data}


def _stem(path):
    return path.name.lower() if path.is_dir() else path.name.lower().split(".")[0]


def _tfds(name, options, formats):
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
        available = list(builder.info.splits) or ["train", "test"]  # some data sets do not list their splits
    except tfds.core.DatasetNotFoundError:
        raise UserError("no such data set", where=f"tfds:{name}", remedy="see tfds.list_builders()") from None
    names = {split: next((n for n in names if n in available), None) for split, names in NAMES.items()}
    return {split: formats.open_tfds(name, n, options) for split, n in names.items() if n is not None}


def _complete(sources, formats):
    """Take the splits that are missing from train, by hash."""
    taken = {n: s for s, n in (("validation", VALIDATION), ("test", TEST)) if s not in sources}
    if taken:
        train, missing = sources["train"], sorted(taken.values())
        warnings.warn(
            f"{train.name}: no {' and no '.join(missing)} split given; 10 % of train {'each ' * (len(missing) > 1)}"
            f"taken by the hash of the {formats.grouped}",
            stacklevel=2,
        )
        for number, split in taken.items():
            sources[split] = train.select(lambda e, number=number: part(formats.group(e.input)) == number)
        sources["train"] = train.select(lambda e: part(formats.group(e.input)) not in taken)
    return sources
