"""Fine-tuning beside training from scratch, on small sets of six recipes.

    python -m benchmarks.transfer [--only sst2-imdb ...] [--seeds 0 1 2] [--bases FOLDER]

Each pair has a base run, trained once, and a small set of another kind. The recipe is trained on the small set alone
and fine-tuned on it from the base run, with the same validation and test splits; the interval is that of the paired
difference on test. `--bases` keeps the base runs, so that they are trained once.

    sst2-imdb: sentences of films with two classes -> 500 whole reviews with 1 to 10 stars, as ordered classes
    wikigold-wnut17: encyclopedia, four types -> 500 sentences of users, six other types
    multi30k: pairs without eight words (dog, snow, ...) and their forms -> 1,000 pairs that have them
    fsdd: five speakers -> 50 recordings of the sixth
    promoters: Arabidopsis -> 200 sequences of E. coli
    pop909-jsb: songs for the piano -> chorales of Bach, in frames of a quarter note
"""

import argparse
import csv
import gzip
import json
import random
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

import seqtasks
from benchmarks.dna import number
from benchmarks.record import RESULTS, data_folder, spread, write
from benchmarks.speech import corpus
from seqtasks.engine.evaluation import evaluate

SAMPLES = 1000  # draws of the bootstrap
HELD_OUT = 1000  # examples of test, at most
NEW_WORDS = re.compile(r"\b(dog|snow|guitar|bike|water|horse|boat|beach)", re.IGNORECASE)


