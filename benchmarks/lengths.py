"""Recurrent layers on batches of many lengths beside PyTorch and Keras: training, and answering batches of any shape.

    python -m benchmarks.lengths [--rounds 5] [--no-torch]

Training: batches of 32 sequences of 5 to 60 steps of 100 features, sorted by length as bucketing does, through a
bidirectional LSTM of 64 units. Keras has `keras.layers.Bidirectional(LSTM)` in a graph for any length, PyTorch
`pack_padded_sequence`; `seqtasks` has the loops of TensorFlow and those that XLA compiles for any length.
Answering: one layer in a graph for batches of any size and length, as `predict` and exported models have it.
All take turns in one process, PyTorch in a second one; medians. `first` is the first pass in seconds, with
tracing and compiling.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.layers import SHAPES
from benchmarks.record import write
from seqtasks import cells
from seqtasks.layers import RNN, Bidirectional
from seqtasks.layers.batch_of_one import exporting
from seqtasks.layers.compiled_length import compiled_loops

ROWS, FEATURES, UNITS, BATCHES = 32, 100, 64, 20

TORCH = """
import json, sys, time, torch
from torch.nn.utils.rnn import pack_padded_sequence
lengths, shapes = json.loads(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
layer = torch.nn.LSTM(100, 64, batch_first=True, bidirectional=True)
batches = [(torch.randn(len(n), max(n), 100), torch.tensor(sorted(n, reverse=True))) for n in lengths]
def train():
    for x, n in batches:
        layer.zero_grad()
        (layer(pack_padded_sequence(x, n, batch_first=True))[0].data ** 2).sum().backward()
def answer(layer, x):
    with torch.no_grad(): layer(x)
runs = {"train": train}
for shape in shapes:
    batch, steps, features, units = shape
    one, x = torch.nn.LSTM(features, units, batch_first=True), torch.randn(batch, steps, features)
    runs[",".join(map(str, shape))] = lambda one=one, x=x: answer(one, x)
for run in runs.values(): run()
for line in sys.stdin:
    times = {}
    for name, run in runs.items():
        run()
        began = time.perf_counter(); run()
        times[name] = time.perf_counter() - began
    print(json.dumps(times), flush=True)
"""


def trainings(batches):
    """{name: function that trains on all batches}."""

    def training(layer):
        layer(batches[0][0])

        @tf.function(input_signature=[tf.TensorSpec([ROWS, None, FEATURES]), tf.TensorSpec([ROWS, None], "bool")])
        def step(x, mask):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(x, mask=mask, training=True) ** 2)
            return tape.gradient(loss, [v.value for v in layer.trainable_variables])

        def run():
            for x, mask in batches:
                grads = step(x, mask)
            return grads[0].numpy()

        return run, step

    keras_layer = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True))
    ours = Bidirectional(cells.make("lstm", UNITS), cells.make("lstm", UNITS))
    found = {"keras": training(keras_layer)[0], "seqtasks, loop": training(ours)[0]}
    compiled, step = training(ours)
    with compiled_loops(ROWS):
        step.get_concrete_function()
    return found | {"seqtasks, compiled loop": compiled}


def answers(shape):
    """{name: function that answers one batch}, of graphs for batches of any size and length."""
    batch, steps, features, units = shape
    x = tf.random.normal((batch, steps, features))

    def graph(layer, context):
        layer(x)

        @tf.function(input_signature=[tf.TensorSpec([None, None, features])])
        def run(x):
            with context():
                return layer(x, training=False)

        return lambda: run(x).numpy()

    ours = RNN(cells.make("lstm", units), return_sequences=True)
    theirs = keras.layers.LSTM(units, return_sequences=True)
    always = lambda: compiled_loops(batch)  # noqa: E731
    return {
        "keras": graph(theirs, lambda: compiled_loops(0)),
        "seqtasks, predict": graph(ours, lambda: compiled_loops(0)),
        "seqtasks, long predict": graph(ours, always),
        "seqtasks, export": graph(ours, exporting),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-torch", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    lengths = np.sort(rng.integers(5, 61, ROWS * BATCHES)).reshape(BATCHES, ROWS)
    batches = [
        (tf.constant(rng.normal(size=(ROWS, n.max(), FEATURES)), "float32"), tf.sequence_mask(n, n.max()))
        for n in lengths
    ]
    runs = {f"train|{name}": run for name, run in trainings(batches).items()}
    for shape in SHAPES:
        runs |= {f"{','.join(map(str, shape))}|{name}": run for name, run in answers(shape).items()}
    first, times, other = {}, {name: [] for name in runs}, None
    for name, run in runs.items():
        began = time.perf_counter()
        run()
        first[name] = time.perf_counter() - began
    if not given.no_torch:
        task = json.dumps([lengths.tolist(), SHAPES])
        command = [sys.executable, "-c", TORCH, task, str(len(os.sched_getaffinity(0)))]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(given.rounds):
        for name, run in runs.items():
            run()
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
        if other:
            other.stdin.write("\n")
            other.stdin.flush()
            for name, value in json.loads(other.stdout.readline()).items():
                times.setdefault(f"{name}|torch", []).append(value)
    if other:
        other.stdin.close()
        other.wait()
    rows = {}
    for name, values in times.items():
        problem, program = name.split("|")
        rows.setdefault(problem, {})[program] = {"milliseconds": 1e3 * statistics.median(values)}
        if name in first:
            rows[problem][program]["first"] = first[name]
    for problem, programs in rows.items():
        print(problem, {name: round(row["milliseconds"], 2) for name, row in programs.items()}, flush=True)
    write("lengths", "python -m benchmarks.lengths", {"rows": rows})


if __name__ == "__main__":
    main()
