"""Decoding: token by token out of any model that can make one step, by beam search, greedy search or sampling.

A step is a function `step(tokens, states) -> (logits, states)` or `(logits, states, attention)`:

| name | shape | what it is |
|---|---|---|
| tokens | int32 (rows,) | the token that was chosen last, at first the start token |
| states | a nest of tensors (rows, ...) | what the model remembers; their shapes stay as they are |
| logits | (rows, vocabulary) | of the next token; the size of the vocabulary is known when the graph is made |
| attention | (rows, source) | weights over the positions of the source, exactly 0 at padding |

In beam search there are batch x width rows, those of one sentence side by side: a step may reshape to
(batch, width, ...) and use a memory (batch, ...) without repeating it. It may close over that, or get it as a third
argument from `beam_search(..., memory=...)`, which lets sentences leave the batch as soon as they are done.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.decoding import options, rules, sampling, scoring, search, steps
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.decoding.sampling import sample
    from seqtasks.decoding.search import beam_search
    from seqtasks.decoding.steps import Decoded

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["scoring"],
    {"options": ["GenerationOptions"], "sampling": ["sample"], "search": ["beam_search"], "steps": ["Decoded"]},
)
