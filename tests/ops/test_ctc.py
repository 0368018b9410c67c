"""Connectionist temporal classification against the enumeration of all alignments, and a prefix beam in Python."""

import functools
import itertools
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.errors import UserError
from seqtasks.ops import ctc

NODES = 53
LOGITS, LABELS = tf.TensorSpec((None, None, None), tf.float64), tf.TensorSpec((None, None), tf.int32)
LENGTHS, FACTORS = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float64)
greedy = tf.function(ctc.greedy, [LOGITS, LENGTHS], autograph=False)
align = tf.function(ctc.align, [LOGITS, LABELS, LENGTHS], autograph=False)


@functools.partial(tf.function, input_signature=[LOGITS, LABELS, LENGTHS, FACTORS], autograph=False)
def likelihood(logits, labels, lengths, upstream):
    """The log-likelihoods, and the gradient of their sum with these factors."""
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = ctc.log_likelihood(logits, labels, lengths)
    return found, tape.gradient(found, logits, upstream)


@st.composite
def problems(draw, batch=3, time=5):
    """Logits in float64, and lengths."""
    classes = draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = rng.integers(0, time + 1, batch).astype("int32")
    lengths[0] = time
    return rng.normal(size=(batch, time, classes)) * draw(st.sampled_from([1.0, 4.0])), lengths, rng


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, -1, keepdims=True)


def labels_of(path):
    return tuple(label for label, _ in itertools.groupby(path) if label)


def all_alignments(logits):
    """{labels: {path: log-probability}} of one row."""
    found = defaultdict(dict)
    rows = log_softmax(logits)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        found[labels_of(path)][path] = sum(row[label] for row, label in zip(rows, path, strict=True))
    return found


def summed(alignments):
    return {labels: np.logaddexp.reduce(list(paths.values())) for labels, paths in alignments.items()}


def padded(rows, width):
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], "int32").reshape(len(rows), width)


def unpadded(row):
    return tuple(int(label) for label in row if label >= 0)


@given(problems())
def test_likelihood_matches_enumeration(problem):
    logits, lengths, _ = problem
    for row, length in zip(logits, lengths, strict=True):
        totals = summed(all_alignments(row[:length]))
        labels = padded(totals, 6)
        many, lengths = np.tile(row, (len(labels), 1, 1)), np.full(len(labels), length)
        found, _ = likelihood(many, labels, lengths, np.ones(len(labels)))
        np.testing.assert_allclose(found, list(totals.values()), rtol=1e-9, atol=1e-9)
        assert np.all(ctc.feasible(lengths, labels))


@given(problems(), st.integers(0, 4))
def test_too_few_frames_are_impossible_and_have_no_gradient(problem, longest):
    logits, lengths, rng = problem
    labels = rng.integers(1, logits.shape[2], (3, longest)).astype("int32")
    found, gradient = (x.numpy() for x in likelihood(logits, labels, lengths, np.ones(3)))
    possible = ctc.feasible(lengths, labels).numpy()
    for row, label, length, can in zip(logits, labels, lengths, possible, strict=True):
        assert can == (tuple(label) in all_alignments(row[:length]))
    np.testing.assert_array_equal(found > ctc.FORBIDDEN, possible)
    assert np.all(np.isfinite(gradient))
    assert not gradient[~possible].any()
    none = align(logits, labels, lengths)
    assert np.all(none.first.numpy()[~possible] == -1) and not none.confidence.numpy()[~possible].any()


@given(problems())
def test_gradient_matches_finite_differences(problem):
    logits, lengths, rng = problem
    upstream, size, step = rng.normal(size=3), logits[0].size, 1e-5
    labels = padded([labels_of(rng.integers(0, logits.shape[2], n)) for n in lengths], 5)
    _, gradient = likelihood(logits, labels, lengths, upstream)
    moves = step * np.concatenate([np.eye(size), -np.eye(size)]).reshape(2 * size, 1, *logits.shape[1:])
    moved = (moves + logits).reshape(-1, *logits.shape[1:])  # of each move the three rows
    found, _ = likelihood(moved, *(np.tile(x, (2 * size, 1)[: x.ndim]) for x in (labels, lengths)), np.ones(len(moved)))
    up, down = np.reshape(found, (2, size, 3))
    slopes = ((up - down) / (2 * step) * upstream).T.reshape(logits.shape)
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


