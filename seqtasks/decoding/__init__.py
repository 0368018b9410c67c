"""Decoding: sequences from any model that can make one step, by beam search, greedy search or sampling.

A step is a function `step(tokens, states) -> (logits, states)` or `(logits, states, attention)`:

| name | shape | what it is |
|---|---|---|
| tokens | int32 (rows,) | the token chosen last; in the first step the start token |
| states | a nest of tensors (rows, ...) | the states of the model; their shapes stay the same |
| logits | (rows, vocabulary) | of the next token; the vocabulary size is known when the graph is built |
| attention | (rows, source) | weights over the positions of the source, exactly 0 at padding; sampling ignores it |

Beam search has batch x width rows, and the rows of one sentence are adjacent: a step may reshape to
(batch, width, ...) and use a memory (batch, ...) without repeating it. A step may close over the memory, or take it as
a third argument from `beam_search(..., memory=...)`; then finished sentences leave the batch early.

This package imports no model: a step, or an object that makes steps, is passed in. Start with `search.py` (beam
search), `sampling.py` (the sampling loop of tokens and frames) and `scoring.py` (log-likelihoods).
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.decoding import options, rules, sampling, scoring, search, steps
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.decoding.sampling import sample, token_sampler
    from seqtasks.decoding.search import BeamOptions, beam_search
    from seqtasks.decoding.steps import Decoded

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["scoring"],
    {
        "options": ["GenerationOptions"],
        "sampling": ["sample", "token_sampler"],
        "search": ["BeamOptions", "beam_search"],
        "steps": ["Decoded"],
    },
)
