"""Vocabularies: the ids of words or labels."""

import functools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from seqtasks.data.token_ids import SPECIAL_TOKENS, UNK
from seqtasks.errors import UserError

PRUNE_AT = 2_000_000  # distinct words held while counting


class Vocabulary:
    """An ordered list of distinct strings, with lookups in both directions as graph operations.

    Args:
        tokens: the strings; the id of each is its index. If `[PAD]` is first and `[UNK]` second, the id of other
            strings is 1; otherwise (labels) it is -1.

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

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = list(tokens)
        if len(set(self.tokens)) != len(self.tokens):
            twice = Counter(self.tokens).most_common(1)[0][0]
            raise ValueError(f"the token {twice!r} appears twice in the vocabulary.")
        self.unknown = UNK if self.tokens[:2] == SPECIAL_TOKENS[:2] else -1

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def open(self) -> bool:
        """Whether tokens can be added, because it begins with padding or the blank of CTC; labels are a closed set."""
        return self.tokens[:1] in ([SPECIAL_TOKENS[0]], [""])

    def extended(self, other: "Vocabulary") -> "Vocabulary":
        """This vocabulary, whose tokens keep their ids, with those of another that it lacks after them.

        Example:
            >>> Vocabulary(["[PAD]", "[UNK]", "film"]).extended(Vocabulary(["[PAD]", "[UNK]", "a", "film"])).tokens
            ['[PAD]', '[UNK]', 'film', 'a']
        """
        return Vocabulary(dict.fromkeys([*self.tokens, *other.tokens]))

    @classmethod
    def learn(
        cls, chunks: Iterable[Iterable[str | bytes]], max_size: int | None = None, min_count: int = 1
    ) -> "Vocabulary":
        """The most frequent words, ties in alphabetical order, after padding and UNK.

        Args:
            chunks: iterable of lists of words (`str` or UTF-8 `bytes`).
            max_size: number of tokens to keep, padding and UNK included; None keeps all.
            min_count: how often a word must appear.
        """
        ranked = list(count(chunks, min_count))
        return cls([*SPECIAL_TOKENS[:2], *ranked[: None if max_size is None else max(0, max_size - 2)]])

    @classmethod
    def labels(cls, labels: Iterable[str]) -> "Vocabulary":
        """A vocabulary of labels, sorted by value if all are numbers, else alphabetically.

        Example:
            >>> Vocabulary.labels({"10", "9", "1"}).tokens
            ['1', '9', '10']
        """
        try:
            return cls(sorted(labels, key=lambda label: (float(label), label)))
        except ValueError:
            return cls(sorted(labels))

    @functools.cached_property
    def tables(self) -> tuple[tf.lookup.StaticHashTable, tf.Tensor]:
        """The lookup table string -> id, and the tokens as a tensor, for id -> string."""
        with tf.init_scope():
            tokens, ids = tf.constant(self.tokens), tf.range(len(self), dtype=tf.int32)
            initializer = tf.lookup.KeyValueTensorInitializer(tokens, ids)
            return tf.lookup.StaticHashTable(initializer, self.unknown), tokens

    def lookup(self, strings: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Ids (int32) of strings of any shape, dense or ragged; a graph operation."""
        return self.tables[0].lookup(strings)

    def name(self, numbers: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Strings of ids; the inverse of `lookup`."""
        return tf.gather(self.tables[1], numbers)

    def text(self) -> str:
        """The tokens as one JSON string per line, so that a token may contain a newline."""
        return "".join(json.dumps(token, ensure_ascii=False) + "\n" for token in self.tokens)

    def save(self, path: Path) -> None:
        """Writes `text` to a file."""
        path.write_text(self.text(), "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            UserError: at a line that is not a JSON string.
        """
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


def count(chunks: Iterable[Iterable[str | bytes]], least: int = 1) -> dict[str, int]:
    """How often each word appears; the most frequent first, ties in alphabetical order.

    Memory is bounded for any number of words: at more than two million distinct words the rarest are dropped, which
    affects only words that are rarer than all that are kept.

    Args:
        chunks: iterable of lists of words (`str` or UTF-8 `bytes`).
        least: words that appear less often are left out.

    Returns:
        {word: count}.

    Example:
        >>> count([["b", "a"], ["c", "b"]])
        {'b': 2, 'a': 1, 'c': 1}
    """
    counts: Counter[str | bytes] = Counter()
    for chunk in chunks:
        counts.update(chunk)
        if len(counts) > PRUNE_AT:
            counts = Counter(dict(counts.most_common(PRUNE_AT // 2)))
    named = ((word.decode() if isinstance(word, bytes) else word, n) for word, n in counts.items() if n >= least)
    return dict(sorted(named, key=lambda item: (-item[1], item[0])))
