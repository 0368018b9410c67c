"""Sources of tagged sentences: CoNLL columns, JSON of several annotation tools, TensorFlow Datasets.

The target of an example is the IOBES tags of its tokens, joined by one space. Its input is the raw text if spans mark
the entities, and the tokens with `SEPARATOR` before each if tokens are given.
"""

import functools
import itertools
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.data import tfds
from seqtasks.data.sources import Example, Source
from seqtasks.data.tables import LINES
from seqtasks.data.text_files import reading, suffix_of
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.annotations import TAG_NAMES, Marked, Tagged, clean_token, read_json, tagged
from seqtasks.text.word_tokenizer import SEPARATOR

COLUMNS = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".txt", ".tsv")
SUFFIXES = (*COLUMNS, *LINES)


@dataclass(frozen=True)
class Options:
    """How tagged sentences are read.

    Args:
        token_column: the column of a CoNLL file with the tokens, from 1, or from -1 at the end.
        tag_column: the same for the tags.
        scheme: the scheme of the tags, as in `seqtasks.ner.tag_schemes.SCHEMES`; None recognises it for each file.
        repair: whether invalid sequences of tags are repaired, and spans that cut a token widened; else they are
            errors.
        max_length: tokens of the longest sentence; longer ones are split into several. None splits none.
    """

    token_column: int = 1
    tag_column: int = -1
    scheme: str | None = None
    repair: bool = False
    max_length: int | None = None


