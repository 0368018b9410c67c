"""Files of columns: a token on each line, a blank line after each sentence (CoNLL, CoNLL-U, tables like them)."""

import csv
import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seqtasks.data.reading import Reading
from seqtasks.data.tables import dialect_of
from seqtasks.data.text_files import reading as opened
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.annotations import TAG_NAMES, TOKEN_NAMES
from seqtasks.ner.sentences import Item, Options, Tagged, clean_token

UNIVERSAL = (".conllu", ".conllup")
SUFFIXES = (".conll", *UNIVERSAL, ".conll2003", ".iob", ".iob2", ".bio", ".bioes", ".bilou", ".txt")
TABLES = (".csv", ".tsv", ".tab")
NAMES = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")  # columns of CoNLL-U
KEYS = ("ner", "ne", "entity")  # of MISC, whose value is the tag
SAMPLE = 2000  # lines that show the layout of a file
NOT_A_WORD = re.compile(r"\d+[-.]\d+")  # the ids of ranges and of empty nodes in CoNLL-U
COMMENT = re.compile(r"#\s*([^=\s]+)\s*=\s*(.*)")


class Layout(NamedTuple):
    """Where tokens and tags are.

    Args:
        width: number of columns.
        token, tag: their indices; None if there are no tags.
        header: whether the first line holds names.
        universal: whether the columns are those of CoNLL-U.
        tags: those of the first lines.
    """

    width: int
    token: int
    tag: int | None
    header: bool
    universal: bool
    tags: frozenset[str]


