"""What every public layer guarantees: shapes, configuration, saving, gradients, masks. A class without a row fails."""

import inspect
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import layers
from seqtasks.cells import GRUCell, LSTMCell

RANDOM = np.random.default_rng(0)
MASK = np.array([[True] * 5, [True, True, True, False, False]])
PASSED = "passed"  # the mask of the output is that of the input


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def integers(high, *shape):
    return RANDOM.integers(1, high, shape).astype("int32")


class Row(NamedTuple):
    """A layer, what it is called with, and what it has to return."""

    layer: Callable[[], keras.layers.Layer]
    arguments: tuple[Any, ...]  # arrays, or lists of them
    shapes: tuple[tuple[int, ...], ...]  # of the outputs
    mask: Any = None  # of the output: None, PASSED, or an array
    masked: int | None = 0  # the argument that has `MASK`
    options: dict[str, Any] = {}
    without_gradient: tuple[str, ...] = ()  # names of weights that this call does not use
    dtype: str = "float32"


X, X4, WORDS = normal(2, 5, 3), normal(2, 5, 4), integers(9, 2, 5) * MASK
CHARACTERS = integers(20, 2, 5, 6) * MASK[..., None]
FRAMES = RANDOM.integers(0, 2, (2, 5, 6)).astype("float32")
TARGETS = np.array([[0, 6, 13, 20, 4], [7, 22, 1, -1, -1]], "int32")
CLIPS = RANDOM.uniform(0, 255, (2, 3, 16, 16, 2)).astype("float32")
SAMPLES = np.array([800, 300], "int32")
HALF_MASK = np.array([[True, True, True], [True, True, False]])  # of pairs of steps
ALLOWED = ([True, True, False], [[True, True, False], [True] * 3, [True] * 3], [True] * 3)
ROWS = {
    "AdaptiveSoftmax": Row(lambda: layers.AdaptiveSoftmax(23, (5, 12)), (X, TARGETS), ((2, 5),)),
    **{
        f"Attention-{score}": Row(
            lambda score=score: layers.Attention(3, score), (X, normal(2, 5, 3)), ((2, 5, 3), (2, 5, 5)), masked=1
        )
        for score in ("dot", "general", "additive")
    },
    "AttentionRNN": Row(
        lambda: layers.AttentionRNN(GRUCell(4), "additive", coverage=True), (X, X4), ((2, 5, 4),), masked=1
    ),
    "AttentionRNN-without_feeding": Row(
        lambda: layers.AttentionRNN(LSTMCell(4), input_feeding=False), (X, X4), ((2, 5, 4),), masked=1
    ),
    "AuxiliaryLoss": Row(lambda: layers.AuxiliaryLoss(0.5), (X, normal(2, 5), WORDS), ((2, 5, 3),), PASSED),
    "Bidirectional": Row(lambda: layers.Bidirectional(LSTMCell(4), LSTMCell(4)), (X,), ((2, 5, 8),), PASSED),
    "Bidirectional-last": Row(
        lambda: layers.Bidirectional(GRUCell(4), GRUCell(4), return_sequences=False), (X,), ((2, 8),)
    ),
    "CRF": Row(lambda: layers.CRF(ALLOWED), (X,), ((2, 5, 3, 3),)),
    "CRF-constraints": Row(lambda: layers.CRF(ALLOWED, learn=False), (X,), ((2, 5, 3, 3),)),
    **{
        f"CharacterEncoder-{kind}": Row(
            lambda kind=kind: layers.CharacterEncoder(20, 4, 6, kind), (CHARACTERS,), ((2, 5, 6),), MASK, None
        )
        for kind in ("cnn", "bilstm")
    },
    "NgramScores": Row(
        lambda: layers.NgramScores(9, 2, 0.5), (np.array([[3, 4, 0], [1, 0, 0]]),), ((2, 2),), masked=None
    ),
    "CumulativeLogits": Row(lambda: layers.CumulativeLogits([2.0, 0.5, -1.0]), (X,), ((2, 5, 3),), masked=None),
    "FlowStatistics": Row(layers.FlowStatistics, (normal(2, 5, 4, 4, 2),), ((2, 5, 19),)),
    "FrameDifference": Row(layers.FrameDifference, (X,), ((2, 5, 6),)),
    "IndependentBernoulli": Row(lambda: layers.IndependentBernoulli(6), (X, FRAMES), ((2, 5),)),
    "LogMel": Row(
        lambda: layers.LogMel(8000, 20),
        ([normal(2, 800), SAMPLES],),
        ((2, 8, 20),),
        np.arange(8) < np.array([[8], [2]]),
        None,
    ),
    "MaskedConv1D": Row(lambda: layers.MaskedConv1D(4, 3, activation="tanh"), (X,), ((2, 5, 4),), PASSED),
    "MaxPooling": Row(lambda: layers.MaxPooling(2), (X,), ((2, 3, 3),), HALF_MASK),
    "NextTokens": Row(layers.NextTokens, (WORDS,), ((2, 5),), masked=None, dtype="int32"),
    "ReadingOrder": Row(lambda: layers.ReadingOrder(True), (WORDS,), ((2, 6),), masked=None, dtype="int32"),
    "StepsAt": Row(layers.StepsAt, (integers(6, 2, 5) * MASK, X), ((2, 5, 3),), MASK, None),
    "TextOrder": Row(lambda: layers.TextOrder(True), (X, WORDS[:, :4]), ((2, 4, 3),), MASK[:, 1:]),
    "NADE": Row(lambda: layers.NADE(6, 4), (X, FRAMES), ((2, 5),)),
    "OpticalFlow": Row(lambda: layers.OpticalFlow(4, 2, 3.0), (CLIPS,), ((2, 3, 4, 4, 2),), masked=None),
    "PairBatch": Row(layers.PairBatch, (X, normal(2, 7, 3)), ((4, 7, 3),), masked=None),
    "PairFeatures": Row(layers.PairFeatures, (X,), ((1, 5, 12),), masked=None),
    "Pooling": Row(lambda: layers.Pooling(["max", "mean", "attention"]), (X,), ((2, 9),)),
    "PositionBias": Row(lambda: layers.PositionBias(3), (X,), ((2, 5, 3),), PASSED),
    "PositionWeights": Row(lambda: layers.PositionWeights(4), (X,), ((2, 12),)),
    "RNN": Row(lambda: layers.RNN(LSTMCell(4), return_sequences=True), (X,), ((2, 5, 4),), PASSED),
    "RNN-last": Row(lambda: layers.RNN(GRUCell(4)), (X,), ((2, 4),)),
    "RandomSubstitution": Row(lambda: layers.RandomSubstitution(0.2), (X4,), ((2, 5, 4),), PASSED),
    "ReverseComplementBatch": Row(layers.ReverseComplementBatch, (X4,), ((4, 5, 4),)),
    "ReverseComplementMean": Row(layers.ReverseComplementMean, (X,), ((1, 5, 3),)),
    "ReversibleEmbedding": Row(
        lambda: layers.ReversibleEmbedding(9, 3), (WORDS,), ((2, 5, 3),), masked=None, without_gradient=("bias",)
    ),
    "ReversibleEmbedding-reverse": Row(
        lambda: layers.ReversibleEmbedding(9, 3), (X,), ((2, 5, 9),), masked=None, options={"reverse": True}
    ),
    "ReversibleEmbedding-targets": Row(
        lambda: layers.ReversibleEmbedding(9, 3),
        (X,),
        ((2, 5),),
        masked=None,
        options={"reverse": True, "targets": np.where(MASK, WORDS, -1).astype("int32")},
    ),
    "ReversibleEmbedding-whole": Row(
        lambda: layers.ReversibleEmbedding(9, 3),
        (WORDS,),
        ((9, 3),),
        masked=None,
        options={"whole": True},
        without_gradient=("bias",),
    ),
    "ScheduledSampling": Row(
        lambda: layers.ScheduledSampling(0.5, 10), (WORDS, normal(2, 5, 9)), ((2, 5),), masked=None, dtype="int32"
    ),
    "SpecAugment": Row(lambda: layers.SpecAugment(1, 2, 0.1, 0.2), (X,), ((2, 5, 3),), PASSED),
    "StatefulRNN": Row(lambda: layers.StatefulRNN(LSTMCell(4)), (normal(5, 2, 3),), ((5, 2, 4),), masked=None),
    "StridedConv1D": Row(
        lambda: layers.StridedConv1D(4, 3, 2, causal=True, activation="tanh"), (X,), ((2, 3, 4),), MASK[:, ::2]
    ),
    "TimeDistributed": Row(
        lambda: layers.TimeDistributed(layers.image_stack((16, 16, 2), [4, 4], grid=2, units=5)),
        (CLIPS / 255,),
        ((2, 3, 5),),
        masked=None,
    ),
    "TimeMajor": Row(layers.TimeMajor, (X,), ((5, 2, 3),)),
    "WordEmbedding": Row(lambda: layers.WordEmbedding(9, 4, word_dropout=0.5), (WORDS,), ((2, 5, 4),), MASK, None),
    "WordEmbedding-affixes": Row(
        lambda: layers.WordEmbedding(9, 4, affixes=7), (WORDS, integers(7, 2, 5, 3)), ((2, 5, 4),), MASK, None
    ),
}
INSIDE = {"AttentionCell": "AttentionRNN"}  # classes that run only as the `cell` of another
every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not support masking")


