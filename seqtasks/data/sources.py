"""Sources: streams of examples that can be read repeatedly, and what is done with records that are faulty.

A source holds no data: each iteration opens the files again, so that a file may be larger than memory.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from seqtasks.errors import UserError

NAMED = 3  # faulty records that a warning names
FEW = 3  # so many faulty records are left out of small data too, if they are less than a tenth of it


class Example(NamedTuple):
    """One example.

    Args:
        input: the raw input: a text, a sequence, or the path of a file.
        target: the raw target; empty for inputs without one.
        place: a line number of the source's file, or a path.
        group: examples of one group are in one split; empty: the input decides.
        fields: other columns that are carried through to the answer, as pairs of name and value.
        columns: the values of the columns that the model sees beside the input, as text; empty where one is missing.
    """

    input: str
    target: str
    place: int | str
    group: str = ""
    fields: tuple[tuple[str, Any], ...] = ()
    columns: tuple[str, ...] = ()


class Faulty(NamedTuple):
    """A record that is not right; readers yield it in the place of an `Example`.

    Args:
        error: what is wrong, and where.
        repaired: the example that training takes instead; None leaves the record out.
        literal: the example as evaluation counts it; None if it cannot be measured.
        fields: what the answer to it repeats, as `Example.fields`.
    """

    error: UserError
    repaired: Example | None = None
    literal: Example | None = None
    fields: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Source:
    """A stream of examples that starts again with every iteration. Iteration raises the error of a faulty record.

    Args:
        read: a function that returns a new iterator of `Example` and `Faulty`.
        name: where the examples come from, for messages.
        size: bytes on disk, or None if unknown.

    Example:
        >>> rows = [Example("a fine film", "good", 1), Example("a dull film", "bad", 2)]
        >>> [e.input for e in Source(lambda: iter(rows), "memory").select(lambda e: e.target == "good")]
        ['a fine film']
    """

    read: Callable[[], Iterator[Example | Faulty]]
    name: str
    size: int | None = None

    def __iter__(self) -> Iterator[Example]:
        for item in self.read():
            if isinstance(item, Faulty):
                raise item.error
            yield item

    def where(self, example: Example) -> str:
        """The place of an example for messages: file:line, or the file."""
        return f"{self.name}:{example.place}" if isinstance(example.place, int) else str(example.place)

    def map(self, change: Callable[[Example], Example | Faulty | None]) -> "Source":
        """A source of changed examples; None leaves one out. What stands for a faulty record is changed too.

        Example:
            >>> rows = [Example("A", "x", 1), Example("B", "y", 2)]
            >>> [e.input for e in Source(lambda: iter(rows), "memory").map(lambda e: e._replace(input=e.input.lower()))]
            ['a', 'b']
        """

        def one(example: Example | None) -> Example | None:
            changed = change(example) if example else None
            return changed.repaired if isinstance(changed, Faulty) else changed

        def read() -> Iterator[Example | Faulty]:
            for item in self.read():
                if isinstance(item, Faulty):
                    yield item._replace(repaired=one(item.repaired), literal=one(item.literal))
                elif (changed := change(item)) is not None:
                    yield changed

        return Source(read, self.name, self.size)

    def select(self, keep: Callable[[Example], bool], name: str | None = None) -> "Source":
        """A source of the examples for which `keep(example)` is true."""
        selected = self.map(lambda example: example if keep(example) else None)
        return replace(selected, name=name or self.name)

    def chunks(self, size: int = 512) -> Iterator[list[Example]]:
        """Lists of `size` examples; the last may be shorter."""
        stream = iter(self)
        return iter(lambda: list(itertools.islice(stream, size)), [])


class InMemorySource(Source):
    """A source whose examples are all in memory."""


def join(sources: Sequence[Source], name: str) -> Source:
    """One source of several, one after the other; the place of an example names its own file.

    Example:
        >>> one, two = (Source(lambda n=n: iter([Example(n, "", 1)]), n) for n in ("a.txt", "b.txt"))
        >>> [example.place for example in join([one, two], "*.txt")]
        ['a.txt:1', 'b.txt:1']
    """
    placed = [source.map(lambda e, s=source: e._replace(place=s.where(e))) for source in sources]  # type: ignore[misc]
    sizes = [source.size for source in sources]
    size = None if None in sizes else sum(filter(None, sizes))
    return Source(lambda: itertools.chain.from_iterable(s.read() for s in placed), name, size)


@dataclass
class _Faults:
    """The faulty records of one pass."""

    count: int = 0
    left_out: int = 0
    repaired: int = 0
    named: list[str] = field(default_factory=list)
    first: UserError | None = None

    def add(self, item: Faulty) -> None:
        self.first = self.first or item.error
        self.repaired += item.repaired is not None
        self.left_out += item.repaired is None
        if len(self.named) < NAMED:
            self.named.append(str(item.error).split("; ")[0])

    @property
    def total(self) -> int:
        return self.left_out + self.repaired

    def counted(self) -> str:
        listed = f"{', '.join(self.named)}{', ...' * (self.total > NAMED)}"
        return f"{self.total} of {self.count} records are not right and count as they stand: {listed}"

    def text(self) -> str:
        done = [(self.left_out, "left out"), (self.repaired, "repaired")]
        counts = " and ".join(f"{n} {what}" for n, what in done if n)
        return f"of {self.count} records {counts}: {', '.join(self.named)}{', ...' * (self.total > NAMED)}"


def tolerant(source: Source, max_bad: float, strict: bool = False) -> Source:
    """The examples for training: faulty records are repaired or left out, up to a share.

    The first whole pass ends with a warning that counts them and names the first three.

    Args:
        source: what was read.
        max_bad: the largest share of faulty records. If it is not 0, three are accepted if they are less than a tenth.
        strict: whether the first faulty record is an error.

    Raises:
        UserError: after the first whole pass, if there are more; with `strict` at the first.

    Example:
        >>> wrong = Faulty(UserError("no label", where="a.csv:2"))
        >>> rows = [wrong, *(Example("a text", "good", n) for n in range(3, 20))]
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     print(len(list(tolerant(Source(lambda: iter(rows), "a.csv"), 0.01))), caught[-1].message)
        17 a.csv: of 18 records 1 left out: a.csv:2: no label
    """
    if strict:
        return source
    known = False

    def read() -> Iterator[Example | Faulty]:
        nonlocal known
        faults = _Faults()
        for item in source.read():
            faults.count += 1
            if isinstance(item, Faulty):
                faults.add(item)
                if item.repaired is None:
                    continue
                item = item.repaired
            yield item
        if known or not faults.total:
            return
        allowed = max(max_bad * faults.count, min(FEW, faults.count / 10) if max_bad else 0)
        if faults.total > allowed:
            if faults.first and faults.total in (1, faults.count):
                raise faults.first
            share = f"{faults.total} of {faults.count} records are faulty, more than --max_bad {max_bad:g}"
            shown = f"{', '.join(faults.named)}{', ...' * (faults.total > NAMED)}"
            raise UserError(f"{share} allows: {shown}", where=source.name, remedy="correct them, or raise --max_bad")
        known = True
        warnings.warn(f"{source.name}: {faults.text()}", stacklevel=2)

    return Source(read, source.name, source.size)


def literal(source: Source) -> Source:
    """The examples for evaluation, which leaves nothing out: records that training would repair count as they stand.

    The first whole pass ends with a warning that counts them and names the first three.

    Raises:
        UserError: while reading, at a record that cannot be measured.

    Example:
        >>> wrong = Faulty(UserError("the source is empty", where="a.tsv:1"), None, Example("", "Nein", 1))
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     print(list(literal(Source(lambda: iter([wrong]), "a.tsv")))[0].target, caught[-1].message)
        Nein a.tsv: 1 of 1 records are not right and count as they stand: a.tsv:1: the source is empty
    """

    known = False

    def read() -> Iterator[Example | Faulty]:
        nonlocal known
        faults = _Faults()
        for item in source.read():
            faults.count += 1
            if isinstance(item, Faulty) and item.literal:
                faults.add(item)
                item = item.literal
            yield item
        if faults.total and not known:
            known = True
            warnings.warn(f"{source.name}: {faults.counted()}", stacklevel=2)

    return Source(read, source.name, source.size)
