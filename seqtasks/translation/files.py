"""Sources of sentence pairs for translation: two parallel files, tables, JSON, TensorFlow Datasets.

The input of an example is a sentence, its target the translation, its place the line of both.
"""

import itertools
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtasks.data import tfds
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import Formats, Splits, find_splits
from seqtasks.data.tables import LINES, SUFFIXES, read_records, read_rows
from seqtasks.data.text_files import UNREADABLE, open_bytes, read_error, replace_surrogates, suffix_of
from seqtasks.errors import UserError

SIDES = ("source", "target")  # also names of columns and fields
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*")  # the suffix of a file: de, deu, zh-hans, pt_br
HEADER = re.compile(r"[a-z]{2}")  # a first row with only such names is a header
SHORT = 20  # characters; if both sides of a pair are shorter, their ratio is not limited

Pair = tuple[str, str, int]  # source, target, line


@dataclass(frozen=True)
class Options:
    """How pairs are read.

    Args:
        source: the language that is translated, as in the names of files, columns and fields (`train.en`); None if
            the data itself tells it.
        target: the language of the translations, in the same way.
        max_characters: length of the longest sentence, in code points.
        max_ratio: the largest ratio of the lengths of the two sides of a training pair, in code points; it does not
            apply if both are shorter than 20.
    """

    source: str | None = None
    target: str | None = None
    max_characters: int = 1000
    max_ratio: float = 9.0


def load_splits(
    data: str | Path | None,
    options: Options = Options(),
    train: str | Path | Source | None = None,
    valid: str | Path | Source | None = None,
    test: str | Path | Source | None = None,
) -> Splits:
    """The splits of sentence pairs, as `find_splits` finds them.

    Pairs that are too long or of too different lengths are left out of train; in the other splits, a sentence that is
    too long is an error.

    Args:
        data: a folder with `train.en` and `train.de`, `valid.*` and `test.*`, or with one corpus; a path that
            `open_parallel` takes; or `tfds:NAME`.
        options: see `Options`.
        train, valid, test: paths or sources that replace the splits of `data`.
    """
    splits = find_splits(data, options, train, valid, test, FORMATS)
    validation, test_split = (checked(source, options) for source in (splits.validation, splits.test))
    return Splits(filtered(splits.train, options), validation, test_split)


def open_parallel(path: str | Path, options: Options = Options()) -> Source:
    """The source of a file with both sides, or of two files with a side each.

    Args:
        path: a table or JSON Lines; the common stem of two files (`corpus/train` of `corpus/train.en` and
            `corpus/train.de`), or one of them, which is the source if `options` name none; or a folder that holds one
            of these.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read, or if it is not clear which side is the
            source.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.tsv"
        >>> _ = path.write_text("Good morning\\tGuten Morgen\\n")
        >>> list(open_parallel(path))
        [Example(input='Good morning', target='Guten Morgen', place=1)]
    """
    path = Path(path)
    if path.is_dir():
        path = _only(path)
    if suffix_of(path) not in SUFFIXES:
        return _open_sides(path, options)
    open_bytes(path).close()  # raises an error if there is nothing in it
    read = _read_json if suffix_of(path) in LINES else _read_table
    return _source(lambda: read(path, options), (path, path), path.stat().st_size)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with a text for each language, like wmt and ted_hrlr_translate.

    Args:
        name: as `tfds.load` takes it, e.g. `wmt16_translate/ro-en`.
        split: e.g. `train`.
        options: see `Options`; if they name no languages, the data set's own direction is taken.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there are not two languages, or the named ones are not among them.
    """
    data = tfds.open_dataset(name, split, **loading)
    languages, own = data.features_of_type("Text"), data.info.supervised_keys
    if len(languages) < 2:
        raise data.no_feature("two languages")
    if own and all(key in languages for key in own) and options.source is None and options.target is None:
        options = replace(options, source=own[0], target=own[1])
    source, target = _direction(languages, options, f"tfds:{name}")

    def read() -> Iterator[Pair]:
        for number, record in data.records():
            yield record[source].decode("utf-8", "replace"), record[target].decode("utf-8", "replace"), number

    return _source(read, (data.place, data.place), data.size)


def sentence(text: str | bytes, max_characters: int) -> str:
    """A raw input as text.

    Args:
        text: `str` or UTF-8 `bytes`.
        max_characters: the largest length, in code points.

    Raises:
        UserError: if it is not UTF-8, or longer.

    Example:
        >>> sentence(b"Zwei M\\xc3\\xa4nner", 20)
        'Zwei Männer'
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (byte 0x{text[error.start]:02x} at offset {error.start})"
            raise UserError(what, remedy="save the text as UTF-8") from None
    if len(text) > max_characters:
        what = f"{len(text)} characters, more than --max_characters {max_characters}"
        raise UserError(what, remedy="split it into sentences")
    return text


