"""The translation recipe on Multi30k, English to German: BLEU, what its parts give, and its speed beside PyTorch.

    python -m benchmarks.translation [--only quality ablations sample speed] [--seeds 0 1 2]

`quality` trains the recipe as it is, once for each seed, and measures it with several widths of the beam. `ablations`
trains it with one thing changed each time. `sample` trains it on the built-in dates. `speed` gives the recipe's model
and `benchmarks.torch_translation` of the same sizes the same batches, in turns, and lets both translate the test split
in turns; words are those of the files, between spaces. There the recipe reads and writes texts, PyTorch numbers alone.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import seqtasks
from benchmarks.record import data_folder, spread, write

LANGUAGES = {"source_language": "en", "target_language": "de"}
FIGURES = ("bleu_lower_tokenized", "bleu", "chrf")
BEAMS = (1, 5, 10)
ABLATIONS = {
    "as it is": {},
    "without attention": {"attention": "none"},
    "words": {"vocabulary": "word", "vocabulary_size": 8000},
    "additive attention": {"attention": "additive"},
    "without input feeding": {"input_feeding": False},
}
ROUNDS, STEPS = 4, 90  # of training, each round for one and then for the other


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["quality", "ablations", "sample", "speed"])
    parser.add_argument("--rows", nargs="+", default=list(ABLATIONS), help="of the ablations")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    if "quality" in given.only:
        row = trained({}, given.seeds)
        write("translation_multi30k", "python -m benchmarks.translation --only quality", {"seeds": given.seeds} | row)
    if "ablations" in given.only:
        rows = {name: trained(ABLATIONS[name], given.seeds[:1]) for name in given.rows}
        write("translation_ablations", "python -m benchmarks.translation --only ablations", {"rows": rows})
    if "sample" in given.only:
        write("translation_sample", "python -m benchmarks.translation --only sample", sample(given.seeds))
    if "speed" in given.only:
        write("translation_speed", "python -m benchmarks.translation --only speed", speed())


def trained(fields, seeds):
    """Figures of the recipe with some options changed, over seeds."""
    tests, trains, validations, signature = {beam: [] for beam in BEAMS}, [], [], None
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            data = data_folder() / "translation" / "multi30k-en-de"
            run = seqtasks.train("translation", data=data, run=Path(folder) / "run", seed=seed, **LANGUAGES, **fields)
            for beam in BEAMS:
                tests[beam].append(run.with_options(beam_width=beam).evaluate())
            trains.append(run.metrics["train"])
            validations.append(run.metrics["validation"])
            signature = run.metrics["test"]["bleu_signature"], run.metrics["test"]["chrf_signature"]
            print(fields, seed, {b: round(t[-1]["bleu_lower_tokenized"], 2) for b, t in tests.items()}, flush=True)
    return {
        "options": fields,
        "test": {f"beam {b}": {f: spread([t[f] for t in found]) for f in FIGURES} for b, found in tests.items()},
        "validation": {figure: spread([v[figure] for v in validations]) for figure in FIGURES},
        "seconds": spread([t["seconds"] for t in trains]),
        "best_epochs": [t["best_epoch"] for t in trains],
        "parameters": trains[0]["parameters"],
        "translation_seconds": {f"beam {b}": [t["seconds"] for t in found] for b, found in tests.items()},
        "signatures": signature,
    }


def sample(seeds):
    """Dates in many languages to ISO 8601: the share of the held-out tenth that is right, and the seconds in all."""
    exact, seconds = [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            run = seqtasks.train("translation", run=Path(folder) / "run", seed=seed)
            seconds.append(time.perf_counter() - began)
            exact.append(run.metrics["test"]["exact_match"])
            print("dates", seed, exact[-1], f"{seconds[-1]:.0f} s", flush=True)
    return {"seeds": seeds, "exact_match": spread(exact), "seconds": spread(seconds)}


def speed():
    """Training and translation in turns, the recipe's model and PyTorch's on the same batches."""
    import tensorflow as tf
    import torch

    from benchmarks import torch_translation as other
    from seqtasks.engine.experiment import Experiment
    from seqtasks.engine.loop import fit
    from seqtasks.engine.predictor import Predictor
    from seqtasks.options import make_options
    from seqtasks.recipe import load_recipe

    recipe = load_recipe("translation")
    config = make_options(recipe.Config, LANGUAGES | {"schedule": "constant", "ema_momentum": 0.0})
    data = str(data_folder() / "translation" / "multi30k-en-de")
    experiment = Experiment(recipe, config, {"data": data})
    prepared = experiment.prepare()
    (sources, _), assets, batches, model = prepared.data, prepared.assets, prepared.batches, prepared.model
    theirs = other.Translator(
        *(len(assets[side]) for side in ("source", "target")),
        dimension=config.dimension, units=config.units, encoder_units=config.units, dropout=config.output_dropout,
    )  # fmt: skip
    optimizer = torch.optim.Adam(theirs.parameters(), lr=config.learning_rate)

    def inputs(features, targets, weight, index):
        features = experiment.task.add_decoder_inputs(features, targets)
        return {i.name: features[i.name] for i in model.inputs}, targets, weight

    words = np.array([len(e.input.split()) + len(e.target.split()) for e in sources["train"]])
    taken = {"seqtasks": [], "torch": []}
    for turn in range(ROUNDS):
        epoch, start = divmod(turn * STEPS, len(batches))
        steps = min(STEPS, len(batches) - start)
        dataset = batches.epoch(config.seed, epoch, start).take(steps)
        held = [(x["source"].numpy(), x["decoder_inputs"].numpy(), y.numpy()) for x, y, _ in dataset.map(inputs)]
        tokens = sum(int((y >= 0).sum()) for *_, y in held)
        began = time.perf_counter()
        fit(model, dataset.map(inputs), steps)
        taken["seqtasks"].append((time.perf_counter() - began) / tokens)
        began = time.perf_counter()
        other.train_epoch(theirs, optimizer, held, config.label_smoothing, config.clip_norm)
        taken["torch"].append((time.perf_counter() - began) / tokens)
        print("training", turn, {name: t[-1] * 1e6 for name, t in taken.items()}, "us a token", flush=True)
    target_tokens = sum(
        len(row) + 1 for row in assets["target"].encode(tf.constant([e.target for e in sources["train"]]))
    )
    ratio = words.sum() / target_tokens
    result = {"training": _compared({n: [ratio / t for t in each[1:]] for n, each in taken.items()})}

    predictor, test = Predictor(recipe, config, assets, model), [e.input for e in sources["test"]]
    features = assets["source"].encode(tf.constant(test))
    features = tf.concat([features, tf.fill([features.nrows(), 1], 3)], 1)
    order = np.argsort(features.row_lengths().numpy(), kind="stable")
    rows = [tf.gather(features, order[i : i + 64]).to_tensor().numpy() for i in range(0, len(order), 64)]
    count = sum(len(text.split()) for text in test)
    taken, written = {"seqtasks": [], "torch": []}, {}
    for turn in range(4):
        began = time.perf_counter()
        said = list(predictor.answers(test))
        taken["seqtasks"].append(count / (time.perf_counter() - began))
        began = time.perf_counter()
        numbers = [
            other.translate(theirs, row, config.beam_width, config.length_penalty, 2 * row.shape[1] + 20)
            for row in rows
        ]
        taken["torch"].append(count / (time.perf_counter() - began))
        print("translation", turn, {name: t[-1] for name, t in taken.items()}, "words a second", flush=True)
    texts = tf.constant([answer["translation"] for answer in said])
    written["seqtasks"] = float(tf.reduce_mean(tf.cast(assets["target"].encode(texts).row_lengths(), tf.float32)))
    written["torch"] = float(np.concatenate([(np.asarray(n) >= 0).sum(1) for n in numbers]).mean())
    result["translation"] = _compared({n: each[1:] for n, each in taken.items()})
    return result | {"tokens_written": written, "beam_width": config.beam_width, "torch": torch.__version__}


def _compared(rates):
    """Medians of words a second, and the median of the ratios of neighbouring rounds."""
    ratios = [ours / theirs for ours, theirs in zip(rates["seqtasks"], rates["torch"], strict=True)]
    medians = {name: statistics.median(each) for name, each in rates.items()}
    return {"words_per_second": medians, "ratio": statistics.median(ratios), "ratios": ratios}


if __name__ == "__main__":
    main()
