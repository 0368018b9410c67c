"""Named-entity recognition: files, tag schemes, the task and its metrics, the baseline, the section of the report.

`files` says how data is read: `columns` (CoNLL), `annotations` (records of annotation tools, tables of tokens) and
`brat` give sentences; `sentences` makes examples of them, with `spans` and `tag_schemes` (IOB1, IOB2, IOBES). `task`
decodes scores of tags into entities; `metrics` are strict span metrics. Imports: `data`, `text`,
`tasks`, `report` and what lies below them; no other application. Start with `tag_schemes`, then `task`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.ner import (
        annotations,
        baselines,
        brat,
        columns,
        files,
        metrics,
        report,
        sentences,
        spans,
        tag_schemes,
        task,
    )

__all__ = [
    "annotations", "baselines", "brat", "columns", "files", "metrics", "report", "sentences", "spans", "tag_schemes",
    "task",
]  # fmt: skip
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
