"""Text to words inside the graph: the same function serves training and the exported model."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

# Scripts without spaces between words: each character is a word.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_SPACES = r"[\p{Z}\x{85}]"
_PIECES = (
    (_SPACES, " "),  # the spaces of Unicode: `\s` and `tf.strings.split` know only those of ASCII
    (r"[’ʼ]", "'"),
    (
        r"'(\s|$|[^\p{L}\p{M}\p{N}\s])",
        r" ' \1",
    ),  # a quotation mark after a word, and one before a word too long to be a contraction
    (r"(^|[^\p{L}\p{M}\p{N}])'(\p{L}{3})", r"\1 ' \2"),
    (r"n't\b", " n't "),  # English contractions as the Penn Treebank splits them, so that raw and tokenized text agree
    (r"'(s|re|ve|ll|d|m)\b", r" '\1 "),
    (_UNSPACED, r" \0 "),
    (r"[^\p{L}\p{M}\p{N}\s'_]", r" \0 "),  # punctuation and symbols are words of their own
)


def clean(texts: tf.Tensor) -> tf.Tensor:
    """Valid UTF-8 in lower case: invalid bytes and control characters (NUL, newline) become spaces.

    `tf.strings.lower` ends silently at a NUL byte, hence the order.

    Args:
        texts: string tensor of any shape.

    Returns:
        A string tensor of the same shape.

    Example:
        >>> clean(tf.constant([b"\\xc3\\x89T\\xc3\\x89\\x00\\xff!"])).numpy()[0].decode()
        'été  !'
    """
    valid = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", errors="replace", replacement_char=0x20, replace_control_characters=True
    )
    return tf.strings.lower(valid, encoding="utf-8")


def classes() -> dict[str, list[list[int]]]:
    """The classes of characters in the regular expressions of `words`, for `seqtasks.portable.words`.

    Returns:
        {name: ranges of code points}, each [first, last].

    Example:
        >>> classes()["space"][:2]
        [[32, 32], [133, 133]]
    """
    points = np.r_[0:0xD800, 0xE000:0x110000]  # without surrogates
    letters = tf.strings.unicode_encode(points[:, None].astype("int32"), "UTF-8")
    patterns = {
        "letter": r"\p{L}",
        "mark": r"\p{M}",
        "digit": r"\p{N}",
        "space": _SPACES,
        "unspaced": _UNSPACED,
    }
    found = {}
    for name, pattern in patterns.items():
        own = points[tf.strings.regex_full_match(letters, pattern).numpy()]
        groups = np.split(own, np.flatnonzero(np.diff(own) > 1) + 1)
        found[name] = [[int(group[0]), int(group[-1])] for group in groups]
    return found


def words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Lower-cased words and punctuation marks; in scripts without spaces (Chinese, Japanese, Thai) characters.

    Args:
        texts: string tensor (batch,).

    Returns:
        A ragged string tensor (batch, None); a text without words gives an empty row.

    Example:
        >>> [[w.decode() for w in row] for row in words(tf.constant(["I don't like it!", "好电影", ""])).to_list()]
        [['i', 'do', "n't", 'like', 'it', '!'], ['好', '电', '影'], []]
    """
    texts = clean(texts)
    for pattern, replacement in _PIECES:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return tf.strings.split(texts)


