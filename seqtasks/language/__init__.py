"""Language models: files of running text and the report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.language import files, report

__all__ = ["files", "report"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
