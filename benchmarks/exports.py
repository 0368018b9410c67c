"""Exports of every recipe in every format: the largest difference to the run, size, and milliseconds of a call.

    python -m benchmarks.exports [RUNS]

RUNS/RECIPE is the run of each recipe; one that is missing is trained on its sample for one epoch. An export is
checked on four examples of the test split as `seqtasks export` does, or its reason why not is kept. Calls are timed
inside the process that holds the runtime alone, with one real example and with 32; LiteRT takes one example at a
time, so its 32 are 32 calls. Texts are cut to 200 characters. `serving` holds the SavedModel that `saved_model`
writes. Times mean something on a machine that does nothing else.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import write
from seqtasks.engine import checking, network
from seqtasks.engine.export import RUNTIMES, export
from seqtasks.engine.run import Run
from seqtasks.engine.training import train
from seqtasks.errors import UserError
from seqtasks.recipe import list_recipes

FORMATS = {"serving": "none", "onnx": "none", "litert": "none", "litert int8": "int8"}
BATCH, SECONDS, CALLS, LONGEST = 32, 0.5, (5, 100), 200


def timed(runtime, folder, batches):
    """Milliseconds of a call with each batch after two that warm it up."""
    _, first = runtime.run(folder, batches, calls=2)
    mean = sum(times[-1] for times in first) / 1e3
    calls = int(np.clip(SECONDS / max(mean, 1e-6), *CALLS))
    _, times = runtime.run(folder, batches, calls=calls + 2)
    return [np.array(each[2:]) for each in times]


def quantiles(times):
    return {"p50": round(float(np.median(times)), 3), "p99": round(float(np.quantile(times, 0.99)), 3)}


def measured(run, name, real, folder):
    kind, quantize = name.split()[0], FORMATS[name]
    try:
        done = export(run, folder / name.replace(" ", "_"), kind, quantize=quantize)
    except UserError as error:
        return {"reason": str(error)}
    size = sum(path.stat().st_size for path in done.path.rglob("*") if path.is_file())
    result = {"largest_difference": done.largest_difference, "examples": done.examples, "bytes": size}
    runtime = checking.Runtime.get(RUNTIMES[kind])
    if kind == "litert":
        batches, _ = network.network_batches(run.predictor, real, False, "litert")
        each = timed(runtime, done.path, batches)
        return result | {"1": quantiles(each[0]), str(BATCH): quantiles(np.sum(each, 0))}
    if kind == "onnx":
        (many, one), _ = network.network_batches(run.predictor, real, False, "onnx")
    else:
        many, _ = checking.serving_batch(run.predictor, real)
        one = checking.part(many, slice(1))
    first, all_ = timed(runtime, done.path, [one, many])
    return result | {"1": quantiles(first), str(BATCH): quantiles(all_)}


def main():
    table = {}
    for recipe in sorted(list_recipes()):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(sys.argv[1], recipe) if len(sys.argv) > 1 else Path(folder, recipe)
            if not (path / "metrics.json").is_file():
                train(recipe, run=path, epochs=1)
            run = Run(path)
            real = checking.real_examples(run, BATCH)
            missing = BATCH - len(real.inputs)  # a sample may have fewer test examples
            places = [*range(len(real.inputs)), *(i % len(real.inputs) for i in range(missing))]
            real = checking.Real(*([column[i] for i in places] for column in real))
            inputs = [x[:LONGEST] if isinstance(x, str) else x for x in real.inputs]
            real = real._replace(inputs=inputs)
            table[recipe] = {name: measured(run, name, real, Path(folder)) for name in FORMATS}
        for name, row in table[recipe].items():
            print(recipe, name, row, flush=True)
        write("exports", "python -m benchmarks.exports", {"batch": BATCH, "recipes": table})


if __name__ == "__main__":
    main()
