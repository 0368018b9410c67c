"""DNA: files, encodings of bases, genomes and intervals, scanning, explanations, baselines, the report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.dna import baselines, bed, encoding, files, genome, mutagenesis, report, scan

__all__ = ["baselines", "bed", "encoding", "files", "genome", "mutagenesis", "report", "scan"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
