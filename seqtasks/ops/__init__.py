"""Pure functions of tensors: CRF, CTC, log-likelihoods."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.ops import crf, ctc, log_likelihood

__all__ = ["crf", "ctc", "log_likelihood"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
