"""Sources of sentence pairs for translation: two files line by line, tables, JSON, TensorFlow Datasets.

The input of an example is a sentence, its target the translation; the place is the line where both stand.
"""

import csv
import itertools
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from seqtasks.data.sources import (
    LINES,
    SUFFIXES,
    TABLES,
    UNREADABLE,
    Example,
    Source,
    faults,
    json_lines,
    open_bytes,
    open_text,
    suffix_of,
)
from seqtasks.data.splits import Formats, Splits, find_splits
from seqtasks.errors import UserError

SIDES = ("source", "target")  # also the names of columns and fields that need no languages
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*")  # of a file: de, deu, zh-hans, pt_br
HEADER = re.compile(r"[a-z]{2}")  # a first row of such names alone is no pair
SHORT = 20  # characters; pairs whose sides are both shorter may be of any ratio


@dataclass(frozen=True)
class Options:
    """How pairs are to be read.

    Args:
        source: the language that is translated, as files, columns and fields are named (`train.en`); None where it
            is told otherwise.
        target: the same of the translations.
        max_characters: code points of the longest sentence.
        max_ratio: how many times as long one side of a training pair may be as the other, in code points; where both
            are shorter than 20, any.
    """

    source: str | None = None
    target: str | None = None
    max_characters: int = 1000
    max_ratio: float = 9.0


def load_splits(data, options=Options(), train=None, valid=None, test=None):
    """The splits of sentence pairs, as `find_splits` finds them.

    Train leaves out what is too long or of too unequal lengths; in the others, a sentence that is too long is an error.

    Args:
        data: a folder with `train.en` and `train.de`, `valid.*` and `test.*`, or with one corpus; a path that
            `open_parallel` takes; or `tfds:NAME`.
        options: see `Options`.
        train, valid, test: paths that take the place of what `data` holds.
    """
    splits = find_splits(data, options, train, valid, test, FORMATS)
    held_out = (checked(source, options) for source in (splits.validation, splits.test))
    return Splits(filtered(splits.train, options), *held_out)


def open_parallel(path, options=Options()):
    """The source behind a file with both sides, or behind two with a side each.

    Args:
        path: a table or JSON Lines; the common stem of two files (`corpus/train` of `corpus/train.en` and
            `corpus/train.de`), or one of them, which is the source where `options` do not say otherwise; or a folder
            that holds one of these.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read, or no telling which side is which.
    """
    path = Path(path)
    if path.is_dir():
        path = _only(path)
    if suffix_of(path) not in SUFFIXES:
        return _open_sides(path, options)
    open_bytes(path).close()  # there is something in it
    read = _read_json if suffix_of(path) in LINES else _read_table
    return _source(lambda: read(path, options), (path, path), path.stat().st_size)


def open_tfds(name, split, options=Options(), **loading):
    """One split of a data set of TensorFlow Datasets with a text for each language, like wmt and ted_hrlr_translate.

    Args:
        name: as `tfds.load` takes it, e.g. `wmt16_translate/ro-en`.
        split: e.g. `train`.
        options: see `Options`; without languages, the data set's own direction counts.
        loading: passed to `tfds.load` (`data_dir`).
    """
    import tensorflow_datasets as tfds

    data, info = tfds.load(name, split=split, with_info=True, shuffle_files=False, **loading)
    languages = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Text)]
    if len(languages) < 2:
        what = f"no two languages among the features {', '.join(info.features)}"
        raise UserError(what, where=f"tfds:{name}", remedy="name another data set")
    own = info.supervised_keys
    if own and all(key in languages for key in own) and options.source is None and options.target is None:
        options = replace(options, source=own[0], target=own[1])
    sides = _direction(languages, options, f"tfds:{name}")

    def read():
        for number, record in enumerate(tfds.as_numpy(data), 1):
            yield *(record[side].decode("utf-8", "replace") for side in sides), number

    size = info.splits[split].num_bytes if split in info.splits else None
    return _source(read, (f"tfds:{name}/{split}",) * 2, size)


