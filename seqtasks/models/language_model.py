"""One-to-many: a model that predicts each step of a sequence from those before it, and can generate sequences."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import ReversibleEmbedding, StatefulRNN, TimeMajor
from seqtasks.layers.rnn import to_time_major
from seqtasks.layers.stack import RecurrentStack, StackNames

NAME = "language_model"  # of the model
EMBEDDED, READOUT = "embedded", "readout"  # names of layers
NAMES = StackNames("recurrent_{}", "dropout_{}", "residual_{}")

Head = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def language_model(
    decoder_inputs: keras.KerasTensor,
    embedded: keras.KerasTensor,
    targets: keras.KerasTensor,
    head: Head,
    cell: str = "lstm",
    units: int = 64,
    layers: int = 1,
    dropout: float = 0.0,
    residual: bool = False,
    size: int | None = None,
    rows: int = 0,
    **arguments: Any,
) -> keras.Model:
    """A model of a sequence: the probability of each step, given all before it.

    ``P(x_1, ..., x_T) = prod_t P(x_t | x_1, ..., x_{t-1})``, where the states of the recurrences hold what came before.
    The embedding and the head decide what a step is, e.g. a token or the keys of a piano.

    Args:
        decoder_inputs: Keras input (batch, time, ...), the element before each step.
        embedded: Keras tensor (batch, time, features), computed from `decoder_inputs` step by step; or, for tokens, the
            vectors of all tokens (tokens, features).
        targets: Keras input (batch, time, ...), the element of each step.
        head: `head(vectors, targets) -> log-likelihoods (batch, time)` of Keras tensors, a layer; or the
            `ReversibleEmbedding` that embeds the tokens, which then also scores them.
        cell, units, layers: of the recurrences.
        dropout: rate of the outputs of every recurrence.
        residual: whether a recurrence adds its input to its output, if their sizes agree.
        size: size of the vectors that the head gets; None for `units`.
        rows: rows of a training batch whose states are carried to the next batch, see `StatefulRNN`.
        arguments: of the cells (`recurrent_dropout`, `zoneout`, `forget_bias`; see `seqtasks.cells`).

    Returns:
        A functional `keras.Model` from `decoder_inputs` and `targets` to log-likelihoods (batch, time), in nats.
        `LanguageModelStepper` runs it step by step.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> names = ("decoder_inputs", "targets")
        >>> decoder_inputs, targets = (keras.Input((None,), dtype="int32", name=name) for name in names)
        >>> tokens = ReversibleEmbedding(9, 4)
        >>> language_model(decoder_inputs, tokens(decoder_inputs), targets, tokens, "gru", units=4).output_shape
        (None, None)

    References:
        Mikolov et al., 2010, https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html
    """
    x, time_major = keras.layers.Identity(name=EMBEDDED)(embedded), TimeMajor(name="time_major")
    embeds_all = len(x.shape) == 2
    x, table = (time_major(decoder_inputs), x) if embeds_all else (time_major(x), None)
    for number in range(1, layers + 1):
        recurrence = StatefulRNN(cells.make(cell, units, **arguments), rows, name=NAMES.recurrent.format(number))
        outputs = recurrence(x) if table is None else recurrence(x, table)
        if dropout:
            outputs = keras.layers.Dropout(dropout, name=NAMES.dropout.format(number))(outputs)
        if residual and len(x.shape) == 3 and outputs.shape[-1] == x.shape[-1]:
            outputs = keras.layers.Add(name=NAMES.residual.format(number))([outputs, x])
        x, table = outputs, None
    if size not in (None, x.shape[-1]):
        x = keras.layers.Dense(size, name=READOUT)(x)
    log_likelihoods = time_major(_score(head, x, time_major(targets)))
    inputs = {"decoder_inputs": decoder_inputs, "targets": targets}
    return keras.Model(inputs, log_likelihoods, name=NAME)


def _score(head: Head, vectors: keras.KerasTensor, targets: keras.KerasTensor) -> keras.KerasTensor:
    if isinstance(head, ReversibleEmbedding):
        return head(vectors, reverse=True, targets=targets)
    return head(vectors, targets)


def _head(model: keras.Model) -> keras.layers.Layer:
    """The layer that computes the log-likelihoods, which the last layer of a `language_model` transposes.

    The user names this layer, so it is found by the connections in the model's configuration, the one that a `.keras`
    file holds.
    """
    config = model.get_config()
    last_name, call, _ = config["output_layers"]
    (last,) = (layer for layer in config["layers"] if layer["name"] == last_name)
    (argument,) = last["inbound_nodes"][call]["args"]
    return model.get_layer(argument["config"]["keras_history"][0])


class LanguageModelStepper:
    """Runs a `language_model` step by step, or segment by segment, with explicit states.

    Args:
        model: a model that `language_model` returned, or such a model loaded from a file.

    Attributes:
        stack: the `StatefulRNN` layers.
        embed: a model from `decoder_inputs` to what the first recurrence gets.
        embeds_all: whether `embed` returns the vectors of all tokens.
        head: the layer that computes the log-likelihoods.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> names = ("decoder_inputs", "targets")
        >>> decoder_inputs, targets = (keras.Input((None,), dtype="int32", name=name) for name in names)
        >>> tokens = ReversibleEmbedding(9, 4)
        >>> model = language_model(decoder_inputs, tokens(decoder_inputs), targets, tokens, "gru", units=4)
        >>> stepper = LanguageModelStepper(model)
        >>> vectors, states = stepper.step(tf.constant([2, 2]), stepper.begin(2))
        >>> vectors.shape, [[state.shape for state in layer] for layer in states]
        (TensorShape([2, 4]), [[TensorShape([2, 4])]])
    """

    def __init__(self, model: keras.Model) -> None:
        layers = {layer.name: layer for layer in model.layers}
        self.stack = RecurrentStack.from_model(model, NAMES)
        self.readout = layers.get(READOUT)
        inputs = {i.name: i for i in model.inputs}
        self.embed = keras.Model(inputs["decoder_inputs"], layers[EMBEDDED].output)
        self.embeds_all = len(self.embed.output.shape) == 2
        self.head = _head(model)

    def begin(self, rows: int | tf.Tensor) -> list[list[tf.Tensor]]:
        """The states before a sequence: for each recurrence a list of tensors (rows, size)."""
        return self.stack.begin(rows)

    def run(self, decoder_inputs: tf.Tensor, states: list[list[tf.Tensor]]) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """Runs a segment of a sequence.

        Args:
            decoder_inputs: (batch, time, ...).
            states: of `begin`, or of the segment before.

        Returns:
            The vectors that the head gets, (batch, time, size), and the new states.
        """
        x = self.embed(decoder_inputs)
        x, table = (to_time_major(decoder_inputs), x) if self.embeds_all else (to_time_major(x), None)
        x, states = self.stack.run(x, states, table)
        return to_time_major(self._read_out(x)), states

    def step(
        self, decoder_inputs: tf.Tensor, states: list[list[tf.Tensor]], projected: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """Runs one step.

        Args:
            decoder_inputs: (rows, ...).
            states: of `begin`, or of the step before.
            projected: None, or the result of the first cell's `project` for `decoder_inputs`, if it is known.

        Returns:
            The vectors that the head gets, (rows, size), and the new states.
        """
        x = None
        if projected is None:
            x = self.embed(decoder_inputs[:, None])
            x = tf.gather(x, decoder_inputs) if self.embeds_all else x[:, 0]
        x, states = self.stack.step(x, states, projected)
        return self._read_out(x), states

    def score(self, vectors: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Log-likelihoods (batch, time) of targets (batch, time, ...), from vectors that `run` returned."""
        return _score(self.head, vectors, targets)

    def logits(self, vectors: tf.Tensor) -> tf.Tensor:
        """Logits (..., tokens) of a model of tokens, float32, from vectors (..., size)."""
        if isinstance(self.head, ReversibleEmbedding):
            return self.head(vectors, reverse=True)
        return self.head.logits(vectors)

    def _read_out(self, x: tf.Tensor) -> tf.Tensor:
        return x if self.readout is None else self.readout(x)
