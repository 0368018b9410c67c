"""Linear-chain conditional random fields, as pure functions of one tensor.

`scores` (batch, time, tags, tags) holds at [b, t, i, j] what is gained by tag j at step t after tag i at step t - 1.
The score of a path is the sum over its steps; its probability is ``exp(score - log_partition)``. What stands before the
first step counts as tag 0. A step that is masked has 0 on its diagonal and `FORBIDDEN` elsewhere: the path waits there
in its tag. `seqtasks.layers.CRF` makes such a tensor.

Everything is vectorised over the batch, runs in the graph, and takes time x tags^2 operations.

References:
    Lafferty et al., 2001, https://repository.upenn.edu/handle/20.500.14332/6188;
    forward-backward and Viterbi: Rabiner, 1989, https://doi.org/10.1109/5.18626
"""

import tensorflow as tf

FORBIDDEN = -1e9  # the score of a step that cannot be: its probability is exactly 0


def path_score(scores, tags):
    """The score of one path a row.

    Args:
        scores: (batch, time, tags, tags).
        tags: int (batch, time); a negative number at a masked step stands for the tag before it.

    Returns:
        (batch,).

    Example:
        >>> scores = tf.reshape(tf.range(8.0), (1, 2, 2, 2))
        >>> path_score(scores, tf.constant([[1, 0]])).numpy().tolist()  # scores[0, 0, 0, 1] + scores[0, 1, 1, 0]
        [7.0]
    """
    return tf.reduce_sum(_gained(scores, _filled(tags)), -1)


def log_partition(scores):
    """The logarithm of the sum of ``exp(score)`` over all paths, (batch,); its gradient are the pairwise marginals.

    Example:
        >>> round(float(log_partition(tf.zeros((1, 3, 2, 2)))[0] / tf.math.log(2.0)), 3)  # eight paths that score 0
        3.0
    """

    @tf.custom_gradient
    def run(scores):
        alphas = _alphas(scores)
        total = tf.reduce_logsumexp(alphas[-1], -1)

        def gradient(upstream):
            return upstream[:, None, None, None] * _pairs(scores, alphas, _betas(scores), total)

        return total, gradient

    return run(tf.convert_to_tensor(scores))


def log_likelihood(scores, tags):
    """The log-probability of one path a row, (batch,); arguments as of `path_score`."""
    return path_score(scores, tags) - log_partition(scores)


def pair_marginals(scores):
    """The probability of each pair of neighbouring tags, shaped as `scores`; at step 0 the first of them is tag 0."""
    alphas = _alphas(scores)
    return _pairs(scores, alphas, _betas(scores), tf.reduce_logsumexp(alphas[-1], -1))


def marginals(scores):
    """The probability of each tag at each step, (batch, time, tags); at masked steps those of the step before.

    Example:
        >>> scores = tf.math.log(tf.constant([[[[0.25, 0.75], [1.0, 1.0]]]]))
        >>> marginals(scores).numpy().round(3).tolist()
        [[[0.25, 0.75]]]
    """
    return tf.reduce_sum(pair_marginals(scores), 2)


def viterbi(scores):
    """The best path of each row.

    Returns:
        (tags, score): int32 (batch, time), at masked steps the tag before; and (batch,).

    Example:
        >>> tags, score = viterbi(tf.reshape(tf.range(8.0), (1, 2, 2, 2)))
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[1, 1]], [8.0])
    """
    tags, score = k_best(scores, 1)
    return tags[:, 0], score[:, 0]


def k_best(scores, k):
    """The `k` best paths of each row, the best first.

    Args:
        scores: (batch, time, tags, tags).
        k: how many.

    Returns:
        (tags, score): int32 (batch, k, time), and (batch, k). Where there are fewer than `k` paths without a forbidden
        step, the score of the others is -infinity.

    Example:
        >>> tags, score = k_best(tf.reshape(tf.range(8.0), (1, 2, 2, 2)), 3)
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[[1, 1], [1, 0], [0, 1]]], [[8.0, 7.0, 5.0]])

    References:
        Seshadri and Sundberg, 1994, the parallel list algorithm, https://doi.org/10.1109/26.275299
    """
    steps = tf.transpose(scores, (1, 0, 2, 3))
    time, size = tf.shape(steps)[0], scores.shape[-1]
    batch = tf.shape(scores)[0]
    best = tf.pad(steps[0, :, 0, None], [[0, 0], [0, k - 1], [0, 0]], constant_values=2 * FORBIDDEN)  # (batch, k, tags)
    sources = tf.TensorArray(tf.int32, time, element_shape=(None, size, k))

    def forth(t, best, sources):
        candidates = best[..., None] + steps[t][:, None]  # (batch, k, from, to)
        candidates = tf.reshape(tf.transpose(candidates, (0, 3, 1, 2)), (batch, size, k * size))
        values, places = tf.math.top_k(candidates, k)
        return t + 1, tf.transpose(values, (0, 2, 1)), sources.write(t, places)

    _, best, sources = tf.while_loop(lambda t, *_: t < time, forth, (1, best, sources), maximum_iterations=time)
    score, place = tf.math.top_k(tf.reshape(best, (batch, k * size)), k)  # a place is rank * size + tag
    tags = tf.TensorArray(tf.int32, time, element_shape=(None, k))

    def back(t, place, tags):
        tag, rank = place % size, place // size
        before = tf.gather_nd(sources.read(t), tf.stack([tag, rank], -1), batch_dims=1)
        return t - 1, before, tags.write(t, tag)

    _, place, tags = tf.while_loop(lambda t, *_: t > 0, back, (time - 1, place, tags), maximum_iterations=time)
    tags = tf.transpose(tags.write(0, place % size).stack(), (1, 2, 0))
    return tags, tf.where(score < FORBIDDEN / 2, -float("inf"), score)


