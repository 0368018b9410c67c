"""Pretrained word vectors: sentiment and ner without and with GloVe, by how the vectors learn.

    python -m benchmarks.vectors --vectors glove.6B.100d.txt [--only sst2 wikigold] [--variants frozen] [--seeds 0]

Variants are compared on validation alone. `--test` adds the figures of test, for the variant that was chosen.
"""

import argparse
import json
import tempfile
from pathlib import Path

import seqtasks
from benchmarks.record import RESULTS, data_folder, spread, write

DATA = {"sst2": "sentiment", "customer-reviews": "sentiment", "mpqa": "sentiment", "wikigold": "ner", "wnut17": "ner"}
VARIANTS = {
    "none": None,  # the recipe without vectors
    "default": {},
    "frozen": {"vectors_rate": 0.0},
    "a tenth": {"vectors_rate": 0.1},
    "tuned": {"vectors_rate": 1.0},
    "words of train alone": {"vectors_words": 0},
    "with n-grams": {"ngrams": 2},
    "without affixes": {"affixes": 0},
    "rate of 0.001": {"learning_rate": 1e-3},
    "dropout as without": {"unk_dropout": "as without", "embedding_dropout": "as without"},
}


def options(variant, vectors, config):
    """The fields of a variant."""
    if VARIANTS[variant] is None:
        return {}
    fields = {
        name: getattr(config, name) if value == "as without" else value for name, value in VARIANTS[variant].items()
    }
    return {"vectors": vectors, **fields}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="a file of GloVe")
    parser.add_argument("--only", nargs="+", default=list(DATA), choices=DATA)
    parser.add_argument("--variants", nargs="+", default=["none", "default"], choices=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test", action="store_true", help="also write the figures of test")
    given = parser.parse_args()
    path = RESULTS / "vectors.json"
    for name in given.only:
        recipe = seqtasks.recipe.load_recipe(DATA[name])
        for variant in given.variants:
            each = []
            for seed in given.seeds:
                fields = options(variant, given.vectors, recipe.settle(recipe.Config()))
                with tempfile.TemporaryDirectory() as folder:
                    data = data_folder() / DATA[name] / name
                    run = seqtasks.train(
                        DATA[name], data, Path(folder) / "run", seed=seed, gradient_flow=False, **fields
                    )
                    each.append(run.metrics)
                metric = each[0]["metric"]
                splits = ("validation", "test") if given.test else ("validation",)
                row = {split: spread([m[split][metric] for m in each]) for split in splits}
                row |= {n: spread([m["train"][n] for m in each]) for n in ("best_epoch", "epochs", "seconds")}
                rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else {}
                old = rows.setdefault(name, {}).get(variant, {})
                told = {
                    "metric": metric,
                    "seeds": given.seeds[: len(each)],
                    "parameters": each[0]["train"]["parameters"],
                }
                rows[name][variant] = (old if old.get("seeds") == told["seeds"] else {}) | told | row
                print(name, variant, seed, {s: round(row[s]["each"][-1], 4) for s in splits}, flush=True)
                write("vectors", "python -m benchmarks.vectors --vectors glove.6B.100d.txt", {"rows": rows})


if __name__ == "__main__":
    main()
