"""Pure functions of tensors that layers, losses and tasks share.

- `crf`: likelihood, best paths and marginals of linear-chain conditional random fields;
- `ctc`: likelihood, alignment and beam search of connectionist temporal classification, with its beam in `ctc_beam`;
- `log_likelihood`: log-likelihoods of tokens under logits;
- `arguments`: the precision of outputs, and the shape of targets.

They hold no weights, run in a graph, are vectorised over the batch, and have their own gradients where that is faster
or more exact. This package imports only `seqtasks.errors`. Start with `crf.py`; its module docstring defines the
tensor that its functions share.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.ops import arguments, crf, ctc, ctc_beam, log_likelihood

__all__ = ["arguments", "crf", "ctc", "ctc_beam", "log_likelihood"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
