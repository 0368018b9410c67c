"""Trainings that are killed at random moments, and whether what is resumed ends like what was left alone.

    python -m benchmarks.kills [--kills 25] [--signals 10] [--workers 2] [--seed 0]

Five recipes train small models on the first lines of their samples by the command line, with `--resume auto`, each time
in a process of its own (forked when TensorFlow has been imported, which takes seconds and writes nothing). Each is
first left alone.
Then a training is killed (SIGKILL) in one of five phases, in turns: before the run has its first file, in training,
while a checkpoint is written, while it measures, and while it writes the report; when in the phase, chance decides. The
same command then goes on. It must end with the same weights, figures, mistakes and history, bit for bit and without
regard to times, with a report, and without checkpoints. SIGTERM and SIGINT in turns likewise; there the exit status
(143, 130) and the line that says how to go on count too, once there is a run.
"""

import argparse
import csv
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}  # sums in one order

import h5py
import numpy as np

import seqtasks.engine.training  # noqa: F401  imports TensorFlow
from benchmarks.record import write
from seqtasks.cli.main import main as main_of_seqtasks
from seqtasks.recipe import load_recipe

EPOCHS = 2
SHARED = {"epochs": EPOCHS, "patience": 0, "evaluate_every": 1, "batch_size": 16, "checkpoint_steps": 2}
SHARED |= {"gradient_flow": False}
RECIPES = {
    "sentiment": {"units": 4, "cell": "simple_rnn", "dimension": 8, "affixes": 0, "ngrams": 0, "bidirectional": False},
    "ner": {"units": 4, "cell": "simple_rnn", "bidirectional": False},
    "dna": {"units": 4, "filters": 4, "r_drop": 0.0, "cell": "simple_rnn"},
    "language_model": {"cell": "simple_rnn", "units": 8, "dimension": 4, "layers": 1},
    "translation": {"units": 8, "dimension": 8, "beam_width": 1, "cell": "simple_rnn"},
}
LINES = {"sentiment": 60, "ner": 250, "dna": 80, "translation": 60}  # of the samples
PHASES = ("start", "training", "checkpointing", "measuring", "reporting")
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}


def write_data(folder):
    """The first lines of the samples; the language model reads the texts of the sentiment recipe."""
    for recipe, lines in LINES.items():
        sample = Path(load_recipe(recipe).sample.data)
        path = folder / f"{recipe}-data{sample.suffix}"
        path.write_text("\n".join(sample.read_text().split("\n")[:lines]) + "\n")
    texts = [line.split("\t")[0] for line in (folder / "sentiment-data.tsv").read_text().splitlines()]
    (folder / "language_model-data.txt").write_text("\n".join(texts) + "\n")


