"""Takes the splits that running text lacks from its train split."""

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

from seqtasks.data.partition import SMALL, place_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.errors import UserError
from seqtasks.language.documents import END, PIECE, Document, count_if_few


def complete(sources: dict[str, Source], document: Document, reading: Reading = Reading()) -> dict[str, Source]:
    """The splits, with those that are missing taken from train.

    Lines, paragraphs and rows are taken by the hash of the text, files by that of the name. If train has fewer than ten
    files or rows, the end is cut off. The pieces of a document are in one split, except where the end is cut off.

    Args:
        sources: the splits, of which train is not missing.
        document: what a document is.
        reading: `split` and `group`; groups are taken by the hash of their name.

    Raises:
        UserError: if there is too little to split.

    Example:
        >>> rows = [Example(f"line {n}", "end", n) for n in range(100)]
        >>> with warnings.catch_warnings(record=True):
        ...     found = complete({"train": Source(lambda: iter(rows), "memory")}, "line")
        >>> {name: len(list(source)) for name, source in found.items()}
        {'train': 80, 'validation': 11, 'test': 9}
    """
    missing = [split for split in ("validation", "test") if split not in sources]
    if not missing:
        return sources
    if reading.stratify:
        raise UserError("the data has no classes", where="--stratify", remedy="leave it out")
    train = sources["train"]
    shares = dict(zip(("train", "validation", "test"), reading.shares, strict=True))
    pieces = count_if_few(train) if document == "file" and not reading.group else None
    by_name = document == "file" and any(isinstance(e.place, str) for e in itertools.islice(train, 1))
    by = f"column {reading.group}" if reading.group else "name" if by_name else "text"
    percent = {f"{100 * shares[name]:g} %" for name in missing}
    much = f"{percent.pop()} of train {'each ' * (len(missing) > 1)}" if len(percent) == 1 else "parts of train "
    how = "from its end" if pieces else f"by the hash of the {by}"
    warnings.warn(f"{train.name}: no {' and no '.join(sorted(missing))} split given; {much}taken {how}", stacklevel=4)
    if pieces:
        return sources | _cut(train, pieces, missing, [shares[name] for name in missing])
    return sources | _by_hash(train, missing, shares, by_name)


def _cut(train: Source, pieces: int, missing: Sequence[str], shares: Sequence[float]) -> dict[str, Source]:
    """Train without its end, and a share of the pieces at its end for each split that is missing, in their order."""
    sizes = [max(1, int(round(pieces * share, 6))) for share in shares]
    starts = [pieces - sum(sizes[number:]) for number in range(len(missing))]
    if starts[0] < 1:
        what = f"too short to take a split from ({pieces} piece{'s' * (pieces > 1)} of about {PIECE} characters)"
        raise UserError(what, where=train.name, remedy="give more text, or name files with --valid and --test")

    def between(start: int, end: int) -> Iterator[Example]:
        return itertools.islice(iter(train), start, end)

    return {
        split: Source(functools.partial(between, *bounds), train.name, train.size)
        for split, bounds in zip(("train", *missing), itertools.pairwise([0, *starts, pieces]), strict=True)
    }


def _by_hash(train: Source, missing: Sequence[str], shares: dict[str, float], by_name: bool) -> dict[str, Source]:
    """The documents of train in splits, by the hash of their groups or names, or of the text of their first piece."""

    def key(first: Example) -> str:
        name = str(first.place).removeprefix(train.name) if by_name else first.input  # wherever the folder lies
        return first.group or name

    def hashed(text: str) -> str:
        place = place_of(text)
        split = "test" if place < shares["test"] else "validation"
        return split if split in missing and place < shares["test"] + shares["validation"] else "train"

    exceptions = _exceptions((key(e) for e in _firsts(train)), hashed, missing)

    def documents(split: str) -> Iterator[Example]:
        first = True
        for example in train:
            if first:
                name = key(example)
                chosen = exceptions.get(name, hashed(name)) == split
            first = example.target == END
            if chosen:
                yield example

    return {split: Source(functools.partial(documents, split), train.name, train.size) for split in ("train", *missing)}


def _firsts(source: Source) -> Iterator[Example]:
    """The first piece of each document."""
    first = True
    for example in source:
        if first:
            yield example
        first = example.target == END


def _exceptions(keys: Iterable[str], split_of: Callable[[str], str], missing: Sequence[str]) -> dict[str, str]:
    """In small data, documents of train for splits that would be empty."""
    found: dict[str, str] = {}
    for name in keys:
        found.setdefault(name, split_of(name))
        if len(found) > SMALL:
            return {}
    exceptions: dict[str, str] = {}
    for split in missing:
        spare = [name for name, chosen in found.items() if chosen == "train" and name not in exceptions]
        if split not in found.values() and len(spare) > 1:
            exceptions[min(spare, key=place_of)] = split
    return exceptions
