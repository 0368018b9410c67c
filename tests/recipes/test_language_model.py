"""The language model recipe: fit, likelihoods, novel texts, fine-tuning, export in a clean process, bad input."""

import collections
import csv
import json
import logging
import random
import warnings

import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.cells import CELLS
from seqtasks.cli.main import main
from seqtasks.data.sources import Example
from seqtasks.engine import checkpoint, loop
from seqtasks.engine.experiment import Experiment
from seqtasks.errors import UserError
from seqtasks.language import report
from seqtasks.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("opened_once")
BEGIN, END = 2, 3
SMALL = {"cell": "simple_rnn", "units": 32, "dimension": 16, "layers": 1, "batch_size": 8, "learning_rate": 1e-2}
SMALL |= {"embedding_dropout": 0.0, "output_dropout": 0.1, "patience": 0, "gradient_flow": False}
LINES = SMALL | {"document": "line", "epochs": 4}
RUNNING = SMALL | {"vocabulary": "word", "softmax": "adaptive", "bptt_length": 16, "epochs": 3, "checkpoint_steps": 4}
TEXTS = ["mita2", "", "babababa4", "no Zürich", "ta"]


def names(count, seed):
    """Lines of one to four syllables and their number."""
    draw = random.Random(seed)
    several = [draw.choices(["ba", "no", "mi", "ta"], k=draw.randint(1, 4)) for _ in range(count)]
    return "".join(f"{''.join(syllables)}{len(syllables)}\n" for syllables in several)


