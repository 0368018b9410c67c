"""What video has beyond a recipe: clips varied, how much they move, features of ready networks, and pictures."""

import importlib

_ROOMS = ("backbones", "motion", "strips", "variations")
__all__ = list(_ROOMS)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.video.{name}")
    raise AttributeError(f"module 'seqtasks.video' has no attribute {name!r}")
