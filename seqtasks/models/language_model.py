"""One-to-many: a model that foretells a sequence step by step, and writes one when it is asked for what comes next."""

import keras
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers import ReversibleEmbedding, StatefulRNN, TimeMajor
from seqtasks.layers.rnn import to_time_major as turned


def language_model(
    previous, embedded, following, head, cell="lstm", units=64, layers=1, dropout=0.0, residual=False, size=None,
    rows=0, **arguments,
):  # fmt: skip
    """A model of a sequence: how likely each step is, given all before it.

    ``P(x_1, ..., x_T) = prod_t P(x_t | x_1, ..., x_{t-1})``, where a recurrence holds what came before. What a step is,
    a token or the keys of a piano, is the matter of the embedding and the head.

    Args:
        previous: Keras input, what stands before each step, (batch, time, ...).
        embedded: Keras tensor (batch, time, features) of `previous` alone, step by step; or, of tokens, all their
            vectors (tokens, features).
        following: Keras input, each step itself, (batch, time, ...).
        head: `head(vectors, following) -> log-likelihoods (batch, time)` of Keras tensors; or the `ReversibleEmbedding` that
            embeds the tokens, which then scores them too.
        cell, units, layers: of the recurrences.
        dropout: rate of the outputs of every recurrence.
        residual: whether a recurrence adds its input to its output, where their sizes agree.
        size: of the vectors that the head gets; None for `units`.
        rows: rows of a training batch whose states are carried to the next, see `StatefulRNN`.
        arguments: of the cells (`recurrent_dropout`, `zoneout`, `forget_bias`; see `seqtasks.cells`).

    Returns:
        A functional `keras.Model` from `previous` and `following` to log-likelihoods (batch, time), in nats. `LanguageModelStepper`
        takes it piece by piece.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> previous, following = (keras.Input((None,), dtype="int32", name=n) for n in ("decoder_inputs", "targets"))
        >>> tokens = ReversibleEmbedding(9, 4)
        >>> language_model(previous, tokens(previous), following, tokens, "gru", units=4).output_shape
        (None, None)

    References:
        Mikolov et al., 2010, https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html
    """
    x, turn = keras.layers.Identity(name="embedded")(embedded), TimeMajor(name="time_major")
    whole = len(x.shape) == 2
    x, table = (turn(previous), x) if whole else (turn(x), None)
    for number in range(1, layers + 1):
        recurrence = StatefulRNN(cells.make(cell, units, **arguments), rows, name=f"recurrent_{number}")
        outputs = recurrence(x) if table is None else recurrence(x, table)
        if dropout:
            outputs = keras.layers.Dropout(dropout, name=f"dropout_{number}")(outputs)
        if residual and len(x.shape) == 3 and outputs.shape[-1] == x.shape[-1]:
            outputs = keras.layers.Add(name=f"residual_{number}")([outputs, x])
        x, table = outputs, None
    if size not in (None, x.shape[-1]):
        x = keras.layers.Dense(size, name="readout")(x)
    likely = turn(_scored(head, x, turn(following)))
    return keras.Model({"decoder_inputs": previous, "targets": following}, likely, name="language_model")


def _scored(head, vectors, following):
    if isinstance(head, ReversibleEmbedding):
        return head(vectors, reverse=True, targets=following)
    return head(vectors, following)


class LanguageModelStepper:
    """A `language_model` piece by piece, with its states in the open.

    Args:
        model: what `language_model` gave, or such a model loaded from a file.

    Example:
        >>> from seqtasks.layers import ReversibleEmbedding
        >>> previous, following = (keras.Input((None,), dtype="int32", name=n) for n in ("decoder_inputs", "targets"))
        >>> tokens = ReversibleEmbedding(9, 4)
        >>> stepper = LanguageModelStepper(language_model(previous, tokens(previous), following, tokens, "gru", units=4))
        >>> vectors, states = stepper.step(tf.constant([2, 2]), stepper.begin(2))
        >>> vectors.shape, [[state.shape for state in layer] for layer in states]
        (TensorShape([2, 4]), [[TensorShape([2, 4])]])
    """

    def __init__(self, model):
        layers = {layer.name: layer for layer in model.layers}
        self.recurrences = [layer for layer in model.layers if isinstance(layer, StatefulRNN)]
        self.added = [layer.name.replace("recurrent", "residual") in layers for layer in self.recurrences]
        self.readout = layers.get("readout")
        inputs = {i.name: i for i in model.inputs}
        self.embed = keras.Model(inputs["decoder_inputs"], layers["embedded"].output)
        self.tokens = len(self.embed.output.shape) == 2  # whether it gives the vectors of all tokens
        last = model.output._keras_history
        turned_back = last.operation._inbound_nodes[last.node_index].input_tensors[0]
        self.head = turned_back._keras_history.operation

    def begin(self, rows):
        """The states before a sequence: for each recurrence a list of tensors (rows, size)."""
        return [layer.begin(rows) for layer in self.recurrences]

    def run(self, previous, states):
        """What the head gets, (batch, time, size), and the new states, of a whole piece (batch, time, ...)."""
        x, new = self.embed(previous), []
        x, table = (turned(previous), x) if self.tokens else (turned(x), None)
        for layer, added, old in zip(self.recurrences, self.added, states, strict=True):
            outputs, last = layer.run(x, old, table)
            new.append(list(last))
            x, table = outputs + x if added else outputs, None
        return turned(self._read(x)), new

    def step(self, previous, states, projected=None):
        """The same of one step: `previous` is (rows, ...), the vectors are (rows, size).

        `projected` is what the first cell's `project` gives for `previous`, where that is known.
        """
        new = []
        if projected is None:
            x = self.embed(previous[:, None])
            x = tf.gather(x, previous) if self.tokens else x[:, 0]
        for layer, added, old in zip(self.recurrences, self.added, states, strict=True):
            cell = layer.cell
            outputs, last = cell.advance(cell.project(x) if projected is None else projected, old)
            new.append(list(last))
            x, projected = outputs + x if added else outputs, None
        return self._read(x), new

    def score(self, vectors, following):
        """Log-likelihoods of what follows, of vectors that `run` or `step` gave."""
        return _scored(self.head, vectors, following)

    def logits(self, vectors):
        """Of a model of tokens, float32 (..., tokens)."""
        if isinstance(self.head, ReversibleEmbedding):
            return self.head(vectors, reverse=True)
        return self.head.logits(vectors)

    def _read(self, x):
        return x if self.readout is None else self.readout(x)
