"""Features of tokens for the window baseline."""

import re
from collections.abc import Iterable


def token_features(inputs: Iterable[str]) -> list[list[list[str]]]:
    """Features of the form of tokens: the word, its affixes of two and three letters, and its shape.

    Args:
        inputs: texts, raw or split into tokens (see `seqtasks.text.word_tokenizer.tokenize`).

    Returns:
        For each text, a list of features for each token.

    Example:
        >>> token_features(["In Paris"])[0][1]
        ['w=paris', 'p=pa', 's=is', 'p=par', 's=ris', 'h=Xx']
    """
    import tensorflow as tf

    from seqtasks.text.word_tokenizer import tokenize

    rows = tokenize(tf.constant(list(inputs), tf.string))[0].to_list()
    return [[_form(token.decode()) for token in row] for row in rows]


def _form(token: str) -> list[str]:
    lower = token.lower()
    shape = "".join("0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in token)
    shape = re.sub(r"(.)\1+", r"\1", shape)
    affixes = [f"{side}={part}" for n in (2, 3) for side, part in (("p", lower[:n]), ("s", lower[-n:]))]
    return [f"w={lower}", *affixes, f"h={shape}"]
