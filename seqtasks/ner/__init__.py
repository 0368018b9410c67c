"""Named-entity recognition: files, tag schemes, the task and its metrics, the baseline, the section of the report.

`files` reads tagged sentences with the help of `annotations` (JSON of annotation tools) and `tag_schemes` (IOB1, IOB2,
IOBES); `task` decodes scores of tags into entities; `metrics` are strict span metrics. Imports: `data`, `text`,
`tasks`, `report` and what lies below them; no other application. Start with `tag_schemes`, then `task`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.ner import annotations, baselines, files, metrics, report, tag_schemes, task

__all__ = ["annotations", "baselines", "files", "metrics", "report", "tag_schemes", "task"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
