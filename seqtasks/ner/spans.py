"""Spans of a text: their offsets in the units of other tools, and the tokens that they cover."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes

Span = tuple[int, int, str]  # start, end (exclusive), type
UNITS = {"codepoints": "characters", "utf16": "UTF-16 units", "utf8": "bytes"}


class Tokens(NamedTuple):
    """The tokens of a text, and where they start and end in it, in code points."""

    tokens: list[str]
    starts: list[int]
    ends: list[int]


def tokenized(texts: Sequence[str]) -> Iterable[Tokens]:
    """The tokens of raw texts, by the tokenizer that the exported model uses.

    Example:
        >>> next(iter(tokenized(["Ada sleeps."])))
        Tokens(tokens=['Ada', 'sleeps', '.'], starts=[0, 4, 10], ends=[3, 10, 11])
    """
    if not texts:
        return ()
    import tensorflow as tf

    from seqtasks.text.word_tokenizer import tokenize

    tokens, starts, ends, _ = tokenize(tf.constant([text.encode() for text in texts]))
    words = [[token.decode() for token in row] for row in tokens.to_list()]
    return map(Tokens, words, starts.to_list(), ends.to_list())


def in_code_points(text: str, spans: Sequence[Span], unit: str) -> list[Span | None]:
    """Spans in code points; None for one that is empty, outside the text, or inside a character.

    Args:
        text: the text.
        spans: (start, end, type) in `unit`.
        unit: `codepoints`, `utf16` as in JavaScript, or `utf8`, which are bytes.

    Example:
        >>> in_code_points("a 😀 Rome", [(5, 9, "LOC"), (3, 9, "LOC")], "utf16")
        [(4, 8, 'LOC'), None]
        >>> in_code_points("é Rome", [(3, 7, "LOC")], "utf8")
        [(2, 6, 'LOC')]
    """
    size = len(text)
    if differs(text, unit):
        widths = [len(c.encode("utf-8")) if unit == "utf8" else 1 + (c > "\uffff") for c in text]
        places, offset = {0: 0}, 0
        for number, width in enumerate(widths, 1):
            offset += width
            places[offset] = number
        spans = [(places.get(start, -1), places.get(end, -1), kind) for start, end, kind in spans]
    return [(start, end, kind) if 0 <= start < end <= size else None for start, end, kind in spans]


def differs(text: str, unit: str) -> bool:
    """Whether offsets of a text in a unit are others than in code points.

    Example:
        >>> differs("é", "utf8"), differs("é", "utf16"), differs("😀", "utf16")
        (True, False, True)
    """
    return unit != "codepoints" and not text.isascii() and (unit == "utf8" or max(text) > "\uffff")


def fits(span: Span | None, tokens: Tokens) -> bool:
    """Whether a span covers whole tokens; white space at its ends is ignored."""
    if span is None:
        return False
    first, after = bisect_right(tokens.ends, span[0]), bisect_left(tokens.starts, span[1])
    return first < after and tokens.starts[first] >= span[0] and tokens.ends[after - 1] <= span[1]


def misfits(text: str, spans: Sequence[Span], tokens: Tokens, unit: str) -> int:
    """How many spans do not cover whole tokens, if their offsets are read in a unit."""
    return sum(not fits(span, tokens) for span in in_code_points(text, spans, unit))


def unit_of(marked: Iterable[tuple[str, Sequence[Span], Tokens]]) -> str:
    """The unit in which the fewest spans of a file are no whole tokens; code points if several are equal.

    Args:
        marked: (text, spans, tokens) of each text in which the units differ.
    """
    counts = dict.fromkeys(UNITS, 0)
    for text, spans, tokens in marked:
        for unit in UNITS:
            counts[unit] += misfits(text, spans, tokens, unit)
    return min(UNITS, key=lambda unit: counts[unit])


def longest(spans: Iterable[Span]) -> list[Span]:
    """The spans without those that overlap a longer one, in order.

    Example:
        >>> longest([(0, 4, "A"), (3, 9, "B"), (10, 12, "C")])
        [(3, 9, 'B'), (10, 12, 'C')]
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s[0] - s[1], s)):
        if all(span[1] <= start or end <= span[0] for start, end, _ in kept):
            kept.append(span)
    return sorted(kept)


