"""Decoding against the enumeration of every sequence, a beam search of a few lines of Python, and counts of draws."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqtasks.decoding import BeamOptions, beam_search, sample, sampling, token_sampler
from seqtasks.errors import UserError

END, START, NODES, SOURCE = 0, 1, 211, 3
OFF = {"length_penalty": 0.0, "coverage_penalty": 0.0, "min_length": 0, "no_repeat_ngram": 0}
OFF |= {"repetition_penalty": 1.0, "forbidden": ()}


class Model:
    """A model whose next token depends on a hash of all before, and the same in Python (float64)."""

    def __init__(self, seed, sentences, vocabulary, sharpness=1.5):
        rng = np.random.default_rng(seed)
        self.size, self.sentences, self.steps = vocabulary, sentences, 0
        self.logits = (rng.normal(size=(sentences, NODES, vocabulary)) * sharpness).astype("float32")
        weights = rng.exponential(size=(sentences, NODES, SOURCE)) * (np.arange(SOURCE) <= rng.integers(1, SOURCE))
        self.weights = (weights / weights.sum(-1, keepdims=True)).astype("float32")

    @property
    def states(self):
        return {"sentence": tf.range(self.sentences), "node": [tf.zeros(self.sentences, tf.int32)]}

    def step(self, tokens, states):
        self.steps += 1
        node = (states["node"][0] * 7 + tokens + 1) % NODES
        places = tf.stack([states["sentence"], node], 1)
        states = {"sentence": states["sentence"], "node": (node,)}
        return tf.gather_nd(self.logits, places), states, tf.gather_nd(self.weights, places)

    def at(self, sentence, prefix):
        """Logits and attention after a prefix."""
        node = 0
        for token in (START, *prefix):
            node = (node * 7 + token + 1) % NODES
        return self.logits[sentence, node].astype("float64"), self.weights[sentence, node].astype("float64")

    def ways(self, sentence, prefix, limit, rules):
        """{token: log-probability} of what may come next."""
        logits, _ = self.at(sentence, prefix)
        for token in set(prefix):
            factor = rules["repetition_penalty"]
            logits[token] = logits[token] / factor if logits[token] > 0 else logits[token] * factor
        logits -= np.logaddexp.reduce(logits)
        if len(prefix) == limit:
            return {END: logits[END]}
        n = rules["no_repeat_ngram"]
        said = {prefix[i : i + n] for i in range(len(prefix) - n + 1)} if n else ()
        return {
            token: logits[token]
            for token in range(self.size)
            if token not in rules["forbidden"]
            and (token != END or len(prefix) >= rules["min_length"])
            and not (n and len(prefix) >= n - 1 and (*prefix[len(prefix) - n + 1 :], token) in said)
        }

    def score(self, sentence, tokens, total, rules):
        """The score of a finished hypothesis by its definition."""
        attended = sum(self.at(sentence, tokens[:i])[1] for i in range(len(tokens) + 1))
        coverage = sum(math.log(min(a, 1.0)) for a in attended if a > 0)
        return total / ((6 + len(tokens)) / 6) ** rules["length_penalty"] + rules["coverage_penalty"] * coverage

    def every(self, sentence, limit, rules):
        """{tokens: score} of every hypothesis."""
        found, open_ = {}, [((), 0.0)]
        while open_:
            prefix, total = open_.pop()
            for token, gained in self.ways(sentence, prefix, limit, rules).items():
                if token == END:
                    found[prefix] = self.score(sentence, prefix, total + gained, rules)
                else:
                    open_.append(((*prefix, token), total + gained))
        return found

    def beam(self, sentence, limit, width, n_best, rules):
        """([(score, tokens)], steps): the best of a beam search without early stop, and where it could stop."""
        live, finished, steps = [(0.0, ())], [], None
        for t in range(limit + 1):
            ways = [
                (total + gained, prefix, token)
                for total, prefix in live
                for token, gained in self.ways(sentence, prefix, limit, rules).items()
            ]
            ways = sorted(ways, key=lambda way: -way[0])[: 2 * width]
            finished += [(self.score(sentence, p, total, rules), p) for total, p, token in ways if token == END]
            finished = sorted(finished, key=lambda found: -found[0])[:n_best]
            live = [(total, (*p, token)) for total, p, token in ways if token != END][:width]
            bound = max((total for total, _ in live), default=-math.inf) / ((6 + limit) / 6) ** rules["length_penalty"]
            if steps is None and (finished[n_best - 1][0] if len(finished) == n_best else -math.inf) >= bound:
                steps = t + 1
        return finished, steps

    def greedy(self, sentence, limit, rules, prompt=()):
        """The most probable token at each step: tokens and log-probability."""
        tokens, total = prompt, 0.0
        while True:
            ways = self.ways(sentence, tokens, limit, rules)
            token = max(ways, key=ways.get)
            total += ways[token]
            if token == END:
                return tokens, total
            tokens = (*tokens, token)


def hypotheses(found, sentence):
    """[(score, tokens)] of a sentence; checks the padding."""
    listed = []
    for tokens, length, score in zip(*(x.numpy()[sentence] for x in found[:3]), strict=True):
        assert np.all(tokens[:length] >= 0) and np.all(tokens[length:] == -1)
        if score > -np.inf:
            listed.append((score, tuple(tokens[:length].tolist())))
    assert np.all(np.diff(found.scores.numpy()[sentence][: len(listed)]) <= 0)
    return listed


def run_search(step, states, start, end, max_length, memory=None, **options):
    return beam_search(step, states, start, end, max_length=max_length, options=BeamOptions(**options), memory=memory)


@st.composite
def searches(draw):
    sentences, vocabulary = draw(st.integers(1, 3)), draw(st.integers(3, 4))
    limits = draw(st.lists(st.integers(0, 3), min_size=sentences, max_size=sentences))
    rules = {
        "length_penalty": draw(st.sampled_from([0.6, 1.0])),
        "coverage_penalty": draw(st.sampled_from([0.2, 1.0])),
        "min_length": draw(st.integers(1, 2)),
        "no_repeat_ngram": draw(st.integers(1, 2)),
        "repetition_penalty": 1.7,
        "forbidden": (2,),
    }
    model = Model(draw(st.integers(0, 2**32 - 1)), sentences, vocabulary, draw(st.sampled_from([0.5, 2.0])))
    return model, limits, {k: draw(st.sampled_from([OFF[k], value])) for k, value in rules.items()}


@given(searches(), st.integers(1, 4))
def test_wide_beam_finds_the_best_of_all_sequences(search, n_best):
    model, limits, rules = search
    width = max((model.size - 1) ** max(limits), model.size, n_best)
    found = run_search(model.step, model.states, START, END, max_length=limits, width=width, n_best=n_best, **rules)
    for sentence, limit in enumerate(limits):
        every = model.every(sentence, limit, rules)
        listed = hypotheses(found, sentence)
        best = sorted(every.values(), reverse=True)[:n_best]
        np.testing.assert_allclose([score for score, _ in listed], best, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose([every[tokens] for _, tokens in listed], best, rtol=1e-4, atol=1e-4)
        assert np.all(np.isneginf(found.scores[sentence, len(best) :]))


@given(searches(), st.integers(2, 4), st.integers(1, 2), st.integers(0, 4))
def test_narrow_beam_matches_plain_python_and_stops_early(search, width, n_best, more):
    model, limits, rules = search
    limits = [limit + more for limit in limits]
    found = run_search(model.step, model.states, START, END, max_length=limits, width=width, n_best=n_best, **rules)
    plain = [model.beam(sentence, limit, width, n_best, rules) for sentence, limit in enumerate(limits)]
    for sentence, (finished, _) in enumerate(plain):
        listed = hypotheses(found, sentence)
        assert [tokens for _, tokens in listed] == [tokens for _, tokens in finished]
        np.testing.assert_allclose([s for s, _ in listed], [s for s, _ in finished], rtol=1e-4, atol=1e-4)
        for place, (_, tokens) in enumerate(listed):
            attention = np.zeros(found.attention.shape[2:])
            for i in range(len(tokens)):
                attention[i] = model.at(sentence, tokens[:i])[1]
            np.testing.assert_allclose(found.attention[sentence, place], attention, atol=1e-6)
    assert model.steps == max(steps for _, steps in plain)


@settings(max_examples=3)
@given(searches(), st.integers(2, 4), st.integers(0, 4))
def test_finished_sentences_leave_the_batch_and_results_stay_the_same(search, width, more):
    model, limits, rules = search
    limits, rows = [limit + more for limit in limits], []

    def step(tokens, states, memory):
        rows.append(tokens.shape[0])
        node = (states["node"][0] * 7 + tokens + 1) % NODES
        places = tf.reshape(node, (-1, width))  # the rows of a sentence are neighbours
        logits, weights = (tf.gather(x, places, batch_dims=1) for x in memory["tables"])
        new = {"sentence": states["sentence"], "node": [node]}
        return tf.reshape(logits, (-1, model.size)), new, tf.reshape(weights, (-1, SOURCE))

    memory, options = {"tables": (model.logits, model.weights)}, {"width": width, "max_length": limits, **rules}
    found = run_search(step, model.states, START, END, memory=memory, **options)
    for ours, due in zip(found, run_search(model.step, model.states, START, END, **options), strict=True):
        np.testing.assert_allclose(ours, due, rtol=1e-5, atol=1e-6)
    taken = rows.copy()
    graph = tf.function(lambda: run_search(step, model.states, START, END, memory=memory, **options))
    for ours, due in zip(graph(), found, strict=True):
        np.testing.assert_allclose(ours, due, rtol=1e-5, atol=1e-6)
    steps = [model.beam(sentence, limit, width, 1, rules)[1] for sentence, limit in enumerate(limits)]
    assert taken == [width * sum(s > t for s in steps) for t in range(max(steps))]


@given(searches(), st.integers(0, 4))
def test_beam_of_one_is_greedy_search(search, more):
    model, limits, rules = search
    limits, rules = [limit + more for limit in limits], {**rules, "min_length": min(rules["min_length"], 1)}
    found = run_search(model.step, model.states, START, END, max_length=limits, width=1, **rules)
    lengths = []
    for sentence, limit in enumerate(limits):
        tokens, total = model.greedy(sentence, limit, rules)
        [(score, ours)] = hypotheses(found, sentence)
        assert ours == tokens
        np.testing.assert_allclose(score, model.score(sentence, tokens, total, rules), rtol=1e-4, atol=1e-4)
        for i in range(len(tokens)):
            np.testing.assert_allclose(found.attention[sentence, 0, i], model.at(sentence, tokens[:i])[1], atol=1e-6)
        lengths.append(len(tokens))
    assert found.tokens.shape[2] == max(lengths) and model.steps == max(lengths) + 1


def plain(step):
    """A step without attention."""
    return lambda tokens, states: step(tokens, states)[:2]


def bigrams(logits):
    """A step whose logits depend on the last token alone, and whose states are empty."""
    table = tf.constant(logits, tf.float32)
    return lambda tokens, states: (tf.gather(table, tokens), states)


def test_large_vocabulary_is_searched_in_chunks(rng):
    logits = rng.normal(size=(2100, 2100)).astype("float32")
    logits[:, END] = 3.0
    found = run_search(bigrams(logits), [], [5, 1], END, max_length=3, width=2, n_best=2, forbidden=(7, 2099))
    log_probs = logits.astype("float64") - np.logaddexp.reduce(logits.astype("float64"), -1, keepdims=True)
    log_probs[:, [7, 2099]] = -np.inf
    for sentence, start in enumerate((5, 1)):
        live, finished = [(0.0, (start,))], []
        for _ in range(3):
            ways = [(total + log_probs[path[-1]], path) for total, path in live]
            ways = sorted(((t[i], (*path, i)) for t, path in ways for i in np.argsort(-t)[:4]), reverse=True)[:4]
            finished += [way for way in ways if way[1][-1] == END]
            live = [way for way in ways if way[1][-1] != END][:2]
        finished += [(total + log_probs[path[-1], END], (*path, END)) for total, path in live]
        for (score, ours), (total, path) in zip(hypotheses(found, sentence), sorted(finished)[::-1], strict=False):
            assert ours == path[1:-1]
            np.testing.assert_allclose(score, total, atol=1e-4)


@pytest.mark.parametrize("width", [1, 3])
def test_results_do_not_depend_on_the_rest_of_the_batch(width):
    model, limits = Model(3, 5, 4), np.array([4, 0, 6, 2, 5])
    options = {"width": width, "length_penalty": 0.6, "coverage_penalty": 0.2, "no_repeat_ngram": 2}
    together = run_search(model.step, model.states, START, END, max_length=limits, **options)
    for rows in ([2], [4, 3, 2, 1, 0], [1, 1, 0]):
        states = tf.nest.map_structure(lambda state, rows=rows: tf.gather(state, rows), model.states)
        found = run_search(model.step, states, START, END, max_length=limits[rows], **options)
        for place, row in enumerate(rows):
            assert hypotheses(found, place) == hypotheses(together, row)


def test_longest_hypothesis_can_win_at_the_last_step():
    """log 0.48 / (7 / 6) > log 0.52, but log 0.48 < log 0.52: the bound counts the end after the last token."""
    step = bigrams(np.log([[1.0, 1e-9, 1e-9], [1.0, 1e-9, 1e-9], [0.52, 0.48, 1e-9]]))
    chosen = {limit: run_search(step, [], [2], END, max_length=limit, width=2, length_penalty=1.0) for limit in (0, 1)}
    assert [hypotheses(found, 0)[0][1] for found in chosen.values()] == [(), (1,)]


def test_fewer_hypotheses_than_requested():
    """There are two hypotheses, the empty one and the one of token 2; three are requested."""
    found = run_search(bigrams(np.zeros((3, 3))), [], [START], END, max_length=1, width=3, n_best=3, forbidden=(1,))
    assert found.tokens.numpy().tolist() == [[[-1], [2], [-1]]] and found.attention is None
    np.testing.assert_allclose(tf.exp(found.scores), [[1 / 3, 1 / 9, 0]], rtol=1e-6)


@pytest.mark.parametrize("width", [1, 2])
def test_empty_batch_and_length_zero(width):
    model = Model(0, 2, 4)
    nothing = tf.nest.map_structure(lambda state: state[:0], model.states)
    found = run_search(model.step, nothing, START, END, max_length=4, width=width)
    assert [x.shape.as_list() for x in found] == [[0, 1, 0], [0, 1], [0, 1], [0, 1, 0, SOURCE]]
    tokens, scores = sample(model.step, nothing, tf.zeros([0], tf.int32), token_sampler((0, 0)), 4, END)
    assert tokens.shape == (0, 0) and scores.shape == (0,)
    found = run_search(model.step, model.states, START, END, max_length=0, width=width)
    assert found.tokens.shape == (2, 1, 0) and found.attention.shape == (2, 1, 0, SOURCE)
    np.testing.assert_allclose(found.scores[:, 0], [model.every(i, 0, OFF)[()] for i in range(2)], rtol=1e-5)
    tokens, scores = sample(model.step, model.states, tf.fill([2], START), token_sampler((0, 0)), 0, END)
    assert tokens.shape == (2, 0) and scores.numpy().tolist() == [0, 0]


def test_greedy_search_ends_when_nothing_is_left():
    """Every token may be written once, and the end only after four: nothing is left after two."""
    step = bigrams(np.zeros((3, 3)))
    found = run_search(step, [], [START], END, max_length=6, width=1, min_length=4, no_repeat_ngram=1)
    assert sorted(found.tokens.numpy().ravel().tolist()) == [1, 2] and found.lengths.numpy().tolist() == [[2]]
    np.testing.assert_allclose(found.scores, [[2 * math.log(1 / 3)]], rtol=1e-6)


LOGITS = np.log([0.4, 0.05, 0.3, 0.15, 0.1])


def draws(rows, steps=1, seed=(3, 4), end=None, **options):
    """(rows, steps) tokens, each drawn from `LOGITS`."""
    step = bigrams(np.tile(LOGITS, (5, 1)) + 0.7)
    tokens, _ = sample(step, [], tf.zeros([rows], tf.int32), token_sampler(seed, **options), steps, end)
    return tokens.numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.5, tf.constant(0.5)])
def test_token_frequencies_match_the_model(temperature):
    """Of pairs of successive tokens, so that steps are independent too, and pairs of adjacent rows."""
    found = draws(20000, 2, temperature=temperature)
    shares = np.exp(LOGITS / float(temperature))
    pairs = np.outer(shares, shares).ravel() / shares.sum() ** 2
    for first, second in ((found[:, 0], found[:, 1]), (found[::2, 0], found[1::2, 0])):
        counts = np.bincount(first * 5 + second, minlength=25)
        assert stats.chisquare(counts, pairs * len(first)).pvalue > 1e-3


SHARES = [(0, 1.0), (2, 1.0), (9, 1.0), (0, 0.69), (0, 0.71), (3, 0.8), (3, 1e-6)]  # top_k, top_p


@pytest.mark.parametrize(
    ("top_k", "top_p", "forbidden", "in_graph"),
    [
        *((*shares, (), i % 2 == 0) for i, shares in enumerate(SHARES)),
        (3, 0.8, (2,), True),
    ],
)
def test_only_the_most_probable_tokens_are_drawn(top_k, top_p, forbidden, in_graph):
    ranked = np.array([token for token in np.argsort(-LOGITS) if token not in forbidden][: top_k or None])
    shares = np.exp(LOGITS[ranked]) / np.exp(LOGITS[ranked]).sum()
    ranked = ranked[np.cumsum(shares) - shares < top_p]
    options = {name: tf.constant(n) if in_graph else n for name, n in (("top_k", top_k), ("top_p", top_p))}
    found = draws(4000, forbidden=forbidden, **options)[:, 0]
    counts, expected = np.bincount(found, minlength=5), np.zeros(5)
    expected[ranked] = np.exp(LOGITS[ranked]) / np.exp(LOGITS[ranked]).sum() * len(found)
    assert set(np.flatnonzero(counts)) == set(ranked)
    if len(ranked) > 1:
        assert stats.chisquare(counts[ranked], expected[ranked]).pvalue > 1e-3


@pytest.mark.parametrize("cold", [0, 0.0, tf.constant(0.0)])
def test_temperature_zero_takes_the_most_probable_token(cold):
    model = Model(1, 4, 4)
    start, draw = tf.fill([4], START), token_sampler((0, 0), temperature=cold)
    found, scores = sample(model.step, model.states, start, draw, 9, END)
    for sentence in range(4):
        tokens, total = model.greedy(sentence, 10, OFF)
        ours = found.numpy()[sentence]
        assert ours[ours >= 0].tolist() == list(tokens[:9]) and (ours[len(tokens) :] == -1).all()
        if len(tokens) < 9:
            np.testing.assert_allclose(scores[sentence], total, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_log_probabilities_are_those_of_the_model_whatever_is_drawn(jit_compile):
    model = Model(2, 6, 4)
    draw = token_sampler((5, 6), temperature=1.3, top_k=2, forbidden=(2,))
    start = tf.fill([6], START)
    found, scores = sample(model.step, model.states, start, draw, 5, END, jit_compile=jit_compile)
    for sentence, row in enumerate(found.numpy().tolist()):
        tokens, total = tuple(token for token in row if token >= 0), 0.0
        for i in range(len(tokens) + (len(tokens) < 5)):
            logits, _ = model.at(sentence, tokens[:i])
            token = tokens[i] if i < len(tokens) else END
            assert token in [n for n in np.argsort(-logits) if n != 2][:2]
            total += logits[token] - np.logaddexp.reduce(logits)
        np.testing.assert_allclose(scores[sentence], total, rtol=1e-4, atol=1e-4)


def test_a_draw_depends_on_seed_row_and_step_alone():
    many = draws(30000, 3)
    np.testing.assert_array_equal(draws(2, 7)[:, :3], many[:2])
    np.testing.assert_array_equal(draws(30000, 3, seed=tf.constant([3, 4])), many)
    for seed, first, second in (((3, 5), 0, 0), ((4, 4), 0, 0), ((3, 5), 0, 1), ((3, 3), 1, 0)):
        assert 0.25 < np.mean(draws(30000, 3, seed=seed)[:, first] == many[:, second]) < 0.32  # by chance 0.285


def test_blocks_and_compilation_do_not_change_draws(monkeypatch):
    tokens = draws(50, 150, end=1)
    monkeypatch.setattr(sampling, "BLOCK", 7)
    np.testing.assert_array_equal(draws(50, 150, end=1), tokens)
    found = draws(50, 6)
    assert found.shape == (50, 6) and np.all(found >= 0)  # without an end


def test_vectors_are_drawn_by_the_same_loop():
    """The values need not be tokens: each is the sum of the state and the last value, and the step."""
    start, states = tf.constant([[1.0, 2.0], [3.0, 4.0]]), [tf.constant([[10.0], [20.0]])]
    values, totals = sample(
        lambda x, states: (x + states[0], states),
        states,
        start,
        lambda outputs, t: (outputs + tf.cast(t, tf.float32), outputs[:, 0]),
        length=3,
        jit_compile=False,
    )
    assert values.numpy().tolist() == [[[11, 12], [22, 23], [34, 35]], [[23, 24], [44, 45], [66, 67]]]
    assert totals.numpy().tolist() == [11 + 21 + 32, 23 + 43 + 64]


class Served(tf.Module):
    """A small model with searches and sampling as exported functions of any number of rows."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(np.random.default_rng(1).normal(size=(6, 6)), dtype=tf.float32)
        self.memory = tf.Variable(np.random.default_rng(2).normal(size=(6, 6)), dtype=tf.float32)

    def model(self, starts):
        """A step and states; the step closes over a memory, (batch, 6), without repeating it."""
        memory = tf.gather(self.memory, starts)

        def step(tokens, states):
            shaped = tf.reshape(tf.gather(self.table, tokens) + states[0], (tf.shape(memory)[0], -1, 6))
            logits = tf.reshape(shaped + memory[:, None], (-1, 6))
            return logits, (states[0] + 0.1 * logits,), tf.nn.softmax(logits[:, : tf.shape(logits)[1] // 2])

        return step, (tf.zeros(tf.shape(memory)),)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32)])
    def best(self, starts, limits):
        options = {"length_penalty": 1.0, "coverage_penalty": 0.1, "no_repeat_ngram": 2, "repetition_penalty": 1.2}
        return run_search(*self.model(starts), starts, END, limits, width=3, n_best=2, **options)._asdict()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32)])
    def first(self, starts, limits):
        return run_search(*self.model(starts), starts, END, limits, width=1)._asdict()

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32)]
        + [tf.TensorSpec([], kind) for kind in (tf.int32, tf.float32, tf.int32, tf.float32)]
        + [tf.TensorSpec([2], tf.int32)]
    )
    def drawn(self, starts, length, temperature, top_k, top_p, seed):
        draw = token_sampler(seed, temperature, top_k, top_p)
        tokens, scores = sample(*self.model(starts), starts, draw, length, END)
        return {"tokens": tokens, "scores": scores}


