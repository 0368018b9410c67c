"""Encodes sequences of letters, such as DNA, for the network beside this file. It needs NumPy alone.

inputs = Encoder(folder)(["ACGT", "acgn"])
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Encoder:
    """From sequences to the inputs of the network, padded on the right with zeros.

    Args:
        folder: the folder with `encoding.json`.
    """

    def __init__(self, folder: str | Path) -> None:
        given = json.loads(Path(folder, "encoding.json").read_text("utf-8"))
        self.k = given["k"]  # 0 for one-hot letters
        self.shares = np.array(given["shares"], "float32")  # (256, letters), a row for each byte
        self.ids = np.array(given["ids"], "int64")  # (256,), the number of each letter, -1 for ambiguous ones

    def __call__(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        rows = [np.frombuffer(text.encode("utf-8", "surrogateescape"), "uint8") for text in texts]
        longest = max([1, *map(len, rows)])
        if not self.k:
            bases = np.zeros((len(rows), longest, self.shares.shape[1]), "float32")
            for row, letters in zip(bases, rows, strict=True):
                row[: len(letters)] = self.shares[letters]
            return {"bases": bases}
        kmers = np.zeros((len(rows), longest), "int32")
        for row, letters in zip(kmers, rows, strict=True):
            numbers = np.pad(self.ids[letters], (0, self.k), constant_values=-1)
            windows = np.stack([numbers[i : i + len(letters)] for i in range(self.k)])
            powers = self.shares.shape[1] ** np.arange(self.k - 1, -1, -1)
            row[: len(letters)] = np.where((windows >= 0).all(0), powers @ windows + 2, 1)
        return {"kmers": kmers}
