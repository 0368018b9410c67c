"""Words to subwords inside the graph, as `sentencepiece` cuts them: the likeliest pieces, or pairs merged by rank.

All words lie in one vector of code points, a `BREAK` before, between and behind them, so that a batch costs by the
letter and not by its longest word. A number below 4 is no piece; 1 stands for what is unknown.
"""

import numpy as np
import tensorflow as tf

FIRST = 4  # the number of the first piece
LONGEST = 1000  # letters; a longer word is cut behind so many, or one word could hold up a batch for minutes
BREAK = 2**21 - 1  # no code point
PENALTY = 10.0  # how far an unknown letter scores below the worst piece


class Subwords(tf.Module):
    """What both ways share: a table (state, code) -> state, and how words become letters and numbers become words."""

    def __init__(self, edges):
        super().__init__()
        keys = tf.constant([_key(*edge) for edge in edges], tf.int64)
        initializer = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(list(edges.values()), tf.int64))
        self.table = tf.lookup.StaticHashTable(initializer, 0)

    def __call__(self, words):
        """The numbers of the pieces of each word.

        Args:
            words: string (words,), valid UTF-8, none empty.

        Returns:
            A ragged int32 tensor (words, None); neighbouring unknown letters are one 1.
        """
        letters = tf.strings.unicode_decode(words, "UTF-8")
        first = letters.row_starts()
        parts = tf.ragged.range(first, first + letters.row_lengths(), LONGEST)
        flat, word = tf.cast(letters.flat_values, tf.int64), parts.value_rowids()
        letters = tf.RaggedTensor.from_row_starts(flat, parts.flat_values, validate=False)
        letters = tf.concat([letters, tf.fill([letters.nrows(), 1], tf.constant(BREAK, tf.int64))], 1)
        numbers = tf.cast(self.numbers(tf.concat([[BREAK], letters.flat_values], 0)), tf.int32)[1:]

        rows = tf.gather(word, letters.value_rowids())
        kept = tf.where(numbers > 0)[:, 0]
        numbers, rows = tf.gather(numbers, kept), tf.gather(rows, kept)
        run = (numbers[1:] == 1) & (numbers[:-1] == 1) & (rows[1:] == rows[:-1])
        kept = tf.where(~tf.concat([tf.zeros_like(numbers[:1], tf.bool), run], 0))[:, 0]
        numbers, rows = tf.gather(numbers, kept), tf.gather(rows, kept)
        return tf.RaggedTensor.from_value_rowids(numbers, rows, tf.size(words, tf.int64), validate=False)


class Unigram(Subwords):
    """The pieces whose scores add up to the most, by dynamic programming; of equal sums the one with the longer end.

    Args:
        tokens: pieces, behind four that are none.
        scores: the logarithm of the probability of each.

    Example:
        >>> unigram = Unigram([*"0123", "a", "b", "ab"], [0, 0, 0, 0, -1.0, -1.0, -1.5])
        >>> unigram(tf.constant(["abba", "a??b"])).to_list()
        [[6, 5, 4], [4, 1, 5]]

    References:
        Kudo, 2018, equations 1 and 4, https://aclanthology.org/P18-1007
    """

    def __init__(self, tokens, scores):
        states = {piece: number for number, piece in enumerate(tokens) if number >= FIRST} | {"": 0}
        edges = {}  # the trie of the pieces; the state behind a whole piece is its number, others are larger
        for piece in tokens[FIRST:]:
            for i, letter in enumerate(piece):
                after = states.setdefault(piece[: i + 1], len(tokens) + len(states))
                edges[states[piece[:i]], ord(letter)] = after
        super().__init__(edges)
        self.size = len(tokens)
        self.longest = max((len(piece) for piece in tokens[FIRST:]), default=1)
        scores = np.array(scores, np.float32)
        scores[0], scores[1] = -np.inf, min(scores[FIRST:], default=np.float32(0)) - np.float32(PENALTY)
        self.scores = tf.constant(scores)

    def numbers(self, letters):
        """At the last letter of each piece its number, 0 elsewhere."""
        pieces = self._pieces(letters)
        columns = self._best(letters, tf.gather(self.scores, pieces))
        places = tf.range(tf.size(letters))
        live = letters != BREAK
        before = tf.where(live, places - self.longest + columns, places)  # where the best piece that ends here began
        reached = tf.cast(live & (tf.concat([letters[1:], [BREAK]], 0) == BREAK), tf.int32)

        def double(
            span, reached, before
        ):  # after n rounds all that lies less than 2^n pieces before the end is reached
            reached = tf.maximum(reached, tf.math.unsorted_segment_max(reached, before, tf.size(before)))
            return span * 2, reached, tf.gather(before, before)

        _, reached, _ = tf.while_loop(lambda span, *_: span <= LONGEST, double, (1, reached, before))
        return tf.where(live & (reached > 0), tf.gather(pieces, columns, batch_dims=1), 0)

    def _pieces(self, letters):
        """The pieces that end at each letter, (letters, longest), the longest first, 0 where there is none."""
        at = tf.range(tf.size(letters))
        state = tf.zeros_like(letters)
        places, found = [], []
        for column in reversed(range(self.longest)):
            state = self.table.lookup(_key(state, tf.gather(letters, at)))
            live = tf.where(state > 0)[:, 0]
            state, at = tf.gather(state, live), tf.gather(at, live)
            whole = tf.where(state < self.size)[:, 0]
            ends = tf.gather(at, whole)
            places.append(tf.stack([ends, tf.fill(tf.shape(ends), column)], 1))
            found.append(tf.gather(state, whole))
            at += 1
        shape = (tf.size(letters), self.longest)
        pieces = tf.scatter_nd(tf.concat(places, 0), tf.cast(tf.concat(found, 0), tf.int32), shape)
        return tf.concat([pieces[:, :-1], tf.maximum(pieces[:, -1:], 1)], 1)

    def _best(self, letters, gains):
        """The column of the piece on the best way to each letter, (letters,)."""
        breaks = tf.where(letters == BREAK)[:, 0]
        lengths = tf.cast(breaks[1:] - breaks[:-1] - 1, tf.int32)
        order = tf.argsort(lengths, direction="DESCENDING")
        lengths, starts = tf.gather(lengths, order), tf.cast(tf.gather(breaks, order), tf.int32)
        lead = tf.constant([[-np.inf] * (self.longest - 1) + [0.0]], tf.float32)

        def step(t, scores, columns):  # scores (words, longest): of the best ways to the letters before
            live = tf.reduce_sum(tf.cast(lengths >= t, tf.int32))
            places = starts[:live] + t
            score, column = tf.math.top_k(scores[:live] + tf.gather(gains, places), 1)
            columns = tf.tensor_scatter_nd_update(columns, places[:, None], column[:, 0])
            return t + 1, tf.concat([scores[:live, 1:], score], 1), columns

        state = (1, tf.repeat(lead, tf.size(starts), 0), tf.zeros_like(letters, tf.int32))
        shapes = (tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None]))
        return tf.while_loop(lambda t, *_: tf.reduce_any(lengths >= t), step, state, shape_invariants=shapes)[2]


