"""Recipes with their defaults on parts of data sets, from few examples to many, beside the linear baselines.

    python -m benchmarks.sizes [--only sentiment ner] [--examples 50 500] [--seeds 0 1 2]

A part is the first examples of the shuffled training split. Test has up to 2,000 examples and validation up to 1,000,
likewise. Rows that were measured before stay in the file.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.record import RESULTS, data_folder, spread, write
from seqtasks.data.sources import InMemorySource
from seqtasks.data.splits import Splits
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.training import Training
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe

SIZES = {
    "sentiment/imdb": (50, 500, 5_000, 22_500),
    "sentiment/sst2": (50, 500, 6_920),
    "sentiment/trec6": (50, 500, 4_925),
    "ner/lener-pt": (50, 500, 5_000),
    "dna/splice": (50, 500, 2_535),
}
HELD_OUT = 2_000  # examples of test, at most; of validation half as many


def part(splits, examples):
    """The splits with so many examples in train."""

    def taken(name, count):
        rows = list(splits[name])
        random.Random(0).shuffle(rows)
        return InMemorySource(lambda: iter(rows[:count]), name)

    counts = {"train": examples, "validation": HELD_OUT // 2, "test": HELD_OUT}
    return Splits(**{name: taken(name, count) for name, count in counts.items()})


def measure(data, examples, seeds, **fields):
    """One row: the recipe's figures and the differences to its last baseline."""
    name, folder = data.split("/")
    recipe, runs = load_recipe(name), []
    for seed in seeds:
        config = make_options(recipe.Config, {"seed": seed, "gradient_flow": False} | fields)
        splits = part(dict(recipe.splits(config, data_folder() / name / folder)), examples)
        with tempfile.TemporaryDirectory() as place:
            experiment = Experiment(recipe, config, {"data": f"in memory: {data}"}, splits)
            runs.append((Training(experiment, Path(place) / "run", name).start().metrics, experiment.config))
    metric, (metrics, config) = runs[0][0]["metric"], runs[0]
    baseline = list(metrics["baselines"])[-1]
    return {
        "metric": metric,
        "validation": spread([m["validation"][metric] for m, _ in runs]),
        "test": spread([m["test"][metric] for m, _ in runs]),
        "baseline": {"name": baseline, metric: metrics["baselines"][baseline][metric]},
        "difference_intervals": [m["baselines"][baseline]["difference_interval"] for m, _ in runs],
        "seconds": spread([m["train"]["seconds"] for m, _ in runs]),
        "epochs": [m["train"]["epochs"] for m, _ in runs],
        "options": {n: getattr(config, n) for n in ("batch_size", "epochs", "evaluate_every", "patience", "warmup")},
        "seeds": list(seeds),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], help="recipes, or data as in sentiment/imdb")
    parser.add_argument("--examples", type=int, nargs="+", help="of the sizes; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    path = RESULTS / "sizes.json"
    rows = json.loads(path.read_text())["rows"] if path.is_file() else {}
    for data, sizes in SIZES.items():
        if given.only and not {data, data.split("/")[0]} & set(given.only):
            continue
        for examples in sizes:
            if given.examples and examples not in given.examples:
                continue
            seeds = " ".join(map(str, given.seeds))
            row = {"command": f"python -m benchmarks.sizes --only {data} --examples {examples} --seeds {seeds}"}
            row |= measure(data, examples, given.seeds)
            rows.setdefault(data, {})[str(examples)] = row
            figures = f"{row['test']['mean']:.4f} | {row['baseline'][row['metric']]:.4f} {row['difference_intervals']}"
            print(f"| {data} | {examples} | {figures} | {row['epochs']} | {row['seconds']['mean']:.0f} s |", flush=True)
            ordered = {d: dict(sorted(rows[d].items(), key=lambda item: int(item[0]))) for d in SIZES if d in rows}
            write("sizes", "python -m benchmarks.sizes", {"rows": ordered})


if __name__ == "__main__":
    main()
