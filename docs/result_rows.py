"""What the tables of results are made of: one row for each measurement, read from `benchmarks/results/*.json`."""

import json
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


class Row(NamedTuple):
    """One measurement.

    Args:
        title: data and model.
        metric: what was measured.
        figure: the result, as text.
        file: name of the JSON file, which holds command, hardware and seeds.
        target: the target, as text; empty for none.
        met: whether the target was met; None without a target.
        compared: baselines, other programs, figures from print.
        time: how long the command took, as text.
        command: None for the command of the JSON file.
        short: the figure in the README; empty for the first part of `figure`.
    """

    title: str
    metric: str
    figure: str
    file: str
    target: str = ""
    met: bool | None = None
    compared: str = ""
    time: str = ""
    command: str | None = None
    short: str = ""


def load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def spread(value: dict[str, Any], digits: int = 4) -> str:
    """Mean and standard deviation; the mean alone where there is one seed."""
    mean = f"{value['mean']:.{digits}f}"
    return mean if len(value["each"]) == 1 else f"{mean} ± {value['sd']:.{digits}f}"


def excludes_zero(intervals: list[list[float]]) -> str:
    count = sum(not low <= 0 <= high for low, high in intervals)
    return f"the paired 95% interval of the difference excludes zero for {count} of {len(intervals)} seeds"
