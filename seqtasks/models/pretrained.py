"""Layers of a language model in other models: its embedding and its recurrences read the input of the task.

`Network.of` describes a trained language model, `pretrained_states` builds layers of the same shape in another model,
and `take_over` gives them its weights. A description is plain data, so a run that was pretrained needs the language
model no more.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import keras

from seqtasks.layers import (
    RNN,
    AuxiliaryLoss,
    NextTokens,
    ReadingOrder,
    ReversibleEmbedding,
    StepsAt,
    TextOrder,
)
from seqtasks.models.language_model import NAMES, LanguageModelStepper

OWN = ("name", "dtype", "trainable")  # settings of a layer that are not those of its shape


class Network(NamedTuple):
    """What a language model of tokens is made of, as plain data.

    Args:
        direction: `forward` or `backward`.
        tokens: size of the vocabulary.
        dimension: size of the embeddings.
        cells: the configuration of the cell of each recurrence, as Keras serialises it.
        residual: of each recurrence, whether its input is added to its output.
        readout: size of the vectors that the head scores; 0 if they are the outputs of the last recurrence.
        head: the configuration of the layer that scores the tokens.
    """

    direction: str
    tokens: int
    dimension: int
    cells: Sequence[Mapping[str, Any]]
    residual: Sequence[bool]
    readout: int
    head: Mapping[str, Any]

    @classmethod
    def of(cls, model: keras.Model, direction: str = "forward") -> Self:
        """The description of a trained `language_model` of tokens.

        Raises:
            ValueError: if the model is none.
        """
        embedding, stepper = embedding_of(model), LanguageModelStepper(model)
        return cls(
            direction,
            embedding.input_dim if isinstance(embedding, keras.layers.Embedding) else embedding.tokens,
            embedding.output_dim if isinstance(embedding, keras.layers.Embedding) else embedding.dimension,
            [_described(cell) for cell in stepper.stack.cells],
            stepper.stack.residual,
            stepper.readout.units if stepper.readout else 0,
            _described(stepper.head),
        )

    @property
    def units(self) -> int:
        """The size of the outputs of the last recurrence."""
        return int(self.cells[-1]["config"]["units"])


def pretrained_states(
    tokens: keras.KerasTensor,
    networks: Sequence[Network],
    prefix: str = "pretrained",
    embedding_dropout: float = 0.0,
    word_dropout: float = 0.0,
    dropout: float = 0.0,
    auxiliary: float = 0.0,
    at: Mapping[str, keras.KerasTensor] | None = None,
    ended: bool = False,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The embeddings and the states of language models at each token of a text.

    The state of a forward model at a token has read the text up to and including it, that of a backward model the text
    from it to the end: contextual string embeddings.

    Args:
        tokens: Keras input, int (batch, time), 0 for padding.
        networks: one or more, such as a forward and a backward one.
        prefix: of the names of the layers: `{prefix}_{direction}_embedding`, `{prefix}_{direction}_1`, ...
        embedding_dropout: dropout of the elements of the embeddings.
        word_dropout: share of tokens that are left out.
        dropout: of the outputs of each recurrence.
        auxiliary: weight of the loss of the language models themselves, see `AuxiliaryLoss`; 0 leaves out their heads.
        at: None, or for each direction the positions from 1 of the states that are returned, int (batch, steps), 0 for
            padding: the last characters of words for a forward model, the first ones for a backward model.
        ended: whether each text ends with an end token, which both directions read last.

    Returns:
        Embeddings (batch, time, sum of the dimensions) and states (batch, time, sum of the units), or with `at` (batch,
        steps, sum of the units), both with a mask.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> from seqtasks.models import language_model
        >>> names = ("decoder_inputs", "targets")
        >>> previous, following = (keras.Input((None,), dtype="int32", name=name) for name in names)
        >>> table = ReversibleEmbedding(9, 4)
        >>> network = Network.of(language_model(previous, table(previous), following, table, "gru", units=6))
        >>> tokens = keras.Input((None,), dtype="int32", name="tokens")
        >>> [x.shape for x in pretrained_states(tokens, [network])]
        [(None, None, 4), (None, None, 6)]

    References:
        Akbik et al., 2018, https://aclanthology.org/C18-1139; Howard and Ruder, 2018,
        https://arxiv.org/abs/1801.06146; Dai and Le, 2015, https://arxiv.org/abs/1511.01432
    """
    embeddings, states = [], []
    for network in networks:
        name, backward = f"{prefix}_{network.direction}", network.direction == "backward"
        ordered = ReadingOrder(backward, ended, name=f"{name}_order")(tokens)
        embedding = keras.layers.Embedding(network.tokens, network.dimension, mask_zero=True, name=f"{name}_embedding")
        x = keras.layers.Dropout(embedding_dropout, name=f"{name}_embedding_dropout")(embedding(ordered))
        if word_dropout:
            whole = {"noise_shape": (None, None, 1), "name": f"{name}_word_dropout"}
            x = keras.layers.Dropout(word_dropout, **whole)(x)
        embeddings.append(TextOrder(backward, ended, name=f"{name}_embeddings")(x, tokens))
        for number, (cell, residual) in enumerate(zip(network.cells, network.residual, strict=True), 1):
            made = keras.saving.deserialize_keras_object(dict(cell))
            outputs = RNN(made, return_sequences=True, name=f"{name}_{number}")(x)
            if dropout:
                outputs = keras.layers.Dropout(dropout, name=f"{name}_dropout_{number}")(outputs)
            x = keras.layers.Add(name=f"{name}_residual_{number}")([outputs, x]) if residual else outputs
        if auxiliary:
            x = _with_loss(x, ordered, network, name, auxiliary)
        x = TextOrder(backward, ended, name=f"{name}_states")(x, tokens)
        states.append(StepsAt(name=f"{name}_at")(at[network.direction], x) if at else x)
    if len(networks) == 1:
        return embeddings[0], states[0]
    joined = zip(("embeddings", "states"), (embeddings, states), strict=True)
    both = [keras.layers.Concatenate(name=f"{prefix}_{what}")(parts) for what, parts in joined]
    return both[0], both[1]


