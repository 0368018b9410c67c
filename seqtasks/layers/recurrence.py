"""One cell prepared for the loop over time, and the recurrent products of its steps. `loops.py` holds the loop."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
from keras.src.backend import AutocastScope  # has no public name

from seqtasks.cells import RNNCell
from seqtasks.cells.affine import pad_columns, rowwise
from seqtasks.cells.cell import Product


class Tensors(NamedTuple):
    """The tensors of a recurrence that have gradients, or these gradients.

    Attributes:
        inputs: (time, batch, columns).
        states: list of (batch, size), the initial states.
        weights: {name: [kernel] or [kernel, bias]}; the kernel is (rows, columns), or (batch, rows, columns).
        constants: {name: (batch, ...)}.
    """

    inputs: tf.Tensor
    states: list[tf.Tensor]
    weights: dict[str, list[tf.Tensor]]
    constants: dict[str, tf.Tensor]


class Recurrence:
    """One cell prepared to run over one batch: projected inputs, initial states, weights and masks, all time-major.

    A step may also multiply with a matrix for each row of the batch, as attention does with its memory: `product` takes
    the names of these matrices like those of weights. All steps also receive `constants`, if there are any.

    The computation has the precision of the cell, whatever the precision of the layer that runs it. The scope of
    variables is set here too, because the backward loop runs outside of every layer.

    Args:
        cell: a cell of `seqtasks.cells`.
        sequences: tensor (time, batch, features), or the result of the cell's `project` for it.
        states: list of tensors (batch, size), the initial states.
        weights: {name: [kernel] or [kernel, bias]}, from `weights_of`. Several recurrences of one cell share them.
        mask: None or boolean tensor (time, batch, 1), False where a step is skipped.
        backwards: whether time runs from the end to the start; inputs and outputs keep their positions.
        training: whether dropout and zoneout are active. If so, the gradients will be needed.
        matrices: {name: tensor (batch, rows, columns)}, for a cell that multiplies with them.
        constants: {name: tensor (batch, ...)}, for a cell whose `step` takes them.
        projected: whether `sequences` are projected already.
    """

    def __init__(
        self,
        cell: RNNCell,
        sequences: tf.Tensor,
        states: Sequence[tf.Tensor],
        weights: Mapping[str, list[tf.Tensor]],
        mask: tf.Tensor | None = None,
        backwards: bool = False,
        training: bool = False,
        matrices: Mapping[str, tf.Tensor] | None = None,
        constants: Mapping[str, tf.Tensor] | None = None,
        projected: bool = False,
    ) -> None:
        self.cell, self.mask, self.backwards, self.training = cell, mask, backwards, bool(training)
        self.states = [tf.identity(tf.cast(state, cell.compute_dtype)) for state in states]  # no two are one tensor
        self.weights = {name: [matrix] for name, matrix in (matrices or {}).items()} | dict(weights)
        self.constants = dict(constants or {})
        self.dropout_masks: dict[str, tf.Tensor] = {}  # of the vectors in a recurrent product, (batch, rows)
        self.zoneout_masks: list[tf.Tensor] | None = None  # of each state, boolean (time, batch, size)
        self.inputs = sequences if projected else self._project(sequences)
        if self.training:
            self._draw(weights)

    def _project(self, sequences: tf.Tensor) -> tf.Tensor:
        if self.training and self.cell.dropout:
            _, batch, features = tf.unstack(tf.shape(sequences))
            mask = self.cell.dropout_mask((batch, features), self.cell.dropout)
            sequences = tf.cast(sequences, mask.dtype) * mask
        return project(self.cell, sequences)

    def _draw(self, weights: Mapping[str, list[tf.Tensor]]) -> None:
        """Draws the masks of the recurrence for the whole sequence."""
        time, batch, _ = tf.unstack(tf.shape(self.inputs))
        if self.cell.recurrent_dropout:
            for name, (kernel, *_) in weights.items():
                self.dropout_masks[name] = self.cell.dropout_mask((batch, kernel.shape[0]), self.cell.recurrent_dropout)
        if self.cell.zoneout:
            shapes = [(time, batch, state.shape[-1]) for state in self.states]
            self.zoneout_masks = [self.cell.dropout_mask(shape, 1 - self.cell.zoneout) > 0 for shape in shapes]

    def step(
        self,
        position: tf.Tensor,
        inputs: tf.Tensor,
        states: list[tf.Tensor],
        product: Product,
        constants: dict[str, tf.Tensor],
    ) -> list[tf.Tensor]:
        """The new states, each (batch, size), from the inputs (batch, columns) at a position."""
        keep = None if self.zoneout_masks is None else [mask[position] for mask in self.zoneout_masks]
        more = (constants,) if constants else ()
        with AutocastScope(self.cell.compute_dtype):
            return self.cell.apply_zoneout(states, self.cell.step(inputs, states, product, *more), keep)

    @property
    def tensors(self) -> Tensors:
        """All tensors whose gradients can be requested."""
        return Tensors(self.inputs, self.states, self.weights, self.constants)

    @property
    def masks(self) -> tuple[tf.Tensor | None, dict[str, tf.Tensor], list[tf.Tensor] | None]:
        """The tensors without gradients: the mask of steps, and those of dropout and zoneout."""
        return self.mask, self.dropout_masks, self.zoneout_masks

    def with_masks(
        self, mask: tf.Tensor | None, dropout_masks: dict[str, tf.Tensor], zoneout_masks: list[tf.Tensor] | None
    ) -> "Recurrence":
        """A copy with other `masks`."""
        changed = copy.copy(self)
        changed.mask, changed.dropout_masks, changed.zoneout_masks = mask, dropout_masks, zoneout_masks
        return changed

    def padded(self, length: tf.Tensor) -> "Recurrence":
        """A copy whose sequences are padded to a length, with steps that no loop should run."""
        missing = length - tf.shape(self.inputs)[0]
        pad = lambda x: tf.pad(x, [[0, missing], [0, 0], [0, 0]])  # noqa: E731
        mask, dropout_masks, zoneout_masks = self.masks
        changed = self.with_masks(None if mask is None else pad(mask), dropout_masks, None)
        if zoneout_masks is not None:
            changed.zoneout_masks = [pad(x) for x in zoneout_masks]
        changed.inputs = pad(self.inputs)
        return changed

    def positions(self, t: tf.Tensor, time: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Positions of step t of the loop: in the sequence, and in a history the states before and after the step."""
        position = time - 1 - t if self.backwards else t
        return (position, position + 1, position) if self.backwards else (position, position, position + 1)

    def before(self, history: tf.Tensor) -> tf.Tensor:
        """The states before each step (time, batch, size), from a history (1 + time, batch, size)."""
        return history[1:] if self.backwards else history[:-1]

    def after(self, history: tf.Tensor) -> tf.Tensor:
        """The states after each step (time, batch, size), from a history (1 + time, batch, size)."""
        return history[:-1] if self.backwards else history[1:]


