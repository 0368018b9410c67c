"""The loop over time. It is written once, here, for every cell, direction and mask.

The loop forth holds the recurrent products and the gates alone; what depends on the inputs was computed before it.
Backpropagation through time is written out: the loop back computes the gates of each step anew under a tape, from the
products that the loop forth saved, and the gradient of each recurrent weight is one matrix product after it. Automatic
differentiation of a loop would keep every intermediate result of every step, and add up the gradients of the weights
step by step.

Several recurrences go through the loop side by side, the two directions of a layer or parts of a batch: each step is
too small for more than one core, but they run on a core each. Where XLA compiles the loop, each has a loop of its own.
"""

import functools

import tensorflow as tf

from seqtasks.cells import RNNCell
from seqtasks.cells.affine import column_sums, outer, rowwise, staggered
from seqtasks.layers import batch_of_one

COMPILED_ROWS = 4  # up to this batch size a step is all dispatch (see benchmarks/layers.py)
COMPILED_SIZE = 4096  # rows times units from which a training of known shapes is worth the seconds that XLA takes


class Recurrence:
    """One cell ready to be carried over one batch: projected inputs, first states, weights and masks, time first.

    The first state of a recurrence is what it puts out. For cells of this package that holds by contract; a foreign
    cell, whose output may be something else, carries its last output as an additional first state.

    A step may multiply with matrices that are each row's own, as attention does with its memory: `product` takes them
    by their name as it takes weights. What else all steps of a row need, `constants`, is given to `step` as it is.

    Args:
        cell: a cell of `seqtasks.cells` or any Keras RNN cell.
        sequences: tensor (time, batch, features), or what a cell's `project` gives for it.
        states: list of tensors (batch, size), the states before the first step.
        weights: {name: [kernel, perhaps bias]}, what a cell of this package has as `recurrent_weights`, in tensors;
            several recurrences of one cell share them.
        mask: None or boolean tensor (time, batch, 1), False where a step is to be skipped.
        backwards: whether time runs from the end to the start; inputs and outputs keep their places.
        training: whether dropout and zoneout are at work, and gradients will be asked for.
        matrices: {name: tensor (batch, rows, columns)}, for a cell of this package that asks for them.
        constants: {name: tensor (batch, ...)}, the same.
        projected: whether `sequences` are projected already.
    """

    def __init__(
        self, cell, sequences, states, weights, mask=None, backwards=False, training=False, matrices=None,
        constants=None, projected=False,
    ):  # fmt: skip
        self.mask, self.backwards, self.training = mask, backwards, bool(training)
        self.states, self.dropped, self.kept = list(states), {}, None
        # of each product: which state it multiplies, or None, and whether it is simply added to the inputs and so has
        # their gradient; known when a step back was traced
        self.multiplied, self.added = {}, []
        self.weights, self.constants = {name: [m] for name, m in (matrices or {}).items()} | weights, constants or {}
        if isinstance(cell, RNNCell):
            self._own(cell, sequences, weights, projected)
        else:
            self._foreign(cell, sequences)

    def _own(self, cell, sequences, weights, projected):
        time, batch, features = tf.unstack(tf.shape(sequences))
        if self.training and cell.dropout and not projected:
            sequences *= cell.dropped((batch, features), cell.dropout)
        self.inputs = sequences if projected else cell.project(sequences)
        if self.training and cell.recurrent_dropout:
            for name, (kernel, *_) in weights.items():
                self.dropped[name] = cell.dropped((batch, kernel.shape[0]), cell.recurrent_dropout)
        if self.training and cell.zoneout:
            shapes = [(time, batch, state.shape[-1]) for state in self.states]
            self.kept = [cell.dropped(shape, 1 - cell.zoneout) > 0 for shape in shapes]

        def step(at, inputs, states, product, constants):
            kept = None if self.kept is None else [k[at] for k in self.kept]
            more = (constants,) if constants else ()
            return cell.zone_out(states, cell.step(inputs, states, product, *more), kept)

        self.step = step

    def _foreign(self, cell, sequences):
        known = {"training": self.training} if getattr(cell, "_call_has_training_arg", False) else {}
        output, _ = cell(sequences[0], self.states, **known)

        def step(at, inputs, states, product, constants):
            output, new = cell(inputs, states[1:], **known)
            return [output, *(new if isinstance(new, (list, tuple)) else [new])]

        self.inputs, self.states, self.step = sequences, [tf.zeros_like(output), *self.states], step

    def product(self, weights, kernels=None):
        """The function that `step` multiplies with; `kernels` are those of the weights, ready for it."""
        return _Product(self.dropped, weights, kernels)

    @property
    def tensors(self):
        """All that a gradient can be asked of."""
        return [self.inputs, self.states, self.weights, self.constants]

    def place(self, t, time):
        """Where step t of the loop stands in the sequence, and where in a history the states before and after it."""
        at = time - 1 - t if self.backwards else t
        return (at, at + 1, at) if self.backwards else (at, at, at + 1)

    def before(self, history):
        """Of a history (1 + time, batch, size) the states before each step."""
        return history[1:] if self.backwards else history[:-1]

    def after(self, history):
        return history[:-1] if self.backwards else history[1:]


