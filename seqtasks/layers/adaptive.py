"""A softmax over very many tokens that spends little on the rare ones."""

import functools
import itertools

import keras
import tensorflow as tf

from seqtasks.cells.affine import affine

SMALLEST = 8  # a tail cluster has at least so many features


@keras.saving.register_keras_serializable("seqtasks")
class AdaptiveSoftmax(keras.layers.Layer):
    """The log-likelihoods of tokens under a softmax in two steps: the frequent tokens or a cluster, then its tokens.

    Tokens are numbered by frequency, the most frequent first. The head scores those below the first cutoff and, with
    one entry each, the clusters between the cutoffs. Cluster i has its own softmax over vectors that a projection
    made `shrink ** i` times smaller, and is computed only for the places where one of its tokens follows::

        log p(w) = log p_head(w)                            if w is frequent
        log p(w) = log p_head(cluster i) + log p_i(w)       if w lies in cluster i

    | symbol  | attribute                                 | shape                                   |
    |---------|-------------------------------------------|-----------------------------------------|
    | head    | `head_kernel`, `head_bias`                | (size, cutoffs[0] + clusters)           |
    | P_i     | `tails[i - 1][0]`                         | (size, size / shrink ** i, at least 8)  |
    | tail i  | `tails[i - 1][1]`, `tails[i - 1][2]`      | (features of P_i, tokens of cluster i)  |

    Args:
        tokens: size of the vocabulary.
        cutoffs: numbers of the tokens at which the clusters begin, rising; `cutoffs_for` gives some. Without any it is
            a plain softmax.
        shrink: how many times smaller the vectors get from cluster to cluster.

    Call arguments:
        vectors: (batch, time, size).
        following: int (batch, time), the token that follows; negative where there is none.

    Output shape:
        (batch, time), log-likelihoods in nats, 0 where nothing follows; float32, or float64 of a float64 layer.

    Raises:
        ValueError: if the cutoffs do not rise from above 0 to below `tokens`.

    Example:
        >>> layer = AdaptiveSoftmax(tokens=100, cutoffs=(20, 50))
        >>> vectors = tf.ones((1, 3, 16))
        >>> found = layer(vectors, tf.constant([[4, 99, -1]]))
        >>> found.shape, float(found[0, 2])
        (TensorShape([1, 3]), 0.0)
        >>> bool(abs(found[0, 1] - layer.logits(vectors)[0, 1, 99]) < 1e-5)
        True

    References:
        Grave et al., 2017, https://arxiv.org/abs/1609.04309
    """

    def __init__(self, tokens, cutoffs, shrink=4.0, **kwargs):
        super().__init__(**kwargs)
        self.bounds = [0, *cutoffs, tokens]
        if any(low >= high for low, high in itertools.pairwise(self.bounds)):
            raise ValueError(
                f"AdaptiveSoftmax: cutoffs must rise from above 0 to below {tokens} tokens, got {list(cutoffs)}."
            )
        self.tokens, self.cutoffs, self.shrink = tokens, list(cutoffs), shrink
        self.supports_masking = True

    @staticmethod
    def cutoffs_for(tokens):
        """The cutoffs for a vocabulary: at 2,000, and for 20,000 tokens or more at a fifth of them.

        Returns:
            Tuple of ints, empty below 4,000 tokens, where a plain softmax costs little.

        Example:
            >>> [AdaptiveSoftmax.cutoffs_for(tokens) for tokens in (1000, 10_000, 50_000)]
            [(), (2000,), (2000, 10000)]
        """
        if tokens < 4000:
            return ()
        return (2000,) if tokens < 20_000 else (2000, tokens // 5)

    def build(self, vectors_shape, following_shape=None):
        size, entries = vectors_shape[-1], self.bounds[1] + len(self.cutoffs)
        self.head_kernel = self.add_weight(shape=(size, entries), name="head_kernel")
        self.head_bias = self.add_weight(shape=(entries,), initializer="zeros", name="head_bias")
        self.tails = []
        for number, (low, high) in enumerate(itertools.pairwise(self.bounds[1:]), 1):
            features = max(SMALLEST, int(size // self.shrink**number))
            projection = self.add_weight(shape=(size, features), name=f"projection_{number}")
            kernel = self.add_weight(shape=(features, high - low), name=f"tail_kernel_{number}")
            bias = self.add_weight(shape=(high - low,), initializer="zeros", name=f"tail_bias_{number}")
            self.tails.append((projection, kernel, bias))

    def call(self, vectors, following):
        cutoffs = tf.constant(self.cutoffs, following.dtype)
        cluster = tf.reduce_sum(tf.cast(following[..., None] >= cutoffs, following.dtype), -1)  # 0 is the head
        entries = tf.where(cluster > 0, self.bounds[1] - 1 + cluster, following)
        found = _log_likelihoods(following >= 0, self._head, vectors, entries)
        for number, low in enumerate(self.cutoffs, 1):
            tail = functools.partial(self._tail, number)
            found += _log_likelihoods(cluster == number, tail, vectors, following - low)
        return found

    def logits(self, vectors):
        """The log-probabilities of all tokens.

        Args:
            vectors: (..., size).

        Returns:
            (..., tokens), float32, or float64 of float64 vectors.
        """
        head = tf.nn.log_softmax(self._head(vectors))
        frequent, *clusters = tf.split(head, [self.bounds[1]] + [1] * len(self.cutoffs), -1)
        rare = [c + tf.nn.log_softmax(self._tail(number, vectors)) for number, c in enumerate(clusters, 1)]
        return tf.concat([frequent, *rare], -1)

    def _head(self, vectors):
        return _scores(vectors, self.head_kernel, self.head_bias)

    def _tail(self, number, vectors):
        projection, kernel, bias = self.tails[number - 1]
        return _scores(affine(vectors, tf.cast(projection, vectors.dtype)), kernel, bias)

    def compute_output_spec(self, vectors, following):
        return keras.KerasTensor(following.shape, dtype="float64" if self.compute_dtype == "float64" else "float32")

    def compute_mask(self, vectors, previous_mask=None):
        return None

    def get_config(self):
        names = ("tokens", "cutoffs", "shrink")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _scores(vectors, kernel, bias):
    """Logits in float32 or float64 of vectors in any precision."""
    scores = affine(vectors, tf.cast(kernel, vectors.dtype), tf.cast(bias, vectors.dtype))
    return scores if scores.dtype == tf.float64 else tf.cast(scores, tf.float32)


def _log_likelihoods(chosen, scores, vectors, targets):
    """The log-probabilities of the targets at the chosen places (batch, time), 0 elsewhere."""
    places = tf.where(chosen)
    found = _log_softmax_at(scores(tf.gather_nd(vectors, places)), tf.cast(tf.gather_nd(targets, places), tf.int32))
    return tf.scatter_nd(places, found, tf.shape(chosen, tf.int64))


@tf.custom_gradient
def _log_softmax_at(logits, targets):
    """The log-probability of one target a row (rows,); written out for speed, see `seqtasks.losses`."""
    places = tf.stack([tf.range(tf.size(targets)), targets], 1)
    highest = tf.reduce_max(logits, -1)
    powers = tf.exp(logits - highest[:, None])
    total = tf.reduce_sum(powers, -1)

    def gradient(upstream):
        into = powers * (-upstream / total)[:, None]
        return tf.tensor_scatter_nd_add(into, places, upstream), None

    return tf.gather_nd(logits, places) - highest - tf.math.log(total), gradient
