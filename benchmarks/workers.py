"""Ten steps of each recipe in one process and in two that train as one: equality, and the time on one core each.

    python -m benchmarks.workers [RECIPE ...]

The models are tiny, so that equality is what counts; LARGER is large enough for its times to mean something. The
results are written to `benchmarks/results/workers.json`.
"""

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
        "losses_of_one": one["losses"],
        "losses_of_two": chief["losses"],
        "largest_relative_difference_of_losses": float(np.max(np.abs(np.divide(chief["losses"], one["losses"]) - 1))),
        "largest_difference_of_weights": max(gaps),
        "weights_equal_on_both": chief["weights"] == other["weights"],
        "seconds_of_one": one["seconds"],
        "seconds_of_two": chief["seconds"],
    }


def main(names):
    found, larger = {}, [] if names else [("language_model", LARGER)]
    for name, fields in [*((name, SIZES) for name in names or sorted(workers.TINY)), *larger]:
        values = compared(name, fields)
        found[name if fields is SIZES else f"{name}, larger"] = values
        print(name, {k: v for k, v in values.items() if not isinstance(v, list)}, flush=True)
    if not names:
        note = (
            "seconds: of the steps after the first, on one core for each process, with another training on one of them"
        )
        record.write("workers", "python -m benchmarks.workers", {"note": note, "recipes": found})


if __name__ == "__main__":
    main(sys.argv[1:])