def open_tokens(path: str | Path, options: Options = Options()) -> Source:
    """The source of a file of tagged sentences.

    Columns, one token per line and a blank line between sentences, are separated by tabs in lines that contain one, and
    by spaces in others. A line that starts with "# " is a comment if it has another number of columns than the lines
    before, or if its last column is not a tag. JSON is one object per line, or an array of them: tokens and tags, or
    text and spans, as data sets, doccano, spaCy and Label Studio write them.

    Args:
        path: the file.
        options: see `Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read; while reading, at a faulty line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.conll"
        >>> _ = path.write_text("Ada B-PER\\nByron I-PER\\nsleeps O\\n")
        >>> [example.target for example in open_tokens(path)]
        ['B-PER E-PER O']
    """
    path = Path(path)
    if not path.exists():
        raise UserError("no such file", where=path, remedy="check the path")
    suffix = suffix_of(path)
    if path.is_dir() or suffix not in SUFFIXES:
        what = "a folder without train.*" if path.is_dir() else f"unknown format {suffix or '(no suffix)'!r}"
        raise UserError(what, where=path, remedy=f"files end in {', '.join(SUFFIXES)}, also with .gz")
    size = path.stat().st_size
    if size == 0:
        raise UserError("the file is empty", where=path, remedy="give a token and a tag on each line")
    read: Callable[[], Iterator[Tagged | Marked]] = functools.partial(read_json, path)
    if suffix in COLUMNS:
        read = functools.partial(_read_columns, path, options)
    return Source(_Reading(read, str(path), options).examples, str(path), size)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with tokens and their tags, like conll2003 and wikiann.

    Args:
        name: as `tfds.load` takes it, e.g. `wikiann/de`.
        split: e.g. `train`.
        options: see `Options`; the columns are not used.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there are no tokens and tags.
    """
    data = tfds.open_dataset(name, split, **loading)
    key = next((n for n in TAG_NAMES if n in data.features), None)
    if key is None or "tokens" not in data.features:
        raise data.no_feature("tokens and tags")
    tag_name = data.features[key].feature.int2str

    def read() -> Iterator[Tagged]:
        for number, record in data.records():
            tokens = [token.decode("utf-8", "replace") for token in record["tokens"]]
            yield tagged(tokens, [tag_name(int(tag)) for tag in record[key]], number, f"{data.place}:{number}")

    return Source(_Reading(read, data.place, options).examples, data.place, data.size)


class _Reading:
    """Turns the sentences of a file into examples; it recognises the scheme once, and warns once."""

    def __init__(self, read: Callable[[], Iterator[Tagged | Marked]], name: str, options: Options) -> None:
        self.read, self.name, self.options = read, name, options
        self.named = schemes.scheme_named(options.scheme) if options.scheme else None
        self.warned = False

    @functools.cached_property
    def scheme(self) -> str:
        """The scheme of the tags."""
        return self.named or schemes.recognise(s.tags for s in self.read() if isinstance(s, Tagged))

    def examples(self) -> Iterator[Example]:
        """The examples; after the first whole pass, warnings count sentences that were repaired or split."""
        repaired, long, windows, some = 0, 0, 0, False
        for sentence, tokens, tags, changed in self._tokenized():
            repaired += changed
            pieces = list(_windows(tags, self.options.max_length or len(tags)))
            if len(pieces) > 1:
                long, windows = long + 1, windows + len(pieces)
            for start, end in pieces:
                some = True
                if isinstance(sentence, Marked) and len(pieces) == 1:
                    yield Example(sentence.text, " ".join(tags), sentence.line)
                else:
                    line = sentence.line if isinstance(sentence, Marked) else sentence.lines[start]
                    part = schemes.repair(tags[start:end], "IOBES") if len(pieces) > 1 else tags
                    yield Example(SEPARATOR + SEPARATOR.join(tokens[start:end]), " ".join(part), line)
        if not some:
            raise UserError("no tagged sentences here", where=self.name, remedy="give a token and a tag on each line")
        if not self.warned:
            self._warn(repaired, "with invalid tags or spans: repaired")
            self._warn(long, f"of more than {self.options.max_length} tokens: split into {windows}")
            self.warned = True

    def _warn(self, count: int, what: str) -> None:
        if count:
            warnings.warn(f"{self.name}: {count} sentence{'s' * (count != 1)} {what}", stacklevel=3)

    def _tokenized(self) -> Iterator[tuple[Tagged | Marked, list[str], list[str], bool]]:
        """(sentence, tokens, IOBES tags, whether anything was repaired); raw texts are split many at a time."""
        stream = self.read()
        while chunk := list(itertools.islice(stream, 512)):
            split = _split([sentence.text for sentence in chunk if isinstance(sentence, Marked)])
            for sentence in chunk:
                if isinstance(sentence, Marked):
                    tokens, starts, ends = next(split)
                    entities, changed = self._align(sentence, tokens, starts, ends)
                    yield sentence, tokens, schemes.iobes(entities, len(tokens)), changed
                else:
                    valid, changed = self._valid(sentence)
                    tags = schemes.iobes(schemes.spans(valid, self.scheme), len(valid))
                    yield sentence, sentence.tokens, tags, changed

    def _valid(self, sentence: Tagged) -> tuple[list[str], bool]:
        """The tags, valid in the scheme, and whether they were repaired."""
        wrong = schemes.faults(sentence.tags, self.scheme)
        if wrong and not self.options.repair:
            place, what = wrong[0]
            where, remedy = f"{self.name}:{sentence.lines[place]}", "add --repair, or name another --scheme"
            raise UserError(f"{what} is not valid {self.scheme}", where=where, remedy=remedy)
        return schemes.repair(sentence.tags, self.scheme) if wrong else sentence.tags, bool(wrong)

    def _align(
        self, sentence: Marked, tokens: list[str], starts: list[int], ends: list[int]
    ) -> tuple[list[schemes.Entity], bool]:
        """The entities as (type, first token, token after the last), and whether a span was widened."""
        entities: list[schemes.Entity] = []
        changed, free = False, 0
        for start, end, kind in sentence.spans:
            first, after = bisect_right(ends, start), bisect_left(starts, end)
            where, span = f"{self.name}:{sentence.line}", f"the span {sentence.text[start:end]!r} ({start}-{end})"
            if first >= after:
                raise UserError(f"{span} contains no token", where=where, remedy="leave it out")
            if starts[first] < start or ends[after - 1] > end:
                if not self.options.repair:
                    cut = tokens[first] if starts[first] < start else tokens[after - 1]
                    raise UserError(f"{span} cuts the token {cut!r}", where=where, remedy="add --repair to widen it")
                changed, first = True, max(first, free)  # a token that two spans share belongs to the first
            if first < after:
                entities.append((kind, first, after))
                free = after
        return entities, changed


def _split(texts: list[str]) -> Iterator[tuple[list[str], list[int], list[int]]]:
    """(tokens, starts, ends) of raw texts, by the tokenizer that the exported model uses."""
    if not texts:
        return iter(())
    import tensorflow as tf

    from seqtasks.text.word_tokenizer import tokenize

    tokens, starts, ends, _ = tokenize(tf.constant([text.encode() for text in texts]))
    words = [[token.decode() for token in row] for row in tokens.to_list()]
    return zip(words, starts.to_list(), ends.to_list(), strict=True)


def _windows(tags: Sequence[str], longest: int) -> Iterator[tuple[int, int]]:
    """Windows (start, end) of at most `longest` tags, cut next to an O or else between entities, where possible.

    Example:
        >>> list(_windows("O B-X E-X S-X O O".split(), 4)), list(_windows("O B-X E-X".split(), 2))
        ([(0, 4), (4, 6)], [(0, 1), (1, 3)])
    """
    start = 0
    while len(tags) - start > longest:
        places = range(start + longest, start, -1)
        next_to_o = next((p for p in places if "O" in (tags[p - 1], tags[p])), None)
        end = next_to_o or next((p for p in places if tags[p][0] not in "IE"), start + longest)
        yield start, end
        start = end
    if start < len(tags):
        yield start, len(tags)


def _read_columns(path: Path, options: Options) -> Iterator[Tagged]:
    rows: list[tuple[str, str, int]] = []
    width: int | None = None
    with reading(path) as file:
        for number, line in enumerate(file, 1):
            line, where = line.rstrip(" \t\r\n"), f"{path}:{number}"
            fields = line.split("\t") if "\t" in line else [f for f in line.split(" ") if f]
            if not line.strip() or fields[0] == "-DOCSTART-":
                if rows:
                    yield _sentence(rows)
                rows = []
                continue
            if f"{line} ".startswith("# ") and (len(fields) != (width or len(fields)) or not _is_tag(fields[-1])):
                continue
            if width is None:
                width, (token, tag) = len(fields), _columns(len(fields), options, where)
            if len(fields) != width:
                what = f"{len(fields)} column{'s' * (len(fields) != 1)}, expected {width}"
                remedy = "give every line the same columns, and put tabs between them if tokens contain spaces"
                raise UserError(what, where=where, remedy=remedy)
            schemes.parse(fields[tag].strip(), where)
            rows.append((clean_token(fields[token], where), fields[tag].strip(), number))
        if rows:
            yield _sentence(rows)


def _sentence(rows: list[tuple[str, str, int]]) -> Tagged:
    tokens, tags, lines = zip(*rows, strict=True)
    return Tagged(list(tokens), list(tags), list(lines))


def _columns(width: int, options: Options, where: str) -> tuple[int, int]:
    """The indices of token and tag in a line."""
    numbers = {"--token_column": options.token_column, "--tag_column": options.tag_column}
    if width == 1:
        raise UserError("1 column, expected a token and a tag", where=where, remedy="put a space or tab between them")
    for option, number in numbers.items():
        if not 0 < abs(number) <= width:
            remedy = f"{option} counts from 1, or from the end (-1)"
            raise UserError(f"no column {number} among {width}", where=where, remedy=remedy)
    token, tag = (number - 1 if number > 0 else width + number for number in numbers.values())
    if token == tag:
        raise UserError(f"tokens and tags are both in column {tag + 1}", where=where, remedy="name the --tag_column")
    return token, tag


def _is_tag(text: str) -> bool:
    try:
        return bool(schemes.parse(text))
    except UserError:
        return False