def test_likelihood_matches_tensorflow(rng):
    """TensorFlow computes in float32, and rejects rows without labels."""
    logits = tf.constant(rng.normal(size=(5, 40, 8)) * 3)
    lengths, counts = rng.integers(25, 41, 5), np.array([1, 4, 9, 12, 12])
    labels = rng.integers(1, 8, (5, 12)).astype("int32")
    theirs = tf.sparse.from_dense(tf.where(tf.sequence_mask(counts, 12), labels, 0))

    def reference(x):
        given = {"logits_time_major": False, "blank_index": 0}
        return -tf.nn.ctc_loss(theirs, tf.cast(x, tf.float32), None, lengths.astype("int32"), **given)

    def ours(x, dtype):
        return ctc.log_likelihood(tf.cast(x, dtype), labels, lengths, counts)

    @functools.partial(tf.function, autograph=False)
    def both(logits, function):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = function(logits)
        return found, tape.gradient(found, logits)

    expected, slope = both(logits, reference)
    for dtype in ("float32", "float64"):
        found, gradient = both(logits, functools.partial(ours, dtype=dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(gradient, slope, atol=1e-4)


def test_classes_of_probability_0_and_long_inputs_stay_finite(rng):
    logits = rng.normal(size=(2, 400, 5)).astype("float32") * 20
    logits[..., 4] = -np.inf
    labels = np.array([[1, 2, 3, 3], [1, 4, -1, -1]])

    @functools.partial(tf.function, autograph=False)
    def both(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = ctc.log_likelihood(logits, labels)
        return found, tape.gradient(found, logits)

    found, gradient = (x.numpy() for x in both(tf.constant(logits)))
    assert found[0] > ctc.FORBIDDEN == found[1]
    assert np.all(np.isfinite(gradient)) and not gradient[1].any()
    np.testing.assert_allclose(gradient[0].sum(-1), 0, atol=1e-5)


@given(problems())
def test_greedy_matches_enumeration(problem):
    logits, lengths, _ = problem
    labels, scores = greedy(logits, lengths)
    for row, length, found, score in zip(logits, lengths, labels.numpy(), scores.numpy(), strict=True):
        paths = {p: value for paths in all_alignments(row[:length]).values() for p, value in paths.items()}
        best = max(paths, key=paths.get)
        assert unpadded(found) == labels_of(best)
        assert score == pytest.approx(paths[best])


@given(problems())
def test_alignment_matches_enumeration(problem):
    logits, lengths, rng = problem
    alignments = [all_alignments(row[:n]) for row, n in zip(logits, lengths, strict=True)]
    chosen = [list(found)[rng.integers(len(found))] for found in alignments]
    aligned = align(logits, padded(chosen, 6), lengths)
    for row, paths in enumerate(alignments):
        paths = paths[chosen[row]]
        best, shares, frame = max(paths, key=paths.get), np.exp(log_softmax(logits[row])), 0
        expected = []
        for label, run in itertools.groupby(best):
            first, frame = frame, frame + len(list(run))
            if label:
                expected.append((first, frame - 1, shares[first:frame, label].mean()))
        found = np.stack([x[row] for x in aligned], 1)
        np.testing.assert_allclose(found[: len(expected)], np.reshape(expected, (-1, 3)))
        np.testing.assert_array_equal(found[len(expected) :], [[-1, -1, 0]] * (6 - len(expected)))


class Model:
    """A language model whose next label depends on a hash of all before; it numbers them in reverse order."""

    def __init__(self, rng, rows, classes):
        self.table = rng.normal(size=(rows, NODES, classes)) * 2
        self.table[:, ::5, 0] = -np.inf  # it never predicts the last label there
        self.tokens = np.arange(classes)[::-1]

    def of(self, row, prefix):
        """Log-probabilities of the labels after a prefix."""
        node = 0
        for label in (0, *prefix):
            node = (node * 7 + self.tokens[label] + 1) % NODES
        return log_softmax(self.table[row, node])[self.tokens]

    def gain(self, row, labels, weight, bonus):
        log_probs = (self.of(row, labels[:n])[label] for n, label in enumerate(labels) if weight)
        return weight * sum(log_probs) + bonus * len(labels)


@functools.cache
def search(width, n_best, weight, bonus):
    """The search in the graph, with the table of a `Model`."""

    @functools.partial(tf.function, input_signature=[LOGITS, LENGTHS, LOGITS], autograph=False)
    def run(logits, lengths, table):
        def step(tokens, states):
            node = (states[0]["node"] * 7 + tokens + 1) % NODES
            places = tf.stack([states[0]["row"], node], 1)
            return tf.gather_nd(table, places), ({"row": states[0]["row"], "node": node},)

        rows = tf.range(tf.shape(logits)[0])
        fusion = (step, [{"row": rows, "node": tf.zeros_like(rows)}], tf.range(tf.shape(logits)[2])[::-1])
        return ctc.prefix_beam_search(logits, lengths, width, n_best, fusion, weight, bonus)

    return run


def ranked(scores, n_best):
    possible = [labels for labels in scores if scores[labels] > -np.inf]
    return sorted(possible, key=lambda labels: -scores[labels])[:n_best]


def assert_found(labels, scores, expected):
    """Labels and scores of a row are the first of `expected` by score, and no more follow."""
    best = ranked(expected, len(scores))
    assert [unpadded(row) for row in labels] == best + [()] * (len(scores) - len(best))
    np.testing.assert_allclose(scores[: len(best)], [expected[labels] for labels in best], rtol=1e-9, atol=1e-9)
    assert np.all(np.isneginf(scores[len(best) :]))


@given(problems(time=4), st.sampled_from([(0.0, 0.4), (0.7, 0.9)]))
def test_wide_beam_matches_enumeration(problem, factors):
    logits, lengths, rng = problem
    model = Model(rng, 3, logits.shape[2])
    labels, scores = search(125, 7, *factors)(logits, lengths, model.table)
    for row in range(3):
        totals = summed(all_alignments(logits[row, : lengths[row]]))
        totals = {labels: total + model.gain(row, labels, *factors) for labels, total in totals.items()}
        assert_found(labels[row].numpy(), scores[row].numpy(), totals)


def beam_in_python(logits, width, gain):
    """Hannun et al., algorithm 1, with dictionaries: {prefix: (ends in a blank, ends in its last label)}."""
    beam = {(): (0.0, -np.inf)}
    for frame in log_softmax(logits):
        grown = defaultdict(lambda: (-np.inf, -np.inf))
        for prefix, (blank, label) in beam.items():
            both = np.logaddexp(blank, label)
            ends = grown[prefix]
            again = label + frame[prefix[-1]] if prefix else -np.inf
            grown[prefix] = np.logaddexp(ends[0], both + frame[0]), np.logaddexp(ends[1], again)
            for new in range(1, len(frame)):
                come = blank if prefix[-1:] == (new,) else both
                ends = grown[(*prefix, new)]
                grown[(*prefix, new)] = ends[0], np.logaddexp(ends[1], come + frame[new])
        scores = {prefix: np.logaddexp(*ends) + gain(prefix) for prefix, ends in grown.items()}
        beam = {prefix: grown[prefix] for prefix in ranked(scores, width)}
    return {prefix: scores[prefix] for prefix in beam}


@pytest.mark.parametrize(("width", "weight"), [(1, 0.0), (2, 0.6), (3, 0.0), (5, 0.6)])
def test_narrow_beam_matches_the_algorithm(rng, width, weight):
    """Prefixes leave the beam here, return, and merge with extensions of other prefixes."""
    logits, model = rng.normal(size=(6, 30, 4)) * 1.5, Model(rng, 6, 4)
    labels, scores = search(width, width, weight, 0.3)(logits, [30] * 6, model.table)
    for row in range(6):
        gain = functools.partial(model.gain, row, weight=weight, bonus=0.3)
        assert_found(labels[row].numpy(), scores[row].numpy(), beam_in_python(logits[row], width, gain))


def test_rows_do_not_depend_on_padding_or_on_other_rows(rng):
    """A row has the same results alone and in a batch with NaN after its frames; the graph has no static sizes."""
    lengths, counts = [9, 4, 0], [3, 1, 0]
    logits, labels = np.full((3, 12, 4), np.nan, "float32"), np.full((3, 5), -1, "int32")
    for row, (n, k) in enumerate(zip(lengths, counts, strict=True)):
        logits[row, :n], labels[row, :k] = rng.normal(size=(n, 4)), rng.integers(1, 4, k)
    states = [tf.zeros((3, 2))]

    def step(tokens, states):
        states = [0.5 * states[0] + tf.one_hot(tokens % 2, 2)]
        return states[0] @ tf.constant([[1.0, 0.5, -0.3, 0.2], [0.1, -1.0, 0.4, 0.9]]), states

    @tf.function(autograph=False)
    def everything(logits, labels, lengths, states):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = ctc.log_likelihood(logits, labels, lengths)
        beam = ctc.prefix_beam_search(logits, lengths, 4, 2, (step, states), 0.5, 0.1)
        gradient = tape.gradient(found, logits)
        return found, gradient, ctc.greedy(logits, lengths), ctc.align(logits, labels, lengths), beam

    kinds = [((None, None, 4), tf.float32), ((None, None), tf.int32), ((None,), tf.int32)]
    kinds = [*(tf.TensorSpec(*kind) for kind in kinds), [tf.TensorSpec((None, 2))]]
    everything = everything.get_concrete_function(*kinds)
    batch = tf.nest.flatten(everything(logits, labels, tf.constant(lengths), states))
    for row, (n, k) in enumerate(zip(lengths, counts, strict=True)):
        alone = (logits[row : row + 1, :n], labels[row : row + 1, :k], tf.constant([n]), [states[0][:1]])
        separate = tf.nest.flatten(everything(*(tf.nest.map_structure(tf.constant, x) for x in alone)))
        for one, many in zip(separate, batch, strict=True):
            one, many = one[0].numpy(), many[row].numpy()
            np.testing.assert_allclose(many[tuple(slice(size) for size in one.shape)], one, atol=1e-5)
            rest = np.ones(many.shape, bool)
            rest[tuple(slice(size) for size in one.shape)] = False
            assert np.all(np.isin(many[rest], [0, -1]))


def test_too_many_hypotheses_raise():
    with pytest.raises(UserError, match="prefix_beam_search: n_best is 5; use 1 to 4, the width"):
        ctc.prefix_beam_search(tf.zeros((1, 2, 3)), width=4, n_best=5)