def scan(recurrences):
    """Carry several recurrences of equal length through time, in one loop forth and, for the gradient, one loop back.

    Masked steps keep the states they found.

    Returns:
        A list with (outputs (time, batch, units), last states) for each recurrence.
    """
    keep = any(r.training for r in recurrences)
    forth, back = (functools.partial(_apart, f) if _compiled(recurrences) else f for f in (_forth, _back))

    def plain(given):
        histories, products, last = forth(recurrences, keep, given, _kernels(given))
        outputs = [
            tf.ensure_shape(r.after(h[0]), (r.inputs.shape[0], *h[0].shape[1:]))
            for r, h in zip(recurrences, histories, strict=True)
        ]
        return outputs, last, histories, products

    @tf.custom_gradient
    def run(*unlike):
        given = tf.nest.pack_sequence_as(tensors, [unlike[place] for place in places])
        outputs, last, histories, products = plain(given)

        def gradient(*upstream, variables=None):
            kept = (histories, products) if keep else forth(recurrences, True, given, _kernels(given))[:2]
            upstream = tf.nest.pack_sequence_as([outputs, last], upstream)
            into = back(recurrences, variables or [], given, _kernels(given, transposed=True), *kept, *upstream)
            *into, into_variables = into
            into = [_with_weights(*each) for each in zip(recurrences, given, kept[0], *into, strict=True)]
            into_unlike = [[] for _ in unlike]
            for place, part in zip(places, tf.nest.flatten(into), strict=True):
                into_unlike[place].append(part)
            return [*map(tf.add_n, into_unlike)], [tf.add_n(parts) for parts in zip(*into_variables, strict=True)]

        return tf.nest.flatten([outputs, last]), gradient

    tensors = [r.tensors for r in recurrences]
    unlike, places = _unlike(tf.nest.flatten(tensors))
    if batch_of_one.wanted(recurrences):
        return list(zip(*batch_of_one.single_or_many(recurrences, tensors, lambda: plain(tensors)[:2]), strict=True))
    results = run(*unlike)
    structure = [[r.inputs for r in recurrences], [r.states for r in recurrences]]
    return list(zip(*tf.nest.pack_sequence_as(structure, results), strict=True))


def _unlike(tensors):
    """Each of the tensors once, and for all of them their places in that list: lanes share their weights."""
    first = {}
    places = [first.setdefault(id(tensor), len(first)) for tensor in tensors]
    return [tensors[places.index(i)] for i in range(len(first))], places


def _compiled(recurrences):
    """Whether XLA compiles the loop: of few rows, or for a training in which every shape is known."""
    if tf.executing_eagerly():
        return False
    shapes = [(*r.inputs.shape[:2], r.states[0].shape[-1]) for r in recurrences]
    if all(rows is not None and rows <= COMPILED_ROWS for _, rows, _ in shapes):
        return True
    known = all(None not in shape and shape[1] * shape[2] >= COMPILED_SIZE for shape in shapes)
    ours = all(r.training and r.weights for r in recurrences)  # a foreign cell may do what XLA cannot
    return known and ours and not tf.config.list_physical_devices("GPU")


def _apart(loop, recurrences, more, *each):
    """What `loop` gives, with a program compiled by XLA for each recurrence: the parts of one would take turns."""

    def run(*arguments):
        return tf.nest.map_structure(_whole, loop(*arguments))  # an array cannot leave XLA

    parts = [
        tf.function(run, jit_compile=True)([r], more, *([mine] for mine in own))
        for r, *own in zip(recurrences, *each, strict=True)
    ]
    return [[part for (part,) in column] for column in zip(*parts, strict=True)]


