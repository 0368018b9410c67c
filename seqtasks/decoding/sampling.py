"""Sampling: sequences drawn step by step from the distribution that the steps before give.

There is one loop, `sample`, for all that can be drawn: a function says how a step's output becomes a value and its
log-probability. `token_sampler` is that function for tokens; for the frames of a piano roll the head of the model
draws.

The loop is compiled by XLA in blocks of `BLOCK` steps: one step is so short that most of the time would go into
starting its operations.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from seqtasks.decoding.rules import NEVER, check_range, forbid

BLOCK = 64  # steps compiled together

Draw = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def sample(
    step: Callable[[tf.Tensor, Any], tuple],
    states: Any,
    start: tf.Tensor,
    draw: Draw,
    length: int | tf.Tensor,
    end: int | None = None,
    jit_compile: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws one sequence per row, in the graph.

    Args:
        step: `step(values, states) -> (outputs, states)`; a step as in `seqtasks.decoding` for tokens. Anything it
            returns after the states is ignored.
        states: a nest of tensors (rows, ...), before the first step.
        start: (rows, ...), the values of the first step: int32 (rows,) for tokens.
        draw: `draw(outputs, t) -> (values, log_probabilities)` of step `t`, shaped like `start` and (rows,).
        length: int, the maximum number of steps; may be a tensor.
        end: the token that ends a row; None if all rows have `length` steps.
        jit_compile: whether XLA compiles the loop, which `step` and `draw` must then support.

    Returns:
        values (rows, time, ...), without the start and the end token, -1 after the end; and the log-probabilities
        (rows,) of the drawn values, the end token included, as `draw` gave them.

    Example:
        >>> table = tf.math.log([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # of the next token
        >>> step = lambda tokens, states: (tf.gather(table, tokens), states)
        >>> tokens, log_probabilities = sample(step, [], tf.constant([1, 2]), token_sampler((1, 2)), length=2)
        >>> tokens.numpy().tolist()
        [[2, 0], [0, 1]]
        >>> tf.exp(log_probabilities).numpy().tolist()
        [1.0, 0.5]

    References:
        Graves, 2013, https://arxiv.org/abs/1308.0850
    """
    length = tf.cast(length, tf.int32)
    size = BLOCK if jit_compile else 1

    def block(
        first: tf.Tensor, values: tf.Tensor, states: Any, done: tf.Tensor, totals: tf.Tensor, length: tf.Tensor
    ) -> tuple:
        def one_step(
            i: tf.Tensor, values: tf.Tensor, states: Any, done: tf.Tensor, totals: tf.Tensor, drawn: tf.TensorArray
        ) -> tuple:
            outputs, new, *_ = step(values, states)
            values, log_probs = draw(outputs, first + i)
            totals += tf.where(done, 0.0, tf.cast(log_probs, tf.float32))
            if end is not None:
                done |= values == end
            drawn = drawn.write(i, values if end is None else tf.where(done, -1, values))
            states = tf.nest.pack_sequence_as(states, tf.nest.flatten(new))
            return i + 1, values, states, done | (first + i + 1 >= length), totals, drawn

        drawn = tf.TensorArray(values.dtype, size, element_shape=values.shape)
        state = (tf.constant(0), values, states, done, totals, drawn)
        if size == 1:
            state = one_step(*state)
        else:
            state = tf.while_loop(lambda i, *_: i < size, one_step, state, maximum_iterations=size)
        _, values, states, done, totals, drawn = state
        return values, states, done, totals, drawn.stack()  # (size, rows, ...)

    compiled = tf.function(block, jit_compile=True) if jit_compile else block

    def next_block(
        number: tf.Tensor, values: tf.Tensor, states: Any, done: tf.Tensor, totals: tf.Tensor, blocks: tf.TensorArray
    ) -> tuple:
        values, states, done, totals, drawn = compiled(number * size, values, states, done, totals, length)
        return number + 1, values, states, done, totals, blocks.write(number, drawn)

    rows = tf.shape(start)[0]
    blocks = tf.TensorArray(start.dtype, 0, dynamic_size=True, element_shape=(size, None, *start.shape[1:]))
    *_, totals, blocks = tf.while_loop(
        lambda number, values, states, done, *_: (number == 0) | ~tf.reduce_all(done),
        next_block,
        (0, start, states, tf.fill([rows], length <= 0), tf.zeros([rows]), blocks),
    )
    values = blocks.concat()[: tf.maximum(length, 0)]
    values = tf.transpose(values, (1, 0, *range(2, start.shape.rank + 1)))
    if end is not None:
        values = values[:, : tf.reduce_max(tf.reduce_sum(tf.cast(values >= 0, tf.int32), 1))]
    return values, totals


