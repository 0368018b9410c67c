"""Attention: where a decoder looks in the memory that an encoder left."""

import keras
import tensorflow as tf
from keras import ops

from seqtasks.cells import RNNCell
from seqtasks.cells.affine import affine, rowwise
from seqtasks.layers.rnn import recur

SCORES = ("dot", "general", "additive")
HIDDEN = -1e9  # score of a place that is padding


@keras.saving.register_keras_serializable("seqtasks")
class Attention(keras.layers.Layer):
    """Weights over the places of a memory for each query, and the mean of the memory under them.

    With the query q, the places m_j of the memory and, with `coverage`, the sum C_j of the weights of all
    earlier queries::

        dot       e_j = q . (m_j + C_j w)
        general   e_j = q . (W m_j + C_j w)
        additive  e_j = v . tanh(W m_j + C_j w + U q)
        weights   softmax over j of e_j, zero where the memory is padding
        context   sum over j of weights_j m_j

    A query is whatever asks once: called as a layer, all queries are answered at once, each by itself; `AttentionRNN`
    asks step by step, through `prepare`, `recurrent_weights` and `weigh`.

    Args:
        units: size of the space in which queries and memory are compared; for `dot` and `general` that of the queries.
        score: `dot`, `general` (Luong et al., 2015) or `additive` (Bahdanau et al., 2015).
        coverage: whether the places looked at before count (Tu et al., 2016); for `AttentionRNN` alone.

    Call arguments:
        query: (batch, queries, features).
        memory: (batch, places, size).
        memory_mask: boolean (batch, places), False where there is no place.

    Output shape:
        context (batch, queries, size) and weights (batch, queries, places).

    Raises:
        ValueError: if the score is unknown.

    Example:
        >>> context, weights = Attention(4, "additive")(tf.ones((2, 3, 5)), tf.ones((2, 7, 6)))
        >>> context.shape, weights.shape
        (TensorShape([2, 3, 6]), TensorShape([2, 3, 7]))

    References:
        additive: Bahdanau et al., 2015, appendix A.1.2, https://arxiv.org/abs/1409.0473;
        dot, general: Luong et al., 2015, equation 8, https://arxiv.org/abs/1508.04025;
        coverage: Tu et al., 2016, equation 5, https://arxiv.org/abs/1601.04811
    """

    def __init__(self, units, score="general", coverage=False, **kwargs):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"unknown score {score!r}: the scores are {', '.join(SCORES)}.")
        self.units, self.score, self.coverage = units, score, coverage

    def build(self, query_shape, memory_shape):
        if self.score == "dot" and memory_shape[-1] != self.units:
            raise ValueError(f"dot needs a memory of the size {self.units} of the queries, got {memory_shape[-1]}.")
        if self.score != "dot":
            self.memory_kernel = self.add_weight(shape=(memory_shape[-1], self.units), name="memory_kernel")
        if self.score == "additive":
            self.query_kernel = self.add_weight(shape=(query_shape[-1], self.units), name="query_kernel")
            self.vector = self.add_weight(shape=(self.units,), initializer="uniform", name="vector")
        if self.coverage:
            self.coverage_vector = self.add_weight(shape=(self.units,), initializer="zeros", name="coverage_vector")

    def prepare(self, memory, mask=None):
        """What depends on the memory alone: matrices that queries and weights are multiplied with, and constants."""
        keys = memory if self.score == "dot" else affine(memory, self.memory_kernel)  # (batch, places, units)
        live = tf.ones(tf.shape(memory)[:2], bool) if mask is None else tf.cast(mask, bool)
        constants = {"hidden": tf.cast(~live, memory.dtype) * HIDDEN}
        if self.score == "additive":
            return {"values": memory}, constants | {"keys": keys}
        return {"keys": tf.linalg.matrix_transpose(keys), "values": memory}, constants

    def recurrent_weights(self):
        return {"query_kernel": (self.query_kernel,)} if self.score == "additive" else {}

    def weigh(self, query, product, constants, coverage=None):
        """Weights (rows, places) and context (rows, size) of queries (rows, features), rows of one memory together."""
        hidden = constants["hidden"][:, None]  # (batch, 1, places)
        apart = tf.concat([tf.shape(hidden)[:1], [-1, tf.shape(hidden)[2]]], 0)  # (batch, rows of each, places)
        if self.score == "additive":
            keys = constants["keys"][:, None] + tf.reshape(
                product("query_kernel", query), (tf.shape(hidden)[0], -1, 1, self.units)
            )
            if coverage is not None:
                keys += tf.reshape(coverage, apart)[..., None] * self.coverage_vector
            scores = tf.tensordot(tf.tanh(keys), tf.convert_to_tensor(self.vector), 1)
        else:
            scores = product("keys", query)
            if coverage is not None:
                scores += coverage * affine(query, self.coverage_vector[:, None])
            scores = tf.reshape(scores, apart)
        weights = tf.nn.softmax(scores + hidden)
        weights = tf.ensure_shape(tf.reshape(weights, (-1, apart[2])), (query.shape[0], constants["hidden"].shape[1]))
        return weights, product("values", weights)

    def call(self, query, memory, memory_mask=None):
        if self.coverage:
            raise ValueError("coverage needs queries one after the other: take AttentionRNN.")
        batch, queries = tf.shape(query)[0], tf.shape(query)[1]
        matrices, constants = self.prepare(memory, memory_mask)
        product = products(self.recurrent_weights(), matrices)
        weights, context = self.weigh(tf.reshape(query, (-1, query.shape[-1])), product, constants)
        apart = [tf.reshape(x, (batch, queries, tf.shape(x)[-1])) for x in (context, weights)]
        shapes = ((*query.shape[:2], memory.shape[2]), (*query.shape[:2], memory.shape[1]))
        return tuple(tf.ensure_shape(x, shape) for x, shape in zip(apart, shapes, strict=True))

    def compute_output_shape(self, query_shape, memory_shape):
        return (*query_shape[:2], memory_shape[2]), (*query_shape[:2], memory_shape[1])

    def get_config(self):
        return {**super().get_config(), "units": self.units, "score": self.score, "coverage": self.coverage}


