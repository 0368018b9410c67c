"""Many-to-many, different lengths: an encoder reads, a decoder writes."""

import keras

from seqtasks import cells
from seqtasks.layers import RNN, AttentionRNN, ReversibleEmbedding, ScheduledSampling


def encoder_decoder(
    inputs, memory, tokens, dimension, cell="lstm", units=64, layers=1, attention="general", dropout=0.0, sampled=0.0,
    **options,
):  # fmt: skip
    """A model that scores the next token of a sentence from another sentence and from the tokens so far.

    The first layer of the decoder looks into the memory (Luong et al., 2015), the others stand on it. Their states
    begin with the mean of the memory through a dense layer, the bridge (Bahdanau et al., 2015, appendix A.2.2, has
    the last state of one direction in its place). The embedding of the tokens also scores them (Press and Wolf, 2017).

    Args:
        inputs: dict of the Keras inputs of the encoder.
        memory: Keras tensor (batch, places, size), what came out of the encoder, with its mask.
        tokens: size of the target vocabulary.
        dimension: size of the target embedding.
        cell, units, layers: of the decoder.
        attention: `dot` (of a memory projected to `units`), `general`, `additive` (see `seqtasks.layers.Attention`), or
            `none`: then the memory reaches the decoder through the bridge alone (Sutskever et al., 2014).
        dropout: rate of the embeddings and of what is put out.
        sampled: share of the tokens shown in training that are the model's own, see `ScheduledSampling`.
        options: `input_feeding`, `coverage` (see `AttentionRNN`), `recurrent_dropout` (see `RNNCell`).

    Returns:
        A functional `keras.Model` from `inputs` and `previous`, the target one place later, int (batch, time), to
        logits (batch, time, tokens). `DecoderStepper` takes it step by step.

    Example:
        >>> from seqtasks.layers import recurrent_stack
        >>> source = keras.Input((None,), dtype="int32", name="source")
        >>> memory = recurrent_stack(keras.layers.Embedding(9, 4, mask_zero=True)(source), "gru", 8)
        >>> encoder_decoder({"source": source}, memory, tokens=7, dimension=4, cell="gru", units=8).output_shape
        (None, None, 7)

    References:
        tied embeddings: https://arxiv.org/abs/1608.05859; without attention: https://arxiv.org/abs/1409.3215
    """
    looks = {name: options.pop(name) for name in ("input_feeding", "coverage") if name in options}
    if attention == "dot" and memory.shape[-1] != units:
        memory = keras.layers.Dense(units, name="memory_projection")(memory)
    memory = keras.layers.Identity(name="memory")(memory)
    summary = keras.layers.GlobalAveragePooling1D(name="summary")(memory)
    made = [cells.make(cell, units, **options) for _ in range(layers)]
    states = [
        [
            keras.layers.Dense(size, "tanh", name=f"bridge_{number}_{i}")(summary)
            for i, size in enumerate(one.state_size if isinstance(one.state_size, list) else [one.state_size])
        ]
        for number, one in enumerate(made, 1)
    ]
    if attention == "none":
        decoders = [RNN(one, return_sequences=True, name=f"decoder_{n}") for n, one in enumerate(made, 1)]
    else:
        decoders = [AttentionRNN(made[0], attention, name="decoder_1", **looks)]
        decoders += [RNN(one, return_sequences=True, name=f"decoder_{n}") for n, one in enumerate(made[1:], 2)]
    embedding = ReversibleEmbedding(tokens, dimension, name="target_embedding")
    readout = keras.layers.Dense(dimension, name="readout")
    rates = {name: keras.layers.Dropout(dropout, name=f"{name}_dropout") for name in ("target", "output")}

    def logits(previous):
        x = rates["target"](embedding(previous))
        for decoder, first in zip(decoders, states, strict=True):
            given = (memory,) if isinstance(decoder, AttentionRNN) else ()
            x = decoder(x, *given, initial_state=first)
        return embedding(readout(rates["output"](x)), reverse=True)

    previous = keras.Input((None,), dtype="int32", name="decoder_inputs")
    outputs = logits(previous)
    if sampled:
        outputs = logits(ScheduledSampling(sampled, name="sampling")(previous, outputs))
    return keras.Model(inputs | {"decoder_inputs": previous}, outputs, name="encoder_decoder")


class DecoderStepper:
    """An `encoder_decoder` one step at a time, for `seqtasks.decoding`.

    Args:
        model: what `encoder_decoder` gave, or such a model loaded from a file.

    Example:
        >>> source = keras.Input((None, 4), name="source")
        >>> model = encoder_decoder({"source": source}, source, tokens=7, dimension=4, units=8)
        >>> writer = DecoderStepper(model)
        >>> states, memory = writer.begin({"source": keras.ops.ones((2, 3, 4))}, mask=None)
        >>> logits, states, weights = writer.step(keras.ops.array([2, 2]), states, memory)
        >>> logits.shape, weights.shape
        (TensorShape([2, 7]), TensorShape([2, 3]))
    """

    def __init__(self, model):
        layers = {layer.name: layer for layer in model.layers}
        numbers = range(1, 1 + sum(name.startswith("decoder_") and name[8:].isdigit() for name in layers))
        bridges = [[layers[name].output for name in sorted(layers) if name.startswith(f"bridge_{n}_")] for n in numbers]
        self.decoders = [layers[f"decoder_{n}"] for n in numbers]
        self.embedding, self.readout = layers["target_embedding"], layers["readout"]
        inputs = {i.name: i for i in model.inputs if i.name != "decoder_inputs"}
        self.encoder = keras.Model(inputs, [layers["memory"].output, bridges])

    def begin(self, inputs, mask):
        """What the first step takes.

        Args:
            inputs: dict of what the encoder takes.
            mask: boolean (batch, places), where the memory is to be looked at; None for everywhere.

        Returns:
            states and memory, nests of tensors (batch, ...).
        """
        memory, states = self.encoder({name: inputs[name] for name in self.encoder.input})
        first, prepared = self.decoders[0], ()
        if isinstance(first, AttentionRNN):
            states[0], prepared = first.begin(memory, states[0], mask)
        return states, prepared

    def step(self, tokens, states, memory):
        """One step.

        Args:
            tokens: int (rows,), the last of each row; the rows of a sentence are neighbours.
            states: nest of tensors (rows, ...).
            memory: as `begin` gave it, of the whole batch.

        Returns:
            logits (rows, tokens), the new states, and the weights of the attention (rows, places) if there is one.
        """
        x, new, weights = self.embedding(tokens), [], ()
        for decoder, old in zip(self.decoders, states, strict=True):
            if isinstance(decoder, AttentionRNN):
                x, old, *weights = decoder.step(x, old, memory)
            else:
                x, old = decoder.cell(x, old)
            new.append(old)
        return self.embedding(self.readout(x), reverse=True), new, *weights
