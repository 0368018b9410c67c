"""Music: files, notes, piano rolls and events, generation, analysis, synthesis, the report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.music import (
        analysis,
        baselines,
        events,
        files,
        generation,
        midi,
        notes,
        piano_rolls,
        report,
        synthesis,
        task,
        tunes,
    )

__all__ = [
    "analysis",
    "baselines",
    "events",
    "files",
    "generation",
    "midi",
    "notes",
    "piano_rolls",
    "report",
    "synthesis",
    "task",
    "tunes",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
