"""The sentiment recipe with its defaults on seven data sets, beside TF-IDF with logistic regression.

    python -m benchmarks.classification [--only sst2 imdb] [--seeds 0 1 2] [--tried "ngrams=0"]

With `--tried` the row is one of those among which the defaults were chosen: it has figures on validation alone, and
test is not read. Rows that were measured before stay in the files.
"""

import argparse
import itertools
import json
import tempfile
from pathlib import Path

import yaml

from benchmarks.record import RESULTS, data_folder, spread, write
from seqtasks.data.sources import InMemorySource
from seqtasks.data.splits import Splits
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.training import Training
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe

DATA = ("sst2", "trec6", "customer-reviews", "mpqa", "waimai-zh", "shopping-zh", "imdb")
TARGETS = dict(zip(DATA, (0.83, 0.92, 0.81, 0.87, 0.90, 0.895, 0.91), strict=True))
BASELINE = "tfidf_logistic_regression"


def without_test(splits):
    """The splits with a few examples of validation in place of test."""
    few = list(itertools.islice(splits["validation"], 20))
    return Splits(train=splits["train"], validation=splits["validation"], test=InMemorySource(lambda: iter(few), "few"))


def metrics_of(data, seed, fields, chosen):
    """What one training measured, and its options."""
    recipe = load_recipe("sentiment")
    config = make_options(recipe.Config, {"seed": seed, "gradient_flow": False} | fields)
    splits = dict(recipe.splits(config, data_folder() / "sentiment" / data))
    with tempfile.TemporaryDirectory() as place:
        source = {"data": f"in memory: {data}"}
        experiment = Experiment(recipe, config, source, Splits(**splits) if chosen else without_test(splits))
        return Training(experiment, Path(place) / "run", "sentiment").start().metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tried", help="options, as in 'ngrams=0 dropout=0.2'")
    given = parser.parse_args()
    name = "classification" if given.tried is None else "classification_tried"
    path, seeds = RESULTS / f"{name}.json", " ".join(map(str, given.seeds))
    rows = json.loads(path.read_text())["rows"] if path.is_file() else {}
    fields = {key: yaml.safe_load(value) for key, value in (f.split("=") for f in (given.tried or "").split())}
    for data in given.only:
        runs = [metrics_of(data, seed, fields, given.tried is None) for seed in given.seeds]
        row = {
            "validation": spread([m["validation"]["accuracy"] for m in runs]),
            "seconds": spread([m["train"]["seconds"] for m in runs]),
            "epochs": [m["train"]["epochs"] for m in runs],
            "seeds": given.seeds,
        }
        if given.tried is None:
            row |= {
                "test": spread([m["test"]["accuracy"] for m in runs]),
                "target": TARGETS[data],
                "baseline": runs[0]["baselines"][BASELINE]["accuracy"],
                "difference_intervals": [m["baselines"][BASELINE]["difference_interval"] for m in runs],
                "command": f"python -m benchmarks.classification --only {data} --seeds {seeds}",
            }
            rows[data] = row
            print(f"| {data} | {row['test']['mean']:.4f} | {row['baseline']:.4f} {row['difference_intervals']} |")
        else:
            rows.setdefault(given.tried or "defaults", {})[data] = row
        print(f"| {data} | {given.tried} | validation {row['validation']['mean']:.4f} |", flush=True)
        write(name, "python -m benchmarks.classification", {"rows": rows})


if __name__ == "__main__":
    main()
