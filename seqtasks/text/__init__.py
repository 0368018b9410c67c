"""What recipes on text share: tokenizers, word features, word vectors, generated and running text.

Two ways lead from texts to ids, both in the graph, so that training and an export share them. `tokenizer` cuts texts
into words, characters or subwords and joins them again, for models that write; `word_tokenizer` finds words and their
positions in the original text, for models that mark it. `word_features` has the lower-cased words and hashed affixes of
classifiers. `files` reads labelled texts, `baselines` weighs their words. `generation` and `running_text` apply a
language model; `assets` reads what a run learnt.

This package imports `seqtasks.data`, `seqtasks.decoding`, `seqtasks.models` and `seqtasks.tasks`, and no application.
Start with `tokenizer.py`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.text import (
        assets,
        baselines,
        files,
        generation,
        running_text,
        subwords,
        tokenizer,
        word_features,
        word_tokenizer,
        word_vectors,
    )

__all__ = [
    "assets",
    "baselines",
    "files",
    "generation",
    "running_text",
    "subwords",
    "tokenizer",
    "word_features",
    "word_tokenizer",
    "word_vectors",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
