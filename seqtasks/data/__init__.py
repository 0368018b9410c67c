"""Machinery for data of any kind: sources, splits, vocabularies, batches, segments of running text, files as inputs."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.data import batches, file_inputs, generators, path_sources, segments, sources, splits, vocabulary

__all__ = ["batches", "file_inputs", "generators", "path_sources", "segments", "sources", "splits", "vocabulary"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