class Merges(Subwords):
    """Neighbouring pieces become one while any two make a piece: those of the best score first, from left to right.

    Args:
        tokens: pieces, behind four that are none; each letter of a piece is a piece.
        scores: the higher, the earlier a piece is made.

    Example:
        >>> merges = Merges([*"0123", "a", "b", "ab", "ba"], [0, 0, 0, 0, -3.0, -4.0, -1.0, -2.0])
        >>> merges(tf.constant(["abba", "a??b"])).to_list()
        [[6, 7], [4, 1, 5]]

    References:
        Sennrich et al., 2016, section 3.2, https://aclanthology.org/P16-1162
    """

    def __init__(self, tokens, scores):
        numbers = {piece: number for number, piece in enumerate(tokens) if number >= FIRST}
        edges = {(0, ord(piece)): number for piece, number in numbers.items() if len(piece) == 1}
        for piece, number in numbers.items():
            pairs = ((piece[:i], piece[i:]) for i in range(1, len(piece)))
            edges |= {(numbers[a], numbers[b]): number for a, b in pairs if a in numbers and b in numbers}
        super().__init__(edges)
        self.ranks = tf.constant(np.unique(np.array(scores, np.float32), return_inverse=True)[1], tf.int64)

    def numbers(self, letters):
        """At the first letter of each piece its number, 0 elsewhere."""
        places = tf.range(tf.size(letters, tf.int64))
        words = tf.cumsum(tf.cast(letters == BREAK, tf.int32)) - 1
        pieces = tf.maximum(self.table.lookup(_key(0, letters)), 1)  # a break is as unknown: it joins with nothing
        worths = self._worths(places, pieces, tf.concat([pieces[1:], [1]], 0))

        def merge(pieces, before, after, worths):
            best = tf.math.segment_max(worths, words)
            left = _place(tf.boolean_mask(best, best >= 0))
            right = tf.gather(after, left)
            beyond = tf.gather(after, right)
            made = self.table.lookup(_key(tf.gather(pieces, left), tf.gather(pieces, right)))
            pieces = _put(pieces, [left, right], [made, tf.zeros_like(made)])
            after, before = _put(after, [left], [beyond]), _put(before, [beyond], [left])
            ahead = tf.gather(before, left)
            worth = self._worths(left, made, tf.gather(pieces, beyond))
            worths = _put(worths, [left, right], [worth, tf.fill(tf.shape(right), -1)])
            return pieces, before, after, _put(worths, [ahead], [self._worths(ahead, tf.gather(pieces, ahead), made)])

        state = (pieces, places - 1, places + 1, worths)
        pieces = tf.while_loop(lambda *state: tf.reduce_any(state[-1] >= 0), merge, state)[0]
        return tf.where(letters != BREAK, pieces, 0)

    def _worths(self, places, left, right):
        """What orders the pairs that make a piece, by rank and then from the left; -1 for those that make none."""
        made = self.table.lookup(_key(left, right))
        return tf.where(made > 0, tf.gather(self.ranks, made) * 2**32 + 2**32 - 1 - places, -1)


def _key(state, code):
    return state * 2**21 + code


def _place(worths):
    """The place that `Merges._worths` put into its lower half."""
    return 2**32 - 1 - worths % 2**32


def _put(values, places, news):
    news = [tf.cast(new, values.dtype) for new in news]
    return tf.tensor_scatter_nd_update(values, tf.concat(places, 0)[:, None], tf.concat(news, 0))
