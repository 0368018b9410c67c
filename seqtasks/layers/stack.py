"""Deep recurrent networks: layers of recurrence on top of one another."""

import keras

from seqtasks import cells
from seqtasks.layers.rnn import RNN, Bidirectional


def recurrent_stack(
    x, cell="lstm", units=64, layers=1, bidirectional=True, residual=False, dropout=0.0, name="recurrent", **rates
):
    """A deep recurrent network over `x`, one output a step.

    Args:
        x: Keras tensor (batch, time, features) with its mask.
        cell: name of a cell (`seqtasks.cells.CELLS`).
        units: size of the state in each direction.
        layers: how many recurrences on top of one another.
        bidirectional: whether each layer reads from both ends.
        residual: whether a layer adds its input to its output, where their sizes agree.
        dropout: rate of the outputs of every layer.
        name: of the layers, with a number behind it.
        rates: of what acts inside a recurrence (`recurrent_dropout`, `zoneout`; see `seqtasks.cells.RNNCell`).

    Returns:
        Keras tensor (batch, time, units), or (batch, time, 2 units) if bidirectional.

    Example:
        >>> x = keras.Input((None, 8))
        >>> recurrent_stack(x, "gru", units=4, layers=2, residual=True).shape
        (None, None, 8)
    """
    for number in range(1, layers + 1):
        if bidirectional:
            pair = (cells.make(cell, units, name=name, **rates) for name in ("forward", "backward"))
            outputs = Bidirectional(*pair, name=f"{name}_{number}")(x)
        else:
            outputs = RNN(cells.make(cell, units, **rates), return_sequences=True, name=f"{name}_{number}")(x)
        if dropout:
            outputs = keras.layers.Dropout(dropout, name=f"{name}_dropout_{number}")(outputs)
        if residual and outputs.shape[-1] == x.shape[-1]:
            outputs = keras.layers.Add(name=f"{name}_residual_{number}")([outputs, x])
        x = outputs
    return x
