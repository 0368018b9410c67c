"""From sentences, as readers of all formats give them, to examples.

The target of an example is the IOBES tags of its tokens, joined by one space. Its input is the raw text if spans mark
the entities, and the tokens with `SEPARATOR` before each if tokens are given.
"""

import functools
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqtasks.data.columns import with_fields
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Records
from seqtasks.data.text_files import replace_surrogates
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.spans import Aligned, Span, Tokens, align, differs, tokenized, unit_of
from seqtasks.text.word_tokenizer import SEPARATOR

CHUNK = 512  # raw texts that are split into tokens together
EMPTY = "give sentences of tokens with tags, or texts with spans"


@dataclass(frozen=True)
class Options:
    """How tagged sentences are read.

    Args:
        token_column: the column of the tokens, or of texts: a name, or a number from 1, or from -1 at the end. None is
            the first column, and in tables and records one with a usual name.
        tag_column: the same for the tags, or the spans. None is the last column, or one with a usual name.
        sentence_column: the column that tells which sentence a token belongs to, in tables with a token on each row.
        scheme: the scheme of the tags, as in `seqtasks.ner.tag_schemes.SCHEMES`; None recognises it for each file.
        tag_names: the names of tags that are numbers, from 0.
        offsets: what spans count, a key of `seqtasks.ner.spans.UNITS`; `auto` takes for each file what fits best.
    """

    token_column: str | int | None = None
    tag_column: str | int | None = None
    sentence_column: str | None = None
    scheme: str | None = None
    tag_names: tuple[str, ...] = ()
    offsets: str = "codepoints"


class Tagged(NamedTuple):
    """A sentence as tokens, with the tags as in its file, and the line of each token, where they have lines."""

    tokens: list[str]
    tags: list[str]
    lines: Sequence[int] = ()


class Marked(NamedTuple):
    """A raw text with its entities, (start, end, type), as they are in its file."""

    text: str
    spans: list[Span]


Sentence = Tagged | Marked | UserError | None  # None is not annotated
Item = tuple[int | str, Sentence, Mapping[str, Any]]  # place, sentence, and the fields that may be carried on


def clean_token(text: str) -> str:
    """A token that can be part of an input: without the separator and lone surrogates.

    Example:
        >>> clean_token("a\\x1fb")
        'a b'
    """
    return replace_surrogates(text.replace(SEPARATOR, " "))


def joined(tokens: Sequence[str]) -> str:
    """The input of a sentence that is split into tokens.

    Example:
        >>> joined(["Ada", "sleeps"])
        '\\x1fAda\\x1fsleeps'
    """
    return "".join(SEPARATOR + token for token in tokens)


def source_of(
    read: Callable[[], Iterator[Item]], records: Records, options: Options = Options(), reading: Reading = Reading()
) -> Source:
    """The examples of sentences.

    Args:
        read: returns a new iterator of the sentences.
        records: their name, size and columns.
        options: see `Options`.
        reading: `labelled`, `carry` and `group`.

    Example:
        >>> rows = [(1, Tagged(["Ada", "Byron", "sleeps"], ["B-PER", "I-PER", "O"]), {})]
        >>> [example.target for example in source_of(lambda: iter(rows), Records(lambda: iter(()), "memory"))]
        ['B-PER E-PER O']
    """
    return Source(_Examples(read, records, options, reading).read, records.name, records.size)


