"""Many-to-many, different lengths: an encoder reads, a decoder writes."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import RNN, AttentionRNN, ReversibleEmbedding, ScheduledSampling

NAME = "encoder_decoder"  # of the model
# Names of layers, by which `DecoderStepper` finds them.
MEMORY, TARGET_EMBEDDING, READOUT = "memory", "target_embedding", "readout"


def decoder_name(number: int) -> str:
    """The name of a recurrence of the decoder, counted from 1."""
    return f"decoder_{number}"


def bridge_name(number: int, state: int) -> str:
    """The name of the dense layer that gives the first value of a decoder's state; states are counted from 0."""
    return f"bridge_{number}_{state}"


def encoder_decoder(
    inputs: dict[str, keras.KerasTensor],
    memory: keras.KerasTensor,
    tokens: int,
    dimension: int,
    cell: str | Sequence[cells.RNNCell] = "lstm",
    units: int = 64,
    layers: int = 1,
    attention: str = "general",
    dropout: float = 0.0,
    sampled: float = 0.0,
    **options: Any,
) -> keras.Model:
    """A model that scores the next token of a sentence, given another sentence and the tokens so far.

    The first recurrence of the decoder attends to the memory (Luong et al., 2015), the others take its outputs. The
    mean of the memory gives their first states through a dense layer, the bridge (Bahdanau et al., 2015, appendix
    A.2.2, use the last state of one direction instead of the mean). The embedding of the tokens also scores them (Press
    and Wolf, 2017).

    Args:
        inputs: dict of the Keras inputs of the encoder.
        memory: Keras tensor (batch, places, size), the outputs of the encoder, with its mask.
        tokens: size of the target vocabulary.
        dimension: size of the target embedding.
        cell, units, layers: of the decoder; or instead of a name the cells themselves, all of the same units.
        attention: `dot` (with a memory projected to `units`), `general`, `additive` (see `seqtasks.layers.Attention`),
            or `none`: then the memory reaches the decoder through the bridge alone (Sutskever et al., 2014).
        dropout: rate of the embeddings and of the outputs of the decoder.
        sampled: share of the tokens in training that are the model's own predictions, see `ScheduledSampling`.
        options: `input_feeding`, `coverage` (see `AttentionRNN`), `recurrent_dropout` (see `RNNCell`; of cells
            that have a name).

    Returns:
        A functional `keras.Model` from `inputs` and `decoder_inputs`, int (batch, time), the target shifted by one, to
        logits (batch, time, tokens). `DecoderStepper` runs it step by step.

    Example:
        >>> from seqtasks.layers import recurrent_stack
        >>> source = keras.Input((None,), dtype="int32", name="source")
        >>> memory = recurrent_stack(keras.layers.Embedding(9, 4, mask_zero=True)(source), "gru", 8)
        >>> encoder_decoder({"source": source}, memory, tokens=7, dimension=4, cell="gru", units=8).output_shape
        (None, None, 7)

    References:
        tied embeddings: https://arxiv.org/abs/1608.05859; without attention: https://arxiv.org/abs/1409.3215
    """
    attention_options = {name: options.pop(name) for name in ("input_feeding", "coverage") if name in options}
    made = [cells.make(cell, units, **options) for _ in range(layers)] if isinstance(cell, str) else cell
    decoder_cells: list[cells.RNNCell] = list(made)
    units = decoder_cells[0].units
    if attention == "dot" and memory.shape[-1] != units:
        memory = keras.layers.Dense(units, name="memory_projection")(memory)
    memory = keras.layers.Identity(name=MEMORY)(memory)
    summary = keras.layers.GlobalAveragePooling1D(name="summary")(memory)
    states = [
        [keras.layers.Dense(size, "tanh", name=bridge_name(n, i))(summary) for i, size in enumerate(one.state_sizes)]
        for n, one in enumerate(decoder_cells, 1)
    ]
    decoders = [
        AttentionRNN(one, attention, name=decoder_name(n), **attention_options)
        if n == 1 and attention != "none"
        else RNN(one, return_sequences=True, name=decoder_name(n))
        for n, one in enumerate(decoder_cells, 1)
    ]
    embedding = ReversibleEmbedding(tokens, dimension, name=TARGET_EMBEDDING)
    readout = keras.layers.Dense(dimension, name=READOUT)
    target_dropout = keras.layers.Dropout(dropout, name="target_dropout")
    output_dropout = keras.layers.Dropout(dropout, name="output_dropout")

    def logits(decoder_inputs: keras.KerasTensor) -> keras.KerasTensor:
        x = target_dropout(embedding(decoder_inputs))
        for decoder, first in zip(decoders, states, strict=True):
            attended = (memory,) if isinstance(decoder, AttentionRNN) else ()
            x = decoder(x, *attended, initial_state=first)
        return embedding(readout(output_dropout(x)), reverse=True)

    decoder_inputs = keras.Input((None,), dtype="int32", name="decoder_inputs")
    outputs = logits(decoder_inputs)
    if sampled:
        outputs = logits(ScheduledSampling(sampled, name="sampling")(decoder_inputs, outputs))
    return keras.Model(inputs | {"decoder_inputs": decoder_inputs}, outputs, name=NAME)


