"""The translation recipe: fit, answers, reload, fine-tuning, export in a clean process, devices, bad input."""

import dataclasses
import json
import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.cli.main import main
from seqtasks.data.batches import pad
from seqtasks.errors import UserError

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = dict(zip("0123456789", NAMES, strict=True))
SMALL = {"vocabulary": "word", "units": 32, "dimension": 16, "batch_size": 16, "min_count": 1, "learning_rate": 1e-2}
SMALL |= {"gradient_flow": False}
pytestmark = pytest.mark.usefixtures("opened_once")
TEXTS = ["seven two two", "", "nine", "zero one two three five eight nine", "  ", "four elephants one"]


def pairs(count, seed, turned=False):
    """Digits in words, and the digits, from the last to the first if `turned`."""
    draw = random.Random(seed)
    digits = ["".join(draw.choices("0123456789", k=draw.randint(1, 7))) for _ in range(count)]
    return [(" ".join(WORDS[d] for d in one), " ".join(reversed(one) if turned else one)) for one in digits]


def write(folder, **splits):
    folder.mkdir(exist_ok=True)
    for name, rows in splits.items():
        for side, language in enumerate(("words", "digits")):
            text = "".join(f"{row[side]}\n" for row in rows)
            (folder / f"{name}.{language[:2]}").write_text(text, "utf-8")
    return folder


LANGUAGES = {"source_language": "wo", "target_language": "di"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return write(folder, train=pairs(900, 0), valid=pairs(32, 1), test=pairs(50, 2))


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    return write(folder, train=pairs(200, 6), valid=pairs(16, 7), test=pairs(16, 8))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "digits"
    return seqtasks.train("translation", data=corpus, run=directory, epochs=7, **SMALL, **LANGUAGES)


def test_it_learns_to_write_what_it_reads(run):
    test = run.metrics["test"]
    assert test["exact_match"] >= 0.9 and test["bleu"] >= 90 and test["chrf"] >= 90
    assert test["bleu_signature"].startswith("nrefs:1|case:mixed")
    low, high = test["bleu_interval"]
    assert low <= test["bleu"] <= high
    assert test["bleu"] > run.metrics["baselines"]["translation_memory"]["bleu"]
    assert seqtasks.load_run(run.directory).evaluate()["bleu"] == pytest.approx(test["bleu"])


def test_an_empty_line_has_an_empty_translation_and_order_is_kept(run):
    answers = run.predict(TEXTS)
    assert [a["translation"] for a in answers[:5]] == ["7 2 2", "", "9", "0 1 2 3 5 8 9", ""]
    assert all(answer["score"] <= 0 for answer in answers)


def test_neighbours_padding_and_order_never_change_a_translation(run):
    together = run.predict(TEXTS * 20)
    turned = run.predict(TEXTS[::-1])[::-1]
    for i, text in enumerate(TEXTS):
        (alone,) = run.predict([text])
        for other in (together[i], together[i + 6 * 19], turned[i]):
            assert other["translation"] == alone["translation"]
            assert other["score"] == pytest.approx(alone["score"], abs=1e-4)
    features = run.predictor.encode(tf.constant(["seven two two"]))
    padded = {"source": tf.pad(features["source"].to_tensor(), [[0, 0], [0, 9]])}
    found = [run.predictor.decode(f) for f in (padded, {"source": pad(features["source"], 1)})]
    assert found[0]["translation"].numpy().tolist() == found[1]["translation"].numpy().tolist() == [b"7 2 2"]
    np.testing.assert_allclose(found[0]["score"], found[1]["score"], atol=1e-4)


def test_the_score_is_what_the_model_gives_the_translation(run):
    """The answer forced through the model that trains, with the penalty of the length undone."""
    for text in ("seven two two", "nine", "four four four one zero"):
        (answer,) = run.predict([text])
        source = pad(run.predictor.encode(tf.constant([text]))["source"], 1)
        targets = pad(run.predictor.task.encode_target(run.assets, tf.constant([answer["translation"]])), 1)
        features = run.predictor.task.add_decoder_inputs({"source": source}, targets)
        logits = run.model({"source": features["source"], "decoder_inputs": features["decoder_inputs"]}).numpy()[0]
        each = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total = each[np.arange(len(each)), targets.numpy()[0]].sum()
        assert answer["score"] == pytest.approx(total / ((5 + len(each)) / 6) ** run.config.length_penalty, abs=1e-4)


def test_hypotheses_can_be_told_anew(run, capsys):
    several = run.with_options(n_best=3, beam_width=4).predict(["seven two two", ""])
    assert several[0]["translation"] == "7 2 2" and len(several[0]["alternatives"]) == 2
    scores = [several[0]["score"], *(a["score"] for a in several[0]["alternatives"])]
    assert scores == sorted(scores, reverse=True)
    assert several[1] == {"translation": "", "score": 0.0, "alternatives": []}
    assert main(["predict", str(run.directory), "--beam-width", "1", "nine"]) == 0
    assert json.loads(capsys.readouterr().out)["translation"] == "9"
    assert main(["predict", str(run.directory), "--beam_width", "1", "--n_best", "2", "nine"]) == 2
    assert "n_best" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"--window: cannot be changed on a run of translation; options that can be"):
        run.with_options(window=3)


