"""Machinery for data of any kind; it knows no application.

Tables of every format (`tables`), data sets (`tfds`, `hf`) and objects in memory (`memory`) become `Records`; `columns`
or an application makes a `Source` of them, a stream of `Example`s (`sources`). `splits` opens data of any kind, and
finds train, validation and test; `reading` holds the options of all that. `text_files` opens files, `fasta` reads those
of sequences, `remote` copies those at a URL; `path_sources` and `file_inputs` are for inputs that are sound or
pictures. `vocabulary` numbers words and labels; `token_ids` are the reserved ids; `numbers` keeps other figures that
are learnt. `targets` writes several labels as one string, `pairs` joins two texts; `side_columns` encodes columns
beside the input. `batches` makes padded batches of examples, `segments` those of running text; `generators` holds what
both share.

It imports only `seqtasks.errors`. Start with `sources`, then `splits`, then `batches`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.data import (
        batches,
        columns,
        fasta,
        file_inputs,
        generators,
        hf,
        json_files,
        media_segments,
        memory,
        numbers,
        pairs,
        partition,
        path_sources,
        reading,
        remote,
        segments,
        side_columns,
        sources,
        splits,
        tables,
        targets,
        text_files,
        tfds,
        token_ids,
        values,
        vocabulary,
    )

__all__ = [
    *("batches", "columns", "fasta", "file_inputs", "generators", "hf", "json_files", "media_segments", "memory"),
    *(
        "numbers",
        "pairs",
        "partition",
        "path_sources",
        "reading",
        "remote",
        "segments",
        "side_columns",
        "sources",
        "splits",
        "tables",
        "targets",
        "text_files",
        "tfds",
    ),
    *("token_ids", "values", "vocabulary"),
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
