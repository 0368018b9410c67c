"""seqtasks: from raw files to a trained, measured, exported sequence model.

Subpackages load when they are first used, so that `import seqtasks` costs nothing: the first use of `seqtasks.cells`,
`seqtasks.layers` or `seqtasks.load_run` imports TensorFlow. After `import seqtasks`, `keras.models.load_model` finds
all saved classes.
"""

from typing import TYPE_CHECKING

import lazy_loader

from seqtasks import registry

if TYPE_CHECKING:
    from seqtasks import (
        budget,
        cells,
        crf_metrics,
        data,
        decoding,
        dna,
        engine,
        errors,
        language,
        layers,
        losses,
        metrics,
        models,
        music,
        ner,
        ops,
        optimizers,
        options,
        recipe,
        report,
        speech,
        tasks,
        text,
        translation,
        video,
    )  # fmt: skip
    from seqtasks.engine.comparison import compare
    from seqtasks.engine.cross_validation import cross_validate
    from seqtasks.engine.gradient_flow import gradient_flow
    from seqtasks.engine.run import load_run
    from seqtasks.engine.training import finetune, train

__version__ = "0.1.0"
_MODULES = (
    "budget", "cells", "crf_metrics", "data", "decoding", "dna", "engine", "errors", "language", "layers", "losses",
    "metrics", "models", "music", "ner", "ops", "optimizers", "options", "recipe", "report", "speech", "tasks", "text",
    "translation", "video",
)  # fmt: skip
_FUNCTIONS = {
    "engine.training": ["train", "finetune"],
    "engine.run": ["load_run"],
    "engine.comparison": ["compare"],
    "engine.cross_validation": ["cross_validate"],
    "engine.gradient_flow": ["gradient_flow"],
}
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, _MODULES, _FUNCTIONS)
__all__ += ["__version__"]
registry.install()
