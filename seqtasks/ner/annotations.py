"""Sentences with their entities, as annotation tools write them: JSON, an object a line or one array of them."""

import itertools
import json
import re
from typing import NamedTuple

from seqtasks.data.sources import UNREADABLE, faults, json_lines, open_text
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.text.word_tokenizer import SEPARATOR

TAG_NAMES = ("tags", "ner_tags", "labels", "ner")
SPAN_NAMES = ("spans", "entities", "label", "labels")


class Tagged(NamedTuple):
    """A sentence in tokens, with the tags of its file, and the line of each token."""

    tokens: list[str]
    tags: list[str]
    lines: list[int]


class Marked(NamedTuple):
    """A raw text with its entities as (start, end, type) in code points, in order."""

    text: str
    spans: list[tuple[int, int, str]]
    line: int


def clean_token(text, where):
    """A token as an input can hold it: without the separator and half emojis (lone surrogates), and not empty."""
    if not text:
        raise UserError("an empty token", where=where, remedy="leave it out, together with its tag")
    return text.replace(SEPARATOR, " ").encode("utf-8", "replace").decode()


def tagged(tokens, tags, line, where):
    if not all(isinstance(token, str) for token in tokens):
        raise UserError("the tokens are no strings", where=where, remedy='write "tokens": ["Ada", "sleeps"]')
    if not all(isinstance(tag, str) for tag in tags):
        raise UserError("the tags are no strings", where=where, remedy='write their names: "tags": ["B-PER", "O"]')
    if len(tokens) != len(tags):
        raise UserError(f"{len(tokens)} tokens and {len(tags)} tags", where=where, remedy="give each token one tag")
    for tag in tags:
        schemes.parse(tag, where)
    return Tagged([clean_token(token, where) for token in tokens], tags, [line] * len(tags))


def read_json(path):
    try:
        with open_text(path) as file:
            array = file.read(99).lstrip().startswith("[")
        with open_text(path) as file:
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
    except UNREADABLE as error:
        raise faults(path, error) from None


def _array(file, path):
    """The elements of an array and the lines where they begin; no more of the file is held than one and a block."""
    decoder, gap = json.JSONDecoder(), re.compile(r"[\s,]*")
    text, place, line = file.read(2**16), 0, 1
    place = text.index("[") + 1
    line += text.count("\n", 0, place)
    while True:
        begin, place = place, gap.match(text, place).end()
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
                remedy = "mend it, or write one object per line"
                raise UserError(f"not JSON ({error.msg})", where=where, remedy=remedy) from None
            text, place = text[place:] + more, 0
        else:
            yield line, record
            line += text.count("\n", place, end)
            place = end


def _marked(record, line, where):
    if isinstance(record.get("data"), dict):  # Label Studio
        text = record["data"].get("text")
        done = [a for a in record.get("annotations") or () if not a.get("was_cancelled")]
        if not done:
            raise UserError("a task without annotation", where=where, remedy="leave it out")
        found = [r["value"] for r in done[0].get("result", ()) if "labels" in r.get("value", ())]
    else:
        text = record.get("text")
        found = next((record[name] for name in SPAN_NAMES if isinstance(record.get(name), list)), None)
    if not isinstance(text, str) or found is None:
        listed = ", ".join(record) or "(none)"
        remedy = 'write {"tokens": [...], "tags": [...]} or {"text": "...", "spans": [[start, end, "TYPE"]]}'
        raise UserError(f"no tokens and tags, and no text and spans, among {listed}", where=where, remedy=remedy)
    text = text.replace(SEPARATOR, " ").encode("utf-8", "replace").decode()
    spans = sorted(_span(item, len(text), where) for item in found)
    for (start, end, _), (second, last, _) in itertools.pairwise(spans):
        if second < end:
            what = f"the spans {text[start:end]!r} ({start}-{end}) and {text[second:last]!r} ({second}-{last}) overlap"
            raise UserError(what, where=where, remedy="keep one of them")
    return Marked(text, spans, line)


def _span(item, size, where):
    if isinstance(item, dict):
        start, end = (item.get(name, item.get(f"{name}_offset")) for name in ("start", "end"))
        label = item.get("label") or item.get("labels")
        item = (start, end, label[0] if isinstance(label, list) and len(label) == 1 else label)
    if not (isinstance(item, list | tuple) and [type(part) for part in item] == [int, int, str] and item[2].strip()):
        raise UserError(f"no span: {item!r:.60}", where=where, remedy='write [start, end, "TYPE"]')
    start, end, label = item
    if not 0 <= start < end <= size:
        what = f"the span {start}-{end} is empty or lies outside the {size} characters of the text"
        raise UserError(what, where=where, remedy="count characters from 0, the end being the one behind")
    return start, end, schemes.type_named(label)
