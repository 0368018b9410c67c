"""Tagging schemes: how the tags of tokens mark where an entity begins and ends.

| scheme | tags | an entity of three tokens, of one, and of one right after another of its type |
|---|---|---|
| IOB1 | I, and B where two entities of a type touch | I I I, I, B |
| IOB2 (BIO) | B begins | B I I, B, B |
| IOBES (BIOES, BILOU, BMES) | B begins, E ends, S is alone | B I E, S, S |
| IO | no letter, only the type; tokens in a row of one type are one entity | - |
| POS | no letter: each token with a tag is an entity of its own | - |

Letters are read in upper and lower case, with a hyphen or an underscore after them. Everywhere else in seqtasks tags
are IOBES, with these letters.
"""

import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from seqtasks.errors import UserError, nearest

Entity = tuple[str, int, int]  # type, first token, token after the last

SCHEMES = {  # all names of a scheme, and the one used here
    **{name: name for name in ("IOB1", "IO", "POS")},
    **{name: "IOB2" for name in ("IOB2", "BIO")},
    **{name: "IOBES" for name in ("IOBES", "BIOES", "BILOU", "BMES", "BMEWO")},
}
PLAIN = {"IO": "I", "POS": "S"}  # schemes whose tags have no letter, and the letter that says the same
FEW_TAGS = 50  # different tags without letters that any file may have
_LETTERS = {"M": "I", "L": "E", "U": "S", "W": "S"} | {letter: letter for letter in "BIES"}
_TAG = re.compile(rf"([{''.join(_LETTERS)}])[-_](\S(?:.*\S)?)", re.IGNORECASE)


def parse(tag: str, where: str = "") -> tuple[str, str]:
    """The letter (B, I, E, S, or O) and the type of a tag.

    Args:
        tag: the tag, in any scheme.
        where: file and line, for the message.

    Raises:
        UserError: if it is not a tag of any scheme.

    Example:
        >>> parse("B-PER"), parse("u_work of art"), parse("O")
        (('B', 'PER'), ('S', 'work_of_art'), ('O', ''))
    """
    found = _parse(tag)
    if not found:
        remedy = "tags are O, or B-, I-, E- or S- and a type (B-PER)"
        raise UserError(f"{tag!r:.60} is not a tag of a known scheme", where=where, remedy=remedy)
    return found


@functools.lru_cache(maxsize=10_000)
def _parse(tag: str) -> tuple[str, str] | None:
    found = _TAG.fullmatch(tag)
    return ("O", "") if tag in ("O", "o") else (_LETTERS[found[1].upper()], type_named(found[2])) if found else None


def is_tag(text: str) -> bool:
    """Whether a text is a tag of a scheme with letters.

    Example:
        >>> is_tag("B-PER"), is_tag("O"), is_tag("PER")
        (True, True, False)
    """
    return _parse(text) is not None


def lettered(tags: Sequence[str], scheme: str) -> tuple[list[str], str]:
    """Tags without letters as tags with letters, and their scheme; other tags and schemes as they are.

    Args:
        tags: the tags of one sentence.
        scheme: as `recognise` returns it.

    Example:
        >>> lettered(["PER", "PER", "O"], "IO"), lettered(["NN", "VB"], "POS")
        ((['I-PER', 'I-PER', 'O'], 'IOB1'), (['S-NN', 'S-VB'], 'IOBES'))
    """
    letter = PLAIN.get(scheme)
    if letter is None:
        return list(tags), scheme
    known = (_parse(tag) if scheme == "IO" else None for tag in tags)  # IO may have its letter
    kinds = [found[1] if found else type_named(tag) for tag, found in zip(tags, known, strict=True)]
    named = [f"{letter}-{kind}" if kind not in ("", "O", "o") else "O" for kind in kinds]
    return named, {"I": "IOB1", "S": "IOBES"}[letter]


def type_named(label: str) -> str:
    """A type as it is written in tags, with underscores for white space.

    Example:
        >>> type_named(" work of art ")
        'work_of_art'
    """
    return "_".join(label.split())


def scheme_named(text: str, where: str = "--scheme") -> str:
    """The canonical name of a scheme that has several names.

    Args:
        text: a name in `SCHEMES`, in any case.
        where: the option, for the message.

    Raises:
        UserError: if there is no such scheme.

    Example:
        >>> scheme_named("BILOU")
        'IOBES'
    """
    if text.upper() not in SCHEMES:
        raise UserError(f"unknown scheme {text!r}", where=where, remedy=nearest(text.upper(), SCHEMES))
    return SCHEMES[text.upper()]


