"""Named-entity recognition: files and annotations, tag schemes, the task and its metrics, the baseline, the report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.ner import annotations, baselines, files, metrics, report, tag_schemes, task

__all__ = ["annotations", "baselines", "files", "metrics", "report", "tag_schemes", "task"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
