"""Inputs that are files of sound or pictures: an input is the path of a file that is read as an array."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from seqtasks.data.sources import Example, Source
from seqtasks.errors import UserError

NAMED = 5  # unreadable files that a warning names
POOL = 256  # inputs of different lengths that are sorted by length together


class Reader:
    """Reads inputs, and keeps arrays that `readable` has read in memory, up to a limit.

    Args:
        read: `read(path) -> array`; raises `UserError` if a file cannot be used.
        spec: `tf.TensorSpec` of one array. If the length of the first axis is unknown, batches are ragged.
        limit: bytes to keep in memory.

    Example:
        >>> reader = Reader(lambda path: np.ones(len(path), "float32"), tf.TensorSpec([None]), limit=8)
        >>> reader.batch(["ab", np.zeros(1, "float32")]).to_list()
        [[1.0, 1.0], [0.0]]
    """

    def __init__(self, read: Callable[[str], np.ndarray], spec: tf.TensorSpec, limit: int = 0) -> None:
        self.read, self.spec = read, spec
        self._cache: dict[str, np.ndarray] = {}
        self._free = limit

    def __call__(self, item: str | np.ndarray) -> np.ndarray:
        """The array of an input; an array is returned unchanged."""
        if not isinstance(item, str):
            return item
        cached = self._cache.get(item)
        return self.read(item) if cached is None else cached

    def each(
        self, items: Iterable[Any], then: Callable[[Any, np.ndarray], None] = lambda item, array: None
    ) -> Iterator[tuple[Any, np.ndarray | UserError]]:
        """Reads inputs in parallel, in order.

        At most two inputs for each thread are read ahead.

        Args:
            items: iterable of inputs, or of objects with an attribute `input`.
            then: `then(item, array)`, called by the thread that read the array; may raise `UserError` as well.

        Yields:
            (item, array); if an input cannot be read, its `UserError` in place of the array.
        """

        def attempt(item: Any) -> np.ndarray | UserError:
            try:
                array = self(getattr(item, "input", item))
                then(item, array)
                return array
            except UserError as error:
                return error

        workers = os.cpu_count() or 1
        started: deque[tuple[Any, Future[np.ndarray | UserError]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for item in items:
                started.append((item, pool.submit(attempt, item)))
                if len(started) > 2 * workers:
                    first, future = started.popleft()
                    yield first, future.result()
            for item, future in started:
                yield item, future.result()

    def readable(self, source: Source, fits: Callable[[str, np.ndarray], None] | None = None) -> Source:
        """The source without the examples that cannot be read; a warning counts them and names the first five.

        Args:
            source: examples whose inputs are paths.
            fits: None, or `fits(target, array)`, which raises `UserError` if the two do not match.

        Raises:
            UserError: if none can be read.
        """

        def check(example: Example, array: np.ndarray) -> None:
            try:
                if fits:
                    fits(example.target, array)
            except UserError as error:
                raise UserError(str(error), where=example.input) from None

        faulty: set[Example] = set()
        listed: list[str] = []
        count = 0
        folder = Path(source.name) if Path(source.name).is_dir() else Path(source.name).parent
        for count, (example, array) in enumerate(self.each(source, check), 1):  # noqa: B007
            if isinstance(array, UserError):
                faulty.add(example)
                if len(listed) < NAMED:
                    listed.append(str(array).removeprefix(f"{folder}/").split("; ")[0])
            elif array.nbytes <= self._free and example.input not in self._cache:
                self._cache[example.input] = array
                self._free -= array.nbytes
        if not faulty:
            return source
        reasons = ", ".join(listed) + ", ..." * (len(faulty) > NAMED)
        if len(faulty) == count:
            remedy = "give complete files"
            raise UserError(f"none of {count} files can be used: {reasons}", where=source.name, remedy=remedy)
        warnings.warn(f"{source.name}: {len(faulty)} of {count} files left out: {reasons}", stacklevel=2)
        return source.select(lambda example: example not in faulty)

    def batch(self, items: Sequence[str | np.ndarray]) -> tf.Tensor | tf.RaggedTensor:
        """Inputs as one tensor (batch, ...), ragged if `ragged`."""
        arrays = [self(item) for item in items]
        if not self.ragged:
            return tf.constant(np.stack(arrays), self.spec.dtype)
        joined = tf.constant(np.concatenate(arrays), self.spec.dtype)
        return tf.RaggedTensor.from_row_lengths(joined, [len(array) for array in arrays])

    def pooled(self, rows: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """Batches of `size` of a dataset of (path, target), with arrays in place of the paths, read in parallel."""

        def read(path: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            array = tf.numpy_function(lambda p: self(os.fsdecode(p)), [path], self.spec.dtype, stateful=False)
            return tf.ensure_shape(array, self.spec.shape), target

        opened = rows.map(read, num_parallel_calls=os.cpu_count(), deterministic=True)
        return opened.ragged_batch(size) if self.ragged else opened.batch(size)

    @property
    def ragged(self) -> bool:
        """Whether the arrays differ in the length of their first axis."""
        return self.spec.shape[0] is None

    def together(self, batch_size: int) -> int:
        """The number of inputs in a pool: whole batches if lengths differ, else one batch."""
        return batch_size * (max(1, POOL // batch_size) if self.ragged else 1)

    @property
    def batch_spec(self) -> tf.TypeSpec:
        """The spec of what `batch` returns."""
        shape = [None, *self.spec.shape]
        return tf.RaggedTensorSpec(shape, self.spec.dtype, 1) if self.ragged else tf.TensorSpec(shape, self.spec.dtype)
