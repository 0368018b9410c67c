"""The language model recipe on Tiny Shakespeare and on names: bits per character, and its speed beside PyTorch.

    python -m benchmarks.language [--only quality cells speed generation names] [--epochs 10] [--threads 2]

`quality` trains the recipe and then `benchmarks.torch_language`, of the same sizes, on the same text for as many
seconds. `cells` trains the recipe with other cells at equal numbers of weights. `speed` lets both train in turns,
`generation` lets the exported model and PyTorch's loop write in turns. `names` trains on a list of names, one a line,
and tells which of those it writes are new. Both sides are held to `--threads` cores.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.record import data_folder, write

SIZES = {"batch_size": 32, "bptt_length": 64, "learning_rate": 0.004, "patience": 0, "embedding_dropout": 0.2}
DECAY = 0.05  # of the weights of both, in `quality`
RECURRENT = 0.1  # dropout inside the recurrences in `quality`, which PyTorch's do not have
CELLS = ("lstm", "gru", "simple_rnn", "peephole_lstm")
ROUNDS, STEPS = 5, 30  # of training, each round for one and then for the other
SHAPES = ((32, 64), (64, 64), (128, 50))  # rows and tokens of a step
WRITTEN = 2000  # characters of a text that is written
NAMES = {"document": "line", "units": 128, "dimension": 64, "layers": 1, "epochs": 40, "learning_rate": 4e-3}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["quality", "cells", "speed", "generation", "names"])
    parser.add_argument("--epochs", type=int, default=10, help="passes of `quality` and `cells`")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: given.threads])
    jobs = {
        "quality": lambda: quality(given.epochs),
        "cells": lambda: cells(given.epochs),
        "speed": speed,
        "generation": generation,
        "names": names,
    }
    for name in given.only:
        command = f"python -m benchmarks.language --only {name} --epochs {given.epochs} --threads {given.threads}"
        write(f"language_{name}", command, {"threads": given.threads} | jobs[name]())


def shakespeare():
    return data_folder() / "language_model" / "tinyshakespeare"


def trained(folder, **fields):
    """A run of the recipe on Tiny Shakespeare."""
    import seqtasks

    return seqtasks.train("language_model", data=shakespeare(), run=Path(folder) / "run", **(SIZES | fields))


def figures(run):
    """What is told of a run."""
    metrics = run.metrics
    bits = {split: metrics[split]["bits_per_character"] for split in ("validation", "test")}
    told = {name: metrics["train"][name] for name in ("seconds", "epochs", "parameters")}
    return bits | told | {"n_grams": metrics["baselines"]["n_grams"]["bits_per_character"]}


def quality(epochs):
    with tempfile.TemporaryDirectory() as folder:
        ours = figures(trained(folder, epochs=epochs, weight_decay=DECAY, recurrent_dropout=RECURRENT))
    print("seqtasks", ours, flush=True)
    with multiprocessing.get_context("spawn").Pool(1) as alone:  # TensorFlow changes how its process gets memory
        return {"seqtasks": ours, "torch": alone.apply(torch_quality, (ours["seconds"],))}


def torch_quality(seconds):
    """PyTorch's model after so many seconds of training, measured in as many lanes as the recipe's."""
    import numpy as np
    import torch

    from benchmarks import torch_language

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    (train, *held_out), tokens = torch_language.read(*(shakespeare() / f"{s}.txt" for s in ("train", "valid", "test")))
    torch.manual_seed(0)
    model = torch_language.LanguageModel(tokens, 256, 256, 2, 0.2)
    options = {"learning_rate": SIZES["learning_rate"], "batch": SIZES["batch_size"], "length": SIZES["segment"]}
    training = torch_language.Training(model, train, seconds=seconds, weight_decay=DECAY, average=0.99, **options)
    while training.seconds < seconds:
        print("torch", training.train_for(min(120, seconds - training.seconds)), flush=True)
    nats = [torch_language.evaluate(training.answering, text, len(text) // 20_000) for text in held_out]
    bits = dict(zip(("validation", "test"), (n / np.log(2) for n in nats), strict=True))
    passes = training.characters / len(train)
    return bits | {
        "seconds": training.seconds,
        "epochs": passes,
        "parameters": sum(map(torch.numel, model.parameters())),
    }


def cells(epochs):
    """The same recipe with other cells, each with about as many weights as the LSTM, after as many passes."""
    rows, due = {}, weights("lstm", 256)
    for cell in CELLS:
        units = min(range(128, 769, 4), key=lambda size: abs(weights(cell, size) - due))
        with tempfile.TemporaryDirectory() as folder:
            rows[cell] = {"units": units} | figures(trained(folder, epochs=epochs, cell=cell, units=units))
        print(cell, rows[cell], flush=True)
    return {"rows": rows}


def weights(cell, units):
    """How many weights a model has."""
    model, *_ = compiled(cell=cell, units=units)
    return model.count_params()


def compiled(**fields):
    """(model, batches, inputs) of the recipe, ready for `fit`."""
    import seqtasks as st
    from seqtasks.capabilities import RunningText
    from seqtasks.options import make_options
    from seqtasks.recipe import load_recipe

    recipe = load_recipe("language_model")
    config = make_options(recipe.Config, SIZES | fields)
    source = recipe.splits(config, shakespeare()).train
    assets = recipe.learn(config, source)
    model = recipe.build(config, assets)
    model.compile(st.optimizers.AdamW(0.0, 0.0, 1.0, 0.99, epsilon=config.epsilon), recipe.loss(config))
    batches = recipe.capability(RunningText).segments(config, assets, source)

    def inputs(features, targets, weight, index):
        features = recipe.task(config).add_decoder_inputs(features, targets)
        return {name: features[name] for name in ("decoder_inputs", "targets")}, targets, weight

    return model, batches, inputs


def speed():
    """Characters a second of training, both in turns, for several shapes of a step."""
    import torch

    from benchmarks import torch_language
    from seqtasks.engine.loop import fit

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    (train,), tokens = torch_language.read(shakespeare() / "train.txt")
    found = {}
    for rows, length in SHAPES:
        model, batches, inputs = compiled(batch_size=rows, bptt_length=length)
        rival = torch_language.LanguageModel(tokens, 256, 256, 2, 0.2)
        options = {"batch": rows, "length": length, "average": 0.99, "steps": STEPS, "rounds": 1, "weight_decay": 0.0}
        fit(model, batches.epoch(0).map(inputs).take(STEPS), STEPS)
        ours, theirs = [], []
        for turn in range(ROUNDS):
            dataset, began = batches.epoch(turn).map(inputs).take(STEPS), time.perf_counter()
            fit(model, dataset, STEPS)
            ours.append(STEPS * rows * length / (time.perf_counter() - began))
            theirs += torch_language.speed(rival, train, **options)
        found[f"{rows}x{length}"] = compared(ours, theirs)
        print(rows, length, found[f"{rows}x{length}"], flush=True)
    return {"characters_per_second": found}


def compared(ours, theirs):
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    medians = {"seqtasks": statistics.median(ours), "torch": statistics.median(theirs)}
    return {"ratio": statistics.median(ratios), "ratios": ratios, "median": medians, "seqtasks": ours, "torch": theirs}


def generation():
    """Characters a second of the exported model and of PyTorch's loop, in turns, one text and 64 at a time."""
    import tensorflow as tf
    import torch

    import seqtasks
    from benchmarks import torch_language

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    (_train,), tokens = torch_language.read(shakespeare() / "train.txt")
    rival = torch_language.LanguageModel(tokens, 256, 256, 2)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.txt"
        text = (shakespeare() / "train.txt").read_text()
        small.write_text(text[:60_000] + "".join(sorted(set(text))))  # all characters, in one short epoch
        run = seqtasks.train(
            "language_model", data=small, run=Path(folder) / "run", epochs=1, **SIZES | {"bptt_length": 16}
        )
        run.export(Path(folder) / "served")
        write_text = tf.saved_model.load(str(Path(folder) / "served")).signatures["generate"]
    options = {"length": WRITTEN, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    options = {name: tf.constant(value) for name, value in options.items()}
    found = {}
    for rows in (1, 64):
        prompts = tf.fill([rows], "The ")
        write_text(prompts=prompts, **options)
        torch_language.generate(rival, 5, 100, batch=rows)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            written = write_text(prompts=prompts, **options)["tokens"]
            ours.append(int(tf.reduce_sum(tf.cast(written >= 0, tf.int32))) / (time.perf_counter() - began))
            began = time.perf_counter()
            torch_language.generate(rival, 5, WRITTEN, batch=rows)
            theirs.append(rows * WRITTEN / (time.perf_counter() - began))
        found[f"batch {rows}"] = compared(ours, theirs)
        print(rows, found[f"batch {rows}"], flush=True)
    return {"characters_per_second": found}


def names():
    """Names that are written after training on a list of them: which are new, and of a length that names have."""
    import seqtasks

    path = data_folder() / "language_model" / "dinos.txt"
    known = {line.strip().lower() for line in path.read_text().splitlines()}
    lengths = sorted(len(name) for name in known)
    low, high = lengths[len(lengths) // 100], lengths[-len(lengths) // 100]
    with tempfile.TemporaryDirectory() as folder:
        run = seqtasks.train("language_model", data=path, run=Path(folder) / "run", **NAMES)
        written = [answer["text"] for answer in run.generate(num=50, temperature=0.8, length=40, seed=1)]
        told = run.metrics["test"], run.metrics["baselines"]
    return {
        "names": written,
        "new": sum(name.lower() not in known for name in written) / len(written),
        "distinct": len(set(written)) / len(written),
        "usual_length": sum(low <= len(name) <= high for name in written) / len(written),
        "lengths": [low, high],
        "bits_per_character": told[0]["bits_per_character"],
        "n_grams": told[1]["n_grams"]["bits_per_character"],
    }


if __name__ == "__main__":
    main()
