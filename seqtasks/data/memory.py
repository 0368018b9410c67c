"""Data that is in memory already, as records: frames of pandas and Polars, lists, data sets of libraries, arrays."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data.tables import Record, Records, distinct
from seqtasks.errors import UserError

PREFIX = "memory:"  # an input that is an array is named by the hash of its content
_arrays: dict[str, np.ndarray] = {}

KINDS = (
    "a pandas or polars DataFrame, a Hugging Face Dataset, a tf.data.Dataset, a pyarrow Table, a list of dicts or of "
    "pairs, or a dict of splits of these"
)


def is_in_memory(value: Any) -> bool:
    """Whether `value` is data, and not the name of data.

    Example:
        >>> is_in_memory([("fine", "good")]), is_in_memory("reviews.csv")
        (True, False)
    """
    return not isinstance(value, str | os.PathLike)


def _is(value: Any, package: str, name: str) -> bool:
    """Whether `value` is an instance of a class of a package, without importing the package."""
    module = sys.modules.get(package)
    return module is not None and isinstance(value, getattr(module, name, ()))


def records_of(value: Any, name: str = "") -> Records:
    """The records of data in memory.

    Args:
        value: a pandas or polars DataFrame, a Hugging Face `Dataset`, a `tf.data.Dataset`, a `pyarrow.Table`, a list of
            dicts, of tuples such as (text, label), or of single values, or two equally long lists: inputs and labels.
        name: for messages; empty for the name of its type.

    Raises:
        UserError: if it is something else, or empty.

    Example:
        >>> records_of([("fine", "good"), ("dull", "bad")]).names
        ('1', '2')
        >>> list(records_of([{"text": "fine"}]).read())
        [(1, {'text': 'fine'})]
    """
    found = _library_records(value, name or type(value).__name__)
    if found is None:
        found = _sequence_records(value, name or type(value).__name__)
    if next(found.read(), None) is None:
        raise UserError("no records in it", where=found.name, remedy="give at least one")
    return found


def _library_records(value: Any, name: str) -> Records | None:
    if _is(value, "pandas", "DataFrame"):
        names = distinct(map(str, value.columns))
        return _rows(lambda: value.itertuples(index=False, name=None), name, names)
    if _is(value, "polars", "LazyFrame"):
        value = value.collect()
    if _is(value, "polars", "DataFrame"):
        return _rows(value.iter_rows, name, tuple(value.columns))
    if _is(value, "pyarrow", "Table"):
        table = value.rename_columns(list(distinct(value.column_names)))
        rows = lambda: (row for batch in table.to_batches(1024) for row in batch.to_pylist())  # noqa: E731
        return _dicts(rows, name, tuple(table.column_names))
    if _is(value, "datasets", "Dataset") or _is(value, "datasets", "IterableDataset"):
        from seqtasks.data import hf

        return hf.records(value, name)
    if hasattr(value, "as_numpy_iterator"):  # a tf.data.Dataset
        return _tensorflow_records(value, name)
    return None


def _sequence_records(value: Any, name: str) -> Records:
    if isinstance(value, tuple) and len(value) == 2 and all(_is_column(part) for part in value):
        first, second = value
        if len(first) != len(second):
            what = f"{len(first)} inputs and {len(second)} labels"
            raise UserError(what, where=name, remedy="give each input one label")
        return _rows(lambda: zip(first, second, strict=True), name, ("1", "2"), header=False)
    if isinstance(value, Mapping | str | bytes) or not isinstance(value, Iterable):
        raise UserError(f"{_described(value)} is not data", where=name, remedy=f"give {KINDS}")
    if not isinstance(value, Sequence | np.ndarray):
        value = list(value)  # an iterator can be read once only
    first = next(iter(value), None)
    if isinstance(first, Mapping):
        return _dicts(lambda: iter(value), name)
    if isinstance(first, tuple | list) and not _is_array(first):
        return _rows(lambda: iter(value), name, tuple(str(n) for n in range(1, len(first) + 1)), header=False)
    return _rows(lambda: ((item,) for item in value), name, ("1",), header=False)


def _is_array(value: Any) -> bool:
    """Whether a value is a list of lists of numbers: one input, and not a row of fields."""
    rows = value if isinstance(value, list) else []
    numbers = (number for row in rows if isinstance(row, list) for number in row)
    return (
        bool(rows) and all(isinstance(row, list) for row in rows) and all(isinstance(n, int | float) for n in numbers)
    )


def _is_column(value: Any) -> bool:
    """Whether a value is a list, array or series of which each element is one input or one label."""
    return (
        hasattr(value, "__len__")
        and hasattr(value, "__getitem__")
        and not isinstance(value, str | bytes | Mapping | tuple)
    )


def _described(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} {value!r:.40}"


def _rows(rows: Callable[[], Iterable[Any]], name: str, names: tuple[str, ...], header: bool = True) -> Records:
    def read() -> Iterator[tuple[int, Record | UserError]]:
        for number, row in enumerate(rows(), 1):
            if not isinstance(row, tuple | list) or len(row) != len(names):
                what = f"not {len(names)} values: {row!r:.40}"
                yield number, UserError(what, where=f"{name}:{number}", remedy="give every record the same fields")
            else:
                yield number, dict(zip(names, row, strict=True))

    return Records(read, name, names, header)


def _dicts(rows: Callable[[], Iterable[Any]], name: str, names: tuple[str, ...] = ()) -> Records:
    def read() -> Iterator[tuple[int, Record | UserError]]:
        for number, row in enumerate(rows(), 1):
            if isinstance(row, Mapping):
                yield number, row
            else:
                what = f"not a dict: {row!r:.40}"
                yield number, UserError(what, where=f"{name}:{number}", remedy="give every record the same fields")

    return Records(read, name, names)


def _tensorflow_records(value: Any, name: str) -> Records:
    spec = value.element_spec
    if int(value.cardinality()) == -1:
        raise UserError("a data set without end", where=name, remedy="take it without .repeat()")
    if isinstance(spec, Mapping):
        return _dicts(value.as_numpy_iterator, name, tuple(map(str, spec)))
    if isinstance(spec, tuple):
        names = tuple(str(n) for n in range(1, len(spec) + 1))
        return _rows(value.as_numpy_iterator, name, names, header=False)
    return _rows(lambda: ((item,) for item in value.as_numpy_iterator()), name, ("1",), header=False)


def keep_array(array: np.ndarray) -> str:
    """Keep an array in memory as an input, and return its name, which follows from its content.

    Args:
        array: the array that a reader of files would have returned.

    Returns:
        The name, which `array_of` knows, and which can be the input of an example.

    Example:
        >>> name = keep_array(np.zeros(3, "float32"))
        >>> name == keep_array(np.zeros(3, "float32")), array_of(name).shape
        (True, (3,))
    """
    array = np.ascontiguousarray(array)
    head = f"{array.dtype}{array.shape}".encode()
    name = PREFIX + hashlib.sha256(head + array.tobytes()).hexdigest()
    _arrays.setdefault(name, array)
    return name


def keep_file(data: bytes, name: str = "", suffix: str = "") -> str:
    """Keep an encoded file in a cache on disk: data sets of such files are larger than memory.

    The copy keeps the name of the file, by which parts of one recording are recognised. It is made once, in
    `$SEQTASKS_CACHE` or `~/.cache/seqtasks`.

    Args:
        data: the content.
        name: the name of the file, where it is known.
        suffix: what the name must end in; it is added if it is missing.

    Returns:
        The path of the copy.

    Example:
        >>> path = keep_file(b"sound", "talks/a.wav")
        >>> path.endswith("/file/a.wav"), path == keep_file(b"sound", "a.wav")
        (True, True)
    """
    digest = hashlib.sha256(data).hexdigest()
    cache = Path(os.environ.get("SEQTASKS_CACHE", Path.home() / ".cache" / "seqtasks")) / "media"
    own = Path(name.replace("\\", "/")).name or digest
    target = cache / digest[:2] / digest / "file" / (own if own.lower().endswith(suffix) else f"{own}{suffix}")
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            started = Path(folder) / target.name
            started.write_bytes(data)
            started.rename(target)
    return str(target)


def array_of(name: str) -> np.ndarray | None:
    """The array of a name that `keep_array` gave; None for other inputs."""
    return _arrays.get(name) if name.startswith(PREFIX) else None
