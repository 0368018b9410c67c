"""Milliseconds of recurrent layers, forward and training step, beside Keras and PyTorch.

    python -m benchmarks.layers [--rounds 9] [--no-torch] [--only layers products]

`products` tells what a product of a step takes where the rows of the weights lie a multiple of a kilobyte apart, and
what with 16 columns more (`seqtasks.cells.affine.pad_columns`).

All layers of one shape take turns in one process, PyTorch in a second one that runs between the rounds; each is run
once and then timed, so that all have their weights in the cache; medians. The
floor is the time of the operations at the measured rate of a 1024 x 1024 x 1024 matrix product, or at batch 1 that of
reading the recurrent weights at every step, whichever is larger. PyTorch comes with the extra `bench`.
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

from benchmarks.record import write
from seqtasks import cells
from seqtasks.layers import RNN, Bidirectional

SHAPES = [(64, 100, 128, 128), (32, 200, 256, 256), (1, 100, 128, 128), (128, 40, 64, 512)]  # batch, time, input, units

TORCH = """
import json, sys, time, torch
batch, time_, features, units = json.loads(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
layers = {"torch LSTM": torch.nn.LSTM(features, units, batch_first=True),
          "torch GRU": torch.nn.GRU(features, units, batch_first=True),
          "torch bidirectional LSTM": torch.nn.LSTM(features, units, batch_first=True, bidirectional=True)}
x = torch.randn(batch, time_, features, requires_grad=True)
def forward(layer):
    with torch.no_grad(): layer(x)
def step(layer):
    layer.zero_grad(); x.grad = None
    (layer(x)[0] ** 2).sum().backward()
for line in sys.stdin:
    times = {}
    for name, layer in layers.items():
        for kind, run in (("forward", forward), ("step", step)):
            run(layer)
            began = time.perf_counter(); run(layer)
            times[f"{name}|{kind}"] = 1e3 * (time.perf_counter() - began)
    print(json.dumps(times), flush=True)
"""


def layers(units):
    """{name: (layer, whether compiled by XLA, whether masked)}."""
    kept = {"return_sequences": True}
    found = {
        "keras LSTM": keras.layers.LSTM(units, **kept),
        "keras RNN(LSTMCell)": keras.layers.RNN(keras.layers.LSTMCell(units), **kept),
        "keras GRU": keras.layers.GRU(units, **kept),
        "keras bidirectional LSTM": keras.layers.Bidirectional(keras.layers.LSTM(units, **kept)),
        "seqtasks LSTM": RNN(cells.make("lstm", units), **kept),
        "seqtasks GRU": RNN(cells.make("gru", units), **kept),
        "seqtasks bidirectional LSTM": Bidirectional(*(cells.make("lstm", units) for _ in range(2))),
        "seqtasks LSTM, recurrent dropout": RNN(cells.make("lstm", units, recurrent_dropout=0.2), **kept),
        "seqtasks peephole LSTM": RNN(cells.make("peephole_lstm", units), **kept),
        "seqtasks layer-normalised LSTM": RNN(cells.make("layer_norm_lstm", units), **kept),
    }
    found = {name: (layer, False, False) for name, layer in found.items()}
    for name in ("keras LSTM", "keras GRU"):
        found[f"{name}, jit_compile"] = (found[name][0], True, False)
    for name in ("keras LSTM", "seqtasks LSTM"):
        found[f"{name}, masked"] = (found[name][0], False, True)
    return found


def functions(layer, compiled, masked, x):
    """The two graphs that are timed: forward, and forward with the gradients of the inputs and weights."""
    batch, time_, _ = x.shape
    mask = tf.sequence_mask(tf.linspace(time_ // 2, time_, batch), time_) if masked else None
    layer(x)

    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, mask=mask, training=True) ** 2)
        return tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    forward = lambda: layer(x, mask=mask, training=False)  # noqa: E731
    return {
        "forward": tf.function(forward, jit_compile=compiled),
        "step": tf.function(step, jit_compile=compiled),
    }


def rate():
    """Floating-point operations a second in a large matrix product, and bytes a second in a large sum."""
    a, long = tf.random.normal((1024, 1024)), tf.random.normal((2**25,))
    return 2 * 1024**3 / best(lambda: tf.matmul(a, a).numpy()), 4 * 2**25 / best(lambda: tf.reduce_sum(long).numpy())


def best(run, rounds=60):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def floor(shape, speed, bandwidth):
    """Milliseconds of (forward, step) of an LSTM: its operations, or the reading of its recurrent weights."""
    batch, time_, features, units = shape
    operations = 2 * batch * time_ * (features + units) * 4 * units
    reading = time_ * 4 * 4 * units * units / bandwidth
    return 1e3 * max(operations / speed, reading), 1e3 * max(3 * operations / speed, 2 * reading)


def measure(shape, rounds, torch):
    x = tf.random.normal(shape[:3])
    ready = {
        f"{name}|{kind}": run
        for name, (layer, compiled, masked) in layers(shape[3]).items()
        for kind, run in functions(layer, compiled, masked, x).items()
    }
    times = {name: [] for name in ready}
    for run in ready.values():
        run(), run()
    command = [sys.executable, "-c", TORCH, json.dumps(shape), str(os.cpu_count())]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) if torch else None
    for _ in range(rounds):
        for name, run in ready.items():
            run()
            began = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - began))
        if other:
            other.stdin.write("\n")
            other.stdin.flush()
            for name, value in json.loads(other.stdout.readline()).items():
                times.setdefault(name, []).append(value)
    if other:
        other.stdin.close()
        other.wait()
    medians = {name: statistics.median(values) for name, values in times.items()}
    names = dict.fromkeys(name.split("|")[0] for name in medians)
    return {name: {kind: medians[f"{name}|{kind}"] for kind in ("forward", "step")} for name in names}


def targets(found):
    """The ratios that decide: the LSTM's training step beside the best Keras variant and PyTorch, and its variants."""
    step = {name: row["step"] for name, row in found.items()}
    ours = step["seqtasks LSTM"]
    keras_best = min(v for n, v in step.items() if n.startswith("keras") and "LSTM" in n and not n.endswith("masked")
                     and "bidirectional" not in n)  # fmt: skip
    ratios = {"best keras / seqtasks": keras_best / ours}
    if "torch LSTM" in step:
        ratios["torch / seqtasks"] = step["torch LSTM"] / ours
    for name in ("LSTM, masked", "LSTM, recurrent dropout", "peephole LSTM", "layer-normalised LSTM"):
        ratios[f"{name} / LSTM"] = step[f"seqtasks {name}"] / ours
    return ratios


def products(repeated=400):
    """{"rows,features,columns": microseconds} of products as an LSTM has them, of 128 and 256 units."""
    found = {}
    for features, columns in ((128, 512), (256, 1024), (1024, 256)):
        for wide in (columns, columns + 16):
            vectors, kernel = tf.random.normal((16, features)), tf.random.normal((features, wide))

            @tf.function
            def run(vectors, kernel):
                def body(t, x):
                    return t + 1, x + 1e-9 * tf.matmul(x, kernel)[:1, :1]  # no product without the one before it

                return tf.while_loop(lambda t, x: t < repeated, body, (0, vectors))[1]

            run(vectors, kernel)
            took = best(lambda run=run, given=(vectors, kernel): run(*given).numpy(), 10)
            found[f"16,{features},{wide}"] = 1e6 * took / repeated
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--only", nargs="+", default=["layers", "products"])
    given = parser.parse_args()
    if "products" in given.only:
        write("products", "python -m benchmarks.layers --only products", {"microseconds": products()})
    if "layers" in given.only:
        all_layers(given)


def all_layers(given):
    speed, bandwidth = rate()
    rows = {}
    for shape in SHAPES:
        found = measure(shape, given.rounds, not given.no_torch)
        low = dict(zip(("forward", "step"), floor(shape, speed, bandwidth), strict=True))
        key = ",".join(map(str, shape))
        rows[key] = {"milliseconds": found, "floor": low, "ratios": targets(found)}
        print(f"\n(batch, time, input, units) = {key}: floor {low['forward']:.2f} / {low['step']:.2f} ms")
        for name, row in found.items():
            print(f"| {name} | {row['forward']:.2f} | {row['step']:.2f} |")
        print({name: round(float(np.round(r, 2)), 2) for name, r in rows[key]["ratios"].items()}, flush=True)
        command = "python -m benchmarks.layers"
        write("layers", command, {"gflops": speed / 1e9, "gigabytes_per_second": bandwidth / 1e9, "shapes": rows})


if __name__ == "__main__":
    main()
