"""`seqtasks.layers.Bidirectional` beside Keras' own: arguments, results, and the configuration of older files."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells import GRUCell, LSTMCell, SimpleRNNCell
from seqtasks.layers import RNN, Bidirectional, bidirectional

K = keras.layers
X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
MASK = np.array([[1, 1, 0, 1], [0, 1, 1, 0]], bool)


def randomised(ours, theirs, x=X):
    rng = np.random.default_rng(1)
    for layer in (ours, theirs):
        layer(x)
    weights = [rng.normal(size=w.shape, scale=0.5) for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def same(ours, theirs):
    ours, theirs = tf.nest.flatten(ours), tf.nest.flatten(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("merge_mode", "sequences"), itertools.product(bidirectional.MERGE, [False, True]))
def test_merged_outputs_and_states_are_those_of_keras(merge_mode, sequences):
    options = {"return_sequences": sequences, "return_state": True}
    ours, theirs = randomised(
        Bidirectional(RNN(LSTMCell(4), **options), merge_mode=merge_mode),
        K.Bidirectional(K.RNN(LSTMCell(4), **options), merge_mode=merge_mode),
    )
    states = [np.full((2, 4), value, "float32") for value in (0.1, 0.2, 0.3, 0.4)]
    same(ours(X, initial_state=states, mask=MASK), theirs(X, initial_state=states, mask=MASK))
    inputs = keras.Input((None, 3))
    assert [y.shape for y in tf.nest.flatten(ours(inputs))] == [y.shape for y in tf.nest.flatten(theirs(inputs))]
    masks = ours.compute_mask(inputs, "mask")
    count = 2 if merge_mode is None else 1
    assert masks == (*["mask" if sequences else None] * count, *[None] * 4)


@pytest.mark.parametrize("loops", [1, 2])
def test_both_directions_share_a_loop_where_they_can(loops, monkeypatch):
    counted, real = [], bidirectional.run_cells
    monkeypatch.setattr(bidirectional, "run_cells", lambda cells, *rest: counted.append(cells) or real(cells, *rest))
    inner = {1: RNN(GRUCell(4)), 2: RNN(GRUCell(4), stateful=True)}[loops]
    Bidirectional(inner)(X)
    assert [len(cells) for cells in counted] == [2] * (loops == 1)


def test_forward_layer_that_reads_from_the_end():
    options = {"go_backwards": True, "return_sequences": True}
    both = [(RNN(GRUCell(4), **options), RNN(GRUCell(4), return_sequences=True))]
    both.append((K.RNN(GRUCell(4), **options), K.RNN(GRUCell(4), return_sequences=True)))
    (one, other), (theirs, others) = both
    same(*(layer(X, mask=MASK) for layer in randomised(
        Bidirectional(one, backward_layer=other), K.Bidirectional(theirs, backward_layer=others)
    )))  # fmt: skip


def test_cells_of_different_sizes_and_cells_that_keras_cannot_copy():
    class Unregistered(SimpleRNNCell):
        pass

    layer = Bidirectional(Unregistered(4), LSTMCell(2))
    assert layer(X).shape == (2, 4, 6) == layer.compute_output_shape((2, 4, 3))
    assert isinstance(layer.forward, Unregistered)
    shared = Bidirectional(layer.forward, layer.backward, return_sequences=False)
    np.testing.assert_allclose(shared(X), tf.concat([layer(X)[:, -1, :4], layer(X)[:, 0, 4:]], -1), atol=1e-6)


def test_initial_weights():
    weights = Bidirectional(RNN(GRUCell(4)))
    weights(X)
    given = [w + 1 for w in weights.get_weights()]
    layer = Bidirectional(RNN(GRUCell(4)), weights=given)
    layer(X)
    same(layer.get_weights(), given)


def test_configuration_of_two_cells_has_the_keys_of_older_files():
    layer = Bidirectional(GRUCell(4, name="forward"), GRUCell(4, name="backward"), name="both")
    config = layer.get_config()
    older = {key: config[key] for key in ("name", "trainable", "dtype", "forward", "backward", "return_sequences")}
    again = Bidirectional.from_config(json.loads(json.dumps(older)))
    same(*(each(X) for each in randomised(layer, again)))
    assert {w.path for w in again.weights} == {
        f"both/{direction}/{name}"
        for direction in ("forward", "backward")
        for name in ("kernel", "recurrent_kernel", "bias")
    }


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((RNN(GRUCell(4)), "add"), {}, "merge_mode must be one of .*'add'"),
        ((RNN(GRUCell(4)),), {"return_sequences": True}, "return_sequences is given to the layer"),
        ((RNN(GRUCell(4)),), {"backward_layer": GRUCell(4)}, "two cells or two layers"),
        ((GRUCell(4), RNN(GRUCell(4), go_backwards=True)), {}, "two cells or two layers"),
        ((RNN(GRUCell(4)),), {"backward_layer": RNN(GRUCell(4))}, "different `go_backwards`"),
    ],
)
def test_arguments_that_do_not_fit_raise(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        Bidirectional(*arguments, **options)
