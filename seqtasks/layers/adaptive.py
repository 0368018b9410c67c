"""A softmax over a large vocabulary that spends little time on rare tokens."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from seqtasks.cells.affine import affine
from seqtasks.cells.cell import Shape

MIN_FEATURES = 8  # smallest size to which the projection of a cluster reduces the vectors


@keras.saving.register_keras_serializable("seqtasks")
class AdaptiveSoftmax(keras.layers.Layer):
    """Log-likelihoods of tokens under a softmax in two steps: the frequent tokens and the clusters, then each cluster.

    Tokens are numbered by frequency, the most frequent first. The head scores those below the first cutoff and, with
    one entry each, the clusters between the cutoffs. Cluster i has its own softmax over projected vectors, which are
    `shrink ** i` times smaller. It is computed only at the positions whose target belongs to the cluster::

        log p(w) = log p_head(w)                            if w is frequent
        log p(w) = log p_head(cluster i) + log p_i(w)       if w belongs to cluster i

    | symbol  | attribute                                 | shape                                   |
    |---------|-------------------------------------------|-----------------------------------------|
    | head    | `head_kernel`, `head_bias`                | (size, cutoffs[0] + clusters)           |
    | P_i     | `tails[i - 1][0]`                         | (size, size / shrink ** i, at least 8)  |
    | tail i  | `tails[i - 1][1]`, `tails[i - 1][2]`      | (features of P_i, tokens of cluster i)  |

    Args:
        tokens: size of the vocabulary.
        cutoffs: increasing numbers of the tokens at which the clusters begin; see `cutoffs_for`. Without any it is a
            plain softmax.
        shrink: factor by which the vectors become smaller from cluster to cluster.

    Call arguments:
        vectors: (batch, time, size).
        targets: int (batch, time); negative where there is no target.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 where there is no target; float32, or float64 for a float64 layer.

    Raises:
        ValueError: if the cutoffs do not increase from above 0 to below `tokens`.

    Example:
        >>> layer = AdaptiveSoftmax(tokens=100, cutoffs=(20, 50))
        >>> vectors = tf.ones((1, 3, 16))
        >>> log_probs = layer(vectors, tf.constant([[4, 99, -1]]))
        >>> log_probs.shape, float(log_probs[0, 2])
        (TensorShape([1, 3]), 0.0)
        >>> bool(abs(log_probs[0, 1] - layer.logits(vectors)[0, 1, 99]) < 1e-5)
        True

    References:
        Grave et al., 2017, https://arxiv.org/abs/1609.04309
    """

    def __init__(self, tokens: int, cutoffs: Sequence[int], shrink: float = 4.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bounds = [0, *cutoffs, tokens]
        if any(low >= high for low, high in itertools.pairwise(self.bounds)):
            raise ValueError(
                f"AdaptiveSoftmax: cutoffs must increase from above 0 to below {tokens} tokens, got {list(cutoffs)}."
            )
        self.tokens, self.cutoffs, self.shrink = tokens, list(cutoffs), shrink
        self.supports_masking = True

    @property
    def row_axes(self) -> dict[str, tuple[int, ...]]:
        """The axes of weights that are numbered by the last tokens."""
        last = len(self.cutoffs)
        kernel, bias = (f"tail_kernel_{last}", f"tail_bias_{last}") if last else ("head_kernel", "head_bias")
        return {kernel: (1,), bias: (0,)}

    @staticmethod
    def cutoffs_for(tokens: int) -> tuple[int, ...]:
        """Default cutoffs for a vocabulary: at 2,000, and from 20,000 tokens on also at a fifth of the tokens.

        Args:
            tokens: size of the vocabulary.

        Returns:
            Tuple of ints, empty below 4,000 tokens, for which a plain softmax is cheap.

        Example:
            >>> [AdaptiveSoftmax.cutoffs_for(tokens) for tokens in (1000, 10_000, 50_000)]
            [(), (2000,), (2000, 10000)]
        """
        if tokens < 4000:
            return ()
        return (2000,) if tokens < 20_000 else (2000, tokens // 5)

    def build(self, vectors_shape: tuple[int | None, int | None, int], targets_shape: Shape | None = None) -> None:
        size, entries = vectors_shape[-1], self.bounds[1] + len(self.cutoffs)
        self.head_kernel = self.add_weight(shape=(size, entries), name="head_kernel")
        self.head_bias = self.add_weight(shape=(entries,), initializer="zeros", name="head_bias")
        self.tails: list[tuple[keras.Variable, keras.Variable, keras.Variable]] = []  # projection, kernel, bias
        for number, (low, high) in enumerate(itertools.pairwise(self.bounds[1:]), 1):
            features = max(MIN_FEATURES, int(size // self.shrink**number))
            projection = self.add_weight(shape=(size, features), name=f"projection_{number}")
            kernel = self.add_weight(shape=(features, high - low), name=f"tail_kernel_{number}")
            bias = self.add_weight(shape=(high - low,), initializer="zeros", name=f"tail_bias_{number}")
            self.tails.append((projection, kernel, bias))

    def call(self, vectors: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        cutoffs = tf.constant(self.cutoffs, targets.dtype)
        cluster = tf.reduce_sum(tf.cast(targets[..., None] >= cutoffs, targets.dtype), -1)  # 0: frequent
        entries = tf.where(cluster > 0, self.bounds[1] - 1 + cluster, targets)
        log_probs = _log_likelihoods(targets >= 0, self._head, vectors, entries)
        for number, low in enumerate(self.cutoffs, 1):
            tail = functools.partial(self._tail, number)
            log_probs += _log_likelihoods(cluster == number, tail, vectors, targets - low)
        return log_probs

    def logits(self, vectors: tf.Tensor) -> tf.Tensor:
        """The log-probabilities of all tokens.

        Args:
            vectors: (..., size).

        Returns:
            (..., tokens), float32, or float64 for float64 vectors.
        """
        head = tf.nn.log_softmax(self._head(vectors))
        frequent, *clusters = tf.split(head, [self.bounds[1]] + [1] * len(self.cutoffs), -1)
        rare = [c + tf.nn.log_softmax(self._tail(number, vectors)) for number, c in enumerate(clusters, 1)]
        return tf.concat([frequent, *rare], -1)

    def _head(self, vectors: tf.Tensor) -> tf.Tensor:
        return _scores(vectors, self.head_kernel, self.head_bias)

    def _tail(self, number: int, vectors: tf.Tensor) -> tf.Tensor:
        projection, kernel, bias = self.tails[number - 1]
        return _scores(affine(vectors, tf.cast(projection, vectors.dtype)), kernel, bias)

    def compute_output_spec(self, vectors: keras.KerasTensor, targets: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(targets.shape, dtype="float64" if self.compute_dtype == "float64" else "float32")

    def compute_mask(self, vectors: tf.Tensor, previous_mask: tf.Tensor | None = None) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        names = ("tokens", "cutoffs", "shrink")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _scores(vectors: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Logits in float32 or float64, from vectors in any precision."""
    scores = affine(vectors, tf.cast(kernel, vectors.dtype), tf.cast(bias, vectors.dtype))
    return scores if scores.dtype == tf.float64 else tf.cast(scores, tf.float32)


def _log_likelihoods(
    selected: tf.Tensor, scores: Callable[[tf.Tensor], tf.Tensor], vectors: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """The log-probabilities of the targets at the selected positions (batch, time), 0 elsewhere."""
    positions = tf.where(selected)
    targets = tf.cast(tf.gather_nd(targets, positions), tf.int32)
    log_probs = _log_softmax_at(scores(tf.gather_nd(vectors, positions)), targets)
    return tf.scatter_nd(positions, log_probs, tf.shape(selected, tf.int64))


@tf.custom_gradient
def _log_softmax_at(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """The log-probability of one target a row (rows,), with an explicit gradient for speed; see `seqtasks.losses`."""
    positions = tf.stack([tf.range(tf.size(targets)), targets], 1)
    highest = tf.reduce_max(logits, -1)
    powers = tf.exp(logits - highest[:, None])
    total = tf.reduce_sum(powers, -1)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        grad = powers * (-upstream / total)[:, None]
        return tf.tensor_scatter_nd_add(grad, positions, upstream), None

    return tf.gather_nd(logits, positions) - highest - tf.math.log(total), gradient
