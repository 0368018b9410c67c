"""A decoder that starts from a language model of the language that it writes.

`pretrained_cells` makes the cells of `encoder_decoder` from the description of the language model, and
`take_over_decoder` fills its layers. What the language model lacks begins so that the decoder writes as the language
model does: first states and fed vectors are zero, and the attentional vector is the state beside the context.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from seqtasks import cells
from seqtasks.layers import AttentionRNN
from seqtasks.models.encoder_decoder import NAME, READOUT, TARGET_EMBEDDING, bridge_name, decoder_name
from seqtasks.models.language_model import LanguageModelStepper
from seqtasks.models.pretrained import Network, embedding_of

TIED = "ReversibleEmbedding"  # class of a head that scores tokens by their embeddings, as the decoder does


def decodes(model: keras.Model, prefix: str) -> bool:
    """Whether the language models of a prefix are those of a decoder, and not read by `pretrained_states`."""
    return model.name == NAME and not any(layer.name.startswith(f"{prefix}_") for layer in model.layers)


def pretrained_cells(
    network: Network, layers: int | None = None, recurrent_dropout: float = 0.0
) -> list[cells.RNNCell]:
    """The cells of the first layers of a language model, for `encoder_decoder`, which takes its `dimension` too.

    Args:
        network: the description of a forward language model without residual connections and zoneout.
        layers: how many; None for all.
        recurrent_dropout: of the cells, in place of that of the language model.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> from seqtasks.models import language_model
        >>> names = ("decoder_inputs", "targets")
        >>> previous, following = (keras.Input((None,), dtype="int32", name=name) for name in names)
        >>> table = ReversibleEmbedding(9, 4)
        >>> network = Network.of(language_model(previous, table(previous), following, table, "gru", 6, layers=2))
        >>> [cell.units for cell in pretrained_cells(network, layers=1)]
        [6]

    References:
        Ramachandran et al., 2017, https://arxiv.org/abs/1611.02683
    """
    found = []
    for cell in list(network.cells)[:layers]:
        config = {**cell["config"], "recurrent_dropout": recurrent_dropout, "zoneout": 0.0}
        found.append(keras.saving.deserialize_keras_object({**cell, "config": config}))
    return found


def taken_weights(model: keras.Model, network: Network) -> Iterator[tuple[keras.layers.Layer, list[keras.Variable]]]:
    """The layers of a decoder that have weights of a language model, with these weights.

    Args:
        model: an `encoder_decoder` with the cells of `pretrained_cells`.
        network: the description of the language model.
    """
    layers = {layer.name: layer for layer in model.layers}
    embedding, tied = layers[TARGET_EMBEDDING], network.head["class_name"] == TIED
    yield embedding, [embedding.table, embedding.bias] if tied else [embedding.table]
    numbers = [n for n in range(1, len(network.cells) + 1) if decoder_name(n) in layers]
    for number in numbers:
        layer = layers[decoder_name(number)]
        yield layer, _cell(layer).weights
    if tied and network.readout and len(numbers) == len(network.cells):
        yield layers[READOUT], layers[READOUT].weights


def take_over_decoder(model: keras.Model, language_model: keras.Model) -> None:
    """Gives the decoder of a model the weights of a language model.

    The embedding of the tokens and the cells are those of the language model. If it scores tokens by their embeddings,
    and the decoder has all its layers, the bias and the readout are too: without attention, the logits before training
    are those of the language model. With attention, the cell of the first layer has the states of the language model,
    and the attentional vector ``tanh(a + W c + b)`` is close to the state a: the residual connection of Ramachandran et
    al. The context c of the attention has its random weights.

    Args:
        model: an `encoder_decoder` with the cells of `pretrained_cells`.
        language_model: a trained `language_model` of tokens, from which the cells were described.

    Raises:
        ValueError: if the shapes differ.
    """
    network, stepper = Network.of(language_model), LanguageModelStepper(language_model)
    layers = {layer.name: layer for layer in model.layers}
    table = embedding_of(language_model)
    sources = {TARGET_EMBEDDING: table.weights, READOUT: stepper.readout.weights if stepper.readout else []}
    sources |= {decoder_name(n): cell.weights for n, cell in enumerate(stepper.stack.cells, 1)}
    filled = list(taken_weights(model, network))
    values = [(v, s) for layer, own in filled for v, s in zip(own, sources[layer.name], strict=True)]
    names = {layer.name for layer, _ in filled}
    for number in (n for n in range(1, len(network.cells) + 1) if decoder_name(n) in names):
        for state in range(len(stepper.stack.cells[number - 1].state_sizes)):
            kernel = layers[bridge_name(number, state)].kernel
            values.append((kernel, np.zeros(kernel.shape)))
    first = layers[decoder_name(1)]
    if isinstance(first, AttentionRNN):
        values.append((first.cell.kernel, _with_identity(first.cell.kernel)))
        if first.input_feeding:
            values.append((first.cell.feed_kernel, np.zeros(first.cell.feed_kernel.shape)))
    complete = decoder_name(len(network.cells)) in names
    if complete and network.head["class_name"] == TIED and not network.readout:
        values.append((layers[READOUT].kernel, np.eye(network.dimension)))  # the state itself is scored
    for variable, source in values:
        variable.assign(source)


def _cell(layer: Any) -> cells.RNNCell:
    return layer.cell.cell if isinstance(layer, AttentionRNN) else layer.cell


def _with_identity(kernel: keras.Variable) -> np.ndarray:
    """The kernel of an attentional vector, (units + memory size, units), with the identity for the state."""
    value = keras.ops.convert_to_numpy(kernel).copy()
    value[: value.shape[1]] = np.eye(value.shape[1])
    return value
