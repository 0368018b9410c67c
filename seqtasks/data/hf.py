"""Opens data sets of Hugging Face `datasets`: `hf:NAME`, `hf:NAME/CONFIG`, a local folder, or an object in memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqtasks.data.tables import Record, Records
from seqtasks.errors import UserError, needs


def open_splits(name: str, **loading: Any) -> dict[str, Records]:
    """The records of each split of a data set, by the name of the split.

    Args:
        name: of the data set, with `/CONFIG` if it has several; or a folder with files, or one that `save_to_disk`
            wrote.
        loading: passed to `datasets.load_dataset`.

    Raises:
        UserError: if there is no such data set, or the package is not installed.
    """
    needs("datasets", extra="hf")
    import datasets

    where = f"hf:{name}"
    if name.startswith(("/", ".", "~")) and not Path(name).exists():  # the package would search the folder above it
        raise UserError("no such folder", where=where, remedy="check the path")
    try:
        if (Path(name) / "dataset_dict.json").is_file() or (Path(name) / "state.json").is_file():
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(*_named(name), **loading)
    except Exception as error:  # the package raises errors of a dozen classes for what is not there
        what = f"cannot be loaded ({str(error).strip().splitlines()[0]})"
        raise UserError(what, where=where, remedy="check the name, the configuration and the network") from None
    splits = found if isinstance(found, Mapping) else {"train": found}
    return {str(split): records(data, f"{where}/{split}") for split, data in splits.items()}


def _named(name: str) -> list[str]:
    """The arguments of `load_dataset`: the name, and the configuration if there is one.

    Example:
        >>> _named("imdb"), _named("stanfordnlp/sst2"), _named("nyu-mll/glue/sst2")
        (['imdb'], ['stanfordnlp/sst2'], ['nyu-mll/glue', 'sst2'])
    """
    parts = name.split("/")
    if Path(name).exists() or len(parts) < 3:
        return [name]
    return ["/".join(parts[:2]), "/".join(parts[2:])]


def records(data: Any, name: str) -> Records:
    """The records of a `datasets.Dataset`. Numbers of classes become names; sound, pictures and videos stay encoded.

    Args:
        data: the data set.
        name: for messages.
    """
    import datasets

    features = data.features or {}
    for column, feature in features.items():
        if isinstance(feature, datasets.Audio | datasets.Image | datasets.Video):
            data = data.cast_column(column, type(feature)(decode=False))
    names = {column: found for column, feature in features.items() if (found := _class_names(feature))}
    data = data.with_format(None)

    def read() -> Iterator[tuple[int, Record]]:
        for number, record in enumerate(data, 1):
            yield (
                number,
                {**record, **{column: _named_classes(record[column], found) for column, found in names.items()}},
            )

    return Records(read, name, tuple(features))


def _class_names(feature: Any) -> list[str] | None:
    """The names of a `ClassLabel`, or of a list of them."""
    import datasets

    inner = getattr(feature, "feature", feature)
    if isinstance(feature, list) and feature:
        inner = feature[0]
    return list(inner.names) if isinstance(inner, datasets.ClassLabel) else None


def _named_classes(value: Any, names: list[str]) -> Any:
    """The names of numbers of classes; -1, which stands for none, becomes None."""
    if isinstance(value, list):
        return [_named_classes(number, names) for number in value]
    return value if isinstance(value, str) or value is None else names[value] if value >= 0 else None
