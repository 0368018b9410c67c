"""Resident memory and time of 2,000 calls of `predict` with varying lengths.

    python -m benchmarks.predict_memory [--calls 2000]

Two programs, each in a process of its own: `keras.Model.predict` of a bidirectional LSTM on batches of 1 to 8 rows of
1 to 200 steps, and `run.predict` of a small trained sentiment run on 1 to 8 texts of 1 to 200 words. The lengths are
drawn in advance, so that both see the same. Memory is that of the process (VmRSS) after 200 calls and after all of
them, after a garbage collection; milliseconds are medians over the calls of each tenth.
"""

import argparse
import gc
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.record import write

EARLY = 200  # calls after which memory is read first


def keras_model():
    import keras

    from seqtasks.cells import LSTMCell
    from seqtasks.layers import Bidirectional, Pooling

    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(1000, 32, mask_zero=True)(inputs)
    x = Pooling(["max", "mean"])(Bidirectional(LSTMCell(32), LSTMCell(32))(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    draws = np.random.default_rng(1)
    return lambda rows, length: model.predict(draws.integers(1, 1000, (rows, length)), verbose=0)


def trained_run():
    import seqtasks

    folder = tempfile.mkdtemp()
    run = seqtasks.train("sentiment", run=f"{folder}/run", epochs=1, time_limit=20, gradient_flow=False)
    words, draws = ("good", "bad", "film", "plot", "a", "dull", "fine", "story"), np.random.default_rng(1)
    return lambda rows, length: run.predict([" ".join(draws.choice(words, length)) for _ in range(rows)])


PROGRAMS = {"keras.Model.predict": keras_model, "run.predict": trained_run}


def resident_mb():
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def measure(program, calls):
    """Memory and milliseconds of one program in this process."""
    predict, draws = PROGRAMS[program](), np.random.default_rng(0)
    memory, milliseconds = {}, []
    for call in range(1, calls + 1):
        rows, length = int(draws.integers(1, 9)), int(draws.integers(1, 201))
        began = time.perf_counter()
        predict(rows, length)
        milliseconds.append(1e3 * (time.perf_counter() - began))
        if call in (EARLY, calls):
            memory[call] = resident_mb()
    tenths = np.array_split(milliseconds, 10)
    return {
        "resident_mb": memory,
        "mb_per_1000_calls": 1000 * (memory[calls] - memory[EARLY]) / (calls - EARLY),
        "milliseconds": {"median": statistics.median(milliseconds), "tenths": [float(np.median(t)) for t in tenths]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--program", choices=PROGRAMS, help="measure this one in this process and print its figures")
    given = parser.parse_args()
    if given.program:
        print(json.dumps(measure(given.program, given.calls)))
        return
    programs = {}
    for program in PROGRAMS:
        command = [sys.executable, "-m", "benchmarks.predict_memory", "--calls", str(given.calls), "--program", program]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        programs[program] = json.loads(done.stdout.splitlines()[-1])
        print(program, programs[program], flush=True)
    write("predict_memory", "python -m benchmarks.predict_memory", {"calls": given.calls, "programs": programs})


if __name__ == "__main__":
    main()
