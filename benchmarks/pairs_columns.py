"""Pairs of texts, and columns beside a text: the sentiment recipe and the linear baseline on made sets.

The texts are questions of TREC, sentences of SST-2 and templates; what a pair or a column means is made, so that the
best possible answer is known.

python -m benchmarks.pairs_columns [--only NAME ...] [--seeds 0 1]
"""

import argparse
import csv
import json
import random
import tempfile
from pathlib import Path

import seqtasks
from benchmarks.record import RESULTS, data_folder, spread, write

GOOD = ("bright", "gentle", "warm", "funny", "clever", "lovely", "fresh", "moving")
BAD = ("clumsy", "muddy", "grey", "loud", "stale", "bitter", "dull", "weak")
THINGS = ("film", "shop", "soup", "song", "book", "hotel")
SIZES = {"train": 2000, "valid": 300, "test": 1000}
BASELINE = "tfidf_logistic_regression"
OPTIONS = {"units": 32, "r_drop": 0.0, "gradient_flow": False}


def texts(name, split):
    """[(text, label)] of one of the public data sets."""
    folder = data_folder() / "sentiment" / name
    path = next(p for p in folder.iterdir() if p.name.split(".")[0] in (split, {"valid": "dev"}.get(split)))
    with path.open(newline="") as file:
        tabs = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
        rows = [tuple(row) for row in csv.reader(file, **tabs)]
    return rows[rows[0] == ("text", "label") :]


def same_class(draws, split, count):
    """Whether two questions of TREC are of one class."""
    known = texts("trec6", split)
    by_class = {}
    for text, label in known:
        by_class.setdefault(label, []).append(text)
    for number in range(count):
        first, label = draws.choice(known)
        others = [t for name, found in by_class.items() if name != label for t in found]
        second = draws.choice(by_class[label] if number % 2 else others)
        yield {"first": first, "second": second, "label": "same" if number % 2 else "other"}


def paraphrase(draws, split, count):
    """Whether a text is a sentence of SST-2 with a third of its words left out and the others in another order."""
    known = [text for text, _ in texts("sst2", split) if len(text.split()) > 6]
    for number in range(count):
        first, other = draws.sample(known, 2)
        words = (first if number % 2 else other).split()
        kept = draws.sample(words, 2 * len(words) // 3)
        yield {"first": first, "second": " ".join(kept), "label": "yes" if number % 2 else "no"}


def entailment(draws, split, count):
    """Whether "it was good" or "it was bad" follows from a description."""
    for number in range(count):
        good, claim = draws.random() < 0.5, draws.random() < 0.5
        one, two = draws.sample(GOOD if good else BAD, 2)
        first = f"The {draws.choice(THINGS)} number {number} was {one} and {two}"
        yield {
            "first": first, "second": f"It was {'good' if claim else 'bad'}", "label": "yes" if good == claim else "no"
        }  # fmt: skip


def columns_alone(draws, split, count):
    """The label follows from a number, which must be in an interval, and a category; the text is noise."""
    noise = " ".join(text for text, _ in texts("sst2", split)[:300]).split()
    for _ in range(count):
        age, country = draws.randint(10, 80), draws.choice(("at", "be", "ch"))
        yes = (30 < age < 55) != (country == "be")
        text = " ".join(draws.choices(noise, k=10))
        yield {"text": text, "age": age, "country": country, "label": "yes" if yes else "no"}


def sentence_and_column(draws, split, count):
    """Sentences of SST-2 whose label is turned round where a column says that they are ironic."""
    for text, label in draws.sample(known := texts("sst2", split), min(count, len(known))):
        ironic = draws.random() < 0.4
        positive = (label == "1") != ironic
        yield {"text": text, "ironic": "yes" if ironic else "no", "label": "positive" if positive else "negative"}


def template_and_column(draws, split, count):
    """The same of descriptions by templates."""
    for number in range(count):
        good, ironic = draws.random() < 0.5, draws.random() < 0.4
        one, two = draws.sample(GOOD if good else BAD, 2)
        text = f"The {draws.choice(THINGS)} number {number} was {one} and {two}"
        yield {"text": text, "ironic": "yes" if ironic else "no", "label": "positive" if good != ironic else "negative"}


PAIRS = {"text_column": "first,second"}
SETS = {
    "same class of question": (same_class, PAIRS),
    "paraphrase": (paraphrase, PAIRS),
    "entailment": (entailment, PAIRS),
    "columns alone": (columns_alone, {"columns": "age,country"}),
    "template and column": (template_and_column, {"columns": "ironic"}),
    "sentence and column": (sentence_and_column, {"columns": "ironic"}),
}


def measured(title, seed, folder):
    make, options = SETS[title]
    files = {}
    for split, count in SIZES.items():
        files[split] = folder / f"{split}.jsonl"
        rows = make(random.Random(f"{seed} {split}"), split, count)
        files[split].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return seqtasks.train("sentiment", run=folder / "run", seed=seed, **files, **OPTIONS, **options).metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    path = RESULTS / "pairs_columns.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    for title in given.only:
        runs = []
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measured(title, seed, Path(folder)))
        baselines = [m["baselines"][BASELINE] for m in runs]
        rows[title] = {
            "validation": spread([m["validation"]["accuracy"] for m in runs]),
            "test": spread([m["test"]["accuracy"] for m in runs]),
            "baseline": spread([b["accuracy"] for b in baselines]),
            "difference_intervals": [b["difference_interval"] for b in baselines],
            "majority": spread([m["baselines"]["majority"]["accuracy"] for m in runs]),
            "seconds": spread([m["train"]["seconds"] for m in runs]),
        }
        print(title, {n: v["mean"] for n, v in rows[title].items() if "mean" in v}, flush=True)
        setup = {"seeds": given.seeds, "sizes": SIZES, "options": OPTIONS, "rows": rows}
        write("pairs_columns", "python -m benchmarks.pairs_columns", setup)


if __name__ == "__main__":
    main()
