"""Language models: running text as documents and pieces, its files, the built-in sample, the section of the report.

The task (`seqtasks.tasks.LanguageModelling`), n-grams and generation (`seqtasks.text`) are shared with music and are
not here. Imports: `data`, `text`, `decoding`, `report` and what lies below them; no other application. Start with
`documents`, then `files`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.language import documents, files, report, sample

__all__ = ["documents", "files", "report", "sample"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
