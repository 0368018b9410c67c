"""Encodes texts, character by character, for the network beside this file. It needs NumPy alone.

inputs = Encoder(folder)(["a text"])
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3


class Encoder:
    """From texts to the inputs of the network, padded on the right: with -1 what is predicted, else with 0.

    A model that reads a text from its end gets the reversed text. The input `decoder_inputs` begins with 2; a
    translation that is made token by token is appended to it.

    Args:
        folder: the folder with `encoding.json`.
    """

    def __init__(self, folder: str | Path) -> None:
        given = json.loads(Path(folder, "encoding.json").read_text("utf-8"))
        self.number = {token: i for i, token in enumerate(given["tokens"]) if i > END}
        self.lowercase, self.ends, self.backward = given["lowercase"], given["ends"], given["backward"]
        self.name = given["input"]  # `targets` of a model of texts, which also gets the characters before each

    def numbers(self, text: str) -> list[int]:
        """The numbers of the characters of a text, and its end."""
        valid = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        found = [self.number.get(letter, UNKNOWN) for letter in (valid.lower() if self.lowercase else valid)]
        return (found[::-1] if self.backward else found) + [END] * self.ends

    def __call__(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        rows = [self.numbers(text) for text in texts]
        predicted = self.name == "targets"
        size = len(rows), max([1, *map(len, rows)])
        numbers, before = np.full(size, -1 if predicted else PAD, "int32"), np.full(size, PAD, "int32")
        for found, left, row in zip(numbers, before, rows, strict=True):
            found[: len(row)] = row
            left[: len(row)] = [BEGIN, *row][: len(row)]
        first = np.full((len(rows), 1), BEGIN, "int32")
        return {self.name: numbers, "decoder_inputs": before if predicted else first}
