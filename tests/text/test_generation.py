"""Language models and their scoring and generation, against NumPy, plain Python loops and enumeration."""

import itertools
import math
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import chisquare

from seqtasks import cells
from seqtasks.data.sources import Example
from seqtasks.data.token_ids import BOS, EOS, SPECIAL_TOKENS
from seqtasks.decoding import sampling, scoring
from seqtasks.layers import AdaptiveSoftmax, ReversibleEmbedding
from seqtasks.models import LanguageModelStepper, language_model
from seqtasks.ops.log_likelihood import log_likelihoods
from seqtasks.tasks import LanguageModelling
from seqtasks.tasks.ngrams import NGrams
from seqtasks.text import generation, running_text
from seqtasks.text.tokenizer import Tokenizer
from tests.data.test_segments import DOCUMENTS, TOKENS, encode, mirrored, read, texts
from tests.layers.test_stateful import close, unrolled

UNWRITTEN = generation.UNWRITTEN
KINDS = {
    "table": {"whole": True, "units": 5, "layers": 2, "residual": True},  # one residual, and a readout
    "plain": {"units": 4, "layers": 2, "residual": True, "dropout": 0.3, "zoneout": 0.2},  # two residuals
    "adaptive": {"adaptive": True, "units": 5},
}


def made(cell="gru", whole=False, adaptive=False, size=4, **options):
    """A model with random weights, large enough for distributions far from uniform."""
    decoder_inputs, targets = (keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets"))
    if adaptive:
        embedding, head = keras.layers.Embedding(TOKENS, size, name="embedding"), AdaptiveSoftmax(TOKENS, (5,))
    else:
        embedding = ReversibleEmbedding(TOKENS, size, name="embedding")
        head = lambda vectors, targets: embedding(vectors, reverse=True, targets=targets)  # noqa: E731
    embedded = embedding(decoder_inputs, whole=True) if whole else embedding(decoder_inputs)
    model = language_model(decoder_inputs, embedded, targets, head, cell, size=size, **options)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "carried" not in weight.name and "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape) * 0.6)
    return model


@pytest.fixture(scope="module")
def models():
    return {kind: made(**options) for kind, options in KINDS.items()}


@pytest.fixture
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def distributions(model, decoder_inputs):
    """Log-probabilities of all tokens, (batch, time, tokens), computed from the definition of `language_model`."""
    layers = {layer.name: layer for layer in model.layers}
    x, first = tf.gather(layers["embedding"].weights[0], np.transpose(decoder_inputs)), True
    whole = len(layers["embedded"].output.shape) == 2
    for number in itertools.count(1):
        if f"recurrent_{number}" not in layers:
            break
        outputs, _ = unrolled(layers[f"recurrent_{number}"].cell, x)
        residual = "residual_2" in layers and x.shape == outputs.shape and not (whole and first)
        x, first = outputs + x if residual else outputs, False
    if "readout" in layers:
        kernel, bias = layers["readout"].weights
        x = x @ kernel + bias
    x = np.transpose(x, (1, 0, 2)).astype("float64")
    adaptive = next((layer for layer in model.layers if type(layer).__name__ == "AdaptiveSoftmax"), None)
    if adaptive:
        return adaptive.logits(tf.constant(x, tf.float32)).numpy()
    table, bias = (weight.numpy() for weight in layers["embedding"].weights)
    return log_softmax(x @ table.T + bias, -1)


def taken(distribution, targets):
    """The log-probabilities of numbers, 0 where these are negative."""
    found = np.take_along_axis(np.asarray(distribution), np.maximum(targets, 0)[..., None], -1)[..., 0]
    return np.where(targets < 0, 0, found)


def shifted(rows, time):
    """(decoder_inputs, targets) of rows of numbers, padded to `time`."""
    decoder_inputs, targets = np.zeros((len(rows), time), "int32"), np.full((len(rows), time), -1, "int32")
    for i, row in enumerate(rows):
        decoder_inputs[i, : len(row)], targets[i, : len(row)] = [BOS, *row[:-1]][: len(row)], row
    return decoder_inputs, targets


def random_text(rng, *shape):
    return rng.integers(0, TOKENS, shape).astype("int32")


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.7]), st.sampled_from([1.0, 300.0]))
def test_log_likelihoods_and_their_gradient_match_the_formula(seed, smoothing, scale):
    rng = np.random.default_rng(seed)
    logits, targets = rng.normal(size=(3, 4, 7)) * scale, rng.integers(-1, 7, (3, 4))
    due = (1 - smoothing) * np.eye(7)[targets] + smoothing / 7
    due *= (targets >= 0)[..., None]
    upstream, watched = rng.normal(size=(3, 4)), tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        found = log_likelihoods(watched, tf.constant(targets), smoothing)
    np.testing.assert_allclose(found, (due * log_softmax(logits, -1)).sum(-1), atol=1e-10)
    expected = due - due.sum(-1, keepdims=True) * np.exp(log_softmax(logits, -1))
    np.testing.assert_allclose(tape.gradient(found, watched, upstream), expected * upstream[..., None], atol=1e-10)