def sentence(text, max_characters):
    """A raw input as text.

    Args:
        text: `str` or UTF-8 `bytes`.
        max_characters: code points that it may have.

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


def filtered(source, options=Options()):
    """The pairs that can be learnt from; a warning tells once, after the first whole pass, what was left out.

    Args:
        source: all the pairs.
        options: `max_characters` and `max_ratio`.

    Example:
        >>> rows = [Example("Good morning", "Guten Morgen", 1), Example("No", "Nein, " * 50, 2)]
        >>> with warnings.catch_warnings(record=True) as told:
        ...     print([e.place for e in filtered(Source(lambda: iter(rows), "memory"))], told[0].message)
        [1] memory: 1 of 2 pairs left out: 1 with lengths more than 9.0 times apart (--max_characters, --max_ratio)
    """
    warned = False

    def read():
        nonlocal warned
        left_out, count = Counter(), 0
        for count, example in enumerate(source, 1):  # noqa: B007
            if reason := _reason(example, options):
                left_out[reason] += 1
            else:
                yield example
        if left_out and not warned:
            warned = True
            told = ", ".join(f"{left_out[reason]} {reason}" for reason in sorted(left_out))
            told = f"{left_out.total()} of {count} pairs left out: {told} (--max_characters, --max_ratio)"
            warnings.warn(f"{source.name}: {told}", stacklevel=2)

    return Source(read, source.name, source.size)


def checked(source, options=Options()):
    """The pairs as they are.

    Args:
        source: the pairs of a split that measures.
        options: `max_characters`.

    Raises:
        UserError: while reading, at a sentence of more than `max_characters`: a measure leaves nothing out.
    """

    def read():
        for example in source:
            longest = max(len(example.input), len(example.target))
            if longest > options.max_characters:
                what = f"a sentence of {longest} characters, more than --max_characters {options.max_characters}"
                raise UserError(what, where=source.where(example), remedy="raise it, or split the sentence")
            yield example

    return Source(read, source.name, source.size)


def _reason(example, options):
    """Why a pair is left out of train, or None."""
    short, long = sorted((len(example.input), len(example.target)))
    if long > options.max_characters:
        return f"longer than {options.max_characters} characters"
    if long >= SHORT and long > options.max_ratio * short:
        return f"with lengths more than {options.max_ratio} times apart"
    return None


def _source(read, names, size):
    """The source of what `read()` yields, (source, target, line); `names` are of the two files, for messages."""

    def examples():
        for *sentences, line in read():
            for sentence, name, side in zip(sentences, names, SIDES, strict=True):
                if not sentence.strip():
                    remedy = "give each sentence its translation"
                    raise UserError(f"the {side} is empty", where=f"{name}:{line}", remedy=remedy)
            yield Example(*sentences, line)

    return Source(examples, str(names[0]), size)


def _direction(names, options, where):
    """Which of `names` are source and target, as they are written there."""
    known = {name.strip().lower(): name for name in names if name.strip()}
    asked = [(name or "").lower() for name in (options.source, options.target)]
    if known.keys() >= set(SIDES) and not known.keys() & set(asked):
        return tuple(known[side] for side in SIDES)
    others = [name for name in known if name not in asked]
    if len(others) == 1 and any(asked):
        asked = [name or others[0] for name in asked]
    if known.keys() >= set(asked) and asked[0] != asked[1]:
        return tuple(known[name] for name in asked)
    listed = ", ".join(repr(name.strip()[:40]) for name in known.values()) or "nothing"
    missing = next((name for name in asked if name and name not in known), None)
    what = f"no {missing!r} among {listed}" if missing else f"no telling source and target among {listed}"
    if len(known) < 2:
        raise UserError(what, where=where, remedy="give a source and a target")
    first = asked[0] if asked[0] in known else next(name for name in known if name != asked[1])
    second = asked[1] if asked[1] in known and asked[1] != first else next(name for name in known if name != first)
    raise UserError(what, where=where, remedy=f"choose, say --source_language {first} --target_language {second}")


def _stem(path):
    """The path without `.gz` and without the language."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).with_suffix("")


def _language(path):
    return suffix_of(path)[1:]


def _sides(stem):
    """The files `STEM.LANGUAGE`: {language: path}; plain ones before those of gzip."""
    if not stem.parent.is_dir():
        return {}
    here = [p for p in stem.parent.iterdir() if _stem(p) == stem and _language(p) and p.is_file()]
    return {_language(p): p for p in sorted(here, reverse=True) if suffix_of(p) not in SUFFIXES}


def _stems(paths):
    """The stems that files of two languages or more have in common."""
    files = [p for p in paths if LANGUAGE.fullmatch(_language(p)) and suffix_of(p) not in SUFFIXES and p.is_file()]
    languages = Counter(stem for stem, _ in {(_stem(p), _language(p)) for p in files})
    return sorted(stem for stem, count in languages.items() if count > 1)


FORMATS = Formats(open_parallel, SUFFIXES, open_tfds, _stems)


