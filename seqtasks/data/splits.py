"""Splits: which examples are for training, for choosing the model (validation), and for measuring it (test)."""

import functools
import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqtasks.data import tfds
from seqtasks.data.sources import Columns, Example, Source, open_source, open_tfds
from seqtasks.data.tables import SUFFIXES
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError

NAMES = {"train": ("train",), "validation": ("valid", "dev", "validation"), "test": ("test",)}
PARTS = 10  # by hash
TEST, VALIDATION = 0, 1  # the parts that are taken for these splits


@dataclass(frozen=True)
class Splits:
    """The three sources of a run: train, validation, test."""

    train: Source
    validation: Source
    test: Source

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        return iter({"train": self.train, "validation": self.validation, "test": self.test}.items())


def part(text: str) -> int:
    """The part of a text, from 0 to 9: its SHA-256 as an integer, modulo 10.

    Equal texts have the same part, so that no text is in two splits.

    Example:
        >>> part("a fine film"), part("a fine film")
        (5, 5)
    """
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), 16) % PARTS


class Formats(NamedTuple):
    """How the files of a kind of data are read.

    Args:
        open: `open(path, options) -> Source`.
        suffixes: the suffixes of files that may hold a split.
        open_tfds: `open_tfds(name, split, options) -> Source`, or None.
        several: None, or for splits of several files each `several(paths) -> paths`, what to open of these files.
        complete: `complete({name: source}, options) -> {name: source}` takes the splits that are missing from train;
            None takes them by the hash of the input.
        group: `group(input)`, the text that is hashed: examples with equal texts are in one split.
        grouped: how the warning calls that text.
    """

    open: Callable[[Path, Any], Source]
    suffixes: tuple[str, ...]
    open_tfds: Callable[[str, str, Any], Source] | None = None
    several: Callable[[list[Path]], list[Path]] | None = None
    complete: Callable[[dict[str, Source], Any], dict[str, Source]] | None = None
    group: Callable[[str], str] = str
    grouped: str = "text"


TEXTS = Formats(open_source, SUFFIXES, open_tfds)


def find_splits(
    data: str | Path | None,
    options: Any = Columns(),
    train: str | Path | Source | None = None,
    valid: str | Path | Source | None = None,
    test: str | Path | Source | None = None,
    formats: Formats = TEXTS,
) -> Splits:
    """The splits of `--data`, `--train`, `--valid` and `--test`.

    Args:
        data: a folder with `train.*`, `valid.*` (or `dev.*`, `validation.*`) and `test.*`, files or folders; one file
            or one folder with a sub-folder per class, which is split 80/10/10 by `part`; or `tfds:NAME`.
        options: how to read a file, as `formats` takes it.
        train, valid, test: paths or sources that replace the splits of `data`.
        formats: how files are read.

    Returns:
        The three splits. What is missing is taken from train, with a warning.

    Raises:
        UserError: if there is nothing to train on.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("train", "valid", "test"):
        ...     _ = (folder / f"{name}.tsv").write_text(f"a {name} text\\tgood\\n")
        >>> [(name, [example.input for example in source]) for name, source in find_splits(folder)]
        [('train', ['a train text']), ('validation', ['a valid text']), ('test', ['a test text'])]
    """
    found: dict[str, Any] = {}
    if str(data).startswith("tfds:") and formats.open_tfds:
        found = _tfds(str(data)[5:], options, formats.open_tfds)
    elif data is not None:
        found = _paths(Path(data), formats)
    found |= {k: v for k, v in (("train", train), ("validation", valid), ("test", test)) if v is not None}
    if "train" not in found:
        raise UserError("nothing to train on", where=data or "--train", remedy="give --data or --train a file")
    sources = {k: v if isinstance(v, Source) else formats.open(v, options) for k, v in found.items()}
    return Splits(**(formats.complete(sources, options) if formats.complete else _complete(sources, formats)))


def _paths(data: Path, formats: Formats) -> dict[str, Path]:
    if not data.is_dir():
        return {"train": data}
    found: dict[str, Path] = {}
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


def _stem(path: Path) -> str:
    return path.name.lower() if path.is_dir() else path.name.lower().split(".")[0]


def _tfds(name: str, options: Any, open_tfds: Callable[[str, str, Any], Source]) -> dict[str, Source]:
    available = tfds.split_names(name)
    names = {split: next((n for n in names if n in available), None) for split, names in NAMES.items()}
    return {split: open_tfds(name, n, options) for split, n in names.items() if n is not None}


def _complete(sources: dict[str, Source], formats: Formats) -> dict[str, Source]:
    """Takes the splits that are missing from train, by hash."""
    taken = {n: s for s, n in (("validation", VALIDATION), ("test", TEST)) if s not in sources}
    if taken:
        train, missing = sources["train"], sorted(taken.values())
        warnings.warn(
            f"{train.name}: no {' and no '.join(missing)} split given; 10 % of train {'each ' * (len(missing) > 1)}"
            f"taken by the hash of the {formats.grouped}",
            stacklevel=2,
        )
        for number, split in taken.items():
            sources[split] = train.select(functools.partial(_in_part, formats.group, {number}))
        sources["train"] = train.select(functools.partial(_in_part, formats.group, {*range(PARTS)} - {*taken}))
    return sources


def _in_part(group: Callable[[str], str], numbers: set[int], example: Example) -> bool:
    return part(group(example.input)) in numbers
