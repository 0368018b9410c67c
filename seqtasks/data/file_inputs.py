"""Inputs that are files of sound or pictures: the path of one stands for an array."""

import os
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError

NAMED = 5  # faulty files that a warning names
POOL = 256  # inputs of different lengths that are sorted, for training or to be answered


class Reader:
    """Reads inputs, and holds arrays that it has read in memory as far as they fit.

    Args:
        read: `read(path) -> array`, raises `UserError` where a file is faulty.
        spec: `tf.TensorSpec` of one array. A first axis of unknown length makes batches ragged.
        limit: bytes that are held.

    Example:
        >>> reader = Reader(lambda path: np.ones(len(path), "float32"), tf.TensorSpec([None]), limit=8)
        >>> reader.batch(["ab", np.zeros(1, "float32")]).to_list()
        [[1.0, 1.0], [0.0]]
    """

    def __init__(self, read, spec, limit=0):
        self.read, self.spec = read, spec
        self._held, self._free = {}, limit

    def __call__(self, item):
        """The array of an input; what is an array already is given back."""
        if not isinstance(item, str):
            return item
        found = self._held.get(item)
        return self.read(item) if found is None else found

    def each(self, items, then=lambda item, array: None):
        """The array of each input, or the `UserError` that says why there is none, in order, read by threads.

        No more than two inputs for each thread are read before they are taken.

        Args:
            items: iterable of inputs.
            then: `then(item, array)`, what is done with an array by the same thread; may raise `UserError` as well.
        """

        def attempt(item):
            try:
                array = self(getattr(item, "input", item))
                then(item, array)
                return array
            except UserError as error:
                return error

        workers, begun = os.cpu_count(), deque()
        with ThreadPoolExecutor(workers) as pool:
            for item in items:
                begun.append((item, pool.submit(attempt, item)))
                if len(begun) > 2 * workers:
                    first, future = begun.popleft()
                    yield first, future.result()
            for item, future in begun:
                yield item, future.result()

    def readable(self, source, fits=None):
        """The source without the examples that cannot be read: a warning counts them, and names the first five.

        Args:
            source: examples whose inputs are paths.
            fits: None, or `fits(target, array)`, which raises `UserError` where the two do not belong together.

        Raises:
            UserError: if none can be read.
        """

        def check(example, array):
            try:
                if fits:
                    fits(example.target, array)
            except UserError as error:
                raise UserError(str(error), where=example.input) from None

        faulty, listed, count = set(), [], 0
        folder = Path(source.name) if Path(source.name).is_dir() else Path(source.name).parent
        for count, (example, array) in enumerate(self.each(source, check), 1):  # noqa: B007
            if isinstance(array, UserError):
                faulty.add(example)
                if len(listed) < NAMED:
                    listed.append(str(array).removeprefix(f"{folder}/").split("; ")[0])
            elif array.nbytes <= self._free and example.input not in self._held:
                self._held[example.input] = array
                self._free -= array.nbytes
        if not faulty:
            return source
        told = ", ".join(listed) + ", ..." * (len(faulty) > NAMED)
        if len(faulty) == count:
            remedy = "give files that are whole"
            raise UserError(f"none of {count} files can be used: {told}", where=source.name, remedy=remedy)
        warnings.warn(f"{source.name}: {len(faulty)} of {count} files left out: {told}", stacklevel=2)
        return source.select(lambda example: example not in faulty)

    def batch(self, items):
        """Inputs as one tensor, ragged where their lengths differ."""
        arrays = [self(item) for item in items]
        if not self.ragged:
            return tf.constant(np.stack(arrays), self.spec.dtype)
        joined = tf.constant(np.concatenate(arrays), self.spec.dtype)
        return tf.RaggedTensor.from_row_lengths(joined, [len(array) for array in arrays])

    def pooled(self, rows, size):
        """A dataset of (path, target) as batches of `size`, with arrays in place of the paths, read in parallel."""

        def read(path, target):
            array = tf.numpy_function(lambda p: self(os.fsdecode(p)), [path], self.spec.dtype, stateful=False)
            return tf.ensure_shape(array, self.spec.shape), target

        opened = rows.map(read, num_parallel_calls=os.cpu_count(), deterministic=True)
        return opened.ragged_batch(size) if self.ragged else opened.batch(size)

    @property
    def ragged(self):
        return self.spec.shape[0] is None

    def together(self, batch_size):
        """How many inputs are held as a pool: whole batches; one batch where all are of one length."""
        return batch_size * (max(1, POOL // batch_size) if self.ragged else 1)

    @property
    def batch_spec(self):
        """The spec of what `batch` gives."""
        shape = [None, *self.spec.shape]
        return tf.RaggedTensorSpec(shape, self.spec.dtype, 1) if self.ragged else tf.TensorSpec(shape, self.spec.dtype)
