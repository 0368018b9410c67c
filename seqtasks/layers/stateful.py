"""Truncated backpropagation through time: a recurrence that goes on in the next batch where it stood in the last."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks.layers.rnn import recur

FRESH = 0.02  # share of the rows of a batch that begin with zeros


@keras.saving.register_keras_serializable("seqtasks")
class StatefulRNN(keras.layers.Layer):
    """Runs a cell over time; while training it begins each batch with the states that ended the batch before.

    Row i of a batch then goes on where row i of the last batch stood, as a long text does that is cut into segments.
    Gradients end where the batch begins. Now and then a row begins with zeros all the same, so that the network stays
    at home there: a text that it is asked about begins so. When not training it begins with zeros. `run` takes the
    states in the open.

    What is carried belongs to a training: it is not part of the configuration, and a saved layer carries nothing.

    Args:
        cell: a cell of `seqtasks.cells`.
        rows: the rows of a batch whose states are carried; 0 carries nothing.

    Call arguments:
        inputs: (time, batch, features); while training `batch` is `rows`, if states are carried.
        table: None, or (tokens, features), and `inputs` are int (time, batch): the row of the table that stands at each
            place. What a row adds to the recurrence is then computed once, and not for each place where it stands.

    Output shape:
        (time, batch, units): time is first, so that layers on top of one another need not turn their sequences.

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

    def __init__(self, cell, rows=0, **kwargs):
        super().__init__(**kwargs)
        self.cell, self.rows = cell, rows

    def build(self, inputs_shape, table_shape=None):
        if not self.cell.built:
            self.cell.build((None, (table_shape or inputs_shape)[-1]))
        sizes = self.cell.state_size if isinstance(self.cell.state_size, list) else [self.cell.state_size]
        self.carried = [
            self.add_weight((self.rows, size), "zeros", trainable=False, name=f"carried_{i}")
            for i, size in enumerate(sizes if self.rows else [])
        ]
        if self.rows:
            self.batches = self.add_weight((), "zeros", "int32", trainable=False, name="carried_batches")

    @property
    def training_state(self):
        """The variables that belong to a training and not to the trained model."""
        return [*self.carried, self.batches] if self.rows else []

    def call(self, inputs, table=None, training=False):
        carries = training and self.rows
        first = self._carried() if carries else self.begin(ops.shape(inputs)[1])
        outputs, last = self.run(inputs, first, table, training)
        if carries:
            for carried, state in zip(self.carried, last, strict=True):
                carried.assign(tf.stop_gradient(state))
        return outputs

    def _carried(self):
        """The states that were carried here, of some rows zeros: the same rows in all layers of a model."""
        seed = tf.stack([tf.convert_to_tensor(self.batches), 0])
        kept = tf.random.stateless_uniform((self.rows, 1), seed) >= FRESH
        self.batches.assign_add(1)
        return [tf.where(kept, tf.convert_to_tensor(state), 0) for state in self.carried]

    def begin(self, batch):
        """The states before a sequence: zeros, a list of tensors (batch, size)."""
        return self.cell.get_initial_state(batch)

    def run(self, inputs, states, table=None, training=False):
        """Outputs (time, batch, units) and last states, from first states: lists of tensors (batch, size)."""
        table = None if table is None else self.cell.project(table)
        ((outputs, last),) = recur([(self.cell, False)], inputs, [states], None, training, time_major=True, table=table)
        return outputs, last

    def reset_state(self):
        """Begin the next batch with zeros."""
        for carried in self.carried:
            carried.assign(tf.zeros_like(carried))

    def compute_output_shape(self, inputs_shape, table_shape=None):
        return (*inputs_shape[:2], self.cell.output_size)

    def save_own_variables(self, store):
        """Saves nothing: the cell saves itself, and what is carried belongs to a training."""

    def load_own_variables(self, store):
        """Loads nothing, as nothing is saved."""

    def get_config(self):
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("cell")), **config)


@keras.saving.register_keras_serializable("seqtasks")
class TimeMajor(keras.layers.Layer):
    """Changes the first two axes with each other: (batch, time, ...) to (time, batch, ...), and back.

    Example:
        >>> TimeMajor()(tf.constant([[1, 2, 3], [4, 5, 6]])).numpy().tolist()
        [[1, 4], [2, 5], [3, 6]]
    """

    def call(self, inputs):
        return turned(inputs)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((inputs.shape[1], inputs.shape[0], *inputs.shape[2:]), dtype=inputs.dtype)


def turned(x):
    """(batch, time, ...) as (time, batch, ...), or the other way round."""
    return tf.transpose(x, (1, 0, *range(2, len(x.shape))))
