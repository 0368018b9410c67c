"""What recipes on text share: tokenizers, word features, word vectors, generated texts."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.text import generation, running_text, subwords, tokenizer, word_features, word_tokenizer, word_vectors

__all__ = ["generation", "running_text", "subwords", "tokenizer", "word_features", "word_tokenizer", "word_vectors"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