def test_every_public_layer_has_a_row():
    classes = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    assert classes == {type(row.layer()).__name__ for row in ROWS.values()} | set(INSIDE)
    for name, outer in INSIDE.items():
        assert type(ROWS[outer].layer().cell).__name__ == name


def made(row):
    keras.utils.set_random_seed(3)
    return row.layer()


def flat(outputs):
    return tf.nest.flatten(outputs)


@every_row
def test_shape_and_dtype(row):
    outputs = flat(made(row)(*row.arguments, **row.options))
    assert tuple(output.shape for output in outputs) == row.shapes
    assert {output.dtype.name for output in outputs} == {row.dtype}
    assert all(np.isfinite(output).all() for output in outputs)


def assert_same_config(layer, other):
    assert type(layer) is type(other)
    assert json.dumps(layer.get_config()) == json.dumps(other.get_config())


@every_row
def test_the_configuration_makes_an_equal_layer(row):
    layer = made(row)
    assert_same_config(layer, type(layer).from_config(layer.get_config()))
    assert_same_config(layer, keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)))
    if "cell" in vars(layer):
        assert_same_config(layer.cell, type(layer.cell).from_config(layer.cell.get_config()))


def symbolic(x):
    return keras.Input((None, *x.shape[2:])[: x.ndim - 1], dtype=x.dtype.name) if isinstance(x, np.ndarray) else x


