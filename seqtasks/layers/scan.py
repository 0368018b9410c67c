"""Recurrences over time with their gradients: what runs where, and the derivatives of every order.

The loops are in `loops.py`. When XLA compiles them, each recurrence has its own loop; `compiled_length.py` has those
for any length. For the derivative of a gradient the forward loop runs again, and TensorFlow differentiates it twice.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager.record import stop_recording  # has no public name

from seqtasks.layers import batch_of_one, compiled_length, kernels, plain_loop
from seqtasks.layers.loops import (
    BackwardOptions,
    Options,
    ProductRoles,
    Saved,
    backward_loop,
    forward_loop,
    gradients_of,
    stacked,
)
from seqtasks.layers.recurrence import Recurrence, Tensors, prepare_kernels

COMPILED_ROWS = 4  # up to this batch size a step is mostly dispatch (see benchmarks/layers.py)
COMPILED_SIZE = 4096  # rows times units from which compiling a training with known shapes is worth XLA's seconds


def scan(recurrences: Sequence[Recurrence], unroll: bool = False) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
    """Runs recurrences of equal length over time, in one forward loop and, for the gradient, one backward loop.

    A masked step keeps the states.

    Args:
        recurrences: list of `Recurrence`.
        unroll: whether the graph has the operations of every step instead of loops. The length must be known.

    Returns:
        A list with (outputs (time, batch, units), last states) for each recurrence.
    """
    if plain_loop.is_converting():
        return plain_loop.run(recurrences)
    keep = any(r.training for r in recurrences)
    forward: Callable = forward_loop
    backward: Callable = backward_loop
    steps = None
    if compiled_length.is_wanted(recurrences) and not unroll:
        steps = tf.shape(recurrences[0].inputs)[0]
        recurrences = [r.padded(compiled_length.round_up(steps)) for r in recurrences]
    compiled = steps is not None or _uses_xla(recurrences)
    kernels.record(kernels.COMPILED if compiled else kernels.LOOP)
    if compiled:
        forward, backward = (functools.partial(_compile_each, loop) for loop in (forward_loop, backward_loop))

    def run(tensors: list[Tensors], forward: Callable, keep: bool = False) -> tuple[list, list[list], list[Saved]]:
        saved, last = forward(recurrences, Options(keep, unroll, steps), tensors, prepare_kernels(tensors))
        outputs = [
            tf.ensure_shape(r.after(s.histories[0]), (r.inputs.shape[0], *s.histories[0].shape[1:]))
            for r, s in zip(recurrences, saved, strict=True)
        ]
        return outputs, last, saved

    def run_plain(*flat: tf.Tensor) -> list[tf.Tensor]:
        return tf.nest.flatten(run(unflattened(flat), forward_loop)[:2])

    def unflattened(flat: Sequence[tf.Tensor]) -> list[Tensors]:
        return tf.nest.pack_sequence_as(structure, [flat[place] for place in places])

    @tf.custom_gradient
    def run_with_gradient(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        tensors = unflattened(flat)
        outputs, last, saved = run(tensors, forward, keep)

        def gradient(*upstream: tf.Tensor, variables: list | None = None) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            variables = variables or []

            @tf.custom_gradient
            def first_order(*sources: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
                upstream = tf.nest.pack_sequence_as([outputs, last], sources[len(flat) :])
                kept = saved if keep else run(tensors, forward, True)[2]
                of_cell = {id(r.cell): ProductRoles() for r in recurrences}
                roles, options = [of_cell[id(r.cell)] for r in recurrences], BackwardOptions(variables, steps)
                transposed = prepare_kernels(tensors, transposed=True)
                found, grad_variables = backward(recurrences, options, tensors, transposed, kept, roles, *upstream)
                each = zip(recurrences, tensors, kept, roles, found, strict=True)
                grads = [gradients_of(*arguments, steps) for arguments in each]
                results = _sum_by_place(tf.nest.flatten(grads), places)
                results += [tf.add_n(parts) for parts in zip(*grad_variables, strict=True)]
                return results, functools.partial(_second_order, run_plain, sources, len(flat), variables)

            results = first_order(*flat, *upstream)
            return results[: len(flat)], results[len(flat) :]

        return tf.nest.flatten([outputs, last]), gradient

    structure = [r.tensors for r in recurrences]
    if unroll:
        return list(zip(*run(structure, forward_loop)[:2], strict=True))
    if batch_of_one.is_wanted(recurrences):
        one_or_more = batch_of_one.run(recurrences, structure, lambda: run(structure, forward, keep)[:2])
        return list(zip(*one_or_more, strict=True))
    distinct, places = _distinct(tf.nest.flatten(structure))
    results = run_with_gradient(*distinct)
    outputs_and_states = [[r.inputs for r in recurrences], [r.states for r in recurrences]]
    outputs, last = tf.nest.pack_sequence_as(outputs_and_states, results)
    return list(zip(outputs if steps is None else [x[:steps] for x in outputs], last, strict=True))


def _second_order(
    run: Callable,
    sources: Sequence[tf.Tensor],
    count: int,
    differentiated: list,
    *upstream: tf.Tensor,
    variables: list | None = None,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """The gradients of a gradient: automatic differentiation of a forward loop, twice.

    Args:
        run: the function of `count` tensors that was differentiated.
        sources: its arguments, and the gradients of its results.
        count: number of arguments.
        differentiated: the variables whose gradients are part of the gradient.
        upstream: the gradients of the gradient, those of the arguments first.
        variables: the variables whose gradients are requested.

    Returns:
        The gradients of the sources, and of the variables.
    """
    sources = [*map(tf.identity, sources)]  # two results can have one tensor as gradient, whose own would count twice
    wanted = [sources, variables or []]
    zero = tf.UnconnectedGradients.ZERO
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(wanted)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch([*sources[:count], *differentiated])
            results = run(*sources[:count])
        first = inner.gradient(results, [*sources[:count], *differentiated], sources[count:], zero)
    return tuple(outer.gradient(first, wanted, upstream, zero))


def _distinct(tensors: list[tf.Tensor]) -> tuple[list[tf.Tensor], list[int]]:
    """Each of the tensors once, and for each of `tensors` its place in that list: shards share their weights."""
    first: dict[int, int] = {}
    places = [first.setdefault(id(tensor), len(first)) for tensor in tensors]
    return [tensors[places.index(i)] for i in range(len(first))], places


def _sum_by_place(grads: list[tf.Tensor], places: list[int]) -> list[tf.Tensor]:
    """The sums of the gradients that have one place."""
    parts: list[list[tf.Tensor]] = [[] for _ in set(places)]
    for place, grad in zip(places, grads, strict=True):
        parts[place].append(grad)
    return [*map(tf.add_n, parts)]


def _uses_xla(recurrences: Sequence[Recurrence]) -> bool:
    """Whether XLA compiles the loop. Every shape must be known: XLA would compile anew for each length.

    It does for few rows, and for a large training.
    """
    shapes = [(*r.inputs.shape[:2], r.states[0].shape[-1]) for r in recurrences]
    if tf.executing_eagerly() or any(None in shape for shape in shapes):
        return False
    if all(rows <= COMPILED_ROWS for _, rows, _ in shapes):
        return True
    large = all(rows * units >= COMPILED_SIZE for _, rows, units in shapes)
    return large and all(r.training for r in recurrences) and not tf.config.list_physical_devices("GPU")


def _compile_each(loop: Callable, recurrences: Sequence[Recurrence], options: Any, *each: Sequence) -> list[list]:
    """The results of `loop`, with an XLA program for each recurrence: XLA would run the parts of one in turn.

    Shards of a batch have one cell, so they share a program where their shapes are equal.

    Args:
        loop: `forward_loop` or `backward_loop`.
        recurrences: its first argument.
        options: its second argument, which all recurrences share.
        each: its other arguments, one element for each recurrence.
    """
    programs: dict[tuple, Any] = {}
    results = []
    for r, *arguments in zip(recurrences, *each, strict=True):
        key = id(r.cell), r.backwards
        if key not in programs:
            programs[key] = _program(loop, r)
        arguments = [r.masks, options, *([argument] for argument in arguments)]
        programs[key].get_concrete_function(*arguments)
        with stop_recording():  # under a tape of a tape it would return its intermediate results, which XLA cannot
            results.append(programs[key](*arguments))
    return [[part for (part,) in column] for column in zip(*results, strict=True)]


def _program(loop: Callable, r: Recurrence) -> Callable:
    """`loop` of one recurrence, compiled by XLA; its masks come in place of the recurrence."""

    def run(masks: tuple, *arguments: Any) -> Any:
        results = loop([r.with_masks(*masks)], *arguments)
        return tf.nest.map_structure(stacked, results)  # an array cannot leave XLA

    return tf.function(run, jit_compile=True)
