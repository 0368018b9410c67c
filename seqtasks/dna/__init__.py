"""DNA analysis: everything that only the dna recipe needs.

`files` reads labelled sequences (FASTA, FASTQ, tables, intervals of a genome); `encoding` turns them into tensors;
`genome` slides windows over a genome, `bed` reads and writes intervals, and `scan` combines both; `mutagenesis` and
`report` explain predictions; `baselines` contains the baseline models.

The package may import the shared packages (`data`, `tasks`, `report`, ...), but neither other applications nor the
engine. It imports TensorFlow only inside functions. Start with `files.open_dna` and `encoding.one_hot`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.dna import baselines, bed, encoding, files, genome, mutagenesis, report, scan

__all__ = ["baselines", "bed", "encoding", "files", "genome", "mutagenesis", "report", "scan"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
