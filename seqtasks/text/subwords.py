"""Words to subwords inside the graph, as in `sentencepiece`: the most probable pieces, or pairs merged by rank.

All words are in one vector of code points, with a `BREAK` before, between and after them, so that the cost of a batch
depends on its number of letters and not on its longest word. Ids below 4 are not pieces; 1 is unknown.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from seqtasks.data.token_ids import PAD, SPECIAL_TOKENS, UNK

FIRST = len(SPECIAL_TOKENS)  # the id of the first piece
LONGEST = 1000  # letters; a longer word is cut into parts of this length, or one word could take minutes
BREAK = 2**21 - 1  # not a code point
PENALTY = 10.0  # difference between the scores of the worst piece and an unknown letter


class Subwords(tf.Module):
    """The base of both algorithms: a table (state, code) -> state, from words to letters, from letters to ids of words.

    A subclass implements `_ids`.

    Args:
        edges: {(state, code): state}, all positive but the state 0.
    """

    def __init__(self, edges: dict[tuple[int, int], int]) -> None:
        super().__init__()
        keys = tf.constant([_key(*edge) for edge in edges], tf.int64)
        initializer = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(list(edges.values()), tf.int64))
        self.table = tf.lookup.StaticHashTable(initializer, 0)

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        """The ids of the pieces of each word.

        Args:
            words: string (words,), valid UTF-8, none empty.

        Returns:
            A ragged int32 tensor (words, None); adjacent unknown letters are one `UNK`.
        """
        letters = tf.strings.unicode_decode(words, "UTF-8")
        first = letters.row_starts()
        parts = tf.ragged.range(first, first + letters.row_lengths(), LONGEST)
        flat, word = tf.cast(letters.flat_values, tf.int64), parts.value_rowids()
        letters = tf.RaggedTensor.from_row_starts(flat, parts.flat_values, validate=False)
        letters = tf.concat([letters, tf.fill([letters.nrows(), 1], tf.constant(BREAK, tf.int64))], 1)
        ids = tf.cast(self._ids(tf.concat([[BREAK], letters.flat_values], 0)), tf.int32)[1:]

        rows = tf.gather(word, letters.value_rowids())
        kept = tf.where(ids > 0)[:, 0]
        ids, rows = tf.gather(ids, kept), tf.gather(rows, kept)
        repeats = (ids[1:] == UNK) & (ids[:-1] == UNK) & (rows[1:] == rows[:-1])
        kept = tf.where(~tf.concat([tf.zeros_like(ids[:1], tf.bool), repeats], 0))[:, 0]
        ids, rows = tf.gather(ids, kept), tf.gather(rows, kept)
        return tf.RaggedTensor.from_value_rowids(ids, rows, tf.size(words, tf.int64), validate=False)

    def _ids(self, letters: tf.Tensor) -> tf.Tensor:
        """One id for each piece at one of its letters (letters,), 0 at the other letters."""
        raise NotImplementedError


class Unigram(Subwords):
    """The pieces with the highest sum of scores, by dynamic programming; in a tie, the longer last piece wins.

    Args:
        tokens: the four special tokens, then pieces.
        scores: the logarithm of the probability of each.

    Example:
        >>> unigram = Unigram([*"0123", "a", "b", "ab"], [0, 0, 0, 0, -1.0, -1.0, -1.5])
        >>> unigram(tf.constant(["abba", "a??b"])).to_list()
        [[6, 5, 4], [4, 1, 5]]

    References:
        Kudo, 2018, equations 1 and 4, https://aclanthology.org/P18-1007
    """

    def __init__(self, tokens: Sequence[str], scores: Sequence[float]) -> None:
        states = {piece: number for number, piece in enumerate(tokens) if number >= FIRST} | {"": 0}
        edges = {}  # the trie of the pieces; the state after a whole piece is its id, others are larger
        for piece in tokens[FIRST:]:
            for i, letter in enumerate(piece):
                after = states.setdefault(piece[: i + 1], len(tokens) + len(states))
                edges[states[piece[:i]], ord(letter)] = after
        super().__init__(edges)
        self.size = len(tokens)
        self.longest = max((len(piece) for piece in tokens[FIRST:]), default=1)
        table = np.array(scores, np.float32)
        table[PAD], table[UNK] = -np.inf, min(table[FIRST:], default=np.float32(0)) - np.float32(PENALTY)
        self.scores = tf.constant(table)

    def _ids(self, letters: tf.Tensor) -> tf.Tensor:
        """The id of each piece at its last letter, 0 elsewhere."""
        pieces = self._pieces(letters)
        columns = self._best(letters, tf.gather(self.scores, pieces))
        places = tf.range(tf.size(letters))
        live = letters != BREAK
        before = tf.where(live, places - self.longest + columns, places)  # where the best piece that ends here begins
        reached = tf.cast(live & (tf.concat([letters[1:], [BREAK]], 0) == BREAK), tf.int32)

        def double(span: tf.Tensor, reached: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            """After n rounds all ends of pieces are reached that lie less than 2^n pieces before the end of a word."""
            reached = tf.maximum(reached, tf.math.unsorted_segment_max(reached, before, tf.size(before)))
            return span * 2, reached, tf.gather(before, before)

        _, reached, _ = tf.while_loop(lambda span, *_: span <= LONGEST, double, (1, reached, before))
        return tf.where(live & (reached > 0), tf.gather(pieces, columns, batch_dims=1), 0)

    def _pieces(self, letters: tf.Tensor) -> tf.Tensor:
        """The pieces that end at each letter, (letters, longest), the longest first, 0 where there is none."""
        at = tf.range(tf.size(letters))
        state = tf.zeros_like(letters)
        places, ids = [], []
        for column in reversed(range(self.longest)):
            state = self.table.lookup(_key(state, tf.gather(letters, at)))
            live = tf.where(state > 0)[:, 0]
            state, at = tf.gather(state, live), tf.gather(at, live)
            whole = tf.where(state < self.size)[:, 0]
            ends = tf.gather(at, whole)
            places.append(tf.stack([ends, tf.fill(tf.shape(ends), column)], 1))
            ids.append(tf.gather(state, whole))
            at += 1
        shape = (tf.size(letters), self.longest)
        pieces = tf.scatter_nd(tf.concat(places, 0), tf.cast(tf.concat(ids, 0), tf.int32), shape)
        return tf.concat([pieces[:, :-1], tf.maximum(pieces[:, -1:], 1)], 1)

    def _best(self, letters: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
        """The column of the last piece of the best segmentation up to each letter, (letters,)."""
        breaks = tf.where(letters == BREAK)[:, 0]
        lengths = tf.cast(breaks[1:] - breaks[:-1] - 1, tf.int32)
        order = tf.argsort(lengths, direction="DESCENDING")
        lengths, starts = tf.gather(lengths, order), tf.cast(tf.gather(breaks, order), tf.int32)
        lead = tf.constant([[-np.inf] * (self.longest - 1) + [0.0]], tf.float32)

        def step(t: tf.Tensor, scores: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            # scores (words, longest): of the best segmentations up to the letters before
            live = tf.reduce_sum(tf.cast(lengths >= t, tf.int32))
            places = starts[:live] + t
            score, column = tf.math.top_k(scores[:live] + tf.gather(gains, places), 1)
            columns = tf.tensor_scatter_nd_update(columns, places[:, None], column[:, 0])
            return t + 1, tf.concat([scores[:live, 1:], score], 1), columns

        state = (1, tf.repeat(lead, tf.size(starts), 0), tf.zeros_like(letters, tf.int32))
        shapes = (tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None]))
        return tf.while_loop(lambda t, *_: tf.reduce_any(lengths >= t), step, state, shape_invariants=shapes)[2]


class Merges(Subwords):
    """Adjacent pieces are merged while any two make a piece: those with the best score first, from left to right.

    Args:
        tokens: the four special tokens, then pieces; each letter of a piece is a piece.
        scores: of each piece; pieces with higher scores are made earlier.

    Example:
        >>> merges = Merges([*"0123", "a", "b", "ab", "ba"], [0, 0, 0, 0, -3.0, -4.0, -1.0, -2.0])
        >>> merges(tf.constant(["abba", "a??b"])).to_list()
        [[6, 7], [4, 1, 5]]

    References:
        Sennrich et al., 2016, section 3.2, https://aclanthology.org/P16-1162
    """

    def __init__(self, tokens: Sequence[str], scores: Sequence[float]) -> None:
        ids = {piece: number for number, piece in enumerate(tokens) if number >= FIRST}
        edges = {(0, ord(piece)): number for piece, number in ids.items() if len(piece) == 1}
        for piece, number in ids.items():
            pairs = ((piece[:i], piece[i:]) for i in range(1, len(piece)))
            edges |= {(ids[a], ids[b]): number for a, b in pairs if a in ids and b in ids}
        super().__init__(edges)
        self.ranks = tf.constant(np.unique(np.array(scores, np.float32), return_inverse=True)[1], tf.int64)

    def _ids(self, letters: tf.Tensor) -> tf.Tensor:
        """The id of each piece at its first letter, 0 elsewhere."""
        places = tf.range(tf.size(letters, tf.int64))
        words = tf.cumsum(tf.cast(letters == BREAK, tf.int32)) - 1
        pieces = tf.maximum(self.table.lookup(_key(0, letters)), 1)  # a break is unknown too: it merges with nothing
        priorities = self._priorities(places, pieces, tf.concat([pieces[1:], [1]], 0))

        def merge(pieces: tf.Tensor, before: tf.Tensor, after: tf.Tensor, priorities: tf.Tensor) -> tuple:
            best = tf.math.segment_max(priorities, words)
            left = _place(tf.boolean_mask(best, best >= 0))
            right = tf.gather(after, left)
            beyond = tf.gather(after, right)
            made = self.table.lookup(_key(tf.gather(pieces, left), tf.gather(pieces, right)))
            pieces = _put(pieces, [left, right], [made, tf.zeros_like(made)])
            after, before = _put(after, [left], [beyond]), _put(before, [beyond], [left])
            ahead = tf.gather(before, left)
            priority = self._priorities(left, made, tf.gather(pieces, beyond))
            priorities = _put(priorities, [left, right], [priority, tf.fill(tf.shape(right), -1)])
            priority = self._priorities(ahead, tf.gather(pieces, ahead), made)
            return pieces, before, after, _put(priorities, [ahead], [priority])

        state = (pieces, places - 1, places + 1, priorities)
        pieces = tf.while_loop(lambda *state: tf.reduce_any(state[-1] >= 0), merge, state)[0]
        return tf.where(letters != BREAK, pieces, 0)

    def _priorities(self, places: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """The order of merging pairs into pieces, by rank and then from the left; -1 for pairs that make no piece."""
        made = self.table.lookup(_key(left, right))
        return tf.where(made > 0, tf.gather(self.ranks, made) * 2**32 + 2**32 - 1 - places, -1)


def _key(state: tf.Tensor | int, code: tf.Tensor | int) -> tf.Tensor | int:
    return state * 2**21 + code


def _place(priorities: tf.Tensor) -> tf.Tensor:
    """The place that `Merges._priorities` puts into its lower half."""
    return 2**32 - 1 - priorities % 2**32


def _put(values: tf.Tensor, places: list[tf.Tensor], updates: list[tf.Tensor]) -> tf.Tensor:
    """`values` with the updates at the places."""
    updates = [tf.cast(update, values.dtype) for update in updates]
    return tf.tensor_scatter_nd_update(values, tf.concat(places, 0)[:, None], tf.concat(updates, 0))
