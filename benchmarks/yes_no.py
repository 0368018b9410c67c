"""The speech recipe on 40 recordings of two words, and on 100 recordings of ten, with its defaults.

    python -m benchmarks.yes_no [--only words sentences digits] [--seeds 0 1 2] [--part test] [--option value ...]

espeak-ng says "yes" and "no". `words`: one word a recording; `sentences`: eight words a recording, with pauses, as in
the corpus yesno of Kaldi. Voices, pitches and speeds of the 40 test recordings are not in train. `digits`: ten
recordings of each digit of the Free Spoken Digit Dataset, and its test split. Nothing else is given: a tenth of train
becomes the validation split, and every option has its default. `--part development` measures on other recordings than
the test's, with further options; the defaults were chosen there.
"""

import argparse
import csv
import io
import json
import subprocess
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.record import RESULTS, data_folder, spread, write

RATE, COUNT = 16_000, 40
KINDS = {"words": 1, "sentences": 8}  # words of a recording
ACCENTS = {
    "train": ("en-us", "en-gb", "en-gb-scotland", "en-029"),
    "development": ("en-us-nyc", "en-gb-x-gbclan"),
    "test": ("en-gb-x-rp", "en-gb-x-gbcwmd"),
}
SPEAKERS = {
    "train": ("m1", "m2", "m3", "f1", "f2"),
    "development": ("m4", "f3"),
    "test": ("m5", "m7", "f4", "f5"),
}
PITCHES = {"train": range(20, 81, 10), "development": range(23, 81, 10), "test": range(25, 81, 10)}
SPEEDS = {"train": range(120, 221, 20), "development": range(125, 221, 20), "test": range(130, 221, 20)}


def spoken(word, accent, speaker, pitch, speed):
    """The samples of a word, float (samples,)."""
    import soundfile
    import soxr

    command = ["espeak-ng", "-v", f"{accent}+{speaker}", "-p", str(pitch), "-s", str(speed), "--stdout", word]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(made))
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return soxr.resample(samples[loud[0] : loud[-1] + 1], rate, RATE)


def recorded(words, part, rng):
    """Words of one voice with pauses between them, at any level, in white noise 20 to 40 dB below."""
    accent, speaker = rng.choice(ACCENTS[part]), rng.choice(SPEAKERS[part])
    pieces = [np.zeros(int(RATE * rng.uniform(0.1, 0.4)))]
    for word in words:
        pieces += [spoken(word, accent, speaker, rng.choice(PITCHES[part]), rng.choice(SPEEDS[part]))]
        pieces += [np.zeros(int(RATE * rng.uniform(0.1, 0.4)))]
    sound = np.concatenate(pieces)
    noise = rng.normal(size=len(sound)) * np.abs(sound).max() * 10 ** (-rng.uniform(20, 40) / 20) / 4
    return rng.uniform(0.2, 0.9) * (sound + noise) / np.abs(sound + noise).max()


def yes_no(folder, part, words, seed=0):
    """Writes 40 recordings; pairs of path and text, as many "yes" as "no"."""
    import soundfile

    rng, rows = np.random.default_rng([seed, words, *part.encode()]), []
    said = rng.permutation(np.repeat(["yes", "no"], COUNT * words // 2)).reshape(COUNT, words)
    for number, row in enumerate(said):
        path = Path(folder) / f"{part}{number:02}.wav"
        soundfile.write(path, recorded(row, part, rng), RATE)
        rows.append((str(path), " ".join(row)))
    return rows


def digits(part, each=10):
    """The first recordings of each digit of train, mixed over the speakers; all of test or of the validation split."""
    folder = data_folder() / "speech" / "fsdd"
    with open(folder / f"{'valid' if part == 'development' else part}.tsv", newline="") as file:
        rows = [(str(folder / row["path"]), row["text"]) for row in csv.DictReader(file, delimiter="\t")]
    if part != "train":
        return rows
    rng, chosen = np.random.default_rng(0), []
    for text in dict.fromkeys(text for _, text in rows):
        own = [row for row in rows if row[1] == text]
        chosen += [own[i] for i in rng.permutation(len(own))[:each]]
    return chosen


def trained(train, test, seed, folder, **options):
    """The run, and its figures, of one training on pairs of path and text."""
    import seqtasks

    for name, rows in (("train", train), ("test", test)):
        with open(f"{folder}/{name}.tsv", "w", newline="") as file:
            csv.writer(file, delimiter="\t").writerows([("path", "text"), *rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the validation split, which is taken from train
        run = seqtasks.train("speech", data=folder, run=f"{folder}/run", seed=seed, quiet=True, **options)
    (baseline,), told = run.metrics["baselines"].values(), run.metrics["train"]
    names = ("wer", "wer_interval", "cer", "examples", "substitutions", "deletions", "insertions")
    found = {name: run.metrics["test"][name] for name in names}
    found |= {"validation_wer": run.metrics["validation"]["wer"], "baseline_wer": baseline["wer"]}
    found |= {name: told[name] for name in ("epochs", "best_epoch", "stopped", "loss", "seconds")}
    found["steps"] = told["epochs"] * -(-told["examples"] // run.config.batch_size)
    return run, found | {"batch_size": run.config.batch_size, "train_examples": told["examples"]}


def job(name, part, seeds, options):
    """Figures of each seed; of the first also the answers of the beam search, and the errors that remain."""
    each = []
    with tempfile.TemporaryDirectory() as folder:
        splits = [digits(p) if name == "digits" else yes_no(folder, p, KINDS[name]) for p in ("train", part)]
        for seed in seeds:
            with tempfile.TemporaryDirectory() as own:
                run, found = trained(*splits, seed, own, **options)
                if seed == seeds[0]:
                    found["beam_wer"] = run.with_options(beam_width=16).evaluate(split="test")["wer"]
                    texts = [text for _, text in splits[1]]
                    heard = [answer["text"] for answer in run.predict([path for path, _ in splits[1]])]
                    wrong = Counter(f"{text} -> {got}" for text, got in zip(texts, heard, strict=True) if text != got)
                    found["errors"] = dict(wrong.most_common(20))
            print(name, seed, found, flush=True)
            each.append(found)
    return {"seeds": seeds, "examples": len(splits[0]), "wer": spread([found["wer"] for found in each]), "each": each}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["words", "sentences", "digits"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--part", choices=["test", "development"], default="test")
    given, rest = parser.parse_known_args()
    options = dict(zip((flag.removeprefix("--") for flag in rest[::2]), rest[1::2], strict=True))
    for name in given.only:
        found = job(name, given.part, given.seeds, options)
        if given.part == "test" and not options:
            path = RESULTS / "yes_no.json"
            before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
            rows = {row: before[row] for row in (*KINDS, "digits") if row in before}
            write("yes_no", "python -m benchmarks.yes_no", rows | {name: found})


if __name__ == "__main__":
    main()