def filtered(source: Source, options: Options = Options()) -> Source:
    """The pairs that are suitable for training; a warning after the first whole pass counts those left out.

    Args:
        source: all pairs.
        options: `max_characters` and `max_ratio`.

    Example:
        >>> rows = [Example("Good morning", "Guten Morgen", 1), Example("No", "Nein, " * 50, 2)]
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     print([e.place for e in filtered(Source(lambda: iter(rows), "memory"))], caught[0].message)
        [1] memory: 1 of 2 pairs left out: 1 with lengths more than 9.0 times apart (--max_characters, --max_ratio)
    """
    warned = False

    def read() -> Iterator[Example]:
        nonlocal warned
        left_out: Counter[str] = Counter()
        count = 0
        for count, example in enumerate(source, 1):  # noqa: B007
            if reason := _reason(example, options):
                left_out[reason] += 1
            else:
                yield example
        if left_out and not warned:
            warned = True
            reasons = ", ".join(f"{left_out[reason]} {reason}" for reason in sorted(left_out))
            what = f"{left_out.total()} of {count} pairs left out: {reasons} (--max_characters, --max_ratio)"
            warnings.warn(f"{source.name}: {what}", stacklevel=2)

    return Source(read, source.name, source.size)


def checked(source: Source, options: Options = Options()) -> Source:
    """The pairs of a held-out split, unchanged: evaluation leaves nothing out.

    Args:
        source: the pairs.
        options: `max_characters`.

    Raises:
        UserError: while reading, at a sentence of more than `max_characters`.

    Example:
        >>> source = Source(lambda: iter([Example("No", "Nein", 1)]), "test.tsv")
        >>> list(checked(source, Options(max_characters=3)))
        Traceback (most recent call last):
        seqtasks.errors.UserError: test.tsv:1: a sentence of 4 characters, more than --max_characters 3; ...
    """

    def read() -> Iterator[Example]:
        for example in source:
            longest = max(len(example.input), len(example.target))
            if longest > options.max_characters:
                what = f"a sentence of {longest} characters, more than --max_characters {options.max_characters}"
                raise UserError(what, where=source.where(example), remedy="raise it, or split the sentence")
            yield example

    return Source(read, source.name, source.size)


def _reason(example: Example, options: Options) -> str | None:
    """Why a pair is left out of train, or None."""
    short, long = sorted((len(example.input), len(example.target)))
    if long > options.max_characters:
        return f"longer than {options.max_characters} characters"
    if long >= SHORT and long > options.max_ratio * short:
        return f"with lengths more than {options.max_ratio} times apart"
    return None


def _source(read: Callable[[], Iterator[Pair]], names: Sequence[str | Path], size: int | None) -> Source:
    """The source of the pairs that `read()` yields; `names` are the two files, for messages."""

    def examples() -> Iterator[Example]:
        for source, target, line in read():
            for text, name, side in zip((source, target), names, SIDES, strict=True):
                if not text.strip():
                    remedy = "give each sentence its translation"
                    raise UserError(f"the {side} is empty", where=f"{name}:{line}", remedy=remedy)
            yield Example(source, target, line)

    return Source(examples, str(names[0]), size)


def _direction(names: Iterable[str], options: Options, where: str | Path) -> tuple[str, str]:
    """Which of `names` are source and target, in their own spelling."""
    known = {name.strip().lower(): name for name in names if name.strip()}
    wanted = [(name or "").lower() for name in (options.source, options.target)]
    if known.keys() >= set(SIDES) and not known.keys() & set(wanted):
        return known[SIDES[0]], known[SIDES[1]]
    others = [name for name in known if name not in wanted]
    if len(others) == 1 and any(wanted):
        wanted = [name or others[0] for name in wanted]
    if known.keys() >= set(wanted) and wanted[0] != wanted[1]:
        return known[wanted[0]], known[wanted[1]]
    listed = ", ".join(repr(name.strip()[:40]) for name in known.values()) or "nothing"
    missing = next((name for name in wanted if name and name not in known), None)
    what = f"no {missing!r} among {listed}" if missing else f"cannot tell source and target among {listed}"
    if len(known) < 2:
        raise UserError(what, where=where, remedy="give a source and a target")
    first = wanted[0] if wanted[0] in known else next(name for name in known if name != wanted[1])
    second = wanted[1] if wanted[1] in known and wanted[1] != first else next(name for name in known if name != first)
    raise UserError(what, where=where, remedy=f"choose, e.g. --source_language {first} --target_language {second}")


