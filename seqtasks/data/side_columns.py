"""Side columns: numbers and categories of a record beside its sequence, as a vector of the model."""

import json
import math
import re
import warnings
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from seqtasks.data.reading import names_of
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.vocabulary import count
from seqtasks.errors import UserError

OPTION = "--columns"
NUMBER = r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*"
NO_NUMBER = ("", "na", "n/a", "nan", "null", "none")  # how a missing number is written
MOSTLY = 0.9  # share of numbers from which a warning says that a column is taken for categories nevertheless
CATEGORIES = 256  # of a column, at most: the most frequent
NAMED = 3  # values that a warning names
HOW = "give a table with them to --input, or in Python dicts or a DataFrame"


def number_of(value: str) -> float | None:
    """The number that a text is; NaN if it stands for none, and None if it is no number.

    Example:
        >>> number_of("1e3"), number_of("NA"), number_of("tall")
        (1000.0, nan, None)
    """
    if re.fullmatch(NUMBER, value, re.ASCII):
        found = float(value)
        return found if math.isfinite(found) else math.nan
    return math.nan if value.strip().lower() in NO_NUMBER else None


class Number:
    """A column of numbers: standardised, and beside that 1 where one is missing, if some are missing in train.

    Args:
        name: of the column.
        mean, deviation: of train.
        missing: whether some are missing in train.

    Example:
        >>> Number("age", 30.0, 10.0, True).encode(tf.constant(["40", "", "?"])).numpy().tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """

    dtype = tf.float32

    def __init__(self, name: str, mean: float, deviation: float, missing: bool) -> None:
        self.name, self.mean, self.deviation, self.missing = name, mean, deviation, missing
        self.width = 1 + missing

    def encode(self, values: tf.Tensor) -> tf.Tensor:
        """Strings or floats (batch,) to float32 (batch, width); what is no finite number is missing."""
        if values.dtype == tf.string:
            is_number = tf.strings.regex_full_match(values, NUMBER)
            values = tf.strings.to_number(tf.where(is_number, tf.strings.strip(values), "nan"), tf.float64)
        known = tf.math.is_finite(values)
        standard = (tf.cast(values, tf.float64) - self.mean) / self.deviation
        found = [tf.cast(tf.where(known, standard, tf.zeros_like(standard)), tf.float32)]
        return tf.stack([*found, *([1 - tf.cast(known, tf.float32)] if self.missing else [])], 1)

    def knows(self, value: str) -> bool:
        """Whether a value is a number or missing."""
        return number_of(value) is not None

    @property
    def fields(self) -> dict[str, Any]:
        """What a file holds."""
        return {"name": self.name, "mean": self.mean, "deviation": self.deviation, "missing": self.missing}