def prose(count, seed, turned=False):
    """Sentences of three words, of which the first decides the third."""
    draw = random.Random(seed)
    pairs = [(f"N{i}", f"o{i}") for i in range(12)]
    said = [(*draw.choice(pairs), draw.choice(["sees", "likes", "feeds"])) for _ in range(count)]
    rows = [(b, v, a) if turned else (a, v, b) for a, b, v in said]
    return "".join(f"{' '.join(row)}.{' ' if draw.random() < 0.8 else chr(10)}" for row in rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of lines and of running text, for each split."""
    folder = tmp_path_factory.mktemp("data")
    for kind, write, counts in (("lines", names, (500, 60, 60)), ("prose", prose, (400, 40, 95))):
        (folder / kind).mkdir()
        for seed, (split, count) in enumerate(zip(("train", "valid", "test"), counts, strict=True)):
            (folder / kind / f"{split}.txt").write_text(write(count, seed), "utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """`trained(kind, fields)`: a run on the files of a kind, without a report."""

    def train(kind, fields):
        with pytest.MonkeyPatch.context() as patch:
            leave_out_the_report(patch)
            directory = tmp_path_factory.mktemp("runs") / kind
            return seqtasks.train("language_model", data=folder / kind, run=directory, **fields)

    return train


@pytest.fixture(scope="module")
def lines(trained):
    return trained("lines", LINES)


@pytest.fixture(scope="module")
def running(trained):
    return trained("prose", RUNNING)


def leave_out_the_report(patch):
    patch.setattr("seqtasks.language.report.novel_texts", lambda *given: [])
    patch.setattr("seqtasks.engine.run.Run.report", lambda run: None)


def likelihoods(run, numbers):
    """Log-likelihoods of a sequence of numbers, of the model that trains."""
    shown = np.array([[BEGIN, *numbers[:-1]]], "int32")
    return run.model({"decoder_inputs": np.where(shown == END, BEGIN, shown), "targets": np.array([numbers])}).numpy()[
        0
    ]


def entropy(text):
    """Bits that a character takes if each is drawn by its frequency, whatever stands before it."""
    shares = np.array(list(collections.Counter(text).values())) / len(text)
    return -(shares * np.log2(shares)).sum()


@pytest.mark.parametrize(("name", "kind", "share"), [("lines", "lines", 0.6), ("running", "prose", 0.4)])
def test_it_learns_what_comes_next(name, kind, share, folder, request):
    run = request.getfixturevalue(name)
    test = run.metrics["test"]
    assert test["bits_per_character"] < share * entropy((folder / kind / "test.txt").read_text())
    low, high = test["bits_per_character_interval"]
    assert low <= test["bits_per_character"] <= high
    again = run.evaluate()  # of the model that was saved
    for figure in ("bits_per_character", "perplexity", "nll"):
        assert again[figure] == pytest.approx(test[figure], rel=1e-5)
    if name == "lines":
        told = again["generated"]
        assert told["texts"] == 50 and 0 < told["distinct"] <= 1 and 0 <= told["new"] <= 1


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_can_be_taken_and_no_memory_is_kept_open_at_first(cell):
    recipe = load_recipe("language_model")
    config = recipe.Config(cell=cell, units=2, dimension=2, layers=1, document="line", batch_size=4)
    model = recipe.build(config, {"tokens": range(9)})
    bias = next((w.numpy() for w in model.get_layer("recurrent_1").weights if w.path.endswith("/bias")), None)
    if "lstm" in cell:  # the other cells have their own biases
        np.testing.assert_array_equal(bias, 0)


def test_a_score_is_that_of_the_model_forced(lines, running):
    for run, texts, ends in ((lines, TEXTS, [END]), (running, ["N1 sees o1. N2", "", "N1 hates you, o1"], [])):
        for text, answer in zip(texts, run.score(texts), strict=True):
            numbers = run.assets["tokens"].encode(tf.constant([text])).to_list()[0] + ends
            each = likelihoods(run, numbers) if numbers else np.zeros(0)
            assert [token for token, _ in answer["tokens"]] == [run.assets["tokens"].tokens[n] for n in numbers]
            np.testing.assert_allclose([value for _, value in answer["tokens"]], each, atol=1e-4)
            assert answer["log_probability"] == pytest.approx(each.sum(), abs=1e-3)
            assert answer["perplexity"] == pytest.approx(np.exp(-each.mean()) if numbers else 1, rel=1e-4)
            bits = -each.sum() / np.log(2) / max(1, len(text) + len(ends))
            assert answer["bits_per_character"] == pytest.approx(bits, rel=1e-4)


def test_neighbours_padding_and_length_never_change_a_score(lines):
    together = lines.score([*TEXTS, "mita" * 40])
    for text, other in zip(TEXTS, together, strict=False):
        (alone,) = lines.score([text])
        assert alone["log_probability"] == pytest.approx(other["log_probability"], abs=1e-4)
    numbers = [*lines.assets["tokens"].encode(tf.constant(["mita" * 40])).to_list()[0], END]
    assert together[-1]["log_probability"] == pytest.approx(likelihoods(lines, numbers).sum(), rel=1e-4)


def test_the_perplexity_of_lines_is_over_all_tokens(lines, folder):
    scores = lines.score((folder / "lines" / "test.txt").read_text().splitlines())
    total, count = sum(s["log_probability"] for s in scores), sum(len(s["tokens"]) for s in scores)
    test = lines.metrics["test"]
    assert test["perplexity"] == pytest.approx(np.exp(-total / count), rel=1e-5) and test["tokens"] == count
    assert abs(test["perplexity"] - np.mean([s["perplexity"] for s in scores])) > 1e-3


def test_the_perplexity_of_running_text_goes_on_from_piece_to_piece(running, folder):
    text = (folder / "prose" / "test.txt").read_text()
    numbers = [*running.assets["tokens"].encode(tf.constant([text])).to_list()[0], END]
    each, test = likelihoods(running, numbers).astype("float64"), running.metrics["test"]
    assert test["examples"] > 1 and test["tokens"] == len(numbers)
    assert test["perplexity"] == pytest.approx(np.exp(-each.mean()), rel=1e-5)
    assert test["bits_per_character"] == pytest.approx(-each.sum() / np.log(2) / (len(text) + 1), rel=1e-5)


def test_novel_texts_depend_on_their_seed_alone(lines):
    texts = [answer["text"] for answer in lines.generate(num=50, seed=5)]
    assert texts == [answer["text"] for answer in lines.generate(num=50, seed=5)]
    assert texts != [answer["text"] for answer in lines.generate(num=50, seed=6)]
    assert [texts[0]] == [answer["text"] for answer in lines.generate(seed=5)]
    assert len(set(texts)) > 20 and not any("[UNK]" in text or "\n" in text for text in texts)
    right = [text for text in texts if text[-1:] == str(len(text) // 2)]
    assert len(right) >= 15  # the last digit counts the syllables: the end is where a line ends
    assert all(len(answer["text"]) <= 3 for answer in lines.generate(num=50, length=3))


def test_the_probability_told_is_that_of_what_was_drawn(lines):
    for prompt in ("", "ba"):
        for answer in list(lines.generate(prompt, num=50, temperature=0.7, top_k=3))[:5]:
            assert answer["text"].startswith(prompt)
            numbers = [*lines.assets["tokens"].encode(tf.constant([answer["text"]])).to_list()[0], END]
            each = likelihoods(lines, numbers)[len(prompt) :]
            assert answer["log_probability"] == pytest.approx(each.sum(), abs=1e-3)


@pytest.mark.parametrize("prompt", ["", "tami"])
def test_at_temperature_0_each_token_is_the_likeliest(prompt, lines):
    tokens = lines.assets["tokens"].tokens
    numbers, candidates = [tokens.index(c) for c in prompt], np.arange(END, len(tokens))
    while numbers[-1:] != [END]:
        shown = np.tile(np.array([BEGIN, *numbers], "int32"), (len(candidates), 1))
        due = np.concatenate([shown[:, 1:], candidates[:, None]], 1)
        numbers.append(int(candidates[lines.model({"decoder_inputs": shown, "targets": due}).numpy()[:, -1].argmax()]))
    for options in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-6}):
        assert next(lines.generate(prompt, **options))["text"] == "".join(tokens[n] for n in numbers[:-1])


def test_the_command_line_tells_scores_and_steps(lines, capsys, caplog, monkeypatch, tmp_path):
    run = str(lines.directory)
    monkeypatch.setattr("seqtasks.cli.console.open_run", lambda directory: lines if directory == run else None)
    assert main(["score", run, "mita2", ""]) == 0
    out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for answer, expected in zip(out, lines.score(["mita2", ""]), strict=True):
        assert list(answer) == ["log_probability", "perplexity", "bits_per_character", "tokens"]
        assert answer["log_probability"] == pytest.approx(expected["log_probability"], abs=1e-4)
    output = ["--output", str(tmp_path / "out.jsonl")]
    with caplog.at_level(logging.WARNING):
        assert (
            main(["generate", run, "--prompt", "Zoë ba", "--top_logprobs", "2", "--seed", "3", "--top-p=0.9", *output])
            == 0
        )
    assert "parts of the prompt are not in the vocabulary and are read as unknown: ' ', 'Z', 'ë'" in caplog.text
    assert capsys.readouterr().out == ""
    (line,) = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    answer = json.loads(line)
    assert answer["text"] == "Zoë ba" + "".join(step["token"] for step in answer["steps"]).removesuffix("[EOS]")
    chances = [step["probability"] for step in answer["steps"]]
    assert np.log(chances).sum() == pytest.approx(answer["log_probability"], abs=1e-3)
    for step in answer["steps"]:
        (_, first), (_, second) = step["most_probable"]
        assert first >= second and step["probability"] <= first


def test_the_report_shows_novel_texts_from_nothing_and_after_a_true_beginning(lines):
    examples = [Example("ba2", "end", 1), Example("<ba>" * 20, "end", 2)]
    ((title, html),) = report.novel_texts(lines.predictor, examples)
    assert title == "Written by the network"
    assert html.count("<li>") == html.count("temperature") == 4 and html.count("temperature 0.5") == 2
    assert html.count(f"<b>{'&lt;ba&gt;' * 10}</b>") == 2 and "[UNK]" not in html
    assert f">{next(lines.generate(length=400, temperature=1.0))['text']}</p>" in html


def test_a_prompt_in_words_stays_as_it_is(running):
    answer = next(running.generate("N3  hates\tO'Brien, ", seed=1, length=3))
    assert answer["text"].startswith("N3  hates\tO'Brien,") and "[UNK]" not in answer["text"]


SERVE = """
import json, tensorflow as tf
signatures = tf.saved_model.load({directory!r}).signatures
scores = [signatures[name](inputs=tf.constant({texts!r})) for name in ("serving_default", "score")]
options = {{"length": 20, "top_k": 0, "seed": 4, "temperature": 0.8, "top_p": 0.9}}
options = {{n: tf.constant(v, tf.int32 if isinstance(v, int) else tf.float32) for n, v in options.items()}}
found = signatures["generate"](prompts=tf.constant(["ba"]), **options)
told = [[s["log_probability"].numpy().tolist(), s["length"].numpy().tolist()] for s in scores]
print(json.dumps([*told, found["text"].numpy()[0].decode(), float(found["log_probability"][0])]))
"""


def test_the_export_scores_and_writes_alike_where_only_tensorflow_is(lines, tmp_path, tensorflow_alone):
    lines.export(tmp_path / "served", check=False)
    code = SERVE.format(directory=str(tmp_path / "served"), texts=TEXTS)
    served, scored, text, likely = tensorflow_alone(code)
    assert served == scored
    expected = lines.score(TEXTS)
    np.testing.assert_allclose(served[0], [answer["log_probability"] for answer in expected], atol=1e-4)
    assert served[1] == [len(answer["tokens"]) for answer in expected]
    answer = next(lines.generate("ba", length=20, seed=4, temperature=0.8, top_p=0.9))
    assert text == answer["text"] and likely == pytest.approx(answer["log_probability"], abs=1e-4)


def test_a_stopped_run_of_running_text_ends_with_the_weights_it_would_have_had(running, folder, tmp_path, monkeypatch):
    """The state that is carried from batch to batch comes back too."""
    leave_out_the_report(monkeypatch)
    end = loop._Watch.on_train_batch_end

    def stop(self, batch, logs=None):
        end(self, batch, logs)
        if (self.loop.state["epoch"], self.loop.state["step"]) == (1, 10):
            raise ConnectionAbortedError

    with monkeypatch.context() as patch, pytest.raises(ConnectionAbortedError):
        patch.setattr(loop._Watch, "on_train_batch_end", stop)
        seqtasks.train("language_model", data=folder / "prose", run=tmp_path / "cut", **RUNNING)
    resumed = seqtasks.train("language_model", run=tmp_path / "cut", resume=True)
    for a, b in zip(running.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_finetuning_in_other_batches_learns_other_text(running, tmp_path, monkeypatch):
    leave_out_the_report(monkeypatch)
    (tmp_path / "data").mkdir()
    for seed, split in enumerate(("train", "valid", "test")):
        (tmp_path / "data" / f"{split}.txt").write_text(prose(120, seed + 7, turned=True))
    before = running.evaluate(tmp_path / "data")["bits_per_character"]
    fields = {"batch_size": 2, "epochs": 2, "freeze": ["embedding"]}
    new = seqtasks.finetune(running, data=tmp_path / "data", new=tmp_path / "new", **fields)
    assert new.metrics["test"]["bits_per_character"] < 0.85 * before
    assert new.assets["tokens"].tokens == running.assets["tokens"].tokens
    one, other = (run.model.get_layer("embedding").get_weights() for run in (running, new))
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_lines_train_on_two_devices(folder, tmp_path, monkeypatch):
    leave_out_the_report(monkeypatch)
    fields = LINES | {"strategy": "mirrored", "epochs": 2}
    seqtasks.train("language_model", data=folder / "lines", run=tmp_path / "two", **fields)
    first, second = csv.DictReader((tmp_path / "two" / "history.csv").open())
    assert float(second["validation_bits_per_character"]) < float(first["validation_bits_per_character"])


@pytest.mark.slow
def test_running_text_on_two_devices_ends_with_the_weights_of_one_also_when_resumed(folder, tmp_path, monkeypatch):
    """Each device carries the states of its rows, and the checkpoint holds those of all."""
    leave_out_the_report(monkeypatch)
    still = RUNNING | {"output_dropout": 0.0, "epochs": 2}
    one, two = (
        seqtasks.train("language_model", data=folder / "prose", run=tmp_path / name, strategy=name, **still)
        for name in ("cpu", "mirrored")
    )
    carried = checkpoint_of_carried(tmp_path / "mirrored")
    np.testing.assert_allclose(carried, checkpoint_of_carried(tmp_path / "cpu"), atol=1e-5)
    assert carried.shape == (8, 32) and abs(carried).max() > 0.1
    end = loop._Watch.on_train_batch_end

    def stop(self, batch, logs=None):
        end(self, batch, logs)
        if (self.loop.state["epoch"], self.loop.state["step"]) == (1, 5):
            raise ConnectionAbortedError

    with monkeypatch.context() as patch, pytest.raises(ConnectionAbortedError):
        patch.setattr(loop._Watch, "on_train_batch_end", stop)
        seqtasks.train("language_model", data=folder / "prose", run=tmp_path / "cut", strategy="mirrored", **still)
    resumed = seqtasks.train("language_model", run=tmp_path / "cut", resume=True)
    for a, b, c in zip(*(run.model.get_weights() for run in (one, two, resumed)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        np.testing.assert_array_equal(b, c)


def checkpoint_of_carried(run):
    """The states that a run of the options `RUNNING` carried at its end."""
    arrays = checkpoint.load(run / "checkpoints" / "last.npz")[0]
    (found,) = (a for a in arrays if a.shape == (8, 32))
    return found


def mistake(capsys, *arguments):
    """The one line of a command that must fail with status 2 and print no result."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("seqtasks: warning:")]
    assert out == "" and len(lines) == 1, err
    return lines[0].removeprefix("seqtasks: ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "text.txt: the file is empty; give a file with text"),
        (b" \n\t\n", "text.txt: only white space; give a file with text"),
        (b"abc\nd\0e\n", "text.txt:2: a binary file (byte 0x00 at offset 5); give only text files, in UTF-8"),
        (b"abc\ncaf\xe9\n", "text.txt:2: not UTF-8 (byte 0xe9 at offset 7); save the file as UTF-8, or name its"),
        ("abc\n".encode("utf-16-le"), "text.txt:1: a binary file (byte 0x00 at offset 1); give only text files"),
        (b"abc\n", "text.txt: too short to take a split from (1 piece of about 1000 characters); give more text, or"),
    ],
)
def test_bad_files_are_told_in_one_line_and_leave_nothing(content, told, capsys, tmp_path):
    (tmp_path / "text.txt").write_bytes(content)
    data = ("--data", tmp_path / "text.txt", "--run", tmp_path / "run")
    assert mistake(capsys, "train", "language_model", *data).startswith(f"{tmp_path}/{told}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--document", "sentence"], "--document: sentence is not a valid value; known are: file, paragraph, line"),
        (["--bptt_length", "0"], "--bptt_length: 0 is out of range; give a number of at least 1"),
        (["--stateful", "perhaps"], "--stateful: perhaps is not bool or null; see --help"),
        (
            ["--min_count", "100000"],
            "--min_count: no text to learn from; what appears fewer than 100000 times ",
        ),
        (["--metric", "bleu"], "--metric: unknown metric 'bleu'; known are: perplexity, bits_per_character, nll"),
    ],
)
def test_options_that_make_no_sense_are_told(arguments, told, capsys, folder, tmp_path):
    command = ["train", "language_model", "--data", folder / "prose", "--run", tmp_path / "run"]
    assert mistake(capsys, *command, *arguments).startswith(told)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--num", "0"], "--num: 0 is out of range; give a number of at least 1"),
        (["--length", "many"], "--length: many is not int; see --help"),
        (["--top_p", "1.5"], "--top_p: 1.5 is out of range; give a number above 0 and at most 1"),
        (["--temperature", "nan"], "--temperature: nan is not float; see --help"),
        (
            ["--temperature", "1e40"],
            "--temperature: 1e+40 is out of range; give a number of at least 0 and at most 2147483647",
        ),
        (
            ["--top_k", "9999999999"],
            "--top_k: 9999999999 is out of range; give a number of at least 0 and at most 2147483647",
        ),
        (["--seed", "2147483600", "--num", "64"], "--seed: 2147483600 is out of range; give at most 2147483583"),
        (["--promt", "x"], "generate: unknown option --promt; did you mean '--prompt'?"),
    ],
)
def test_what_cannot_be_asked_for_is_told(arguments, told, lines, capsys, tmp_path):
    output = tmp_path / "out.jsonl"
    assert mistake(capsys, "generate", lines.directory, "--output", output, *arguments) == told
    assert list(tmp_path.iterdir()) == []


