"""Tasks: figures of steps and spans against scikit-learn, and decoding under both heads."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_class_weight

from seqtasks import metrics
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.losses import RDropCrossentropy
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.task import SpanTagging
from seqtasks.ops import crf
from seqtasks.tasks import Classification, StepTagging
from seqtasks.tasks.baselines import WindowTagger, majority
from seqtasks.tasks.task import rows

LABELS = {"labels": Vocabulary.labels({"a", "b", "c"})}


@given(st.integers(0, 2**32 - 1))
def test_metrics_of_steps_match_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, 5)
    targets, outputs = (rows([rng.integers(0, 3, n) for n in lengths]) for _ in range(2))
    task, flat = StepTagging("places"), (np.concatenate(list(targets)), np.concatenate(list(outputs)))
    figures = task.compute_metrics(LABELS, targets, outputs)
    assert figures["accuracy"] == pytest.approx(sk.accuracy_score(*flat))
    assert figures["macro_f1"] == pytest.approx(sk.f1_score(*flat, average="macro", zero_division=0))
    assert figures["mcc"] == pytest.approx(sk.matthews_corrcoef(*flat))
    statistics = task.statistics(LABELS, targets, outputs)
    sample = rng.integers(0, 5, 5)
    again = task.compute_metrics(LABELS, targets[sample], outputs[sample])
    for name, metric in task.metrics.items():
        assert metric(*(array[sample] for array in statistics)) == pytest.approx(again[name])


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_metrics_of_classes_match_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, 20)])
    scores = rng.random((len(targets), classes)) ** 2
    assert metrics.mcc(targets, scores) == pytest.approx(sk.matthews_corrcoef(targets, scores.argmax(-1)))
    one = np.eye(classes)[targets]
    columns = [1] if classes == 2 else range(classes)
    expected = np.mean([sk.average_precision_score(one[:, c], scores[:, c]) for c in columns])
    assert metrics.pr_auc(targets, scores) == pytest.approx(expected)


def test_segments_are_runs_with_mean_scores():
    task = StepTagging("places")
    row = {"label": np.array([b"a", b"a", b"b", b""], object), "score": np.array([0.5, 0.7, 0.9, 0.0])}
    segments = task.answer(LABELS, row)["segments"]
    assert [(s["label"], s["start"], s["end"]) for s in segments] == [("a", 0, 2), ("b", 2, 3)]
    assert [s["score"] for s in segments] == pytest.approx([0.6, 0.9])


def spans_of(outputs, words):
    """What a span task answers for some scores, over tokens of one letter with spaces between."""
    types = ["A", "B"]
    assets = {"labels": Vocabulary.labels(types), "tags": Vocabulary(schemes.tagset(types))}
    time = words.shape[1]
    starts = np.tile(2 * np.arange(time, dtype="int32"), (len(words), 1))
    features = {"words": tf.constant(words), "starts": tf.constant(starts), "ends": tf.constant(starts + 1)}
    features["surface"] = tf.constant([" ".join("abcdefgh"[:time])] * len(words))
    task = SpanTagging()
    decoded = {name: value.numpy() for name, value in task.decode(assets, outputs, features).items()}
    answers = [task.answer(assets, {n: v[i] for n, v in decoded.items()}) for i in range(len(words))]
    return task, assets, decoded, answers


@given(st.integers(0, 2**32 - 1))
def test_spans_follow_the_best_tags_and_their_scores_the_marginals(seed):
    rng = np.random.default_rng(seed)
    words = (np.arange(6) < rng.integers(0, 7, (4, 1))).astype("int32")
    logits = tf.constant(rng.normal(size=(4, 6, 9)) * 3, tf.float32)
    task, assets, decoded, answers = spans_of(logits, words)
    from seqtasks.layers import CRF

    layer = CRF(schemes.constraints(assets["tags"].tokens), learn=False)
    scores = layer(tf.nn.log_softmax(logits), mask=tf.constant(words > 0))
    best, probabilities = crf.viterbi(scores)[0].numpy(), crf.marginals(scores).numpy()
    for row, answer in enumerate(answers):
        tags = [assets["tags"].tokens[i] for i in best[row][: words[row].sum()]]
        assert task.outputs(assets, decoded)[row] == tags
        spans = schemes.spans(tags, "IOBES")
        assert [(e["type"], e["start"], e["end"]) for e in answer["entities"]] == [
            (kind, 2 * i, 2 * j - 1) for kind, i, j in spans
        ]
        for entity, (_, i, j) in zip(answer["entities"], spans, strict=True):
            assert entity["text"] == " ".join("abcdefgh"[i:j])
            if j - i == 1:
                assert entity["score"] == pytest.approx(probabilities[row, i, best[row, i]], abs=1e-4)
            assert entity["score"] <= probabilities[row, np.arange(i, j), best[row, i:j]].min() + 1e-4


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.7]))
def test_members_of_an_ensemble_have_their_own_loss_and_mean_probabilities(seed, consistency):
    rng = np.random.default_rng(seed)
    logits, targets = rng.normal(size=(6, 3, 4)), np.repeat(rng.integers(0, 4, 3), 2)
    loss = RDropCrossentropy(consistency, dtype="float64")
    each = [loss(targets, tf.constant(logits[:, member])) for member in range(3)]
    assert float(loss(targets, tf.constant(logits))) == pytest.approx(np.mean(each))
    assets = {"labels": Vocabulary.labels("abcd")}
    decoded = Classification().decode(assets, tf.constant(logits), {})
    expected = np.mean([softmax(logits[:, member], -1) for member in range(3)], 0)
    np.testing.assert_allclose(decoded["scores"], expected, atol=1e-12)
    assert [label.decode() for label in decoded["label"].numpy()] == ["abcd"[i] for i in expected.argmax(-1)]


def test_window_tagger_with_one_tag_and_with_neighbours():
    letters = lambda inputs: [[[letter] for letter in text] for text in inputs]  # noqa: E731
    assert WindowTagger(letters).fit(["ab", "c"], [["O", "O"], ["O"]]).predict(["abc"]) == [["O", "O", "O"]]
    texts = ["axb", "cxd", "xab", "axx"] * 20
    tags = [["after" if i and text[i - 1] == "x" else "O" for i in range(len(text))] for text in texts]
    assert WindowTagger(letters).fit(texts, tags).predict(["bxc", "xcx"]) == [["O", "O", "after"], ["O", "after", "O"]]


def test_balanced_class_weights_are_those_of_scikit_learn():
    labels = ["a"] * 6 + ["b"] * 3 + ["c"]
    counts = {label: labels.count(label) for label in "abc"}
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=np.array(labels))
    np.testing.assert_allclose(Classification("balanced").weights_of_classes(LABELS, counts), expected, rtol=1e-6)
    assert Classification().weights_of_classes(LABELS, counts) is None
    assert StepTagging("places").weights_of_classes(LABELS, counts) is None


def test_the_majority_baseline_scores_classes_by_their_share():
    model = majority().fit(["x"] * 4, [0, 2, 2, 2])
    assert model.predict_proba(["y", "z"]).tolist() == [[0.25, 0.75]] * 2 and model.classes_.tolist() == [0, 2]
