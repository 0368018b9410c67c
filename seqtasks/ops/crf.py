"""Linear-chain conditional random fields, as pure functions of one tensor.

`scores` (batch, time, tags, tags) holds at [b, t, i, j] the score of tag j at step t after tag i at step t - 1. The
score of a path is the sum over its steps; its probability is ``exp(score - log_partition)``. The tag before the first
step is 0. A masked step has 0 on its diagonal and `FORBIDDEN` elsewhere: the path keeps its tag there.
`seqtasks.layers.CRF` makes such a tensor. A row without steps has one path, the empty one, with the score 0.

Everything is vectorised over the batch, runs in the graph, and takes time x tags^2 operations. Scores in float16 and
bfloat16 are computed in float32, because `FORBIDDEN` is no number there.

References:
    Lafferty et al., 2001, https://repository.upenn.edu/handle/20.500.14332/6188;
    forward-backward and Viterbi: Rabiner, 1989, https://doi.org/10.1109/5.18626
"""

from collections.abc import Callable

import tensorflow as tf

from seqtasks.ops.arguments import exact

FORBIDDEN = -1e9  # the score of an impossible step: its probability is exactly 0


def masked(scores: tf.Tensor) -> tf.Tensor:
    """Which steps are masked, bool (batch, time): those with 0 on the diagonal and `FORBIDDEN` elsewhere.

    Example:
        >>> masked(tf.constant([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, FORBIDDEN], [FORBIDDEN, 0.0]]]])).numpy().tolist()
        [[False, True]]
    """
    scores = _exact(scores)
    waiting = tf.where(tf.eye(scores.shape[-1], dtype=tf.bool), tf.zeros((), scores.dtype), FORBIDDEN)
    return tf.reduce_all(tf.equal(scores, waiting), (2, 3))


def constrain(scores: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """Forbids tags at steps, beyond the constraints of the layer.

    Of the result, `viterbi` is the best path with allowed tags only (constrained decoding), and `log_partition` the
    logarithm of the sum of ``exp(score)`` over these paths, the score of a row with several possible tags per step.

    Args:
        scores: (batch, time, tags, tags).
        allowed: bool (batch, time, tags); ignored at masked steps.

    Returns:
        (batch, time, tags, tags).

    Example:
        >>> scores = tf.reshape(tf.range(8.0), (1, 2, 2, 2))
        >>> viterbi(constrain(scores, tf.constant([[[True, True], [True, False]]])))[0].numpy().tolist()
        [[1, 0]]
    """
    scores = _exact(scores)
    possible = tf.cast(allowed, tf.bool)[:, :, None] | masked(scores)[..., None, None]
    return tf.where(possible, scores, FORBIDDEN)


def constrained_viterbi(scores: tf.Tensor, allowed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The best path of each row whose tags are allowed; arguments as of `constrain`, results as of `viterbi`.

    The score is -infinity if there is no such path.

    Example:
        >>> scores = tf.reshape(tf.range(8.0), (1, 2, 2, 2))
        >>> tags, score = constrained_viterbi(scores, tf.constant([[[True, True], [True, False]]]))
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[1, 0]], [7.0])
    """
    return viterbi(constrain(scores, allowed))


def multitag_score(scores: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """The logarithm of the sum of ``exp(score)`` over the paths whose tags are allowed, (batch,).

    Less `log_partition(scores)` it is the log-probability that a path has an allowed tag at every step: the likelihood
    of sequences that are labelled in part. Without such a path it is below ``FORBIDDEN / 2``.

    Args:
        scores, allowed: as of `constrain`.

    Example:
        >>> allowed = tf.constant([[[True, True], [True, False]]])
        >>> round(float(tf.exp(multitag_score(tf.zeros((1, 2, 2, 2)), allowed))[0]), 3)  # two paths that score 0
        2.0

    References:
        Tsuboi et al., 2008, equation 3, https://aclanthology.org/C08-1113
    """
    return log_partition(constrain(scores, allowed))


def path_score(scores: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
    """The score of one path per row.

    Args:
        scores: (batch, time, tags, tags).
        tags: int (batch, time). Those of masked steps are ignored, and a negative number means the tag before it.

    Returns:
        (batch,).

    Example:
        >>> scores = tf.reshape(tf.range(8.0), (1, 2, 2, 2))
        >>> path_score(scores, tf.constant([[1, 0]])).numpy().tolist()  # scores[0, 0, 0, 1] + scores[0, 1, 1, 0]
        [7.0]
    """
    scores = _exact(scores)
    return tf.reduce_sum(_step_scores(scores, _fill(tf.where(masked(scores), -1, tf.cast(tags, tf.int32)))), -1)


def log_partition(scores: tf.Tensor) -> tf.Tensor:
    """The logarithm of the sum of ``exp(score)`` over all paths; its gradient is the pairwise marginals.

    Args:
        scores: (batch, time, tags, tags).

    Returns:
        (batch,).

    Example:
        >>> round(float(log_partition(tf.zeros((1, 3, 2, 2)))[0] / tf.math.log(2.0)), 3)  # eight paths that score 0
        3.0
    """

    @tf.custom_gradient
    def run(scores: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        alphas = _alphas(scores)
        total = tf.reduce_logsumexp(alphas[-1], -1)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return upstream[:, None, None, None] * _pairs(scores, alphas, _betas(scores), total)

        return total, gradient

    return run(_exact(scores))


def log_likelihood(scores: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
    """The log-probability of one path per row, (batch,); arguments as of `path_score`.

    Example:
        >>> round(float(tf.exp(log_likelihood(tf.zeros((1, 2, 2, 2)), tf.constant([[0, 1]])))[0]), 3)  # one of four
        0.25
    """
    return path_score(scores, tags) - log_partition(scores)


def pair_marginals(scores: tf.Tensor) -> tf.Tensor:
    """The probability of each pair of neighbouring tags, (batch, time, tags, tags); the tag before step 0 is 0.

    Example:
        >>> pair_marginals(tf.zeros((1, 2, 2, 2)))[0, 0].numpy().round(2).tolist()
        [[0.5, 0.5], [0.0, 0.0]]
    """
    scores = _exact(scores)
    alphas = _alphas(scores)
    return _pairs(scores, alphas, _betas(scores), tf.reduce_logsumexp(alphas[-1], -1))


def marginals(scores: tf.Tensor) -> tf.Tensor:
    """The probability of each tag at each step, (batch, time, tags); masked steps repeat those of the step before.

    Example:
        >>> scores = tf.math.log(tf.constant([[[[0.25, 0.75], [1.0, 1.0]]]]))
        >>> marginals(scores).numpy().round(3).tolist()
        [[[0.25, 0.75]]]
    """
    return tf.reduce_sum(pair_marginals(scores), 2)


def viterbi(scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The best path of each row.

    Args:
        scores: (batch, time, tags, tags).

    Returns:
        (tags, score): int32 (batch, time), where masked steps repeat the tag before; and (batch,).

    Example:
        >>> tags, score = viterbi(tf.reshape(tf.range(8.0), (1, 2, 2, 2)))
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[1, 1]], [8.0])
    """
    tags, score = k_best(scores, 1)
    return tags[:, 0], score[:, 0]


