"""The vocabularies of a run on the disk, `encoder/NAME.txt`."""

from pathlib import Path
from typing import Any


def load_assets(directory: str | Path) -> "Assets":
    """The assets of a run by name.

    A file that begins with `{` holds a `seqtasks.text.tokenizer.Tokenizer` (a JSON object), any other a
    `seqtasks.data.vocabulary.Vocabulary` (a JSON string per line).
    """
    from seqtasks.data.vocabulary import Vocabulary
    from seqtasks.text.tokenizer import Tokenizer

    kinds = {path: Tokenizer if path.read_bytes()[:1] == b"{" else Vocabulary for path in Path(directory).glob("*.txt")}
    return Assets(directory, {path.stem: kinds[path].load(path) for path in sorted(kinds)})


class Assets(dict[str, Any]):
    """Assets by name; a missing one raises `UserError`."""

    def __init__(self, directory: str | Path, assets: dict[str, Any]) -> None:
        super().__init__(assets)
        self.directory = Path(directory)

    def __missing__(self, name: str) -> Any:
        from seqtasks.errors import UserError

        what, remedy = "no such file", "copy the whole run again, or train a new one"
        raise UserError(what, where=self.directory / f"{name}.txt", remedy=remedy)
