"""Texts to tokens with their positions, inside the graph: the same function serves training and the export."""

import tensorflow as tf

SEPARATOR = "\x1f"  # the unit separator of ASCII, before each token of a text that is already tokenized
_SPACE = r"\p{Z}\x00-\x1e\x7f-\x{9f}\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{feff}"
_MARKS = r"[\p{M}\x{1f3fb}-\x{1f3ff}]*"
_SYMBOL = rf"[^\P{{S}}\x00-\x7f\x{{fffd}}]{_MARKS}"  # U+FFFD stands for a letter in another encoding
_ALONE = (  # what is always a token
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*",
    r"[^\P{P}\x00-\x7f’‐‑…]",
    r"[\x{1f1e6}-\x{1f1ff}]{2}",  # flags
    rf"{_SYMBOL}(?:\x{{200d}}{_SYMBOL})*",
)
# After that nearly everything outside ASCII is a letter. Classes of a few ranges keep the automata small: the exact
# classes of Unicode take a hundred times as long on a text of all scripts.
_UPPER = r"A-ZÀ-ÖØ-ÞΑ-ΩА-Я"
_OTHER = rf"[^\x00-\x2f:-@\[-^`{{-\x7f’‐‑…{_SPACE}{_UPPER}]"  # letters, marks, digits and _, less upper case
_LETTER = rf"(?:{_OTHER}|[{_UPPER}])"
_INITIAL = rf"[{_UPPER}a-zß-öø-ÿα-ωа-я]"
_DIGITS = r"[0-9٠-٩۰-۹०-९]+"
_JOINED = r"[-‐‑'’&@\x{ad}\x{200c}\x{200d}]?"
_ABBREVIATIONS = (
    r"Mrs?|Ms|Dr|Prof|Sr|Jr|St|Mt|Ft|Lt|Col|Gen|Sgt|Capt|Maj|Rev|Hon|Gov|Sen|Rep|Inc|Corp|Co|Ltd|Bros|"
    r"vs|etc|al|Vol|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|Ph\.D"
)
_PIECES = (  # the first that matches, from left to right, takes its part of the text; together they match everything
    rf"[{_SPACE}]+",
    rf"(?:https?://|ftp://|www\.)[^{_SPACE}\x1f]*[^{_SPACE}\x1f.,;:!?'\"’)\]>]",
    r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    rf"[@#]{_LETTER}+",
    r"&(?:[A-Za-z]{2,8}|#[0-9]{1,6});",
    rf"(?:{_INITIAL}\.)+{_INITIAL}\b\.?|(?:{_INITIAL}\.){{2,}}",  # U.S., e.g.
    rf"(?:[{_UPPER}]|{_ABBREVIATIONS})\.",
    r"['’](?:s|m|d|re|ve|ll|em|tis|twas|S|M|D|RE|VE|LL)\b",
    rf"(?:{_DIGITS}(?:[.,:/]{_DIGITS})+|{_LETTER})(?:{_JOINED}{_LETTER}|\.{_OTHER})*",
    r"[:;=]['’]?-?(?:[()\[\]/|\\]+|[DPpOo]\b)|<3|\^\^",  # emoticons
    r"\.+|-+|[!?]+|\*+|=+|~+|`+|'+|/+|\\+|,+|\++",
    r"[^\x1f]",
)
_STEPS = (  # each inserts separators and changes nothing else
    ("|".join(_ALONE), "\x1f\\0\x1f"),
    ("|".join(f"(?:{piece})" for piece in _PIECES), "\\0\x1f"),
    (r"(?i)(\p{L})(n['’]t\x1f)", "\\1\x1f\\2"),  # contractions as the Penn Treebank splits them
    (r"(?i)([\p{L}\p{M}\p{N}])(['’](?:s|m|d|re|ve|ll)\x1f)", "\\1\x1f\\2"),
)


