"""DNA analysis: everything that only the dna recipe needs.

`files` reads labelled sequences; `fasta`, `bed` and `references` read the formats of sequences, intervals and genomes,
`labels` finds the labels in them. `alphabets` says which letters there are, `encoding` turns sequences into tensors.
`genome` slides windows over a genome, and `scan` classifies them; `mutagenesis`, `variants` and `report` explain
predictions; `baselines` contains the baseline models.

The package may import the shared packages (`data`, `tasks`, `report`, ...), but neither other applications nor the
engine. It imports TensorFlow only inside functions. Start with `files.open_dna` and `encoding.one_hot`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.dna import (
        alphabets,
        baselines,
        bed,
        capabilities,
        encoding,
        fasta,
        files,
        genome,
        labels,
        mutagenesis,
        references,
        report,
        scan,
        variants,
    )  # fmt: skip

__all__ = [
    "alphabets", "baselines", "bed", "capabilities", "encoding", "fasta", "files", "genome", "labels", "mutagenesis",
    "references", "report", "scan", "variants",
]  # fmt: skip
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