@every_row
def test_a_saved_model_returns_the_same(row, tmp_path):
    arguments, options = tf.nest.map_structure(symbolic, (row.arguments, row.options))
    inputs = [x for x in flat((arguments, options)) if isinstance(x, keras.KerasTensor)]
    model = keras.Model(inputs, made(row)(*arguments, **options))
    for output, shape in zip(flat(model.outputs), row.shapes, strict=True):
        assert tf.TensorShape(output.shape).is_compatible_with(shape) and output.dtype == row.dtype
    batch = [x for x in flat((row.arguments, row.options)) if isinstance(x, np.ndarray)]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for output, expected in zip(flat(loaded(batch)), flat(model(batch)), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-6)


@every_row
def test_every_weight_has_a_gradient(row):
    layer = made(row)
    layer(*row.arguments, **row.options)
    with tf.GradientTape() as tape:
        outputs = [y for y in flat(layer(*row.arguments, **row.options)) if y.dtype.is_floating]
        rng = np.random.default_rng(1)
        loss = sum(tf.reduce_sum(y * rng.normal(size=y.shape).astype("float32")) for y in outputs)
    weights = layer.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights) if weights else [], strict=True):
        if weight.name in row.without_gradient:
            assert gradient is None
        else:
            gradient = tf.convert_to_tensor(gradient).numpy()
            assert np.isfinite(gradient).all() and gradient.any(), weight.path


def with_mask(x):
    x = tf.convert_to_tensor(x)
    x._keras_mask = tf.constant(MASK)
    return x


@every_row
def test_mask(row):
    layer, arguments = made(row), list(row.arguments)
    expected = MASK if row.mask is PASSED else row.mask
    if row.masked is not None:
        arguments[row.masked] = with_mask(arguments[row.masked])
    outputs = flat(layer(*arguments, **row.options))
    for output in outputs:
        mask = getattr(output, "_keras_mask", None)
        assert (mask is None) == (expected is None)
        if mask is not None:
            np.testing.assert_array_equal(mask, expected)
    if row.masked is None or not any(name.endswith("mask") for name in inspect.signature(layer.call).parameters):
        return
    arguments[row.masked] = with_mask(np.where(MASK[..., None], row.arguments[row.masked], 9))
    for output, other in zip(outputs, flat(layer(*arguments, **row.options)), strict=True):  # masked steps do not count
        live = np.ones(output.shape[:2], bool) if expected is None else expected
        np.testing.assert_allclose(output[live], other[live], atol=1e-6)
