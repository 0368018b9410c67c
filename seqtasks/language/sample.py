"""The built-in text: the help on Python's language that comes with it."""

from seqtasks.data.sources import Source
from seqtasks.language.documents import Document, pieces_of, texts_of

SAMPLE = "pydoc:topics"


def open_sample(document: Document = "file") -> Source:
    """The topics of Python's `help()`, about 80 texts, each a file.

    Args:
        document: what a document is: a topic (`file`), a `paragraph` of it, or a `line`.

    Example:
        >>> first = next(iter(open_sample("paragraph")))
        >>> first.input, first.target, first.place
        ('The "assert" statement\\n**********************', 'end', 'pydoc_data.topics: assert')
    """
    from pydoc_data.topics import topics

    texts = [(f"pydoc_data.topics: {name}", topics[name]) for name in sorted(topics)]
    return Source(lambda: pieces_of(texts_of(texts), document), SAMPLE, sum(len(text.encode()) for _, text in texts))
