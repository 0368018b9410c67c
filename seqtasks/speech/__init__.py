"""What speech has beyond a recipe: recordings varied at random, streams, language models that help, a baseline."""

import importlib

_ROOMS = ("baseline", "fusion", "streaming", "variation")
__all__ = list(_ROOMS)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.speech.{name}")
    raise AttributeError(f"module 'seqtasks.speech' has no attribute {name!r}")
