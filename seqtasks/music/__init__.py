"""What music has beyond a recipe: new pieces, files of notes and of sound, and what they are like."""

import importlib

_ROOMS = ("analysis", "showing", "synthesis", "writing")
__all__ = list(_ROOMS)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.music.{name}")
    raise AttributeError(f"module 'seqtasks.music' has no attribute {name!r}")
