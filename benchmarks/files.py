"""What recipes whose inputs are files need of a machine: time that training waits for data, and memory."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

COPIES = 10
HELD = 32  # MB of arrays held in memory where the peak is measured
TRAIN = """
import json, sys, seqtasks
fields = json.loads(sys.argv[4]) | {"epochs": 1, "cache_mb": int(sys.argv[5])}
seqtasks.train(sys.argv[1], data=sys.argv[2], run=sys.argv[3], **fields)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss may be the parent's
print(int(peak.split()[1]) / 1024)
"""


def waiting(recipe, data, **fields):
    """The share of the time of training, but for the first epoch, that is spent waiting for the next batch."""
    import seqtasks
    from seqtasks.engine import loop

    found, plain = {}, loop.fit
    for kind, megabytes in (("held_in_memory", 256), ("read_in_each_epoch", 0)):
        waited = []

        def fit(model, dataset, steps, callbacks, initial_epoch, epochs):
            began, wait, batches = time.perf_counter(), 0.0, iter(dataset)
            callbacks[0].set_model(model)
            callbacks[0].on_epoch_begin(initial_epoch)
            for step in range(steps):
                asked = time.perf_counter()
                batch = next(batches)
                wait += time.perf_counter() - asked
                logs = model.train_on_batch(*batch, return_dict=True)
                callbacks[0].on_train_batch_end(step, logs)
            waited.append((wait, time.perf_counter() - began))  # noqa: B023
            return SimpleNamespace(history={"loss": [float(logs["loss"])]})

        loop.fit = fit
        try:
            with tempfile.TemporaryDirectory() as run:
                options = fields | {"epochs": 4, "patience": 0, "cache_mb": megabytes}
                seqtasks.train(recipe, data=data, run=f"{run}/run", **options)
        finally:
            loop.fit = plain
        wait, whole = (sum(column) for column in zip(*waited[1:], strict=True))
        found[kind] = {"share": wait / whole, "seconds_an_epoch": whole / (len(waited) - 1)}
    return found


def memory(recipe, rows, **fields):
    """Peak resident memory of a training in a process of its own, in MB, by the number of files.

    Args:
        recipe: its name.
        rows: pairs (path, label), which become a folder per label; and ten times as many.
        fields: options.
    """
    found = {"arrays_held": HELD}
    for copies in (1, COPIES):
        with tempfile.TemporaryDirectory() as folder:
            for path, label in rows:
                (Path(folder) / "data" / label).mkdir(parents=True, exist_ok=True)
                for copy in range(copies):
                    (Path(folder) / "data" / label / f"{copy}_{Path(path).name}").symlink_to(path)
            given = [recipe, f"{folder}/data", f"{folder}/run", json.dumps(fields), str(HELD)]
            told = subprocess.run([sys.executable, "-c", TRAIN, *given], capture_output=True, text=True, check=True)
            found[f"{copies * len(rows)} files"] = json.loads(told.stdout.splitlines()[-1])
    return found
