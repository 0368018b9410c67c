"""The video recipe on fights and on moving digits, and how fast clips are decoded.

    python -m benchmarks.video [--only fights digits throughput] [--seeds 0 1 2]

`fights`: five-fold cross-validation over all 300 clips, stratified, by the seed; an eighth of the training part is the
validation split of the network. The logistic regression of thirteen numbers of motion learns from the whole training
part of the same folds. `digits`: the built-in sample, and its test clips with their frames in random order.
`throughput`: clips decoded by all cores; the share of training that waits for data, held in memory and decoded anew in
each epoch, with the small model of `fights` and with the recipe's own options; and the peak memory of a training on 100
clips and on ten times as many files.
"""

import argparse
import csv
import os
import tempfile
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import seqtasks
from benchmarks.files import memory, waiting
from benchmarks.record import data_folder, spread, write
from seqtasks.data.file_inputs import Reader
from seqtasks.metrics import accuracy, bootstrap
from seqtasks.recipe import load_recipe
from seqtasks.video import baselines, clips
from seqtasks.video.sample import MOTIONS

FIGHTS = {"backbone": "none", "flow": True, "frames": 32, "ensemble_size": 3, "units": 32, "epochs": 20}
FIGHTS |= {"learning_rate": 3e-3, "weight_decay": 0.01, "ema_momentum": 0.95, "keep": "last", "patience": 0}
FIGHTS |= {"shift": 0.0, "zoom": 0.0, "brightness": 0.0}  # where and how light a clip is does not change its speeds
FOLDS = 5


def clips_of(folder):
    """(path, label) of every clip, whichever split it is in."""
    rows = []
    for split in ("train", "valid", "test"):
        with open(folder / f"{split}.csv", newline="") as file:
            rows += [(str(folder / row["path"]), row["label"]) for row in csv.DictReader(file)]
    return sorted(rows)


def fights(seed, rows, fields):
    """Accuracy of each fold of the network and of the baseline, and intervals over all clips."""
    paths, labels = (np.array(column) for column in zip(*rows, strict=True))
    truth = (labels == "noFight").astype(int)  # the order of the recipe's labels
    ours, theirs = (np.zeros((len(rows), 2)) for _ in range(2))
    numbers = baselines.motion_features(paths, clips.Options())
    folds, seconds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(paths, truth)), []
    for train, test in folds:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        classifier.fit(numbers[train], truth[train])
        theirs[test] = classifier.predict_proba(numbers[test])
        parts = train_test_split(train, test_size=1 / 8, stratify=truth[train], random_state=seed)
        with tempfile.TemporaryDirectory() as folder:
            for name, part in zip(("train", "valid", "test"), (*parts, test), strict=True):
                with open(f"{folder}/{name}.csv", "w", newline="") as file:
                    csv.writer(file).writerows([("path", "label"), *zip(paths[part], labels[part], strict=True)])
            run = seqtasks.train("video", data=folder, run=f"{folder}/run", seed=seed, **fields)
            ours[test] = [
                [answer["scores"][name] for name in ("fight", "noFight")] for answer in run.predict(paths[test])
            ]
            seconds.append(run.metrics["train"]["seconds"])
            parameters = run.metrics["train"]["parameters"]
        print(seed, accuracy(truth[test], ours[test]), accuracy(truth[test], theirs[test]), seconds[-1], flush=True)
    each = lambda scores: [accuracy(truth[test], scores[test]) for _, test in folds]  # noqa: E731
    return {
        "accuracy": accuracy(truth, ours),
        "accuracy_interval": bootstrap(accuracy, truth, ours),
        "baseline": accuracy(truth, theirs),
        "baseline_interval": bootstrap(accuracy, truth, theirs),
        "difference": accuracy(truth, ours) - accuracy(truth, theirs),
        "difference_interval": bootstrap(accuracy, truth, ours, baseline=theirs),
        "folds": {"network": each(ours), "baseline": each(theirs)},
        "seconds_a_fold": spread(seconds),
        "parameters": parameters,
    }


def digits(seed):
    """Accuracy on the sample, and on its test clips with their frames in random order.

    The frames of a clip in any order still tell which way is moved along, but not to which side: a motion and its
    opposite have equal frames. `opposites` is how often the motion is thought likelier than its opposite.
    """
    draws = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        run = seqtasks.train("video", run=f"{folder}/run", seed=seed)
        figures, examples, names = run.metrics, list(run.splits().test), list(MOTIONS)
        clips = [run.predictor.reader(example.input) for example in examples]
        shuffled = run.predictor.predict_batch([draws.permutation(clip) for clip in clips])["scores"]
        task, assets = run.predictor.task, run.assets
    truth = task.targets(assets, [example.target for example in examples])
    opposite = task.targets(assets, [names[names.index(example.target) ^ 1] for example in examples])
    rows = np.arange(len(truth))
    return {
        "accuracy": figures["test"]["accuracy"],
        "accuracy_interval": figures["test"]["accuracy_interval"],
        "shuffled": {
            "accuracy": accuracy(truth, shuffled),
            "chance": 1 / len(names),
            "opposites": float((shuffled[rows, truth] > shuffled[rows, opposite]).mean()),
            "chance_of_opposites": 1 / 2,
        },
        "baseline": figures["baselines"]["motion_logistic_regression"]["accuracy"],
        "seconds": figures["train"]["seconds"],
        "parameters": figures["train"]["parameters"],
    }


def throughput(folder):
    rows = clips_of(folder)
    return {
        **decoding([path for path, _ in rows]),
        "waiting_for_data": {"flow_alone": waiting("video", folder, **FIGHTS), "defaults": waiting("video", folder)},
        "peak_mb": memory("video", rows[::3], **FIGHTS),
    }


def decoding(paths):
    """Clips, and frames of the files, that all cores decode in a second."""
    import av

    frames = 0
    for path in paths:
        with av.open(path) as container:
            frames += container.streams.video[0].frames
    reader, began = Reader(lambda path: clips.read(path), spec=None), time.perf_counter()
    for _ in reader.each(paths):
        pass
    seconds = time.perf_counter() - began
    return {
        "decoding": {
            "cores": len(os.sched_getaffinity(0)),
            "clips_a_second": len(paths) / seconds,
            "frames_a_second": frames / seconds,
        }
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["fights", "digits", "throughput"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    folder = data_folder() / "video" / "fights"
    rows = clips_of(folder)
    for name, measure in {"fights": lambda seed: fights(seed, rows, FIGHTS), "digits": digits}.items():
        each = []
        for seed in given.seeds if name in given.only else ():
            each.append(measure(seed))
            print(name, seed, {key: value for key, value in each[-1].items() if key != "folds"}, flush=True)
            result = {key: spread([one[key] for one in each]) for key in ("accuracy", "baseline")}
            options = (
                {"options": FIGHTS} if name == "fights" else {"options": dict(load_recipe("video").sample.options)}
            )
            command = f"python -m benchmarks.video --only {name}"
            write(f"video_{name}", command, {"seeds": given.seeds, **options, **result, "each": each})
    if "throughput" in given.only:
        result = throughput(folder)
        print(result)
        write("video_throughput", "python -m benchmarks.video --only throughput", result)


if __name__ == "__main__":
    main()
