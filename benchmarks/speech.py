"""The speech recipe on spoken digits and on Morse code, and how fast recordings are read.

    python -m benchmarks.speech [--only fsdd speakers morse throughput] [--seeds 0 1 2]

`fsdd`: the official split of the Free Spoken Digit Dataset, through CTC: nothing tells the model that there are ten
words. `speakers`: each of the six speakers is left out once and is the test; of the others, a tenth is the validation.
`morse`: the built-in sample. `throughput`: hours of audio read a minute, the share of training that waits for data,
and the peak memory of a training on 300 recordings and on ten times as many.
"""

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import seqtasks
from benchmarks.files import memory, waiting
from benchmarks.record import data_folder, spread, write

DIGITS = {"sample_rate": 8000, "mels": 40, "units": 128, "layers": 2, "masks": 1, "learning_rate": 3e-3, "patience": 0}
EPOCHS = {"fsdd": 50, "speakers": 20}
FIGURES = ("accuracy", "wer", "cer", "substitutions", "deletions", "insertions")


def corpus():
    """(path, text, split) of every recording."""
    folder, rows = data_folder() / "speech" / "fsdd", []
    for split in ("train", "valid", "test"):
        with open(folder / f"{split}.tsv", newline="") as file:
            rows += [(str(folder / row["path"]), row["text"], split) for row in csv.DictReader(file, delimiter="\t")]
    return rows


def trained(parts, seed, epochs):
    """Figures of a run on splits given as lists of (path, text)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in parts.items():
            with open(f"{folder}/{name}.tsv", "w", newline="") as file:
                csv.writer(file, delimiter="\t").writerows([("path", "text"), *rows])
        return told(
            seqtasks.train("speech", data=folder, run=f"{folder}/run", seed=seed, epochs=epochs, **DIGITS).metrics
        )


def told(metrics):
    found = {name: metrics["test"][name] for name in (*FIGURES, "wer_interval", "examples") if name in metrics["test"]}
    (baseline,) = metrics["baselines"].values()
    found["baseline_accuracy"] = baseline["accuracy"]
    return found | {name: metrics["train"][name] for name in ("seconds", "epochs", "parameters")}


def fsdd(seeds):
    each = []
    for seed in seeds:
        parts = {split: [row[:2] for row in corpus() if row[2] == split] for split in ("train", "valid", "test")}
        each.append(trained(parts, seed, EPOCHS["fsdd"]))
        print("fsdd", seed, each[-1], flush=True)
    return {"seeds": seeds, **{name: spread([one[name] for one in each]) for name in FIGURES[:3]}, "each": each}


def speakers(seed=0):
    """Each speaker in turn as the test."""
    spoken, found = corpus(), {}
    speaker = {path: Path(path).stem.split("_")[1] for path, *_ in spoken}
    for name in sorted(set(speaker.values())):
        others = [row[:2] for row in spoken if speaker[row[0]] != name]
        parts = {
            "train": [row for i, row in enumerate(others) if i % 10],
            "valid": others[::10],
            "test": [row[:2] for row in spoken if speaker[row[0]] == name],
        }
        found[name] = trained(parts, seed, EPOCHS["speakers"])
        print(name, found[name], flush=True)
    return {"seed": seed, "speakers": found, "accuracy": spread([one["accuracy"] for one in found.values()])}


def morse(seeds):
    each = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            each.append(told(seqtasks.train("speech", run=f"{folder}/run", seed=seed).metrics))
        print("morse", seed, each[-1], flush=True)
    return {"seeds": seeds, **{name: spread([one[name] for one in each]) for name in FIGURES[:3]}, "each": each}


def throughput():
    rows = corpus()
    return {
        "reading": reading([path for path, *_ in rows]),
        "waiting_for_data": waiting("speech", data_folder() / "speech" / "fsdd", **DIGITS),
        "peak_mb": memory("speech", [row[:2] for row in rows[::10]], **DIGITS),
    }


def reading(paths):
    """Hours of audio that all cores read in a minute: of small WAV files, and of long recordings to be resampled."""
    import numpy as np
    import soundfile

    from seqtasks.data.file_inputs import Reader
    from seqtasks.speech import audio

    def hours_a_minute(paths, sample_rate):
        options = audio.Options(sample_rate=sample_rate)
        reader, began = Reader(lambda path: audio.read(path, options), spec=None), time.perf_counter()
        samples = sum(len(array) for _, array in reader.each(paths))
        return samples / sample_rate / 3600 / ((time.perf_counter() - began) / 60)

    found = {"cores": len(os.sched_getaffinity(0)), "wav, 8 kHz, as it is": hours_a_minute(paths, 8000)}
    noise = np.random.default_rng(0).normal(0, 0.1, (44_100 * 20, 2))
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("flac", "mp3"):
            made = [f"{folder}/{number}.{suffix}" for number in range(20)]
            for path in made:
                soundfile.write(path, noise, 44_100)
            found[f"{suffix}, 44.1 kHz stereo to 16 kHz"] = hours_a_minute(made, 16_000)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["fsdd", "speakers", "morse", "throughput"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    jobs = {
        "fsdd": lambda: {"options": DIGITS, "epochs": EPOCHS["fsdd"]} | fsdd(given.seeds),
        "speakers": lambda: {"options": DIGITS, "epochs": EPOCHS["speakers"]} | speakers(),
        "morse": lambda: morse(given.seeds),
        "throughput": throughput,
    }
    for name in given.only:
        write(f"speech_{name}", f"python -m benchmarks.speech --only {name}", jobs[name]())


if __name__ == "__main__":
    main()
