"""What the commands share: their arguments, the inputs they read and the results they print."""

import contextlib
import json
import os
import sys
from pathlib import Path

from seqtasks.errors import UserError, nearest

USAGE = """seqtasks: from raw files to a trained, measured, exported sequence model

  seqtasks recipes                                   the recipes, their RNN type, formats and metric
  seqtasks train RECIPE [--data PATH|tfds:NAME] [--run DIR] [--config FILE] [--FIELD VALUE ...]
                                                     [--resume] [--overwrite] [--dry_run]
  seqtasks evaluate RUN [--data PATH] [--split test]
  seqtasks predict RUN [INPUT ...] [--input FILE] [--output FILE]
                       ner: [--tokens]; dna: GENOME --window N [--stride N] [--threshold P] [--label NAME]
                       translation: [--beam_width N] [--n_best N] ... (of evaluate and export too)
                       video: FILE ... [--every SECONDS]; speech: FILE ... [--beam_width N] [--language_model RUN]
  seqtasks score RUN [TEXT ...] [--input FILE]       how likely texts are, token by token
  seqtasks generate RUN [--prompt TEXT] [--num N] [--length N] [--temperature T] [--top_k K] [--top_p P] [--seed S]
                        [--show N] [--output FILE]   novel texts, or music (.mid, .wav)
  seqtasks explain RUN [INPUT ...] [--output FILE]   dna: the effect of every substitution
  seqtasks finetune RUN --data PATH --run DIR [--freeze PATTERN ...] [--FIELD VALUE ...]
  seqtasks export RUN DIR [--overwrite]
  seqtasks report RUN                                writes RUN/report.html

RECIPE is a name or the path of a .py file. `seqtasks train RECIPE --help` lists the options of a recipe.
Without --data a recipe runs on its small built-in sample. An INPUT of - is standard input (speech: 16-bit samples).
  --version   --help
"""


FLAGS = {
    "resume": "go on with a run that was stopped",
    "overwrite": "replace a run that exists",
    "dry_run": "look at the data and the shapes; train nothing, write nothing",
    "tokens": "ner: the inputs are split already, with spaces between the tokens",
}


def number(kind, name, text):
    try:
        return kind(text)
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise UserError(f"{text!r} is no {what}", where=f"--{name}", remedy="see --help") from None


def first(arguments, command, name, what):
    if not arguments or arguments[0].startswith("-"):
        if arguments and arguments[0] in ("--help", "-h"):
            print(USAGE, end="")
            raise SystemExit(0)
        raise UserError(f"{name} comes first", where=command, remedy=f"seqtasks {command} {name} ...: {what}")
    return arguments[0], arguments[1:]


def simple(command, arguments, options, rest=None, flags=()):
    """The arguments of a command that has no recipe's options."""
    import argparse

    made = argparse.ArgumentParser(prog=f"seqtasks {command}", allow_abbrev=False, exit_on_error=False)
    made.add_argument("run", metavar="RUN", help="a run directory")
    made.add_argument("rest", nargs="*", metavar=rest or "", help=argparse.SUPPRESS if rest is None else None)
    for name, text in options.items():
        made.add_argument(name, help=text)
    for flag in flags:
        made.add_argument(f"--{flag}", action="store_true", help=FLAGS[flag])
    made.error = lambda message: (_ for _ in ()).throw(UserError(message, where=command, remedy="see --help"))
    parsed, unknown = made.parse_known_intermixed_args(arguments)
    if unknown:
        remedy = nearest(unknown[0], [*options, *(f"--{flag}" for flag in flags), "--help"])
        raise UserError(f"unknown option {unknown[0]}", where=command, remedy=remedy)
    if parsed.rest and rest is None:
        raise UserError(f"unexpected {parsed.rest[0]!r}", where=command, remedy="see --help")
    return parsed


def texts(parsed):
    """The raw inputs of `predict`, bytes as they are, in order."""
    if parsed.input is None and not parsed.rest:
        raise UserError("nothing to read", where="INPUT", remedy="give texts, --input FILE, or - for standard input")
    if parsed.input is not None and not Path(parsed.input).is_file() and parsed.input != "-":
        raise UserError("no such file", where=parsed.input, remedy="give --input a file with one text on each line")

    def read():
        for text in parsed.rest:
            if text == "-":
                yield from lines(sys.stdin.buffer)
            else:
                yield os.fsencode(text)
        if parsed.input == "-":
            yield from lines(sys.stdin.buffer)
        elif parsed.input is not None:
            with open(parsed.input, "rb") as file:
                yield from lines(file)

    return read()


def lines(file):
    return (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)


@contextlib.contextmanager
def opened(path):
    from seqtasks.atomic_files import replacing

    check_folder(path)
    if Path(path).exists() and not Path(path).is_file():  # a device or a pipe
        with open(path, "w", encoding="utf-8") as file:
            yield file
    else:
        with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            yield file


def show(value):
    print(json.dumps(value, ensure_ascii=False))


def load_tensorflow():
    """Import TensorFlow without what its libraries print while they load."""
    sys.stderr.flush()
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def check_folder(path):
    """Raise `UserError` if there is no folder that an output could be written to."""
    if Path(path).is_dir():
        raise UserError("is a folder", where=path, remedy="give --output the name of a file")
    if not Path(path).parent.is_dir():
        raise UserError("no such folder", where=Path(path).parent, remedy="make it, or take another --output")