def test_saved_decoding_gives_the_same_results(tmp_path):
    module = Served()
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for starts in ([1, 2, 3], [5], []):
        starts = tf.constant(starts, tf.int32)
        drawn = (tf.constant(8), tf.constant(0.9), tf.constant(4), tf.constant(0.95), tf.constant([1, 2]))
        for name, others in (("best", (starts + 3,)), ("first", (starts + 3,)), ("drawn", drawn)):
            answers = getattr(loaded, name)(starts, *others)
            for key, expected in getattr(module, name).python_function(starts, *others).items():
                np.testing.assert_allclose(answers[key], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "beam_search: width is 0; give 1 or more"),
        ({"width": 2, "n_best": 3}, "beam_search: n_best is 3; give 1 to 2"),
        ({"min_length": 9}, "beam_search: min_length is 9; give 0 to 4"),
        ({"length_penalty": -1.0}, "beam_search: length_penalty is -1.0; give 0 or more"),
        ({"coverage_penalty": -1.0}, "beam_search: coverage_penalty is -1.0; give 0 or more"),
        ({"no_repeat_ngram": -1}, "beam_search: no_repeat_ngram is -1; give 0 or more"),
        ({"repetition_penalty": 0.5}, "beam_search: repetition_penalty is 0.5; give 1 or more"),
        ({"coverage_penalty": 0.1}, "coverage_penalty: the step gives no attention; set it to 0"),
        ({"states": []}, "start: the number of rows is unknown; give a start token for each row"),
    ],
)
def test_invalid_search_options_raise(options, message):
    model, options = Model(0, 1, 3), dict(options)
    with pytest.raises(UserError) as error:
        run_search(
            plain(model.step), **{"states": model.states, "start": START, "end": END, "max_length": 4, **options}
        )
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "token_sampler: temperature is -0.1; give 0 or more"),
        ({"top_k": -1}, "token_sampler: top_k is -1; give 0 or more"),
        ({"top_p": 1.5}, "token_sampler: top_p is 1.5; give 1e-06 to 1"),
        ({"top_p": 0.0}, "token_sampler: top_p is 0.0; give 1e-06 to 1"),
    ],
)
def test_invalid_sampling_options_raise(options, message):
    with pytest.raises(UserError) as error:
        token_sampler((0, 0), **options)
    assert str(error.value) == message
