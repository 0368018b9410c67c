"""The tokenizer and the shape of the language models that a run was pretrained with, kept beside its vocabularies."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import tensorflow as tf

from seqtasks.errors import UserError
from seqtasks.models.pretrained import Network
from seqtasks.text.tokenizer import Tokenizer


class PretrainedEncoder:
    """What turns texts into the token ids of language models, and says how their layers are built.

    Args:
        tokenizer: that of the language models.
        networks: the description of each.

    Example:
        >>> from seqtasks.data.token_ids import SPECIAL_TOKENS
        >>> encoder = PretrainedEncoder(Tokenizer("space", [*SPECIAL_TOKENS, "a", "b"]), [])
        >>> encoder.encode(tf.constant(["b a"])).to_list(), len(encoder)
        ([[5, 4]], 6)
    """

    open = False  # no tokens are added: the embeddings belong to the language models

    def __init__(self, tokenizer: Tokenizer, networks: Sequence[Network]) -> None:
        self.tokenizer, self.networks = tokenizer, list(networks)

    def __len__(self) -> int:
        return len(self.tokenizer)

    @property
    def tokens(self) -> list[str]:
        """The tokens; the id of each is its index."""
        return self.tokenizer.tokens

    @property
    def networks_of_letters(self) -> list[Network]:
        """The networks, if each of their tokens is one character.

        Raises:
            UserError: if they are words or subwords.
        """
        if self.tokenizer.kind != "character":
            what = f"the tokens of the language model are of kind {self.tokenizer.kind}"
            raise UserError(what, where="--pretrained", remedy="train one with --vocabulary character")
        return self.networks

    def decoder_network(self, option: str) -> Network:
        """The network that a decoder can continue.

        Args:
            option: the option that names its run, for errors.

        Raises:
            UserError: if it is not one forward network without residual connections and zoneout.
        """
        network = self.networks[0]
        what, remedy = "", "name the run of one forward language model"
        if len(self.networks) > 1:
            what = "a decoder writes in one direction, here are two language models"
        elif network.direction != "forward":
            what = "a decoder writes forward, the language model reads backward"
        elif any(network.residual):
            what, remedy = "the language model has residual connections", "train one with --residual false"
        elif any(cell["config"].get("zoneout") for cell in network.cells):
            what, remedy = "the language model has zoneout, which decoders lack", "train one with --zoneout 0"
        if what:
            raise UserError(what, where=f"--{option}", remedy=remedy)
        return network

    @property
    def tables(self) -> tuple[Any, tf.Tensor]:
        """The lookups that an exported module must keep as attributes."""
        return self.tokenizer.tables

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Texts (batch,) to ragged int32 ids (batch, None), without `BOS` and `EOS`."""
        return self.tokenizer.encode(texts)

    def text(self) -> str:
        """The content of a file: a line of JSON with the networks, then that of the tokenizer."""
        networks = [network._asdict() for network in self.networks]
        return json.dumps({"networks": networks}, ensure_ascii=False) + "\n" + self.tokenizer.text()

    def save(self, path: Path) -> None:
        """Writes `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `save` wrote.

        Raises:
            UserError: if it is another file.
        """
        head, _, rest = path.read_text("utf-8").partition("\n")
        try:
            networks = [Network(**fields) for fields in json.loads(head)["networks"]]
        except (ValueError, TypeError, KeyError):
            what, remedy = "does not describe a language model", "copy the whole run again"
            raise UserError(what, where=f"{path}:1", remedy=remedy) from None
        return cls(Tokenizer.parse(rest, path, 2), networks)
