"""Truncated backpropagation through time: each batch continues with the last states of the batch before it."""

from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell
from seqtasks.cells.cell import Shape
from seqtasks.layers.recurrence import project
from seqtasks.layers.rnn import run_cells, to_time_major

RESET_RATE = 0.02  # fraction of the rows of a batch whose states are reset to zeros


@keras.saving.register_keras_serializable("seqtasks")
class StatefulRNN(keras.layers.Layer):
    """Runs a cell over time. In training, each batch begins with the last states of the batch before it.

    Row i of a batch then continues row i of the last batch, as in a long text that is cut into segments. Gradients stop
    at the beginning of the batch. At random, a few rows begin with zeros, so that the network also learns to begin a
    text. When not training, every row begins with zeros. `run` takes and returns the states explicitly.

    The carried states belong to one training: they are not part of the configuration and are not saved.

    Args:
        cell: a cell of `seqtasks.cells`.
        rows: number of rows of a batch whose states are carried; 0 carries nothing. Under a `tf.distribute.Strategy`
            they are divided evenly among its devices, in order.

    Raises:
        ValueError: if the cell is not one of `seqtasks.cells`.

    Call arguments:
        inputs: (time, batch, features). In training `batch` is `rows`, if states are carried.
        table: None, or (tokens, features). `inputs` are then int (time, batch), the row of the table at each position.
            The projection of a row is then computed once, and not for each position at which it occurs.

    Output shape:
        (time, batch, units). Time is first, so that stacked layers need not transpose their sequences.

    Example:
        >>> from seqtasks.cells import SimpleRNNCell
        >>> layer = StatefulRNN(SimpleRNNCell(4), rows=2)
        >>> x = tf.random.stateless_normal((6, 2, 3), (0, 1))
        >>> first, second = layer(x[:3], training=True), layer(x[3:], training=True)
        >>> bool(tf.reduce_all(abs(tf.concat([first, second], 0) - layer(x)) < 1e-6))
        True

    References:
        Williams and Peng, 1990, https://doi.org/10.1162/neco.1990.2.4.490
    """

    def __init__(self, cell: RNNCell, rows: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(cell, RNNCell):
            found = f"got {type(cell).__name__}: keras.layers.RNN(cell, stateful=True) runs it"
            raise ValueError(f"StatefulRNN: the cell must be one of seqtasks.cells, {found}.")
        self.cell, self.rows = cell, rows

    def build(self, inputs_shape: Shape, table_shape: Shape | None = None) -> None:
        if not self.cell.built:
            self.cell.build((None, (table_shape or inputs_shape)[-1]))
        each = {"dtype": self.variable_dtype, "trainable": False}
        each |= {"synchronization": "on_read", "aggregation": "only_first_replica"}  # devices have their own
        self.carried = [
            keras.Variable("zeros", (self.rows // self._devices(), size), name=f"carried_{i}", **each)
            for i, size in enumerate(self.cell.state_sizes if self.rows else [])
        ]
        if self.rows:
            once = {"aggregation": "only_first_replica"}
            self.batches = self.add_weight((), "zeros", "int32", trainable=False, name="carried_batches", **once)

    @staticmethod
    def _devices() -> int:
        return tf.distribute.get_strategy().num_replicas_in_sync

    @property
    def training_state(self) -> list[keras.Variable]:
        """The variables that belong to a training and not to the trained model."""
        return [*self.carried, self.batches] if self.rows else []

    def call(self, inputs: tf.Tensor, table: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        carries = training and self.rows
        initial = self._carried_states() if carries else self.begin(ops.shape(inputs)[1])
        outputs, last = self.run(inputs, initial, table, training)
        if carries:
            for carried, state in zip(self.carried, last, strict=True):
                carried.assign(tf.stop_gradient(state))
        return outputs

    def _carried_states(self) -> list[tf.Tensor]:
        """The carried states, with zeros in some rows: the same rows in all layers of a model."""
        seed = tf.stack([tf.convert_to_tensor(self.batches), 0])
        kept = tf.random.stateless_uniform((self.rows, 1), seed) >= RESET_RATE
        self.batches.assign_add(1)
        if self._devices() > 1:
            device = tf.distribute.get_replica_context().replica_id_in_sync_group
            kept = tf.reshape(kept, (self._devices(), -1, 1))[device]
        return [tf.where(kept, tf.convert_to_tensor(state), 0) for state in self.carried]

    def begin(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """The states before a sequence: zeros, a list of tensors (batch, size)."""
        return self.cell.get_initial_state(batch)

    def run(
        self, inputs: tf.Tensor, states: list[tf.Tensor], table: tf.Tensor | None = None, training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs the cell from given states.

        Args:
            inputs, table: as in a call.
            states: list of tensors (batch, size).
            training: whether dropout is active.

        Returns:
            Outputs (time, batch, units), and the last states, a list of tensors (batch, size).
        """
        table = None if table is None else project(self.cell, table)
        ((outputs, last),) = run_cells(
            [(self.cell, False)], inputs, [states], None, training, time_major=True, table=table
        )
        return outputs, last

    def reset_state(self) -> None:
        """Makes the next batch begin with zeros."""
        for carried in self.carried:
            carried.assign(tf.zeros_like(carried))

    def compute_output_shape(self, inputs_shape: Shape, table_shape: Shape | None = None) -> Shape:
        return (*inputs_shape[:2], self.cell.output_size)

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing: the cell saves itself, and the carried states belong to one training."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing, as nothing is saved."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(keras.saving.deserialize_keras_object(config.pop("cell")), **config)


@keras.saving.register_keras_serializable("seqtasks")
class TimeMajor(keras.layers.Layer):
    """Swaps the first two axes: (batch, time, ...) to (time, batch, ...), and back.

    Example:
        >>> TimeMajor()(tf.constant([[1, 2, 3], [4, 5, 6]])).numpy().tolist()
        [[1, 4], [2, 5], [3, 6]]
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return to_time_major(inputs)

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((inputs.shape[1], inputs.shape[0], *inputs.shape[2:]), dtype=inputs.dtype)
