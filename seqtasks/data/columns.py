"""Columns: which field of a record is the input, and which the target."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seqtasks.data.reading import ALL, Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.targets import MARK, label_text, labels_text, missing
from seqtasks.data.text_files import replace_surrogates
from seqtasks.errors import UserError, nearest

SAMPLE, FEW = 200, 8  # rows from which names are told from data, and the number that this needs at least
TEXT_NAMES = ("text", "sentence", "review", "content", "document", "comment", "tweet", "message", "body")
LABEL_NAMES = ("label", "sentiment", "class", "category", "target", "stars", "rating", "score", "polarity")


@dataclasses.dataclass(frozen=True)
class Columns:
    """How the records of a table become examples.

    Args:
        text: name or number (from 1) of the column with the text; None looks for a usual name.
        label: the same for the label. A table of two columns without usual names is read as text, label.
        header: whether the first line holds names; None: if it holds the names that are looked for.
        text_names, label_names: the usual names; the first that is present is taken.
        text_option, label_option: the options that name the columns, for messages.
        lists: whether a label may be a list of labels, see `seqtasks.data.targets`.
        empty: whether a label may be missing, which stands for no label.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    text_names: tuple[str, ...] = TEXT_NAMES
    label_names: tuple[str, ...] = LABEL_NAMES
    text_option: str = "--text_column"
    label_option: str = "--label_column"
    lists: bool = False
    empty: bool = False

    def is_header(self, first: Sequence[str], labelled: bool = True) -> bool:
        """Whether the first row of a table holds the names of its columns.

        Example:
            >>> Columns().is_header(["Text", "Label"]), Columns().is_header(["a fine film", "good"])
            (True, False)
            >>> Columns("1", "2").is_header(["Text", "Label"]), Columns("1", "2").is_header(["a fine film", "good"])
            (True, False)
        """
        if self.header is not None:
            return self.header
        wanted = [(self.text, self.text_names), (self.label, self.label_names)]
        if not labelled and not (self.label or "").isdigit():
            wanted.pop()
        if any(name and not name.isdigit() for name, _ in wanted):
            return True  # a column that is called by its name has one
        names = [name.strip().lower() for name in first]
        numbered = [{*usual} & {*names[int(n) - 1 : int(n)]} for n, usual in wanted if n and int(n)]
        others = [{*usual} & {*names} for n, usual in wanted if not n]
        return all(others) and (bool(others) or any(numbered))


def find_column(
    names: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, option: str, where: str
) -> str | None:
    """The name of a column, in the spelling of the file.

    Args:
        names: the names of the columns, in order.
        wanted: a name, or a number from 1; None looks for a usual name.
        usual: the usual names; the first that is present is taken.
        what: what the column holds, for the message.
        option: the option that names it.
        where: the file.

    Returns:
        The name; None if none is wanted and no usual one is present.

    Raises:
        UserError: if the wanted column is not there.

    Example:
        >>> find_column(["Id", "Review"], None, ["text", "review"], "text", "--text_column", "a.csv")
        'Review'
    """
    lower = {name.lower(): name for name in reversed(names)}
    if wanted is None:
        return next((lower[name] for name in usual if name in lower), None)
    if wanted.lower() in lower:
        return lower[wanted.lower()]
    if wanted.isdigit() and 0 < int(wanted) <= len(names):
        return names[int(wanted) - 1]
    if wanted.split(".")[0].lower() in lower:  # a field inside a field
        return wanted
    listed = ", ".join(repr(name[:40]) for name in names)
    remedy = f"name the {what} with {option} (a name of the header, or a number from 1)"
    raise UserError(f"no column {wanted!r}; the columns are {listed}", where=where, remedy=remedy)


