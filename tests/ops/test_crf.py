"""The conditional random field against the enumeration of all paths."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.layers import CRF
from seqtasks.losses import CRFLoss
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ops import crf


@st.composite
def problems(draw):
    """Emissions, a mask with holes (rows may be empty), constraints that leave tag 0 free, and the three weights."""
    batch, time, size = draw(st.integers(1, 3)), draw(st.integers(0, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    allowed = [rng.random(shape) < 0.7 for shape in ((size,), (size, size), (size,))]
    for part in allowed:
        part[0, ...] = True
    allowed[1][:, 0] = True
    weights = [rng.normal(size=part.shape) for part in allowed]
    mask = rng.random((batch, time)) < draw(st.sampled_from([0.5, 1.0]))
    return rng.normal(size=(batch, time, size)) * 3, mask, allowed, weights


def pairwise_scores(emissions, mask, allowed, weights):
    layer = CRF(allowed, dtype="float64")
    layer.build(emissions.shape)
    for variable, value in zip((layer.start, layer.transitions, layer.end), weights, strict=True):
        variable.assign(value)
    return layer(tf.constant(emissions), mask=tf.constant(mask))


def penalised(allowed, weights, penalty):
    return [np.where(a, np.float32(w).astype(float), penalty) for a, w in zip(allowed, weights, strict=True)]


def all_paths(emissions, mask, allowed, weights):
    """For each row {tags of the unmasked steps: score} of the allowed paths, by definition."""
    start, transitions, end = (
        np.where(a, np.float32(w).astype(float), -np.inf) for a, w in zip(allowed, weights, strict=True)
    )
    rows = []
    for row, live in zip(emissions, mask, strict=True):
        row, paths = row[live], {}
        for path in itertools.product(range(row.shape[1]), repeat=len(row)):
            score = sum(row[t, tag] for t, tag in enumerate(path))
            score += sum(transitions[pair] for pair in itertools.pairwise(path))
            if path:
                score += start[path[0]] + end[path[-1]]
            if score > -np.inf:
                paths[path] = score
        rows.append(paths)
    return rows


def padded(path, live, filler=-1):
    tags = np.full(len(live), filler)
    tags[live] = path
    return tags


@given(problems(), st.sampled_from([-1, 0, 1]))
def test_partition_and_likelihood_match_enumeration(problem, filler):
    """Whatever the tags of masked steps are."""
    scores, mask = pairwise_scores(*problem), problem[1]
    np.testing.assert_array_equal(crf.masked(scores), ~mask)
    for row, paths in enumerate(all_paths(*problem)):
        total = np.logaddexp.reduce(list(paths.values()))
        np.testing.assert_allclose(crf.log_partition(scores)[row], total, rtol=1e-10, atol=1e-10)
        for path, score in paths.items():
            tags = np.tile(padded(path, mask[row], min(filler, scores.shape[-1] - 1)), (len(mask), 1))
            np.testing.assert_allclose(crf.log_likelihood(scores, tags)[row], score - total, rtol=1e-9, atol=1e-9)


@given(problems(), st.integers(1, 5))
def test_best_paths_match_enumeration(problem, k):
    scores, mask = pairwise_scores(*problem), problem[1]
    tags, score = crf.k_best(scores, k)
    for row, paths in enumerate(all_paths(*problem)):
        ranked = sorted(paths, key=lambda path: -paths[path])[:k]
        assert [tuple(path[mask[row]]) for path in tags[row, : len(ranked)].numpy()] == ranked
        np.testing.assert_allclose(score[row, : len(ranked)], [paths[path] for path in ranked], atol=1e-9)
        assert np.all(np.isneginf(score[row, len(ranked) :]))
    best, highest = crf.viterbi(scores)
    np.testing.assert_array_equal(best, tags[:, 0])
    np.testing.assert_array_equal(highest, score[:, 0])


@given(problems(), st.data())
def test_constrained_paths_match_enumeration(problem, data):
    scores, (emissions, mask, *_) = pairwise_scores(*problem), problem
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    allowed = rng.random(emissions.shape) < 0.6
    tags, highest = crf.constrained_viterbi(scores, allowed)
    total = crf.multitag_score(scores, allowed)
    for row, paths in enumerate(all_paths(*problem)):
        steps = allowed[row][mask[row]]
        paths = {p: s for p, s in paths.items() if all(step[tag] for step, tag in zip(steps, p, strict=True))}
        if not paths:
            assert np.isneginf(highest[row]) and total[row] < crf.FORBIDDEN / 2
            continue
        assert tuple(tags[row].numpy()[mask[row]]) == max(paths, key=paths.get)
        np.testing.assert_allclose(highest[row], max(paths.values()), atol=1e-9)
        np.testing.assert_allclose(total[row], np.logaddexp.reduce(list(paths.values())), atol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_few_bits_keep_forbidden_paths_impossible(dtype):
    """Small whole numbers are exact in any of the types, so all results equal those in float32."""
    emissions = np.array([[[0, 2], [1, 0], [3, 1]]])
    allowed = [np.array([True, False]), np.array([[True, True], [False, True]]), np.ones(2, bool)]
    weights = [np.zeros(part.shape) for part in allowed]
    scores = tf.cast(pairwise_scores(emissions, np.array([[True, False, True]]), allowed, weights), tf.float32)
    low = tf.cast(scores, dtype)
    for function in (crf.log_partition, crf.marginals, lambda x: crf.viterbi(x)[0], crf.masked):
        np.testing.assert_array_equal(function(low), function(scores))
    assert float(crf.log_likelihood(low, [[0, 0, 0]])[0]) == pytest.approx(-np.log(1 + np.exp(-2)))


@given(problems())
def test_marginals_match_enumeration(problem):
    scores, mask = pairwise_scores(*problem), problem[1]
    found, pairs = crf.marginals(scores).numpy(), crf.pair_marginals(scores).numpy()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-10)
    np.testing.assert_allclose(pairs.sum((2, 3)), 1, atol=1e-10)
    for row, paths in enumerate(all_paths(*problem)):
        total = np.logaddexp.reduce(list(paths.values()))
        expected = np.zeros((int(mask[row].sum()), found.shape[-1]))
        for path, score in paths.items():
            for t, tag in enumerate(path):
                expected[t, tag] += np.exp(score - total)
        np.testing.assert_allclose(found[row][mask[row]], expected, atol=1e-10)


@given(problems())
def test_span_probability_matches_enumeration(problem):
    emissions, mask, allowed, weights = problem
    mask = np.ones_like(mask)
    scores = pairwise_scores(emissions, mask, allowed, weights)
    tags, time = crf.viterbi(scores)[0], mask.shape[1]
    spans = [(row, i, j) for row in range(len(mask)) for i in range(time) for j in range(i, time)]
    found = crf.span_log_probability(scores, tags, *np.reshape(spans, (-1, 3)).astype(int).T)
    path_scores = all_paths(emissions, mask, allowed, weights)
    for (row, first, last), log_probability in zip(spans, found, strict=True):
        through = tuple(tags[row, first : last + 1].numpy())
        scored_through = [s for path, s in path_scores[row].items() if path[first : last + 1] == through]
        total = np.logaddexp.reduce(list(path_scores[row].values()))
        np.testing.assert_allclose(log_probability, np.logaddexp.reduce(scored_through) - total, atol=1e-9)


@given(problems())
def test_gradient_of_the_partition_matches_automatic_differentiation(problem):
    emissions, mask, allowed, weights = problem
    layer_inputs = tf.constant(emissions)
    start, transitions, end = (
        np.where(a, np.float32(w).astype(float), -1e9) for a, w in zip(allowed, weights, strict=True)
    )
    with tf.GradientTape() as tape:
        tape.watch(layer_inputs)
        total = tf.reduce_sum(crf.log_partition(pairwise_scores(layer_inputs, mask, allowed, weights)))
    ours = tape.gradient(total, layer_inputs)
    with tf.GradientTape() as tape:
        tape.watch(layer_inputs)
        total = 0.0
        for row, live in zip(tf.unstack(layer_inputs), mask, strict=True):
            steps = tf.unstack(tf.boolean_mask(row, live))
            alpha = start + steps[0] if steps else tf.zeros_like(start) - np.log(len(start))
            for step in steps[1:]:
                alpha = tf.reduce_logsumexp(alpha[:, None] + transitions, 0) + step
            total += tf.reduce_logsumexp(alpha + end if steps else alpha)
    theirs = tape.gradient(total, layer_inputs)
    np.testing.assert_allclose(ours, np.zeros_like(emissions) if theirs is None else theirs, atol=1e-10)


def test_padding_changes_nothing(rng):
    emissions, weights = rng.normal(size=(2, 5, 3)), [rng.normal(size=s) for s in ((3,), (3, 3), (3,))]
    allowed = [np.ones(w.shape, bool) for w in weights]
    plain = pairwise_scores(emissions, np.ones((2, 5), bool), allowed, weights)
    longer = np.concatenate([rng.normal(size=(2, 2, 3)), emissions, rng.normal(size=(2, 4, 3))], 1)
    mask = np.array([[False] * 2 + [True] * 5 + [False] * 4] * 2)
    filled = pairwise_scores(longer, mask, allowed, weights)
    np.testing.assert_allclose(crf.log_partition(filled), crf.log_partition(plain), atol=1e-12)
    np.testing.assert_allclose(crf.marginals(filled)[:, 2:7], crf.marginals(plain), atol=1e-12)
    np.testing.assert_array_equal(crf.viterbi(filled)[0][:, 2:7], crf.viterbi(plain)[0])


@pytest.mark.parametrize("form", ["IOB2", "IOBES"])
def test_constraints_of_a_scheme_allow_only_well_formed_tags(form, rng):
    tags = schemes.tagset(["A", "B"]) if form == "IOBES" else ["O", "B-A", "I-A", "B-B", "I-B"]
    layer = CRF(schemes.constraints(tags), learn=False)
    for path in (
        crf.k_best(layer(tf.constant(rng.normal(size=(4, 6, len(tags))), tf.float32)), 20)[0].numpy().reshape(-1, 6)
    ):
        assert not schemes.faults([tags[i] for i in path], form)


def test_a_model_learns_transitions(rng):
    """Every tag is the opposite of the one before, and the inputs show only the first one."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 2))
    layer = CRF(name="crf")
    model = keras.Model(inputs, layer(keras.layers.Dense(2)(keras.layers.Masking()(inputs))))
    model.compile(keras.optimizers.Adam(0.1), CRFLoss())
    first = rng.integers(0, 2, 64)
    lengths = rng.integers(1, 6, 64)
    tags = (first[:, None] + np.arange(6)) % 2
    tags[np.arange(6) >= lengths[:, None]] = -1
    x = np.zeros((64, 6, 2))
    x[tags >= 0] = 0.1
    x[np.arange(64), 0, first] = 3
    history = model.fit(x, tags, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.05 < history[0]
    best = crf.viterbi(model(x))[0].numpy()
    np.testing.assert_array_equal(best[tags >= 0], tags[tags >= 0])


def test_constraints_of_wrong_shape_raise():
    with pytest.raises(ValueError, match=r"CRF: allowed end has the shape \(3,\), expected \(2,\)"):
        CRF(([True] * 2, [[True] * 2] * 2, [True] * 3))(tf.zeros((1, 1, 2)))
