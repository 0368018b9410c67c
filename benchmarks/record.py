"""Where results go, and what every result says of the machine it was measured on."""

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def data_folder():
    """The folder with the real data, from SEQTASKS_DATA."""
    if "SEQTASKS_DATA" not in os.environ:
        raise SystemExit("set SEQTASKS_DATA to the folder with the data")
    return Path(os.environ["SEQTASKS_DATA"])


def write(name, command, result):
    """Write one result with its command and circumstances."""
    from seqtasks.engine.distribute import hardware

    packages = {p: importlib.metadata.version(p) for p in ("tensorflow", "keras", "numpy", "scikit-learn")}
    told = {"command": command, "date": f"{datetime.date.today()}", "hardware": hardware(), "packages": packages}
    told["python"] = platform.python_version()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(told | result, indent=2) + "\n")


def spread(values):
    """Mean and standard deviation."""
    return {"mean": statistics.mean(values), "sd": statistics.stdev(values) if len(values) > 1 else 0.0, "each": values}
