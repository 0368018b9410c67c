"""Translation: parallel files, the task and its metrics, the baseline, the report, the built-in sample."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.translation import baselines, files, metrics, report, sample, task

__all__ = ["baselines", "files", "metrics", "report", "sample", "task"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
