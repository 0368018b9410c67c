"""Targets other than classes: stars of reviews as ordered classes and as numbers; several labels of texts and of DNA.

python -m benchmarks.targets [--only stars topics motifs] [--targets ordinal] [--seeds 0 1 2]

`stars`: the first 100 words of 2,000 reviews of IMDb with 1 to 10 stars; 400 more are for validation, 1,000 for test.
`topics`: texts of one to three questions of TREC; the labels are the kinds of these questions.
`motifs`: random DNA with up to three of six motifs of ten bases, each with a substitution; the labels are these motifs.
"""

import argparse
import csv
import gzip
import json
import random
import tempfile
from pathlib import Path

import numpy as np

import seqtasks
from benchmarks.record import RESULTS, data_folder, spread, write

MOTIFS = 6
SIZES = {"train": 2000, "valid": 400, "test": 1000}
LONG = {"epochs": 16, "batch_size": 32, "learning_rate": 2e-3}  # 2,000 texts are few for the epochs of the recipe
METRICS = {
    "class": ("accuracy", "mae"),
    "ordinal": ("mae", "rmse", "quadratic_kappa", "spearman", "accuracy"),
    "number": ("mae", "rmse", "r2", "spearman"),
    "labels": ("micro_f1", "macro_f1", "mean_average_precision", "hamming_loss", "subset_accuracy"),
}


def stars():
    """Rows (text, stars) of each split, the first ones of a shuffled file."""
    found = {}
    for split, size in SIZES.items():
        with gzip.open(data_folder() / "sentiment" / "imdb" / f"{split}.csv.gz", "rt", encoding="utf-8") as file:
            rows = [(row["text"], row["stars"]) for row in csv.DictReader(file)]
        random.Random(0).shuffle(rows)
        found[split] = rows[:size]
    return found


def topics():
    """Texts of one to three questions, and the kinds of these."""
    found = {}
    for seed, (split, size) in enumerate(SIZES.items()):
        draw = random.Random(seed)
        with open(data_folder() / "sentiment" / "trec6" / f"{split}.csv", encoding="utf-8") as file:
            rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
        drawn = [draw.choices(rows, k=draw.randint(1, 3)) for _ in range(size)]
        found[split] = [(" ".join(t for t, _ in some), sorted({label for _, label in some})) for some in drawn]
    return found


def motifs():
    """Random sequences of 120 bases, and the motifs in them."""
    draw = random.Random(0)
    known = {f"motif{n}": "".join(draw.choices("ACGT", k=10)) for n in range(MOTIFS)}
    found = {}
    for split, size in SIZES.items():
        rows = []
        for _ in range(size):
            bases, labels = draw.choices("ACGT", k=120), draw.sample(sorted(known), draw.randint(0, 3))
            for label, place in zip(labels, draw.sample(range(0, 110, 10), len(labels)), strict=True):
                motif = list(known[label])
                motif[draw.randrange(10)] = draw.choice("ACGT")
                bases[place : place + 10] = motif
            rows.append(("".join(bases), sorted(labels)))
        found[split] = rows
    return found


def case(name):
    """(recipe, data, targets, options) of a part of the benchmark."""
    columns = {"text_column": "1", "label_column": "2"}
    if name == "stars":
        return "sentiment", stars(), ("ordinal", "number", "class"), {**columns, **LONG, "epochs": 8, "max_length": 100}
    if name == "topics":
        return "sentiment", topics(), ("labels",), {**columns, **LONG}
    return "dna", motifs(), ("labels",), {"sequence_column": "1", "label_column": "2", "positions": 0}


def figures(run, target):
    """The metrics of the network on test and validation, and of its strongest baseline, with the paired interval."""
    metrics = run.metrics
    name, rival = list(metrics["baselines"].items())[-1] if target != "class" else list(metrics["baselines"].items())[1]
    test, validation = metrics["test"], metrics["validation"]
    if target == "class":  # the mean absolute error of the classes, from their confusion matrix
        values = np.array([float(label) for label in test["labels"]])
        distances = abs(values[:, None] - values)
        test, validation, rival = (
            m
            | ({"mae": float((distances * m["confusion"]).sum() / np.sum(m["confusion"]))} if "confusion" in m else {})
            for m in (test, validation, rival)
        )
    return {
        "metric": metrics["metric"],
        "test": {n: test[n] for n in METRICS[target]},
        "validation": {n: validation[n] for n in METRICS[target]},
        "interval": test[f"{metrics['metric']}_interval"],
        "baseline": {"name": name} | {n: rival.get(n) for n in METRICS[target]},
        "difference_interval": rival["difference_interval"],
        "threshold": metrics["train"].get("threshold"),
        **{n: metrics["train"][n] for n in ("epochs", "best_epoch", "seconds")},
        "parameters": metrics["train"]["parameters"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["stars", "topics", "motifs"])
    parser.add_argument("--targets", nargs="+", help="only these targets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    path = RESULTS / "targets.json"
    for name in given.only:
        recipe, data, targets, fields = case(name)
        for target in given.targets or targets:
            each = []
            for seed in given.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    options = {**fields, "target": target, "seed": seed, "gradient_flow": False}
                    run = seqtasks.train(recipe, data, Path(folder) / "run", **options)
                    each.append(figures(run, target))
                rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else {}
                rows[f"{name} {target}"] = {
                    "seeds": given.seeds[: len(each)],
                    "examples": {split: len(part) for split, part in data.items()},
                    "test": {n: spread([e["test"][n] for e in each]) for n in METRICS[target]},
                    "validation": {n: spread([e["validation"][n] for e in each]) for n in METRICS[target]},
                    "runs": each,
                }
                shown = {n: round(v, 4) for n, v in each[-1]["test"].items()}
                print(name, target, seed, shown, each[-1]["baseline"], each[-1]["difference_interval"], flush=True)
                write("targets", "python -m benchmarks.targets", {"rows": rows})


if __name__ == "__main__":
    main()
