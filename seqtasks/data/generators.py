"""Data sets from Python generators, without the memory being cleared again in each step."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from seqtasks.errors import UserError

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # as glibc's <malloc.h> numbers them
LARGEST = 2**25  # bytes, the highest threshold that glibc takes
KEPT = 2**28  # bytes at the top of a heap that are not given back
_raised: list[UserError] = []  # by generators, of which TensorFlow raises only the text


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
        try:
            yield from function()
        except UserError as error:
            _raised.append(error)
            raise

    return tf.data.Dataset.from_generator(items, output_signature=output_signature)


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """A context in which the `UserError` of a generator is raised as such, and not as an error of TensorFlow.

    Example:
        >>> def items():
        ...     yield 1
        ...     raise UserError("no label", where="a.csv:2")
        >>> with user_errors():
        ...     list(from_generator(items, tf.TensorSpec([], tf.int32)))
        Traceback (most recent call last):
        seqtasks.errors.UserError: a.csv:2: no label
    """
    _raised.clear()
    try:
        yield
    except tf.errors.OpError:
        if _raised:
            raise _raised.pop() from None
        raise


def keep_freed() -> None:
    """Makes glibc keep freed memory for the next step; does nothing with other C libraries."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, KEPT)