def tag_names(given: str) -> tuple[str, ...]:
    """The names of tags that are numbers, from 0.

    Args:
        given: the names, separated by commas; or a file with one on each line, or with a JSON list of them.

    Raises:
        UserError: if there are fewer than two.

    Example:
        >>> tag_names("O,B-PER,I-PER")
        ('O', 'B-PER', 'I-PER')
    """
    text = Path(given).read_text("utf-8-sig") if Path(given).is_file() else given.replace(",", "\n")
    names = json.loads(text) if text.lstrip().startswith("[") else text.split("\n")
    found = tuple(name.strip() for name in names if name.strip())
    if len(found) < 2:
        what, remedy = f"{given!r} names no tags", "write O,B-PER,I-PER,... or give a file with one on each line"
        raise UserError(what, where="--tag_names", remedy=remedy)
    return found


def recognise(sentences: Iterable[Sequence[str]], where: str = "") -> str:
    """The scheme of a file, in one pass: the one that it breaks least often.

    Args:
        sentences: iterable of the tags of one sentence each.
        where: the file, for messages.

    Returns:
        "IOB1", "IOB2" or "IOBES"; "IOB2" if there is no entity. If most tags have no letter, "IO" where some tokens
        have the tag O, else "POS".

    Raises:
        UserError: if what should be tags are numbers, or nearly all different.

    Example:
        >>> recognise([["O", "I-PER", "I-PER"]]), recognise([["B-PER", "I-PER"]]), recognise([["U-PER"]])
        ('IOB1', 'IOB2', 'IOBES')
        >>> recognise([["PER", "O"]]), recognise([["NN", "VB"]])
        ('IO', 'POS')
    """
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    for tags in sentences:
        pairs.update(itertools.pairwise([None, *tags, None]))
    counts: Counter[str] = Counter()
    for (_, tag), number in pairs.items():
        if tag is not None:
            counts[tag] += number
    plain = {tag: number for tag, number in counts.items() if _parse(tag) is None}
    with_letter = sum(n for tag, n in counts.items() if (found := _parse(tag)) and found[0] != "O")
    if sum(plain.values()) > with_letter:
        if all(tag.lstrip("-").isdigit() for tag in plain):
            what, remedy = (
                "the tags are numbers",
                "name them in their order with --tag_names O,B-PER,I-PER,..., or a file",
            )
            raise UserError(what, where=where, remedy=remedy)
        if len(plain) > max(FEW_TAGS, sum(counts.values()) / 10):
            listed = ", ".join(map(repr, list(plain)[:3]))
            what = f"{len(plain)} different tags ({listed}, ...) among {sum(counts.values())} tokens are no tags"
            raise UserError(what, where=where, remedy="name their column with --tag_column, or say --scheme POS")
        return "IO" if any(tag in counts for tag in ("O", "o")) else "POS"
    broken: Counter[str] = Counter()
    for (before, after), number in pairs.items():
        if all(tag is None or _parse(tag) for tag in (before, after)):
            for scheme in ("IOB2", "IOB1", "IOBES"):
                broken[scheme] += number * (_wrong(before, after, scheme) is not None)
    ends = any((_parse(tag) or "O")[0] in "ES" for tag in counts)
    order = ("IOBES", "IOB2", "IOB1") if ends else ("IOB2", "IOB1")
    return min(order, key=lambda scheme: broken[scheme])


def faults(tags: Sequence[str], scheme: str) -> list[tuple[int, str]]:
    """Where tags break a scheme.

    Args:
        tags: the tags of one sentence.
        scheme: "IOB1", "IOB2" or "IOBES".

    Returns:
        Pairs (index of the tag, description).

    Example:
        >>> faults(["I-PER", "O", "B-PER", "I-LOC"], "IOB2")
        [(0, 'I-PER at the beginning'), (3, 'I-LOC after B-PER')]
        >>> faults(["B-PER", "O", "B-PER"], "IOBES")
        [(0, 'B-PER before O'), (2, 'B-PER at the end')]
    """
    found: list[tuple[int, str]] = []
    for place, (before, after) in enumerate(itertools.pairwise([None, *tags, None])):
        wrong = _wrong(before, after, scheme)
        if wrong == "after":
            found.append((place, f"{after} after {before}" if place else f"{after} at the beginning"))
        elif wrong == "before":
            found.append((place - 1, f"{before} before {after}" if place < len(tags) else f"{before} at the end"))
    return found


@functools.lru_cache(maxsize=100_000)
def _wrong(before: str | None, after: str | None, scheme: str) -> str | None:
    """Which of two adjacent tags breaks the scheme, "before", "after" or None; a tag of None is outside a sentence."""
    (left, kind), (right, other) = (("O", "") if tag is None else parse(tag) for tag in (before, after))
    same = kind == other
    if scheme != "IOBES":
        if right in "ES":
            return "after"
        return "after" if right == ("I" if scheme == "IOB2" else "B") and not (left in "BI" and same) else None
    open_, goes_on = left in "BI", right in "IE"
    if goes_on and not (open_ and same):
        return "after"
    return "before" if open_ and not goes_on else None