def check(model, expected, decoder_inputs, targets):
    """Compares a model and its `LanguageModelStepper`, whole, in pieces and step by step, with `distributions`."""
    stepper = LanguageModelStepper(model)
    due = taken(expected, targets)
    close(model({"decoder_inputs": decoder_inputs, "targets": targets}), due)
    states, pieces = stepper.begin(len(decoder_inputs)), []
    for part in (slice(0, 2), slice(2, None)):
        vectors, states = stepper.run(tf.constant(decoder_inputs[:, part]), states)
        close(stepper.score(vectors, targets[:, part]), due[:, part])
        pieces.append(tf.nn.log_softmax(stepper.logits(vectors)))
    close(tf.concat(pieces, 1), expected)
    stepped = stepper.begin(len(decoder_inputs))
    for t, numbers in enumerate(decoder_inputs.T):
        vectors, stepped = stepper.step(tf.constant(numbers), stepped)
        close(tf.nn.log_softmax(stepper.logits(vectors)), expected[:, t])
        close(stepper.score(vectors[:, None], targets[:, t, None])[:, 0], due[:, t])
    close(states, stepped)


@pytest.mark.parametrize("kind", KINDS)
def test_stepper_matches_its_model(kind, models, rng):
    decoder_inputs, targets = random_text(rng, 3, 5), random_text(rng, 3, 5) - 1
    check(models[kind], distributions(models[kind], decoder_inputs), decoder_inputs, targets)


@pytest.mark.parametrize("cell", cells.CELLS)
def test_stepper_of_every_cell_loads_without_carried_states(cell, rng, tmp_path):
    model = made(cell, whole=True, units=5, rows=2)
    decoder_inputs, targets = random_text(rng, 2, 3), random_text(rng, 2, 3) - 1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not [weight.path for weight in loaded.weights if "carried" in weight.name]
    check(loaded, distributions(model, decoder_inputs), decoder_inputs, targets)


@pytest.mark.parametrize("time", [4, 9])
def test_scores_of_long_sequences_match_the_model(time, models, rng, monkeypatch):
    monkeypatch.setattr(scoring, "SEGMENT", 4)
    decoder_inputs, targets = shifted([random_text(rng, n).tolist() for n in (time, 0, time - 2)], time)
    model, stepper = models["table"], LanguageModelStepper(models["table"])
    found, _ = scoring.score(stepper, tf.constant(decoder_inputs), tf.constant(targets))
    close(found, model({"decoder_inputs": decoder_inputs, "targets": targets}))
    states = [[tf.constant(rng.normal(size=(3, 5)), tf.float32)] for _ in range(2)]
    vectors, last = stepper.run(tf.constant(decoder_inputs), states)
    found, ended = scoring.score(stepper, tf.constant(decoder_inputs), tf.constant(targets), states)
    close(found, stepper.score(vectors, targets))
    if time == 4:
        close(ended, last)


