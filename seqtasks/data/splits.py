"""Splits: which examples are for training, for choosing the model (validation), and for measuring it (test)."""

import functools
import glob
import hashlib
import itertools
import os
import re
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtasks.data import hf, remote, tfds
from seqtasks.data.memory import is_in_memory, records_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source, join, literal, tolerant
from seqtasks.data.tables import SUFFIXES, Records, open_records
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError

NAMES = {
    "train": ("train", "training"),
    "validation": ("valid", "dev", "validation", "val", "devel", "development"),
    "test": ("test", "testing"),
}
PARTS = 10  # by hash
TEST, VALIDATION = 0, 1  # the parts that are taken for these splits
SMALL = 1000  # groups up to which an empty split gets the group that is next by its hash
SHARD = re.compile(r"(.+?)-\d+-of-\d+.*")  # train-00000-of-00004.parquet
FOLD_VALIDATION = 20  # of the training part of a fold, one group in so many is for validation


@dataclass(frozen=True)
class Splits:
    """The three sources of a run: train, validation, test."""

    train: Source
    validation: Source
    test: Source

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        return iter({"train": self.train, "validation": self.validation, "test": self.test}.items())


def number_of(text: str) -> int:
    """The SHA-256 of a text as an integer."""
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), 16)


def part(text: str) -> int:
    """The part of a text, from 0 to 9: its SHA-256 as an integer, modulo 10.

    Equal texts have the same part, so that no text is in two splits.

    Example:
        >>> part("a fine film"), part("a fine film")
        (5, 5)
    """
    return number_of(text) % PARTS