def _kernels(given, transposed=False):
    """{name: kernel} of each recurrence, ready for `_multiply`."""
    turn, ready = tf.linalg.matrix_transpose if transposed else tf.identity, {}
    for kernel, *_ in (each for _, _, weights, _ in given for each in weights.values()):
        if id(kernel) not in ready:
            ready[id(kernel)] = staggered(turn(kernel))
    return [{name: ready[id(kernel)] for name, (kernel, *_) in weights.items()} for _, _, weights, _ in given]


def _array(size, dtype, shape):
    return tf.TensorArray(dtype, size, element_shape=shape, clear_after_read=False)


def _forth(recurrences, keep, given, kernels):
    """The states before and after every step, the products, and the last states.

    Histories are (1 + time, batch, size), products (time, batch, columns): tensors, or where the loop back only reads
    them step by step, arrays. Unless `keep` is set, there is only what is put out: the history of the first state.
    """
    time = tf.shape(given[0][0])[0]
    histories, saved = [], []
    for recurrence, (_, states, weights, _) in zip(recurrences, given, strict=True):
        arrays = [_array(1 + time, s.dtype, s.shape) for s in (states if keep else states[:1])]
        first = time if recurrence.backwards else 0
        histories.append([array.write(first, s) for array, s in zip(arrays, states, strict=False)])
        arrays = {n: _array(time, w[0].dtype, (states[0].shape[0], w[0].shape[-1])) for n, w in weights.items()}
        saved.append(arrays if keep else {})

    def body(t, states, histories, saved):
        new_states, new_histories, new_saved = [], [], []
        for r, (inputs, _, weights, constants), kernel, old, history, products in zip(
            recurrences, given, kernels, states, histories, saved, strict=True
        ):
            at, _, after = r.place(t, time)
            product = r.product(weights, kernel)
            new = r.step(at, inputs[at], old, product, constants)
            if r.mask is not None:
                live = r.mask[at]  # (batch, 1)
                new = [tf.where(live, n, o) for n, o in zip(new, old, strict=True)]
            new_states.append(list(new))
            new_histories.append([array.write(after, n) for array, n in zip(history, new, strict=False)])
            new_saved.append({name: array.write(at, product.results[name]) for name, array in products.items()})
        return t + 1, new_states, new_histories, new_saved

    start = (0, [states for _, states, _, _ in given], histories, saved)
    _, last, histories, saved = tf.while_loop(lambda t, *_: t < time, body, start, maximum_iterations=time)
    return [[h[0].stack(), *h[1:]] for h in histories], saved, last


def _read(x, place):
    return x.read(place) if isinstance(x, tf.TensorArray) else x[place]


class _Product:
    """The recurrent products of one step forth, which it remembers."""

    def __init__(self, dropped, weights, kernels):
        self.dropped, self.weights, self.kernels, self.results = dropped, weights, kernels, {}

    def __call__(self, name, vectors):
        if name in self.results:
            raise ValueError(f"product({name!r}) was asked for twice in one step: give the second a name of its own.")
        if name in self.dropped:
            vectors *= self.dropped[name]
        kernel, *bias = self.weights[name]
        result = _multiply(vectors, kernel if self.kernels is None else self.kernels[name], kernel.shape[-1])
        self.results[name] = tf.nn.bias_add(result, bias[0]) if bias else result
        return self.results[name]


def _multiply(vectors, kernel, columns):
    """A product with a kernel, perhaps a staggered one or each row's own, of so many columns."""
    if len(kernel.shape) == 3:
        return rowwise(vectors, kernel)
    result = tf.matmul(vectors, kernel)
    return result if kernel.shape[-1] == columns else tf.slice(result, (0, 0), (-1, columns))


class _Recall:
    """The recurrent products of one step back: their results are known, their gradients lead to the vectors."""

    def __init__(self, dropped, results, kernels):
        self.dropped, self.results, self.kernels, self.vectors = dropped, results, kernels, {}

    def __call__(self, name, vectors):
        self.vectors[name] = vectors

        @tf.custom_gradient
        def recall(vectors, result):
            def gradient(upstream):
                into = _multiply(upstream, self.kernels[name], vectors.shape[-1])
                return into * self.dropped[name] if name in self.dropped else into, upstream

            return tf.identity(result), gradient

        return recall(vectors, self.results[name])


def _whole(x):
    return x.stack() if isinstance(x, tf.TensorArray) else x


