"""The engine through its Python twin: training, resuming after a kill, fine-tuning, exporting."""

import csv
import dataclasses
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import seqtasks
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.recipe import load_recipe
from tests.reviews import SMALL, write_reviews


@pytest.fixture(autouse=True, scope="module")
def no_report():
    """Only `run` has a report, which the others do not need."""
    real = Run.report
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", lambda run: None)
        yield real


@pytest.fixture(scope="module")
def run(reviews, tmp_path_factory, no_report):
    fields = SMALL | {"epochs": 6, "learning_rate": 1e-2, "gradient_flow": True, "affixes": 64}
    fields |= {"ngrams": 2, "ngram_buckets": 1024}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "report", no_report)
        return seqtasks.train("sentiment", data=reviews, run=tmp_path_factory.mktemp("runs") / "run", **fields)


def history(directory):
    return list(csv.DictReader((directory / "history.csv").read_text().splitlines()))


def weights(directory):
    return seqtasks.load_run(directory).model.get_weights()


def assert_equal_weights(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_is_complete(run):
    names = {path.name for path in run.directory.iterdir()}
    expected = {"config.yaml", "model.keras", "encoder", "metrics.json", "history.csv", "logs", "checkpoints"}
    expected |= {"manifest.json"}
    assert names == expected | {"report.html", "environment.json", "mistakes.json", "gradient_flow.csv"}
    metrics = run.metrics
    low, high = metrics["test"]["accuracy_interval"]
    assert low <= metrics["test"]["accuracy"] <= high
    assert set(metrics["baselines"]) == {"majority", "tfidf_logistic_regression"}
    test, majority = metrics["test"], metrics["baselines"]["majority"]
    counts = np.array(test["confusion"])
    assert test["accuracy"] == pytest.approx(np.trace(counts) / counts.sum())
    assert majority["difference"] == pytest.approx(test["accuracy"] - majority["accuracy"])
    flow = list(csv.DictReader((run.directory / "gradient_flow.csv").open()))
    assert list(flow[0]) == ["step", "recurrent_1"] and float(flow[0]["recurrent_1"]) > 0
    rows = history(run.directory)
    assert [row["epoch"] for row in rows] == [str(i + 1) for i in range(metrics["train"]["epochs"])]
    values = [float(row["validation_accuracy"]) for row in rows]
    kept = [i for i, value in enumerate(values) if value == max(values)]  # of epochs without an error the last
    assert metrics["train"]["best_epoch"] == 1 + (kept[-1] if max(values) == 1 else kept[0])
    assert metrics["validation"]["accuracy"] == pytest.approx(max(values))


def test_it_learns_what_words_tell(run):
    assert run.metrics["test"]["accuracy"] >= 0.9
    assert [a["label"] for a in run.predict(["wonderful , a fine film", "boring , a dull film"])] == ["good", "bad"]


def test_evaluate_again_gives_the_figures_of_training(run):
    assert run.evaluate()["accuracy"] == run.metrics["test"]["accuracy"]
    assert run.evaluate()["log_loss"] == pytest.approx(run.metrics["test"]["log_loss"], rel=1e-5)


def test_answers_do_not_depend_on_their_neighbours(run):
    texts = ["a fine film", "", "boring " * 100, "I hated it", "非常好"]
    together = run.predict(texts)
    for text, answer in zip(texts, together, strict=True):
        (alone,) = run.predict([text])
        assert alone["label"] == answer["label"]
        np.testing.assert_allclose(list(alone["scores"].values()), list(answer["scores"].values()), atol=1e-5)


def test_an_answer_says_when_its_input_was_cut(run):
    short, long = run.predict(["word " * 256, "word " * 257])
    assert "truncated" not in short
    assert long["truncated"] is True


@pytest.mark.slow
@pytest.mark.slow
def test_a_run_of_another_seed_has_other_weights(reviews, small_run, tmp_path):
    """That of equal seeds they are equal, the tests of resuming and of large data show."""
    other = seqtasks.train("sentiment", data=reviews, run=tmp_path / "run", seed=3, **SMALL).directory
    assert any((a != b).any() for a, b in zip(weights(other), weights(small_run.directory), strict=True))


KILLED = """
import os, signal, sys
import keras, seqtasks
from seqtasks.engine import loop

steps = 0
before = loop._Watch.on_train_batch_end
def kill(self, batch, logs=None):
    global steps
    before(self, batch, logs)
    steps += 1
    if steps == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
loop._Watch.on_train_batch_end = kill
seqtasks.train("sentiment", data={data!r}, run={run!r}, resume="auto", **{fields!r})
"""


@pytest.mark.parametrize("step", [4, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 13, 17))])
def test_a_killed_run_resumes_to_the_same_weights(step, reviews, small_run, tmp_path):
    whole = small_run.directory
    steps = -(-seqtasks.load_run(whole).metrics["train"]["examples"] // SMALL["batch_size"])
    assert steps < 13 < 17 < 2 * steps  # two of the kills fall into the second epoch
    killed = tmp_path / "killed"
    code = KILLED.format(step=step, data=str(reviews), run=str(killed), fields=SMALL)
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -signal.SIGKILL
    assert not (killed / "metrics.json").exists()
    given = SMALL | {"patience": "auto"}  # the number that followed from it stays
    resumed = seqtasks.train("sentiment", data=reviews, run=killed, resume="auto", **given)
    assert_equal_weights(whole, killed)
    assert list((killed / "checkpoints").iterdir()) == []
    assert resumed.metrics["test"]["log_loss"] == seqtasks.load_run(whole).metrics["test"]["log_loss"]
    losses = [[row["loss"] for row in history(directory)] for directory in (whole, killed)]
    assert losses[0] == losses[1]


def test_a_time_limit_stops_cleanly_and_resume_refuses_other_options_and_other_data(tmp_path):
    data, directory = write_reviews(tmp_path / "own.csv", 60), tmp_path / "stopped"
    given = SMALL | {"time_limit": 0.0, "checkpoint_keep": True}
    stopped = seqtasks.train("sentiment", data=data, run=directory, **given)
    assert stopped.metrics["train"]["stopped"] == "time_limit"
    assert stopped.metrics["train"]["epochs"] == 1
    assert not (directory / "gradient_flow.csv").exists()
    (directory / "metrics.json").unlink()
    with pytest.raises(UserError, match="--units: the run was started with 4; leave the option out"):
        seqtasks.train("sentiment", run=directory, resume=True, units=5)
    write_reviews(data, 61)
    with pytest.raises(UserError, match="the data has changed since the run began"):
        seqtasks.train("sentiment", run=directory, resume=True)


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGTERM, 143, "terminated"), pytest.param(signal.SIGINT, 130, "interrupted", marks=pytest.mark.slow)],
)
def test_a_signal_keeps_a_checkpoint_and_says_how_to_resume(number, status, word, tmp_path):
    data, directory = write_reviews(tmp_path / "many.csv", 4000), tmp_path / "run"
    options = [f"--{k}={v}" for k, v in (SMALL | {"epochs": 50}).items()]
    command = [
        sys.executable,
        "-m",
        "seqtasks.cli.main",
        "train",
        "sentiment",
        "--data",
        str(data),
        "--run",
        str(directory),
    ]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(directory.glob("checkpoints/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status and out == ""
    assert (
        f"{word}; the last checkpoint is kept, continue with: seqtasks train sentiment --run {directory} --resume"
        in err
    )
    assert "Traceback" not in err


FINETUNING = {"freeze": ["embedding", "recurrent_*"], "epochs": 1, "gradient_flow": False}


@pytest.fixture(scope="module")
def finetuned(run, tmp_path_factory):
    """`run` after fine-tuning with frozen layers, and `data`, the file of other reviews that it was trained on."""
    folder = tmp_path_factory.mktemp("finetuned")
    data = write_reviews(folder / "more.csv", 80)
    new = seqtasks.finetune(run, data=data, new=folder / "new", **FINETUNING)
    return SimpleNamespace(run=new, data=data)


def test_finetune_starts_from_the_weights_and_freezes_layers(run, finetuned, tmp_path):
    new, data = finetuned.run, finetuned.data
    old = {v.path: v.numpy() for v in run.model.trainable_variables}
    moved = {v.path for v in new.model.trainable_variables if (v.numpy() != old[v.path]).any()}
    assert moved == {"logits/kernel", "logits/bias", "ngram_scores/table"}
    assert new.assets["words"].tokens == run.assets["words"].tokens
    steps = -(-new.metrics["train"]["examples"] // 8)
    assert run.config.patience < new.config.patience == math.ceil(run.recipe.budget(run.config).steps / 4 / steps)
    command = json.loads((new.directory / "environment.json").read_text())["command"]
    options = f"--run {new.directory} --freeze embedding 'recurrent_*' --data {data} --epochs 1 --gradient_flow False"
    assert command == f"seqtasks finetune {run.directory} {options}"
    with pytest.raises(UserError, match="no layer is called 'embeding'; the layers are embedding, recurrent_1, ngram"):
        seqtasks.finetune(run, data=data, new=tmp_path / "other", freeze=["embeding"])
    assert not (tmp_path / "other").exists()


def stop(*_):
    raise KeyboardInterrupt


def test_a_finetuning_killed_before_its_first_checkpoint_starts_from_the_run(run, finetuned, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("seqtasks.engine.loop.Loop._epoch", stop)
        seqtasks.finetune(run, data=finetuned.data, new=tmp_path / "cut", **FINETUNING)
    resumed = seqtasks.train("sentiment", run=tmp_path / "cut", resume=True)
    assert_equal_weights(finetuned.run.directory, resumed.directory)


def test_a_checkpoint_at_the_last_step_of_an_epoch_is_resumed(reviews, small_run, tmp_path, monkeypatch):
    """The run that was not stopped writes a checkpoint every third step, which changes no weight."""
    fields = SMALL | {"checkpoint_steps": 1}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("seqtasks.engine.loop.Loop._close", stop)
        seqtasks.train("sentiment", data=reviews, run=tmp_path / "cut", **fields)
    resumed = seqtasks.train("sentiment", run=tmp_path / "cut", resume=True)
    losses = [[row["loss"] for row in history(directory)] for directory in (resumed.directory, small_run.directory)]
    assert losses[0] == losses[1]
    assert_equal_weights(resumed.directory, small_run.directory)


def test_a_metric_that_is_undefined_on_a_split_is_none(tmp_path):
    """The area under the curve needs both classes; the held-out splits hold one."""
    write_reviews(tmp_path / "train.csv", 40)
    for name in ("valid", "test"):
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(f"a good film {n},good\n" for n in range(9)))
    run = seqtasks.train("sentiment", data=tmp_path, run=tmp_path / "run", **SMALL | {"metric": "roc_auc", "epochs": 1})
    assert run.metrics["test"]["roc_auc"] is None and run.metrics["test"]["roc_auc_interval"] == [None, None]
    majority = run.metrics["baselines"]["majority"]
    assert majority["difference"] is None and majority["difference_interval"] == [None, None]


def test_a_finished_run_gets_the_report_that_it_lacks(run, no_report, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", no_report)
    directory = shutil.copytree(run.directory, tmp_path / "run")
    (directory / "report.html").unlink()
    (directory / "checkpoints" / "00001-00000000.npz").touch()  # killed before they were removed
    (directory / ".lock").touch()
    seqtasks.train("sentiment", run=directory, resume="auto")
    assert (directory / "report.html").read_text() == (run.directory / "report.html").read_text()
    assert list((directory / "checkpoints").iterdir()) == [] and not (directory / ".lock").exists()


def test_options_of_resuming_that_exclude_each_other(run, tmp_path):
    with pytest.raises(UserError, match="--resume and --overwrite exclude each other"):
        seqtasks.train("sentiment", run=run.directory, resume="auto", overwrite=True)
    with pytest.raises(UserError, match=r"--resume: which run\?; name it with --run"):
        seqtasks.train("sentiment", resume="auto")
    with pytest.raises(UserError, match="--resume: which run"):
        seqtasks.train("sentiment", resume=True)


def test_a_finetuning_without_its_first_checkpoint_does_not_begin_with_other_weights(finetuned, tmp_path):
    directory = shutil.copytree(finetuned.run.directory, tmp_path / "run")
    (directory / "metrics.json").unlink()
    with pytest.raises(UserError, match="was stopped before it had the weights that it was to start from; begin"):
        seqtasks.train("sentiment", run=directory, resume=True)


def test_resume_and_dry_run_exclude_each_other(run):
    with pytest.raises(UserError, match="--resume and --dry_run exclude each other"):
        seqtasks.train("sentiment", run=run.directory, resume=True, dry_run=True)


def test_a_recipe_that_names_no_head_refuses_labels_the_run_does_not_know(run, tmp_path):
    base = seqtasks.load_run(run.directory)
    base.recipe = dataclasses.replace(base.recipe, rows={})
    (tmp_path / "new.csv").write_text(
        "text,label\n" + "".join(f"film {i},{'good' if i % 2 else 'odd'}\n" for i in range(40))
    )
    with pytest.raises(UserError, match="label 'odd' is not among those of the run"):
        seqtasks.finetune(base, data=tmp_path / "new.csv", new=tmp_path / "new")


def test_two_devices_train_to_the_weights_of_one(reviews, tmp_path):
    still = {"embedding_dropout": 0.0, "output_dropout": 0.0, "dropout": 0.0, "unk_dropout": 0.0, "word_dropout": 0.0}
    for name in ("cpu", "mirrored"):
        fields = SMALL | still | {"r_drop": 0.0, "clip_norm": 0.1, "strategy": name}
        seqtasks.train("sentiment", data=reviews, run=tmp_path / name, **fields)
    for a, b in zip(weights(tmp_path / "cpu"), weights(tmp_path / "mirrored"), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_stars_balanced_classes_and_pretrained_vectors(tmp_path):
    rows = "".join(
        json.dumps({"review": f"{'bad ' * (5 - i % 5)}film {i}", "stars": 1 + i % 5}) + "\n" for i in range(200)
    )
    (tmp_path / "stars.jsonl").write_text(rows)
    (tmp_path / "glove.txt").write_text("film 1 2 3 4 5 6 7 8\nbad 8 7 6 5 4 3 2 1\n")
    fields = SMALL | {"class_weights": "balanced", "vectors": str(tmp_path / "glove.txt"), "learning_rate": 1e-9}
    run = seqtasks.train("sentiment", data=tmp_path / "stars.jsonl", run=tmp_path / "run", **fields)
    assert run.assets["labels"].tokens == ["1", "2", "3", "4", "5"]
    table = run.model.get_layer("embedding").table.numpy()
    row = table[run.assets["words"].tokens.index("film")]
    np.testing.assert_allclose(row / row[0], [1, 2, 3, 4, 5, 6, 7, 8], rtol=1e-4)
    with pytest.raises(UserError, match="glove.txt: vectors of size 8; train with --dimension 8"):
        seqtasks.train("sentiment", data=tmp_path / "stars.jsonl", run=tmp_path / "b", **(fields | {"dimension": 9}))


def test_dry_run_writes_nothing(reviews, tmp_path):
    given = SMALL | {"epochs": "auto", "batch_size": "auto", "patience": 7}
    found = seqtasks.train("sentiment", data=reviews, run=tmp_path / "run", dry_run=True, **given)
    assert sum(s["examples"] for s in found["data"].values()) == 120
    assert found["outputs"] == [None, 2] and found["inputs"]["words"] == [None, None]
    training, steps = found["training"], found["steps_per_epoch"]
    assert training["batch_size"] == 8 and training["patience"] == 7
    recipe = load_recipe("sentiment")
    budget = recipe.budget(recipe.Config())
    assert (training["epochs"] - 1) * steps < budget.steps <= training["epochs"] * steps
    assert not (tmp_path / "run").exists()


def test_large_data_streams_to_the_same_examples(reviews, small_run, tmp_path):
    read = seqtasks.train("sentiment", data=reviews, run=tmp_path / "read", cache_mb=0, **SMALL)
    assert_equal_weights(small_run.directory, read.directory)


@pytest.mark.parametrize("more", [1, -1])
def test_large_data_that_changes_while_it_is_trained_is_noticed(more, tmp_path):
    """By the epoch after the change, also where the file is shorter; the run goes on when it is restored."""
    data = write_reviews(tmp_path / "own.csv", 60)
    change = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: write_reviews(data, 60 + more))
    given = SMALL | {"cache_mb": 0, "shuffle_buffer": 8, "callbacks": [change]}
    with pytest.raises(UserError) as error:
        seqtasks.train("sentiment", data=data, run=tmp_path / "run", **given)
    told = "the data has changed since the run began; restore it and continue with --resume, or train a new run"
    assert str(error.value) == f"{data}: {told}"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains_like_float32(precision, reviews, small_run, tmp_path):
    half = seqtasks.train("sentiment", data=reviews, run=tmp_path / "half", precision=precision, **SMALL)
    losses = [[float(row["loss"]) for row in history(d)] for d in (half.directory, small_run.directory)]
    assert losses[0] == pytest.approx(losses[1], abs=0.02) and losses[0] != losses[1]


SERVE = """
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
texts = {texts!r}
out = {{name: value.numpy().tolist() for name, value in serve(inputs=tf.constant(texts)).items()}}
out["label"] = [text.decode() for text in out["label"]]
out["labels"] = [[text.decode() for text in row] for row in out["labels"]]
print(json.dumps(out))
"""


def test_the_export_answers_alike_where_only_tensorflow_is(run, tmp_path, tensorflow_alone):
    texts = [b"a fine film", b"", b"\xff\xfe boring", b"very\x00 bad", "très BON 好电影".encode(), b"x " * 500_000]
    run.export(tmp_path / "served", check=False)
    code = SERVE.format(directory=str(tmp_path / "served"), texts=texts)
    served, answers = tensorflow_alone(code), list(run.predictor.answers(texts))
    assert served["label"] == [a["label"] for a in answers]
    assert served["labels"] == [list(answers[0]["scores"])] * len(texts)
    assert served["truncated"] == [False] * 5 + [True]
    np.testing.assert_allclose(served["scores"], [list(a["scores"].values()) for a in answers], atol=1e-4)
    with pytest.raises(UserError, match="served: exists already; take another directory, or add --overwrite"):
        run.export(tmp_path / "served", check=False)