class _Examples:
    """Turns sentences into examples; it recognises the scheme and the unit of offsets once, and warns once."""

    def __init__(
        self, sentences: Callable[[], Iterator[Item]], records: Records, options: Options, reading: Reading
    ) -> None:
        self.sentences, self.records, self.options, self.reading = sentences, records, options, reading
        self.named = schemes.scheme_named(options.scheme) if options.scheme else None
        self.rest = with_fields(records, reading)
        self.warned = False

    @functools.cached_property
    def scheme(self) -> str:
        """The scheme of the tags."""
        tagged = (s for _, s, _ in self.sentences() if isinstance(s, Tagged))
        found = self.named or schemes.recognise((self._named(s.tags) for s in tagged), self.records.name)
        if found == "IO" and not self.named:
            what = "tags without B- and I-: tokens in a row of one type are one entity (--scheme IO)"
            remedy = "with --scheme POS each token is one"
            warnings.warn(f"{self.records.name}: {what}; {remedy}", stacklevel=2)
        return found

    @functools.cached_property
    def unit(self) -> str:
        """What offsets of spans count."""
        if self.options.offsets != "auto":
            return self.options.offsets

        def marked() -> Iterator[tuple[str, list[Span], Tokens]]:
            found = (s for _, s, _ in self.sentences() if isinstance(s, Marked) and differs(s.text, "utf8"))
            while chunk := list(itertools.islice(found, CHUNK)):
                for sentence, tokens in zip(chunk, tokenized([s.text for s in chunk]), strict=True):
                    yield sentence.text, sentence.spans, tokens

        return unit_of(marked())

    def read(self) -> Iterator[Example | Faulty]:
        """The examples; the first whole pass ends with a warning that counts sentences that are not annotated."""
        skipped, some = 0, False
        for place, sentence, record, tokens in self._split():
            if sentence is None:
                skipped += 1
                continue
            some = True
            if isinstance(sentence, Tagged) and self.reading.labelled:
                _ = self.scheme  # an error of the whole file
            try:
                if isinstance(sentence, UserError):
                    raise sentence
                if isinstance(item := self._example(place, sentence, tokens), Faulty):
                    changed = (item.repaired and self.rest(item.repaired, record),
                               item.literal and self.rest(item.literal, record))  # fmt: skip
                    yield Faulty(item.error, *changed)
                elif item is not None:
                    yield self.rest(item, record)
            except UserError as error:
                yield Faulty(error)
        if not some:
            raise UserError("no tagged sentences here", where=self.records.name, remedy=EMPTY)
        if skipped and not self.warned:
            what = f"{skipped} record{'s' * (skipped != 1)} not annotated (rejected, ignored or without annotation)"
            warnings.warn(f"{self.records.name}: {what}: left out", stacklevel=2)
            self.warned = True

    def _split(self) -> Iterator[tuple[int | str, Sentence, Mapping[str, Any], Tokens | None]]:
        """The sentences; raw texts are split into tokens, many at a time."""
        stream = self.sentences()
        if not self.reading.labelled:
            yield from ((*item, None) for item in stream)
            return
        while chunk := list(itertools.islice(stream, CHUNK)):
            split = iter(tokenized([s.text for _, s, _ in chunk if isinstance(s, Marked)]))
            for place, sentence, record in chunk:
                yield place, sentence, record, next(split) if isinstance(sentence, Marked) else None

    def _example(self, place: int | str, sentence: Tagged | Marked, tokens: Tokens | None) -> Example | Faulty | None:
        """The example of a sentence, or what is wrong with it; None if it has no token."""
        text = joined(sentence.tokens) if isinstance(sentence, Tagged) else sentence.text
        if not self.reading.labelled:
            return Example(text, "", place)
        if isinstance(sentence, Tagged):
            size, found = len(sentence.tokens), self._entities(place, sentence)
        else:
            assert tokens
            where = self.records.where(place)
            size, found = len(tokens.tokens), align(text, sentence.spans, tokens, self.unit, where)
        if not size:
            return None
        example = Example(text, " ".join(schemes.iobes(found.entities, size)), place)
        if found.error:
            return Faulty(found.error, example, example if found.measured else None)
        return example

    def _entities(self, place: int | str, sentence: Tagged) -> Aligned:
        """The entities of tags, as conlleval reads them if the scheme does not allow them."""
        tags, scheme = schemes.lettered(self._named(sentence.tags), self.scheme)

        def where(number: int) -> str:
            return self.records.where(sentence.lines[number] if sentence.lines else place)

        names = self.options.tag_names
        for number, tag in enumerate(sentence.tags if names else ()):
            if tag.isdigit() and int(tag) >= len(names):
                what = f"the tag {tag} has no name; --tag_names has {len(names)}, from 0"
                raise UserError(what, where=where(number), remedy="add its name")
        for number, tag in enumerate(tags):
            if not schemes.is_tag(tag):
                schemes.parse(tag, where(number))
        if not (wrong := schemes.faults(tags, scheme)):
            return Aligned(schemes.spans(tags, scheme))
        number, what = wrong[0]
        error = UserError(f"{what} is not valid {scheme}", where=where(number), remedy="correct it, or see --scheme")
        return Aligned(schemes.spans(schemes.repair(tags, scheme), scheme), error)

    def _named(self, tags: Sequence[str]) -> list[str]:
        """Tags that are numbers by their names."""
        names = self.options.tag_names
        if not names:
            return list(tags)
        return [names[int(tag)] if tag.isdigit() and int(tag) < len(names) else tag for tag in tags]


def in_windows(source: Source, longest: int) -> Source:
    """A source of sentences for training: those of more than `longest` tokens are cut into pieces.

    Args:
        source: examples, as `source_of` makes them.
        longest: tokens of the longest piece.

    Example:
        >>> rows = [Example(joined(["In", "Rome", "now"]), "O S-LOC O", 1)]
        >>> [example.target for example in in_windows(Source(lambda: iter(rows), "memory"), 2)]
        ['O S-LOC', 'O']
    """
    warned = False

    def read() -> Iterator[Example | Faulty]:
        nonlocal warned
        long = pieces = 0
        for item in source.read():
            if isinstance(item, Faulty) or item.target.count(" ") < longest:
                yield item
                continue
            text, tags = item.input, item.target.split(" ")
            given = text.startswith(SEPARATOR)
            tokens = text[1:].split(SEPARATOR) if given else next(iter(tokenized([text]))).tokens
            long += 1
            for start, end in _windows(tags, longest):
                pieces += 1
                part = schemes.repair(tags[start:end], "IOBES")
                yield item._replace(input=joined(tokens[start:end]), target=" ".join(part))
        if long and not warned:
            what = f"{long} sentence{'s' * (long != 1)} of more than {longest} tokens: split into {pieces}"
            warnings.warn(f"{source.name}: {what}", stacklevel=2)
            warned = True

    return Source(read, source.name, source.size)


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
