"""Language models: running text as documents and pieces, its files, the built-in sample, the section of the report.

`files` reads texts, `held_out` takes the splits that are missing, `task` checks the vocabulary. What the task does
(`seqtasks.tasks.LanguageModelling`), n-grams and generation (`seqtasks.text`) are shared with music and are
not here. Imports: `data`, `text`, `decoding`, `report` and what lies below them; no other application. Start with
`documents`, then `files`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.language import documents, files, held_out, report, sample, task

__all__ = ["documents", "files", "held_out", "report", "sample", "task"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
