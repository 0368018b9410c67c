"""Inputs that are files of sound or pictures: an input is the path of a file that is read as an array."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from seqtasks.data.memory import array_of
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.errors import UserError

POOL = 256  # inputs of different lengths that are sorted by length together


class _Unfit(UserError):
    """The target of an example does not fit its input."""


class Reader:
    """Reads inputs, and keeps arrays that `checked` has read in memory, up to a limit.

    Args:
        read: `read(path) -> array`; raises `UserError` if a file cannot be used. It also gets arrays that do not fit
            `spec`, and the names of such arrays in memory (`seqtasks.data.memory.keep_array`).
        spec: `tf.TensorSpec` of one array. If the length of the first axis is unknown, batches are ragged.
        limit: bytes to keep in memory.
        array: None, or `array(array) -> array`, what is done with an input that is an array; raises `UserError`.

    Example:
        >>> reader = Reader(lambda path: np.ones(len(path), "float32"), tf.TensorSpec([None]), limit=8)
        >>> reader.batch(["ab", np.zeros(1, "float32")]).to_list()
        [[1.0, 1.0], [0.0]]
    """

    def __init__(
        self, read: Callable[[str], np.ndarray], spec: tf.TensorSpec, limit: int = 0,
        array: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.read, self.spec, self.array = read, spec, array
        self._cache: dict[str, np.ndarray] = {}
        self._free = limit

    def __call__(self, item: str | np.ndarray) -> np.ndarray:
        """The array of an input; an array that fits the spec, or a `UserError`, is returned unchanged."""
        if isinstance(item, np.ndarray) and not self._fits(item):
            return self.read(item)  # type: ignore[arg-type]
        if not isinstance(item, str):
            return item
        cached = self._cache.get(item)
        if cached is None and (kept := array_of(item)) is not None and self._fits(kept):
            cached = kept
        return self.read(item) if cached is None else cached

    def _fits(self, array: np.ndarray) -> bool:
        """Whether an array has the shape and the type of the spec; floats of another size are converted in batches."""
        if self.spec is None:
            return True
        same = self.spec.dtype == array.dtype or (self.spec.dtype.is_floating and array.dtype.kind == "f")
        return same and self.spec.shape.is_compatible_with(array.shape)

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
            if isinstance(item, Faulty):
                return item.error
            try:
                raw = getattr(item, "input", item)
                if isinstance(raw, UserError):  # a row of a table whose file is missing
                    return raw
                array = self.array(raw) if self.array and not isinstance(raw, str) else self(raw)
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

    def checked(self, source: Source, fits: Callable[[str, np.ndarray], None] | None = None) -> Source:
        """The source with a `Faulty` record in the place of each file that cannot be read.

        The first whole pass reads all files; it keeps arrays in memory up to the limit, and remembers the faults.

        Args:
            source: examples whose inputs are paths.
            fits: None, or `fits(target, array)`, which raises `UserError` if the two do not match; training leaves such
                an example out, evaluation counts it.
        """
        known: dict[tuple[str, str], Faulty] | None = None

        def check(example: Example | Faulty, array: np.ndarray) -> None:
            if fits and isinstance(example, Example):
                try:
                    fits(example.target, array)
                except UserError as error:
                    raise _Unfit(str(error), where=example.input) from None

        def first() -> Iterator[Example | Faulty]:
            nonlocal known
            found: dict[tuple[str, str], Faulty] = {}
            for item, array in self.each(source.read(), check):
                if isinstance(item, Faulty):
                    yield item
                elif isinstance(array, UserError):
                    literal = item if isinstance(array, _Unfit) else None
                    found[item.input, item.target] = faulty = Faulty(array, None, literal)
                    yield faulty
                else:
                    if array.nbytes <= self._free and item.input not in self._cache:
                        self._cache[item.input] = array
                        self._free -= array.nbytes
                    yield item
            known = found

        def read() -> Iterator[Example | Faulty]:
            if known is None:
                yield from first()
                return
            for item in source.read():
                yield item if isinstance(item, Faulty) else known.get((item.input, item.target), item)

        return Source(read, source.name, source.size)

    def batch(self, items: Sequence[str | np.ndarray]) -> tf.Tensor | tf.RaggedTensor:
        """Inputs as one tensor (batch, ...), ragged if `ragged`."""
        arrays = [self(item) for item in items]
        if not self.ragged:
            return tf.constant(np.stack(arrays), self.spec.dtype)
        joined = tf.constant(np.concatenate(arrays), self.spec.dtype)
        return tf.RaggedTensor.from_row_lengths(joined, [len(array) for array in arrays])

    def pooled(self, rows: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """Batches of `size` of a dataset of (path, target, ...), with arrays in place of paths, read in parallel."""

        def read(path: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
            array = tf.numpy_function(lambda p: self(os.fsdecode(p)), [path], self.spec.dtype, stateful=False)
            return tf.ensure_shape(array, self.spec.shape), *rest

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
