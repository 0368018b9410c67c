"""seqtasks: from raw files to a trained, measured, exported sequence model.

The package loads its rooms when they are first used, so that `import seqtasks` costs nothing; the first touch of
`seqtasks.cells`, `seqtasks.layers` or `seqtasks.load_run` imports TensorFlow and registers the saved classes.
"""

import importlib

__version__ = "0.1.0"
_ROOMS = (
    "baselines", "cells", "crf", "ctc", "data", "decoding", "distribute", "dna", "engine", "errors", "export",
    "highlights", "language", "layers", "losses", "metrics", "models", "music", "ngrams", "optimizers", "speech",
    "tasks", "video",
)  # fmt: skip
_FUNCTIONS = {
    "train": "engine.training",
    "finetune": "engine.training",
    "load_run": "engine.run",
    "gradient_flow": "diagnosis",
}
__all__ = [*_ROOMS, *_FUNCTIONS, "__version__"]


def __getattr__(name):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"seqtasks.{_FUNCTIONS[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"seqtasks.{name}")
    raise AttributeError(f"module 'seqtasks' has no attribute {name!r}")