def cut(
    ragged: tf.RaggedTensor, max_length: int, kept: Literal["head", "tail", "both"] = "head"
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Truncates rows.

    Args:
        ragged: (batch, None, ...).
        max_length: maximum number of elements of a row.
        kept: which elements of a longer row: the first, the last, or half of each (the first have one more if
            `max_length` is odd).

    Returns:
        At most `max_length` elements of each row, and a boolean (batch,), whether any were removed.

    Example:
        >>> rows = tf.ragged.constant([[1, 2, 3, 4], [5]])
        >>> kept, was_cut = cut(rows, 2)
        >>> kept.to_list(), was_cut.numpy().tolist()
        ([[1, 2], [5]], [True, False])
        >>> cut(rows, 3, "both")[0].to_list(), cut(rows, 3, "tail")[0].to_list()
        ([[1, 2, 4], [5]], [[2, 3, 4], [5]])
    """
    lengths = ragged.row_lengths()
    tail = {"head": 0, "tail": max_length, "both": max_length // 2}[kept]
    if not tail:
        return ragged[:, :max_length], lengths > max_length
    places, ends = tf.ragged.range(lengths), tf.expand_dims(lengths, 1)
    chosen = (places < max_length - tail) | (places >= ends - tail) | (ends <= max_length)
    return tf.ragged.boolean_mask(ragged, chosen), lengths > max_length


def normal(tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
    """Tokens in lower case with each digit replaced by 0, the form in which vocabularies hold them.

    Args:
        tokens: strings of any shape, dense or ragged.

    Returns:
        Strings of the same shape.

    Example:
        >>> normal(tf.constant(["May", "1984"])).numpy().tolist()
        [b'may', b'0000']
    """
    values = tokens.flat_values if isinstance(tokens, tf.RaggedTensor) else tokens
    values = tf.strings.regex_replace(tf.strings.lower(values, encoding="utf-8"), r"\p{Nd}", "0")
    return tokens.with_flat_values(values) if isinstance(tokens, tf.RaggedTensor) else values


def affixes(
    words: tf.RaggedTensor, lengths: Sequence[int], buckets: int, wholes: Sequence[tf.RaggedTensor] = ()
) -> tf.RaggedTensor:
    """Ids of the hashed prefixes and suffixes of words, by which unknown words resemble known ones.

    Args:
        words: ragged string tensor (batch, None).
        lengths: numbers of letters, e.g. (2, 3, 4); a shorter word has no such affix (0).
        buckets: ids are 1 to `buckets - 1`.
        wholes: further ragged string tensors of the same shape, whose whole strings are hashed into further columns.

    Returns:
        A ragged int32 tensor (batch, None, 2 len(lengths) + len(wholes)).

    Example:
        >>> ids = affixes(tf.ragged.constant([["walking", "talking", "a"]]), (3,), 1000).to_list()[0]
        >>> ids[0][1] == ids[1][1], ids[0][0] == ids[1][0], ids[2]
        (True, False, [0, 0])
    """
    distinct, places = tf.unique(words.flat_values)
    size = tf.strings.length(distinct, "UTF8_CHAR")

    columns = []
    for length in lengths:
        starts = ((f"{length}<", tf.zeros_like(size)), (f"{length}>", tf.maximum(size - length, 0)))
        for mark, start in starts:
            piece = tf.strings.substr(distinct, start, tf.fill(tf.shape(size), length), "UTF8_CHAR")
            columns.append(tf.where(size >= length, _hashed(mark, piece, buckets), 0))
    columns = tf.gather(tf.stack(columns, 1), places)
    columns = [columns, *(_hashed(f"{i}=", whole.flat_values, buckets)[:, None] for i, whole in enumerate(wholes))]
    return words.with_flat_values(tf.concat(columns, 1))


def letters_of_words(
    tokens: tf.RaggedTensor, encode: Callable[[tf.Tensor], tf.RaggedTensor]
) -> dict[str, tf.RaggedTensor]:
    """The letters of texts whose tokens are separated by one space, and where each token begins and ends.

    Args:
        tokens: strings (batch, None).
        encode: `encode(texts) -> ragged ids (batch, None)`, one for each character.

    Returns:
        `text_letters`, ids (batch, None); `first_letters` and `last_letters`, positions from 1, int32 (batch, None).

    Example:
        >>> encode = lambda texts: tf.strings.unicode_decode(texts, "UTF-8")
        >>> found = letters_of_words(tf.ragged.constant([["I", "see"]]), encode)
        >>> found["first_letters"].to_list(), found["last_letters"].to_list()
        ([[1, 3]], [[1, 5]])
    """
    sizes = tokens.with_flat_values(tf.strings.length(tokens.flat_values, "UTF8_CHAR"))
    ends = tf.cumsum(sizes.flat_values + 1)  # of all texts as one
    before = tf.gather(tf.concat([[0], ends], 0), tokens.row_starts())
    last = tokens.with_flat_values(ends - tf.gather(before, tokens.value_rowids()) - 1)
    first = last.with_flat_values(last.flat_values - sizes.flat_values + 1)
    texts = tf.strings.reduce_join(tokens, -1, separator=" ")
    return {"text_letters": encode(texts), "first_letters": first, "last_letters": last}


def ngrams(words: tf.RaggedTensor, order: int, buckets: int, letters: Sequence[int] = ()) -> tf.RaggedTensor:
    """Ids of the distinct n-grams of words, and of the n-grams of letters in words, of each text; hashed.

    Args:
        words: ragged string tensor (batch, None).
        order: n-grams of 1 to `order` neighbouring words.
        buckets: ids are 1 to `buckets - 1`.
        letters: lengths of the n-grams of letters; a space begins and ends a word.

    Returns:
        A ragged int32 tensor (batch, None), in ascending order of the ids.

    Example:
        >>> ids = ngrams(tf.ragged.constant([["a", "b", "a"], ["b"]]), 2, 1000)
        >>> ids.row_lengths().numpy().tolist(), bool(ids[1, 0] in ids[0])  # a, b, a b, b a; b
        ([4, 1], True)
    """
    found = [words, *(tf.strings.ngrams(words, n) for n in range(2, order + 1))][:order]
    parts = [part.with_flat_values(_hashed(f"{n} ", part.flat_values, buckets)) for n, part in enumerate(found, 1)]
    if letters:
        spelled = tf.strings.unicode_split(tf.strings.join([" ", words, " "]), "UTF-8")
        for n in letters:
            pieces = tf.strings.ngrams(spelled, n, separator="").merge_dims(1, 2)
            parts.append(pieces.with_flat_values(_hashed(f"{n}c", pieces.flat_values, buckets)))
    return distinct(tf.concat(parts, 1), buckets)


def shared_ngrams(first: tf.RaggedTensor, second: tf.RaggedTensor, buckets: int) -> tf.RaggedTensor:
    """Ids of the n-grams of pairs of texts: those of the first alone, of the second alone and of both differ.

    Each n-gram has a second id, 1, 2 or 3, by which a linear model counts how many the texts have in common.

    Args:
        first, second: what `ngrams` returns for the texts.
        buckets: as of `ngrams`, at least 5.

    Returns:
        A ragged int32 tensor (batch, None).

    Example:
        >>> first, second = tf.ragged.constant([[1, 2, 3]]), tf.ragged.constant([[3, 4]])
        >>> shared_ngrams(first, second, 100).to_list()
        [[7, 10, 15, 17, 1, 1, 3, 2]]
    """
    both = tf.concat([first.value_rowids() * buckets, second.value_rowids() * buckets], 0)
    both += tf.cast(tf.concat([first.flat_values, second.flat_values], 0), tf.int64)
    sides = tf.concat([tf.zeros_like(first.flat_values), tf.ones_like(second.flat_values)], 0)
    order = tf.argsort(both)
    keys, places = tf.unique(tf.gather(both, order))  # ascending, so by rows
    count = tf.math.segment_sum(tf.ones_like(places), places)
    side = tf.where(count == 2, 2, tf.math.segment_max(tf.gather(sides, order), places))
    ids = (tf.cast(keys % buckets, tf.int32) * 3 + side) % (buckets - 4) + 4
    rows = tf.RaggedTensor.from_value_rowids(tf.stack([ids, side + 1], 1), keys // buckets, first.nrows())
    return tf.concat([rows[..., 0], rows[..., 1]], 1)


def distinct(ids: tf.RaggedTensor, limit: int) -> tf.RaggedTensor:
    """The distinct ids of each row, ascending.

    Args:
        ids: ragged integers (batch, None), at least 0 and less than `limit`.
        limit: a bound.

    Example:
        >>> distinct(tf.ragged.constant([[3, 1, 3], [1]]), 10).to_list()
        [[1, 3], [1]]
    """
    keys = tf.sort(tf.unique(ids.value_rowids() * limit + tf.cast(ids.flat_values, tf.int64))[0])
    return tf.RaggedTensor.from_value_rowids(tf.cast(keys % limit, tf.int32), keys // limit, ids.nrows())


def _hashed(mark: str, strings: tf.Tensor, buckets: int) -> tf.Tensor:
    return tf.cast(tf.strings.to_hash_bucket_fast(tf.strings.join([mark, strings]), buckets - 1) + 1, tf.int32)