@pytest.mark.parametrize("rows", [1, 4])
def test_corpus_is_scored_with_all_text_before(rows, models, rng, monkeypatch, eagerly):
    monkeypatch.setattr(scoring, "SEGMENT", 4)
    monkeypatch.setattr(running_text, "CHUNK", 8)
    monkeypatch.setattr(running_text, "ROW_LENGTH", 5 if rows > 1 else 20)
    documents = [[rng.integers(4, TOKENS, n).tolist() for n in sizes] for sizes in ((4, 0, 3), (3,), (0,), (7, 3))]
    documents[3][0][5:7] = [1, 1]
    source, pieces = texts(documents, ended=False)
    numbers, model, expected = np.array(sum(pieces, [])), models["adaptive"], []
    length = math.ceil(len(numbers) / rows)
    for start in range(0, len(numbers), length):
        row = range(start, min(start + length, len(numbers)))
        distribution = distributions(model, np.array([[read(numbers, place)[0] for place in row]]))
        expected += taken(distribution, numbers[None, row])[0].tolist()
    predictor = SimpleNamespace(assets={"tokens": SimpleNamespace(encode=encode)}, model=model)
    ((pool, features),) = running_text.pools(predictor, source)
    assert pool == list(source) and features["characters"].tolist() == [len(piece) for piece in pieces]
    ends = np.cumsum([0, *map(len, pieces)])
    close(features["log_probability"], [sum(expected[a:b]) for a, b in itertools.pairwise(ends)])
    assert features["length"].tolist() == [len(piece) for piece in pieces]
    assert features["unknown"].tolist() == [piece.count(1) for piece in pieces]


@pytest.mark.parametrize(("rows", "ended"), [(1, True), (4, False)])
def test_a_corpus_read_backward_is_the_mirrored_one_read_forward(rows, ended, models, rng, monkeypatch, eagerly):
    monkeypatch.setattr(running_text, "CHUNK", 8)
    monkeypatch.setattr(running_text, "ROW_LENGTH", 5 if rows > 1 else 20)
    documents = [[rng.integers(4, TOKENS, n).tolist() for n in sizes] for sizes in ((4, 0, 3), (3,), (0,), (7, 3))]
    documents[3][0][5:7] = [1, 1]
    source, _ = texts(documents, ended)
    predictor = SimpleNamespace(assets={"tokens": SimpleNamespace(encode=encode)}, model=models["plain"])

    def table(*given):
        ((_, features),) = running_text.pools(predictor, *given)
        return np.stack([features[name] for name in ("log_probability", "length", "characters", "unknown")], 1)

    close(table(source, True), table(mirrored(source))[::-1])


PROMPTS = [[], [5], [6, 4, 7, 7]]


def ragged(rows):
    return tf.RaggedTensor.from_row_lengths(tf.constant(sum(rows, []), tf.int32), [len(row) for row in rows])


@pytest.fixture(scope="module")
def write(models):
    """`generate` of the model with a table, compiled in blocks of four steps."""
    signature = [tf.RaggedTensorSpec((None, None), tf.int32), tf.TensorSpec((2,), tf.int32)]
    signature += [tf.TensorSpec((), kind) for kind in (tf.int32, tf.float32, tf.int32, tf.float32)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "BLOCK", 4)
        options = {"end": EOS, "forbidden": UNWRITTEN}
        function = tf.function(
            partial(generation.generate, LanguageModelStepper(models["table"]), **options), signature
        )
        function.get_concrete_function()

    def write(prompts, seed, length, temperature=1.0, top_k=0, top_p=1.0):
        found = function(ragged(prompts), tf.constant([seed, 0]), length, temperature, top_k, top_p)
        return found[0].numpy(), found[1].numpy()

    return write


def cut(tokens):
    """Rows without the -1 after them; the longest has none."""
    rows = [row[row >= 0].tolist() for row in tokens]
    assert all((row[len(kept) :] == -1).all() for row, kept in zip(tokens, rows, strict=True))
    assert tokens.shape[1] == max(map(len, rows))
    return rows


@pytest.mark.parametrize(("kind", "end"), [("table", EOS), ("table", None), ("plain", EOS), ("adaptive", None)])
def test_temperature_zero_generates_the_most_probable_tokens(kind, end, models, write, monkeypatch, request):
    forbidden, length, prompts = UNWRITTEN, 6, PROMPTS
    if (kind, end) == ("table", EOS):
        tokens, likely = write(prompts, 0, length, temperature=0.0)
    else:
        request.getfixturevalue("eagerly")
        monkeypatch.setattr(sampling, "BLOCK", 4)
        monkeypatch.setattr(generation, "TABLE", 0)
        options = {"temperature": 0, "end": end, "forbidden": forbidden}
        tokens, likely = generation.generate(
            LanguageModelStepper(models[kind]), ragged(prompts), (0, 0), length, **options
        )
    written = [[*row, *[end][: length - len(row)]] for row in cut(np.array(tokens))]
    decoder_inputs, _ = shifted([[*prompt, *row, EOS] for prompt, row in zip(prompts, written, strict=True)], 11)
    found = distributions(models[kind], decoder_inputs)
    for prompt, row, mine, total in zip(prompts, written, found, likely, strict=True):
        mine = mine[len(prompt) : len(prompt) + len(row)]
        assert row == np.where(np.isin(range(TOKENS), forbidden), -np.inf, mine).argmax(-1).tolist()
        close(total, taken(mine, np.array(row)).sum())