def products(weights, matrices):
    """The function that a single step multiplies with; a loop has one of its own."""

    def product(name, vectors):
        return rowwise(vectors, matrices[name]) if name in matrices else affine(vectors, *weights[name])

    return product


@keras.saving.register_keras_serializable("seqtasks")
class AttentionCell(RNNCell):
    """One step of a decoder: a recurrent cell that looks into a memory.

    With the cell's own output a<t>, its query::

        a<t>, ... = cell([x<t>, s<t-1>], ...)           s<t-1> with `input_feeding` alone
        c<t>      = the context of `Attention` for a<t>
        s<t>      = tanh(W_s [a<t>, c<t>] + b_s)         what is put out

    | symbol     | attribute                | shape                              |
    |------------|--------------------------|------------------------------------|
    | s<t>       | `states[0]`, the output  | (batch, units)                     |
    | a<t>, ...  | `states[1:]`             | of the inner cell                  |
    | coverage   | `states[-1]` with it     | (batch, places)                    |
    | W_s, b_s   | `kernel`, `bias`         | (units + memory size, units)       |
    | W_f        | `feed_kernel`            | (units, columns of the projection) |

    s<t-1> enters the inner cell beside its projected input, which for every cell whose projection is affine is the
    same as joining it to x<t>.

    Args:
        cell: a cell of `seqtasks.cells`, without zoneout; its rate of `recurrent_dropout` holds for all products.
        attention: an `Attention`.
        input_feeding: whether a step knows what the last one put out.

    Example:
        >>> from seqtasks.cells import GRUCell
        >>> AttentionCell(GRUCell(8), Attention(8)).output_size
        8

    References:
        Luong et al., 2015, section 3.3, https://arxiv.org/abs/1508.04025
    """

    def __init__(self, cell, attention, input_feeding=True, **kwargs):
        super().__init__(cell.units, dropout=cell.dropout, recurrent_dropout=cell.recurrent_dropout, **kwargs)
        if cell.zoneout:
            raise ValueError("AttentionCell: the inner cell must be without zoneout.")
        self.cell, self.attention, self.input_feeding = cell, attention, input_feeding
        inner = cell.state_size if isinstance(cell.state_size, list) else [cell.state_size]
        self.state_size = [self.units, *inner]

    def build(self, input_shape, memory_shape):
        if not self.cell.built:
            self.cell.build((None, input_shape[-1]))
        if not self.attention.built:
            self.attention.build((None, None, self.units), memory_shape)
        if self.input_feeding:
            columns = self.cell.project(ops.zeros((1, input_shape[-1]))).shape[-1]
            self.feed_kernel = self.add_weight(shape=(self.units, columns), name="feed_kernel")
        rows = self.units + memory_shape[-1]
        self.kernel = self.add_weight(shape=(rows, self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def project(self, inputs):
        return self.cell.project(inputs)

    def recurrent_weights(self):
        weights = self.cell.recurrent_weights() | self.attention.recurrent_weights()
        if self.input_feeding:
            weights["feed_kernel"] = (self.feed_kernel,)
        return weights | {"output_kernel": (self.kernel, self.bias)}

    def look(self, projected, states, product, constants):
        """The new states, and the weights of the attention (rows, places)."""
        fed, *inner = states
        coverage = inner.pop() if self.attention.coverage else None
        if self.input_feeding:
            projected += product("feed_kernel", fed)
        inner = self.cell.step(projected, inner, product)
        weights, context = self.attention.weigh(inner[0], product, constants, coverage)
        output = tf.tanh(product("output_kernel", tf.concat([inner[0], context], -1)))
        return [output, *inner, *([] if coverage is None else [coverage + weights])], weights

    def step(self, projected, states, product, constants):
        return self.look(projected, states, product, constants)[0]

    def call(self, inputs, states, prepared):
        matrices, constants = prepared
        product = products(self.recurrent_weights(), matrices)
        states, weights = self.look(self.project(inputs), states, product, constants)
        return states[0], states, weights

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        config = keras.layers.Layer.get_config(self)
        inner = {"cell": serialize(self.cell), "attention": serialize(self.attention)}
        return {**config, **inner, "input_feeding": self.input_feeding}

    @classmethod
    def from_config(cls, config):
        inner = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("cell", "attention")}
        return cls(**inner, **config)


@keras.saving.register_keras_serializable("seqtasks")
class AttentionRNN(keras.layers.Layer):
    """Runs a cell over a sequence while it looks into a memory: the attention decoder that Keras 3 has not.

    With input feeding or coverage a step depends on what the last one looked at, and everything runs in the
    loop of `seqtasks.layers.scan`; without, the cell runs alone and all its queries are answered at once after it.

    Args:
        cell: a cell of `seqtasks.cells`.
        score: of the attention, see `Attention`.
        input_feeding: whether a step knows what the last one put out.
        coverage: whether the attention knows where it has looked.

    Call arguments:
        inputs: (batch, time, features), what is known of each step before it: in training the token before it.
        memory: (batch, places, size).
        initial_state: list of the cell's states before the first step; zeros if None.
        memory_mask: boolean (batch, places), False where there is no place.

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
        as `Attention`
    """

    def __init__(self, cell, score="general", input_feeding=True, coverage=False, **kwargs):
        super().__init__(**kwargs)
        self.score, self.input_feeding, self.coverage = score, input_feeding, coverage
        self.cell = AttentionCell(cell, Attention(cell.units, score, coverage, name="attention"), input_feeding)

    def build(self, inputs_shape, memory_shape, initial_state_shape=None):
        if not self.cell.built:
            self.cell.build((None, inputs_shape[-1]), memory_shape)
            self.cell.built = True

    def begin(self, memory, initial_state=None, memory_mask=None):
        """The states before the first step, and the prepared memory."""
        batch, places = tf.shape(memory)[0], tf.shape(memory)[1]
        states = list(initial_state or self.cell.cell.get_initial_state(batch))
        output = tf.zeros((batch, self.cell.units), self.compute_dtype)
        looked = [tf.zeros((batch, places), self.compute_dtype)] if self.coverage else []
        return [output, *states, *looked], self.cell.attention.prepare(memory, memory_mask)

    def step(self, inputs, states, prepared):
        """(output (rows, units), states, weights (rows, places)) of one step, several rows to a memory or one."""
        return self.cell(inputs, states, prepared)

    def call(self, inputs, memory, initial_state=None, memory_mask=None, training=False):
        states, (matrices, constants) = self.begin(memory, initial_state, memory_mask)
        if self.input_feeding or self.coverage:
            ((outputs, _),) = recur([(self.cell, False)], inputs, [states], None, training, matrices, constants)
            return outputs
        ((queries, _),) = recur([(self.cell.cell, False)], inputs, [states[1:]], None, training)
        context, _ = self.cell.attention(queries, memory, memory_mask=memory_mask)
        return tf.tanh(affine(tf.concat([queries, context], -1), self.cell.kernel, self.cell.bias))

    def compute_output_shape(self, inputs_shape, memory_shape, initial_state_shape=None):
        return (*inputs_shape[:2], self.cell.units)

    def compute_mask(self, inputs, *others, **masks):
        return None

    def get_config(self):
        config = {name: getattr(self, name) for name in ("score", "input_feeding", "coverage")}
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell.cell), **config}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("cell")), **config)
