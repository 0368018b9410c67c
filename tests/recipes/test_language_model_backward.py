"""Language models that read a text from its end, against forward models with the same weights on reversed texts."""

import random

import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.capabilities import Generates
from seqtasks.data.sources import Example
from seqtasks.errors import UserError
from seqtasks.language import report
from tests.untrained import untrained

pytestmark = pytest.mark.usefixtures("opened_once")
SMALL = {"cell": "simple_rnn", "units": 8, "dimension": 8, "layers": 1, "epochs": 1, "batch_size": 4}
SMALL |= {"gradient_flow": False, "patience": 0}
TEXTS = ["mita2", "", "babababa4", "no Zürich", "ta"]
DRAW = {"length": 20, "temperature": 0.9, "seed": 3}


def lines(count, seed):
    draw = random.Random(seed)
    syllables = (draw.choices(["ba", "no", "mi", "ta"], k=draw.randint(1, 4)) for _ in range(count))
    return [f"{''.join(several)}{len(several)}" for several in syllables]


def pair(directory, data, **fields):
    """Two runs with the same random weights and vocabulary, forward and backward, as if they had been trained."""

    def randomise(model):
        rng = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(rng.normal(size=variable.shape, scale=0.5))

    splits = {"train": data, "valid": data, "test": data, "change": randomise}
    return [
        untrained("language_model", directory / direction, **splits, **SMALL | fields | {"direction": direction})
        for direction in ("forward", "backward")
    ]


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    return pair(tmp_path_factory.mktemp("letters"), lines(40, 0), document="line")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    texts = [f"{a}, {b}. {a}" for a, b in zip(lines(40, 0), lines(40, 1), strict=True)]
    return pair(tmp_path_factory.mktemp("words"), texts, document="line", vocabulary="word")


def test_a_text_has_the_score_of_the_reversed_text_and_tokens_in_its_own_order(letters):
    forward, backward = letters
    expected = forward.score([text[::-1] for text in TEXTS])
    for text, one, other in zip(TEXTS, backward.score(TEXTS), expected, strict=True):
        tokens, values = zip(*one.pop("tokens"), strict=True)
        turned = other.pop("tokens")[::-1]
        assert list(tokens) == [token for token, _ in turned] and tokens[0] == "[EOS]"  # where the text begins
        assert "".join(tokens[1:]).replace("[UNK]", "?") == "".join(c if c in "banomita1234" else "?" for c in text)
        np.testing.assert_allclose(values, [value for _, value in turned], atol=1e-5)
        assert one == pytest.approx(other, rel=1e-5)
    assert backward.evaluate(TEXTS)["perplexity"] == pytest.approx(
        forward.evaluate([text[::-1] for text in TEXTS])["perplexity"], rel=1e-5
    )


def test_running_text_of_several_files_is_read_from_the_end_of_the_last_one(tmp_path):
    texts = ["\n".join(lines(400, 0)), "ba", "\n".join(lines(300, 1))]  # in several pieces, in one, in several
    for folder, content in (("given", texts), ("turned", [text[::-1] for text in texts[::-1]])):
        (tmp_path / folder).mkdir()
        for name, text in zip("abc", content, strict=True):
            (tmp_path / folder / f"{name}.txt").write_text(text)
    forward, backward = pair(tmp_path / "runs", lines(40, 0), bptt_length=16)
    one, other = backward.evaluate(tmp_path / "given"), forward.evaluate(tmp_path / "turned")
    assert one["tokens"] == sum(map(len, texts)) + 3 and one["examples"] > 3
    for name in ("tokens", "perplexity", "bits_per_character"):
        assert one[name] == pytest.approx(other[name], rel=1e-5)


@pytest.mark.parametrize("prompt", ["mi2"])
def test_what_is_drawn_from_the_end_is_put_in_order_before_its_prompt(prompt, letters):
    forward, backward = letters
    for one, other in zip(
        backward.generate(prompt, num=3, top_logprobs=2, **DRAW),
        forward.generate(prompt[::-1], num=3, top_logprobs=2, **DRAW),
        strict=True,
    ):
        assert one["text"] == other["text"][::-1] and one["text"].endswith(prompt)
        assert one["log_probability"] == pytest.approx(other["log_probability"], rel=1e-5)
        drawn = [step["token"] for step in one["steps"]]
        assert drawn == [step["token"] for step in other["steps"]][::-1]
        assert one["text"] == "".join(drawn).removeprefix("[EOS]") + prompt
        chances = [step["probability"] for step in one["steps"]]
        assert np.log(chances).sum() == pytest.approx(one["log_probability"], abs=1e-3)


def test_an_export_writes_and_scores_as_the_run_does(letters):
    _, backward = letters
    (generates,) = (c for c in backward.recipe.capabilities if isinstance(c, Generates))
    write = generates.signatures(backward.predictor, None)["generate"]
    options = {"top_k": 0, "top_p": 1.0} | DRAW
    options = {n: tf.constant(v, tf.int32 if isinstance(v, int) else tf.float32) for n, v in options.items()}
    found = write(prompts=tf.constant(["mi2", "4"]), **options)
    first, second = (text.decode() for text in found["text"].numpy())
    assert first == next(backward.generate("mi2", **DRAW))["text"] and second.endswith("4")
    assert [text.decode() for text in found["written"].numpy()] == [first.removesuffix("mi2"), second[:-1]]
    tokens = backward.assets["tokens"].decode(found["tokens"]).numpy()
    assert tokens.tolist() == found["written"].numpy().tolist()


def test_a_prompt_in_words_ends_the_text(words):
    _, backward = words
    for answer in backward.generate("  mi1,  ba1 ", num=4, length=6, seed=1):
        assert answer["text"].endswith("mi1,  ba1 ") and "[UNK]" not in answer["text"]
        before = answer["text"].removesuffix("mi1,  ba1 ")
        assert before == "" or before[-1] == " "


def test_the_report_marks_the_end_of_a_text_as_the_prompt(letters):
    _, backward = letters
    ((_, html),) = report.novel_texts(backward.predictor, [Example("<ba>" * 20, "end", 1)], backward=True)
    assert html.count("<li>") == 4 and html.count(f"<b>{'&lt;ba&gt;' * 10}</b></p>") == 2


def test_finetuning_keeps_the_direction(letters, tmp_path):
    told = "--direction backward: the run was trained with forward, and its weights mean nothing with another value; "
    with pytest.raises(UserError, match=told):
        seqtasks.finetune(letters[0], data=lines(40, 0), new=tmp_path / "new", direction="backward")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_it_is_trained_measured_and_compared_from_the_end(tmp_path):
    fields = SMALL | {"document": "line", "units": 32, "epochs": 4, "learning_rate": 1e-2, "output_dropout": 0.0}
    data = {"train": lines(300, 0), "valid": lines(50, 1), "test": lines(60, 2)}
    run = seqtasks.train("language_model", data=data, run=tmp_path / "run", direction="backward", **fields)
    figures = run.metrics["test"]
    assert (
        run.config.direction == "backward" and "Written by the network" in (run.directory / "report.html").read_text()
    )
    assert figures["perplexity"] < 3  # the number of syllables is known before they are read
    turned = {split: [text[::-1] for text in texts] for split, texts in data.items()}
    forward = seqtasks.train("language_model", data=turned, run=tmp_path / "turned", **fields | {"epochs": 1})
    one, other = (r.metrics["baselines"]["n_grams"]["perplexity"] for r in (run, forward))
    assert one == pytest.approx(other, rel=1e-6)
