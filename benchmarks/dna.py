"""The dna recipe on splice junctions and promoters beside a support vector machine: mean and spread over seeds.

    python -m benchmarks.dna [--only splice ecoli arabidopsis] [--seeds 0 1 2]

Splice junctions: ten-fold cross-validation over all 3,190 sequences, the fold is the SHA-256 of the sequence (of the
smaller of its two strands) modulo 10, so that equal ones are together; a twentieth of the training part, by its hash
too, is the validation split: the folds of `seqtasks train dna --folds 10`. Promoters: split 80/10/10 by
`seqtasks.data.partition.part`. The machine is `seqtasks.dna.baselines.BaseSVM`, on the same sequences.
"""

import argparse
import csv
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np

import seqtasks
from benchmarks.record import data_folder, spread, write
from seqtasks.metrics import accuracy, bootstrap
from seqtasks.recipe import load_recipe

SPLICE = {"positions": 60, "linear": True, "substitution": 0.0, "r_drop": 0.0, "epochs": 15}
SPLICE |= {"ensemble_size": 6, "filters": 64, "units": 32}  # several small networks
PROMOTERS = {"ecoli": "Ecoli", "arabidopsis": "Arabidopsis"}


def number(text):
    recipe = load_recipe("dna")
    key = recipe.reads(recipe.Config()).group(text)
    return int(hashlib.sha256(key.encode()).hexdigest(), 16)


def splice(seed, rows):
    """Accuracy of each fold of the network and of the machine, and the paired interval over all sequences."""
    truth, ours, theirs, seconds = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(10):
            parts = {"train": [], "valid": [], "test": []}
            for row in rows:
                part = number(row[0])
                place = "test" if part % 10 == fold else "valid" if part // 10 % 20 == 0 else "train"
                parts[place].append(row)
            for place, found in parts.items():
                with open(f"{folder}/{place}.csv", "w", newline="") as file:
                    csv.writer(file).writerows([("sequence", "label"), *found])
            run = Path(folder) / f"run-{fold}"
            made = seqtasks.train("dna", data=folder, run=run, seed=seed, metric="accuracy", **SPLICE)
            seconds.append(made.metrics["train"]["seconds"])
            task, assets = made.predictor.task, made.assets
            sequences, labels = zip(*parts["test"], strict=True)
            truth.append(task.targets(assets, labels))
            ours.append(made.predictor.predict_batch(list(sequences))["scores"])
            known = [*parts["train"], *parts["valid"]]
            svm = seqtasks.dna.baselines.BaseSVM().fit(
                [s for s, _ in known], task.targets(assets, [label for _, label in known])
            )
            theirs.append(svm.predict_proba(sequences))
    each = lambda scores: [accuracy(*fold) for fold in zip(truth, scores, strict=True)]  # noqa: E731
    folds = {"network": each(ours), "svm": each(theirs)}
    truth, ours, theirs = (np.concatenate(parts) for parts in (truth, ours, theirs))
    return {
        "accuracy": float(np.mean(folds["network"])),
        "svm": float(np.mean(folds["svm"])),
        "pooled_difference_interval": bootstrap(accuracy, truth, ours, baseline=theirs),
        "folds": folds,
        "seconds_a_fold": spread(seconds),
    }


def promoters(seed, organism, folder):
    with tempfile.TemporaryDirectory() as run:
        metrics = seqtasks.train("dna", data=folder, run=Path(run) / "run", seed=seed).metrics
    test, svm, kmers = metrics["test"], *(metrics["baselines"][n] for n in ("one_hot_svm", "kmer_logistic_regression"))
    kept = {name: test[name] for name in ("mcc", "mcc_interval", "accuracy", "macro_f1", "roc_auc", "pr_auc")}
    return {
        **kept,
        "validation_mcc": metrics["validation"]["mcc"],
        "svm": svm["mcc"],
        "kmer_logistic_regression": kmers["mcc"],
        "difference_interval": svm["difference_interval"],
        "difference_to_kmers_interval": kmers["difference_interval"],
        "seconds": metrics["train"]["seconds"],
        "parameters": metrics["train"]["parameters"],
    }


def shared(folder, size=20):
    """The share of test sequences of each class that share `size` letters in a row with a training one of it."""
    recipe = load_recipe("dna")
    splits = recipe.splits(recipe.Config(), data=folder)
    pieces = lambda text: {text[i : i + size] for i in range(len(text) - size + 1)}  # noqa: E731
    seen, counts = {}, {}
    for example in splits.train:
        seen.setdefault(example.target, set()).update(pieces(example.input))
    for example in splits.test:
        counts.setdefault(example.target, []).append(not seen[example.target].isdisjoint(pieces(example.input)))
    return {label: float(np.mean(found)) for label, found in counts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[*PROMOTERS, "splice"], choices=[*PROMOTERS, "splice"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    source = data_folder() / "dna"
    for name in given.only:
        if name == "splice":
            rows = []
            for split in ("train", "valid", "test"):
                with open(source / "splice" / f"{split}.csv", newline="") as file:
                    rows += [tuple(row) for row in list(csv.reader(file))[1:]]
            extra, measure, figure = {}, lambda seed: splice(seed, rows), "accuracy"  # noqa: B023
        else:
            folder = Path(tempfile.mkdtemp())
            for file in (source / "promoters").glob(f"{PROMOTERS[name]}_*.fa"):
                (folder / file.name).write_bytes(file.read_bytes())
            extra = {"share_of_test_with_20_bases_of_train": shared(folder)}
            measure, figure = lambda seed: promoters(seed, name, folder), "mcc"  # noqa: B023
        began, each = time.perf_counter(), []
        for seed in given.seeds:
            each.append(measure(seed))
            print(name, seed, {k: v for k, v in each[-1].items() if k != "folds"}, flush=True)
            result = {figure: spread([e[figure] for e in each]), "svm": spread([e["svm"] for e in each])}
            result |= {"seconds_in_all": time.perf_counter() - began, **extra, "each": each}
            write(f"dna_{name}", f"python -m benchmarks.dna --only {name}", {"seeds": given.seeds, **result})


if __name__ == "__main__":
    main()