def span_log_probability(scores, tags, rows, first, last):
    """The log-probability that a path goes through the tags of a span, whatever it does before and behind it.

    Args:
        scores: (batch, time, tags, tags).
        tags: int (batch, time), the path that the spans are cut from.
        rows, first, last: int (spans,), the row of each span, and its first and last step.

    Returns:
        (spans,).

    Example:
        >>> scores = tf.math.log(tf.constant([[[[0.25, 0.75], [1.0, 1.0]], [[0.5, 0.5], [0.1, 0.9]]]]))
        >>> round(float(tf.exp(span_log_probability(scores, [[1, 1]], [0], [0], [1]))[0]), 3)  # 0.75 * 0.9
        0.675
    """
    tags, rows, first, last = (tf.cast(x, tf.int32) for x in (tags, rows, first, last))
    alphas, betas = (tf.transpose(x, (1, 0, 2)) for x in (_alphas(scores), _betas(scores)))
    total = tf.reduce_logsumexp(alphas[:, -1], -1)
    gained = tf.cumsum(_gained(scores, tags), -1)

    def at(x, place):
        return tf.gather_nd(x, tf.stack([rows, place, *([at_tag(place)] if len(x.shape) == 3 else [])], -1))

    def at_tag(place):
        return tf.gather_nd(tags, tf.stack([rows, place], -1))

    return at(alphas, first) + at(gained, last) - at(gained, first) + at(betas, last) - tf.gather(total, rows)


def _filled(tags):
    """Tags with the one before in place of each negative number; 0 where there is none."""
    tags = tf.cast(tags, tf.int32)
    steps = tf.where(tags >= 0, tf.range(tf.shape(tags)[1]), -1)
    latest = tf.scan(tf.maximum, tf.transpose(steps))
    return tf.where(tf.transpose(latest) < 0, 0, tf.gather(tags, tf.maximum(tf.transpose(latest), 0), batch_dims=1))


def _gained(scores, tags):
    """What a path gains at each step, (batch, time)."""
    before = tf.pad(tags[:, :-1], [[0, 0], [1, 0]])
    return tf.gather(tf.gather(scores, before, batch_dims=2), tags, batch_dims=2)


def _alphas(scores):
    """Log-sums over the paths that end in each tag of each step, (time, batch, tags)."""
    steps = tf.transpose(scores, (1, 0, 2, 3))
    return _sweep(steps[0, :, 0], steps, lambda alpha, step: tf.reduce_logsumexp(alpha[:, :, None] + step, 1))


def _betas(scores):
    """Log-sums over the paths that go on from each tag of each step, (time, batch, tags)."""
    steps = tf.transpose(scores, (1, 0, 2, 3))
    last = tf.zeros_like(steps[0, :, 0])
    turned = _sweep(last, steps[::-1], lambda beta, step: tf.reduce_logsumexp(step + beta[:, None], 2), shift=1)
    return turned[::-1]


def _sweep(state, steps, advance, shift=0):
    """All states (time, batch, tags); that at t comes from the one before and `steps[t - shift]`."""
    time = tf.shape(steps)[0]
    states = tf.TensorArray(steps.dtype, time, element_shape=state.shape).write(0, state)

    def body(t, state, states):
        state = advance(state, steps[t - shift])
        return t + 1, state, states.write(t, state)

    _, _, states = tf.while_loop(lambda t, *_: t < time, body, (1, state, states), maximum_iterations=time)
    return states.stack()


def _pairs(scores, alphas, betas, total):
    alphas, betas = (tf.transpose(x, (1, 0, 2)) for x in (alphas, betas))
    none = tf.pad(tf.fill(tf.shape(alphas[:, :1, 1:]), tf.cast(FORBIDDEN, scores.dtype)), [[0, 0], [0, 0], [1, 0]])
    before = tf.concat([none, alphas[:, :-1]], 1)  # tag 0 stands before the first step
    return tf.exp(before[..., None] + scores + betas[:, :, None] - total[:, None, None, None])
