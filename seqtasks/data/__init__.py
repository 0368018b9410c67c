"""From raw files to batches: sources (-> examples), vocabularies and text (-> tensors), pipelines (-> batches)."""

import importlib

_ROOMS = (
    "audio", "bases", "bed", "dates", "digits", "dna", "events", "frames", "genome", "media", "memory", "midi", "morse",
    "notes", "parallel", "paths", "pieces", "pipeline", "prose", "records", "rolls", "segmenter", "sources", "speech",
    "splits", "stream", "subwords", "tags", "text", "tokenizer", "tokens", "transcripts", "tunes", "vectors", "video",
    "vocabulary",
)  # fmt: skip
__all__ = list(_ROOMS)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.data.{name}")
    raise AttributeError(f"module 'seqtasks.data' has no attribute {name!r}")