def k_best(scores: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The `k` best paths of each row, the best first.

    Args:
        scores: (batch, time, tags, tags).
        k: number of paths.

    Returns:
        (tags, score): int32 (batch, k, time), and (batch, k). If there are fewer than `k` paths without a forbidden
        step, the score of the others is -infinity.

    Example:
        >>> tags, score = k_best(tf.reshape(tf.range(8.0), (1, 2, 2, 2)), 3)
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[[1, 1], [1, 0], [0, 1]]], [[8.0, 7.0, 5.0]])

    References:
        Seshadri and Sundberg, 1994, the parallel list algorithm, https://doi.org/10.1109/26.275299
    """
    steps = tf.transpose(_exact(scores), (1, 0, 2, 3))
    time, size = tf.shape(steps)[0], scores.shape[-1]
    batch = tf.shape(scores)[0]
    first = tf.where(tf.range(k)[:, None] + tf.range(size) == 0, tf.zeros((), steps.dtype), 2 * FORBIDDEN)
    best = tf.tile(first[None], [batch, 1, 1])  # (batch, k, tags)
    sources = tf.TensorArray(tf.int32, time, element_shape=(None, size, k))

    def forward(t: tf.Tensor, best: tf.Tensor, sources: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        candidates = best[..., None] + steps[t][:, None]  # (batch, k, from, to)
        candidates = tf.reshape(tf.transpose(candidates, (0, 3, 1, 2)), (batch, size, k * size))
        values, indices = tf.math.top_k(candidates, k)  # an index is rank * size + tag
        return t + 1, tf.transpose(values, (0, 2, 1)), sources.write(t, indices)

    _, best, sources = tf.while_loop(lambda t, *_: t < time, forward, (0, best, sources), maximum_iterations=time)
    score, index = tf.math.top_k(tf.reshape(best, (batch, k * size)), k)
    tags = tf.TensorArray(tf.int32, time + 1, element_shape=(None, k))  # from the tag before the first step

    def backward(t: tf.Tensor, index: tf.Tensor, tags: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        tag, rank = index % size, index // size
        before = tf.gather_nd(sources.read(t - 1), tf.stack([tag, rank], -1), batch_dims=1)
        return t - 1, before, tags.write(t, tag)

    _, index, tags = tf.while_loop(lambda t, *_: t > 0, backward, (time, index, tags), maximum_iterations=time)
    tags = tf.transpose(tags.write(0, index % size).stack()[1:], (1, 2, 0))
    return tags, tf.where(score < FORBIDDEN / 2, -float("inf"), score)


def span_log_probability(
    scores: tf.Tensor, tags: tf.Tensor, rows: tf.Tensor, first: tf.Tensor, last: tf.Tensor
) -> tf.Tensor:
    """The log-probability that a path has the tags of a span, summed over all tags before and after the span.

    Args:
        scores: (batch, time, tags, tags).
        tags: int (batch, time), the path that contains the spans.
        rows, first, last: int (spans,), the row of each span, and its first and last step.

    Returns:
        (spans,).

    Example:
        >>> scores = tf.math.log(tf.constant([[[[0.25, 0.75], [1.0, 1.0]], [[0.5, 0.5], [0.1, 0.9]]]]))
        >>> round(float(tf.exp(span_log_probability(scores, [[1, 1]], [0], [0], [1]))[0]), 3)  # 0.75 * 0.9
        0.675
    """
    scores = _exact(scores)
    tags, rows, first, last = (tf.cast(x, tf.int32) for x in (tags, rows, first, last))
    alphas, betas = _alphas(scores), _betas(scores)
    total = tf.reduce_logsumexp(alphas[-1], -1)
    alphas, betas = (tf.transpose(x[1:], (1, 0, 2)) for x in (alphas, betas))  # (batch, time, tags)
    score = tf.cumsum(_step_scores(scores, tags), -1)  # (batch, time)

    def at(x: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Elements of (batch, time), or of (batch, time, tags) at the tags of the path."""
        place = tf.stack([rows, step], -1)
        return tf.gather_nd(x, tf.stack([rows, step, tf.gather_nd(tags, place)], -1) if len(x.shape) == 3 else place)

    return at(alphas, first) + at(score, last) - at(score, first) + at(betas, last) - tf.gather(total, rows)


