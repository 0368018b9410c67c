"""The ner recipe on wikigold and WNUT-17 beside CRFsuite: strict span F1, mean and spread over seeds.

    python -m benchmarks.ner [--ablations] [--data wikigold wnut17] [--seeds 0 1 2]

CRFsuite (the extra `bench`) gets the usual features: word, affixes of two and three letters, shape, and these of two
neighbours on each side. The difference to it is resampled over the sentences of test, both systems on the same draws.
"""

import argparse
import tempfile
import time
from pathlib import Path

import seqtasks
from benchmarks.record import data_folder, spread, write

ABLATIONS = {
    "as it is: CRF, letters by convolution": {},
    "CRF, no letters": {"characters": "none"},
    "softmax, letters by convolution": {"head": "softmax"},
    "softmax, no letters": {"head": "softmax", "characters": "none"},
}
NEIGHBOURS = 2


def features(tokens):
    """What CRFsuite sees of each token of a sentence."""

    def own(token, offset):
        lower, shape = token.lower(), "".join("X" if c.isupper() else "x" if c.isalpha() else c for c in token)
        sides = {
            "W": token,
            "w": lower,
            "p2": lower[:2],
            "p3": lower[:3],
            "s2": lower[-2:],
            "s3": lower[-3:],
            "h": shape,
        }
        looks = {"upper": token.isupper(), "title": token.istitle(), "digit": token.isdigit()}
        return [f"{offset}:{name}={value}" for name, value in (sides | looks).items()]

    return [
        [
            "bias",
            *(f for o in range(-NEIGHBOURS, NEIGHBOURS + 1) if 0 <= i + o < len(tokens) for f in own(tokens[i + o], o)),
        ]
        + ["begin"] * (i == 0)
        + ["end"] * (i == len(tokens) - 1)
        for i in range(len(tokens))
    ]


class CRFsuite:
    """CRFsuite (L-BFGS, c1 = c2 = 0.1, 100 iterations) as a baseline of `seqtasks.ner.task.SpanTagging`."""

    def fit(self, inputs, tags):
        import pycrfsuite

        trainer = pycrfsuite.Trainer(verbose=False)
        trainer.set_params({"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True})
        for tokens, row in zip(map(split, inputs), tags, strict=True):
            spans = seqtasks.ner.tag_schemes.spans(row, "IOBES")
            trainer.append(features(tokens), seqtasks.ner.tag_schemes.write(spans, len(row), "IOB2"))
        with tempfile.TemporaryDirectory() as folder:
            trainer.train(f"{folder}/model")
            self.model = Path(f"{folder}/model").read_bytes()  # the tagger reads it where it lies
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open_inmemory(self.model)
        return self

    def predict(self, inputs):
        return [self.tagger.tag(features(split(text))) for text in inputs]


def split(text):
    return text.split(seqtasks.text.word_tokenizer.SEPARATOR)[1:]


def crfsuite(run, train, test):
    """(figures, evidence) of CRFsuite on the test split."""
    task, began = run.predictor.task, time.perf_counter()
    guess = task.baseline(run.assets, CRFsuite(), list(train))
    examples = list(test)
    targets, outputs = task.targets(run.assets, [e.target for e in examples]), guess(examples)
    return task.compute_metrics(run.assets, targets, outputs) | {
        "seconds": time.perf_counter() - began
    }, task.statistics(run.assets, targets, outputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ablations", action="store_true", help="all rows, not the first alone")
    parser.add_argument("--data", nargs="+", default=["wikigold", "wnut17"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    for data in given.data:
        measure(data, ABLATIONS if given.ablations else dict(list(ABLATIONS.items())[:1]), given)


def measure(data, variants, given):
    from seqtasks.engine.evaluation import evaluate
    from seqtasks.metrics import bootstrap
    from seqtasks.ner.metrics import span_f1

    rows, rival = {}, None
    for title, fields in variants.items():
        runs, intervals = [], []
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as folder:
                source = data_folder() / "ner" / data
                run = seqtasks.train("ner", data=source, run=Path(folder) / "run", seed=seed, **fields)
                splits = dict(run.splits())
                rival = rival or crfsuite(run, splits["train"], splits["test"])
                evidence = evaluate(run.predictor, splits["test"])[1]
                intervals.append(bootstrap(span_f1, *evidence, baseline=rival[1][1]))
                runs.append(run.metrics)
        rows[title] = {
            "validation": spread([m["validation"]["f1"] for m in runs]),
            "test": spread([m["test"]["f1"] for m in runs]),
            "precision": spread([m["test"]["precision"] for m in runs]),
            "recall": spread([m["test"]["recall"] for m in runs]),
            "seconds": spread([m["train"]["seconds"] for m in runs]),
            "taken_from_o": [m["train"]["taken_from_o"] for m in runs],
            "parameters": runs[0]["train"]["parameters"],
            "window_logistic_regression": runs[0]["baselines"]["window_logistic_regression"]["f1"],
            "difference_to_crfsuite_intervals": intervals,
        }
        row = rows[title]
        figures = " | ".join(f"{row[n]['mean']:.4f} ± {row[n]['sd']:.4f}" for n in ("validation", "test"))
        print(f"| {data}: {title} | {figures} | {row['seconds']['mean']:.0f} s | {intervals}", flush=True)
        command = f"python -m benchmarks.ner{' --ablations' * (len(variants) > 1)} --data {data}"
        write(f"ner_{data}", command, {"seeds": given.seeds, "crfsuite": rival[0], "rows": rows})


if __name__ == "__main__":
    main()