SERVE = """
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
out = serve(inputs=tf.constant({texts!r}))
print(json.dumps([[t.decode() for t in out["translation"].numpy().tolist()], out["score"].numpy().tolist()]))
"""


def served(alone, run, directory, texts):
    run.export(directory, check=False)
    return alone(SERVE.format(directory=str(directory), texts=texts))


def test_the_export_translates_alike_where_only_tensorflow_is(run, tmp_path, tensorflow_alone):
    texts, scores = served(tensorflow_alone, run, tmp_path / "served", TEXTS)
    answers = run.predict(TEXTS)
    assert texts == [answer["translation"] for answer in answers]
    np.testing.assert_allclose(scores, [answer["score"] for answer in answers], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"vocabulary": "character", "attention": "additive", "coverage": True, "coverage_penalty": 0.2, "cell": "gru"},
        {"vocabulary": "unigram", "vocabulary_size": 60},
        {"attention": "none", "decoder_layers": 2, "layers": 2},
        {"attention": "dot", "input_feeding": False, "scheduled_sampling": 0.5, "recurrent_dropout": 0.1},
    ],
)
def test_every_vocabulary_and_decoder_trains_reloads_and_exports(fields, few, tmp_path, tensorflow_alone):
    options = SMALL | LANGUAGES | {"epochs": 2, "patience": 0} | fields
    made = seqtasks.train("translation", data=few, run=tmp_path / "run", **options)
    loss = [float(line.split(",")[2]) for line in (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]]
    assert loss[1] < loss[0]
    loaded, answers = seqtasks.load_run(made.directory), made.predict(TEXTS)
    assert loaded.predict(TEXTS) == answers
    texts, scores = served(tensorflow_alone, loaded, tmp_path / "served", TEXTS)
    assert texts == [answer["translation"] for answer in answers]
    np.testing.assert_allclose(scores, [answer["score"] for answer in answers], atol=1e-4)


@pytest.mark.slow
def test_finetuning_changes_what_is_written(run, tmp_path):
    """The same words, written from the last digit to the first."""
    turned = write(tmp_path / "more", train=pairs(900, 3, True), valid=pairs(60, 4, True), test=pairs(60, 5, True))
    before = run.evaluate(turned)["exact_match"]
    new = seqtasks.finetune(run, data=turned, new=tmp_path / "new", epochs=10, learning_rate=1e-2)
    assert before < 0.4 and new.metrics["test"]["exact_match"] > before + 0.3
    assert new.assets["target"].tokens == run.assets["target"].tokens


@pytest.mark.slow
def test_two_devices_train_to_the_weights_of_one(few, tmp_path):
    still = {"embedding_dropout": 0.0, "output_dropout": 0.0, "epochs": 1, "clip_norm": 0.1}
    for name in ("cpu", "mirrored"):
        seqtasks.train("translation", data=few, run=tmp_path / name, strategy=name, **SMALL | LANGUAGES | still)
    one, two = (seqtasks.load_run(tmp_path / name).model.get_weights() for name in ("cpu", "mirrored"))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.slow