def test_other_recipes_neither_score_nor_write(capsys, tmp_path):
    for recipe in ("sentiment", "translation"):
        (tmp_path / recipe).mkdir()
        (tmp_path / recipe / "config.yaml").write_text(f"recipe: {recipe}\n")
    told = mistake(capsys, "generate", tmp_path / "sentiment", "--prompt", "x")
    assert told == "generate: not for a run of sentiment; use a run of language_model or music"
    told = mistake(capsys, "score", tmp_path / "translation", "x")
    assert told == "score: not for a run of translation; use a run of language_model or music"


def test_rows_of_a_table_are_scored_and_measured(lines, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("seqtasks.cli.console.open_run", lambda directory: lines)
    (tmp_path / "in.csv").write_text("id;text\n7;mita2\n8;\n", "utf-16")
    assert main(["score", str(lines.directory), "--input", str(tmp_path / "in.csv"), "--carry", "id"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["id"] for answer in answers] == ["7", "8"]
    (expected, _) = lines.score(["mita2", ""])
    assert answers[0]["log_probability"] == pytest.approx(expected["log_probability"], abs=1e-4)
    figures = lines.evaluate(["mita2", "ta1", ""])
    assert figures["examples"] == 2 and figures["tokens"] == len("mita2ta1") + 2


def test_finetuning_on_another_script_learns_its_characters(lines):
    texts = ["яблоко", "груша", "слива"]
    experiment = Experiment(lines.recipe, lines.config, {"train": texts, "valid": texts[:2], "test": ["mita2"]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokens = experiment.prepare(base=lines).assets["tokens"].tokens
    known = lines.assets["tokens"].tokens
    assert tokens[: len(known)] == known and set(tokens[len(known) :]) == set("".join(texts))
    assert not [w for w in caught if "vocabulary" in str(w.message)]


def test_what_is_not_utf_8_is_refused_and_a_prompt_is_read_as_it_can_be(lines):
    with pytest.raises(UserError, match=r"input 1: not UTF-8 \(byte 0xff at offset 2\)"):
        lines.score([b"ba\xff"])
    assert next(lines.generate("ba\udcff", length=1))["text"].startswith("ba\ufffd")
