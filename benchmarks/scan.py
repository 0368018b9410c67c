"""Scanning a generated genome with a classifier of windows: bases a second, and peak memory at 10 and 100 Mb.

    python -m benchmarks.scan

The classifier is the dna recipe on its built-in sample with its default sizes: what it finds does not matter. Each scan
is a process of its own, `seqtasks predict RUN genome.fa --window 81 --stride N --output hits.bed`.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.record import write

SCANS = ((2, 10), (10, 81), (100, 81))  # megabases, stride
WINDOW = 81


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        sizes = ["--filters", "128", "--positions", "512", "--r_drop", "1"]
        seqtasks("train", "dna", "--run", run, "--epochs", "2", *sizes)
        rows = []
        for megabases, stride in SCANS:
            genome, hits = Path(folder) / "genome.fa", Path(folder) / "hits.bed"
            generate(genome, megabases)
            given = ("--window", str(WINDOW), "--stride", str(stride), "--output", hits)
            seconds, memory = seqtasks("predict", run, genome, *given)
            rows.append(
                {"megabases": megabases, "stride": stride, "seconds": seconds, "peak_megabytes": memory / 2**20}
            )
            rows[-1] |= {
                "bases_per_second": megabases * 1e6 / seconds,
                "windows_per_second": megabases * 1e6 / stride / seconds,
                "hits": sum(1 for _ in hits.open()),
            }
            print(rows[-1], flush=True)
            write("scan", "python -m benchmarks.scan", {"window": WINDOW, "rows": rows})


def generate(path, megabases, line=60):
    draw = random.Random(0)
    with open(path, "w") as file:
        for chromosome in range(10):
            file.write(f">chr{chromosome}\n")
            for _ in range(round(megabases * 1e5 / line)):
                file.write("".join(draw.choices("ACGT", k=line)) + "\n")


def seqtasks(*arguments):
    """Run a command; (seconds, peak resident memory in bytes)."""
    began, peak = time.perf_counter(), 0
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "seqtasks.cli.main", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, watched.memory_info().rss)
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - began, peak


if __name__ == "__main__":
    main()
