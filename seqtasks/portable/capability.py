"""The capability of recipes whose encoding runs without TensorFlow, too."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqtasks.capabilities import Capability


@dataclasses.dataclass(frozen=True)
class Portable(Capability):
    """An encoding for exports that hold the network alone.

    Args:
        describe: `describe(config, assets) -> dict` that can be written as JSON: `encoder`, the name of a module of
            `seqtasks.portable`, and what this needs; None where these options have no such encoding.
    """

    describe: Callable[[Any, Any], dict[str, Any] | None]


def source(encoder: str) -> str:
    """The text of the module `seqtasks.portable.ENCODER`.

    Example:
        >>> "class Encoder" in source("bases")
        True
    """
    return Path(__file__).with_name(f"{encoder}.py").read_text("utf-8")