def test_a_stopped_run_ends_with_the_weights_it_would_have_had(few, tmp_path):
    fields = SMALL | LANGUAGES | {"epochs": 2, "patience": 0, "scheduled_sampling": 0.3}
    whole = seqtasks.train("translation", data=few, run=tmp_path / "whole", **fields)
    code = (
        "import os, signal, seqtasks, keras\n"
        "from seqtasks.engine import loop\n"
        "end = loop._Watch.on_train_batch_end\n"
        "def kill(self, batch, logs=None):\n"
        "    end(self, batch, logs)\n"
        "    if self.loop.state['epoch'] == 1 and self.loop.state['step'] == 11: os.kill(os.getpid(), signal.SIGKILL)\n"
        "loop._Watch.on_train_batch_end = kill\n"
        f"seqtasks.train('translation', data={str(few)!r}, run={str(tmp_path / 'cut')!r}, checkpoint_steps=10,"
        f"               **{fields!r})"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ)
    assert killed.returncode == -9
    resumed = seqtasks.train("translation", run=tmp_path / "cut", resume=True)
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_report_shows_translations_and_where_they_looked(run):
    page = (run.directory / "report.html").read_text("utf-8")
    assert "<h2>Translations</h2>" in page
    assert page.count("Attention of each target token") == 12
    assert page.count("<small>source</small>") == 12 and "&lt;small" not in page


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train.di": "1\n"}, r"train.wo: 2 lines, but 1 in train.di; "),
        ({"train.di": "  \n\n"}, r"train.wo: no examples for the train split"),
        ({"train.wo": b"one\nt\xffo\n"}, r"train.wo:2: not UTF-8 \(byte 0xff at offset 5\)"),
    ],
)
def test_bad_corpora_are_told_in_one_line_and_leave_nothing(change, told, tmp_path, capsys):
    files = {"train.wo": "one\ntwo\n", "train.di": "1\n2\n", "test.wo": "one\ntwo\n", "test.di": "1\n2\n"}
    files |= {"valid.wo": "one\n", "valid.di": "1\n"} | change
    for name, text in files.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    options = ["--source-language", "wo", "--target-language", "di", "--run", str(tmp_path / "run")]
    assert main(["train", "translation", "--data", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(told, error), error
    assert not (tmp_path / "run").exists()


def test_inputs_that_cannot_be_translated_are_told_with_their_place(run, tmp_path, capsys):
    (tmp_path / "in.txt").write_bytes(b"one\n" + b"two " * 400 + b"\n")
    options = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", str(run.directory), *options]) == 2
    assert "in.txt:2: 1600 characters, more than --max_characters 1000; split it" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
    assert main(["predict", str(run.directory), *options, "--max_characters", "2000"]) == 0
    assert main(["predict", str(run.directory), "one", "--output", str(tmp_path / "none" / "out.jsonl")]) == 2
    assert "none: no such folder; make it, or take another --output" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"input 2: not UTF-8 \(byte 0xff at offset 4\)"):
        run.predict([b"one", b"two \xff"])


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.tmx", "in.txt"])
def test_the_source_side_of_a_file_is_translated(name, run, tmp_path, capsys):
    texts = {
        "in.csv": "id;wo\n7;nine\n8;two one\n",
        "in.jsonl": '{"id": 7, "wo": "nine", "di": "9"}\n{"id": 8, "wo": "two one"}\n',
        "in.tmx": "<tmx><body>"
        + "".join(f'<tu><tuv xml:lang="wo"><seg>{text}</seg></tuv></tu>' for text in ("nine", "two one"))
        + "</body></tmx>",
        "in.txt": "nine\ntwo one\n",
    }
    (tmp_path / name).write_text(texts[name], "utf-8")
    carry = ["--carry", "id"] if name in ("in.csv", "in.jsonl") else []
    assert main(["predict", str(run.directory), "--input", str(tmp_path / name), *carry]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["translation"] for answer in answers] == ["9", "2 1"]
    assert [str(answer.get("id")) for answer in answers] == (["7", "8"] if carry else ["None", "None"])


def test_data_in_memory_is_translated_and_measured(run):
    rows = [{"wo": "nine", "di": "9"}, {"wo": "two one", "di": "2 1"}, {"wo": "", "di": "5"}]
    assert [answer["translation"] for answer in run.predict(rows)] == ["9", "2 1", ""]
    figures = run.evaluate(rows)
    assert figures["examples"] == 3 and figures["exact_match"] == pytest.approx(2 / 3)  # an empty source counts
    other = run.with_options(bleu_tokenize="char").evaluate(rows)
    assert "tok:char" in other["bleu_signature"] and "tok:13a" in figures["bleu_signature"]


def test_empty_lines_are_left_out_of_train_and_counted(tmp_path):
    rows = pairs(100, 3)
    for number in (5, 50, 95):
        rows[number] = ("" if number == 50 else rows[number][0], "" if number != 50 else rows[number][1])
    corpus = write(tmp_path / "corpus", train=rows, valid=rows, test=rows)
    with pytest.warns(UserWarning, match="3 of 100 pairs left out: 3 with an empty side"):
        counts = seqtasks.train("translation", data=corpus, dry_run=True, **SMALL | LANGUAGES)["data"]
    assert [counts[name]["examples"] for name in ("train", "validation", "test")] == [97, 100, 100]


def test_two_files_of_free_names_on_the_command_line(few, tmp_path, capsys):
    for split in ("train", "valid", "test"):
        for side, name in (("wo", "a"), ("di", "b")):
            (tmp_path / f"{name}.{split}.text").write_bytes((few / f"{split}.{side}").read_bytes())
    named = [
        word for s in ("train", "valid", "test") for word in (f"--{s}", f"{tmp_path}/a.{s}.text,{tmp_path}/b.{s}.text")
    ]
    options = ["--vocabulary", "word", "--run", str(tmp_path / "run"), "--dry_run"]
    assert main(["train", "translation", *named, *options]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert [data[name]["examples"] for name in ("train", "validation", "test")] == [200, 16, 16]


def test_languages_that_are_not_named_or_not_there_are_told(corpus, tmp_path):
    with pytest.raises(UserError, match="--source_language"):
        seqtasks.train("translation", data=corpus, run=tmp_path / "run")
    with pytest.raises(UserError, match="'fr'|fr"):
        seqtasks.train("translation", data=corpus, run=tmp_path / "run", source_language="wo", target_language="fr")


@pytest.mark.slow
def test_a_figure_of_nothing_is_no_reason_to_keep_the_first_epoch(tmp_path):
    """BLEU counts four tokens in a row, which these sentences have not."""
    short = [(text, digits) for text, digits in pairs(300, 9) if len(digits) == 1]
    corpus = write(tmp_path / "short", train=short, valid=short[:9], test=short[:9])
    made = seqtasks.train("translation", data=corpus, run=tmp_path / "run", epochs=2, **SMALL, **LANGUAGES)
    assert made.metrics["validation"]["bleu"] == 0 and made.metrics["train"]["best_epoch"] == 2


def test_options_that_make_no_sense_are_told(corpus, tmp_path):
    with pytest.raises(UserError, match="--coverage: there is no attention; leave it out"):
        options = SMALL | LANGUAGES | {"attention": "none", "coverage": True}
        seqtasks.train("translation", data=corpus, run=tmp_path / "run", **options)
    with pytest.raises(UserError, match="--metric: unknown metric 'blue'; did you mean 'bleu'?"):
        seqtasks.train("translation", data=corpus, run=tmp_path / "run", dry_run=True, metric="blue", **LANGUAGES)
    with pytest.raises(UserError, match="--label_smoothing"):
        seqtasks.train("translation", data=corpus, run=tmp_path / "run", label_smoothing=1.0, **LANGUAGES)
    with pytest.raises(UserError, match="--n_best: 6 of a beam of 5"):
        seqtasks.train("translation", data=corpus, run=tmp_path / "run", n_best=6, **LANGUAGES)


def test_the_config_of_a_run_is_kept_where_it_is_told_anew(run):
    other = run.with_options(beam_width=2)
    assert other.config == dataclasses.replace(run.config, beam_width=2) and run.config.beam_width == 5
    assert other.model is run.model