def filtered(row, temperature, top_k, top_p):
    """The distribution to draw from, as a dict."""
    chances = {n: math.exp(row[n] / temperature) for n in range(TOKENS) if n not in UNWRITTEN}
    ranked = sorted(chances, key=chances.get, reverse=True)[: top_k or None]
    total, kept, reached = sum(chances[n] for n in ranked), [], 0.0
    for n in ranked:
        if reached < top_p:
            kept.append(n)
        reached += chances[n] / total
    return {n: chances[n] / sum(chances[k] for k in kept) for n in kept}


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (2.5, 0, 1.0), (1.0, 3, 1.0), (2.0, 0, 0.8), (3.0, 4, 0.9)]
)
def test_frequencies_of_texts_match_their_probabilities(temperature, top_k, top_p, models, write):
    options, rows, prompt = (temperature, top_k, top_p), 1500, [5]
    model, exact, likely = models["table"], {}, {}
    first = distributions(model, np.array([[BOS, *prompt]]))[0, -1]
    for one, chance in filtered(first, *options).items():
        if one == EOS:
            exact[()], likely[()] = chance, first[EOS]
            continue
        second = distributions(model, np.array([[BOS, *prompt, one]]))[0, -1]
        for other, rest in filtered(second, *options).items():
            text = (one,) if other == EOS else (one, other)
            exact[text], likely[text] = chance * rest, first[one] + second[other]
    tokens, found = write([prompt] * rows, 7, 2, *options)
    drawn = [tuple(row) for row in cut(tokens)]
    assert set(drawn) <= set(exact)
    close(found, [likely[text] for text in drawn])
    common = [text for text in exact if rows * exact[text] >= 5]
    counts = [drawn.count(text) for text in common]
    expected = [rows * exact[text] for text in common]
    assert len(common) > 4
    if len(common) < len(exact):
        counts, expected = [*counts, rows - sum(counts)], [*expected, rows - sum(expected)]
    assert chisquare(counts, expected).pvalue > 1e-3


def test_log_probability_is_the_score_of_the_text(models, write, monkeypatch):
    monkeypatch.setattr(scoring, "SEGMENT", 10)
    prompts = PROMPTS * 500
    tokens, found = write(prompts, 3, 6, 2.0)
    written = cut(tokens)
    assert {len(row) for row in written} == set(range(7))
    said = [[*prompt, *row, *[EOS][: 6 - len(row)]] for prompt, row in zip(prompts, written, strict=True)]
    decoder_inputs, targets = shifted(said, 10)
    for row, prompt in zip(targets, prompts, strict=True):
        row[: len(prompt)] = -1
    scores, _ = scoring.score(LanguageModelStepper(models["table"]), tf.constant(decoder_inputs), tf.constant(targets))
    close(found, tf.reduce_sum(scores, 1))


def test_rows_do_not_depend_on_the_rest_of_the_batch(write):
    def beside(prompt, seed=5, length=10):
        return write([*PROMPTS, *[prompt] * 1497], seed, length, 2.0)

    (many, likely), (again, _), (few, alone) = beside([4] * 9), beside([7, 6]), write(PROMPTS, 5, 10, 2.0)
    assert np.array_equal(many[:3], again[:3])
    assert cut(few) == [row[row >= 0].tolist() for row in many[:3]] and few.shape[1] > 4  # more than a block
    close(alone, likely[:3])
    assert (beside([7, 6], seed=6)[0][:, 0] != again[:, 0]).mean() > 0.2
    assert np.array_equal(beside([7, 6], length=3)[0], again[:, :3])
    tokens, none = write(PROMPTS, 5, 0)
    assert tokens.shape == (3, 0) and not none.any()


