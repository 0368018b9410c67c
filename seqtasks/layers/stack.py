"""Deep recurrent networks: stacked recurrent layers, how they are built and how they run with explicit states."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import keras
import tensorflow as tf

from seqtasks import cells
from seqtasks.layers.bidirectional import Bidirectional
from seqtasks.layers.rnn import RNN
from seqtasks.layers.stateful import StatefulRNN

States = list[list[tf.Tensor]]
"""For each layer of a stack a list of tensors (batch, size)."""


class StackNames(NamedTuple):
    """Names of the layers of a stack. The function that builds it and `RecurrentStack.from_model` share them.

    Each name is a template of the layer's number, which starts at 1.

    Attributes:
        recurrent: of the recurrent layers.
        dropout: of the dropout of their outputs.
        residual: of the residual connections.

    Example:
        >>> StackNames.with_prefix("encoder").residual.format(2)
        'encoder_residual_2'
    """

    recurrent: str
    dropout: str
    residual: str

    @classmethod
    def with_prefix(cls, prefix: str) -> Self:
        """The names that `recurrent_stack` uses."""
        return cls(f"{prefix}_{{}}", f"{prefix}_dropout_{{}}", f"{prefix}_residual_{{}}")


def recurrent_stack(
    x: keras.KerasTensor,
    cell: str = "lstm",
    units: int = 64,
    layers: int = 1,
    bidirectional: bool = True,
    residual: bool = False,
    dropout: float = 0.0,
    name: str = "recurrent",
    **rates: Any,
) -> keras.KerasTensor:
    """Adds stacked recurrent layers after `x`, with an output for every step.

    Args:
        x: Keras tensor (batch, time, features) with its mask.
        cell: name of a cell (`seqtasks.cells.CELLS`).
        units: size of the state in each direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads from both ends.
        residual: whether a layer adds its input to its output, if their sizes agree.
        dropout: rate of the outputs of every layer.
        name: prefix of the names of the layers, see `StackNames`.
        rates: rates inside a recurrence (`recurrent_dropout`, `zoneout`; see `seqtasks.cells.RNNCell`).

    Returns:
        Keras tensor (batch, time, units), or (batch, time, 2 units) if bidirectional.

    Raises:
        ValueError: if no cell has this name.

    Example:
        >>> x = keras.Input((None, 8))
        >>> recurrent_stack(x, "gru", units=4, layers=2, residual=True).shape
        (None, None, 8)
    """
    names = StackNames.with_prefix(name)
    for number in range(1, layers + 1):
        layer_name = names.recurrent.format(number)
        if bidirectional:
            pair = (cells.make(cell, units, name=direction, **rates) for direction in ("forward", "backward"))
            outputs = Bidirectional(*pair, name=layer_name)(x)
        else:
            outputs = RNN(cells.make(cell, units, **rates), return_sequences=True, name=layer_name)(x)
        if dropout:
            outputs = keras.layers.Dropout(dropout, name=names.dropout.format(number))(outputs)
        if residual and outputs.shape[-1] == x.shape[-1]:
            outputs = keras.layers.Add(name=names.residual.format(number))([outputs, x])
        x = outputs
    return x


class RecurrentStack:
    """The one-directional recurrent layers of a model, without dropout and with explicit states.

    It gives the numbers of the model for a sequence that arrives in segments (`run`) or one step at a time (`step`).

    Args:
        layers: `RNN` or `StatefulRNN` layers, from the first to the last.
        residual: for each layer, whether its input is added to its output.

    Attributes:
        cells: the cells of the layers.

    Example:
        >>> inputs = keras.Input((None, 4))
        >>> model = keras.Model(inputs, recurrent_stack(inputs, "gru", 4, 2, bidirectional=False, residual=True))
        >>> stack, x = RecurrentStack.from_model(model, StackNames.with_prefix("recurrent")), tf.ones((2, 5, 4))
        >>> first, states = stack.run(x[:, :3], stack.begin(2))
        >>> output, states = stack.step(x[:, 3], states)
        >>> bool(tf.reduce_all(abs(model(x)[:, 3] - output) < 1e-6))
        True
    """

    def __init__(self, layers: Sequence[RNN | StatefulRNN], residual: Sequence[bool]) -> None:
        self.cells, self.residual = [layer.cell for layer in layers], list(residual)
        options = {"return_sequences": True, "return_state": True}
        self.layers = [
            layer if isinstance(layer, StatefulRNN) else RNN(layer.cell, dtype=layer.dtype_policy, **options)
            for layer in layers
        ]

    @classmethod
    def from_model(cls, model: keras.Model, names: StackNames) -> Self:
        """The stack of a built or loaded model whose layers have these names."""
        layers = {layer.name: layer for layer in model.layers}
        numbers = [number for number in range(1, len(layers) + 1) if names.recurrent.format(number) in layers]
        found = [layers[names.recurrent.format(number)] for number in numbers]
        return cls(found, [names.residual.format(number) in layers for number in numbers])

    def begin(self, batch: int | tf.Tensor) -> States:
        """The states before a sequence: zeros, for each layer a list of tensors (batch, size)."""
        return [cell.get_initial_state(batch) for cell in self.cells]

    def step(self, x: tf.Tensor | None, states: States, projected: tf.Tensor | None = None) -> tuple[tf.Tensor, States]:
        """One time step.

        Args:
            x: (batch, features), or None with `projected`.
            states: for each layer a list of tensors (batch, size).
            projected: None, or (batch, columns), the result of the first cell's `project`. The first layer must have no
                residual connection then.

        Returns:
            Output (batch, units) of the last layer, and the new states.
        """
        new = []
        for cell, residual, old in zip(self.cells, self.residual, states, strict=True):
            output, last = cell.advance(cell.project(x) if projected is None else projected, old)
            x, projected = output + x if residual else output, None
            new.append(list(last))
        return x, new

    def run(self, x: tf.Tensor, states: States, table: tf.Tensor | None = None) -> tuple[tf.Tensor, States]:
        """A segment of a sequence.

        Args:
            x: (batch, time, features), or (time, batch, features) if the layers are `StatefulRNN`.
            states: for each layer a list of tensors (batch, size).
            table: None, or (tokens, features), if the layers are `StatefulRNN`. `x` are then int, the row of the table
                at each position. The first layer must have no residual connection then.

        Returns:
            Outputs of the last layer, (batch, time, units) or (time, batch, units) as `x`, and the new states.
        """
        new = []
        for layer, residual, old in zip(self.layers, self.residual, states, strict=True):
            if isinstance(layer, StatefulRNN):
                outputs, last = layer.run(x, old, table)
            else:
                outputs, *last = layer(x, initial_state=old)
            x, table = outputs + x if residual else outputs, None
            new.append(list(last))
        return x, new
