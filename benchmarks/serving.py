"""Milliseconds of one call of an exported recurrent layer at batch 1, beside an exported `keras.layers.LSTM`.

    python -m benchmarks.serving

Both SavedModels run in turns, in blocks of calls; medians over the blocks. The first call of each length is timed
apart: it must not cost a compilation.
"""

import statistics
import tempfile
import time

import keras
import tensorflow as tf

from benchmarks.record import write
from seqtasks.cells import LSTMCell
from seqtasks.layers import RNN
from seqtasks.layers.batch_of_one import exporting

FEATURES, UNITS, LENGTHS, BLOCKS, CALLS = 128, 128, (20, 50, 100, 200, 300), 15, 40


def exported(layer, folder):
    layer(tf.zeros((2, 4, FEATURES)))

    @tf.function(input_signature=[tf.TensorSpec([None, None, FEATURES], name="x")])
    def serve(x):
        with exporting():
            return layer(x, training=False)

    module = tf.Module()
    module.weights, module.serve = [v.value for v in layer.variables], serve
    tf.saved_model.save(module, folder, signatures=serve)
    return tf.saved_model.load(folder).signatures["serving_default"]


def block(serve, x):
    began = time.perf_counter()
    for _ in range(CALLS):
        serve(x=x)
    return 1e3 * (time.perf_counter() - began) / CALLS


def main():
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "keras.layers.LSTM": exported(keras.layers.LSTM(UNITS, return_sequences=True), f"{folder}/keras"),
            "seqtasks RNN(LSTMCell)": exported(RNN(LSTMCell(UNITS), return_sequences=True), f"{folder}/ours"),
        }
    rows = {}
    for length in LENGTHS:
        x = tf.random.normal((1, length, FEATURES))
        first = {name: _first(serve, x) for name, serve in sides.items()}
        times = {name: [] for name in sides}
        for _ in range(BLOCKS):
            for name, serve in sides.items():
                times[name].append(block(serve, x))
        medians = {name: statistics.median(t) for name, t in times.items()}
        ratio = medians["keras.layers.LSTM"] / medians["seqtasks RNN(LSTMCell)"]
        rows[length] = {"first_call": first, "milliseconds": medians, "times_faster": ratio}
        print(length, {n: round(t, 2) for n, t in medians.items()}, f"{ratio:.2f} times faster, first call", first)
    write("serving", "python -m benchmarks.serving", {"units": UNITS, "lengths": rows})


def _first(serve, x):
    began = time.perf_counter()
    serve(x=x)
    return round(1e3 * (time.perf_counter() - began), 1)


if __name__ == "__main__":
    main()
