"""Speech recognition: transcripts of recordings, by connectionist temporal classification.

- Data: `files` (sources and splits), `layouts` (folders), `records` (tables, memory), `audio` (waveforms), `decoding`
  (sound files), `transcripts` (normalisation), `sample` (Morse code)
- Training: `task`, `metrics` (error rates), `augmentation`, `baselines`
- Prediction: `streaming` (words while a stream runs), `fusion` (language model in the beam search)

This package may import the shared packages (`data`, `layers`, `models`, `ops`, `tasks`, ...), no other application and
not `engine`. Start with `task` and `recipes/speech.py`, which connects the parts.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.speech import (
        audio,
        augmentation,
        baselines,
        decoding,
        files,
        fusion,
        layouts,
        metrics,
        records,
        sample,
        streaming,
        task,
        transcripts,
    )

__all__ = [
    "audio",
    "augmentation",
    "baselines",
    "decoding",
    "files",
    "fusion",
    "layouts",
    "metrics",
    "records",
    "sample",
    "streaming",
    "task",
    "transcripts",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
