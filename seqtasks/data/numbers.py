"""Numbers that are learnt from the training data, such as the mean and the deviation of a target."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from seqtasks.errors import UserError


class Numbers:
    """A list of numbers, kept in a file next to the vocabularies.

    Args:
        values: the numbers.

    Example:
        >>> numbers = Numbers([2.5, 0.5])
        >>> numbers.text(), list(numbers), len(numbers)
        ('[2.5, 0.5]\\n', [2.5, 0.5], 2)
    """

    tables = ()  # an export holds them as constants

    def __init__(self, values: Iterable[float]) -> None:
        self.values = [float(value) for value in values]

    def __iter__(self) -> Iterator[float]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def text(self) -> str:
        """The numbers as a JSON list."""
        return json.dumps(self.values) + "\n"

    def save(self, path: Path) -> None:
        """Writes `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Numbers":
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is not a list of numbers.
        """
        try:
            return cls(json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError):
            raise UserError("not a list of numbers", where=path, remedy="copy the whole run again") from None


def number_of(text: str) -> float | None:
    """The number that a text writes in ASCII; None if it writes none, or one that is not finite.

    Example:
        >>> number_of("4.5"), number_of("1e3"), number_of("four"), number_of("nan")
        (4.5, 1000.0, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    if "_" in text or not text.isascii():  # Python reads these, TensorFlow does not
        return None
    return value if math.isfinite(value) else None
