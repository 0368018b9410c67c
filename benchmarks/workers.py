"""Ten steps of each recipe in one process and in two that train as one: equality, and the time on one core each.

    python -m benchmarks.workers [RECIPE ... | larger]

The models are tiny, so that equality is what counts; `larger` is a language model whose times mean something. The
results are written to `benchmarks/results/workers.json`; those of named recipes replace what it holds of them.
"""

import json
import sys
import tempfile

import numpy as np

from benchmarks import record
from tests import workers

SIZES = {"batch_size": 12}
LARGER = {"units": 256, "dimension": 256, "cell": "lstm", "layers": 1, "batch_size": 64}  # of the language model
STEPS = 10


def trained(name, number, fields):
    """What each process answers, see `tests.workers`; each has a core of its own."""
    with tempfile.TemporaryDirectory() as folder:
        fields = fields | {"strategy": "cpu" if number == 1 else "multiworker", "count": STEPS}
        return workers.answers(folder, number, 600, pinned=True, recipe=name, fields=fields)


def compared(name, fields):
    """One process beside two: largest differences of losses and weights, and the seconds of the steps."""
    (one,), (chief, other) = (trained(name, number, fields) for number in (1, 2))
    gaps = [
        float(np.abs(np.subtract(a, b)).max(initial=0)) for a, b in zip(one["weights"], chief["weights"], strict=True)
    ]
    return {
        "steps": len(one["losses"]),
        "loss_of_one": one["losses"][-1],
        "loss_of_two": chief["losses"][-1],
        "largest_relative_difference_of_losses": float(np.max(np.abs(np.divide(chief["losses"], one["losses"]) - 1))),
        "largest_difference_of_weights": max(gaps),
        "weights_equal_on_both": chief["weights"] == other["weights"],
        "seconds_of_one": one["seconds"],
        "seconds_of_two": chief["seconds"],
    }


def main(names):
    path = record.RESULTS / "workers.json"
    found = json.loads(path.read_text())["recipes"] if names and path.exists() else {}
    for name in names or [*sorted(workers.TINY), "larger"]:
        found[name] = compared("language_model", LARGER) if name == "larger" else compared(name, SIZES)
        print(name, found[name], flush=True)
        note = "seconds: of the steps after the first, one core for each process, beside other work on these cores"
        record.write("workers", "python -m benchmarks.workers", {"note": note, "recipes": found})


if __name__ == "__main__":
    main(sys.argv[1:])
