"""Records as sentences: tokens with tags, texts with spans as annotation tools write them, tables of tokens."""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seqtasks.data.columns import find_column
from seqtasks.data.reading import Reading
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.values import missing, plain, text_of
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.sentences import Item, Marked, Options, Tagged, clean_token
from seqtasks.ner.spans import Span

TOKEN_NAMES = ("word", "token", "form")  # columns of tables with a token on each row
LIST_NAMES = ("tokens", "words")
TEXT_NAMES = ("text", "sentence", "data", "content")
TAG_NAMES = ("tags", "ner_tags", "labels", "ner", "tag", "ner_tag", "label", "spans", "entities", "ne")
SENTENCE_NAMES = (
    "sentence #", "sentence_id", "sent_id", "sentence_idx", "sentence_number", "sentence id", "sentence", "sent",
)  # fmt: skip
REJECTED = ("reject", "ignore")  # answers of Prodigy that do not accept an annotation
WRITE = 'write {"tokens": [...], "tags": [...]} or {"text": "...", "spans": [[start, end, "TYPE"]]}'


def is_header(first: Sequence[str], options: Options, labelled: bool = True) -> bool:
    """Whether the first row of a table holds the names of its columns.

    Args:
        first: the row.
        options: columns that are named.
        labelled: whether there is a column of tags.

    Example:
        >>> is_header(["Sentence #", "Word", "POS", "Tag"], Options()), is_header(["Ada", "B-PER"], Options())
        (True, False)
    """
    given = (options.token_column, options.tag_column, options.sentence_column)
    wanted = {str(name).split(".")[0].lower() for name in given if isinstance(name, str)}
    names = {name.strip().lower() for name in first}
    if wanted:
        return bool(wanted & names)
    return bool(names & {*TOKEN_NAMES, *LIST_NAMES, *TEXT_NAMES}) and (not labelled or bool(names & {*TAG_NAMES}))


def read_records(records: Records, options: Options, reading: Reading) -> Iterator[Item]:
    """The sentences of records.

    A record is a sentence: tokens and tags, or a text and spans, as data sets, doccano, spaCy, Prodigy and Label Studio
    write them. In a table with a column of tokens and one of sentences, rows in a row of one sentence are one.

    Args:
        records: the records.
        options: how they are read.
        reading: `labelled`.

    Raises:
        UserError: if a column is missing.

    Example:
        >>> rows = [(1, {"text": "Ada sleeps.", "spans": [[0, 3, "PER"]]})]
        >>> [sentence for _, sentence, _ in read_records(Records(lambda: iter(rows), "memory"), Options(), Reading())]
        [Marked(text='Ada sleeps.', spans=[(0, 3, 'PER')])]
    """
    first = next((record for _, record in records.read() if not isinstance(record, UserError)), None)
    columns = _token_table(records, first, options, reading) if first else None
    if columns:
        yield from _rows(records, *columns)
        return
    for place, record in records.read():
        where = records.where(place)
        if isinstance(record, UserError):
            yield place, record, {}
            continue
        try:
            yield place, _sentence(_one(record, records.header), options, reading.labelled, where), record
        except UserError as error:
            yield place, error, record


def _one(record: Record, header: bool) -> Record:
    """A record with names; pairs are a text with spaCy's annotations, or tokens with tags."""
    if header or "1" not in record or set(record) - {"1", "2"}:
        return record
    first, second = record["1"], record.get("2")
    if isinstance(second, Mapping):
        return {"text": first, **second}
    return {"text" if isinstance(first, str | bytes) else "tokens": first, "tags": second}


def _field(record: Record, wanted: str | int | None, names: Sequence[str]) -> Any:
    """The value of a column, by its name or number, or else of the first usual name that has a value."""
    if isinstance(wanted, str) and (wanted in record or "." in wanted):
        return value_of(record, wanted)
    if isinstance(wanted, int) and 0 < abs(wanted) <= len(record):
        return list(record.values())[wanted - (wanted > 0)]
    lower = {str(name).strip().lower(): value for name, value in reversed(list(record.items()))}
    if wanted is not None:
        return lower.get(str(wanted).lower())
    return next((lower[name] for name in names if not missing(lower.get(name))), None)


def _sentence(record: Record, options: Options, labelled: bool, where: str) -> Tagged | Marked | None:
    if isinstance(record.get("data"), Mapping):  # Label Studio
        done = [a for a in record.get("annotations") or record.get("completions") or () if not a.get("was_cancelled")]
        if labelled and not done:
            return None
        spans = [r["value"] for r in done[0].get("result", ()) if "labels" in r.get("value", ())] if done else []
        record = {**record["data"], "spans": spans}
    if labelled and record.get("answer") in REJECTED:
        return None
    found = _list(_field(record, options.token_column, LIST_NAMES))
    if isinstance(found, str) and (options.token_column is None or options.token_column in LIST_NAMES):
        found = found.split()
    tokens = found if isinstance(found, list) and not (found and isinstance(found[0], Mapping)) else None
    text = found if isinstance(found, str) else None
    if tokens is None and text is None:
        text = _field(record, options.token_column, TEXT_NAMES)
        text = text_of(text, where) if isinstance(text, str | bytes) else None
    marks = _list(_field(record, options.tag_column, TAG_NAMES)) if labelled else []
    if (tokens is None and text is None) or marks is None:
        listed = ", ".join(map(str, record)) or "(none)"
        raise UserError(f"no tokens and tags, and no text and spans, among {listed}", where=where, remedy=WRITE)
    if tokens is None and isinstance(marks, list) and not (marks and isinstance(marks[0], str | int)):
        clean = clean_token(text or "")
        return Marked(clean, [_span(mark, where) for mark in marks])
    words = tokens if tokens is not None else (text or "").split()
    return _tagged(words, marks.split() if isinstance(marks, str) else marks, labelled, where)


