"""Values of records: what is missing, what is a text, what JSON can hold."""

import math
from typing import Any

from seqtasks.data.text_files import replace_surrogates
from seqtasks.errors import UserError


def missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, pandas' NA and NaT.

    Example:
        >>> missing(None), missing(float("nan")), missing("")
        (True, True, False)
    """
    if isinstance(value, str):
        return False
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    )


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
