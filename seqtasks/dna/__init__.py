"""What DNA analysis has beyond a recipe: scanning a genome, and explaining a prediction."""

import importlib

_ROOMS = ("mutagenesis", "scan")
__all__ = list(_ROOMS)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.dna.{name}")
    raise AttributeError(f"module 'seqtasks.dna' has no attribute {name!r}")
