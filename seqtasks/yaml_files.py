"""Reads YAML files of options, which may come from strangers: plain values only, and no more than a person writes."""

from pathlib import Path
from typing import Any

from seqtasks.errors import UserError

LARGEST = 2**20  # bytes


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file, such as the `config.yaml` of a run. Aliases, which can stand for endless values, are
    refused.

    Args:
        path: of the file.

    Raises:
        UserError: if there is no such file, or it holds something else.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.composer.ComposerError(None, None, "an alias", mark)
            return super().compose_node(parent, index)

    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise UserError("too long for a file of options", where=path, remedy="give a YAML file with options alone")
        values = yaml.load(text.decode("utf-8"), Loader)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError("no such file", where=path, remedy="give a YAML file to --config") from None
    except UnicodeDecodeError as error:
        what = f"not UTF-8 (byte 0x{error.object[error.start]:02x} at offset {error.start})"
        raise UserError(what, where=path, remedy="save the file as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        problem = getattr(error, "problem", None) or ""
        what = f"not plain YAML ({problem})" if problem == "an alias" else "not YAML"
        raise UserError(what, where=f"{path}:{line}", remedy="write one `name: value` per line") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError("not a mapping", where=path, remedy="write one `name: value` per line")
    return values
