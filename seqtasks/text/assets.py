"""What a run learnt from its training data: vocabularies and tokenizers, read from the text files of a directory."""

from pathlib import Path
from typing import Any

from seqtasks.errors import UserError

NETWORKS = b'{"networks"'  # how the file of pretrained language models begins


class Assets(dict[str, Any]):
    """Vocabularies and tokenizers by name.

    Args:
        directory: the directory that they were read from.
        values: {name: vocabulary or tokenizer}.

    Raises:
        UserError: if a name is looked up whose file is missing.
    """

    def __init__(self, directory: Path, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.directory = directory

    def __missing__(self, name: str) -> Any:
        what, remedy = "no such file", "copy the whole run again, or train a new one"
        raise UserError(what, where=self.directory / f"{name}.txt", remedy=remedy)


def load_assets(directory: Path | str) -> Assets:
    """Reads all `.txt` files of a directory, each by the `load` of its class.

    Args:
        directory: the directory `encoder` of a run.

    Returns:
        {stem of the file: `Vocabulary`, `Tokenizer` or `Numbers`}, in alphabetical order.

    Raises:
        UserError: if a file is not UTF-8 or has an invalid line; by the returned `Assets`, if a file is missing.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.vocabulary import Vocabulary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Vocabulary(["neg", "pos"]).save(Path(folder) / "labels.txt")
        ...     load_assets(folder)["labels"].tokens
        ['neg', 'pos']
    """
    directory = Path(directory)
    return Assets(directory, {path.stem: _loaded(path) for path in sorted(directory.glob("*.txt"))})


def _loaded(path: Path) -> Any:
    try:
        return asset_class(path).load(path)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"cannot be read ({error})" if isinstance(error, ValueError) else "is not what a run wrote"
        raise UserError(what, where=path, remedy="copy the whole run again, or train a new one") from None


def asset_class(path: Path) -> Any:
    """The class of an asset, by its file.

    Side columns are called `columns`. The file of pretrained language models begins with a JSON object with the key
    `networks`, that of a tokenizer with `{"kind": ..., "lowercase": ...}`, that of numbers with a JSON list, and a
    vocabulary's file with a JSON string, its first token.

    Args:
        path: the file.

    Returns:
        `seqtasks.text.tokenizer.Tokenizer`, `seqtasks.text.pretrained_encoder.PretrainedEncoder`,
        `seqtasks.data.vocabulary.Vocabulary`, `seqtasks.data.numbers.Numbers` or
        `seqtasks.data.side_columns.SideColumns`.
    """
    from seqtasks.data.numbers import Numbers
    from seqtasks.data.side_columns import SideColumns
    from seqtasks.data.vocabulary import Vocabulary
    from seqtasks.text.tokenizer import Tokenizer

    if path.stem == "columns":
        return SideColumns
    with path.open("rb") as file:
        start = file.read(len(NETWORKS))
    if start == NETWORKS:
        from seqtasks.text.pretrained_encoder import PretrainedEncoder

        return PretrainedEncoder
    return {b"{": Tokenizer, b"[": Numbers}.get(start[:1], Vocabulary)