class Aligned(NamedTuple):
    """The entities of a text by tokens, and what was wrong: None, or the error and what to do with the sentence.

    Args:
        entities: (type, first token, token after the last).
        error: None, or the fault that was repaired.
        measured: whether the repaired entities can also be measured.
    """

    entities: list[schemes.Entity]
    error: UserError | None = None
    measured: bool = True


def align(text: str, given: Sequence[Span], tokens: Tokens, unit: str, where: str) -> Aligned:
    """The tokens of spans. A span that cuts a token is widened; of spans that overlap the longest is kept.

    Args:
        text: the text.
        given: (start, end, type) in `unit`.
        tokens: the tokens of the text.
        unit: a key of `UNITS`.
        where: file and line.

    Raises:
        UserError: if a span is outside the text, contains no token, or fits in another unit only.

    Example:
        >>> text = "Ada Byron"
        >>> str(align(text, [(0, 8, "PER")], Tokens(["Ada", "Byron"], [0, 4], [3, 9]), "codepoints", "a.jsonl:1").error)
        "a.jsonl:1: the span 'Ada Byro' (0-8) cuts the token 'Byron'; correct it, or it is widened to whole tokens"
    """
    given = sorted(set(given))
    placed = in_code_points(text, given, unit)
    if not all(fits(span, tokens) for span in placed):
        for other in UNITS:
            if other != unit and (differs(text, other) or differs(text, unit)):
                wrong = next(s for s, p in zip(given, placed, strict=True) if not fits(p, tokens))
                if misfits(text, given, tokens, other) == 0:
                    what = f"the span {wrong[0]}-{wrong[1]} is right only if offsets count {UNITS[other]}"
                    raise UserError(what, where=where, remedy=f"add --offsets {other}")
    spans = []
    for span, (start, end, _) in zip(placed, given, strict=True):
        if span is None:
            what = f"the span {start}-{end} is empty or outside the {_size(text, unit)} {UNITS[unit]} of the text"
            raise UserError(what, where=where, remedy="count from 0; the end is exclusive")
        spans.append(span)
    kept = longest(spans)
    error = _overlap(text, spans, where) if len(kept) < len(spans) else None
    return _by_tokens(text, kept, tokens, where, error)


def _by_tokens(text: str, spans: Sequence[Span], tokens: Tokens, where: str, error: UserError | None) -> Aligned:
    words, starts, ends = tokens
    entities: list[schemes.Entity] = []
    measured, free = error is None, 0
    for start, end, kind in spans:
        first, after = bisect_right(ends, start), bisect_left(starts, end)
        span = f"the span {text[start:end]!r} ({start}-{end})"
        if first >= after:
            raise UserError(f"{span} contains no token", where=where, remedy="leave it out")
        if starts[first] < start or ends[after - 1] > end:
            cut = words[first] if starts[first] < start else words[after - 1]
            remedy = "correct it, or it is widened to whole tokens"
            error = error or UserError(f"{span} cuts the token {cut!r}", where=where, remedy=remedy)
            first = max(first, free)  # a token that two spans share belongs to the first
        if first < after:
            entities.append((kind, first, after))
            free = after
    return Aligned(entities, error, measured)


def _size(text: str, unit: str) -> int:
    encoded = {"codepoints": ("utf-32-le", 4), "utf16": ("utf-16-le", 2), "utf8": ("utf-8", 1)}
    name, width = encoded[unit]
    return len(text.encode(name)) // width


def _overlap(text: str, spans: Sequence[Span], where: str) -> UserError:
    ordered = sorted(spans)
    furthest = ordered[0]
    for span in ordered[1:]:
        if span[0] < furthest[1]:
            one, two = (f"{text[start:end]!r} ({start}-{end})" for start, end, _ in (furthest, span))
            return UserError(f"the spans {one} and {two} overlap", where=where, remedy="keep one of them")
        furthest = max(furthest, span, key=lambda s: s[1])
    raise AssertionError("no spans overlap")
