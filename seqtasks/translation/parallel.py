"""Parallel files: two text files, line n of which translates line n of the other, and how such files are named."""

import glob
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import NAMES
from seqtasks.data.tables import SUFFIXES
from seqtasks.data.text_files import COMPRESSED, open_bytes, suffix_of
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError
from seqtasks.translation import tmx
from seqtasks.translation.directions import CODE, LANGUAGE, Options, direction, find_name, side_of

ONE_FILE = (*SUFFIXES, tmx.SUFFIX)  # suffixes of files with both sides
PLACE = "*"  # of the side in the common name of two files


class Corpus(NamedTuple):
    """Files with one text in several languages.

    Args:
        name: their path without the suffix that tells the language, or with `*` for the part of the name that does.
        sides: {language: file}.
    """

    name: Path
    sides: dict[str, Path]

    @property
    def split(self) -> str | None:
        """The split that the name stands for, or None."""
        words = re.split(r"[-_.*]", self.name.name.lower())
        return next((split for split, names in NAMES.items() if set(words) & set(names)), None)


def corpora(paths: Iterable[Path], options: Options = Options()) -> list[Corpus]:
    """The corpora among files: `train.en` and `train.de`, or `src-train.txt` and `tgt-train.txt`.

    The language is the suffix of a file. In files without such a suffix, it is a part of the name that stands for a
    side, is named by `options`, or has two letters.

    Args:
        paths: the files.
        options: the languages.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("train.en", "train.de", "src-val.txt", "tgt-val.txt", "README.md"):
        ...     (folder / name).touch()
        >>> [(corpus.name.name, sorted(corpus.sides)) for corpus in corpora(folder.iterdir())]
        [('*-val.txt', ['src', 'tgt']), ('train', ['de', 'en'])]
    """
    files = sorted((p for p in paths if p.is_file() and not p.name.startswith(".")), reverse=True)  # plain files last
    files = [path for path in files if suffix_of(path) not in ONE_FILE]
    by_suffix: dict[Path, dict[str, Path]] = {}
    for path in files:
        stem, language = _stem(path)
        if LANGUAGE.fullmatch(language):
            by_suffix.setdefault(stem, {})[language] = path
    found = {stem: _pair_named(stem, sides) for stem, sides in by_suffix.items() if len(sides) > 1}
    taken = {path for sides in found.values() for path in sides.values()}
    wanted = {name.lower() for name in (options.source, options.target) if name}
    inside: dict[Path, dict[str, Path]] = {}
    for path in files:
        for name, language in _parts(path, wanted) if path not in taken else ():
            inside.setdefault(name, {})[language] = path
    found |= {name: sides for name, sides in inside.items() if len(sides) > 1}
    return [Corpus(name, dict(sorted(found[name].items()))) for name in sorted(found)]


def _stem(path: Path) -> tuple[Path, str]:
    """The path without the suffixes of compression and language, and the language."""
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return plain.with_suffix(""), plain.suffix[1:].lower()


def _pair_named(stem: Path, sides: dict[str, Path]) -> dict[str, Path]:
    """Of `news.de-en.de`, `news.de-en.en`, `news.de-en.ids` the two that the name tells."""
    named = re.search(r"(?:^|[._-])([a-z]{2,3})[-_]([a-z]{2,3})$", stem.name.lower())
    return {side: sides[side] for side in named.groups()} if named and {*named.groups()} <= {*sides} else sides


def _parts(path: Path, wanted: set[str]) -> Iterator[tuple[Path, str]]:
    """The parts of a name that may tell its side: the path with `*` in their place, and the part."""
    plain = path.with_suffix("").name if path.suffix.lower() in COMPRESSED else path.name
    parts = re.split(r"([-_.])", plain)
    for i in range(0, len(parts) - 2 * ("." in plain), 2):
        part = parts[i].lower()
        if side_of(part) is not None or part in wanted or CODE.fullmatch(part):
            yield path.parent / "".join([*parts[:i], PLACE, *parts[i + 1 :]]), part


def named_pair(data: str) -> tuple[Path, Path] | None:
    """The two files of `source.txt,target.txt`; None for other data.

    Raises:
        UserError: if there is no such file, or there are more than two.
    """
    paths = [Path(part.strip()) for part in data.split(",")]
    if len(paths) == 1 or Path(data).exists() or glob.has_magic(data) or any(suffix_of(p) in ONE_FILE for p in paths):
        return None
    for path in paths:
        if not path.is_file():
            raise UserError("no such file", where=path, remedy="give the file of the source and that of the target")
    if len(paths) != 2:
        remedy = "give two, that of the source and that of the target, separated by a comma"
        raise UserError(f"{len(paths)} files", where=data, remedy=remedy)
    return paths[0], paths[1]


def open_pair(source: Path, target: Path, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of two files that are named, that of the source first.

    Raises:
        UserError: if their suffixes contradict the languages of `options`.
    """
    suffixes = [_stem(path)[1] for path in (source, target)]
    for wanted, own, option in zip((options.source, options.target), suffixes, ("source", "target"), strict=True):
        if wanted and not find_name(wanted, [own]) and find_name(wanted, suffixes) and not wanted.isdigit():
            what = f"{own} is given as the {option}, but --{option}_language is {wanted}"
            raise UserError(what, where=f"{source},{target}", remedy="give the file of the source first")
    return open_sides(source, target, reading)


def open_corpus(corpus: Corpus, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of two of the files of a corpus.

    Raises:
        UserError: if it is not clear which is the source.
    """
    source, target = direction(corpus.sides, options, corpus.name, reading.labelled)
    return open_sides(corpus.sides[source], corpus.sides[target] if target else None, reading)


def open_sides(source: Path, target: Path | None, reading: Reading = Reading()) -> Source:
    """The source of two files; lines end only at \\n or \\r\\n, at no other line separator of Unicode.

    Args:
        source, target: the files, also compressed; no target is needed without `reading.labelled`.
        reading: `encoding`.

    Raises:
        UserError: if a file is empty; while reading, if the numbers of lines differ.
    """
    if reading.group or reading.carry:
        option = "--group" if reading.group else "--carry"
        raise UserError("text files have no columns", where=source, remedy=f"leave out {option}, or give a table")
    files = [source] if target is None or not reading.labelled else [source, target]
    for file in files:
        open_bytes(file).close()

    def read() -> Iterator[Example | Faulty]:
        if len(files) == 1:
            yield from (Example(text, "", line) for line, text in enumerate(_lines(source, reading), 1))
            return
        counts = [0, 0]
        for line, sides in enumerate(itertools.zip_longest(*(_lines(file, reading) for file in files)), 1):
            counts = [line if side is not None else count for side, count in zip(sides, counts, strict=True)]
            if None in sides:
                continue
            wrong = next((file for file, text in zip(files, sides, strict=True) if "\0" in text), None)
            if wrong:
                remedy = "name the encoding of the file with --encoding, or correct the line"
                yield Faulty(UserError("a NUL byte", where=f"{wrong}:{line}", remedy=remedy))
            else:
                yield Example(sides[0], sides[1], line)
        if counts[0] != counts[1]:
            what = f"{counts[0]} lines, but {counts[1]} in {files[1].name}"
            remedy = "line n of one file must translate line n of the other"
            raise UserError(what, where=source, remedy=remedy)

    return Source(read, str(source), sum(file.stat().st_size for file in files))


def _lines(path: Path, reading: Reading) -> Iterator[str]:
    with opened(path, encoding=reading.encoding) as file:
        file.reconfigure(newline="\n")
        for line in file:
            yield line.removesuffix("\n").removesuffix("\r")