def _with_loss(
    x: keras.KerasTensor, ordered: keras.KerasTensor, network: Network, name: str, weight: float
) -> keras.KerasTensor:
    """Outputs `x`, with the loss of the language model that continues with its own readout and head."""
    following = NextTokens(name=f"{name}_next")(ordered)
    plain = keras.ops.copy(x)  # the head takes no mask
    vectors = keras.layers.Dense(network.readout, name=f"{name}_readout")(plain) if network.readout else plain
    head = keras.saving.deserialize_keras_object(
        {**network.head, "config": {**network.head["config"], "name": f"{name}_head"}}
    )
    given = {"reverse": True} if isinstance(head, ReversibleEmbedding) else {}
    return AuxiliaryLoss(weight, name=f"{name}_loss")(x, head(vectors, targets=following, **given), following)


def take_over(model: keras.Model, language_model: keras.Model, direction: str, prefix: str = "pretrained") -> None:
    """Gives the layers that `pretrained_states` built the weights of the language model.

    Args:
        model: the model with these layers.
        language_model: a trained `language_model` of tokens, of which the layers were described.
        direction: the direction in which it reads.
        prefix: of the names of the layers.

    Raises:
        ValueError: if the model has no such layers, or they have other shapes.
    """
    name, stepper = f"{prefix}_{direction}", LanguageModelStepper(language_model)
    layers = {layer.name: layer for layer in model.layers}
    if f"{name}_embedding" not in layers:
        raise ValueError(f"no layer is called {name}_embedding")
    pairs = [(layers[f"{name}_embedding"].embeddings, embedding_of(language_model).weights[0])]
    parts = [(f"{name}_{n}", cell) for n, cell in enumerate(stepper.stack.cells, 1)]
    parts += [(f"{name}_readout", stepper.readout)] * (stepper.readout is not None) + [(f"{name}_head", stepper.head)]
    for layer_name, source in parts:
        layer = layers.get(layer_name)
        if layer is not None:
            own = getattr(layer, "cell", layer)
            pairs += zip(own.weights, source.weights, strict=True)
            layer.pretrained = True
    layers[f"{name}_embedding"].pretrained = True
    for variable, source in pairs:
        variable.assign(source)


def embedding_of(model: keras.Model) -> Any:
    """The embedding of a language model of tokens.

    Raises:
        ValueError: if the model is none.
    """
    kinds = keras.layers.Embedding, ReversibleEmbedding
    found = [layer for layer in model.layers if isinstance(layer, kinds)]
    recurrent = [layer for layer in model.layers if layer.name == NAMES.recurrent.format(1)]
    if len(found) != 1 or not recurrent:
        raise ValueError("not a language model of tokens")
    return found[0]


def _described(layer: Any) -> dict[str, Any]:
    """The configuration of a layer without what belongs to it alone, as its name and its precision."""
    whole = keras.saving.serialize_keras_object(layer)
    config = {name: value for name, value in whole["config"].items() if name not in OWN}
    kept = {name: whole[name] for name in ("module", "class_name", "registered_name")}
    return {**kept, "config": config}