class DecoderStepper:
    """Runs an `encoder_decoder` one step at a time, for `seqtasks.decoding`.

    Args:
        model: a model that `encoder_decoder` returned, or such a model loaded from a file.

    Attributes:
        encoder: a model from the inputs of the encoder to the memory and the first states of the decoder.
        decoders: the recurrences of the decoder.

    Example:
        >>> source = keras.Input((None, 4), name="source")
        >>> model = encoder_decoder({"source": source}, source, tokens=7, dimension=4, units=8)
        >>> stepper = DecoderStepper(model)
        >>> states, memory = stepper.begin({"source": keras.ops.ones((2, 3, 4))}, mask=None)
        >>> logits, states, weights = stepper.step(keras.ops.array([2, 2]), states, memory)
        >>> logits.shape, weights.shape
        (TensorShape([2, 7]), TensorShape([2, 3]))
    """

    def __init__(self, model: keras.Model) -> None:
        layers = {layer.name: layer for layer in model.layers}

        def existing(name: Callable[[int], str], first: int) -> Iterator[str]:
            return itertools.takewhile(lambda n: n in layers, map(name, itertools.count(first)))

        names = list(existing(decoder_name, 1))
        bridges = [
            [layers[name].output for name in existing(functools.partial(bridge_name, n), 0)]
            for n in range(1, len(names) + 1)
        ]
        self.decoders = [layers[name] for name in names]
        self.embedding, self.readout = layers[TARGET_EMBEDDING], layers[READOUT]
        inputs = {i.name: i for i in model.inputs if i.name != "decoder_inputs"}
        self.encoder = keras.Model(inputs, [layers[MEMORY].output, bridges])

    def begin(self, inputs: dict[str, tf.Tensor], mask: tf.Tensor | None) -> tuple[Any, Any]:
        """Runs the encoder.

        Args:
            inputs: dict of the inputs of the encoder; others are ignored.
            mask: boolean (batch, places), the places of the memory that may be attended to; None for all.

        Returns:
            The states and the memory for the first step, nests of tensors (batch, ...).
        """
        memory, states = self.encoder({name: inputs[name] for name in self.encoder.input})
        first = self.decoders[0]
        prepared: Any = ()
        if isinstance(first, AttentionRNN):
            states[0], prepared = first.begin(memory, states[0], mask)
        return states, prepared

    def step(self, tokens: tf.Tensor, states: Any, memory: Any) -> tuple:
        """Runs one step of the decoder.

        Args:
            tokens: int (rows,), the last token of each row; the rows of a sentence are adjacent.
            states: a nest of tensors (rows, ...).
            memory: of `begin`, for the whole batch.

        Returns:
            logits (rows, tokens), the new states, and with attention its weights (rows, places).
        """
        x, new = self.embedding(tokens), []
        weights: Any = ()
        for decoder, old in zip(self.decoders, states, strict=True):
            if isinstance(decoder, AttentionRNN):
                x, old, *weights = decoder.step(x, old, memory)
            else:
                x, old = decoder.cell(x, old)
            new.append(old)
        return self.embedding(self.readout(x), reverse=True), new, *weights
