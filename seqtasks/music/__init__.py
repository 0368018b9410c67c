"""Music generation: piano rolls predicted frame by frame, and performances predicted event by event.

- Notes and their forms: `notes`, `midi` (files), `piano_rolls` and `events` (strings and tensors), `tunes` (text)
- Data: `files` (sources and splits), `augmentation` (transposition, tempo)
- Training: `task`, `baselines`
- Results: `generation` (new pieces), `analysis` (statistics), `synthesis` (sound), `report` (pictures and players)

This package may import the shared packages (`data`, `decoding`, `models`, `report`, `tasks`, `text`, ...), no other
application and not `engine`. Start with `piano_rolls`, `generation` and `recipes/music.py`, which connects the parts.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.music import (
        analysis,
        augmentation,
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
    "augmentation",
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
