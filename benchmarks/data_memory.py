"""The memory of a training on Parquet files of two sizes: a file larger than the cache is streamed.

    python -m benchmarks.data_memory [--megabytes 200 2000] [--folder DIR]

Each file holds made reviews of about 550 characters, uncompressed. A training of sentiment that stops after 60 seconds
runs on it in a process of its own, with 64 MB for the cache; a thousand rows in memory are validation and test. The
peak is the largest resident set of the process (VmHWM), from reading and the vocabulary to the report.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.record import write

STEMS = ("ba", "do", "ki", "mu", "ne", "po", "ra", "su", "ti", "vo")
MIDDLES = ("lan", "mer", "nis", "rok", "tul", "vex", "zam", "bri")
ENDS = ("a", "ed", "ing", "o", "s", "ly")
WORDS = np.array([f"{a}{b}{c}" for a in STEMS for b in MIDDLES for c in ENDS])
CHUNK = 5000  # rows that are written at once
CHILD = """
import json, sys
import seqtasks
held_out = json.load(open(sys.argv[3]))
run = seqtasks.train("sentiment", train=sys.argv[1], valid=held_out, test=held_out, run=sys.argv[2], epochs=1,
                     time_limit=60, cache_mb=64, gradient_flow=False)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak_mb": int(peak.split()[1]) / 1024, "examples": run.metrics["train"]["examples"],
                  "test_accuracy": run.metrics["test"]["accuracy"]}))
"""


def reviews(count, seed):
    """Pairs (text, label) of made words; one word tells the label."""
    draws = np.random.default_rng(seed)
    for number in range(count):
        good = draws.integers(2)
        words = " ".join(WORDS[draws.integers(0, len(WORDS), 70)])
        yield f"{words} {('dull', 'fine')[good]} {seed}-{number}", ("bad", "good")[good]


def make(path, megabytes):
    """Write a Parquet file of about so many megabytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    seed, size = 2, 0
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as file:
        while size < megabytes * 1e6:
            texts, labels = zip(*reviews(CHUNK, seed), strict=True)
            file.write_table(pa.table({"text": texts, "label": labels}, schema=schema))
            seed, size = seed + 1, size + sum(map(len, texts))


def measure(path, run):
    """What a training on a file needs, in a process of its own."""
    began = time.perf_counter()
    held_out = run.with_suffix(".json")
    held_out.write_text(json.dumps([(text, label) for text, label in reviews(1000, seed=1)]))
    command = [sys.executable, "-c", CHILD, str(path), str(run), str(held_out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.perf_counter() - began}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--folder", type=Path, help="where the files are kept; a temporary folder by default")
    given = parser.parse_args()
    each = []
    with tempfile.TemporaryDirectory() as temporary:
        for megabytes in given.megabytes:
            path = (given.folder or Path(temporary)) / f"reviews-{megabytes}.parquet"
            if not path.exists():
                make(path, megabytes)
            found = measure(path, Path(temporary) / f"run-{megabytes}")
            each.append({"file_mb": path.stat().st_size / 1e6, **found})
            print(each[-1], flush=True)
    ratio = each[-1]["peak_mb"] / each[0]["peak_mb"]
    write("data_memory", "python -m benchmarks.data_memory", {"rows": each, "peak_ratio": ratio})


if __name__ == "__main__":
    main()