def read_columns(records: Records, columns: Columns = Columns(), reading: Reading = Reading()) -> Source:
    """The examples of records with a text and a label.

    Args:
        records: the records.
        columns: which columns hold text and label.
        reading: `labelled`, `carry` and `group`.

    Raises:
        UserError: if a column is missing; while reading, `Faulty` records have no text or no label.

    Example:
        >>> rows = [(1, {"review": "fine", "stars": 5, "id": "a"}), (2, {"review": None, "stars": 1, "id": "b"})]
        >>> source = read_columns(Records(lambda: iter(rows), "memory", ("review", "stars", "id")))
        >>> [str(getattr(item, "error", item[:2])) for item in source.read()]
        ["('fine', '5')", 'memory:2: the text is missing; give every record a text and a label']
    """
    text, label = _found(records, columns, reading) if records.names else (None, None)
    skipped = records.unsure and columns.header is None and _has_header(records, columns, reading)
    rest = with_fields(records, reading)
    remedy = f"give every record a text{' and a label' * reading.labelled}"

    def examples() -> Iterator[Example | Faulty]:
        for place, record in itertools.islice(records.read(), int(skipped), None):
            try:
                if isinstance(record, UserError):
                    raise record
                where = records.where(place)
                value = _value(record, text, columns.text, columns.text_names, where, columns.text_option)
                if missing(value):
                    raise UserError("the text is missing", where=where, remedy=remedy)
                target = ""
                if reading.labelled:
                    found = _value(record, label, columns.label, columns.label_names, where, columns.label_option)
                    target = labels_text(found, where) if columns.lists else label_text(found, where)
                    if not target and columns.empty:
                        target = MARK
                    if not target:
                        raise UserError("the label is missing", where=where, remedy=remedy)
                yield rest(Example(text_of(value, where), target, place), record)
            except UserError as error:
                yield Faulty(error)

    return Source(examples, records.name, records.size)


def _found(records: Records, columns: Columns, reading: Reading) -> tuple[str, str]:
    """The names of the columns with text and label."""
    names, where = records.names, records.name
    both = f"them with {columns.text_option} and {columns.label_option}"
    named = both if reading.labelled else f"it with {columns.text_option}"
    if not records.header and columns.text is None and (columns.label is None or not reading.labelled):
        if len(names) == 2 or (len(names) == 1 and not reading.labelled):
            return names[0], names[-1]
        first = next((record for _, record in records.read() if not isinstance(record, UserError)), {})
        listed = ", ".join(repr(str(value)[:40]) for value in first.values())
        what = f"no text{' and label' * reading.labelled} among {listed}" if len(names) > 1 else f"one column, {listed}"
        raise UserError(what, where=where, remedy=f"name {named} (a name or a number from 1)")
    text = find_column(names, columns.text, columns.text_names, "text", columns.text_option, where)
    label = None
    if reading.labelled:
        label = find_column(names, columns.label, columns.label_names, "label", columns.label_option, where)
    if text is None or (reading.labelled and (label is None or text == label)):
        listed = ", ".join(repr(name[:40]) for name in names)
        wanted = "text and label" if reading.labelled else "text"
        raise UserError(f"no {wanted} among {listed}", where=where, remedy=f"name {named} (a name, or a number from 1)")
    return text, label or ""


def _has_header(records: Records, columns: Columns, reading: Reading) -> bool:
    """Whether the first row of a table, none of whose columns has a usual name, holds the names.

    It does if its label is the only one that does not occur again.

    Raises:
        UserError: of inputs to answer in columns without numbers, if that cannot be told.
    """
    names, numbered = records.names, columns.text is not None or columns.label is not None
    label = columns.label if numbered and columns.label in names else names[-1] if len(names) == 2 else None
    rows = (record for _, record in records.read() if not isinstance(record, UserError))
    sample = list(itertools.islice(rows, SAMPLE))
    labels = [str(row[label]).strip() for row in sample] if label and label != columns.text else []
    counts = Counter(labels)
    if (
        len(labels) >= FEW
        and counts[labels[0]] == 1
        and min(n for label, n in counts.items() if label != labels[0]) > 1
    ):
        return True
    if numbered or reading.labelled or (labels and counts[labels[0]] > 1):
        return False
    first = ", ".join(repr(str(value)[:40]) for value in sample[0].values())
    remedy = f"name the column with {columns.text_option}, or say --header true or --header false"
    raise UserError(f"cannot tell whether {first} are the names of columns", where=records.name, remedy=remedy)