def place_of(text: str) -> float:
    """The place of a text between 0 and 1. The part of `part` is its first decimal.

    Example:
        >>> 0.5 <= place_of("a fine film") < 0.6
        True
    """
    number = number_of(text)
    return (number % PARTS + number // PARTS % 10**9 / 10**9) / PARTS


@dataclass(frozen=True)
class Formats:
    """How the data of an application is read.

    Args:
        records: `records(Records, reading) -> Source`, the examples of a table, of a data set, of data in memory; None
            if there are none.
        open: `open(path, reading) -> Source` of a file that is no table, or of a folder; None if there are none.
        suffixes: the suffixes of files that `open` reads.
        tables: the suffixes of files that `records` reads.
        is_header: `is_header(first row, reading)`, whether the first row of a table holds names.
        find: None, or `find(data, reading) -> {split: Source}` of a layout that only this application knows; empty for
            other data. `data` is a string.
        open_tfds: None, or `open_tfds(name, split, reading) -> Source`, where `records` cannot read what is inside.
        several: None, or for splits of several files each `several(paths) -> paths`, what to open of these files.
        complete: `complete({name: source}, reading) -> {name: source}` takes the splits that are missing from train;
            None takes them by the hash of the input.
        group: `group(input)`, the text that is hashed: examples with equal texts are in one split.
        grouped: how the warning calls that text.
        labels: `labels(target)`, the classes of which each needs an example in train; None if targets have none.
        training: None, or `training(source) -> source`, what of train is suitable for training.
    """

    records: Callable[[Records, Reading], Source] | None
    open: Callable[[Path, Reading], Source] | None = None
    suffixes: tuple[str, ...] = ()
    tables: tuple[str, ...] = SUFFIXES
    is_header: Callable[[list[str], Reading], bool] = lambda first, reading: True
    find: Callable[[str, Reading], Mapping[str, Source]] | None = None
    open_tfds: Callable[[str, str, Reading], Source] | None = None
    several: Callable[[list[Path]], list[Path]] | None = None
    complete: Callable[[dict[str, Source], Reading], dict[str, Source]] | None = None
    group: Callable[[str], str] = str
    grouped: str = "text"
    labels: Callable[[str], Iterable[str]] | None = None
    training: Callable[[Source], Source] | None = None

    def key(self, example: Example) -> str:
        """The text whose hash decides the split of an example."""
        return example.group or self.group(example.input)


def open_data(data: Any, formats: Formats, reading: Reading = Reading()) -> Source:
    """All examples of a path, a pattern of paths, a data set, or data in memory.

    Args:
        data: a path; a pattern such as `data/*.csv`; several paths separated by commas; `hf:NAME` or `tfds:NAME` with
            one split; a URL such as `gs://bucket/file.csv`; a `Source`; `Records`; or what
            `seqtasks.data.memory.records_of` takes.
        formats: how the data is read.
        reading: the options of reading.

    Raises:
        UserError: if there is nothing, or nothing that can be read.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, list | tuple) and data and all(isinstance(path, os.PathLike) for path in data):
        return join([_open_path(Path(path), formats, reading) for path in data], f"{data[0]}, ...")
    if isinstance(data, Records) or is_in_memory(data):
        records = data if isinstance(data, Records) else records_of(data)
        if formats.records is None:
            raise UserError("data in memory is not read by this recipe", where=records.name, remedy="give files")
        return formats.records(records, reading)
    name = os.fspath(data)
    if name.startswith(("hf:", "tfds:")):
        found = _data_set(name, formats, reading)
        if len(found) != 1:
            what = f"has the splits {', '.join(found)}"
            raise UserError(what, where=name, remedy="give the whole data set to --data")
        return next(iter(found.values()))
    if formats.find and (special := formats.find(name, reading)):
        return join(list(special.values()), name) if len(special) > 1 else next(iter(special.values()))
    files = _files(name)
    sources = [_open_path(path, formats, reading) for path in files]
    return sources[0] if len(sources) == 1 else join(sources, name)


def _files(name: str) -> list[Path]:
    """The paths that a name stands for: a path, a pattern, or several paths separated by commas."""
    name = remote.local(name)
    if Path(name).exists():
        return [Path(name)]
    if glob.has_magic(name):
        found = [Path(p) for p in sorted(glob.glob(name, recursive=True)) if not Path(p).name.startswith(".")]
        if not found:
            raise UserError("no file matches", where=name, remedy="check the pattern")
        return found
    several = [Path(part.strip()) for part in name.split(",")]
    return several if len(several) > 1 and all(path.exists() for path in several) else [Path(name)]


def _open_path(path: Path, formats: Formats, reading: Reading) -> Source:
    if not path.exists() and not formats.several:
        raise UserError("no such file or folder", where=path, remedy="check the path")
    suffix = suffix_of(path)
    if path.is_file() and suffix in formats.tables and suffix not in formats.suffixes and formats.records:
        records = open_records(path, reading, lambda first: formats.is_header(first, reading))
        return formats.records(records, reading)
    if formats.open is None or (path.is_file() and not formats.several and suffix not in formats.suffixes):
        known = ", ".join((*formats.suffixes, *(s for s in formats.tables if s not in formats.suffixes)))
        remedy = f"files end in {known}, also with .gz, .bz2, .xz or .zst"
        raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)
    return formats.open(path, reading)


def find_splits(
    data: Any,
    formats: Formats,
    reading: Reading = Reading(),
    train: Any = None,
    valid: Any = None,
    test: Any = None,
    check: Callable[[Source], Source] | None = None,
) -> Splits:
    """The splits of `--data`, `--train`, `--valid` and `--test`.

    Faulty records of train are repaired or left out, up to `reading.max_bad`; so are those of data that has no splits.
    Validation and test are read as they are.

    Args:
        data: a folder with `train.*`, `valid.*` (or `dev.*`, `validation.*`) and `test.*`, files or folders; a dict of
            such splits; a data set, `hf:NAME` or `tfds:NAME`; or what `open_data` takes, which is split 80/10/10 by the
            hash of its inputs (`part`), or as `reading` says.
        formats: how the data is read.
        reading: the options of reading.
        train, valid, test: what replaces the splits of `data`.
        check: None, or `check(source) -> source` with more `Faulty` records, such as those whose files are not readable.

    Returns:
        The three splits. What is missing is taken from train, with a warning.

    Raises:
        UserError: if there is nothing to train on.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.columns import read_columns
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("train", "valid", "test"):
        ...     _ = (folder / f"{name}.tsv").write_text(f"text\\tlabel\\na {name} text\\tgood\\n")
        >>> splits = find_splits(folder, Formats(lambda records, reading: read_columns(records, reading=reading)))
        >>> [(name, [example.input for example in source]) for name, source in splits]
        [('train', ['a train text']), ('validation', ['a valid text']), ('test', ['a test text'])]
    """
    found = _find(data, formats, reading) if data is not None else {}
    given = {"train": train, "validation": valid, "test": test}
    found |= {name: open_data(value, formats, reading) for name, value in given.items() if value is not None}
    if "train" not in found:
        raise UserError("nothing to train on", where=_name(data) or "--train", remedy="give --data or --train a file")
    if check:
        found = {name: check(source) for name, source in found.items()}
    sources = {name: literal(source) for name, source in found.items()}
    sources["train"] = tolerant(found["train"], reading.max_bad, reading.strict)
    missing = [name for name in ("validation", "test") if name not in sources]
    if missing and formats.complete:
        sources = formats.complete(sources, reading)
    elif missing:
        sources |= _taken(sources["train"], missing, formats, reading)
    if formats.training:
        sources["train"] = formats.training(sources["train"])
    return Splits(**sources)


def has_splits(data: Any, formats: Formats | None = None) -> bool:
    """Whether data names a test split of its own: a data set, a dict of splits, a folder with `test.*`.

    Args:
        data: as of `find_splits`.
        formats: None, or what may know more layouts.
    """
    if is_in_memory(data):
        return isinstance(data, Mapping)
    if os.fspath(data).startswith(("hf:", "tfds:")):
        return True
    if formats and formats.find and "test" in formats.find(os.fspath(data), Reading()):
        return True
    folder = Path(os.fspath(data))
    return folder.is_dir() and any(_split_of(_stem(path)) == "test" for path in folder.iterdir())


def _name(data: Any) -> str:
    return type(data).__name__ if is_in_memory(data) else os.fspath(data)


def _find(data: Any, formats: Formats, reading: Reading) -> dict[str, Source]:
    """The splits that data has; all of it is train if it has none."""
    if isinstance(data, Mapping):
        named = {_split_of(str(name)): value for name, value in data.items()}
        if None in named:
            what = f"no split is called {next(n for n in data if _split_of(str(n)) is None)!r}"
            raise UserError(what, where="data", remedy="call them train, validation and test")
        return {name: open_data(value, formats, reading) for name, value in named.items() if name}
    if is_in_memory(data):
        return {"train": open_data(data, formats, reading)}
    name = os.fspath(data)
    if name.startswith(("hf:", "tfds:")):
        return _data_set(name, formats, reading)
    if formats.find and (special := formats.find(name, reading)):
        return dict(special)
    folder = Path(remote.local(name))
    if folder.is_dir() and (found := _in_folder(folder, formats)):
        return {split: open_data(paths, formats, reading) for split, paths in found.items()}
    return {"train": open_data(data, formats, reading)}


def _data_set(name: str, formats: Formats, reading: Reading) -> dict[str, Source]:
    """The splits of a data set of `datasets` or of TensorFlow Datasets."""
    kind, _, inner = name.partition(":")
    if kind == "hf":
        if formats.records is None:
            raise UserError("data sets are not read by this recipe", where=name, remedy="give files")
        opened = hf.open_splits(inner)
        found = {split: opened[n] for split, n in _named_splits(list(opened), name).items()}
        return {split: formats.records(records, reading) for split, records in found.items()}
    names = _named_splits(tfds.split_names(inner), name)
    if formats.open_tfds:
        return {split: formats.open_tfds(inner, n, reading) for split, n in names.items()}
    if formats.records is None:
        raise UserError("data sets are not read by this recipe", where=name, remedy="give files")
    return {split: formats.records(tfds.open_records(inner, n), reading) for split, n in names.items()}


def _named_splits(names: Sequence[str], where: str) -> dict[str, str]:
    """The name of each split of a data set; if none is exact, the first like `train_clean100`, with a warning."""
    exact = {split: n for n in reversed(names) if (split := _split_of(n))}
    similar: dict[str, list[str]] = {}
    for name in names:
        if (split := _split_of(re.split("[-_.]", name)[0])) and split not in exact:
            similar.setdefault(split, []).append(name)
    for split, (first, *others) in similar.items():
        if others:
            warnings.warn(f"{where}: {first} taken for {split}, not {', '.join(others)}", stacklevel=4)
    return exact | {split: found[0] for split, found in similar.items()}


def _split_of(name: str) -> str | None:
    """The split that a name stands for, or None.

    Example:
        >>> _split_of("dev"), _split_of("Train-00000-of-00004"), _split_of("good")
        ('validation', 'train', None)
    """
    name = name.lower()
    name = shard[1] if (shard := SHARD.fullmatch(name)) else name
    return next((split for split, names in NAMES.items() if name in names), None)


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.name.split(".")[0]


def _in_folder(folder: Path, formats: Formats) -> dict[str, Any]:
    """The files or folders of the splits in a folder; several shards of one split are one list."""
    found: dict[str, Any] = {}
    inside = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    for split in NAMES:
        named = [p for p in inside if _split_of(_stem(p)) == split]
        here = [p for p in named if p.is_dir() or suffix_of(p) in (*formats.suffixes, *formats.tables)]
        here += formats.several(named) if formats.several else []
        if len(here) > 1 and not all(SHARD.fullmatch(p.name) for p in here):
            listed = ", ".join(p.name for p in here)
            raise UserError(
                f"several files for {split}: {listed}", where=folder, remedy=f"name one with --{NAMES[split][0]}"
            )
        if here:
            found[split] = here if len(here) > 1 else here[0]
    if found and "train" not in found:
        listed = ", ".join(str(getattr(p, "name", p)) for p in found.values())
        raise UserError(f"{listed} but no train.*", where=folder, remedy="add one, or name it with --train")
    return found


def _taken(train: Source, missing: Sequence[str], formats: Formats, reading: Reading) -> dict[str, Source]:
    """Train, and the splits that are missing, taken from it by hash."""
    shares = dict(zip(("train", "validation", "test"), reading.shares, strict=True))
    percent = {f"{100 * shares[name]:g}" for name in missing}
    much = f"{percent.pop()} % of train {'each ' * (len(missing) > 1)}" if len(percent) == 1 else "parts of train "
    by = f"column {reading.group}" if reading.group else formats.grouped
    what = f"no {' and no '.join(sorted(missing))} split given; {much}taken by the hash of the {by}"
    warnings.warn(f"{train.name}: {what}", stacklevel=3)
    choose = _Choice(train, missing, shares, formats, reading)
    return {
        name: train.select(lambda example, name=name: choose(example) == name)  # type: ignore[misc]
        for name in ("train", *missing)
    }


class _Choice:
    """Chooses the split of an example of data without splits.

    Its place between 0 and 1, by the hash of its key, decides: the first share is test, the next validation. A class
    that would have no example in train keeps its first one there, and in small data no split is empty.
    """

    def __init__(
        self, train: Source, missing: Sequence[str], shares: Mapping[str, float], formats: Formats, reading: Reading
    ) -> None:
        if reading.stratify and reading.group:
            raise UserError("--stratify and --group exclude each other", remedy="leave one out")
        if reading.stratify and not formats.labels:
            raise UserError("the data has no classes", where="--stratify", remedy="leave it out")
        self.train, self.formats, self.reading = train, formats, reading
        self.order = [name for name in ("test", "validation") if name in missing]
        self.shares = [shares[name] for name in self.order]

    def __call__(self, example: Example) -> str:
        key = self.formats.key(example)
        bounds, exceptions = self._learnt
        if key in exceptions:
            return exceptions[key]
        label = self._label(example) if self.reading.stratify else ""
        return self._at(place_of(key), bounds[label])

    def _at(self, place: float, bounds: Sequence[float]) -> str:
        return next((name for name, bound in zip(self.order, bounds, strict=True) if place < bound), "train")

    def _label(self, example: Example) -> str:
        return next(iter(self.formats.labels(example.target)), "") if self.formats.labels else ""

    @functools.cached_property
    def _learnt(self) -> tuple[dict[str, Sequence[float]], dict[str, str]]:
        """The bounds of the places of each split, by label if stratified, and keys that are exceptions."""
        plain = self._bounds(self.shares)
        bounds: dict[str, Sequence[float]] = {"": plain}
        if self.reading.stratify:
            places: dict[str, array[float]] = {}
            for example in self.train:
                places.setdefault(self._label(example), array("d")).append(place_of(self.formats.key(example)))
            bounds = {label: self._bounds(self.shares, sorted(found)) for label, found in places.items()}
        first: dict[str, str] = {}  # the first key of each label
        trained: Counter[str] = Counter()  # labels in train
        keys: dict[str, tuple[str, tuple[str, ...]]] | None = {}  # of small data: the split and the labels of each
        for example in self.train:
            key, label = self.formats.key(example), self._label(example) if self.reading.stratify else ""
            labels = tuple(self.formats.labels(example.target)) if self.formats.labels else ()
            split = self._at(place_of(key), bounds[label])
            for one in labels:
                first.setdefault(one, key)
                trained[one] += split == "train"
            if keys is not None:
                keys.setdefault(key, (split, labels))
                keys = keys if len(keys) <= SMALL else None
        exceptions = {key: "train" for label, key in first.items() if not trained[label]}
        if keys is not None:
            self._fill(keys, exceptions, trained)
        return bounds, exceptions

    def _bounds(self, shares: Sequence[float], places: Sequence[float] | None = None) -> list[float]:
        ends = [round(end, 12) for end in itertools.accumulate(shares)]
        if places is None:
            return ends
        return [places[n] if (n := round(end * len(places))) < len(places) else 1.0 for end in ends]

    def _fill(
        self, keys: dict[str, tuple[str, tuple[str, ...]]], exceptions: dict[str, str], trained: Counter[str]
    ) -> None:
        """Give each empty split the key of train whose place is the lowest and whose labels train can spare."""
        used = Counter(exceptions.get(key, split) for key, (split, _) in keys.items())
        for name in self.order:
            if used[name] or used["train"] < 2:
                continue
            spare = [k for k, (split, labels) in keys.items() if exceptions.get(k, split) == "train" and k not in exceptions
                     and all(trained[label] > 1 for label in labels)]  # fmt: skip
            if spare:
                chosen = min(spare, key=place_of)
                exceptions[chosen] = name
                used.update({name: 1, "train": -1})
                trained.subtract(keys[chosen][1])


def fold(source: Source, formats: Formats, number: int, count: int) -> Splits:
    """One fold of a cross-validation: each example is in test once; a twentieth of the rest is for validation.

    Args:
        source: all examples.
        formats: its groups stay on one side.
        number: of the fold, from 0.
        count: the number of folds.

    Example:
        >>> source = Source(lambda: (Example(f"text {n}", "good", n) for n in range(100)), "memory")
        >>> sum(len(list(fold(source, Formats(None), number, 5).test)) for number in range(5))
        100
    """

    def split(example: Example) -> str:
        hashed = number_of(formats.key(example))
        if hashed % count == number:
            return "test"
        return "validation" if hashed // count % FOLD_VALIDATION == 0 else "train"

    chosen = {n: source.select(lambda e, n=n: split(e) == n) for n in ("train", "validation", "test")}  # type: ignore[misc]
    name = f"{source.name} (fold {number + 1} of {count})"
    chosen = {n: replace(part, name=name) for n, part in chosen.items()}
    return Splits(**(chosen | ({"train": formats.training(chosen["train"])} if formats.training else {})))
