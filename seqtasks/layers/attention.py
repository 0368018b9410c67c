"""Attention of a decoder over the memory, which is the output of an encoder."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell
from seqtasks.cells.affine import affine, rowwise
from seqtasks.cells.cell import Product, Shape
from seqtasks.layers.recurrence import project
from seqtasks.layers.rnn import run_cells

SCORES = ("dot", "general", "additive")
PADDING_SCORE = -3e4  # added to the score of a position that is padding; float16 holds it

MemoryShape = tuple[int | None, int | None, int]  # batch, positions, size
Prepared = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]
"""What depends on the memory alone: matrices and constants, both by name; see `Attention.prepare`."""


@keras.saving.register_keras_serializable("seqtasks")
class Attention(keras.layers.Layer):
    """Weights over the positions of a memory for each query, and the weighted mean of the memory.

    With the query q, the vectors m_j of the memory and, with `coverage`, the sum C_j of the weights of all
    earlier queries::

        dot       e_j = q . (m_j + C_j w)
        general   e_j = q . (W m_j + C_j w)
        additive  e_j = v . tanh(W m_j + C_j w + U q)
        weights   softmax over j of e_j; zero where the memory is padding
        context   sum over j of weights_j m_j

    A call computes the contexts of all queries at once, each independently. `AttentionRNN` computes them step by step,
    through `prepare`, `recurrent_weights` and `attend`.

    Args:
        units: size of the space in which queries and memory are compared; for `dot` and `general` that of the queries.
        score: `dot`, `general` (Luong et al., 2015) or `additive` (Bahdanau et al., 2015).
        coverage: whether scores depend on the weights of earlier queries (Tu et al., 2016); for `AttentionRNN` only.

    Call arguments:
        query: (batch, queries, features).
        memory: (batch, positions, size).
        memory_mask: boolean (batch, positions), False where the memory is padding.

    Output shape:
        context (batch, queries, size) and weights (batch, queries, positions).

    Raises:
        ValueError: if the score is unknown; in a call, if the memory does not have the size that `dot` needs, or with
            `coverage`.

    Example:
        >>> context, weights = Attention(4, "additive")(tf.ones((2, 3, 5)), tf.ones((2, 7, 6)))
        >>> context.shape, weights.shape
        (TensorShape([2, 3, 6]), TensorShape([2, 3, 7]))

    References:
        additive: Bahdanau et al., 2015, appendix A.1.2, https://arxiv.org/abs/1409.0473;
        dot, general: Luong et al., 2015, equation 8, https://arxiv.org/abs/1508.04025;
        coverage: Tu et al., 2016, equation 5, https://arxiv.org/abs/1601.04811
    """

    def __init__(self, units: int, score: str = "general", coverage: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"unknown score {score!r}: the scores are {', '.join(SCORES)}.")
        self.units, self.score, self.coverage = units, score, coverage

    def build(self, query_shape: Shape, memory_shape: MemoryShape) -> None:
        if self.score == "dot" and memory_shape[-1] != self.units:
            raise ValueError(f"dot needs a memory of size {self.units}, that of the queries, got {memory_shape[-1]}.")
        if self.score != "dot":
            self.memory_kernel = self.add_weight(shape=(memory_shape[-1], self.units), name="memory_kernel")
        if self.score == "additive":
            self.query_kernel = self.add_weight(shape=(query_shape[-1], self.units), name="query_kernel")
            self.vector = self.add_weight(shape=(self.units,), initializer="uniform", name="vector")
        if self.coverage:
            self.coverage_vector = self.add_weight(shape=(self.units,), initializer="zeros", name="coverage_vector")

    def prepare(self, memory: tf.Tensor, mask: tf.Tensor | None = None) -> Prepared:
        """Computes what depends on the memory alone.

        Args:
            memory: (batch, positions, size).
            mask: boolean (batch, positions), False where the memory is padding; or None.

        Returns:
            Matrices {name: (batch, rows, columns)} that queries and weights are multiplied with, and constants
            {name: (batch, positions, ...)}.
        """
        keys = memory if self.score == "dot" else affine(memory, self.memory_kernel)  # (batch, positions, units)
        live = tf.ones(tf.shape(memory)[:2], bool) if mask is None else tf.cast(mask, bool)
        constants = {"padding": tf.cast(~live, memory.dtype) * PADDING_SCORE}
        if self.score == "additive":
            return {"values": memory}, constants | {"keys": keys}
        return {"keys": tf.linalg.matrix_transpose(keys), "values": memory}, constants

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        """The weights that `attend` multiplies with, as `RNNCell.recurrent_weights`."""
        return {"query_kernel": (self.query_kernel,)} if self.score == "additive" else {}

    def attend(
        self,
        query: tf.Tensor,
        product: Product,
        constants: Mapping[str, tf.Tensor],
        coverage: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Attends with one query a row. If there are several rows for each memory, they are neighbours.

        Args:
            query: (rows, features).
            product: multiplies with the weights of `recurrent_weights` and the matrices of `prepare`.
            constants: those of `prepare`.
            coverage: (rows, positions), the sum of the earlier weights; or None.

        Returns:
            Weights (rows, positions) and context (rows, size).
        """
        padding = constants["padding"][:, None]  # (batch, 1, positions)
        by_memory = tf.concat([tf.shape(padding)[:1], [-1, tf.shape(padding)[2]]], 0)  # (batch, rows each, positions)
        if self.score == "additive":
            keys = constants["keys"][:, None] + tf.reshape(
                product("query_kernel", query), (tf.shape(padding)[0], -1, 1, self.units)
            )
            if coverage is not None:
                keys += tf.reshape(coverage, by_memory)[..., None] * self.coverage_vector
            scores = tf.tensordot(tf.tanh(keys), tf.convert_to_tensor(self.vector), 1)
        else:
            scores = product("keys", query)
            if coverage is not None:
                scores += coverage * affine(query, self.coverage_vector[:, None])
            scores = tf.reshape(scores, by_memory)
        weights = tf.nn.softmax(scores + padding)
        weights = tf.reshape(weights, (-1, by_memory[2]))
        weights.set_shape((query.shape[0], padding.shape[2]))
        return weights, product("values", weights)

    def call(
        self, query: tf.Tensor, memory: tf.Tensor, memory_mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self.coverage:
            raise ValueError("coverage needs queries one at a time: use AttentionRNN.")
        batch, queries = tf.shape(query)[0], tf.shape(query)[1]
        matrices, constants = self.prepare(memory, memory_mask)
        product = make_product(self.recurrent_weights(), matrices)
        weights, context = self.attend(tf.reshape(query, (-1, query.shape[-1])), product, constants)
        context, weights = (tf.reshape(x, (batch, queries, tf.shape(x)[-1])) for x in (context, weights))
        context.set_shape((*query.shape[:2], memory.shape[2]))
        weights.set_shape((*query.shape[:2], memory.shape[1]))
        return context, weights

    def compute_output_shape(self, query_shape: Shape, memory_shape: MemoryShape) -> tuple[Shape, Shape]:
        return (*query_shape[:2], memory_shape[2]), (*query_shape[:2], memory_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "score": self.score, "coverage": self.coverage}


def make_product(weights: Mapping[str, Sequence[tf.Tensor]], matrices: Mapping[str, tf.Tensor]) -> Product:
    """The `product` of a single step outside a loop.

    Args:
        weights: {name: (kernel,) or (kernel, bias)}.
        matrices: {name: (batch, rows, columns)}.

    Example:
        >>> make_product({"kernel": (tf.ones((3, 2)),)}, {})("kernel", tf.ones((1, 3))).numpy().tolist()
        [[3.0, 3.0]]
    """

    def product(name: str, vectors: tf.Tensor) -> tf.Tensor:
        return rowwise(vectors, matrices[name]) if name in matrices else affine(vectors, *weights[name])

    return product


@keras.saving.register_keras_serializable("seqtasks")
class AttentionCell(RNNCell):
    """One step of a decoder: a recurrent cell with attention over a memory.

    With the cell's own output a<t>, its query::

        a<t>, ... = cell([x<t>, s<t-1>], ...)           s<t-1> only with `input_feeding`
        c<t>      = the context of `Attention` for a<t>
        s<t>      = tanh(W_s [a<t>, c<t>] + b_s)         the output

    | symbol     | attribute                | shape                              |
    |------------|--------------------------|------------------------------------|
    | s<t>       | `states[0]`, the output  | (batch, units)                     |
    | a<t>, ...  | `states[1:]`             | those of the inner cell            |
    | coverage   | `states[-1]`, if used    | (batch, positions)                 |
    | W_s, b_s   | `kernel`, `bias`         | (units + memory size, units)       |
    | W_f        | `feed_kernel`            | (units, columns of the projection) |

    s<t-1>, multiplied with W_f, is added to the projected input of the inner cell. For a cell with an affine projection
    that equals the concatenation of s<t-1> and x<t>.

    Args:
        cell: a cell of `seqtasks.cells`, without zoneout; its `recurrent_dropout` applies to all products.
        attention: an `Attention`.
        input_feeding: whether a step receives the output of the step before it.

    Raises:
        ValueError: if the cell has zoneout.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> AttentionCell(GRUCell(8), Attention(8)).output_size
        8

    References:
        Luong et al., 2015, section 3.3, https://arxiv.org/abs/1508.04025
    """

    def __init__(self, cell: RNNCell, attention: Attention, input_feeding: bool = True, **kwargs: Any) -> None:
        if given := {*kwargs} & {"use_bias", "seed", *self._options()}:
            raise ValueError(f"AttentionCell: {min(given)} is an option of the inner cell: give it there.")
        super().__init__(cell.units, dropout=cell.dropout, recurrent_dropout=cell.recurrent_dropout, **kwargs)
        if cell.zoneout:
            raise ValueError("AttentionCell: the inner cell must be without zoneout.")
        self.cell, self.attention, self.input_feeding = cell, attention, input_feeding
        self.state_size = [self.units, *cell.state_sizes]

    def build(self, input_shape: Shape, memory_shape: MemoryShape) -> None:
        if not self.cell.built:
            self.cell.build((None, input_shape[-1]))
        if not self.attention.built:
            self.attention.build((None, None, self.units), memory_shape)
        if self.input_feeding:
            columns = project(self.cell, ops.zeros((1, input_shape[-1]))).shape[-1]
            self.feed_kernel = self.add_weight(shape=(self.units, columns), name="feed_kernel")
        rows = self.units + memory_shape[-1]
        self.kernel = self.add_weight(shape=(rows, self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.cell.project(inputs)

    def recurrent_weights(self) -> dict[str, tuple[tf.Tensor, ...]]:
        weights = dict(self.cell.recurrent_weights()) | self.attention.recurrent_weights()
        if self.input_feeding:
            weights["feed_kernel"] = (self.feed_kernel,)
        return weights | {"output_kernel": (self.kernel, self.bias)}

    def step_with_weights(
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product, constants: Mapping[str, tf.Tensor]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The new states, each (rows, size), and the weights of the attention (rows, positions)."""
        last_output, *inner = states
        coverage = inner.pop() if self.attention.coverage else None
        if self.input_feeding:
            projected += product("feed_kernel", last_output)
        inner = self.cell.step(projected, inner, product)
        weights, context = self.attention.attend(inner[0], product, constants, coverage)
        output = tf.tanh(product("output_kernel", tf.concat([inner[0], context], -1)))
        return [output, *inner, *([] if coverage is None else [coverage + weights])], weights

    def step(  # type: ignore[override]
        self, projected: tf.Tensor, states: Sequence[tf.Tensor], product: Product, constants: Mapping[str, tf.Tensor]
    ) -> list[tf.Tensor]:
        return self.step_with_weights(projected, states, product, constants)[0]

    def call(  # type: ignore[override]
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], prepared: Prepared
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
        matrices, constants = prepared
        product = make_product(self.recurrent_weights(), matrices)
        new, weights = self.step_with_weights(self.project(inputs), states, product, constants)
        return new[0], new, weights

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        config = keras.layers.Layer.get_config(self)
        inner = {"cell": serialize(self.cell), "attention": serialize(self.attention)}
        return {**config, **inner, "input_feeding": self.input_feeding}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        inner = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("cell", "attention")}
        return cls(**inner, **config)


@keras.saving.register_keras_serializable("seqtasks")
class AttentionRNN(keras.layers.Layer):
    """Runs a cell with attention over a memory: the attention decoder that Keras 3 lacks.

    With input feeding or coverage, a step depends on the attention of the step before it, and everything runs in the
    loop of `seqtasks.layers.scan`. Otherwise the cell runs alone, and the attention for all its outputs follows.

    Args:
        cell: a cell of `seqtasks.cells`.
        score: score of the attention, see `Attention`.
        input_feeding: whether a step receives the output of the step before it.
        coverage: whether the attention depends on its earlier weights.

    Call arguments:
        inputs: (batch, time, features); in training the embedding of the token before each step.
        memory: (batch, positions, size).
        initial_state: list of the cell's states before the first step, each (batch, size); zeros if None.
        memory_mask: boolean (batch, positions), False where the memory is padding.

    Output shape:
        (batch, time, units).

    Example:
        >>> from seqtasks.cells import LSTMCell
        >>> layer = AttentionRNN(LSTMCell(8), "additive", coverage=True)
        >>> layer(tf.ones((2, 5, 3)), tf.ones((2, 7, 4))).shape
        TensorShape([2, 5, 8])
        >>> states, prepared = layer.begin(tf.ones((2, 7, 4)))  # one step at a time
        >>> output, states, weights = layer.step(tf.ones((2, 3)), states, prepared)
        >>> output.shape, weights.shape
        (TensorShape([2, 8]), TensorShape([2, 7]))

    References:
        see `Attention`
    """

    def __init__(
        self,
        cell: RNNCell,
        score: str = "general",
        input_feeding: bool = True,
        coverage: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.score, self.input_feeding, self.coverage = score, input_feeding, coverage
        self.cell = AttentionCell(cell, Attention(cell.units, score, coverage, name="attention"), input_feeding)

    def build(self, inputs_shape: Shape, memory_shape: MemoryShape, initial_state_shape: list | None = None) -> None:
        if not self.cell.built:
            self.cell.build((None, inputs_shape[-1]), memory_shape)
            self.cell.built = True

    def begin(
        self,
        memory: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        memory_mask: tf.Tensor | None = None,
    ) -> tuple[list[tf.Tensor], Prepared]:
        """The states before the first step, each (batch, size), and the prepared memory; the arguments of a call."""
        batch, positions = tf.shape(memory)[0], tf.shape(memory)[1]
        states = list(initial_state or self.cell.cell.get_initial_state(batch))
        output = tf.zeros((batch, self.cell.units), self.compute_dtype)
        coverage = [tf.zeros((batch, positions), self.compute_dtype)] if self.coverage else []
        return [output, *states, *coverage], self.cell.attention.prepare(memory, memory_mask)

    def step(
        self, inputs: tf.Tensor, states: Sequence[tf.Tensor], prepared: Prepared
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
        """One step outside the loop.

        Args:
            inputs: (rows, features). If there are several rows for each memory, they are neighbours.
            states: list of tensors (rows, size).
            prepared: the prepared memory, from `begin`.

        Returns:
            Output (rows, units), new states, and weights (rows, positions).
        """
        return self.cell(inputs, states, prepared)

    def call(
        self,
        inputs: tf.Tensor,
        memory: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        memory_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        states, (matrices, constants) = self.begin(memory, initial_state, memory_mask)
        if self.input_feeding or self.coverage:
            ((outputs, _),) = run_cells([(self.cell, False)], inputs, [states], None, training, matrices, constants)
            return outputs
        ((queries, _),) = run_cells([(self.cell.cell, False)], inputs, [states[1:]], None, training)
        context, _ = self.cell.attention(queries, memory, memory_mask=memory_mask)
        return tf.tanh(affine(tf.concat([queries, context], -1), self.cell.kernel, self.cell.bias))

    def compute_output_shape(
        self, inputs_shape: Shape, memory_shape: MemoryShape, initial_state_shape: list | None = None
    ) -> Shape:
        return (*inputs_shape[:2], self.cell.units)

    def compute_mask(self, inputs: tf.Tensor, *others: Any, **masks: Any) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in ("score", "input_feeding", "coverage")}
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell.cell), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(keras.saving.deserialize_keras_object(config.pop("cell")), **config)