def spans(tags: Sequence[str], scheme: str) -> list[Entity]:
    """The entities of a valid sequence, from left to right.

    Args:
        tags: the tags of one sentence.
        scheme: "IOB1", "IOB2" or "IOBES".

    Returns:
        List of (type, start, end), the end exclusive.

    Raises:
        ValueError: if the sequence is not valid; see `repair`.

    Example:
        >>> spans(["B-PER", "I-PER", "O", "B-LOC"], "IOB2")
        [('PER', 0, 2), ('LOC', 3, 4)]
    """
    if wrong := faults(tags, scheme):
        raise ValueError(f"not valid {scheme}: {wrong[0][1]} at index {wrong[0][0]}")
    return _read(tags)


def _read(tags: Sequence[str]) -> list[Entity]:
    """The entities of any sequence, as conlleval reads them; for a valid one the scheme makes no difference."""
    found: list[Entity] = []
    start: int | None = None
    before = ("O", "")
    for place, after in enumerate([*map(parse, tags), ("O", "")]):
        changed = before[0] == "O" or before[1] != after[1]
        begins = after[0] in "BS" or (after[0] in "IE" and (changed or before[0] in "ES"))
        if start is not None and (begins or after[0] == "O"):
            found.append((before[1], start, place))
            start = None
        start = place if begins else start
        before = after
    return found


def write(entities: Sequence[Entity], length: int, scheme: str) -> list[str]:
    """The tags of entities in a scheme; the inverse of `spans`.

    Args:
        entities: (type, start, end), the end exclusive.
        length: number of tokens.
        scheme: "IOB1", "IOB2" or "IOBES".

    Raises:
        ValueError: if an entity is empty, outside the tokens, or overlaps another.

    Example:
        >>> write([("PER", 0, 2), ("PER", 2, 3)], 4, "IOB1")
        ['I-PER', 'I-PER', 'B-PER', 'O']
    """
    tags = ["O"] * length
    for kind, start, end in entities:
        if not 0 <= start < end <= length or any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"{kind} {start}-{end} is empty, outside the {length} tokens, or overlaps another entity")
        tags[start:end] = [f"I-{kind}"] * (end - start)
        if scheme == "IOBES":
            tags[end - 1] = f"E-{kind}"
        if scheme != "IOB1":
            tags[start] = f"S-{kind}" if scheme == "IOBES" and end - start == 1 else f"B-{kind}"
    if scheme == "IOB1":
        ends = {(kind, end) for kind, _, end in entities}
        for kind, start, _ in entities:
            tags[start] = f"B-{kind}" if (kind, start) in ends else f"I-{kind}"
    return tags


def iobes(entities: Sequence[Entity], length: int) -> list[str]:
    """The IOBES tags of entities.

    Args:
        entities: (type, start, end), the end exclusive.
        length: number of tokens.

    Example:
        >>> iobes([("PER", 0, 3), ("LOC", 4, 5)], 5)
        ['B-PER', 'I-PER', 'E-PER', 'O', 'S-LOC']
    """
    return write(entities, length, "IOBES")


def repair(tags: Sequence[str], scheme: str) -> list[str]:
    """The nearest valid sequence: an I- without a B- begins an entity, an entity without an end tag gets one.

    Args:
        tags: the tags of one sentence.
        scheme: "IOB1", "IOB2" or "IOBES", that of the result.

    Example:
        >>> repair(["I-PER", "I-PER", "O", "B-LOC", "O"], "IOBES")
        ['B-PER', 'E-PER', 'O', 'S-LOC', 'O']
    """
    return write(_read(tags), len(tags), scheme)


def tagset(types: Iterable[str]) -> list[str]:
    """All IOBES tags of some types, in the order of their ids.

    Example:
        >>> tagset(["PER", "LOC"])
        ['O', 'B-PER', 'I-PER', 'E-PER', 'S-PER', 'B-LOC', 'I-LOC', 'E-LOC', 'S-LOC']
    """
    return ["O", *(f"{letter}-{kind}" for kind in types for letter in "BIES")]


def constraints(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which transitions between tags are valid, in IOBES if a tag starts with E or S, otherwise in IOB2.

    Args:
        tags: all K tags, in the order of their ids.

    Returns:
        Boolean arrays: start (K,), the tags that may begin a sentence; transitions (K, K), the tags (columns) that may
        follow a tag (row); end (K,), the tags that may end a sentence.

    Example:
        >>> start, transitions, end = constraints(["O", "B-X", "I-X"])
        >>> start.tolist(), transitions[0].tolist(), end.tolist()
        ([True, True, False], [True, True, False], [True, True, True])
    """
    scheme = "IOBES" if any(parse(tag)[0] in "ES" for tag in tags) else "IOB2"
    around = [None, *tags]
    allowed = np.array([[_wrong(before, after, scheme) is None for after in around] for before in around])
    return allowed[0, 1:], allowed[1:, 1:], allowed[1:, 0]
