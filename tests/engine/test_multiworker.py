"""Processes of a cluster train to the weights of one; what happens when one of them ends; who belongs to a cluster."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

import seqtasks
from seqtasks.cli.main import help_text
from seqtasks.engine import cluster
from seqtasks.engine.distribute import strategy
from seqtasks.engine.run import Run
from seqtasks.engine.signals import Interrupts, Terminated
from seqtasks.errors import UserError
from tests import workers
from tests.reviews import SMALL

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")
STILL = dict.fromkeys(("embedding_dropout", "output_dropout", "dropout", "unk_dropout", "word_dropout"), 0.0)


def losses(run):
    return [float(row["loss"]) for row in csv.DictReader((run / "history.csv").open())]


def test_two_processes_write_the_run_of_one_and_keras_still_needs_repair(reviews, tmp_path, monkeypatch):
    """If Keras' own `fit` works here, https://github.com/keras-team/keras/issues/20585 is mended: the module
    `seqtasks.engine.multiworker_fit` can go.
    """
    monkeypatch.setattr(Run, "report", lambda run: None)
    fields = SMALL | STILL | {"clip_norm": 0.1, "data": str(reviews), "batch_size": 10}
    two = fields | {"run": str(tmp_path / "two"), "strategy": "multiworker"}
    chief, other = workers.answers(tmp_path, 2, name="sentiment", fields=two, keras=True)
    assert chief["keras"] == other["keras"]
    built, reduced = chief["keras"]
    assert "PerReplica" in built and "Invalid reduction dimension 0" in reduced
    one = seqtasks.train("sentiment", run=tmp_path / "one", strategy="cpu", **fields)
    assert chief["weights"] == other["weights"]
    assert other["metrics"] == chief["metrics"]
    for a, b in zip(one.model.get_weights(), chief["weights"], strict=True):
        np.testing.assert_allclose(a.ravel(), b, atol=1e-5)
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), atol=1e-5)
    assert len(list((tmp_path / "two" / "logs").iterdir())) == 1  # the chief writes


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("name", sorted(workers.TINY))
def test_ten_steps_of_several_processes_are_those_of_one(name, number, tmp_path):
    fields = {"batch_size": 12}
    found = workers.answers(tmp_path, number, recipe=name, fields=fields | {"strategy": "multiworker"})
    assert all(answer["weights"] == found[0]["weights"] for answer in found)
    expected, weights = workers.steps(name, strategy="cpu", **fields)
    np.testing.assert_allclose(found[0]["losses"], expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(weights, found[0]["weights"], strict=True):
        np.testing.assert_allclose(a.ravel(), b, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(workers.TINY))
def test_ten_steps_on_two_devices_are_those_of_one(name):
    (one, weights), (two, others) = (workers.steps(name, strategy=kind) for kind in ("cpu", "mirrored"))
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_ends_the_others_and_all_go_on_from_the_last_checkpoint(number, killed, reviews, tmp_path):
    """After SIGTERM all end in the same way, with a checkpoint of the same step."""
    small = SMALL | STILL | {"epochs": 6, "checkpoint_steps": 2, "patience": 0, "ema_momentum": 0.0}
    options = [f"--{name}={value}" for name, value in small.items()]
    command = [sys.executable, "-m", "seqtasks", "train", "sentiment", "--data", str(reviews), *options]
    cut = [*command, "--run", str(tmp_path / "cut"), "--strategy", "multiworker"]
    with workers.start(tmp_path, 2, command=cut) as processes:
        deadline = time.monotonic() + 240
        while not (tmp_path / "cut" / "history.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        processes[killed].send_signal(number)
        statuses = [process.wait(120) for process in processes]
    expected = [143, 143] if number == signal.SIGTERM else [-number, 2] if killed == 0 else [2, -number]
    assert statuses == expected
    told = (tmp_path / f"{1 - killed}.err").read_text().splitlines()[-1]
    lost = "--strategy multiworker: another process has ended; start all of them again with --resume"
    ended = "terminated; the last checkpoint is kept, continue with: "
    assert told.startswith(f"seqtasks: {ended if number == signal.SIGTERM else lost}")
    assert not (tmp_path / "cut" / "metrics.json").exists()
    with workers.start(tmp_path, 2, command=[*cut, "--resume"]) as processes:
        assert [process.wait(600) for process in processes] == [0, 0]
    assert "resuming in epoch" in (tmp_path / "0.err").read_text()
    one = seqtasks.train("sentiment", data=reviews, run=tmp_path / "one", strategy="cpu", **small)
    np.testing.assert_allclose(losses(tmp_path / "cut"), losses(tmp_path / "one"), atol=1e-4)
    for a, b in zip(one.model.get_weights(), seqtasks.load_run(tmp_path / "cut").model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_signal_waits_until_all_processes_know_of_it():
    """The other process has no signal of its own; a second signal to this one ends it where it is."""
    here, other = Interrupts(several=True), Interrupts(several=True)
    with here:
        signal.raise_signal(signal.SIGTERM)
        assert not here.caught
        sums = np.add(here.counts(), other.counts())
        for interrupts in (here, other):
            interrupts.agree(sums)
            with pytest.raises(Terminated):
                interrupts.reraise()
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (None, "--strategy multiworker: neither TF_CONFIG nor a Slurm job step names the processes; "),
        ("x", "TF_CONFIG: does not name this process in a cluster; give {"),
        ('{"cluster": {}}', "TF_CONFIG: does not name this process in a cluster; give {"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "TF_CONFIG: does not name this process in a cluster; give {",
        ),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
            "TF_CONFIG: has ps; name chief and worker only",
        ),
    ],
)
def test_a_cluster_that_is_not_named_is_told(config, told, monkeypatch):
    monkeypatch.delenv("SLURM_STEP_NODELIST", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError) as fault:
        strategy("multiworker")
    assert str(fault.value).startswith(told)


def test_the_processes_of_a_slurm_step_are_found(monkeypatch):
    """Two nodes with two tasks each, without GPUs, as `srun` names them."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    step = {"STEP_NODELIST": "n[1-2]", "STEP_TASKS_PER_NODE": "2(x2)", "STEP_NUM_TASKS": "4", "PROCID": "2"}
    for name, value in step.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    found = cluster.resolver()
    assert found.cluster_spec().as_dict() == {"worker": ["n1:8888", "n1:8889", "n2:8888", "n2:8889"]}
    assert (found.task_type, found.task_id, found.num_accelerators()) == ("worker", 2, {})


