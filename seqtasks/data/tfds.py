"""Opens data sets of TensorFlow Datasets: which splits they have, and the records of one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqtasks.data.tables import Record, Records
from seqtasks.errors import UserError, needs

if TYPE_CHECKING:
    import tensorflow as tf

NAME = re.compile(r"(\w+:)?\w+(/\w[\w.+-]*)?(:[\w.*]+)?")  # NAME, NAME/CONFIG:VERSION, with a namespace
UNLISTED_SPLITS = ["train", "test"]  # of data sets that do not list their splits


@dataclass(frozen=True)
class DatasetSplit:
    """One split of a data set; `open_dataset` makes it.

    Args:
        name: as `tfds.load` takes it, e.g. `imdb_reviews/plain_text`.
        split: e.g. `train`.
        data: the records as a `tf.data.Dataset`.
        info: the `tfds.core.DatasetInfo`.
    """

    name: str
    split: str
    data: "tf.data.Dataset"
    info: Any

    @property
    def place(self) -> str:
        """How messages name the split."""
        return f"tfds:{self.name}/{self.split}"

    @property
    def features(self) -> Mapping[str, Any]:
        """The features of a record by name."""
        return self.info.features

    @property
    def size(self) -> int | None:
        """Bytes on disk; None if unknown."""
        return self.info.splits[self.split].num_bytes if self.split in self.info.splits else None

    def features_of_type(self, kind: str) -> list[str]:
        """The names of the features of a class of `tfds.features`, e.g. `"Text"`."""
        import tensorflow_datasets as tfds

        return [name for name, f in self.features.items() if isinstance(f, getattr(tfds.features, kind))]

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Pairs of the number of a record, from 1, and its features as NumPy values."""
        import tensorflow_datasets as tfds

        yield from enumerate(tfds.as_numpy(self.data), 1)

    def no_feature(self, what: str, remedy: str = "name another data set") -> UserError:
        """The error for a data set without the features that are needed.

        Args:
            what: the features that are missing.
            remedy: what would be right.
        """
        listed = ", ".join(self.features)
        return UserError(f"no {what} among the features {listed}", where=f"tfds:{self.name}", remedy=remedy)


def open_dataset(name: str, split: str, **loading: Any) -> DatasetSplit:
    """One split of a data set of TensorFlow Datasets.

    Args:
        name: as `tfds.load` takes it, e.g. `imdb_reviews/plain_text`.
        split: e.g. `train`.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if TensorFlow Datasets is not installed.
    """
    needs("tensorflow_datasets", extra="tfds")
    import tensorflow_datasets as tfds

    data, info = tfds.load(name, split=split, with_info=True, shuffle_files=False, **loading)
    return DatasetSplit(name, split, data, info)


def split_names(name: str) -> list[str]:
    """The names of the splits of a data set, which is downloaded if it is not there.

    Raises:
        UserError: if there is no such data set, or TensorFlow Datasets is not installed.
    """
    needs("tensorflow_datasets", extra="tfds")
    import tensorflow_datasets as tfds

    if not NAME.fullmatch(name):  # `tfds.builder` takes paths, and would read and write there
        raise UserError("not the name of a data set", where=f"tfds:{name}", remedy="see tfds.list_builders()")
    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError:
        raise UserError("no such data set", where=f"tfds:{name}", remedy="see tfds.list_builders()") from None
    return list(builder.info.splits) or UNLISTED_SPLITS


def open_records(name: str, split: str, **loading: Any) -> Records:
    """The records of one split; numbers of classes become their names, and -1, which stands for none, None.

    Args:
        name: as `tfds.load` takes it, e.g. `imdb_reviews/plain_text`.
        split: e.g. `train`.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if TensorFlow Datasets is not installed.
    """
    data = open_dataset(name, split, **loading)
    named = {column: getattr(f, "feature", f) for column, f in data.features.items()}
    named = {column: feature for column, feature in named.items() if hasattr(feature, "int2str")}

    def name_of(feature: Any, value: Any) -> Any:
        if getattr(value, "ndim", 0):
            return [name_of(feature, inner) for inner in value]
        return feature.int2str(int(value)) if int(value) >= 0 else None

    def read() -> Iterator[tuple[int, Record]]:
        for number, record in data.records():
            yield number, {c: name_of(named[c], v) if c in named else v for c, v in record.items()}

    return Records(read, data.place, tuple(data.features), size=data.size)
