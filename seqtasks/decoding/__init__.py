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

from seqtasks.decoding import scoring
from seqtasks.decoding.options import GenerationOptions
from seqtasks.decoding.sampling import sample, token_sampler
from seqtasks.decoding.search import BeamOptions, beam_search
from seqtasks.decoding.steps import Decoded

__all__ = ["BeamOptions", "Decoded", "GenerationOptions", "beam_search", "sample", "scoring", "token_sampler"]
