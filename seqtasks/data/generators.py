"""Data sets from Python generators, with memory that is not cleared anew in each step."""

import ctypes

import tensorflow as tf

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # as glibc's <malloc.h> numbers them
LARGEST = 2**25  # bytes, the highest threshold that glibc takes
KEPT = 2**28  # bytes at the top of a heap that are not given back


def from_generator(function, output_signature):
    """`tf.data.Dataset.from_generator`, without what it does to the memory of the process.

    On Python 3.11 TensorFlow fixes glibc's threshold above which blocks are mapped at 128 KB, once the first such data
    set begins: from then on the tensors and packed matrices of every step are mapped, cleared and unmapped by the
    kernel. Here the threshold is raised again when the generator begins.

    Example:
        >>> list(from_generator(lambda: iter([1, 2]), tf.TensorSpec([], tf.int32)).as_numpy_iterator())
        [np.int32(1), np.int32(2)]
    """

    def items():
        keep_freed()
        yield from function()

    return tf.data.Dataset.from_generator(items, output_signature=output_signature)


def keep_freed():
    """Let glibc hold what is freed for the next step; other C libraries stay as they are."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, KEPT)
