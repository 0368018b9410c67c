"""Partition: how examples without splits are divided, by the hash of their inputs."""

import functools
import hashlib
import warnings
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.errors import UserError

if TYPE_CHECKING:
    from seqtasks.data.splits import Formats

PARTS = 10  # by hash
TEST, VALIDATION = 0, 1  # the parts that are taken for these splits
SMALL = 1000  # groups up to which an empty split gets the group that is next by its hash
FOLD_VALIDATION = 20  # of the training part of a fold, one group in so many is for validation
Ranges = Mapping[str, tuple[float, float]]  # of places, by split


def number_of(text: str) -> int:
    """The SHA-256 of a text as an integer."""
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), 16)


def part(text: str) -> int:
    """The part of a text, from 0 to 9: its SHA-256 as an integer, modulo 10.

    Equal texts have the same part, so that no text is in two splits.

    Example:
        >>> part("a fine film"), part("a fine film")
        (5, 5)
    """
    return number_of(text) % PARTS


def place_of(text: str) -> float:
    """The place of a text between 0 and 1. The part of `part` is its first decimal.

    Example:
        >>> 0.5 <= place_of("a fine film") < 0.6
        True
    """
    number = number_of(text)
    return (number % PARTS + number // PARTS % 10**9 / 10**9) / PARTS


def held_out(train: Source, missing: Sequence[str], formats: "Formats", reading: Reading) -> dict[str, Source]:
    """Train, and the splits that are missing, taken from it by hash, with a warning.

    Args:
        train: all examples.
        missing: which of `validation` and `test` are missing.
        formats: the keys and the labels of examples.
        reading: `split`, `stratify` and `group`.

    Raises:
        UserError: if the options exclude each other.
    """
    shares = dict(zip(("train", "validation", "test"), reading.shares, strict=True))
    percent = {f"{100 * shares[name]:g}" for name in missing}
    much = f"{percent.pop()} % of train {'each ' * (len(missing) > 1)}" if len(percent) == 1 else "parts of train "
    by = f"column {reading.group}" if reading.group else formats.grouped
    what = f"no {' and no '.join(sorted(missing))} split given; {much}taken by the hash of the {by}"
    warnings.warn(f"{train.name}: {what}", stacklevel=3)
    choose = _Choice(train, missing, shares, formats, reading)
    return {
        name: train.select(lambda example, name=name: choose(example) == name)  # type: ignore[misc]
        for name in ("train", *missing)
    }


class _Choice:
    """Chooses the split of an example of data without splits.

    Its place between 0 and 1, by the hash of its key, decides: the first share is test, the next validation. A class
    that would have no example in train keeps its first one there, and in small data no split is empty.
    """

    def __init__(
        self, train: Source, missing: Sequence[str], shares: Mapping[str, float], formats: "Formats", reading: Reading
    ) -> None:
        if reading.stratify and reading.group:
            raise UserError("--stratify and --group exclude each other", remedy="leave one out")
        if reading.stratify and not formats.labels:
            raise UserError("the data has no classes", where="--stratify", remedy="leave it out")
        self.train, self.formats, self.reading = train, formats, reading
        self.missing, ends = missing, (shares["test"], round(shares["test"] + shares["validation"], 12))
        self.ranges: Ranges = {"test": (0.0, ends[0]), "validation": ends}

    def __call__(self, example: Example) -> str:
        key = self.formats.key(example)
        return self._exceptions.get(key) or self._by_hash(example, key)

    def _by_hash(self, example: Example, key: str) -> str:
        place, (bounds, owners) = place_of(key), self._strata
        label = owners.get(place) or self._label(example) if self.reading.stratify else ""
        ranges = bounds[label]
        return next((name for name in self.missing if ranges[name][0] <= place < ranges[name][1]), "train")

    def _label(self, example: Example) -> str:
        return next(iter(self.formats.labels(example.target)), "") if self.formats.labels else ""

    @functools.cached_property
    def _strata(self) -> tuple[dict[str, Ranges], dict[float, str]]:
        """The ranges of the places of each split, by label if stratified, and the label of places that have several."""
        if not self.reading.stratify:
            return {"": self.ranges}, {}
        places: dict[str, array[float]] = {}
        for example in self.train:
            places.setdefault(self._label(example), array("d")).append(place_of(self.formats.key(example)))
        each = {label: np.unique(found) for label, found in places.items()}
        found, counts = np.unique(np.concatenate([*each.values(), []]), return_counts=True)
        several = found[counts > 1]
        owners = {place: label for label, own in each.items() for place in np.intersect1d(own, several).tolist()}
        return {label: self._quantiles(sorted(found)) for label, found in places.items()}, owners

    @functools.cached_property
    def _exceptions(self) -> dict[str, str]:
        """Keys that are not in the split of their hash."""
        first: dict[str, str] = {}  # the first key of each label
        trained: Counter[str] = Counter()  # labels in train
        keys: dict[str, tuple[str, tuple[str, ...]]] | None = {}  # of small data: the split and the labels of each
        for example in self.train:
            key = self.formats.key(example)
            labels = tuple(self.formats.labels(example.target)) if self.formats.labels else ()
            split = self._by_hash(example, key)
            for one in labels:
                first.setdefault(one, key)
                trained[one] += split == "train"
            if keys is not None:
                keys.setdefault(key, (split, labels))
                keys = keys if len(keys) <= SMALL else None
        exceptions = {key: "train" for label, key in first.items() if not trained[label]}
        if keys is not None:
            self._fill(keys, exceptions, trained)
        return exceptions

    def _quantiles(self, places: Sequence[float]) -> Ranges:
        """The ranges that hold the shares of these places."""

        def at(share: float) -> float:
            number = round(share * len(places))
            return places[number] if number < len(places) else 1.0

        return {name: (at(low) if low else 0.0, at(high)) for name, (low, high) in self.ranges.items()}

    def _fill(
        self, keys: dict[str, tuple[str, tuple[str, ...]]], exceptions: dict[str, str], trained: Counter[str]
    ) -> None:
        """Give each empty split the key of train whose place is the lowest and whose labels train can spare."""
        used = Counter(exceptions.get(key, split) for key, (split, _) in keys.items())
        for name in sorted(self.missing):
            if used[name] or used["train"] < 2:
                continue
            spare = [
                key
                for key, (split, labels) in keys.items()
                if split == "train" and key not in exceptions and all(trained[label] > 1 for label in labels)
            ]
            if spare:
                chosen = min(spare, key=place_of)
                exceptions[chosen] = name
                used.update({name: 1, "train": -1})
                trained.subtract(keys[chosen][1])


def fold(source: Source, formats: "Formats", number: int, count: int) -> dict[str, Source]:
    """One fold of a cross-validation: each example is in test once; a twentieth of the rest is for validation.

    Args:
        source: all examples.
        formats: its groups stay on one side.
        number: of the fold, from 0.
        count: the number of folds.

    Example:
        >>> source = Source(lambda: (Example(f"text {n}", "good", n) for n in range(100)), "memory")
        >>> from seqtasks.data.splits import Formats
        >>> sum(len(list(fold(source, Formats(None), number, 5)["test"])) for number in range(5))
        100
    """

    @functools.cache
    def validation() -> int:
        """The remainder of validation: 0, or in small data the lowest that an example of the rest has."""
        lowest = FOLD_VALIDATION
        for hashed in (number_of(formats.key(example)) for example in source):
            if hashed % count != number:
                lowest = min(lowest, hashed // count % FOLD_VALIDATION)
            if not lowest:
                break
        return lowest

    def split(example: Example) -> str:
        hashed = number_of(formats.key(example))
        if hashed % count == number:
            return "test"
        return "validation" if hashed // count % FOLD_VALIDATION == validation() else "train"

    chosen = {n: source.select(lambda e, n=n: split(e) == n) for n in ("train", "validation", "test")}  # type: ignore[misc]
    name = f"{source.name} (fold {number + 1} of {count})"
    chosen = {n: replace(part, name=name) for n, part in chosen.items()}
    if formats.training:
        chosen["train"] = formats.training(chosen["train"])
    return chosen
