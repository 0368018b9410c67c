"""Data sets from Python generators, without the memory being cleared again in each step."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # as glibc's <malloc.h> numbers them
LARGEST = 2**25  # bytes, the highest threshold that glibc takes
KEPT = 2**28  # bytes at the top of a heap that are not given back


def from_generator(function: Callable[[], Iterator[Any]], output_signature: Any) -> tf.data.Dataset:
    """`tf.data.Dataset.from_generator`, without its effect on the memory of the process.

    On Python 3.11 TensorFlow sets glibc's threshold above which blocks are mapped to 128 KB when the first such data
    set starts: from then on the kernel maps, clears and unmaps the tensors of every step. This function raises the
    threshold again when the generator starts.

    Args:
        function: returns a new iterator of elements.
        output_signature: the `tf.TypeSpec`s of an element.

    Example:
        >>> list(from_generator(lambda: iter([1, 2]), tf.TensorSpec([], tf.int32)).as_numpy_iterator())
        [np.int32(1), np.int32(2)]
    """

    def items() -> Iterator[Any]:
        keep_freed()
        yield from function()

    return tf.data.Dataset.from_generator(items, output_signature=output_signature)


def keep_freed() -> None:
    """Makes glibc keep freed memory for the next step; does nothing with other C libraries."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, KEPT)
