"""The sentiment recipe on SST-2 sentences: mean and spread over seeds, with and without each of its parts.

python -m benchmarks.sentiment [--ablations] [--seeds 0 1 2]
"""

import argparse
import tempfile
from pathlib import Path

import seqtasks
from benchmarks.record import data_folder, spread, write

ABLATIONS = {
    "as it is": {},
    "without agreement of two passes": {"r_drop": 0.0},
    "without affixes": {"affixes": 0},
    "without averaged weights": {"ema_momentum": 0.0},
    "without dropout of words": {"unk_dropout": 0.0, "word_dropout": 0.0},
    "without dropout of embeddings": {"embedding_dropout": 0.0},
    "max pooling alone": {"pooling": ["max"]},
    "with attention": {"pooling": ["max", "mean", "attention"]},
    "GRU": {"cell": "gru"},
    "simple RNN": {"cell": "simple_rnn"},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ablations", action="store_true", help="all rows, not the first alone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    rows = {}
    for title, fields in ABLATIONS.items() if given.ablations else [next(iter(ABLATIONS.items()))]:
        runs = []
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as folder:
                run = Path(folder) / "run"
                data = data_folder() / "sentiment" / "sst2"
                runs.append(seqtasks.train("sentiment", data=data, run=run, seed=seed, **fields).metrics)
        rows[title] = {
            "validation": spread([m["validation"]["accuracy"] for m in runs]),
            "test": spread([m["test"]["accuracy"] for m in runs]),
            "seconds": spread([m["train"]["seconds"] for m in runs]),
            "parameters": runs[0]["train"]["parameters"],
            "baseline": runs[0]["baselines"]["tfidf_logistic_regression"]["accuracy"],
            "difference_intervals": [m["baselines"]["tfidf_logistic_regression"]["difference_interval"] for m in runs],
        }
        row = rows[title]
        print(
            f"| {title} | {row['validation']['mean']:.4f} ± {row['validation']['sd']:.4f} "
            f"| {row['test']['mean']:.4f} ± {row['test']['sd']:.4f} | {row['seconds']['mean']:.0f} |",
            flush=True,
        )
        name = "sentiment" if len(rows) == 1 else "sentiment_ablations"  # the first row is both
        command = f"python -m benchmarks.sentiment{' --ablations' * (len(rows) > 1)}"
        write(name, command, {"seeds": given.seeds, "rows": rows})


if __name__ == "__main__":
    main()