class Training:
    """A process that trains, or goes on."""

    def __init__(self, recipe, run):
        (data,) = map(str, run.parent.glob(f"{recipe}-data.*"))
        options = [f"--{name}={value}" for name, value in (SHARED | RECIPES[recipe]).items()]
        self.arguments = ["train", recipe, "--data", data, "--run", str(run), "--resume", "auto", *options]
        self.output = tempfile.NamedTemporaryFile("w+")  # noqa: SIM115
        self.status, self.process = None, os.fork()
        if not self.process:
            os.dup2(self.output.fileno(), 1)
            os.dup2(self.output.fileno(), 2)
            os._exit(run_command(self.arguments))

    def ended(self, wait=False):
        """The exit status, negative for a signal; None while it runs."""
        if self.status is None:
            number, status = os.waitpid(self.process, 0 if wait else os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if number else None
        return self.status

    def told(self):
        """What it wrote."""
        return Path(self.output.name).read_text()


def run_command(arguments):
    """The exit status of a command, as that of a program."""
    try:
        return main_of_seqtasks(arguments)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1


def reached(run, phase):
    """Whether a training has come to a phase, by its files."""
    if phase == "start":
        return True
    if phase == "training":
        return (run / "config.yaml").is_file()
    if phase == "checkpointing":
        return any(path.name.startswith(".") for path in run.glob("checkpoints/*"))
    if phase == "measuring":
        return (run / "checkpoints" / f"{EPOCHS:05}-00000000.npz").is_file()
    return (run / "metrics.json").is_file()


def phase_of(run):
    """In which phase a training was stopped, by what it left; a checkpoint that was being written counts as its own."""
    return next(p for p in ("checkpointing", "reporting", "measuring", "training", "start") if reached(run, p))


def wait(training, run, phase):
    """Wait until a phase begins, or the process ends; when that was."""
    while training.ended() is None and not reached(run, phase):
        time.sleep(0.001)
    return time.perf_counter()


def weights(path):
    """{name: array} of a `.keras` file."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found


def timeless(value):
    """A JSON value without what time decides."""
    if isinstance(value, dict):
        return {n: timeless(v) for n, v in value.items() if not n.endswith(("seconds", "_per_second"))}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def differences(run, whole):
    """What of a resumed run is not as in the one that was left alone."""
    found = []
    for name in ("metrics.json", "mistakes.json"):
        if timeless(json.loads((run / name).read_text())) != timeless(json.loads((whole / name).read_text())):
            found.append(name)
    histories = [timeless(list(csv.DictReader((r / "history.csv").open()))) for r in (run, whole)]
    one, other = (weights(r / "model.keras") for r in (run, whole))
    if one.keys() != other.keys() or not all(np.array_equal(one[n], other[n]) for n in one):
        found.append("model.keras")
    found += ["history.csv"] * (histories[0] != histories[1])
    for path in (*whole.glob("encoder/*"), *whole.glob("gradient_flow.csv"), whole / "config.yaml"):
        name = path.relative_to(whole)
        found += [str(name)] * ((run / name).read_bytes() != path.read_bytes())
    found += ["no report.html"] * (not (run / "report.html").is_file())
    return found + [f"left: {path.name}" for path in run.rglob("*") if path.is_file() and must_be_gone(path)]


def must_be_gone(path):
    """Whether a file should be gone when a run has finished."""
    return path.name.startswith(".") or path.parent.name == "checkpoints"


def left_alone(recipe, run):
    """Train without a disturbance; how many seconds each phase takes."""
    began, training = time.perf_counter(), Training(recipe, run)
    times = [began, *(wait(training, run, phase) for phase in ("training", "measuring", "reporting"))]
    if training.ended(wait=True):
        raise SystemExit(training.told())
    times.append(time.perf_counter())
    spent = dict(zip(("start", "training", "measuring", "reporting"), np.diff(times).tolist(), strict=True))
    return spent | {"checkpointing": 0.0}


def stop(recipe, run, whole, phase, number, delay):
    """Stop a training in a phase, go on, and compare."""
    training = Training(recipe, run)
    wait(training, run, phase)
    time.sleep(delay)
    if training.ended() is None:
        os.kill(training.process, number)
    status, begun = training.ended(wait=True), (run / "config.yaml").is_file()
    row = {"recipe": recipe, "signal": number.name, "aimed": phase, "delay": round(delay, 3), "found": phase_of(run)}
    again = Training(recipe, run)
    row |= {"begun": begun, "status": status, "resumed": again.ended(wait=True)}
    row["differences"] = differences(run, whole) if not again.status else [again.told()[-2000:]]
    if number != signal.SIGKILL and begun and status:  # 0: it had finished
        told = f"continue with: seqtasks train {recipe} --run {run} --resume" in training.told()
        row["differences"] += ["status"] * (status != STATUS[number]) + ["not told"] * (not told)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--signals", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draws, folder = random.Random(given.seed), Path(tempfile.mkdtemp())
    write_data(folder)
    kills, others = [signal.SIGKILL] * given.kills, [signal.SIGTERM, signal.SIGINT] * (given.signals // 2)
    numbers = [n for i in range(0, len(kills), 5) for n in (*kills[i : i + 5], *others[i // 5 * 2 : i // 5 * 2 + 2])]
    stops = [(i, n, list(RECIPES)[i % 5], PHASES[(i + i // 5) % 5], draws.random()) for i, n in enumerate(numbers)]
    workers = []
    for first in range(given.workers):  # each with recipes of its own
        recipes = list(RECIPES)[first :: given.workers]
        if not (child := os.fork()):
            work(folder, [row for row in stops if row[2] in recipes])
            os._exit(0)
        workers.append(child)
    while workers:
        time.sleep(5)
        workers = [child for child in workers if not os.waitpid(child, os.WNOHANG)[0]]
        rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.row"))]
        write_rows(rows, given)
    shutil.rmtree(folder)


def work(folder, stops):
    """Do some of the stops, one after the other; each leaves a file with its row."""
    spent = {}
    for i, number, recipe, phase, share in stops:
        whole, run = folder / f"{recipe}-whole", folder / f"{recipe}-{i}"
        if recipe not in spent:
            spent[recipe] = left_alone(recipe, whole)
            print(recipe, {name: round(seconds, 1) for name, seconds in spent[recipe].items()}, flush=True)
        row = stop(recipe, run, whole, phase, number, share * spent[recipe][phase])
        print(row, flush=True)
        (folder / f"{i:03}.new").write_text(json.dumps(row))
        (folder / f"{i:03}.new").rename(folder / f"{i:03}.row")
        shutil.rmtree(run, ignore_errors=True)


def write_rows(rows, given):
    """Write the rows and counts for each signal, in a process that may start TensorFlow."""
    counts = {}
    for name in ("SIGKILL", "SIGTERM", "SIGINT"):
        ours = [row for row in rows if row["signal"] == name]
        phases = {phase: sum(row["found"] == phase for row in ours) for phase in PHASES}
        counts[name] = {"stopped": len(ours), "equal": sum(not row["differences"] for row in ours), "phases": phases}
    result = {"options": SHARED, "recipes": RECIPES, "counts": counts, "rows": rows}
    if not (child := os.fork()):
        given = f"--kills {given.kills} --signals {given.signals} --workers {given.workers} --seed {given.seed}"
        write("kills", f"python -m benchmarks.kills {given}", result)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
