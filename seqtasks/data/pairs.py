"""Pairs: two texts of one input, such as premise and hypothesis, as one string."""

from typing import TYPE_CHECKING

from seqtasks.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

SEPARATOR = "\x1e"  # the record separator of ASCII, which stands between the two
TAB = "\t"  # stands between them in a line
HOW = "separate the two with a tab, give a table to --input, or in Python pairs or dicts"


def join(first: str, second: str) -> str:
    """Two texts as one input; a separator inside a text becomes a blank.

    Example:
        >>> join("a dog", "an animal")
        'a dog\\x1ean animal'
    """
    return SEPARATOR.join(text.replace(SEPARATOR, " ") for text in (first, second))


def from_line(line: str, where: str) -> str:
    """The input in a line: two texts with a tab between them.

    Args:
        line: the line.
        where: its name, for the message.

    Raises:
        UserError: if there are not two texts.

    Example:
        >>> from_line("a dog\\tan animal", "input 1") == join("a dog", "an animal")
        True
        >>> from_line("a dog", "input 1")
        Traceback (most recent call last):
        seqtasks.errors.UserError: input 1: 1 text, but the run takes two; separate the two with a tab, give a table \
to --input, or in Python pairs or dicts
    """
    texts = line.split(TAB)
    if len(texts) != 2:
        what = f"{len(texts)} text{'s' * (len(texts) > 1)}, but the run takes two"
        raise UserError(what, where=where, remedy=HOW)
    return join(*texts)


def shown(text: str) -> str:
    """An input as it is shown to people.

    Example:
        >>> shown(join("a dog", "an animal"))
        'a dog / an animal'
    """
    return text.replace(SEPARATOR, " / ")


def join_in_graph(first: "tf.Tensor", second: "tf.Tensor") -> "tf.Tensor":
    """`join` of two vectors of texts, in the graph.

    Example:
        >>> import tensorflow as tf
        >>> join_in_graph(tf.constant(["a\\x1edog"]), tf.constant(["an animal"])).numpy().tolist()
        [b'a dog\\x1ean animal']
    """
    import tensorflow as tf

    return tf.strings.join([tf.strings.regex_replace(t, SEPARATOR, " ") for t in (first, second)], SEPARATOR)


def split(texts: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
    """The first and the second texts of a vector of inputs, in the graph.

    Args:
        texts: strings (batch,), each with a separator.

    Example:
        >>> import tensorflow as tf
        >>> first, second = split(tf.constant([join("a dog", ""), join("", "a cat")]))
        >>> first.numpy().tolist(), second.numpy().tolist()
        ([b'a dog', b''], [b'', b'a cat'])
    """
    import tensorflow as tf

    both = tf.strings.split(texts, SEPARATOR, maxsplit=1).to_tensor("", shape=(None, 2))
    return both[:, 0], both[:, 1]
