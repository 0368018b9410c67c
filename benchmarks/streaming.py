"""Resident memory while training on generated CSV files, the largest of 2 GB: it must not grow with the file.

python -m benchmarks.streaming [--megabytes 250 2000]
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import write

TRAIN = """
import json, resource, sys, time, seqtasks
began = time.perf_counter()
run = seqtasks.train("sentiment", data=sys.argv[1], run=sys.argv[2], epochs=1, time_limit=20.0, affixes=0)
print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "seconds": time.perf_counter() - began, "examples": run.metrics["train"]["examples"],
    "accuracy": run.metrics["test"]["accuracy"]}))
"""


def generate(path, megabytes, seed):
    """A CSV of reviews of about 1 KB: Zipf-distributed made-up words, and three that give the label away."""
    draws = np.random.default_rng(seed)
    words = np.array([f"w{i:05d}" for i in range(50_000)])
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        while file.tell() < megabytes * 2**20:
            numbers = np.minimum(draws.zipf(1.2, (1000, 140)) - 1, len(words) - 1)
            labels = draws.integers(0, 2, 1000)
            for row, label in zip(words[numbers], labels, strict=True):
                row[draws.integers(0, 140, 3)] = ("awful", "lovely")[label]
                writer.writerow([" ".join(row), ("bad", "good")[label]])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[250, 2000])
    rows = {}
    for megabytes in parser.parse_args().megabytes:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            for name, size in (("train", megabytes), ("valid", 2), ("test", 2)):
                generate(data / f"{name}.csv", size, seed=len(name))
            command = [sys.executable, "-c", TRAIN, str(data), f"{folder}/run"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            rows[megabytes] = json.loads(done.stdout)
        print(megabytes, "MB:", rows[megabytes], flush=True)
        write("streaming", "python -m benchmarks.streaming", {"megabytes": rows})


if __name__ == "__main__":
    main()
