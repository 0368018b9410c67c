"""How data is read: the options that all recipes and all formats share."""

import dataclasses
from typing import Any

from seqtasks.errors import UserError

ALL = "all"


def names_of(option: str) -> tuple[str, ...]:
    """The names in an option, separated by commas.

    Example:
        >>> names_of("age, country"), names_of("")
        (('age', 'country'), ())
    """
    return tuple(name.strip() for name in option.split(",") if name.strip())


@dataclasses.dataclass(frozen=True)
class Reading:
    """How data is read.

    Args:
        encoding: of text files without a byte order mark; None for UTF-8.
        delimiter: of tables; None to detect it.
        max_bad: the largest share of faulty records that training leaves out or repairs.
        strict: whether the first faulty record is an error.
        split: the shares of train, validation and test where data has no splits, such as `0.8/0.1/0.1`.
        stratify: whether such splits have the same share of each label.
        group: the column whose values stay on one side of such splits.
        labelled: whether records need a target; False for inputs to answer.
        carry: columns that are carried through to the answers, or `all`.
        columns: columns that the model sees beside the input, separated by commas.
    """

    encoding: str | None = None
    delimiter: str | None = None
    max_bad: float = 0.01
    strict: bool = False
    split: str = "0.8/0.1/0.1"
    stratify: bool = False
    group: str | None = None
    labelled: bool = True
    carry: tuple[str, ...] = ()
    columns: str = ""

    @classmethod
    def of(cls, config: Any, **changes: Any) -> "Reading":
        """The fields of the same names in the options of a recipe.

        Example:
            >>> import types
            >>> Reading.of(types.SimpleNamespace(encoding="latin-1"), labelled=False).encoding
            'latin-1'
        """
        names = [f.name for f in dataclasses.fields(cls)]
        return cls(**{name: getattr(config, name) for name in names if hasattr(config, name)} | changes)

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of train, validation and test.

        Raises:
            UserError: if `split` is not three shares that add up to 1.

        Example:
            >>> Reading(split="0.7/0.1/0.2").shares
            (0.7, 0.1, 0.2)
        """
        try:
            train, validation, test = map(float, self.split.split("/"))
        except ValueError:
            train = validation = test = -1.0
        if min(train, validation, test) <= 0 or abs(train + validation + test - 1) > 1e-6:
            remedy = "give the shares of train, validation and test, such as 0.8/0.1/0.1"
            raise UserError(
                f"{self.split!r} is not three shares above 0 that add up to 1", where="--split", remedy=remedy
            )
        return train, validation, test