def _exact(scores: tf.Tensor) -> tf.Tensor:
    """Scores in float32, or in float64 as they are; forbidden steps keep their score."""
    found = exact(scores)
    return found if found.dtype == scores.dtype else tf.where(found < FORBIDDEN / 2, FORBIDDEN, found)


def _fill(tags: tf.Tensor) -> tf.Tensor:
    """Tags with each negative number replaced by the tag before it, or by 0 if there is none."""
    tags = tf.pad(tags, [[0, 0], [1, 0]])  # the tag before the first step is 0
    steps = tf.where(tags >= 0, tf.range(tf.shape(tags)[1]), 0)
    latest = tf.scan(tf.maximum, tf.transpose(steps))
    return tf.gather(tags, tf.transpose(latest), batch_dims=1)[:, 1:]


def _step_scores(scores: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
    """The score of each step of a path, (batch, time)."""
    before = tf.pad(tags, [[0, 0], [1, 0]])[:, :-1]
    return tf.gather(tf.gather(scores, before, batch_dims=2), tags, batch_dims=2)


def _alphas(scores: tf.Tensor) -> tf.Tensor:
    """Log-sums over the paths that end in each tag before the first step and of each step, (time + 1, batch, tags)."""
    start = tf.where(tf.range(scores.shape[-1]) == 0, tf.zeros((), scores.dtype), FORBIDDEN)
    steps = tf.transpose(scores, (1, 0, 2, 3))
    return _sweep(start, steps, lambda alpha, step: tf.reduce_logsumexp(alpha[:, :, None] + step, 1))


def _betas(scores: tf.Tensor) -> tf.Tensor:
    """Log-sums over the paths that continue from each tag, as `_alphas`."""
    end = tf.zeros(scores.shape[-1], scores.dtype)
    steps = tf.transpose(scores, (1, 0, 2, 3))[::-1]
    return _sweep(end, steps, lambda beta, step: tf.reduce_logsumexp(step + beta[:, None], 2))[::-1]


def _sweep(state: tf.Tensor, steps: tf.Tensor, advance: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """All states (time + 1, batch, tags): the first (tags,), and one after each step."""
    time, batch = tf.unstack(tf.shape(steps)[:2])
    state = tf.tile(state[None], [batch, 1])
    states = tf.TensorArray(steps.dtype, time + 1, element_shape=state.shape).write(0, state)

    def body(t: tf.Tensor, state: tf.Tensor, states: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        state = advance(state, steps[t])
        return t + 1, state, states.write(t + 1, state)

    _, _, states = tf.while_loop(lambda t, *_: t < time, body, (0, state, states), maximum_iterations=time)
    return states.stack()


def _pairs(scores: tf.Tensor, alphas: tf.Tensor, betas: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
    """Pairwise marginals from forward and backward log-sums and the log-partition (batch,)."""
    before, after = (tf.transpose(x, (1, 0, 2)) for x in (alphas[:-1], betas[1:]))
    return tf.exp(before[..., None] + scores + after[:, :, None] - total[:, None, None, None])