def _only(folder):
    """What the one corpus of a folder is to be opened by."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    found = [*(p for p in files if suffix_of(p) in SUFFIXES), *_stems(files)]
    if len(found) != 1:
        listed = ", ".join(p.name for p in (found or files)[:8]) or "nothing"
        what = f"several corpora here ({listed})" if found else f"no sentence pairs here (found {listed})"
        remedy = f"give train.en and train.de, one file that ends in {', '.join(SUFFIXES)}, or its path"
        raise UserError(what, where=folder, remedy=remedy)
    return found[0]


def _open_sides(path, options):
    stem = _stem(path) if path.is_file() else path
    sides = _sides(stem)
    if len(sides) < 2:
        if not path.is_file() and not sides:
            remedy = f"check the path: a file, or the common stem of two ({path.name}.en and {path.name}.de)"
            raise UserError("no such file", where=path, remedy=remedy)
        remedy = f"put it beside it as {stem.name}.LANGUAGE, or give a file that ends in {', '.join(SUFFIXES)}"
        raise UserError("no file with the translations", where=next(iter(sides.values()), path), remedy=remedy)
    if path.is_file() and options.source is None and options.target is None and len(sides) == 2:
        options = replace(options, source=_language(path))
    files = [sides[language] for language in _direction(sorted(sides), options, stem)]
    for file in files:
        open_bytes(file).close()
    return _source(lambda: _read_sides(*files), files, sum(file.stat().st_size for file in files))


def _read_sides(source, target):
    pairs = itertools.zip_longest(_lines(source), _lines(target))
    counts = [0, 0]
    for line, pair in enumerate(pairs, 1):
        counts = [line if text is not None else count for text, count in zip(pair, counts, strict=True)]
        if counts[0] == counts[1]:
            yield *pair, line
    if counts[0] != counts[1]:
        what = f"{counts[0]} lines, and {counts[1]} in {target.name}"
        raise UserError(what, where=source, remedy="line n of one file must translate line n of the other")


def _lines(path):
    """The lines of a file, which end at \\n or \\r\\n and at nothing else that Unicode has."""
    with open_bytes(path) as file:
        try:
            for line in file:
                yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UNREADABLE as error:
            raise faults(path, error) from None


def _rows(path):
    """The rows of a table that hold something: pairs (line, fields). Tab-separated files carry quotes as they are."""
    if TABLES[suffix_of(path)] == "\t":
        yield from ((number, line.split("\t")) for number, line in enumerate(_lines(path), 1) if line)
        return
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with open_text(path) as file:
            rows = csv.reader(file, strict=True)
            yield from ((rows.line_num, row) for row in rows if row)
    except csv.Error as error:
        remedy = "close every quote, and double quotes inside a quoted field"
        raise UserError(f"not a table ({error})", where=f"{path}:{rows.line_num}", remedy=remedy) from None
    except UNREADABLE as error:
        raise faults(path, error) from None


def _read_table(path, options):
    width = None
    for line, row in _rows(path):
        if width is None:
            width, (source, target, header) = len(row), _columns(path, row, options)
            if header:
                continue
        if len(row) != width:
            what = f"{len(row)} field{'s' * (len(row) != 1)} where {width} are due"
            remedy = "a sentence holds no tab" if suffix_of(path) == ".tsv" else "quote sentences that hold a comma"
            raise UserError(what, where=f"{path}:{line}", remedy=remedy)
        yield row[source], row[target], line


def _columns(path, first, options):
    """The places of source and target in a row, and whether the first row is a header."""
    names = [name.strip().lower() for name in first]
    wanted = {name.lower() for name in (options.source, options.target) if name}
    named = set(names) >= set(SIDES) or set(names) & wanted or all(HEADER.fullmatch(name) for name in first)
    if suffix_of(path) == ".tsv" and len(first) == 2 and not named:
        return 0, 1, False
    source, target = _direction(first, options, path)
    return first.index(source), first.index(target), True


def _read_json(path, options):
    sides = None
    try:
        with open_text(path) as file:
            for line, record in json_lines(file, path):
                where = f"{path}:{line}"
                if not isinstance(record, dict):
                    raise UserError("not a JSON object", where=where, remedy='write {"source": ..., "target": ...}')
                inner = record.get("translation")
                fields = inner if isinstance(inner, dict) else record
                sides = sides or _direction(fields, options, where)
                for side in sides:
                    if not isinstance(fields.get(side), str):
                        what = f"no string in the field {side!r}, but {fields.get(side)!r:.40}"
                        raise UserError(what, where=where, remedy="give every sentence its translation")
                # half an emoji (a lone surrogate) is no text
                yield *(fields[side].encode("utf-8", "replace").decode() for side in sides), line
    except UNREADABLE as error:
        raise faults(path, error) from None
