"""Columns: which field of a record is the input, and which the target."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seqtasks.data import pairs
from seqtasks.data.reading import ALL, Reading, names_of
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.targets import MARK, label_text, labels_text
from seqtasks.data.values import missing, plain, text_of
from seqtasks.errors import UserError, nearest

SAMPLE, FEW = 200, 8  # rows from which names are told from data, and the number that this needs at least
TEXT_NAMES = ("text", "sentence", "review", "content", "document", "comment", "tweet", "message", "body")
PAIR_NAMES = (  # of the columns of pairs, in tables whose columns have numbers
    "premise", "hypothesis", "sentence1", "sentence2", "text1", "text2", "question1", "question2", "query", "passage",
)  # fmt: skip
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
        pairs: whether `text` can name two columns, separated by a comma; an input is then a pair of texts.
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
    pairs: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The two columns of a pair; empty if an input is one text.

        Raises:
            UserError: if `text` names more than two.

        Example:
            >>> Columns("premise, hypothesis", pairs=True).texts, Columns("text", pairs=True).texts
            (('premise', 'hypothesis'), ())
        """
        names = tuple(name.strip() for name in (self.text or "").split(",")) if self.pairs else ()
        if len(names) > 2 or (len(names) == 2 and not (all(names) and names[0] != names[1])):
            remedy = "name one, or two with a comma between them"
            raise UserError(f"{self.text!r} is not one column or two", where=self.text_option, remedy=remedy)
        return names if len(names) == 2 else ()

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
        known = (*self.text_names, *PAIR_NAMES) if self.texts else self.text_names
        wanted = [*((name, known) for name in self.texts or (self.text,)), (self.label, self.label_names)]
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
    texts, label = _found(records, columns, reading) if records.names else ((), None)
    wanted = columns.texts or (columns.text,)
    skipped = records.unsure and columns.header is None and _has_header(records, columns, reading)
    rest = with_fields(records, reading)
    remedy = f"give every record a text{' and a label' * reading.labelled}"

    def examples() -> Iterator[Example | Faulty]:
        for place, record in itertools.islice(records.read(), int(skipped), None):
            try:
                if isinstance(record, UserError):
                    raise record
                where = records.where(place)
                values = [
                    _value(record, found, name, columns.text_names, where, columns.text_option)
                    for found, name in itertools.zip_longest(texts, wanted)
                ]
                if any(map(missing, values)):
                    what = (
                        "the text" if len(values) == 1 else f"the text {wanted[[*map(missing, values)].index(True)]!r}"
                    )
                    raise UserError(f"{what} is missing", where=where, remedy=remedy)
                target = ""
                if reading.labelled:
                    given = _value(record, label, columns.label, columns.label_names, where, columns.label_option)
                    target = labels_text(given, where) if columns.lists else label_text(given, where)
                    if not target and columns.empty:
                        target = MARK
                    if not target:
                        raise UserError("the label is missing", where=where, remedy=remedy)
                found = [text_of(value, where) for value in values]
                yield rest(Example(pairs.join(*found) if columns.texts else found[0], target, place), record)
            except UserError as error:
                yield Faulty(error)

    return Source(examples, records.name, records.size)


def _found(records: Records, columns: Columns, reading: Reading) -> tuple[tuple[str, ...], str]:
    """The names of the columns with the text, or with the two of a pair, and with the label."""
    names, where = records.names, records.name
    both = f"them with {columns.text_option} and {columns.label_option}"
    named = both if reading.labelled else f"it with {columns.text_option}"
    if columns.texts and not records.header and not reading.labelled and len(names) == 2:
        return names, ""  # pairs in memory, or in a table without names
    if not records.header and columns.text is None and (columns.label is None or not reading.labelled):
        if len(names) == 2 or (len(names) == 1 and not reading.labelled):
            return names[:1], names[-1]
        first = next((record for _, record in records.read() if not isinstance(record, UserError)), {})
        listed = ", ".join(repr(str(value)[:40]) for value in first.values())
        what = f"no text{' and label' * reading.labelled} among {listed}" if len(names) > 1 else f"one column, {listed}"
        raise UserError(what, where=where, remedy=f"name {named} (a name or a number from 1)")
    given = (names, columns.text_names, "text", columns.text_option, where)
    texts = [find_column(given[0], name, *given[1:]) for name in columns.texts or (columns.text,)]
    label = None
    if reading.labelled:
        label = find_column(names, columns.label, columns.label_names, "label", columns.label_option, where)
    if None in texts or len({*texts}) < len(texts) or (reading.labelled and (label is None or label in texts)):
        listed = ", ".join(repr(name[:40]) for name in names)
        wanted = "text and label" if reading.labelled else "text"
        raise UserError(f"no {wanted} among {listed}", where=where, remedy=f"name {named} (a name, or a number from 1)")
    return tuple(filter(None, texts)), label or ""


def _has_header(records: Records, columns: Columns, reading: Reading) -> bool:
    """Whether the first row of a table, none of whose columns has a usual name, holds the names.

    It does if its label is the only one that does not occur again.

    Raises:
        UserError: of inputs to answer in columns without numbers, if that cannot be told.
    """
    names, numbered = records.names, columns.text is not None or columns.label is not None
    alone = len(names) == 2 + bool(columns.texts)
    label = columns.label if numbered and columns.label in names else names[-1] if alone else None
    rows = (record for _, record in records.read() if not isinstance(record, UserError))
    sample = list(itertools.islice(rows, SAMPLE))
    texts = columns.texts or (columns.text,)
    labels = [str(row[label]).strip() for row in sample] if label and label not in texts else []
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
    """A function that adds to an example the group, the side columns, and the columns that are carried through.

    Args:
        records: where the columns come from.
        reading: `group`, `columns` and `carry`.

    Raises:
        UserError: if a column is not there.

    Example:
        >>> records = Records(lambda: iter(()), "memory", ("text", "speaker"))
        >>> add = with_fields(records, Reading(group="speaker", carry=("speaker",)))
        >>> add(Example("fine", "", 1), {"text": "fine", "speaker": "ada"})[3:]
        ('ada', (('speaker', 'ada'),), ())
    """
    group, carry = reading.group, reading.carry
    beside = side_columns(records, reading)
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
        if beside:
            where = records.where(example.place)
            values = (_side_value(value_of(record, name), name, where) for name in beside)
            example = example._replace(columns=tuple(values))
        return example

    return add if group or carry or beside else lambda example, record: example


def side_columns(records: Records, reading: Reading) -> tuple[str, ...]:
    """The names of the side columns, in the spelling of the records.

    Args:
        records: where the columns come from.
        reading: `columns`.

    Raises:
        UserError: if a column is not there.
    """
    names, option = names_of(reading.columns), "--columns"
    if not records.names:
        return names
    found = (find_column(records.names, name, (), "column", option, records.name) for name in names)
    return tuple(filter(None, found))


def _side_value(value: Any, name: str, where: str) -> str:
    try:
        return label_text(value)
    except UserError:
        what, remedy = f"{value!r:.60} in the column {name!r}", "give one number or name"
        raise UserError(what, where=where, remedy=remedy) from None


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