def _value(record: Record, found: str | None, wanted: str | None, usual: Sequence[str], where: str, option: str) -> Any:
    """The value of a column; of JSON, whose records have names of their own, that of the first usual name."""
    if found is not None:
        return value_of(record, found)
    names = (wanted,) if wanted else usual
    known = [name for name in names if name in record or (wanted and value_of(record, name) is not None)]
    if not known:
        raise missing_field(record, names, where, option)
    return next((value for name in known if not missing(value := value_of(record, name))), None)


def with_fields(records: Records, reading: Reading) -> Callable[[Example, Record], Example]:
    """A function that adds to an example the group and the columns that are carried through.

    Args:
        records: where the columns come from.
        reading: `group` and `carry`.

    Raises:
        UserError: if a column is not there.

    Example:
        >>> records = Records(lambda: iter(()), "memory", ("text", "speaker"))
        >>> add = with_fields(records, Reading(group="speaker", carry=("speaker",)))
        >>> add(Example("fine", "", 1), {"text": "fine", "speaker": "ada"})[3:]
        ('ada', (('speaker', 'ada'),))
    """
    group, carry = reading.group, reading.carry
    for name, option in ((group, "--group"), *((name, "--carry") for name in carry)):
        if name and name != ALL and records.names and name.split(".")[0] not in records.names:
            remedy = nearest(name, records.names)
            raise UserError(f"no column {name!r}", where=f"{records.name}: {option}", remedy=remedy)

    def add(example: Example, record: Record) -> Example:
        if group:
            value = value_of(record, group)
            if missing(value):
                what, remedy = f"no value of the group {group!r}", "give every record one"
                raise UserError(what, where=records.where(example.place), remedy=remedy)
            example = example._replace(group=label_text(value))
        if carry:
            names = tuple(record) if ALL in carry else carry
            example = example._replace(fields=tuple((name, plain(value_of(record, name))) for name in names))
        return example

    return add if group or carry else lambda example, record: example


def text_of(value: Any, where: str) -> str:
    """A value as text.

    Raises:
        UserError: if it is not text.

    Example:
        >>> text_of(b"fine", "memory:1")
        'fine'
    """
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (byte 0x{value[error.start]:02x} at offset {error.start})"
            raise UserError(what, where=where, remedy="decode the text first") from None
    if not isinstance(value, str):
        raise UserError(f"the text is not a string: {value!r:.40}", where=where, remedy="put it in quotes")
    return replace_surrogates(str(value))


def plain(value: Any) -> Any:
    """A value as JSON can hold it.

    Example:
        >>> import datetime
        >>> plain(datetime.date(2020, 1, 31)), plain(float("nan")), plain({"a": (1, 2)})
        ('2020-01-31', None, {'a': [1, 2]})
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if missing(value):
        return None
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str | int | float | bool) else str(value)


def missing_field(record: Record, names: Sequence[str], where: str, option: str) -> UserError:
    """The error for a record without a field.

    Args:
        record: the record.
        names: the names that the field may have; the message gives the first two.
        where: file and line of the record.
        option: the option that names the field.

    Example:
        >>> str(missing_field({"a": 1}, ["text", "sentence"], "a.jsonl:1", "--text_column"))
        'a.jsonl:1: no text or sentence among the fields a; name the field with --text_column'
    """
    what = f"no {' or '.join(names[:2])} among the fields {', '.join(map(str, record)) or '(none)'}"
    return UserError(what, where=where, remedy=f"name the field with {option}")