def _back(recurrences, variables, given, kernels, histories, products, into_outputs, into_last):
    """The gradients, from those of the outputs and last states: lists for each recurrence.

    Returns:
        into_inputs, into_states: of the inputs and first states.
        into_products: {name: (time, batch, columns)}, of products that are not simply added to the inputs.
        vectors: {name: (time, batch, rows)}, what was multiplied, of products of no state.
        into_constants, into_variables.
    """
    time = tf.shape(given[0][0])[0]

    def body(t, into_states, into_inputs, into_products, vectors, into_constants, into_variables):
        new = []
        for i, r in enumerate(recurrences):
            at, before, _ = r.place(t, time)
            into = [into_states[i][0] + into_outputs[i][at], *into_states[i][1:]]
            kept = None
            if r.mask is not None:
                live = tf.cast(r.mask[at], into[0].dtype)
                kept, into = [d * (1 - live) for d in into], [d * live for d in into]
            x, old = given[i][0][at], [_read(h, before) for h in histories[i]]
            results = {name: _read(p, at) for name, p in products[i].items()}
            recall, constants = _Recall(r.dropped, results, kernels[i]), given[i][3]
            watched = [x, old, results, constants, variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                states = r.step(at, x, old, recall, constants)
            into_x, into_old, into_results, into_constant, into_weights = tape.gradient(
                states, watched, into, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            if kept is not None:
                into_old = [d + k for d, k in zip(into_old, kept, strict=True)]
            for name, used in recall.vectors.items():
                r.multiplied[name] = next((place for place, state in enumerate(old) if state is used), None)
                if r.multiplied[name] is None:
                    vectors[i][name] = vectors[i][name].write(at, used)
            r.added = [name for name, d in into_results.items() if d is into_x]
            written = {
                name: into_products[i][name] if name in r.added else into_products[i][name].write(at, d)
                for name, d in into_results.items()
            }
            constant = {name: total + into_constant[name] for name, total in into_constants[i].items()}
            new.append((into_old, into_inputs[i].write(at, into_x), written, vectors[i], constant))
            into_variables = [total + d for total, d in zip(into_variables, into_weights, strict=True)]
        return t - 1, *(list(column) for column in zip(*new, strict=True)), into_variables

    like = lambda x: _array(time, x.dtype, x.shape[1:])  # noqa: E731
    columns, rows = (
        [
            {n: _array(time, w[0].dtype, (states[0].shape[0], w[0].shape[side])) for n, w in weights.items()}
            for _, states, weights, _ in given
        ]
        for side in (-1, -2)
    )
    zeros = [tf.zeros(v.shape, v.dtype) for v in variables]
    none = [tf.nest.map_structure(tf.zeros_like, constants) for *_, constants in given]
    start = (time - 1, into_last, [like(inputs) for inputs, *_ in given], columns, rows, none, zeros)
    _, into_states, into_inputs, into_products, vectors, into_constants, into_variables = tf.while_loop(
        lambda t, *_: t >= 0, body, start, maximum_iterations=time
    )
    into_products = [
        {name: x.stack() for name, x in arrays.items() if name not in r.added}
        for r, arrays in zip(recurrences, into_products, strict=True)
    ]
    vectors = [
        {name: x.stack() for name, x in arrays.items() if r.multiplied[name] is None}
        for r, arrays in zip(recurrences, vectors, strict=True)
    ]
    into_inputs = [array.stack() for array in into_inputs]
    return into_inputs, into_states, into_products, vectors, into_constants, [into_variables]


def _with_weights(r, given, histories, into_input, into_states, into_products, vectors, into_constants):
    """The gradients of all `given` tensors of a recurrence, from what the loop back found."""
    into_weights = {}
    for name, weights in given[2].items():
        used = vectors[name] if name in vectors else r.before(_whole(histories[r.multiplied[name]]))
        used = used * r.dropped[name] if name in r.dropped else used
        into_weights[name] = _outer(used, into_products.get(name, into_input), weights)
    return [into_input, into_states, into_weights, into_constants]


def _outer(vectors, upstream, weights):
    """Gradients of the weights of a product, from its vectors and those of its results, both (time, batch, size)."""
    if len(weights[0].shape) == 3:  # each row's own
        return [tf.matmul(tf.transpose(vectors, (1, 2, 0)), tf.transpose(upstream, (1, 0, 2)))]
    vectors, upstream = (tf.reshape(x, (-1, x.shape[-1])) for x in (vectors, upstream))
    return [outer(vectors, upstream), column_sums(upstream)][: len(weights)]