def token_sampler(
    seed: Any,
    temperature: float | tf.Tensor = 1.0,
    top_k: int | tf.Tensor = 0,
    top_p: float | tf.Tensor = 1.0,
    forbidden: Sequence[int] = (),
) -> Draw:
    """How `sample` draws tokens from logits.

    What a row draws depends on the seed, the number of the row, the step and the logits, not on the rest of the batch.

    Args:
        seed: two ints, or an int tensor (2,).
        temperature: divisor of the logits; 0 takes the most probable token. May be a tensor, as the next two.
        top_k: draw from the k most probable tokens, and those that tie with the last; 0 draws from all.
        top_p: draw from the most probable tokens that together reach this probability, after temperature and `top_k`.
        forbidden: tokens that are never drawn.

    Returns:
        `draw(logits, t) -> (tokens, log_probabilities)`: logits (rows, vocabulary) of step `t` to int32 (rows,), and
        their log-probabilities under the model itself, whatever the temperature and the filters are.

    Raises:
        UserError: if a number is out of its range.

    Example:
        >>> draw = token_sampler((0, 1), temperature=0)
        >>> tokens, log_probabilities = draw(tf.math.log([[0.25, 0.75]]), 0)
        >>> tokens.numpy().tolist(), tf.exp(log_probabilities).numpy().round(2).tolist()
        ([1], [0.75])

    References:
        top-k: Fan et al., 2018, section 5.4, https://arxiv.org/abs/1805.04833;
        top-p: Holtzman et al., 2020, section 3.1, https://arxiv.org/abs/1904.09751
    """
    check_range("token_sampler", "temperature", temperature, 0)
    check_range("token_sampler", "top_k", top_k, 0)
    check_range("token_sampler", "top_p", top_p, 1e-6, 1)
    key = tf.random.stateless_uniform([2], seed, None, None, tf.int64, alg="philox")  # unrelated for adjacent seeds
    temperature, top_p = tf.cast(temperature, tf.float32), tf.cast(top_p, tf.float32)
    top_k = tf.cast(top_k, tf.int32)

    def draw(logits: tf.Tensor, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scaled = forbid(logits / tf.where(temperature > 0, temperature, 1.0), forbidden)
        filters = (top_k > 0) | (top_p < 1)
        scaled = tf.cond(filters, lambda: most_probable(scaled, top_k, top_p), lambda: scaled)
        uniform = tf.random.stateless_uniform(tf.shape(logits), key + tf.stack([0, tf.cast(t, tf.int64)]), alg="philox")
        gumbel = -tf.math.log(-tf.math.log(tf.maximum(uniform, 1e-30)))
        tokens = tf.argmax(scaled + tf.where(temperature > 0, gumbel, 0.0), -1, tf.int32)  # Gumbel-max: a fair draw
        return tokens, tf.gather(logits, tokens, batch_dims=1) - tf.reduce_logsumexp(logits, -1)

    return draw


def most_probable(logits: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Logits (rows, vocabulary), -infinity for all but the `top_k` most probable tokens that together reach `top_p`.

    Args:
        logits: (rows, vocabulary).
        top_k: int32 (), 0 for no limit.
        top_p: float32 ().

    Example:
        >>> most_probable(tf.constant([[1.0, 3.0, 2.0]]), tf.constant(2), tf.constant(1.0)).numpy().tolist()
        [[-inf, 3.0, 2.0]]
    """
    size = logits.shape[-1]
    ranked = tf.sort(logits, direction="DESCENDING")
    ranked = tf.where(tf.range(size) < tf.where(tf.equal(top_k, 0), size, top_k), ranked, NEVER)
    before = tf.cumsum(tf.nn.softmax(ranked), -1, exclusive=True)
    kept = ((before < top_p) | tf.greater_equal(top_p, 1)) & (ranked > NEVER)
    least = tf.reduce_min(tf.where(kept, ranked, -NEVER), -1, keepdims=True)
    return tf.where(logits < least, NEVER, logits)
