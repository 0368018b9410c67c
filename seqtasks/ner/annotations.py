"""Reads the JSON of annotation tools: sentences with their entities, one object per line or an array of objects."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from seqtasks.data.tables import json_lines
from seqtasks.data.text_files import reading, replace_surrogates
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.text.word_tokenizer import SEPARATOR

Span = tuple[int, int, str]  # start, end (exclusive), type

TAG_NAMES = ("tags", "ner_tags", "labels", "ner")
SPAN_NAMES = ("spans", "entities", "label", "labels")


class Tagged(NamedTuple):
    """A sentence as tokens, with the tags as in its file, and the line of each token."""

    tokens: list[str]
    tags: list[str]
    lines: list[int]


class Marked(NamedTuple):
    """A raw text with its entities, (start, end, type) in code points, in order."""

    text: str
    spans: list[Span]
    line: int


def clean_token(text: str, where: str) -> str:
    """A token that can be part of an input: without the separator and lone surrogates.

    Args:
        text: the token as in the file.
        where: file and line, for the message.

    Raises:
        UserError: if it is empty.

    Example:
        >>> clean_token("a\\x1fb", "a.conll:1")
        'a b'
    """
    if not text:
        raise UserError("an empty token", where=where, remedy="leave it out, together with its tag")
    return replace_surrogates(text.replace(SEPARATOR, " "))


def tagged(tokens: list[str], tags: list[str], line: int, where: str) -> Tagged:
    """A sentence of tokens and tags.

    Args:
        tokens, tags: lists of strings of equal length.
        line: the line of the sentence.
        where: file and line, for messages.

    Raises:
        UserError: if there are other values in the lists, their lengths differ, or a tag does not belong to a scheme.

    Example:
        >>> tagged(["Ada", "sleeps"], ["B-PER", "O"], 1, "a.jsonl:1")
        Tagged(tokens=['Ada', 'sleeps'], tags=['B-PER', 'O'], lines=[1, 1])
    """
    if not all(isinstance(token, str) for token in tokens):
        raise UserError("the tokens are not strings", where=where, remedy='write "tokens": ["Ada", "sleeps"]')
    if not all(isinstance(tag, str) for tag in tags):
        raise UserError("the tags are not strings", where=where, remedy='write their names: "tags": ["B-PER", "O"]')
    if len(tokens) != len(tags):
        raise UserError(f"{len(tokens)} tokens and {len(tags)} tags", where=where, remedy="give each token one tag")
    for tag in tags:
        schemes.parse(tag, where)
    return Tagged([clean_token(token, where) for token in tokens], tags, [line] * len(tags))


def read_json(path: str | Path) -> Iterator[Tagged | Marked]:
    """The sentences of a file of annotations: JSON Lines or one array, also with `.gz`.

    A record holds tokens and tags, or a text and spans, as data sets, doccano, spaCy, Prodigy and Label Studio write.

    Raises:
        UserError: at a record that is neither.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
        >>> _ = path.write_text('{"text": "Ada sleeps.", "spans": [[0, 3, "PER"]]}\\n')
        >>> list(read_json(path))
        [Marked(text='Ada sleeps.', spans=[(0, 3, 'PER')], line=1)]
    """
    with reading(path) as file:
        array = file.read(99).lstrip().startswith("[")
    with reading(path) as file:
        for line, record in _array(file, path) if array else json_lines(file, path):
            where = f"{path}:{line}"
            if not isinstance(record, dict):
                remedy = 'write {"tokens": [...], "tags": [...]}, one object per line'
                raise UserError("not a JSON object", where=where, remedy=remedy)
            key = next((name for name in TAG_NAMES if isinstance(record.get(name), list)), None)
            if isinstance(record.get("tokens"), list) and key:
                yield tagged(record["tokens"], record[key], line, where)
            else:
                yield _marked(record, line, where)


def _array(file: IO[str], path: str | Path) -> Iterator[tuple[int, Any]]:
    """The elements of an array and the lines where they begin; memory holds one element and a block of the file."""
    decoder, gap = json.JSONDecoder(), re.compile(r"[\s,]*")
    text, place, line = file.read(2**16), 0, 1
    place = text.index("[") + 1
    line += text.count("\n", 0, place)
    while True:
        begin, place = place, gap.match(text, place).end()  # type: ignore[union-attr]  # it matches the empty string
        line += text.count("\n", begin, place)
        if text.startswith("]", place):
            return
        try:
            record, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            cut_off = error.pos > len(text) - 8 or error.msg.startswith("Unterminated")
            more = file.read(max(2**16, len(text) - place)) if cut_off else ""
            if not more:
                where = f"{path}:{line + text.count(chr(10), place, error.pos)}"
                remedy = "correct it, or write one object per line"
                raise UserError(f"not JSON ({error.msg})", where=where, remedy=remedy) from None
            text, place = text[place:] + more, 0
        else:
            yield line, record
            line += text.count("\n", place, end)
            place = end


def _marked(record: dict[str, Any], line: int, where: str) -> Marked:
    marks: list[Any] | None
    if isinstance(record.get("data"), dict):  # Label Studio
        text = record["data"].get("text")
        done = [a for a in record.get("annotations") or () if not a.get("was_cancelled")]
        if not done:
            raise UserError("a task without annotation", where=where, remedy="leave it out")
        marks = [r["value"] for r in done[0].get("result", ()) if "labels" in r.get("value", ())]
    else:
        text = record.get("text")
        marks = next((record[name] for name in SPAN_NAMES if isinstance(record.get(name), list)), None)
    if not isinstance(text, str) or marks is None:
        listed = ", ".join(record) or "(none)"
        remedy = 'write {"tokens": [...], "tags": [...]} or {"text": "...", "spans": [[start, end, "TYPE"]]}'
        raise UserError(f"no tokens and tags, and no text and spans, among {listed}", where=where, remedy=remedy)
    text = replace_surrogates(text.replace(SEPARATOR, " "))
    spans = sorted(_span(item, len(text), where) for item in marks)
    for (start, end, _), (second, last, _) in itertools.pairwise(spans):
        if second < end:
            what = f"the spans {text[start:end]!r} ({start}-{end}) and {text[second:last]!r} ({second}-{last}) overlap"
            raise UserError(what, where=where, remedy="keep one of them")
    return Marked(text, spans, line)


def _span(item: dict[str, Any] | Sequence[Any], size: int, where: str) -> Span:
    if isinstance(item, dict):
        start, end = (item.get(name, item.get(f"{name}_offset")) for name in ("start", "end"))
        label = item.get("label") or item.get("labels")
        item = (start, end, label[0] if isinstance(label, list) and len(label) == 1 else label)
    if not (isinstance(item, list | tuple) and [type(part) for part in item] == [int, int, str] and item[2].strip()):
        raise UserError(f"not a span: {item!r:.60}", where=where, remedy='write [start, end, "TYPE"]')
    start, end, label = item
    if not 0 <= start < end <= size:
        what = f"the span {start}-{end} is empty or outside the {size} characters of the text"
        raise UserError(what, where=where, remedy="count characters from 0; the end is exclusive")
    return start, end, schemes.type_named(label)
