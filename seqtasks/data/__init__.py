"""Machinery for data of any kind; it knows no application.

Files become a `Source` (`sources`, `path_sources`, `tfds`), a stream of `Example`s, by the readers of `text_files` and
`tables`. `splits` finds train, validation and test. `vocabulary` numbers words and labels; `token_ids` are the reserved
ids. `batches` makes padded batches of examples, `segments` those of running text, `file_inputs` reads inputs that are
sound or pictures; `generators` holds what both batchers share.

It imports only `seqtasks.errors`. Start with `sources`, then `splits`, then `batches`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.data import (
        batches,
        file_inputs,
        generators,
        path_sources,
        segments,
        sources,
        splits,
        tables,
        text_files,
        tfds,
        token_ids,
        vocabulary,
    )

__all__ = [
    *("batches", "file_inputs", "generators", "path_sources", "segments", "sources", "splits", "tables"),
    *("text_files", "tfds", "token_ids", "vocabulary"),
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
