"""The report of a run: the page, its charts, and how figures are written."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.report import charts, formatting, page

__all__ = ["charts", "formatting", "page"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
