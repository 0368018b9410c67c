"""Losses: against SciPy and Keras, and what every public loss guarantees. A class without a row fails."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from seqtasks import losses
from seqtasks.losses import RDropCrossentropy, TokenCrossentropy

RANDOM = np.random.default_rng(0)
MASK = np.array([[True] * 4, [True, True, False, False], [False] * 4])


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


TARGETS = np.where(MASK, RANDOM.integers(0, 3, MASK.shape), -1)
LABELS = np.array([[1, 2, -1], [2, 2, 1], [-1, -1, -1]])
WAIT = np.where(np.eye(3, dtype=bool), 0, np.full((3, 2, 3, 3), -1e9, "float32"))  # masked steps, see `ops.crf`
PAIRWISE = np.where(MASK[..., None, None], normal(3, 4, 3, 3), WAIT[:, :1])
NONE = np.full((3, 2), -1)
ROWS = {  # the loss, y_true, y_pred, and masked steps that change nothing when they are added to both; None for rows
    "CRFLoss": (losses.CRFLoss(), TARGETS, PAIRWISE, (NONE, WAIT)),
    "CTC": (losses.CTC(name="ctc"), LABELS, normal(3, 6, 3), (NONE, np.zeros((3, 0, 3), "float32"))),
    "NegativeLogLikelihood": (
        losses.NegativeLogLikelihood(),
        MASK * 1,
        normal(3, 4),
        (NONE, np.zeros((3, 2), "float32")),
    ),
    "RDropBinaryCrossentropy": (
        losses.RDropBinaryCrossentropy(0.7),
        np.repeat(RANDOM.integers(0, 2, (2, 3)), 2, 0),
        normal(4, 3),
        None,
    ),
    "RDropCrossentropy": (losses.RDropCrossentropy(), np.array([0, 2, 1, 1]), normal(4, 3), None),
    "RDropCrossentropy-pairs": (losses.RDropCrossentropy(0.7), np.array([2, 2, 1, 1]), normal(4, 3), None),
    "RDropCrossentropy-members": (losses.RDropCrossentropy(0.7), np.array([2, 2, 1, 1]), normal(4, 2, 3), None),
    "RDropOrdinalCrossentropy": (
        losses.RDropOrdinalCrossentropy(0.7),
        np.array([0, 0, 3, 3]),
        -np.sort(-normal(4, 2, 3)),
        None,
    ),
    "RDropSquaredError": (losses.RDropSquaredError(0.7), np.array([0.5, 0.5, 2, 2]), normal(4, 2, 1), None),
    "StepCrossentropy": (losses.StepCrossentropy(), TARGETS, normal(3, 4, 3), (NONE, normal(3, 2, 3))),
    "TokenCrossentropy": (
        losses.TokenCrossentropy(0.1, reduction="sum"),
        TARGETS,
        normal(3, 4, 3),
        (NONE, normal(3, 2, 3)),
    ),
}
every_row = pytest.mark.parametrize(("loss", "y_true", "y_pred", "padding"), ROWS.values(), ids=ROWS)


def test_every_public_loss_has_a_row():
    public = [c for name, c in vars(losses).items() if inspect.isclass(c) and not name.startswith("_")]
    assert {c for c in public if issubclass(c, keras.losses.Loss)} == {type(loss) for loss, *_ in ROWS.values()}


@every_row
def test_the_configuration_makes_an_equal_loss(loss, y_true, y_pred, padding):
    config = loss.get_config()
    expected = loss(y_true, y_pred)
    saved = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    for other in (type(loss).from_config(json.loads(json.dumps(config))), saved):
        assert other.get_config() == config
        assert float(other(y_true, y_pred)) == float(expected)


@every_row
def test_the_gradient_is_finite_and_masked_steps_do_not_count(loss, y_true, y_pred, padding):
    variable = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = loss(y_true, variable)
    gradient = tape.gradient(value, variable).numpy()
    assert np.isfinite(value) and np.isfinite(gradient).all() and gradient.any()
    if padding is not None:
        longer = [np.concatenate([x, more], 1) for x, more in zip((y_true, y_pred), padding, strict=True)]
        assert float(loss(*longer)) == pytest.approx(float(value), rel=1e-6)


@every_row
def test_the_mean_is_over_rows(loss, y_true, y_pred, padding):
    config = loss.get_config() | {"reduction": None}
    rows = type(loss).from_config(config)(y_true, y_pred).numpy()
    assert rows.shape == (len(y_pred),)
    total = rows.sum() if loss.reduction == "sum" else rows.mean()
    assert float(loss(y_true, y_pred)) == pytest.approx(total, rel=1e-6)


SUMS = {name: row for name, row in ROWS.items() if isinstance(row[0], losses._StepLoss)}
WEIGHTS = np.array([[1, 0, 2.5, 1], [0, 3, 1, 1], [1, 1, 0.5, 0]], "float32")


def steps_alone(loss, y_true, y_pred):
    """The loss of each step (batch, time), from sequences of one step."""
    alone = type(loss).from_config(loss.get_config() | {"reduction": None})
    return np.stack([alone(y_true[:, [t]], y_pred[:, t : t + 1]).numpy() for t in range(y_true.shape[1])], 1)


@pytest.mark.parametrize(("loss", "y_true", "y_pred", "padding"), SUMS.values(), ids=SUMS)
def test_weights_and_masks_of_steps(loss, y_true, y_pred, padding):
    steps = steps_alone(loss, y_true, y_pred)
    rows = 1 if loss.reduction == "sum" else len(steps)
    assert float(loss(y_true, y_pred, WEIGHTS)) == pytest.approx((steps * WEIGHTS).sum() / rows, rel=1e-5)
    assert float(loss(y_true, y_pred, WEIGHTS[:, :1])) == pytest.approx((steps * WEIGHTS[:, :1]).sum() / rows, rel=1e-5)
    assert float(loss(y_true[..., None], y_pred, WEIGHTS.tolist())) == float(loss(y_true, y_pred, WEIGHTS))
    live = np.array([[True, False, True, True]] * 3)
    masked = tf.constant(y_pred)
    masked._keras_mask = tf.constant(live)
    assert float(loss(y_true, masked)) == pytest.approx((steps * live).sum() / rows, rel=1e-5)


def test_keras_passes_the_mask_and_the_weights_of_steps():
    """As many rows as steps, so that a product of the wrong axes would not fail."""
    inputs = keras.Input((None,))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Embedding(4, 5, mask_zero=True)(inputs)))
    model.compile("sgd", losses.StepCrossentropy())
    x, y = np.where(MASK, 1 + TARGETS, 0)[[0, 1, 2, 1]], np.maximum(TARGETS, 0)[[0, 1, 2, 0]]
    weights, live = WEIGHTS[[0, 1, 2, 1]], MASK[[0, 1, 2, 1]]
    log_probs = np.take_along_axis(log_softmax(model.predict(x, verbose=0), -1), y[..., None], -1)[..., 0]
    found = model.evaluate(x, y, sample_weight=weights, batch_size=4, verbose=0)
    assert found == pytest.approx(-(log_probs * weights * live).sum() / 4, rel=1e-5)


@pytest.mark.parametrize("name", sorted(ROWS.keys() - SUMS.keys()))
def test_a_whole_sequence_has_one_weight(name):
    loss, y_true, y_pred, _ = ROWS[name]
    alone = type(loss).from_config(loss.get_config() | {"reduction": None})(y_true, y_pred).numpy()
    weights = np.arange(1.0, len(alone) + 1)
    expected = (alone * weights).mean()
    assert float(loss(y_true, y_pred, weights)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(y_true, y_pred, weights[:, None])) == pytest.approx(expected, rel=1e-5)
    message = rf"{type(loss).__name__}: sample_weight has the shape \({len(alone)}, 4\), expected \(batch,\)"
    with pytest.raises(ValueError, match=message):
        loss(y_true, y_pred, np.ones((len(alone), 4)))


@pytest.mark.parametrize("name", sorted({*SUMS, "CRFLoss", "CTC"} - {"NegativeLogLikelihood"}))
def test_targets_are_numbers(name):
    loss, y_true, y_pred, _ = ROWS[name]
    assert float(loss(y_true[..., None], y_pred)) == float(loss(y_true, y_pred))
    with pytest.raises(
        ValueError, match=rf"{type(loss).__name__}: the targets have the shape .* \(batch, time\); np.arg"
    ):
        loss(np.eye(3)[y_true], y_pred)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@every_row
def test_outputs_of_few_bits_are_computed_in_float32(loss, y_true, y_pred, padding, dtype):
    """With a default of few bits too, in which targets above 2048 would not be whole."""
    few = tf.cast(y_pred, dtype)
    if loss.name == "ctc":
        few = 40 * few  # a sum above 128, which float16 rounds to eighths
    expected = float(loss(y_true, tf.cast(few, "float32")))
    assert loss.name != "ctc" or expected > 128
    keras.config.set_floatx(dtype)
    try:
        found = type(loss).from_config(loss.get_config())(y_true, few)
    finally:
        keras.config.set_floatx("float32")
    assert found.dtype == "float32" and float(found) == expected


def test_zeros_pad_the_labels_of_ctc():
    """Wherever they are; masked frames are blanks."""
    loss, y_true, y_pred, _ = ROWS["CTC"]
    expected = float(loss(y_true, y_pred))
    for labels in ([[1, 2, 0], [2, 2, 1], [0, 0, 0]], [[0, 1, 0, 2], [2, -1, 2, 1], [0, -1, -1, 0]]):
        assert float(loss(np.array(labels), y_pred)) == expected
    masked = tf.concat([y_pred, normal(3, 2, 3)], 1)
    masked._keras_mask = tf.range(8)[None] < [[6]] * 3
    assert float(loss(y_true, masked)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("weight", "passes"), [(0.0, 1), (0.5, 2), (1, 2)])
def test_r_drop_needs_two_passes(weight, passes):
    loss = RDropCrossentropy(weight)
    assert loss.passes == RDropCrossentropy.from_config(loss.get_config()).passes == passes


def draw(seed, batch=3, time=4, tokens=5):
    rng = np.random.default_rng(seed)
    targets = np.where(rng.random((batch, time)) < 0.7, rng.integers(0, tokens, (batch, time)), -1)
    return rng.normal(size=(batch, time, tokens)) * 3, targets


def smoothed(logits, targets, smoothing):
    """Cross-entropy with the distribution of the docstring, summed over each sentence."""
    size = logits.shape[-1]
    probabilities = np.eye(size)[np.maximum(targets, 0)] * (1 - smoothing) + smoothing / size
    return (-(probabilities * log_softmax(logits, -1)).sum(-1) * (targets >= 0)).sum(-1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.9]))
def test_label_smoothing_and_its_gradient_match_scipy(seed, smoothing):
    logits, targets = draw(seed)
    loss = TokenCrossentropy(smoothing, reduction=None, dtype="float64")
    variable, upstream = tf.constant(logits), tf.constant([1.0, 0.0, 2.5], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        values = loss(targets, variable)
    np.testing.assert_allclose(values, smoothed(logits, targets, smoothing), rtol=1e-9, atol=1e-12)
    gradient = tape.gradient(values, variable, upstream).numpy()
    probabilities = np.exp(log_softmax(logits, -1))
    smooth = np.eye(5)[np.maximum(targets, 0)] * (1 - smoothing) + smoothing / 5
    expected = (probabilities - smooth) * (targets >= 0)[..., None] * upstream.numpy()[:, None, None]
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_label_smoothing_matches_keras():
    logits, targets = draw(1, 1)
    targets = np.abs(targets)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction="sum")
    ours = TokenCrossentropy(0.2, reduction="sum")
    assert float(ours(targets, logits)) == pytest.approx(float(theirs(np.eye(5)[targets], logits)), rel=1e-5)


def test_r_drop_is_the_symmetric_divergence_of_pairs():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    targets = np.array([0, 0, 1, 1, 2, 2])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    crossentropy = -np.log(p[np.arange(6), targets]).mean()
    divergences = [
        (np.sum(a * np.log(a / b)) + np.sum(b * np.log(b / a))) / 2 for a, b in zip(p[::2], p[1::2], strict=True)
    ]
    for weight in (0.0, 0.7):
        loss = RDropCrossentropy(weight)(tf.constant(targets), tf.constant(logits, tf.float32))
        assert float(loss) == pytest.approx(crossentropy + weight * np.mean(divergences), rel=1e-5)