class Categories:
    """A column of categories: 1 at the category of a value; zeros for one that train lacks.

    Args:
        name: of the column.
        categories: those of train; "" if some are missing.

    Example:
        >>> Categories("country", ["at", "be"]).encode(tf.constant(["be", "ch"])).numpy().tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    dtype = tf.string

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        self.name, self.categories = name, tuple(categories)
        self.width = len(self.categories)
        self._known = frozenset(self.categories)

    def encode(self, values: tf.Tensor) -> tf.Tensor:
        """Strings (batch,) to float32 (batch, width)."""
        return tf.cast(values[:, None] == tf.constant(self.categories)[None], tf.float32)

    def knows(self, value: str) -> bool:
        """Whether a value is one of the categories, or missing."""
        return value in self._known or not value

    @property
    def fields(self) -> dict[str, Any]:
        """What a file holds."""
        return {"name": self.name, "categories": list(self.categories)}


class SideColumns:
    """What train teaches about its side columns, and how their values become a vector.

    Args:
        columns: `Number` or `Categories`, in the order of the values of an example.

    Attributes:
        names: of the columns.

    Example:
        >>> rows = [Example("a", "x", 1, columns=("20", "at")), Example("b", "y", 2, columns=("40", "be"))]
        >>> columns = SideColumns.learn(("age", "country"), Source(lambda: iter(rows), "memory"))
        >>> columns.encode([tf.constant(["40"]), tf.constant(["at"])]).numpy().tolist(), len(columns)
        ([[1.0, 1.0, 0.0]], 3)
    """

    tables: tuple[Any, ...] = ()

    def __init__(self, columns: Sequence[Number | Categories]) -> None:
        self.columns = tuple(columns)
        self.names = tuple(column.name for column in self.columns)

    def __len__(self) -> int:
        return sum(column.width for column in self.columns)

    @classmethod
    def learn(cls, names: Sequence[str], train: Source) -> "SideColumns":
        """Columns whose values are all numbers are numbers, others categories.

        Args:
            names: of the columns.
            train: examples with their values.

        Raises:
            UserError: if a column has no value.
        """
        numbers: list[array[float]] = [array("d") for _ in names]
        others: list[list[str]] = [[] for _ in names]  # the first values that are no numbers
        total = 0
        for total, example in enumerate(train, 1):  # noqa: B007
            for value, found, other in zip(example.columns, numbers, others, strict=True):
                if (number := number_of(value)) is not None:
                    found.append(number)
                elif len(other) <= NAMED and value not in other:
                    other.append(value)
        columns: list[Number | Categories] = []
        for place, (name, found, other) in enumerate(zip(names, numbers, others, strict=True)):
            known = [value for value in found if not math.isnan(value)]
            if not other:
                columns.append(_number(name, known, len(known) < total, train.name))
                continue
            if len(known) > MOSTLY * total:
                what = f"the column {name!r} is taken for categories, since not all of its values are numbers"
                warnings.warn(f"{train.name}: {what}: {_listed(other)}", stacklevel=2)
            columns.append(_categories(name, place, train))
        return cls(columns)

    def encode(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """A vector (batch, len(self)) of a tensor (batch,) for each column: strings, or floats of a `Number`."""
        tensors = map(tf.convert_to_tensor, values)
        return tf.concat([column.encode(v) for column, v in zip(self.columns, tensors, strict=True)], 1)

    def specs(self, taken: Sequence[str] = ()) -> dict[str, tf.TensorSpec]:
        """How an exported model takes the columns: {name: spec}.

        Args:
            taken: names that are not free.
        """
        names = signature_names(self.names, "column", taken)
        return {name: tf.TensorSpec([None], c.dtype) for name, c in zip(names, self.columns, strict=True)}

    def needed(self, where: str) -> UserError:
        """The error for an input without values."""
        listed = ", ".join(self.names)
        return UserError(f"the run needs the column{'s' * (len(self.names) > 1)} {listed}", where=where, remedy=HOW)

    def unknown(self, name: str) -> "Unknown":
        """What counts values that train lacks; `name` is that of their source."""
        return Unknown(self, name)

    def check(self, source: Source) -> None:
        """Warn of values in a source that train lacks.

        Raises:
            UserError: if its examples have another number of columns.
        """
        unknown = self.unknown(source.name)
        for example in source:
            if len(example.columns) != len(self.names):
                raise _another_number(len(example.columns), self)
            unknown.add(example.columns)
        unknown.warn()

    def text(self) -> str:
        """The columns as JSON, one on each line."""
        return "[\n" + ",\n".join(json.dumps(c.fields, ensure_ascii=False) for c in self.columns) + "\n]\n"

    @classmethod
    def load(cls, path: Path) -> "SideColumns":
        """Reads a file that holds `text`.

        Raises:
            UserError: if it holds something else.
        """
        try:
            fields = json.loads(path.read_text("utf-8"))
            return cls([Categories(**f) if "categories" in f else Number(**f) for f in fields])
        except (ValueError, TypeError):
            raise UserError("not the columns of a run", where=path, remedy="copy the whole run again") from None


class Unknown:
    """Counts values that train lacks.

    Args:
        columns: what train taught.
        name: where the values come from.
    """

    def __init__(self, columns: SideColumns, name: str) -> None:
        self.columns, self.name = columns, name
        self.counts: list[Counter[str]] = [Counter() for _ in columns.names]

    def add(self, values: Sequence[str]) -> None:
        """Count those of the values of an example that are not known."""
        for column, value, counts in zip(self.columns.columns, values, self.counts, strict=True):
            if not column.knows(value) and (len(counts) < CATEGORIES or value in counts):
                counts[value] += 1

    def warn(self) -> None:
        """Warn of what was counted."""
        for column, counts in zip(self.columns.columns, self.counts, strict=True):
            if counts:
                what = "are no numbers and count as missing" if isinstance(column, Number) else "are not in train"
                shown = f"{_listed(list(counts))} ({counts.total()} in all)"
                warnings.warn(f"{self.name}: values of the column {column.name!r} {what}: {shown}", stacklevel=3)


def signature_names(names: Sequence[str], kind: str, taken: Sequence[str] = ()) -> list[str]:
    """Names of columns as the inputs of an exported model can be called.

    Args:
        names: of the columns.
        kind: what a name begins with that would not begin with a letter.
        taken: names that are not free.

    Example:
        >>> signature_names(["Größe (cm)", "2", "inputs"], "column", ["inputs"])
        ['Gr_e_cm', 'column_2', 'inputs_2']
    """
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
        plain = plain if plain[:1].isalpha() else f"{kind}_{plain}".rstrip("_")
        free = plain
        for number in range(2, len(names) + len(taken) + 2):
            if free not in (*found, *taken):
                break
            free = f"{plain}_{number}"
        found.append(free)
    return found


def required(source: Source, option: str) -> Source:
    """The source, whose examples must have a value for each column.

    Args:
        source: examples.
        option: the names of the columns; none leave the source as it is.

    Raises:
        UserError: while reading, if they have none.
    """

    names = names_of(option)

    def checked(example: Example) -> Example | Faulty | None:
        if len(example.columns) == len(names):
            return example
        what, remedy = f"{source.name} has no columns", "leave it out, or give a table or records with these columns"
        raise UserError(what, where=f"{OPTION} {option}", remedy=remedy)

    return source.map(checked) if names else source


def learn(option: str, train: Source) -> dict[str, SideColumns]:
    """{"columns": what train teaches}; nothing if the option names no columns.

    Args:
        option: as given.
        train: the examples.
    """
    names = names_of(option)
    return {"columns": SideColumns.learn(names, train)} if names else {}


def width(option: str, assets: Any) -> int:
    """The size of the vector of the columns; 0 if there are none.

    Args:
        option: the columns that are read.
        assets: what train taught.

    Raises:
        UserError: if a run knows another number of columns.
    """
    names, known = names_of(option), assets.get("columns")
    if len(names) != len(known.names if known else ()):
        raise _another_number(len(names), known)
    return len(known) if known else 0


def _another_number(count: int, known: SideColumns | None) -> UserError:
    listed = ", ".join(known.names) if known else "none"
    what = f"{count} column{'s' * (count != 1)}, but the run was trained with {listed}"
    return UserError(what, where=OPTION, remedy="name as many, in the same order")


def _number(name: str, known: Sequence[float], some_missing: bool, where: str) -> Number:
    if not known:
        what, remedy = f"no value of the column {name!r}", f"check its name in {OPTION}"
        raise UserError(what, where=where, remedy=remedy)
    mean = math.fsum(known) / len(known)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / len(known))
    return Number(name, mean, deviation or 1.0, some_missing)


def _categories(name: str, place: int, train: Source) -> Categories:
    ranked = list(count([example.columns[place]] for example in train))
    if len(ranked) > CATEGORIES:
        what = f"the column {name!r} has {len(ranked)} categories, of which the {CATEGORIES} most frequent count"
        warnings.warn(f"{train.name}: {what}", stacklevel=3)
    return Categories(name, sorted(ranked[:CATEGORIES]))


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"{v!r:.40}" for v in values[:NAMED]) + ", ..." * (len(values) > NAMED)