def tokenize(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
    """Tokens in their original case, and their positions.

    A text that begins with `SEPARATOR` is already tokenized: its tokens are the strings between separators. Every other
    text is split here, English as in the Penn Treebank; URLs, e-mail addresses, @names, #tags, numbers and emoticons
    stay whole, scripts without spaces (Chinese, Japanese, Thai) are split into characters.

    Positions are counted in Unicode code points of `surface`, which is the text with U+FFFD for invalid UTF-8 and a
    space for a separator inside; if the text is already tokenized, it is the tokens joined by one space.

    Args:
        texts: string tensor (batch,).

    Returns:
        tokens, ragged string (batch, None); starts and ends, ragged int32 (batch, None), so that
        `surface[start:end] == token`; surface, string (batch,).

    Example:
        >>> tokens, starts, ends, surface = tokenize(tf.constant(["I don't.", "\\x1fNew York\\x1fx", ""]))
        >>> [[token.decode() for token in row] for row in tokens.to_list()]
        [['I', 'do', "n't", '.'], ['New York', 'x'], []]
        >>> starts.to_list(), ends.to_list()
        ([[0, 2, 4, 7], [0, 9], []], [[1, 4, 7, 8], [8, 10], []])
    """
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    given = tf.strings.regex_full_match(valid, r"(?s)\x1f.+")
    inner = tf.where(given, tf.strings.regex_replace(valid, r"^\x1f", ""), "")
    surface = tf.strings.regex_replace(tf.where(given, inner, valid), SEPARATOR, " ")
    marked = tf.where(given, "", surface)
    for pattern, replacement in _STEPS:
        marked = tf.strings.regex_replace(marked, pattern, replacement)
    inner = tf.strings.regex_replace(inner, SEPARATOR, f"{SEPARATOR} {SEPARATOR}")
    pieces = tf.strings.split(tf.where(given, inner, marked), SEPARATOR)
    rows, parts, firsts = pieces.value_rowids(), pieces.flat_values, pieces.row_starts()

    lengths = tf.strings.length(parts, "UTF8_CHAR")
    ends = tf.cumsum(lengths)
    starts = ends - lengths
    offsets = tf.gather(tf.concat([[0], ends], 0), firsts)  # (batch,) start of each text in all texts joined

    spaces = tf.strings.regex_full_match(parts, rf"[{_SPACE}]*")
    places = tf.range(tf.size(rows, tf.int64)) - tf.gather(firsts, rows)
    kept = tf.where(tf.where(tf.gather(given, rows), places % 2 == 0, ~spaces))[:, 0]
    rows = tf.gather(rows, kept)
    tokens = tf.RaggedTensor.from_value_rowids(tf.gather(parts, kept), rows, pieces.nrows(), validate=False)
    offsets = tf.gather(offsets, rows)
    starts, ends = (tokens.with_flat_values(tf.gather(side, kept) - offsets) for side in (starts, ends))
    return tokens, starts, ends, surface


def shapes(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """The shapes of tokens: X for an upper-case letter, x for a lower-case one, d for a digit, other characters stay.

    Runs of more than four equal characters are cut to four.

    Args:
        tokens: ragged string tensor (batch, None).

    Returns:
        A ragged string tensor of the same shape.

    Example:
        >>> shapes(tf.ragged.constant([["McDonald", "F-16s", "strange"]])).to_list()
        [[b'XxXxxxx', b'X-ddx', b'xxxx']]
    """
    distinct, places = tf.unique(tokens.flat_values)
    for pattern, sign in ((r"[\p{Lu}\p{Lt}]", "X"), (r"\p{Ll}", "x"), (r"\p{Nd}", "d")):
        distinct = tf.strings.regex_replace(distinct, pattern, sign)
    signs = tf.strings.unicode_split(distinct, "UTF-8")
    flat = signs.flat_values
    before = tf.concat([tf.fill([4], ""), flat], 0)
    size = tf.size(flat)
    fifth = tf.reduce_all(tf.stack([flat == before[i : i + size] for i in range(4)]), 0)
    row = signs.value_rowids()
    place = tf.range(tf.size(row, tf.int64)) - tf.gather(signs.row_starts(), row)
    kept = tf.ragged.boolean_mask(signs, signs.with_flat_values(~(fifth & (place >= 4))))
    return tokens.with_flat_values(tf.gather(tf.strings.reduce_join(kept, -1), places))