def _stem(path: Path) -> Path:
    """The path without `.gz` and without the language."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).with_suffix("")


def _language(path: Path) -> str:
    return suffix_of(path)[1:]


def _sides(stem: Path) -> dict[str, Path]:
    """The files `STEM.LANGUAGE`, {language: path}; a plain file is preferred to one of gzip."""
    if not stem.parent.is_dir():
        return {}
    here = [p for p in stem.parent.iterdir() if _stem(p) == stem and _language(p) and p.is_file()]
    return {_language(p): p for p in sorted(here, reverse=True) if suffix_of(p) not in SUFFIXES}


def _stems(paths: Iterable[Path]) -> list[Path]:
    """The stems that files of two or more languages have in common."""
    files = [p for p in paths if LANGUAGE.fullmatch(_language(p)) and suffix_of(p) not in SUFFIXES and p.is_file()]
    languages = Counter(stem for stem, _ in {(_stem(p), _language(p)) for p in files})
    return sorted(stem for stem, count in languages.items() if count > 1)


FORMATS = Formats(open_parallel, SUFFIXES, open_tfds, _stems)


def _only(folder: Path) -> Path:
    """The path of the one corpus in a folder."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    found = [*(p for p in files if suffix_of(p) in SUFFIXES), *_stems(files)]
    if len(found) != 1:
        listed = ", ".join(p.name for p in (found or files)[:8]) or "nothing"
        what = f"several corpora here ({listed})" if found else f"no sentence pairs here (found {listed})"
        remedy = f"give train.en and train.de, one file that ends in {', '.join(SUFFIXES)}, or its path"
        raise UserError(what, where=folder, remedy=remedy)
    return found[0]


def _open_sides(path: Path, options: Options) -> Source:
    stem = _stem(path) if path.is_file() else path
    sides = _sides(stem)
    if len(sides) < 2:
        if not path.is_file() and not sides:
            remedy = f"give a file, or the common stem of two ({path.name}.en and {path.name}.de)"
            raise UserError("no such file", where=path, remedy=remedy)
        remedy = f"name it {stem.name}.LANGUAGE in the same folder, or give a file that ends in {', '.join(SUFFIXES)}"
        raise UserError("no file with the translations", where=next(iter(sides.values()), path), remedy=remedy)
    if path.is_file() and options.source is None and options.target is None and len(sides) == 2:
        options = replace(options, source=_language(path))
    source, target = (sides[language] for language in _direction(sorted(sides), options, stem))
    for file in (source, target):
        open_bytes(file).close()
    size = source.stat().st_size + target.stat().st_size
    return _source(lambda: _read_sides(source, target), (source, target), size)


def _read_sides(source: Path, target: Path) -> Iterator[Pair]:
    pairs = itertools.zip_longest(_lines(source), _lines(target))
    counts = [0, 0]
    for line, (text, translation) in enumerate(pairs, 1):
        if text is not None and translation is not None:
            yield text, translation, line
        counts = [counts[0] + (text is not None), counts[1] + (translation is not None)]
    if counts[0] != counts[1]:
        what = f"{counts[0]} lines, but {counts[1]} in {target.name}"
        raise UserError(what, where=source, remedy="line n of one file must translate line n of the other")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, which end only at \\n or \\r\\n, at no other line separator of Unicode."""
    with open_bytes(path) as file:
        try:
            for line in file:
                yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UNREADABLE as error:
            raise read_error(path, error) from None


def _read_table(path: Path, options: Options) -> Iterator[Pair]:
    columns = None
    for line, row in read_rows(path, too_few="give every line a source and a target", tsv_newline="\n"):
        if columns is None:
            source, target, header = columns = _columns(path, row, options)
            if header:
                continue
        yield row[source], row[target], line


def _columns(path: Path, first: list[str], options: Options) -> tuple[int, int, bool]:
    """The indices of source and target in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]
    wanted = {name.lower() for name in (options.source, options.target) if name}
    named = set(names) >= set(SIDES) or set(names) & wanted or all(HEADER.fullmatch(name) for name in first)
    if suffix_of(path) == ".tsv" and len(first) == 2 and not named:
        return 0, 1, False
    source, target = _direction(first, options, path)
    return first.index(source), first.index(target), True


def _read_json(path: Path, options: Options) -> Iterator[Pair]:
    sides: tuple[str, str] | None = None
    for line, record in read_records(path, 'write {"source": ..., "target": ...}'):
        where, inner = f"{path}:{line}", record.get("translation")
        fields = inner if isinstance(inner, dict) else record
        sides = sides or _direction(fields, options, where)
        for side in sides:
            if not isinstance(fields.get(side), str):
                what = f"the field {side!r} is not a string: {fields.get(side)!r:.40}"
                raise UserError(what, where=where, remedy="give every sentence its translation")
        source, target = (replace_surrogates(fields[side]) for side in sides)
        yield source, target, line
