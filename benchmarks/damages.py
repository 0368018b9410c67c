"""Damages every file of a finished run in turns, and counts tracebacks and wrong answers without a word.

python -m benchmarks.damages
"""

import argparse
import contextlib
import io
import json
import shutil
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from benchmarks.record import write

SMALL = {"epochs": 1, "units": 4, "dimension": 8, "patience": 0, "bidirectional": False}
OPTIONS = {"sentiment": {"r_drop": 0.0, "ngrams": 0, "affixes": 0}, "ner": {}}
INPUTS = {"sentiment": "a fine film", "ner": "Anna lives in Rome ."}
KINDS = "answered as before", "told in a sentence", "answered after a warning", "traceback", "wrong without a word"


def flipped(content, place):
    """The content with one byte of another value at a share of its length."""
    at = min(int(place * len(content)), len(content) - 1)
    return content[:at] + bytes([content[at] ^ 0xA5]) + content[at + 1 :]


DAMAGES = {
    "deleted": None,
    "emptied": lambda content: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "a byte flipped in the middle": lambda content: flipped(content, 0.5),
    "lines in another order": lambda content: b"\n".join(content.split(b"\n")[::-1]),
}


def outcome(command, run):
    """(status or "traceback", what was printed, whether something was said on standard error)."""
    from seqtasks.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([command[0], str(run), *command[1:]])
        except Exception:
            return "traceback", traceback.format_exc(), True
    page = (run / "report.html").read_text("utf-8") if status == 0 and command[0] == "report" else ""
    return status, out.getvalue().replace(str(run), "") + page, "warning" in err.getvalue()


def kind_of(found, before):
    status, printed, warned = found
    if status == "traceback":
        return "traceback"
    if status == 2:
        return "told in a sentence"
    if printed == before[1]:
        return "answered as before"
    return "answered after a warning" if warned else "wrong without a word"


def measure(recipe, folder, with_manifest):
    """{file: {kind: how many}} of a run of a recipe, and the damages that were traced or wrong."""
    import seqtasks

    whole = folder / "whole" / "run"
    if not whole.exists():
        seqtasks.train(recipe, run=whole, quiet=True, **SMALL, **OPTIONS[recipe])
    commands = (["predict", INPUTS[recipe]], ["report"])
    copy = folder / "copy" / "run"

    def fresh():
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(whole, copy)
        if not with_manifest:
            (copy / "manifest.json").unlink()

    fresh()
    before = [outcome(command, copy) for command in commands]
    assert all(status == 0 for status, *_ in before), before
    found, wrong = {}, []
    names = sorted(p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file())
    for name in names:
        counts = Counter()
        for title, change in DAMAGES.items():
            content = (whole / name).read_bytes()
            for command, expected in zip(commands, before, strict=True):
                fresh()
                if change is None:
                    (copy / name).unlink()
                else:
                    (copy / name).write_bytes(change(content))
                kind = kind_of(outcome(command, copy), expected)
                counts[kind] += 1
                if kind in KINDS[3:]:
                    wrong.append(f"{recipe} {name} {title} {command[0]}: {kind}")
        found["logs/events" if name.startswith("logs/") else name] = dict(counts)
        print(recipe, name, dict(counts), flush=True)
    return found, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=list(INPUTS))
    parser.add_argument("--kinds", nargs="+", default=["manifest", "older"], choices=["manifest", "older"])
    given = parser.parse_args()
    result, wrong = {}, []
    for recipe in given.recipes:
        with tempfile.TemporaryDirectory() as folder:
            for kind in given.kinds:
                files, faults = measure(recipe, Path(folder), kind == "manifest")
                result.setdefault(kind, {})[recipe] = files
                wrong += [f"{kind}: {fault}" for fault in faults]
    totals = {
        kind: {name: sum(c.get(name, 0) for files in recipes.values() for c in files.values()) for name in KINDS}
        for kind, recipes in result.items()
    }
    print(json.dumps(totals, indent=2), *wrong, sep="\n")
    write(
        "damages", "python -m benchmarks.damages", {"damages": list(DAMAGES), "totals": totals, "wrong": wrong} | result
    )


if __name__ == "__main__":
    main()