def lines_of(path: Path, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line, and its number; none for a blank line.

    Columns are separated by tabs in lines that contain one, and by spaces in others; in `.csv` by its delimiter.
    """
    with opened(path, encoding=reading.encoding) as file:
        if suffix_of(path) == ".csv":
            rows = csv.reader(file, strict=True, **dialect_of(path, reading).options)
            try:
                yield from ((rows.line_num, row if any(field.strip() for field in row) else []) for row in rows)
            except csv.Error as error:
                what, remedy = f"not a table ({error})", "close every quote, and double quotes inside a quoted field"
                raise UserError(what, where=f"{path}:{rows.line_num}", remedy=remedy) from None
            return
        delimiter = dialect_of(path, reading).delimiter if reading.delimiter else None
        for number, line in enumerate(file, 1):
            line = line.rstrip(" \t\r\n")
            if not line.strip():
                yield number, []
            elif delimiter or "\t" in line:
                yield number, line.split(delimiter or "\t")
            else:
                yield number, [field for field in line.split(" ") if field]


def layout_of(path: Path, options: Options, reading: Reading) -> Layout | None:
    """The layout of a file, by its first lines; None if there are none.

    Raises:
        UserError: if it has no such columns.
    """
    sample = [(number, fields) for number, fields in itertools.islice(lines_of(path, reading), SAMPLE) if fields]
    rows = [(number, fields) for number, fields in sample if not fields[0].startswith("#") and not _is_document(fields)]
    rows = rows or [(number, fields) for number, fields in sample if not _is_document(fields)]
    if not rows:
        return None
    width = Counter(len(fields) for _, fields in rows).most_common(1)[0][0]
    line, first = rows[0]
    where, names = f"{path}:{line}", [name.strip().lower() for name in first]
    universal = suffix_of(path) in UNIVERSAL
    given = {name.lower() for name in (options.token_column, options.tag_column) if isinstance(name, str)}
    header = bool({*names} & (given or {*TOKEN_NAMES})) and (bool({*names} & {*TAG_NAMES, *given}) or width == 1)
    if universal:
        plus = (" ".join(f).partition("=")[2] for _, f in sample if "".join(f[:3]).startswith("#global.columns"))
        names, header = next(plus, " ".join(NAMES)).lower().split(), False
    if width == 1 and reading.labelled:
        remedy = "put a space or tab between them"
        raise UserError("1 column, expected a token and a tag", where=where, remedy=remedy)
    named = names if header or universal else None
    token = _index(options.token_column, "--token_column", width, named, where, (*TOKEN_NAMES,), 0)
    tag = None
    if reading.labelled:
        usual = ("ner", "ne", "misc") if universal else TAG_NAMES
        tag = _index(options.tag_column, "--tag_column", width, named, where, usual, width - 1)
        if token == tag:
            what = f"tokens and tags are both in column {tag + 1}"
            raise UserError(what, where=where, remedy="name the --tag_column")
    known = frozenset(f[tag].strip() for _, f in rows if len(f) == width) if tag is not None else frozenset()
    return Layout(width, token, tag, header, universal, known)


def _index(
    wanted: str | int | None, option: str, width: int, names: Sequence[str] | None, where: str, usual: Sequence[str],
    default: int,
) -> int:  # fmt: skip
    """The index of a column."""
    if isinstance(wanted, str):
        if wanted.lower() in (names or ()):
            return [*(names or ())].index(wanted.lower())
        what = f"no column {wanted!r}" + (f" among {', '.join(names)}" if names else ": the columns have no names")
        raise UserError(what, where=where, remedy=f"give {option} a number from 1, or from the end (-1)")
    if wanted is None:
        found = (names.index(name) for name in usual if name in names) if names else iter(())
        return next(found, default)
    if not 0 < abs(wanted) <= width:
        remedy = f"{option} counts from 1, or from the end (-1)"
        raise UserError(f"no column {wanted} among {width}", where=where, remedy=remedy)
    return wanted - 1 if wanted > 0 else width + wanted


def _is_document(fields: Sequence[str]) -> bool:
    """Whether a line is a mark between documents."""
    return "-DOCSTART-" in fields[:2] or fields[0] in ("#begin", "#end")


def _is_comment(fields: Sequence[str], layout: Layout) -> bool:
    """Whether a line is a comment, and not the token #."""
    if fields[0] != "#" and not (layout.universal and fields[0].startswith("#")):
        return False
    if len(fields) != layout.width:
        return True
    tag = fields[-1 if layout.tag is None else layout.tag].strip()
    return layout.width > 1 and tag not in layout.tags and not schemes.is_tag(tag)


def read_columns(path: Path, options: Options, reading: Reading) -> Iterator[Item]:
    """The sentences of a file of columns; one with a faulty line is a `UserError`.

    Comments `# name = value` are fields of a sentence.

    Args:
        path: the file.
        options: the columns.
        reading: `encoding`, `delimiter` and `labelled`.

    Raises:
        UserError: if there are no such columns.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.conll"
        >>> _ = path.write_text("# id = 7\\nAda B-PER\\nsleeps O\\n")
        >>> list(read_columns(path, Options(), Reading()))
        [(2, Tagged(tokens=['Ada', 'sleeps'], tags=['B-PER', 'O'], lines=[2, 3]), {'id': '7'})]
    """
    layout = layout_of(path, options, reading)
    if layout is None:
        return
    take = functools.partial(_tag_of, tagged=_in_misc(path, layout, reading))
    tokens: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    fields_of: dict[str, str] = {}
    error: UserError | None = None
    header = layout.header
    for number, fields in itertools.chain(lines_of(path, reading), [(0, [])]):
        if not fields or _is_document(fields):
            if lines:
                yield lines[0], error or Tagged(tokens, tags, lines), fields_of
            tokens, tags, lines, fields_of, error = [], [], [], {}, None
            continue
        if header:
            header = False
            continue
        if _is_comment(fields, layout):
            if found := COMMENT.fullmatch(" ".join(fields)):
                fields_of[found[1]] = found[2].strip()
            continue
        if len(fields) != layout.width:
            lines.append(number)
            error = error or _wrong_width(len(fields), layout.width, f"{path}:{number}")
            continue
        if layout.width == len(NAMES) and layout.token and NOT_A_WORD.fullmatch(fields[0]):
            continue
        lines.append(number)
        token, tag = fields[layout.token], "O" if layout.tag is None else take(fields[layout.tag].strip())
        if not token:
            remedy = "leave it out, together with its tag"
            error = error or UserError("an empty token", where=f"{path}:{number}", remedy=remedy)
        elif not tag:
            remedy = "give each token a tag, such as O"
            error = error or UserError("an empty tag", where=f"{path}:{number}", remedy=remedy)
        tokens.append(clean_token(token))
        tags.append(tag)


def _wrong_width(found: int, width: int, where: str) -> UserError:
    remedy = "give every line the same columns, and put tabs between them if tokens contain spaces"
    return UserError(f"{found} column{'s' * (found != 1)}, expected {width}", where=where, remedy=remedy)


def _in_misc(path: Path, layout: Layout, reading: Reading) -> bool | None:
    """Whether the column of the tags is a MISC of names and values; None if it holds the tags alone.

    Raises:
        UserError: if it is a MISC without tags.
    """
    if layout.tag is None or not (layout.universal or layout.width == len(NAMES)):
        return None
    misc = layout.universal and layout.tag == len(NAMES) - 1
    values = layout.tags
    if any("=" in value for value in values) or (misc and not any(map(schemes.is_tag, values))):
        if any(_named_tag(value) for value in values):
            return True
        every = (f[layout.tag].strip() for _, f in lines_of(path, reading) if len(f) == layout.width)
        if any(_named_tag(value) for value in every):
            return True
        remedy = "name the column with --tag_column (4 is the part of speech)"
        raise UserError(f"no NER= in column {layout.tag + 1}", where=path, remedy=remedy)
    return False


def _named_tag(value: str) -> str:
    """The tag in a MISC; empty if there is none.

    Example:
        >>> _named_tag("SpaceAfter=No|NER=B-PER"), _named_tag("B-PER|SpaceAfter=No"), _named_tag("_")
        ('B-PER', 'B-PER', '')
    """
    for part in value.split("|"):
        key, equals, tag = part.partition("=")
        if (equals and key.lower() in KEYS and not tag.startswith("(")) or (not equals and schemes.is_tag(key)):
            return tag or key
    return ""


def _tag_of(value: str, tagged: bool | None) -> str:
    """The tag in the column of the tags; in CoNLL-U an underscore is none."""
    if tagged is None:
        return value
    return _named_tag(value) or "O" if tagged else "O" if value == "_" else value


def refuse_columns(path: Path, reading: Reading) -> None:
    """Raise `UserError` if a file with one text on each line is plainly a file of columns.

    Args:
        path: the file.
        reading: `encoding`.
    """
    fields = [f for _, f in itertools.islice(lines_of(path, reading), SAMPLE) if f and not _is_document(f)]
    widths = {len(f) for f in fields}
    if len(widths) == 1 and widths != {1} and all(schemes.is_tag(f[-1].strip()) for f in fields):
        what, remedy = "lines of tokens and tags, where each line would be a text", "rename it to end in .conll"
        raise UserError(what, where=path, remedy=remedy)