def project(cell: RNNCell, inputs: tf.Tensor) -> tf.Tensor:
    """The projection of inputs (..., features) of any type, in the precision of the cell."""
    with AutocastScope(cell.compute_dtype):
        return cell.project(tf.cast(inputs, cell.compute_dtype))


def weights_of(cell: RNNCell) -> dict[str, list[tf.Tensor]]:
    """The recurrent weights of a cell as tensors in its precision."""
    with AutocastScope(cell.compute_dtype):
        return {name: [tf.convert_to_tensor(w) for w in weights] for name, weights in cell.recurrent_weights().items()}


class ForwardProduct:
    """The `product` of one forward step. It keeps its results.

    Args:
        dropout_masks: {name: (batch, rows)}, of the vectors.
        weights: {name: [kernel] or [kernel, bias]}.
        kernels: {name: kernel}, the kernels after `prepare_kernels`; None to use those of `weights`.

    Raises:
        ValueError: if one step requests a product twice.
    """

    def __init__(
        self,
        dropout_masks: Mapping[str, tf.Tensor],
        weights: Mapping[str, list[tf.Tensor]],
        kernels: Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        self.dropout_masks, self.weights, self.kernels = dropout_masks, weights, kernels
        self.results: dict[str, tf.Tensor] = {}  # each (batch, columns)

    def __call__(self, name: str, vectors: tf.Tensor) -> tf.Tensor:
        if name in self.results:
            raise ValueError(f"product({name!r}) was requested twice in one step: give the second a name of its own.")
        if name in self.dropout_masks:
            vectors *= self.dropout_masks[name]
        kernel, *bias = self.weights[name]
        result = multiply(vectors, kernel if self.kernels is None else self.kernels[name], kernel.shape[-1])
        self.results[name] = tf.nn.bias_add(result, bias[0]) if bias else result
        return self.results[name]


class BackwardProduct:
    """The `product` of one backward step: the result is known, and its gradient becomes that of the vectors.

    Args:
        dropout_masks: {name: (batch, rows)}, of the vectors.
        results: {name: (batch, columns)}, the products that the forward loop saved.
        kernels: {name: kernel}, transposed, after `prepare_kernels`.
    """

    def __init__(
        self,
        dropout_masks: Mapping[str, tf.Tensor],
        results: Mapping[str, tf.Tensor],
        kernels: Mapping[str, tf.Tensor],
    ) -> None:
        self.dropout_masks, self.results, self.kernels = dropout_masks, results, kernels
        self.vectors: dict[str, tf.Tensor] = {}  # each (batch, rows), before dropout

    def __call__(self, name: str, vectors: tf.Tensor) -> tf.Tensor:
        self.vectors[name] = vectors

        @tf.custom_gradient
        def saved_product(vectors: tf.Tensor, result: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                grad = multiply(upstream, self.kernels[name], vectors.shape[-1])
                return grad * self.dropout_masks[name] if name in self.dropout_masks else grad, upstream

            return tf.identity(result), gradient

        return saved_product(vectors, self.results[name])


def prepare_kernels(tensors: Sequence[Tensors], transposed: bool = False) -> list[dict[str, tf.Tensor]]:
    """{name: kernel} of each recurrence for `multiply`. A kernel that several recurrences share is prepared once."""
    prepare, ready = tf.linalg.matrix_transpose if transposed else tf.identity, {}
    for kernel, *_ in (weights for each in tensors for weights in each.weights.values()):
        if id(kernel) not in ready:
            ready[id(kernel)] = pad_columns(prepare(kernel))
    return [{name: ready[id(kernel)] for name, (kernel, *_) in each.weights.items()} for each in tensors]


def multiply(vectors: tf.Tensor, kernel: tf.Tensor, columns: int | None) -> tf.Tensor:
    """The product (rows, columns) of vectors with a kernel, which may have padding columns or be one for each row."""
    if len(kernel.shape) == 3:
        return rowwise(vectors, kernel)
    result = tf.matmul(vectors, kernel)
    return result if kernel.shape[-1] == columns else tf.slice(result, (0, 0), (-1, columns))