def _list(value: Any) -> Any:
    """A value as a list where it is one: of NumPy, or written as JSON or Python; other strings as they are."""
    if value is None or missing(value):
        return None
    value = value if isinstance(value, str) else plain(value)
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        for load in (json.loads, ast.literal_eval):
            try:
                parsed = load(value)
            except (ValueError, SyntaxError, RecursionError):
                continue
            if isinstance(parsed, list) and not re.search(r"""['"]\s+['"]""", value):  # Python joins "a" "b"
                return parsed
    return value


def _tagged(tokens: list[Any], tags: Sequence[Any], labelled: bool, where: str) -> Tagged:
    if not all(isinstance(token, str) for token in tokens):
        raise UserError("the tokens are not strings", where=where, remedy='write "tokens": ["Ada", "sleeps"]')
    if not labelled:
        return Tagged([clean_token(token) for token in tokens], [])
    if not all(isinstance(tag, str | int) and not isinstance(tag, bool) for tag in tags):
        raise UserError("the tags are not strings", where=where, remedy='write their names: "tags": ["B-PER", "O"]')
    if len(tokens) != len(tags):
        raise UserError(f"{len(tokens)} tokens and {len(tags)} tags", where=where, remedy="give each token one tag")
    if not all(tokens):
        raise UserError("an empty token", where=where, remedy="leave it out, together with its tag")
    return Tagged([clean_token(token) for token in tokens], [str(tag) for tag in tags])


def _span(item: Any, where: str) -> Span:
    given = item
    if isinstance(item, Mapping):
        start, end = (item.get(name, item.get(f"{name}_offset")) for name in ("start", "end"))
        names = ("label", "labels", "type", "entity", "entity_group")
        label = next((item[name] for name in names if item.get(name)), None)
        item = (start, end, label[0] if isinstance(label, list) and len(label) == 1 else label)
    if not (isinstance(item, list | tuple) and [type(part) for part in item] == [int, int, str] and item[2].strip()):
        raise UserError(f"not a span: {given!r:.60}", where=where, remedy='write [start, end, "TYPE"]')
    return item[0], item[1], schemes.type_named(item[2])


def _token_table(
    records: Records, first: Record, options: Options, reading: Reading
) -> tuple[str, str, str | None] | None:
    """The columns of sentence, token and tag, if each record is a token."""
    names = records.names or tuple(map(str, first))

    def column(wanted: str | int | None, usual: Sequence[str], what: str, option: str) -> str | None:
        if isinstance(wanted, int):
            wanted = str(wanted if wanted > 0 else len(names) + 1 + wanted)
        return find_column(names, wanted, usual, what, option, records.name)

    token = column(options.token_column, (*TOKEN_NAMES, *LIST_NAMES), "tokens", "--token_column")
    value = first.get(token) if token else None
    single = isinstance(value, str) and not any(map(str.isspace, value.strip())) and isinstance(_list(value), str)
    sentence = column(options.sentence_column, SENTENCE_NAMES, "sentences", "--sentence_column")
    if not (token and single) or sentence == token:
        return None
    if sentence is None:
        if token.lower() not in TOKEN_NAMES:
            return None
        what = f"a token on each row, and no column of sentences among {', '.join(names)}"
        raise UserError(what, where=records.name, remedy="name it with --sentence_column")
    tag = column(options.tag_column, TAG_NAMES, "tags", "--tag_column")
    if tag is None and reading.labelled:
        what = f"no tags among {', '.join(names)}"
        raise UserError(what, where=records.name, remedy="name their column with --tag_column")
    return sentence, token, tag if reading.labelled else None


def _rows(records: Records, sentence: str, token: str, tag: str | None) -> Iterator[Item]:
    """The sentences of a table of tokens. A new value of the sentence begins one; an empty one goes on."""
    tokens: list[str] = []
    tags: list[str] = []
    lines: list[Any] = []
    error: UserError | None = None
    current, start = None, None
    kept: Record = {}

    def end() -> Iterator[Item]:
        if start is not None:
            known = lines if isinstance(start, int) else ()
            yield start, error or Tagged(list(tokens), list(tags), list(known)), kept

    for place, record in records.read():
        if isinstance(record, UserError):
            error, start = error or record, place if start is None else start
            continue
        value = record.get(sentence)
        key = None if missing(value) or not str(value).strip() else str(value)
        if key is not None and key != current:
            yield from end()
            tokens, tags, lines, error, current, start, kept = [], [], [], None, key, place, record
        start = place if start is None else start
        where = records.where(place)
        word, name = plain(record.get(token)), plain(record.get(tag)) if tag else "O"
        if word is None or str(word) == "":
            error = error or UserError("an empty token", where=where, remedy="leave the row out")
        elif name is None or not str(name).strip():
            error = error or UserError("an empty tag", where=where, remedy="give each token a tag, such as O")
        tokens.append(clean_token(str(word)))
        tags.append(str(name).strip())
        lines.append(place)
    yield from end()
