"""Video classification: files, decoding, augmentation, pretrained backbones, the baseline, the report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.video import augmentation, backbones, baselines, decoding, files, report, sample

__all__ = ["augmentation", "backbones", "baselines", "decoding", "files", "report", "sample"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