def test_the_number_of_a_process_counts_the_chief_first(monkeypatch):
    import tensorflow as tf

    class Cluster(tf.distribute.MultiWorkerMirroredStrategy):
        def __init__(self):
            """No cluster is joined."""

        cluster_resolver = property(lambda self: tf.distribute.cluster_resolver.TFConfigClusterResolver())

    hosts = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    for kind, index, number in (("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": hosts, "task": {"type": kind, "index": index}}))
        assert cluster.share(Cluster()) == (number, 3)
        assert cluster.leads("multiworker") == (number == 0) and cluster.leads("auto")
    monkeypatch.delenv("TF_CONFIG")
    monkeypatch.delenv("SLURM_STEP_NODELIST", raising=False)
    assert cluster.leads("multiworker")  # a finished run needs no other process


@pytest.mark.parametrize("train", ["train", "cross_validate"])
def test_what_several_processes_cannot_do_is_told(train, reviews, monkeypatch, tmp_path):
    fields = {"strategy": "multiworker"} | ({"run": tmp_path / "folds", "folds": 2} if train != "train" else {})
    told = {
        "train": "--run: all processes need the same run directory; name one, on storage that they share",
        "cross_validate": "--strategy multiworker: excludes --folds; train each fold as a run of its own",
    }[train]
    with pytest.raises(UserError) as fault:
        getattr(seqtasks, train)("sentiment", data=str(reviews), **fields)
    assert str(fault.value) == told


@pytest.mark.slow
def test_the_two_terminals_of_the_page_train_a_run(tmp_path):
    blocks = re.findall(r"```bash\n(export TF_CONFIG.*?)```", PAGE, re.S)
    ports = [str(port) for port in workers.free_ports(2)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    processes = []
    for block in blocks:
        for known, port in zip(("12345", "12346"), ports, strict=True):
            block = block.replace(known, port)
        given = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(["bash", "-ec", block], **given))
    printed = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    (one, two) = (json.loads(text) for text in printed)
    assert one == two and one["train"]["epochs"] == 2 and (tmp_path / "runs" / "two" / "report.html").is_file()


def test_the_scripts_for_clusters_are_valid_and_their_options_exist():
    (manifest,), (script,) = (
        re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) for kind in ("yaml", r"bash\n#!/bin/bash")
    )
    job = yaml.safe_load(manifest)
    pod = job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]
    container = pod["containers"][0]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    known = set(re.findall(r"--(\w+)", help_text("train", "sentiment")))
    for text in (container["args"][0], script):
        assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).stderr == ""
        (command,) = re.findall(r"seqtasks train sentiment((?:.*\\\n)*.*)", text)
        assert {"run", "strategy"} <= set(re.findall(r"--(\w+)", command)) <= known
        assert "--resume auto" in command
