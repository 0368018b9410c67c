"""Vocabularies: which number stands for which word or label."""

import functools
import json
from collections import Counter
from typing import TYPE_CHECKING

from seqtasks.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

PAD, UNK, BOS, EOS = 0, 1, 2, 3  # the ids of the special tokens: padding, unknown, begin and end of a sequence
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]"]  # their strings, which no tokenizer gives: brackets stand alone
PRUNE_AT = 2_000_000  # distinct words held while counting


class Vocabulary:
    """An ordered list of distinct strings, and the lookups in both directions as graph operations.

    Args:
        tokens: the strings; the number of each is its place. With `[PAD]` first and `[UNK]` second, other
            strings get the number 1; without them (labels) they get -1.

    Raises:
        ValueError: if a token appears twice.

    Example:
        >>> import tensorflow as tf
        >>> vocabulary = Vocabulary.learn([["a", "fine", "film"], ["a", "dull", "film"]], min_count=2)
        >>> vocabulary.tokens
        ['[PAD]', '[UNK]', 'a', 'film']
        >>> vocabulary.lookup(tf.constant(["film", "dog"])).numpy().tolist()
        [3, 1]
    """

    def __init__(self, tokens):
        self.tokens = list(tokens)
        if len(set(self.tokens)) != len(self.tokens):
            twice = Counter(self.tokens).most_common(1)[0][0]
            raise ValueError(f"the token {twice!r} appears twice in the vocabulary.")
        self.unknown = UNK if self.tokens[:2] == SPECIAL_TOKENS[:2] else -1

    def __len__(self):
        return len(self.tokens)

    @classmethod
    def learn(cls, chunks, max_size=None, min_count=1):
        """The most frequent words, ties in alphabetical order, after padding and UNK.

        Args:
            chunks: iterable of lists of words (`str` or UTF-8 `bytes`).
            max_size: how many tokens to keep, padding and UNK included; None keeps all.
            min_count: how often a word must appear.
        """
        ranked = list(count(chunks, min_count))
        return cls([*SPECIAL_TOKENS[:2], *ranked[: None if max_size is None else max(0, max_size - 2)]])

    @classmethod
    def labels(cls, labels):
        """The labels in their order: by number where all are numbers, else alphabetical.

        Example:
            >>> Vocabulary.labels({"10", "9", "1"}).tokens
            ['1', '9', '10']
        """
        try:
            return cls(sorted(labels, key=lambda label: (float(label), label)))
        except ValueError:
            return cls(sorted(labels))

    @functools.cached_property
    def tables(self):
        """The lookup tables string -> number and number -> string."""
        import tensorflow as tf

        with tf.init_scope():
            tokens, numbers = tf.constant(self.tokens), tf.range(len(self), dtype=tf.int32)
            forth = tf.lookup.KeyValueTensorInitializer(tokens, numbers)
            return tf.lookup.StaticHashTable(forth, self.unknown), tokens

    def lookup(self, strings):
        """Numbers (int32) of strings; dense or ragged, in the graph."""
        return self.tables[0].lookup(strings)

    def name(self, numbers):
        """Strings of numbers; the inverse of `lookup`."""
        import tensorflow as tf

        return tf.gather(self.tables[1], numbers)

    def text(self):
        """One JSON string a line, so that any string, one with a newline too, is a token that text tools can show."""
        return "".join(json.dumps(token, ensure_ascii=False) + "\n" for token in self.tokens)

    def save(self, path):
        """Write `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path):
        tokens = []
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if line:
                try:
                    token = json.loads(line)
                except json.JSONDecodeError:
                    token = None
                if not isinstance(token, str):
                    remedy = "each line is one JSON string, in quotes"
                    raise UserError(f"not a token: {line!r:.40}", where=f"{path}:{number}", remedy=remedy)
                tokens.append(token)
        return cls(tokens)


def count(chunks, least=1):
    """How often each word appears, from the most frequent on, ties in alphabetical order.

    Memory stays bounded on any number of words: past two million distinct ones the rarest are forgotten, which can only
    touch words that are rarer than any kept ones.

    Args:
        chunks: iterable of lists of words (`str` or UTF-8 `bytes`).
        least: how often a word must appear to count.

    Example:
        >>> count([["b", "a"], ["c", "b"]])
        {'b': 2, 'a': 1, 'c': 1}
    """
    counts = Counter()
    for chunk in chunks:
        counts.update(chunk)
        if len(counts) > PRUNE_AT:
            counts = Counter(dict(counts.most_common(PRUNE_AT // 2)))
    named = ((word.decode() if isinstance(word, bytes) else word, n) for word, n in counts.items() if n >= least)
    return dict(sorted(named, key=lambda item: (-item[1], item[0])))
