"""Keras metrics of CRF outputs: against seqeval and NumPy, in `fit`, and in files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from seqtasks.crf_metrics import CRFAccuracy, CRFSpanF1
from seqtasks.layers import CRF
from seqtasks.losses import CRFLoss

TAGS = ["I-A", "O", "B-A", "B-B", "I-B"]


def scores_of(path, live):
    """Scores whose best path is `path`, with masked steps where not `live`."""
    return CRF(learn=False)(tf.one_hot(path, len(TAGS)), mask=tf.constant(live))


@given(st.integers(0, 2**32 - 1))
def test_metrics_match_seqeval_and_numpy(seed):
    """Over two batches with holes in the mask, targets that are masked by -1, and a row of weight 0."""
    rng = np.random.default_rng(seed)
    f1, accuracy, true, found = CRFSpanF1(TAGS), CRFAccuracy(), [], []
    for rows in (3, 2):
        target, path = rng.integers(0, len(TAGS), (2, rows, 7))
        path = np.where(rng.random(path.shape) < 0.6, target, path)
        live, known = rng.random((2, *path.shape)) < 0.8
        weights = np.ones(rows)
        weights[-1] = 0
        for metric in (f1, accuracy):
            metric.update_state(tf.constant(np.where(known, target, -1)), scores_of(path, live), tf.constant(weights))
        for row in range(rows - 1):
            true.append(target[row][live[row] & known[row]])
            found.append(path[row][live[row] & known[row]])
    named = [[[TAGS[tag] for tag in row] for row in rows] for rows in (true, found)]
    assert float(f1.result()) == pytest.approx(f1_score(*named, zero_division=0), abs=1e-6)
    assert float(accuracy.result()) == pytest.approx(np.mean(np.concatenate(true) == np.concatenate(found)), abs=1e-6)


def test_accuracy_takes_weights_of_steps():
    path, target = np.array([[0, 1, 2], [3, 4, 0]]), np.array([[0, 0, 2], [3, 0, 0]])
    weights = tf.constant([[1.0, 2.0, 0.0], [4.0, 0.5, 3.0]])
    found = CRFAccuracy()(target[..., None], scores_of(path, np.ones((2, 3), bool)), weights)
    assert float(found) == pytest.approx((1 + 4 + 3) / 10.5)


def test_fit_reports_them_and_files_keep_them(tmp_path):
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(len(TAGS) + 1, 8, mask_zero=True)(words)
    model = keras.Model(words, CRF()(keras.layers.Dense(len(TAGS))(x)))
    model.compile(keras.optimizers.Adam(0.3), CRFLoss(), metrics=[CRFAccuracy(), CRFSpanF1(TAGS)])
    words = np.array([[1, 3, 2, 0], [4, 5, 0, 0]])  # the tag of a word is its number - 1
    history = model.fit(words, np.maximum(words - 1, 0), epochs=12, batch_size=2, verbose=0).history
    assert history["accuracy"][-1] == history["span_f1"][-1] == 1 > history["accuracy"][0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    wrong = np.array([[1, 0, 1, 0], [3, 4, 0, 0]])  # three tags of five; of two true and three found spans two
    figures = again.evaluate(words, wrong, verbose=0, return_dict=True)
    assert (figures["accuracy"], figures["span_f1"]) == pytest.approx((3 / 5, 4 / 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[[0, 1]]], tf.zeros((1, 1, 2, 2))), r"the targets have the shape \(1, 1, 2\), expected numbers"),
        (([[0]], tf.zeros((1, 1, 2))), r"the outputs have the shape \(1, 1, 2\), expected the scores"),
        (([[0]], tf.zeros((1, 1, 3, 3))), r"CRFSpanF1: there are 2 tags, but 3 in the outputs"),
        (([[0, 0]], tf.zeros((1, 2, 2, 2)), tf.ones((1, 2))), r"sample_weight has the shape \(1, 2\), expected one"),
    ],
)
def test_wrong_shapes_say_what_is_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        CRFSpanF1(["O", "B-A"])(*arguments)


def test_names_are_those_of_iob2():
    with pytest.raises(ValueError, match="CRFSpanF1: 'S-A' is no tag of IOB2"):
        CRFSpanF1(["O", "S-A"])