LETTERS = Tokenizer("space", [*SPECIAL_TOKENS, "a", "b", "c", "d"])
ASSETS = {"tokens": LETTERS}
TASK = LanguageModelling()
SUMS = st.tuples(st.floats(-50, 0), st.integers(0, 9), st.integers(0, 30), st.integers(0, 3))


@given(st.lists(SUMS, min_size=1, max_size=6))
def test_metrics_are_computed_from_sums_over_all_tokens(rows):
    likely, tokens, characters, unknown = (sum(column) for column in zip(*rows, strict=True))
    figures = TASK.compute_metrics(ASSETS, np.zeros(len(rows)), np.array(rows, "float64"))
    nll = -likely / max(tokens, 1)
    assert figures == pytest.approx(
        {
            "nll": nll,
            "perplexity": math.exp(nll),
            "bits_per_character": -likely / max(characters, 1) / math.log(2),
            "tokens": tokens,
            "unknown_rate": unknown / max(tokens, 1),
        }
    )
    surprises = {i: -row[0] / row[1] for i, row in enumerate(rows) if row[1]}
    assert {i: value for value, i in TASK.worst_examples(ASSETS, None, np.array(rows))} == pytest.approx(surprises)


def test_answers_hold_each_token_and_rows_their_sums():
    targets = tf.constant([[4, 1, 7, 3], [5, 3, -1, -1]])
    outputs = np.array([[-1.0, -2.0, -0.5, -0.25], [-3.0, -1.0, 0.0, 0.0]], "float32")
    shown_to = TASK.add_decoder_inputs({}, targets)["decoder_inputs"]
    assert shown_to.numpy().tolist() == [[BOS, 4, 1, 7], [BOS, 5, 0, 0]]
    decoded = TASK.decode(ASSETS, tf.constant(outputs), {"targets": targets, "characters": tf.constant([6, 2])})
    rows = [{name: column[i].numpy() for name, column in decoded.items()} for i in range(2)]
    first, second = (TASK.answer(ASSETS, row) for row in rows)
    assert first["tokens"] == [["a", -1.0], [SPECIAL_TOKENS[1], -2.0], ["d", -0.5], [SPECIAL_TOKENS[3], -0.25]]
    assert second["tokens"] == [["b", -3.0], [SPECIAL_TOKENS[3], -1.0]] and second["log_probability"] == -4
    assert first["perplexity"] == pytest.approx(math.exp(3.75 / 4))
    assert second["bits_per_character"] == pytest.approx(2 / math.log(2))
    assert TASK.outputs(ASSETS, decoded).tolist() == [[-3.75, 4, 6, 1], [-4, 2, 2, 0]]


@given(DOCUMENTS, st.booleans())
def test_baseline_joins_documents_from_pieces(documents, ended):
    train = [Example("a b a b b", "", 0), Example("c a", "end", 1), Example("b a b", "end", 2)]
    model = NGrams(2, len(LETTERS)).fit([[4, 5, 4, 5, 5, 6, 4, EOS], [5, 4, 5, EOS]])
    words = dict(zip(range(4, TOKENS), ("a", "b", "c", "e"), strict=True))  # e is unknown
    source, pieces = texts(documents, ended)
    examples = [example._replace(input=" ".join(words[ord(c)] for c in example.input)) for example in source]
    numbers = [[1 if n == 7 else n for n in piece] for piece in pieces]
    expected, before = [], []
    for piece, example in zip(numbers, examples, strict=True):
        (scores,) = model.score([piece], [before])
        expected.append([scores.sum(), len(piece), len(example.input) + piece.count(EOS), piece.count(1)])
        before = [] if example.target == "end" else before + piece
    guess = TASK.baseline(ASSETS, partial(NGrams, 2), train)
    np.testing.assert_allclose(guess(examples), expected, atol=1e-9)
    turned = [list(mirrored(rows)) for rows in (train, examples)]
    forward = TASK.baseline(ASSETS, partial(NGrams, 2), turned[0])(turned[1])
    backward = LanguageModelling(backward=True).baseline(ASSETS, partial(NGrams, 2), train)(examples)
    np.testing.assert_allclose(backward, forward[::-1], atol=1e-9)
