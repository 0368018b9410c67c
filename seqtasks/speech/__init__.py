"""Speech recognition: recordings and transcripts, the task and its metrics, streams, augmentation, the baseline."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.speech import (
        audio,
        augmentation,
        baselines,
        files,
        fusion,
        metrics,
        sample,
        streaming,
        task,
        transcripts,
    )

__all__ = [
    "audio",
    "augmentation",
    "baselines",
    "files",
    "fusion",
    "metrics",
    "sample",
    "streaming",
    "task",
    "transcripts",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
