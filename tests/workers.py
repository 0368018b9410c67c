"""Trainings of a few steps, in this process or in several that train as one; small options for each recipe.

`python -m tests.workers JSON` is one of the processes; `start` starts them.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

TINY = {
    "sentiment": {"units": 4, "dimension": 8, "affixes": 16, "ngrams": 0},
    "ner": {"units": 8, "dimension": 8, "affixes": 64},
    "dna": {"units": 4, "filters": 8, "substitution": 0.0},
    "translation": {"units": 8, "dimension": 8},
    "language_model": {"cell": "simple_rnn", "units": 8, "dimension": 8},
    "music": {"cell": "simple_rnn", "units": 8, "nade_units": 4, "dimension": 8},
    "speech": {"units": 8, "filters": 8},
    "video": {"frames": 3, "channels": [4], "grid": 2, "frame_units": 4, "units": 4},
}
SHARED = {"batch_size": 8, "clip_norm": 0.1, "learning_rate": 1e-3, "warmup": 0.0, "gradient_flow": False}


def fields_of(recipe, **fields):
    """The options of the sample of a recipe with a tiny model that draws no random numbers."""
    from seqtasks.options import describe

    still = [o.name for o in describe(recipe.Config) if o.name.endswith("dropout") or o.name == "r_drop"]
    return recipe.sample.options | dict.fromkeys(still, 0.0) | TINY[recipe.name] | SHARED | fields


def prepared(name, **fields):
    """The `Experiment` of a recipe with the options of `fields_of`, and what it prepared."""
    from seqtasks.engine.experiment import Experiment
    from seqtasks.options import make_options
    from seqtasks.recipe import load_recipe

    recipe = load_recipe(name)
    experiment = Experiment(recipe, make_options(recipe.Config, fields_of(recipe, **fields)))
    return experiment, experiment.prepare()


def steps(name, count=10, **fields):
    """(the loss of each of some steps, the weights after them)."""
    losses, weights, _ = timed_steps(name, count, **fields)
    return losses, weights


def timed_steps(name, count=10, **fields):
    """What `steps` returns, and the seconds of the steps after the first, which traces the model."""
    import keras

    from seqtasks.engine import checkpoint, distribute, loop

    experiment, made = prepared(name, **fields)
    distribute.repair(made.model)
    count, losses = min(count, len(made.batches)), []
    times = []

    def note(batch, logs):
        losses.append(float(logs["loss"]))
        times.append(time.perf_counter())

    fresh = lambda batch, logs: made.model.reset_metrics()  # noqa: E731  no running mean
    record = keras.callbacks.LambdaCallback(on_train_batch_begin=fresh, on_train_batch_end=note)
    dataset = made.batches.epoch(0, 0).map(experiment.fit_inputs(made)).take(count)
    with made.strategy.scope():
        loop.fit(made.model, dataset, count, callbacks=[record])
    return losses, checkpoint.values(made.model.weights), times[-1] - times[0]


def faults_of_keras(strategy):
    """What Keras' own `fit` raises in a cluster as it is, and with its first fault mended; empty if it works."""
    return [_fault(strategy, mended) for mended in (False, True)]


def _fault(strategy, mended):
    import keras

    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    if mended:
        model.build((None, 1))
        model._maybe_symbolic_build = lambda **_: None
    rows = np.ones((4, 1), "float32")
    try:
        model.fit(rows, rows, batch_size=4, verbose=0)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def free_ports(number):
    """Ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


@contextlib.contextmanager
def start(folder, number, *, command=None, pinned=False, **given):
    """Processes that form a cluster on this machine; those that still run are killed at the end.

    Args:
        folder: for what each writes to its standard error.
        number: of processes.
        command: of each; None for this module with `given`.
        pinned: whether each has one core.
    """
    hosts, processes = [f"127.0.0.1:{port}" for port in free_ports(number)], []
    for index in range(number):
        cores = ["taskset", "-c", str(index % os.cpu_count())] if pinned else []
        own = [*cores, *(command or [sys.executable, "-m", "tests.workers", json.dumps(given)])]
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(Path(folder) / f"{index}.err", "w") as errors:
            processes.append(subprocess.Popen(own, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True))
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def answers(folder, number, seconds=300, **given):
    """What the processes of a cluster say about `given`, in order: the JSON that each prints in the end."""
    with start(folder, number, **given) as processes:
        printed = [process.communicate(timeout=seconds)[0] for process in processes]
        errors = [(Path(folder) / f"{i}.err").read_text() for i in range(number)]
        assert [process.returncode for process in processes] == [0] * number, errors
    return [json.loads(text.splitlines()[-1]) for text in printed]


def main(given):
    """One process: `steps`, or with `run` a whole training; then what Keras' own `fit` does."""
    from seqtasks.engine import distribute

    found = {}
    if "recipe" in given:
        losses, weights, seconds = timed_steps(given["recipe"], **given["fields"])
        found = {"losses": losses, "seconds": seconds, "weights": [w.ravel().tolist() for w in weights]}
    else:
        import seqtasks
        from seqtasks.engine import loop
        from seqtasks.engine.run import Run

        trained, Run.report = loop.Loop.run, lambda run: None

        def run(self):
            trained(self)
            found["weights"] = [w.ravel().tolist() for w in self.model.get_weights()]

        loop.Loop.run = run
        made = seqtasks.train(given["name"], **given["fields"])
        found["metrics"] = made.metrics["validation"]
    if given.get("keras"):
        found["keras"] = faults_of_keras(distribute.strategy("multiworker"))
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
