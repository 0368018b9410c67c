"""Long memory: who solves the adding and the copy problem, over which lag, after how many steps of training.

    python -m benchmarks.memory [--lags 50 200 500]

Adding (Hochreiter and Schmidhuber, 1997): a sequence of `lag` pairs of a number in [0, 1] and a mark; two numbers are
marked, one in each half, and their sum is asked for at the end. Solved: mean squared error below 0.01 (the constant 1
gets 0.167). Copy (Arjovsky et al., 2016): ten symbols of eight, `lag` blanks, then the ten are asked for. Solved:
99 % of the symbols right (12.5 % by chance). Both on 512 sequences that training does not see. Lags that are not asked
for keep the rows they have in the JSON.
"""

import argparse
import json
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.record import RESULTS, write
from seqtasks import cells
from seqtasks.layers import RNN
from seqtasks.optimizers import AdamW

CELLS = ("simple_rnn", "gru", "lstm", "peephole_lstm")
UNITS, BATCH, EVERY, RATE = 64, 32, 100, 3e-3
STEPS = {50: 2000, 200: 2000, 500: 1000}  # the budget of each lag


def adding(lag, rows, draws):
    numbers, marks = draws.random((rows, lag), "float32"), np.zeros((rows, lag), "float32")
    places = draws.integers(0, lag // 2, rows), draws.integers(lag // 2, lag, rows)
    for place in places:
        marks[np.arange(rows), place] = 1
    return np.stack([numbers, marks], -1), (numbers * marks).sum(1, keepdims=True)


def copy(lag, rows, draws):
    symbols = draws.integers(0, 8, (rows, 10))
    inputs = np.full((rows, lag + 20), 8)
    inputs[:, :10], inputs[:, -10] = symbols, 9
    return np.eye(10, dtype="float32")[inputs], symbols


def make_model(problem, cell):
    inputs = keras.Input((None, 2 if problem == "adding" else 10))
    outputs = RNN(cells.make(cell, UNITS), return_sequences=problem == "copy")(inputs)
    if problem == "copy":
        outputs = outputs[:, -10:]
    return keras.Model(inputs, keras.layers.Dense(1 if problem == "adding" else 8)(outputs))


def train(problem, cell, lag, steps):
    """The figure every `EVERY` steps, until it is good enough or the steps are used up."""
    keras.utils.set_random_seed(0)
    make, draws = {"adding": adding, "copy": copy}[problem], np.random.default_rng(0)
    test_x, test_y = make(lag, 512, np.random.default_rng(1))
    model = make_model(problem, cell)
    loss = "mse" if problem == "adding" else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(AdamW(RATE, clip_norm=1.0), loss)
    curve, began = [], time.perf_counter()
    for done in range(EVERY, steps + 1, EVERY):
        data = tf.data.Dataset.from_tensor_slices(make(lag, BATCH * EVERY, draws)).batch(BATCH, drop_remainder=True)
        model.fit(data, verbose=0)
        answers = model.predict(test_x, batch_size=128, verbose=0)
        if problem == "adding":
            curve.append((done, float(np.mean((answers - test_y) ** 2))))
            solved = curve[-1][1] < 0.01
        else:
            curve.append((done, float(np.mean(answers.argmax(-1) == test_y))))
            solved = curve[-1][1] >= 0.99
        if solved:
            break
    seconds = time.perf_counter() - began
    return {"solved_after": done if solved else None, "last": curve[-1][1], "seconds": seconds, "curve": curve}


def plot(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lags = sorted({row["lag"] for row in rows})
    figure, axes = pyplot.subplots(2, len(lags), figsize=(4 * len(lags), 6), sharey="row", squeeze=False)
    for axis, (problem, lag) in zip(axes.flat, [(p, lag) for p in ("adding", "copy") for lag in lags], strict=True):
        for row in rows:
            if (row["problem"], row["lag"]) == (problem, lag):
                axis.plot(*zip(*row["curve"], strict=True), label=row["cell"])
        axis.set(title=f"{problem}, lag {lag}", xlabel="steps")
        if problem == "adding":
            axis.set_yscale("log")
    axes[0, 0].set_ylabel("mean squared error")
    axes[1, 0].set_ylabel("symbols right")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lags", type=int, nargs="+", choices=list(STEPS), default=list(STEPS))
    given = parser.parse_args()
    path, rows = RESULTS / "memory.json", []
    if path.is_file():
        rows = [row for row in json.loads(path.read_text())["rows"] if row["lag"] not in given.lags]
    for lag in given.lags:
        for problem in ("adding", "copy"):
            for cell in CELLS:
                row = {"problem": problem, "lag": lag, "cell": cell} | train(problem, cell, lag, STEPS[lag])
                rows.append(row)
                told = f"after {row['solved_after']} steps" if row["solved_after"] else f"not in {STEPS[lag]} steps"
                print(
                    f"| {problem} | {lag} | {cell} | {told} | {row['last']:.4f} | {row['seconds']:.0f} s |", flush=True
                )
                options = {"steps": STEPS, "units": UNITS, "batch_size": BATCH, "learning_rate": RATE, "seed": 0}
                write("memory", "python -m benchmarks.memory", options | {"rows": rows})
    plot(rows, RESULTS / "memory.png")


if __name__ == "__main__":
    main()