def table(path, rows, head, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([head, *rows])


def imdb(folder):
    """500 reviews with stars, 250 for validation."""
    for split, size in (("train", 500), ("valid", 250), ("test", HELD_OUT)):
        with gzip.open(data_folder() / "sentiment" / "imdb" / f"{split}.csv.gz", "rt", encoding="utf-8") as file:
            rows = [(row["text"], row["stars"]) for row in csv.DictReader(file)]
        random.Random(0).shuffle(rows)
        table(folder / f"{split}.csv", rows[:size], ("text", "stars"))


def wnut17(folder):
    """The first 500 sentences."""
    source = data_folder() / "ner" / "wnut17"
    for split in ("train", "dev", "test"):
        sentences = (source / f"{split}.conll").read_text("utf-8").strip().split("\n\n")
        kept = sentences[:500] if split == "train" else sentences
        (folder / f"{split}.conll").write_text("\n\n".join(kept) + "\n", "utf-8")


def sentences(folder, new):
    """Pairs of Multi30k that have the new words, 1,000 in train, or those that have none of them."""
    source = data_folder() / "translation" / "multi30k-en-de"
    for split in ("train", "valid", "test"):
        both = zip(*((source / f"{split}.{s}").read_text("utf-8").splitlines() for s in ("en", "de")), strict=True)
        pairs = [pair for pair in both if bool(NEW_WORDS.search(pair[0])) == new]
        for side, language in enumerate(("en", "de")):
            lines = [pair[side] for pair in pairs[: 1000 if new and split == "train" else None]]
            (folder / f"{split}.{language}").write_text("\n".join(lines) + "\n", "utf-8")


def recordings(folder, sixth, name="theo"):
    """Recordings of one speaker, 50 in train and 50 in validation, or those of the five others."""
    rows = [(path, text) for path, text, _ in corpus() if (Path(path).stem.split("_")[1] == name) == sixth]
    random.Random(0).shuffle(rows)
    held = 50 if sixth else 200
    splits = {"valid": rows[:held], "test": rows[held : 2 * held], "train": rows[2 * held :]}
    if sixth:
        splits = {"valid": rows[:held], "train": rows[held : held + 50], "test": rows[held + 50 :]}
    for split, kept in splits.items():
        table(folder / f"{split}.tsv", kept, ("path", "text"), "\t")


def promoters(folder, organism, examples=None):
    """Sequences with their class; which are held out follows from the hash of the sequence."""
    splits = {"train": [], "valid": [], "test": []}
    for file in sorted((data_folder() / "dna" / "promoters").glob(f"{organism}_*.fa")):
        label = "other" if "non_prom" in file.name else "promoter"
        for record in file.read_text().split(">")[1:]:
            sequence = "".join(record.split("\n")[1:])
            part = number(sequence) % 10
            splits["test" if part < 2 else "valid" if part == 2 else "train"].append((sequence, label))
    random.Random(0).shuffle(splits["train"])
    splits["train"] = splits["train"][:examples]
    for split, rows in splits.items():
        table(folder / f"{split}.csv", rows, ("sequence", "label"))


def pop909(folder):
    for file in (data_folder() / "music" / "pop909").rglob("*.mid"):
        shutil.copy(file, folder)


def chorales(folder):
    shutil.copy(data_folder() / "music" / "jsb-chorales" / "jsb-chorales-quarter.json", folder)


def sst2(folder):
    for file in (data_folder() / "sentiment" / "sst2").glob("*.tsv"):
        shutil.copy(file, folder)


def wikigold(folder):
    for file in (data_folder() / "ner" / "wikigold").glob("*.conll"):
        shutil.copy(file, folder)


LANGUAGES = {"source_language": "en", "target_language": "de", "vocabulary": "word"}
SPEECH = {"sample_rate": 8000, "mels": 40, "units": 128, "layers": 2, "masks": 1, "learning_rate": 3e-3}
PAIRS = {  # recipe, base data, its options, small data, options of both trainings on it
    "sst2-imdb": ("sentiment", sst2, {}, imdb, {"label_column": "stars", "text_column": "text", "target": "ordinal"}),
    "wikigold-wnut17": ("ner", wikigold, {}, wnut17, {}),
    "multi30k": ("translation", lambda f: sentences(f, False), LANGUAGES, lambda f: sentences(f, True), LANGUAGES),
    "fsdd": ("speech", lambda f: recordings(f, False), SPEECH | {"epochs": 20}, lambda f: recordings(f, True), SPEECH),
    "promoters": (
        "dna",
        lambda f: promoters(f, "Arabidopsis"),
        {},
        lambda f: promoters(f, "Ecoli", 200),
        {},
    ),
    "pop909-jsb": ("music", pop909, {"step": 1}, chorales, {"step": 1}),
}


def difference_interval(metric, ours, theirs, seed=0):
    """The interval of the paired difference of two systems' metrics on the same examples."""
    draw, count, values = np.random.default_rng(seed), len(ours[-1]), []
    for _ in range(SAMPLES):
        rows = draw.integers(count, size=count)
        values.append(metric(*(a[rows] for a in ours)) - metric(*(a[rows] for a in theirs)))
    return [float(bound) for bound in np.nanquantile(values, [0.025, 0.975])]


def base_run(name, folder, limit):
    """The base run of a pair, trained if the folder has none."""
    recipe, make, options, *_ = PAIRS[name]
    run, data = folder / name, folder / f"{name}-data"
    if (run / "metrics.json").is_file():
        return seqtasks.load_run(run)
    data.mkdir(parents=True, exist_ok=True)
    make(data)
    return seqtasks.train(recipe, data, run, seed=0, gradient_flow=False, overwrite=True, time_limit=limit, **options)


def measured(run):
    """Validation and test figures of a run, and the statistics of test."""
    figures, statistics, _ = evaluate(run.predictor, run.splits().test)
    metric = run.metrics["metric"]
    return run.metrics["validation"][metric], figures[metric], statistics


def compare(name, bases, seeds, limit, tuning):
    """One row: figures from scratch and fine-tuned, over seeds."""
    recipe, *_, make, options = PAIRS[name]
    base = base_run(name, bases, limit)
    found = {"scratch": [], "finetuned": []}
    intervals, seconds = [], {"scratch": [], "finetuned": []}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            (place / "data").mkdir()
            make(place / "data")
            given = {"seed": seed, "gradient_flow": False, **options}
            scratch = seqtasks.train(recipe, place / "data", place / "scratch", **given)
            tuned = seqtasks.finetune(base.directory, place / "data", place / "tuned", **given | tuning)
            statistics = []
            for kind, run in (("scratch", scratch), ("finetuned", tuned)):
                *figures, kept = measured(run)
                found[kind].append(figures)
                statistics.append(kept)
                seconds[kind].append(run.metrics["train"]["seconds"])
            metric = tuned.metrics["metric"]
            function = tuned.predictor.task.metrics[metric]
            intervals.append(difference_interval(function, statistics[1], statistics[0]))
            print(name, seed, metric, {kind: each[-1] for kind, each in found.items()}, intervals[-1], flush=True)
    row = {"recipe": recipe, "metric": metric, "seeds": seeds, "examples": scratch.metrics["train"]["examples"]}
    for kind, each in found.items():
        validation, test = zip(*each, strict=True)
        row[kind] = {"validation": spread(validation), "test": spread(test), "seconds": spread(seconds[kind])}
    base_metrics = {n: base.metrics["train"][n] for n in ("examples", "seconds", "epochs")}
    return row | {"tuning": tuning, "difference_intervals": intervals, "base": base_metrics}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(PAIRS), choices=PAIRS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--bases", type=Path, help="folder of the base runs")
    parser.add_argument("--base_limit", type=float, help="seconds that a base run trains, at most")
    parser.add_argument(
        "--tuning", nargs="*", default=[], help="options of the fine-tuning alone, as learning_rate=1e-4"
    )
    given = parser.parse_args()
    path = RESULTS / "transfer.json"
    tuning = {name: float(value) for name, value in (item.split("=") for item in given.tuning)}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only:
            row = compare(name, given.bases or Path(folder), given.seeds, given.base_limit, tuning)
            rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else {}
            row["command"] = " ".join(
                ["python -m benchmarks.transfer --only", name, "--seeds", *map(str, given.seeds)]
                + ["--tuning", *given.tuning] * bool(given.tuning)
            )
            write("transfer", "python -m benchmarks.transfer", {"rows": {**rows, name: row}})


if __name__ == "__main__":
    main()
