"""The music recipe on the chorales of JSB, and MIDI files read, encoded, decoded, written and read again.

    python -m benchmarks.music [--only jsb midi] [--seeds 0 1 2]

`jsb` trains the recipe as it is, and with keys that know nothing of each other, as in the tables of others; the figures
are nats a frame, every frame foretold from those before it, the first from nothing, empty frames counted. `midi` takes
every file of POP909 there and back, in frames and in events.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.record import data_folder, spread, write

INDEPENDENT = {
    "frame_distribution": "independent",
    "transpose": 0,
    "embedding_dropout": 0.0,
    "output_dropout": 0.3,
    "epochs": 80,
}
KINDS = {"keys told in turn (NADE)": {}, "independent keys": INDEPENDENT}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=["jsb", "midi"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    if "jsb" in given.only:
        write("music_jsb", "python -m benchmarks.music --only jsb", {"rows": jsb(given.seeds)})
    if "midi" in given.only:
        write("music_midi", "python -m benchmarks.music --only midi", round_trips())


def jsb(seeds):
    import seqtasks

    rows = {}
    for kind, fields in KINDS.items():
        runs = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                data = data_folder() / "music" / "jsb-chorales"
                runs.append(
                    seqtasks.train("music", data=data, run=Path(folder) / "run", step=1, seed=seed, **fields).metrics
                )
                print(kind, seed, runs[-1]["test"]["nll"], flush=True)
        rows[kind] = {
            **{split: figures([run[split] for run in runs]) for split in ("validation", "test")},
            "intervals": [run["test"]["nll_interval"] for run in runs],
            "frames": runs[0]["test"]["frames"],
            "frame_before": runs[0]["baselines"]["frame_before"]["nll"],
            "seconds": spread([run["train"]["seconds"] for run in runs]),
            "best_epochs": [run["train"]["best_epoch"] for run in runs],
            "parameters": runs[0]["train"]["parameters"],
        }
    return rows


def figures(found):
    return {name: spread([one[name] for one in found]) for name in ("nll", "nll_per_sequence")}


def round_trips():
    """How many files give equal notes, on the grid of their representation, after all the way there and back."""
    from seqtasks.music import events, notes, piano_rolls
    from seqtasks.music.midi import read_midi, write_midi

    step, equal = 0.25, {"frames": 0, "events": 0}
    files = sorted((data_folder() / "music" / "pop909").rglob("*.mid"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mid"
        for file in files:
            roll = piano_rolls.parse(piano_rolls.text(piano_rolls.from_notes(read_midi(file, "quarters"), step)))
            write_midi(piano_rolls.to_notes(roll, step), path, tempo=120)
            equal["frames"] += bool((piano_rolls.from_notes(read_midi(path, "quarters"), step) == roll).all())
            text = events.from_notes(read_midi(file))
            write_midi(events.to_notes(text), path)
            again = notes.on_grid(read_midi(path), events.STEP)
            equal["events"] += again == notes.on_grid(events.to_notes(text), events.STEP)
    return {"files": len(files), "equal": equal, "step_of_frames": "a sixteenth", "step_of_events": "10 ms"}


if __name__ == "__main__":
    main()
