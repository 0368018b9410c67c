"""The loop over time. It is written once, here, for every cell, direction and mask.

The loop forth holds the recurrent products and the gates alone; what depends on the inputs was computed before it.
Backpropagation through time is written out: the loop back computes the gates of each step anew under a tape, from the
products that the loop forth saved, and the gradient of each recurrent weight is one matrix product after it. Automatic
differentiation of a loop would keep every intermediate result of every step, and add up the gradients of the weights
step by step.

Several recurrences go through the loop side by side, the two directions of a layer or parts of a batch: each step is
too small for more than one core, but they run on a core each.
"""

import tensorflow as tf

from seqtasks.cells import RNNCell
from seqtasks.cells.affine import affine, column_sums, rowwise
from seqtasks.layers import single

COMPILED_ROWS = 4  # up to this batch size XLA's loop is the faster one (see benchmarks/layers.py)


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
        mask: None or boolean tensor (time, batch, 1), False where a step is to be skipped.
        backwards: whether time runs from the end to the start; inputs and outputs keep their places.
        training: whether dropout and zoneout are at work, and gradients will be asked for.
        matrices: {name: tensor (batch, rows, columns)}, for a cell of this package that asks for them.
        constants: {name: tensor (batch, ...)}, the same.
        projected: whether `sequences` are projected already.
    """

    def __init__(
        self, cell, sequences, states, mask=None, backwards=False, training=False, matrices=None, constants=None,
        projected=False,
    ):  # fmt: skip
        self.mask, self.backwards, self.training = mask, backwards, bool(training)
        self.states, self.dropped, self.kept = list(states), {}, None
        self.weights, self.constants = {name: [m] for name, m in (matrices or {}).items()}, constants or {}
        if isinstance(cell, RNNCell):
            self._own(cell, sequences, projected)
        else:
            self._foreign(cell, sequences)

    def _own(self, cell, sequences, projected):
        time, batch, features = tf.unstack(tf.shape(sequences))
        if self.training and cell.dropout and not projected:
            sequences *= cell.dropped((batch, features), cell.dropout)
        self.inputs = sequences if projected else cell.project(sequences)
        for name, weights in cell.recurrent_weights().items():
            self.weights[name] = [tf.convert_to_tensor(w) for w in weights]
            if self.training and cell.recurrent_dropout:
                self.dropped[name] = cell.dropped((batch, self.weights[name][0].shape[0]), cell.recurrent_dropout)
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

    def product(self, weights):
        """The function that `step` multiplies with."""
        return _Product(self.dropped, weights)

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
    rows = max(r.inputs.shape[1] or 2**30 for r in recurrences)
    compiled = rows <= COMPILED_ROWS and not tf.executing_eagerly()
    forth, back = (tf.function(f, jit_compile=True) if compiled else f for f in (_forth, _back))

    def plain(given):
        histories, products, last = forth(recurrences, given, keep, compiled)
        return [r.after(h[0]) for r, h in zip(recurrences, histories, strict=True)], last, histories, products

    @tf.custom_gradient
    def run(*flat):
        given = tf.nest.pack_sequence_as(tensors, flat)
        outputs, last, histories, products = plain(given)

        def gradient(*upstream, variables=None):
            kept = (histories, products) if keep else forth(recurrences, given, True, compiled)[:2]
            into, into_variables = back(
                recurrences, given, *kept, tf.nest.pack_sequence_as([outputs, last], upstream), variables or []
            )
            return tf.nest.flatten(into), into_variables

        return tf.nest.flatten([outputs, last]), gradient

    tensors = [r.tensors for r in recurrences]
    if single.wanted(recurrences):
        return list(zip(*single.single_or_many(recurrences, tensors, lambda: plain(tensors)[:2]), strict=True))
    results = run(*tf.nest.flatten(tensors))
    structure = [[r.inputs for r in recurrences], [r.states for r in recurrences]]
    return list(zip(*tf.nest.pack_sequence_as(structure, results), strict=True))


def _array(size, dtype, shape):
    return tf.TensorArray(dtype, size, element_shape=shape, clear_after_read=False)


def _forth(recurrences, given, keep, compiled=False):
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
        for r, (inputs, _, weights, constants), old, history, products in zip(
            recurrences, given, states, histories, saved, strict=True
        ):
            at, _, after = r.place(t, time)
            product = r.product(weights)
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
    if compiled:  # an array cannot leave XLA
        stacked = tf.nest.map_structure(lambda array: array.stack(), (histories, saved))
        return *stacked, last
    return [[h[0].stack(), *h[1:]] for h in histories], saved, last


def _read(x, place):
    return x.read(place) if isinstance(x, tf.TensorArray) else x[place]


class _Product:
    """The recurrent products of one step forth, which it remembers."""

    def __init__(self, dropped, weights):
        self.dropped, self.weights, self.results = dropped, weights, {}

    def __call__(self, name, vectors):
        if name in self.results:
            raise ValueError(f"product({name!r}) was asked for twice in one step: give the second a name of its own.")
        if name in self.dropped:
            vectors *= self.dropped[name]
        multiply = rowwise if len(self.weights[name][0].shape) == 3 else affine
        self.results[name] = multiply(vectors, *self.weights[name])
        return self.results[name]


class _Recall:
    """The recurrent products of one step back: their results are known, their gradients lead to the vectors."""

    def __init__(self, dropped, results, transposed):
        self.dropped, self.results, self.transposed, self.vectors = dropped, results, transposed, {}

    def __call__(self, name, vectors):
        self.vectors[name] = vectors

        @tf.custom_gradient
        def recall(vectors, result):
            def gradient(upstream):
                transposed = self.transposed[name]
                into = rowwise(upstream, transposed) if len(transposed.shape) == 3 else tf.matmul(upstream, transposed)
                return into * self.dropped[name] if name in self.dropped else into, upstream

            return tf.identity(result), gradient

        return recall(vectors, self.results[name])


def _whole(x):
    return x.stack() if isinstance(x, tf.TensorArray) else x


def _back(recurrences, given, histories, products, upstream, variables):
    """Gradients of all `given` tensors and of the variables, from those of the outputs and last states."""
    time = tf.shape(given[0][0])[0]
    into_outputs, into_last = upstream
    transposed = [{name: tf.linalg.matrix_transpose(w[0]) for name, w in weights.items()} for _, _, weights, _ in given]
    # the vectors of a product that are a state have a history, others are written down in the loop;
    # a product that is added to the input has the input's gradient
    states_in_products, added = [{} for _ in recurrences], [[] for _ in recurrences]

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
            recall, constants = _Recall(r.dropped, results, transposed[i]), given[i][3]
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
                places = [place for place, state in enumerate(old) if state is used]
                if places:
                    states_in_products[i][name] = places[0]
                else:
                    vectors[i][name] = vectors[i][name].write(at, used)
            added[i] = [name for name, d in into_results.items() if d is into_x]
            written = {
                name: into_products[i][name] if name in added[i] else into_products[i][name].write(at, d)
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
    _, into_first, into_inputs, into_products, rows, into_constants, into_variables = tf.while_loop(
        lambda t, *_: t >= 0, body, start, maximum_iterations=time
    )
    into = []
    for i, r in enumerate(recurrences):
        into_weights, into_input = {}, into_inputs[i].stack()
        for name, weights in given[i][2].items():
            place = states_in_products[i].get(name)
            used = rows[i][name].stack() if place is None else r.before(_whole(histories[i][place]))
            used = used * r.dropped[name] if name in r.dropped else used
            d = into_input if name in added[i] else into_products[i][name].stack()
            into_weights[name] = _outer(used, d, weights)
        into.append([into_input, into_first[i], into_weights, into_constants[i]])
    return into, into_variables


def _outer(vectors, upstream, weights):
    """Gradients of the weights of a product, from its vectors and those of its results, both (time, batch, size)."""
    if len(weights[0].shape) == 3:  # each row's own
        return [tf.matmul(tf.transpose(vectors, (1, 2, 0)), tf.transpose(upstream, (1, 0, 2)))]
    vectors, upstream = (tf.reshape(x, (-1, x.shape[-1])) for x in (vectors, upstream))
    return [tf.matmul(vectors, upstream, transpose_a=True), column_sums(upstream)][: len(weights)]
