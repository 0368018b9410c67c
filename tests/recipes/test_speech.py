"""Speech: streams against the whole recording, augmentation against NumPy, a language model in the search."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from seqtasks.recipes import speech

from seqtasks import models
from seqtasks.budget import with_batch_size, with_length
from seqtasks.data.token_ids import SPECIAL_TOKENS as SPECIAL
from seqtasks.errors import UserError
from seqtasks.layers import ReversibleEmbedding
from seqtasks.ops import ctc
from seqtasks.speech import fusion
from seqtasks.speech.augmentation import augment, change_speed
from seqtasks.speech.baselines import SpectrumClassifier
from seqtasks.speech.streaming import StreamingTranscriber, WordAssembler
from seqtasks.speech.task import Transcription, character_vocabulary
from seqtasks.text.tokenizer import Tokenizer

ASSETS = {"characters": character_vocabulary(["ab c"])}


def build(**options):
    config = {"sample_rate": 8000, "mels": 20, "units": 6, "layers": 2, "bidirectional": False, "filters": 4}
    return speech.build(speech.Config(**(config | options)), ASSETS)


@pytest.fixture(scope="module", params=["convolution", "none"])
def one_directional(request):
    """A model with weights so large that it says something: on a stream, and on a whole recording."""
    keras.utils.set_random_seed(1)
    options = {"convolution": {"width": 7, "stride": 3}, "none": {"filters": 0, "cell": "gru", "residual": True}}
    model = build(**options[request.param])
    for weight in model.trainable_variables:
        weight.assign(weight * 4)

    @tf.function(input_signature=[tf.TensorSpec([None, None])])  # of a batch of unknown size: compiled for no length
    def whole(sound):
        logits = model({"waveforms": sound, "samples": tf.shape(sound)[1:]})
        return logits[0], Transcription(0.02).decode(ASSETS, logits, {})

    return StreamingTranscriber(model), whole


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_a_stream_gives_the_words_of_the_whole_recording(one_directional, seed, cuts):
    transcriber, whole = one_directional
    rng = np.random.default_rng(seed)
    sound = (rng.normal(size=sum(cuts)) * np.repeat(10 ** rng.uniform(-4, 0, len(cuts)), cuts)).astype("float32")
    expected, decoded = whole(sound[None])
    words = WordAssembler(ASSETS["characters"].tokens, seconds=0.02)
    transcriber.reset()
    outputs = [transcriber.process(chunk) for chunk in np.split(sound, np.cumsum(cuts)[:-1])] + [transcriber.end()]
    np.testing.assert_allclose(np.concatenate(outputs), expected, atol=1e-5, rtol=1e-4)
    streamed = [word for logits in outputs for word in words.process(logits)] + words.end()
    answer = Transcription(0.02).answer(ASSETS, {name: value.numpy()[0] for name, value in decoded.items()})
    assert [word["word"] for word in streamed] == [word["word"] for word in answer["words"]]
    for one, other in zip(streamed, answer["words"], strict=True):
        assert (one["start"], one["end"]) == (other["start"], other["end"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-3)


def test_a_word_is_complete_at_the_following_space():
    classes = [2, 0, 2, 3, 1, 1, 4, 0]  # a - a b space space c -
    words, logits = WordAssembler(ASSETS["characters"].tokens, 0.1), 9 * np.eye(5)[classes]
    found = [[word["word"] for word in words.process(logits[i : i + 1])] for i in range(8)]
    assert found == [[], [], [], [], ["aab"], [], [], []]
    assert [word["word"] for word in words.end()] == ["c"]


def test_bidirectional_models_cannot_stream():
    with pytest.raises(UserError, match="the model is bidirectional; train with --bidirectional false"):
        StreamingTranscriber(build(bidirectional=True))


@given(st.integers(0, 2**32 - 1))
def test_change_speed_matches_numpy_interpolation(seed):
    rng = np.random.default_rng(seed)
    waveform, speed = rng.normal(size=rng.integers(0, 50)).astype("float32"), np.float32(rng.uniform(0.5, 2))
    new = int(np.float32(len(waveform)) / speed)
    places = np.arange(new) * float(speed)
    expected = np.interp(places, np.arange(len(waveform)), waveform) if new else []
    np.testing.assert_allclose(change_speed(tf.constant(waveform), speed), expected, atol=1e-5)


def test_augmentation_depends_on_the_seed_and_keeps_its_bounds(rng):
    rows = tf.RaggedTensor.from_row_lengths(rng.normal(size=60 * 500).astype("float32"), [500] * 60)
    one, other, third = (augment(rows, tf.constant(seed, tf.int64)) for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one.flat_values, other.flat_values)
    assert one.row_lengths().numpy().tolist() != third.row_lengths().numpy().tolist()
    ratios = 500 / one.row_lengths().numpy()
    assert 0.9 <= ratios.min() < 0.93 and 1.07 < ratios.max() <= 1.1 + 500 / 450**2
    noisy = augment(rows, tf.constant([1, 2], tf.int64), speed=0.0, noise=0.5)
    hiss = np.array((noisy - rows).to_list()).std(1) / np.array(rows.to_list()).std(1)
    louder = hiss[hiss > 0]
    assert 15 <= len(louder) <= 45
    assert 10 ** (-42 / 20) < louder.min() < louder.max() < 10 ** (-9 / 20)
    np.testing.assert_array_equal(augment(rows, tf.constant([1, 2], tf.int64), 0.0, 0.0).flat_values, rows.flat_values)


class Opened:
    """What shallow fusion needs of an open run."""

    directory = Path("runs/x")

    def __init__(self, model, assets):
        self.model, self.assets = model, assets


@pytest.fixture
def language_model(monkeypatch):
    """A run of a language model of characters that knows no c, and the log-likelihoods of texts."""
    keras.utils.set_random_seed(0)
    tokenizer = Tokenizer("character", [*SPECIAL, "b", " ", "a"])
    previous, following = (keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets"))
    tokens = ReversibleEmbedding(7, 5)
    head = lambda vectors, following: tokens(vectors, reverse=True, targets=following)  # noqa: E731
    model = models.language_model(previous, tokens(previous), following, head, units=5, layers=2)
    for weight in model.trainable_variables:
        weight.assign(weight * 3)
    run = Opened(model, {"tokens": tokenizer})
    monkeypatch.setattr(speech, "language_model_run", lambda path: run)

    def likelihoods(texts):
        following = tokenizer.encode(tf.constant(texts)).to_tensor(-1)
        previous = tf.pad(tf.maximum(following, 0), [[0, 0], [1, 0]], constant_values=2)[:, :-1]
        return tf.reduce_sum(model({"decoder_inputs": previous, "targets": following}), 1).numpy().tolist()

    return likelihoods


def every_text(logits):
    """{text: log-probability} of one row, by enumeration."""
    names, found = ASSETS["characters"].tokens, {}
    rows = logits - np.logaddexp.reduce(logits, -1, keepdims=True)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        text = "".join(names[n] for n, _ in itertools.groupby(path))
        log_prob = sum(row[n] for row, n in zip(rows, path, strict=True))
        found[text] = np.logaddexp(found.get(text, -np.inf), log_prob)
    return found


def test_the_language_model_is_part_of_the_search_and_of_the_export(language_model, rng, tmp_path, caplog):
    logits = rng.normal(size=(3, 4, 5)).astype("float32")
    config = speech.Config(beam_width=400, language_model="lm", language_weight=0.7, length_bonus=0.3)

    class Served(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 5])])
        def texts(self, logits):
            return {"text": self.decode(logits)["text"]}

    served, task = Served(), speech.RECIPE.task(config)
    served.decode = lambda logits: task.decode(ASSETS, logits, {})
    served.tables = ASSETS["characters"].tables
    tf.saved_model.save(served, str(tmp_path / "served"), signatures=served.texts)
    assert "does not know the characters 'c'" in caplog.text
    found = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"](logits=tf.constant(logits))
    for row, text in zip(logits, found["text"].numpy(), strict=True):
        heard = every_text(row)
        scores = (
            np.array([*heard.values()]) + 0.7 * np.array(language_model([*heard])) + 0.3 * np.array([*map(len, heard)])
        )
        assert text.decode() == " ".join([*heard][scores.argmax()].split())


@pytest.mark.parametrize(
    "assets", [{}, {"tokens": Tokenizer("word", SPECIAL)}, {"tokens": Tokenizer("character", SPECIAL)}]
)
def test_other_runs_cannot_be_used_for_fusion(assets):
    features = keras.Input((3,), name="features")
    model = keras.Model(features, keras.layers.Dense(1)(features))
    with pytest.raises(UserError, match=r"runs/x: not a character language model; train one with"):
        fusion.fusion(Opened(model, assets), ASSETS["characters"], 1)


def test_a_run_that_reads_from_the_end_cannot_be_used_for_fusion(language_model):
    run = speech.language_model_run("lm")
    run.config = SimpleNamespace(direction="backward")
    with pytest.raises(UserError, match=r"runs/x: reads a text from its end, .* train one forward, with `--direction"):
        fusion.fusion(run, ASSETS["characters"], 1)


def test_a_language_model_is_opened_once(monkeypatch):
    opened = []
    monkeypatch.setattr(speech.st, "load_run", lambda path: opened.append(path) or Opened(None, {}))
    assert speech.language_model_run("runs/once") is speech.language_model_run("runs/once")
    assert opened == ["runs/once"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 6}, "--stride: it would skip frames, the width is 5"),
        ({"mels": 400}, "--mels: 400 bands are too many at 8000 samples a second; take fewer"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(UserError, match=message):
        build(**options)


def test_a_language_model_needs_a_beam():
    with pytest.raises(UserError, match="--language_model: there is no beam; add --beam_width 16"):
        speech.task(speech.Config(language_model="runs/lm"))


@given(st.text("ab", max_size=9), st.integers(1, 3000), st.sampled_from([1, 2]))
def test_a_text_fits_if_an_alignment_exists(text, samples, stride):
    config = speech.Config(sample_rate=8000, stride=stride)
    frames = -(-max(1, 1 + (samples - 200) // 80) // stride)
    labels = tf.ragged.constant([[1 + "ab".index(c) for c in text]], dtype=tf.int32).to_tensor(-1)
    possible = bool(ctc.feasible([frames], labels)[0])
    assert possible == (float(ctc.log_likelihood(tf.zeros((1, frames, 3)), labels)[0]) > ctc.FORBIDDEN)
    if possible:
        speech.check(config, text, np.zeros(samples))
    else:
        with pytest.raises(UserError, match=f"too few for {len(text)} characters"):
            speech.check(config, text, np.zeros(samples))


def test_the_baseline_classifies_or_predicts_the_most_frequent_text(rng):
    tones = {f"{pitch:.3f}": "high" if pitch > 0.5 else "low" for pitch in rng.uniform(0.05, 1.5, 40)}
    read = lambda path: np.sin(np.arange(800) * float(path))  # noqa: E731
    spectrum = lambda x: np.log(np.abs(np.fft.rfft(x.reshape(-1, 80))) + 1e-3)  # noqa: E731
    model = SpectrumClassifier(read, spectrum).fit(list(tones), list(tones.values()))
    inputs = [f"{pitch:.3f}" for pitch in (0.1, 0.2, 0.9, 1.3)]
    assert model.predict(inputs) == ["low", "low", "high", "high"]
    usual = SpectrumClassifier(None, None).fit(list("abcd"), ["one", "two", "two", "three"])
    assert usual.predict(inputs) == ["two"] * 4


@pytest.mark.parametrize(
    ("train", "validation", "least"),
    [(8, 1, 300), (36, 4, 600), (90, 10, 600), (300, 30, 600), (2400, 300, 3000)],
)
def test_few_recordings_get_the_steps_that_ctc_needs_to_begin(train, validation, least):
    budget = speech.RECIPE.budget(speech.Config())
    config = with_batch_size(speech.Config(), budget, train)
    steps = -(-train // config.batch_size)
    config = with_length(config, budget, steps, train, validation)
    assert config.epochs * steps >= least
    assert config.patience * config.evaluate_every * steps >= 0.25 * least
    assert config.epochs == 40 or train < 90
