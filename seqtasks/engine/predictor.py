"""From raw inputs to answers with a trained model: what `evaluate`, `predict` and `export` share."""

import functools
import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.capabilities import Answer, Infers, Query
from seqtasks.data.batches import POOL_BATCHES, batched, lengths, pad
from seqtasks.data.file_inputs import Reader
from seqtasks.errors import UserError
from seqtasks.layers.compiled_length import compiled_loops
from seqtasks.recipe import Recipe

SERVING_BATCH = 64
COMPILED_AFTER = 100  # batches from which compiling the recurrent loops pays


class Predictor:
    """Answers raw inputs.

    Args:
        recipe, config, assets: what was trained.
        model: the `keras.Model`.
        reader: what reads inputs that are files; None makes one.
    """

    def __init__(
        self, recipe: Recipe[Any], config: Any, assets: Mapping[str, Any], model: keras.Model,
        reader: Reader | None = None,
    ) -> None:  # fmt: skip
        self.recipe, self.config, self.assets, self.model = recipe, config, assets, model
        self.reader = reader or recipe.reader(config)
        self.batch_size = config.batch_size if self.reader else SERVING_BATCH  # files: no more than training holds
        self.pool = self.reader.together(self.batch_size) if self.reader else self.batch_size * POOL_BATCHES
        self.task = recipe.task(config)
        self.side_columns = assets.get("columns")
        self._decode: Any = None
        self._decode_full: Any = None  # for full batches
        self._answered = 0  # full batches

    def decode(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decoded tensors of padded features, in the graph."""
        return self.task.decode(self.assets, self.outputs(features), features)

    def outputs(self, features: dict[str, tf.Tensor]) -> Any:
        """The outputs of the model, or of the recipe's inference, for padded features."""
        infers = self.recipe.capability(Infers)
        if infers:
            return infers.infer(self.config, self.model, features)
        return self.model({i.name: features[i.name] for i in self.model.inputs}, training=False)

    def encode(self, inputs: Any, *columns: Any) -> dict[str, Any]:
        """Features of a vector of raw inputs and of a vector for each side column, in the graph."""
        return self.recipe.features(self.config, self.assets, inputs, columns or None)

    @functools.cached_property
    def _encode(self) -> Any:
        strings = tf.TensorSpec([None], tf.string)
        specs = [self.reader.batch_spec if self.reader else strings]
        specs += [strings] * len(self.side_columns.names if self.side_columns else ())
        return tf.function(self.encode).get_concrete_function(*specs)

    def predict_batch(
        self, inputs: Sequence[Any], batch_size: int | None = None, columns: Sequence[Sequence[str]] = ()
    ) -> dict[str, np.ndarray]:
        """Decoded arrays of a list of raw inputs, in their order: {name: array (len(inputs), ...)}.

        Args:
            inputs: the raw inputs.
            batch_size: of a batch; None for that of the predictor.
            columns: for each input the values of its side columns, if the run has any.

        Raises:
            UserError: if the run has side columns, and there are none of an input.
        """
        beside: list[Any] = []
        if self.side_columns:
            count = len(self.side_columns.names)
            if len(columns) != len(inputs) or any(len(values) != count for values in columns):
                raise self.side_columns.needed("input")
            beside = [tf.constant(values, tf.string) for values in zip(*columns, strict=True)]
        raw = self.reader.batch(inputs) if self.reader else tf.constant(inputs, tf.string)
        features = self._encode(raw, *beside)
        if self._decode is None:  # one graph for batches of any size and length
            specs = {name: tf.TensorSpec(f.shape, f.dtype) for name, f in self._encode.structured_outputs.items()}
            self._decode = tf.function(self.decode, input_signature=[specs]).get_concrete_function()
        order = np.argsort(lengths(features, len(inputs)).numpy(), kind="stable")
        batch_size, parts = batch_size or self.batch_size, []
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            rows = {name: pad(tf.gather(f, places), 1) for name, f in features.items()}
            decode = self._compiled(features) if len(places) == SERVING_BATCH else self._decode
            parts.append({name: value.numpy() for name, value in decode(rows).items()})
        inverse = np.argsort(order, kind="stable")
        return {name: stacked([part[name] for part in parts])[inverse] for name in parts[0]}

    def _compiled(self, features: Mapping[str, tf.Tensor]) -> Any:
        """What decodes a full batch: from the `COMPILED_AFTER`th on a graph with compiled loops."""
        self._answered += 1
        if self._answered < COMPILED_AFTER:
            return self._decode
        if self._decode_full is None:
            specs = {
                n: tf.TensorSpec((SERVING_BATCH, *f.shape[1:]), f.dtype)
                for n, f in self._encode.structured_outputs.items()
            }
            with compiled_loops(SERVING_BATCH):
                self._decode_full = tf.function(self.decode, input_signature=[specs]).get_concrete_function()
        return self._decode_full

    def stream(self, inputs: Iterable[Any]) -> Iterator[tuple[list[Any], dict[str, np.ndarray]]]:
        """Pools of raw inputs, or of examples, each with its decoded arrays, in order."""
        for pool in batched(inputs, self.pool):
            read = self.reader.each(pool) if self.reader else ((item, getattr(item, "input", item)) for item in pool)
            raw, columns = [raw for _, raw in read], [getattr(item, "columns", ()) for item in pool]
            yield pool, self.predict_batch(raw, columns=columns)

    def answers(self, inputs: Iterable[Any]) -> Iterator[Answer]:
        """The JSON answers of any iterable of raw inputs, or of `Query`, one each, in order.

        A file that cannot be read is answered by `{"file", "error"}`.

        Raises:
            UserError: if no file can be read.
        """
        if self.reader:
            yield from self._answers_to_files(self.reader, inputs)
            return
        for pool, decoded in self.stream(inputs):
            for i, item in enumerate(pool):
                yield merged(getattr(item, "metadata", {}), self._answer(decoded, i))

    def _answer(self, decoded: Mapping[str, np.ndarray], i: int) -> Answer:
        return self.task.answer(self.assets, {name: value[i] for name, value in decoded.items()})

    def _answers_to_files(self, reader: Reader, inputs: Iterable[Any]) -> Iterator[Answer]:
        queries = (item if isinstance(item, Query) else Query(item, {"file": item}) for item in inputs)
        waiting: list[tuple[Mapping[str, Any], Answer]] = []  # faults wait for a file that can be read
        usual: Answer = {}  # the last answer, whose names no other field takes
        for pool in batched(reader.each(queries), self.pool):
            good = [(array, item.columns) for item, array in pool if not isinstance(array, UserError)]
            decoded, rows = {}, itertools.count()
            if good:
                arrays, columns = zip(*good, strict=True)
                decoded = self.predict_batch(arrays, columns=columns)
            for item, array in pool:
                if isinstance(array, UserError):
                    waiting.append((item.metadata, {"error": str(array)}))
                else:
                    usual = self._answer(decoded, next(rows))
                    waiting.append((item.metadata, usual))
            if usual:
                yield from (merged(metadata, answer, usual) for metadata, answer in waiting)
                waiting = []
        errors = [answer["error"] for _, answer in waiting]
        if len(errors) == 1:
            raise UserError(errors[0])
        if errors:
            raise UserError(f"none of {len(errors)} files can be read: {errors[0]}")


def merged(metadata: Mapping[str, Any], answer: Answer, names: Container[str] = ()) -> Answer:
    """The answer after the fields of its query; a field of the query with the name of one of the answer's is renamed.

    Args:
        metadata: the fields of the query.
        answer: the answer, or `{"error"}`.
        names: names that answers have, beside those of this one.

    Example:
        >>> merged({"id": 7, "label": "good"}, {"label": "bad"})
        {'id': 7, 'given_label': 'good', 'label': 'bad'}
        >>> merged({"file": "a.wav", "label": "good"}, {"error": "no such file"}, ("label",))
        {'file': 'a.wav', 'given_label': 'good', 'error': 'no such file'}
    """
    taken = {name for name in metadata if name in answer or name in names}
    return {f"given_{name}" if name in taken else name: value for name, value in metadata.items()} | answer


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays concatenated along their first axis; if their second axes differ, padded on the right with "" or -1.

    Example:
        >>> stacked([np.array([[1, 2]]), np.array([[3]])]).tolist()
        [[1, 2], [3, -1]]
    """
    if arrays[0].ndim < 2:
        return np.concatenate(arrays)
    longest, value = max(array.shape[1] for array in arrays), b"" if arrays[0].dtype == object else -1
    rest = [(0, 0)] * (arrays[0].ndim - 2)
    padding = [[(0, 0), (0, longest - array.shape[1]), *rest] for array in arrays]
    padded = [np.pad(a, p, constant_values=value) for a, p in zip(arrays, padding, strict=True)]
    return np.concatenate(padded)
