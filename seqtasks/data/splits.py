"""Splits: which examples are for training, for choosing the model (validation), and for measuring it (test)."""

import glob
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtasks.data import hf, remote, tfds
from seqtasks.data.memory import is_in_memory, records_of
from seqtasks.data.partition import held_out
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
SHARD = re.compile(r"(.+?)-\d+-of-\d+.*")  # train-00000-of-00004.parquet


@dataclass(frozen=True)
class Splits:
    """The three sources of a run: train, validation, test."""

    train: Source
    validation: Source
    test: Source

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        return iter({"train": self.train, "validation": self.validation, "test": self.test}.items())


@dataclass(frozen=True)
class Formats:
    """How the data of an application is read.

    Args:
        records: `records(Records, reading) -> Source`, the examples of a table, of a data set, of data in memory; None
            if there are none.
        open: `open(path, reading) -> Source` of a file that is no table, or of a folder; None if there are none.
        suffixes: the suffixes of files that `open` reads.
        tables: the suffixes of files that `records` reads.
        lines: the suffixes of files that hold an input on each line when inputs are answered.
        is_header: `is_header(first row, reading)`, whether the first row of a table holds names.
        named: the data that options of the application name, if none is given otherwise; None if they name none.
        find: None, or `find(data, reading) -> {split: Source}` of a layout that only this application knows; empty for
            other data. `data` is a string.
        parts: None, or `parts(Records, reading) -> {split: Source}` of data in memory whose records name their split;
            empty for other data.
        open_tfds: None, or `open_tfds(name, split, reading) -> Source`, where `records` cannot read what is inside.
        several: None, or for splits of several files each `several(paths) -> paths`, what to open of these files.
        complete: `complete({name: source}, reading) -> {name: source}` takes the splits that are missing from train;
            None takes them by the hash of the input.
        group: `group(input)`, the text that is hashed: examples with equal texts are in one split.
        grouped: how the warning calls that text.
        labels: `labels(target)`, the classes of which each needs an example in train; None if targets have none.
        training: None, or `training(source) -> source`, what of train is suitable for training.
        check_lines: None, or `check_lines(path, reading)`, which raises `UserError` for a `.txt` file whose lines are
            no inputs.
    """

    records: Callable[[Records, Reading], Source] | None
    open: Callable[[Path, Reading], Source] | None = None
    suffixes: tuple[str, ...] = ()
    tables: tuple[str, ...] = SUFFIXES
    lines: tuple[str, ...] = (".txt",)
    is_header: Callable[[list[str], Reading], bool] = lambda first, reading: True
    named: Any = None
    find: Callable[[str, Reading], Mapping[str, Source]] | None = None
    parts: Callable[[Records, Reading], Mapping[str, Source]] | None = None
    open_tfds: Callable[[str, str, Reading], Source] | None = None
    several: Callable[[list[Path]], list[Path]] | None = None
    complete: Callable[[dict[str, Source], Reading], dict[str, Source]] | None = None
    group: Callable[[str], str] = str
    grouped: str = "text"
    labels: Callable[[str], Iterable[str]] | None = None
    training: Callable[[Source], Source] | None = None
    check_lines: Callable[[Path, Reading], None] | None = None

    def of_target(self, target: str) -> "Formats":
        """These formats for a kind of target: numbers are no labels, of which each needs an example in train.

        Args:
            target: `number`, or what has labels.
        """
        return replace(self, labels=None) if target == "number" else self

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
        sources = [_open_path(path, formats, reading) for path in _together(map(Path, data), formats)]
        return join(sources, f"{data[0]}, ...") if len(sources) > 1 else sources[0]
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
    sources = [_open_path(path, formats, reading) for path in _together(_files(name), formats)]
    return sources[0] if len(sources) == 1 else join(sources, name)


def _together(paths: Iterable[Path], formats: Formats) -> list[Path]:
    """What to open of several paths, of which some may belong together."""
    paths = list(paths)
    together = formats.several(paths) if formats.several and len(paths) > 1 else []
    return together or paths


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
        check: None, or `check(source) -> source` with more `Faulty` records, such as those of unreadable files.

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
    found |= {name: _given(value, name, formats, reading) for name, value in given.items() if value is not None}
    if "train" not in found:
        raise UserError(
            "nothing to train on",
            where="--train" if data is None else _name(data),
            remedy="give --data or --train a file",
        )
    if check:
        found = {name: check(source) for name, source in found.items()}
    sources = {name: literal(source) for name, source in found.items()}
    sources["train"] = tolerant(found["train"], reading.max_bad, reading.strict)
    missing = [name for name in ("validation", "test") if name not in sources]
    if missing and formats.complete:
        sources = formats.complete(sources, reading)
    elif missing:
        sources |= held_out(sources["train"], missing, formats, reading)
    if formats.training:
        sources["train"] = formats.training(sources["train"])
    return Splits(**sources)


def _given(data: Any, split: str, formats: Formats, reading: Reading) -> Source:
    """The examples of a split that is given; of data that has several splits only this one."""
    if formats.find and not is_in_memory(data) and len(several := formats.find(os.fspath(data), reading)) > 1:
        if split not in several:
            what = f"has the splits {', '.join(several)}, but no {split}"
            raise UserError(what, where=os.fspath(data), remedy="give the file or folder of one split")
        return several[split]
    return open_data(data, formats, reading)


def has_splits(data: Any, formats: Formats | None = None) -> bool:
    """Whether data has a test split of its own: a data set, a dict of splits, a folder with `test.*` or for `find`.

    Args:
        data: as of `find_splits`.
        formats: how the data is read; None where no layout but the usual ones counts.
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
        remedy = "call them train, validation and test"
        if hasattr(data, "column_names"):  # of Hugging Face, where data sets have splits of other names
            data = {split: data[name] for split, name in _named_splits(list(data), type(data).__name__).items()}
        splits = [_split_of(str(name)) for name in data]
        if None in splits:
            what = f"no split is called {list(data)[splits.index(None)]!r}"
            raise UserError(what, where="data", remedy=remedy)
        if len(set(splits)) < len(splits):
            raise UserError(f"two names of one split among {', '.join(map(str, data))}", where="data", remedy=remedy)
        return {str(n): open_data(v, formats, reading) for n, v in zip(splits, data.values(), strict=True)}
    if is_in_memory(data):
        records = data if isinstance(data, Records) else records_of(data)
        parts = formats.parts(records, reading) if formats.parts else {}
        return dict(parts) or {"train": open_data(records, formats, reading)}
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


def whole(
    data: Any, formats: Formats, reading: Reading = Reading(), check: Callable[[Source], Source] | None = None
) -> Source:
    """All examples of data with or without splits: those of train, of validation and of test, in this order.

    Args:
        data: as of `find_splits`.
        formats: how the data is read.
        reading: the options of reading; faulty records are left out as of train.
        check: as of `find_splits`.

    Raises:
        UserError: if the examples depend on one another, as those of running text do.
    """
    if formats.complete:
        what, remedy = "running text is not taken apart into folds", "train once, without --folds"
        raise UserError(what, where="--folds", remedy=remedy)
    found = _find(data, formats, reading)
    sources = [check(found[name]) if check else found[name] for name in NAMES if name in found]
    one = sources[0] if len(sources) == 1 else join(sources, _name(data))
    return tolerant(one, reading.max_bad, reading.strict)
