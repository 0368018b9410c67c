"""Translation: parallel files, the task and its metrics, the baseline, the section of the report, the sample.

`files` reads sentence pairs (with `parallel` for two files, `tmx` for memories, `directions` for which side is the
source), `task` turns them into ids and decoded hypotheses into answers, `metrics` counts BLEU and
chrF by sacrebleu, `baselines` has a translation memory. `sample` generates the built-in data and is not used at run
time. Imports: `data`, `text`, `tasks`, `report` and what lies below them; no other application. Start with `task`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.translation import baselines, directions, files, metrics, parallel, report, sample, task, tmx

__all__ = ["baselines", "directions", "files", "metrics", "parallel", "report", "sample", "task", "tmx"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
