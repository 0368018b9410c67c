"""Video classification: everything that only the video recipe needs.

`files` finds labelled clips in folders and tables, `lists` in the lists of known data sets; `clips` reads their frames,
with `decoding` (videos, by PyAV), `pictures` (folders of pictures) and `sample` (the built-in moving digits);
`augmentation` varies clips in the graph; `backbones` builds pretrained image networks and caches their features;
`baselines` measures motion; `report` shows frames of misclassified clips.

The package may import the shared packages (`data`, `layers`, `report`, ...), but neither other applications nor the
engine. Start with `files.formats` and `clips.read`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.video import (
        augmentation,
        backbones,
        baselines,
        clips,
        decoding,
        files,
        lists,
        pictures,
        report,
        sample,
    )

__all__ = [
    "augmentation",
    "backbones",
    "baselines",
    "clips",
    "decoding",
    "files",
    "lists",
    "pictures",
    "report",
    "sample",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
