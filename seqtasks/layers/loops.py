"""The loops over time: forward, and backward for the gradient. `scan.py` says when they run.

The forward loop contains only the recurrent products and the gates. What depends on the inputs alone comes before it.
Backpropagation through time is explicit: the backward loop recomputes the gates of each step under a tape, from the
products that the forward loop saved. The gradient of each recurrent weight is one matrix product after the backward
loop. Automatic differentiation of a loop would keep every intermediate result of every step, and sum the gradients of
the weights step by step.

Several recurrences run side by side in one loop: the two directions of a layer, or shards of a batch. A step is too
small for more than one core, but each recurrence can run on a core of its own.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from seqtasks.cells.affine import column_sums, sum_of_outer_products
from seqtasks.layers.recurrence import BackwardProduct, ForwardProduct, Recurrence, Tensors

Steps: TypeAlias = tf.Tensor | tf.TensorArray  # (time, ...); an array while a loop writes or reads single steps


class Options(NamedTuple):
    """How the forward loop runs.

    Attributes:
        keep: whether all is kept that the backward loop needs, or only the history of the first state.
        unroll: whether the graph has the operations of every step instead of a loop. The length must be known.
        steps: None for all steps of the inputs, or an int tensor: the inputs are padded, and only the first steps run.
            What the padding has in the results is zero, or not defined where it is a history.
    """

    keep: bool
    unroll: bool = False
    steps: tf.Tensor | None = None


class BackwardOptions(NamedTuple):
    """How the backward loop runs.

    Attributes:
        variables: the variables that the cells read in a step.
        steps: as in `Options`.
    """

    variables: list
    steps: tf.Tensor | None = None


class Saved(NamedTuple):
    """What the forward loop saves of one recurrence.

    Attributes:
        histories: (1 + time, batch, size) for each state, before and after every step. Without training only that of
            the first state, which is the output.
        products: {name: (time, batch, columns)}, empty without training.
    """

    histories: list[Steps]
    products: dict[str, Steps]


class Gradients(NamedTuple):
    """What the backward loop computes for one recurrence. Its sequences are arrays in the loop and tensors after it.

    Attributes:
        inputs: (time, batch, columns), of the inputs.
        states: list of (batch, size), of the states before the last step done; after the loop, of the initial states.
        products: {name: (time, batch, columns)}, of the recurrent products; after the loop without those that are only
            added to the inputs, which have the gradient of the inputs.
        vectors: {name: (time, batch, rows)}, no gradients but the vectors that were multiplied; after the loop only
            those that are not a state.
        constants: {name: (batch, ...)}, of the constants, summed over the steps.
    """

    inputs: Steps
    states: list[tf.Tensor]
    products: dict[str, Steps]
    vectors: dict[str, Steps]
    constants: dict[str, tf.Tensor]


@dataclasses.dataclass(eq=False)
class ProductRoles:
    """How one cell uses its recurrent products. The backward loop finds out while it is traced.

    Attributes:
        state: {name: index of the state that is multiplied}, or None where the vectors are not a state.
        added: names of the products that are only added to the inputs.
    """

    state: dict[str, int | None] = dataclasses.field(default_factory=dict)
    added: set[str] = dataclasses.field(default_factory=set)

    def record(
        self,
        vectors: dict[str, tf.Tensor],
        states: list[tf.Tensor],
        grad_results: dict[str, tf.Tensor],
        grad_inputs: tf.Tensor,
    ) -> None:
        """Sets the roles from a backward step: what it multiplied, and the gradients of the products and the inputs."""
        for name, used in vectors.items():
            self.state[name] = next((i for i, state in enumerate(states) if state is used), None)
        self.added = {name for name, grad in grad_results.items() if grad is grad_inputs}


def _length(tensors: list[Tensors]) -> int | tf.Tensor:
    inputs = tensors[0].inputs
    return tf.shape(inputs)[0] if inputs.shape[0] is None else inputs.shape[0]


def _unrolled(condition: Callable, body: Callable, variables: tuple, maximum_iterations: int) -> tuple:
    """`tf.while_loop` for a number of steps that is known."""
    for _ in range(maximum_iterations):
        variables = body(*variables)
    return variables


def _array(size: tf.Tensor, dtype: tf.DType, shape: Sequence[int | None]) -> tf.TensorArray:
    return tf.TensorArray(dtype, size, element_shape=shape, clear_after_read=False)


def _read(x: Steps, position: tf.Tensor) -> tf.Tensor:
    return x.read(position) if isinstance(x, tf.TensorArray) else x[position]


def stacked(x: Any) -> Any:
    return x.stack() if isinstance(x, tf.TensorArray) else x


def forward_loop(
    recurrences: Sequence[Recurrence],
    options: Options,
    tensors: list[Tensors],
    kernels: list[dict[str, tf.Tensor]],
) -> tuple[list[Saved], list[list[tf.Tensor]]]:
    """What the backward loop needs, and the last states.

    The history of the first state is a tensor. The other sequences stay arrays, as the backward loop reads them step by
    step. Without `keep` there is only the history of the first state.
    """
    keep, loop = options.keep, _unrolled if options.unroll else tf.while_loop
    capacity = _length(tensors)
    time = capacity if options.steps is None else options.steps
    saved = []
    for r, each in zip(recurrences, tensors, strict=True):
        states, batch = each.states, each.states[0].shape[0]
        histories = [_array(1 + capacity, s.dtype, s.shape) for s in (states if keep else states[:1])]
        first = time if r.backwards else 0
        histories = [array.write(first, s) for array, s in zip(histories, states, strict=False)]
        products = {n: _array(capacity, w[0].dtype, (batch, w[0].shape[-1])) for n, w in each.weights.items()}
        saved.append(Saved(histories, products if keep else {}))

    def body(t: tf.Tensor, states: list, saved: list) -> tuple:
        steps = [
            _forward_step(t, time, *each) for each in zip(recurrences, tensors, kernels, states, saved, strict=True)
        ]
        return t + 1, [states for states, _ in steps], [saved for _, saved in steps]

    start = (0, [each.states for each in tensors], saved)
    _, last, saved = loop(lambda t, *_: t < time, body, start, maximum_iterations=time)
    return [Saved([s.histories[0].stack(), *s.histories[1:]], s.products) for s in saved], last


def _forward_step(
    t: tf.Tensor,
    time: tf.Tensor,
    r: Recurrence,
    tensors: Tensors,
    kernels: dict[str, tf.Tensor],
    states: list[tf.Tensor],
    saved: Saved,
) -> tuple[list[tf.Tensor], Saved]:
    """Step t of one recurrence: the new states, and `saved` with those of this step written."""
    position, _, after = r.positions(t, time)
    product = ForwardProduct(r.dropout_masks, tensors.weights, kernels)
    new = r.step(position, tensors.inputs[position], states, product, tensors.constants)
    if r.mask is not None:
        live = r.mask[position]  # (batch, 1)
        new = [tf.where(live, n, old) for n, old in zip(new, states, strict=True)]
    histories = [array.write(after, n) for array, n in zip(saved.histories, new, strict=False)]
    products = {name: array.write(position, product.results[name]) for name, array in saved.products.items()}
    return list(new), Saved(histories, products)


def backward_loop(
    recurrences: Sequence[Recurrence],
    options: BackwardOptions,
    tensors: list[Tensors],
    kernels: list[dict[str, tf.Tensor]],
    saved: list[Saved],
    roles: list[ProductRoles],
    grad_outputs: list[tf.Tensor],
    grad_last: list[list[tf.Tensor]],
) -> tuple[list[Gradients], list[list[tf.Tensor]]]:
    """The gradients, from those of the outputs and last states.

    Args:
        recurrences: list of `Recurrence`.
        options: how the loop runs.
        tensors, kernels, saved, roles, grad_outputs, grad_last: one element for each recurrence. The kernels are
            transposed. `roles` is filled in.

    Returns:
        The gradients of each recurrence, and those of the variables in a list of one element.
    """
    variables, capacity = options.variables, _length(tensors)
    time = capacity if options.steps is None else options.steps
    passes = [
        _BackwardPass(time, capacity, *each)
        for each in zip(recurrences, tensors, kernels, saved, roles, grad_outputs, strict=True)
    ]

    def body(t: tf.Tensor, gradients: list[Gradients], grad_variables: list[tf.Tensor]) -> tuple:
        new = []
        for one, so_far in zip(passes, gradients, strict=True):
            of_step, of_variables = one.step(t, so_far, variables)
            new.append(of_step)
            grad_variables = [total + grad for total, grad in zip(grad_variables, of_variables, strict=True)]
        return t - 1, new, grad_variables

    start = (
        time - 1,
        [one.start(last) for one, last in zip(passes, grad_last, strict=True)],
        [tf.zeros(v.shape, v.dtype) for v in variables],
    )
    _, gradients, grad_variables = tf.while_loop(lambda t, *_: t >= 0, body, start, maximum_iterations=time)
    return [one.finish(all_steps) for one, all_steps in zip(passes, gradients, strict=True)], [grad_variables]


@dataclasses.dataclass(eq=False)
class _BackwardPass:
    """Backpropagation through time of one recurrence; the attributes are those of `backward_loop`."""

    time: tf.Tensor
    capacity: tf.Tensor
    recurrence: Recurrence
    tensors: Tensors
    kernels: dict[str, tf.Tensor]
    saved: Saved
    roles: ProductRoles
    grad_outputs: tf.Tensor

    def start(self, grad_last: list[tf.Tensor]) -> Gradients:
        """Gradients before the first step, with empty arrays."""
        inputs, states, weights, constants = self.tensors
        columns, rows = (
            {n: _array(self.capacity, w[0].dtype, (states[0].shape[0], w[0].shape[side])) for n, w in weights.items()}
            for side in (-1, -2)
        )
        zeros = tf.nest.map_structure(tf.zeros_like, constants)
        return Gradients(_array(self.capacity, inputs.dtype, inputs.shape[1:]), grad_last, columns, rows, zeros)

    def step(self, t: tf.Tensor, gradients: Gradients, variables: list) -> tuple[Gradients, list[tf.Tensor]]:
        """The gradients after step t, and those of the variables in this step."""
        r, (inputs, _, _, constants) = self.recurrence, self.tensors
        position, before, _ = r.positions(t, self.time)
        upstream = [gradients.states[0] + self.grad_outputs[position], *gradients.states[1:]]
        if r.mask is not None:  # a skipped step passes the gradients of its states on
            live = tf.cast(r.mask[position], upstream[0].dtype)
            skipped, upstream = [d * (1 - live) for d in upstream], [d * live for d in upstream]
        x, states = inputs[position], [_read(history, before) for history in self.saved.histories]
        results = {name: _read(products, position) for name, products in self.saved.products.items()}
        product = BackwardProduct(r.dropout_masks, results, self.kernels)
        sources = [x, states, results, constants, variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            new = r.step(position, x, states, product, constants)
        grad_x, grad_states, grad_results, grad_constants, grad_variables = tape.gradient(
            new, sources, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if r.mask is not None:
            grad_states = [grad + more for grad, more in zip(grad_states, skipped, strict=True)]
        self.roles.record(product.vectors, states, grad_results, grad_x)
        written = Gradients(
            inputs=gradients.inputs.write(position, grad_x),
            states=grad_states,
            products=self._write(gradients.products, position, grad_results, self._stored_products()),
            vectors=self._write(gradients.vectors, position, product.vectors, self._stored_vectors()),
            constants={name: total + grad_constants[name] for name, total in gradients.constants.items()},
        )
        return written, grad_variables

    def finish(self, gradients: Gradients) -> Gradients:
        """The gradients after the last step, as tensors."""
        return gradients._replace(
            inputs=gradients.inputs.stack(),
            products={name: gradients.products[name].stack() for name in self._stored_products()},
            vectors={name: gradients.vectors[name].stack() for name in self._stored_vectors()},
        )

    def _stored_products(self) -> list[str]:
        return [name for name in self.tensors.weights if name not in self.roles.added]

    def _stored_vectors(self) -> list[str]:
        return [name for name in self.tensors.weights if self.roles.state[name] is None]

    @staticmethod
    def _write(
        arrays: dict[str, tf.TensorArray], position: tf.Tensor, values: dict[str, tf.Tensor], names: list[str]
    ) -> dict[str, tf.TensorArray]:
        return arrays | {name: arrays[name].write(position, values[name]) for name in names}


def gradients_of(
    r: Recurrence,
    tensors: Tensors,
    saved: Saved,
    roles: ProductRoles,
    gradients: Gradients,
    steps: tf.Tensor | None = None,
) -> Tensors:
    """The gradients of all tensors of a recurrence, from the results of the backward loop; `steps` as in `Options`."""
    grad_weights = {}
    for name, weights in tensors.weights.items():
        state = roles.state[name]
        vectors = gradients.vectors[name] if state is None else r.before(stacked(saved.histories[state]))
        vectors = vectors * r.dropout_masks[name] if name in r.dropout_masks else vectors
        grad_weights[name] = _of_weights(
            vectors[:steps], gradients.products.get(name, gradients.inputs)[:steps], weights
        )
    return Tensors(gradients.inputs, gradients.states, grad_weights, gradients.constants)


def _of_weights(vectors: tf.Tensor, upstream: tf.Tensor, weights: list[tf.Tensor]) -> list[tf.Tensor]:
    """Gradients of the weights of a product, from its vectors and the gradients of its results, (time, batch, size)."""
    if len(weights[0].shape) == 3:  # a matrix for each row
        return [tf.matmul(tf.transpose(vectors, (1, 2, 0)), tf.transpose(upstream, (1, 0, 2)))]
    vectors, upstream = (tf.reshape(x, (-1, x.shape[-1])) for x in (vectors, upstream))
    return [sum_of_outer_products(vectors, upstream), column_sums(upstream)][: len(weights)]
