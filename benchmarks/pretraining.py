"""The sentiment recipe from scratch and from language models of IMDb's unlabelled reviews.

    python -m benchmarks.pretraining --lm FOLDER [--directions forward] [--only imdb-500 sst2] [--seeds 0 1 2]

The language models are trained once, into FOLDER/forward and FOLDER/backward; the files of their runs say how long that
took. Each row compares the recipe with its defaults and the recipe with `--pretrained`, on the same examples.
`imdb-500` has 500 labelled reviews of train, 1,000 of validation and 5,000 of test. `--options` are those of the
pretrained training alone. Without `--test` the rows have figures of validation only.
"""

import argparse
import itertools
import json
import random
import tempfile
from pathlib import Path

import yaml

import seqtasks
from benchmarks.classification import BASELINE, without_test
from benchmarks.record import RESULTS, data_folder, spread, write
from seqtasks.data.sources import InMemorySource
from seqtasks.data.splits import Splits
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.training import Training
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe

DATA = ("imdb-500", "customer-reviews", "sst2", "imdb")
FEW = {"train": 500, "validation": 1000, "test": 5000}
MODEL = {
    "vocabulary": "word",
    "vocabulary_size": 30_000,
    "min_count": 1,
    "lowercase": True,
    "softmax": "adaptive",
    "stateful": True,
    "bptt_length": 64,
    "batch_size": 64,
    "epochs": 2,
    "learning_rate": 3e-3,
    "weight_decay": 0.0,
    "cell": "lstm",
    "units": 384,
    "layers": 1,
    "dimension": 192,
    "output_dropout": 0.1,
    "gradient_flow": False,
}


def language_model(folder, direction):
    """The run of a language model, trained if there is none, and what is told of it."""
    run = folder / direction
    if not (run / "metrics.json").is_file():
        imdb = data_folder() / "sentiment" / "imdb"
        held_out = imdb / "valid.csv.gz"
        splits = {"train": imdb / "unlabeled.csv.gz", "valid": held_out, "test": held_out}
        seqtasks.train("language_model", run=run, direction=direction, **splits, **MODEL)
    metrics = seqtasks.load_run(run).metrics
    told = {name: metrics["train"][name] for name in ("seconds", "epochs", "parameters")}
    return run, told | {name: metrics["validation"][name] for name in ("perplexity", "bits_per_character")}


def splits_of(recipe, config, data, test):
    """The splits of a data set, `imdb-500` being a part of `imdb`."""
    splits = dict(recipe.splits(config, data_folder() / "sentiment" / data.removesuffix("-500")))
    if data.endswith("-500"):
        for part, size in FEW.items():
            rows = list(splits[part])
            random.Random(0).shuffle(rows)
            splits[part] = InMemorySource(lambda rows=rows[:size]: iter(rows), part)
    return Splits(**splits) if test else without_test(splits)


def trained(data, seed, fields, test):
    """Metrics of one training."""
    recipe = load_recipe("sentiment")
    config = make_options(recipe.Config, {"seed": seed, "gradient_flow": False} | fields)
    splits = splits_of(recipe, config, data, test)
    with tempfile.TemporaryDirectory() as place:
        experiment = Experiment(recipe, config, {"data": f"in memory: {data}"}, splits)
        return Training(experiment, Path(place) / "run", "sentiment").start().metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lm", type=Path, required=True, help="folder of the runs of the language models")
    parser.add_argument("--directions", nargs="+", default=["forward"], choices=["forward", "backward"])
    parser.add_argument("--only", nargs="+", default=list(DATA), choices=DATA)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--options", nargs="*", default=[], help="of the pretrained training: pretrained_rate=0.1")
    parser.add_argument("--test", action="store_true", help="figures of test too")
    given = parser.parse_args()
    path = RESULTS / "pretraining.json"
    models = {direction: language_model(given.lm, direction) for direction in given.directions}
    options = {key: yaml.safe_load(value) for key, value in (item.split("=") for item in given.options)}
    kinds = {"scratch": {}, "pretrained": {"pretrained": ",".join(str(run) for run, _ in models.values()), **options}}
    for data in given.only:
        metrics = {kind: [] for kind in kinds}
        for seed, kind in itertools.product(given.seeds, kinds):
            metrics[kind].append(trained(data, seed, kinds[kind], given.test))
            print(data, seed, kind, metrics[kind][-1]["validation"]["accuracy"], flush=True)
        row = {"seeds": given.seeds, "directions": given.directions, "options": options}
        for kind, runs in metrics.items():
            row[kind] = {
                split: spread([m[split]["accuracy"] for m in runs])
                for split in ("validation", "test")[: 2 if given.test else 1]
            } | {name: spread([m["train"][name] for m in runs]) for name in ("seconds", "epochs")}
        if given.test:
            row["baseline"] = metrics["scratch"][0]["baselines"][BASELINE]["accuracy"]
        kept = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else {}
        told = {direction: model for direction, (_, model) in models.items()}
        command = "python -m benchmarks.pretraining --lm runs/imdb"
        write("pretraining", command, {"language_models": told, "rows": {**kept, data: row}})


if __name__ == "__main__":
    main()
