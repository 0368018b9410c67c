"""Music generation: piano rolls predicted frame by frame, and performances predicted event by event.

- Notes and their forms: `notes`, `midi` and `smf` (MIDI files), `scores` (MusicXML, ABC), `piano_rolls` and `events`
  (strings and tensors), `tunes` (text)
- Data: `pieces` (one file or object), `files` and `json_files` (sources and splits), `augmentation`
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
        json_files,
        midi,
        notes,
        piano_rolls,
        pieces,
        report,
        scores,
        smf,
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
    "json_files",
    "midi",
    "notes",
    "piano_rolls",
    "pieces",
    "report",
    "scores",
    "smf",
    "synthesis",
    "task",
    "tunes",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
