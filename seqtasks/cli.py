"""The command line. Standard output carries the result as JSON; progress and warnings go to standard error."""

import contextlib
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import seqtasks
from seqtasks.errors import UserError, nearest

USAGE = """seqtasks: from raw files to a trained, measured, exported sequence model

  seqtasks recipes                                   the recipes, their RNN type, formats and metric
  seqtasks train RECIPE [--data PATH|tfds:NAME] [--run DIR] [--config FILE] [--FIELD VALUE ...]
                                                     [--resume] [--overwrite] [--dry_run]
  seqtasks evaluate RUN [--data PATH] [--split test]
  seqtasks predict RUN [INPUT ...] [--input FILE] [--output FILE]
                       ner: [--tokens]; dna: GENOME --window N [--stride N] [--threshold P] [--label NAME]
                       translation: [--beam_width N] [--n_best N] ... (of evaluate and export too)
  seqtasks explain RUN [INPUT ...] [--output FILE]   dna: the effect of every substitution
  seqtasks finetune RUN --data PATH --run DIR [--freeze PATTERN ...] [--FIELD VALUE ...]
  seqtasks export RUN DIR [--overwrite]
  seqtasks report RUN                                writes RUN/report.html

RECIPE is a name or the path of a .py file. `seqtasks train RECIPE --help` lists the options of a recipe.
Without --data a recipe runs on its small built-in sample. An INPUT of - stands for standard input.
  --version   --help
"""


def main(arguments=None):
    """Run one command; returns the exit status: 0 done, 2 a mistake of the user, 1 a fault of ours."""
    arguments = [_underscored(a) for a in (sys.argv[1:] if arguments is None else arguments)]
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("seqtasks").setLevel(logging.INFO)
    warnings.showwarning = lambda message, *_: print(f"seqtasks: warning: {message}", file=sys.stderr)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return _dispatch(arguments)
    except UserError as error:
        print(f"seqtasks: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"seqtasks: interrupted{_how_to_resume(arguments)}", file=sys.stderr)
    except OSError as error:
        from seqtasks.engine.files import full

        if error.errno == 28:
            print(f"seqtasks: {full(error.filename or 'output')}", file=sys.stderr)
        elif isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            raise
    return 2


def _underscored(argument):
    """Options have underscores; hyphens are accepted as the same."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _dispatch(arguments):
    commands = {
        c.__name__[1:]: c for c in (_recipes, _train, _evaluate, _predict, _explain, _finetune, _export, _report)
    }
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"seqtasks {seqtasks.__version__}")
        return 0
    if arguments[0] not in commands:
        raise UserError(f"unknown command {arguments[0]!r}", remedy=nearest(arguments[0], commands))
    return commands[arguments[0]](arguments[1:]) or 0


def _recipes(arguments):
    from seqtasks.recipe import find, installed

    for name in sorted(installed()):
        recipe = find(name)
        told = {"rnn_type": recipe.rnn_type, "formats": list(recipe.formats), "metric": recipe.default_metric}
        _print({"recipe": name, **told, "summary": recipe.summary})


def _how_to_resume(arguments):
    if arguments[:1] != ["train"] or "--run" not in arguments[:-1]:
        return ""
    run = arguments[arguments.index("--run") + 1]
    if not Path(run, "checkpoints").is_dir():
        return ""
    return f"; the last checkpoint is kept, go on with: seqtasks train {arguments[1]} --run {run} --resume"


def _train(arguments):
    from seqtasks.recipe import find

    name, rest = _first(arguments, "train", "RECIPE", "a name that `seqtasks recipes` lists, or a .py file")
    recipe = find(name)
    fields, given = _options(recipe, f"seqtasks train {name}", rest, ("resume", "overwrite", "dry_run"), run=True)
    _load_tensorflow()
    found = seqtasks.train(name, **given, **fields)
    _print(found if given["dry_run"] else _summary(found))


def _finetune(arguments):
    name, rest = _first(arguments, "finetune", "RUN", "a run directory")
    run = _open(name)
    fields, given = _options(run.recipe, f"seqtasks finetune {name}", rest, ("overwrite",), run=True, freeze=True)
    given["new"] = given.pop("run")
    _load_tensorflow()
    _print(_summary(seqtasks.finetune(run, **given, **fields)))


def _evaluate(arguments):
    options = {"--data": "other data", "--split": "train, validation or test"}
    parsed = _simple("evaluate", arguments, options | _TOLD)
    run = _told(parsed)
    _load_tensorflow()
    _print(run.evaluate(parsed.data, parsed.split or "test"))


def _predict(arguments):
    options = {
        "--input": "a file with one input on each line",
        "--output": "write here instead of standard output; .bed writes that where genomes are scanned",
        "--window": "dna: bases of a window that is slid along each genome given as INPUT",
        "--stride": "dna: bases between the starts of two windows (default: the window)",
        "--threshold": "dna: least probability of what a scan tells (default: 0.5)",
        "--label": "dna: the one label that a scan looks for",
    }
    parsed = _simple("predict", arguments, options | _TOLD, rest="INPUT", flags=("tokens",))
    run = _told(parsed)
    texts = _texts(parsed)
    _load_tensorflow()
    _ = run.model
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(_output(parsed.output)) if parsed.output else sys.stdout
        if parsed.window is not None:
            _scan(run, parsed, texts, output)
        else:
            where = f"{parsed.input}:" if parsed.input and not parsed.rest else "input "
            for answer in run.answers(texts, parsed.tokens, where):
                output.write(json.dumps(answer, ensure_ascii=False) + "\n")
        output.flush()


def _scan(run, parsed, paths, output):
    from seqtasks.data.bed import write_bed

    window = _number(int, "window", parsed.window)
    stride = _number(int, "stride", parsed.stride or parsed.window)
    threshold = _number(float, "threshold", parsed.threshold or 0.5)
    for path in paths:
        hits = run.scan(os.fsdecode(path), window, stride, threshold, parsed.label)
        if str(parsed.output).endswith(".bed"):
            write_bed(output, hits)
        else:
            for hit in hits:
                output.write(json.dumps(hit._asdict()) + "\n")


def _number(kind, name, text):
    try:
        return kind(text)
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise UserError(f"{text!r} is no {what}", where=f"--{name}", remedy="see --help") from None


def _explain(arguments):
    parsed = _simple("explain", arguments, {"--output": "write a table (.csv) here"}, rest="INPUT")
    run = _open(parsed.run)
    parsed.input = None
    texts = _texts(parsed)
    _load_tensorflow()
    rows = [row for text in texts for row in run.explain(text)]
    if parsed.output:
        from seqtasks.engine.files import write_csv

        write_csv(Path(parsed.output), rows)
    else:
        for row in rows:
            _print(row)


def _export(arguments):
    parsed = _simple("export", arguments, {"--format": "saved_model"} | _TOLD, rest="DIR", flags=("overwrite",))
    if len(parsed.rest) != 1:
        raise UserError("which directory?", where="export", remedy="seqtasks export RUN DIR")
    if parsed.format not in (None, "saved_model"):
        raise UserError(f"unknown format {parsed.format!r}", where="--format", remedy="take saved_model")
    run = _told(parsed)
    _load_tensorflow()
    _print({"saved_model": str(run.export(parsed.rest[0], parsed.overwrite))})


def _report(arguments):
    _print({"report": str(_open(_simple("report", arguments, {}).run).report())})


def _open(directory):
    from seqtasks.engine.run import Run

    if Path(directory, "config.yaml").is_file():
        _load_tensorflow()
    return Run(directory)


_TOLD = {
    "--beam_width": "translation: hypotheses that beam search keeps at each step; 1 is greedy",
    "--n_best": "translation: hypotheses that are told",
    "--length_penalty": "translation: exponent of the length by which log-probabilities are divided",
    "--coverage_penalty": "translation: weight of the places of the source that were not looked at",
    "--no_repeat_ngram": "translation: tokens in a row that are not written twice",
    "--max_characters": "translation: of a sentence; longer ones are refused",
}


def _told(parsed):
    """The run, with what decides about its answers told anew."""
    run, kinds = _open(parsed.run), {"length_penalty": float, "coverage_penalty": float}
    given = ((name[2:], getattr(parsed, name[2:])) for name in _TOLD)
    return run.told(**{n: _number(kinds.get(n, int), n, text) for n, text in given if text is not None})


def _first(arguments, command, name, what):
    if not arguments or arguments[0].startswith("-"):
        if arguments and arguments[0] in ("--help", "-h"):
            print(USAGE, end="")
            raise SystemExit(0)
        raise UserError(f"{name} comes first", where=command, remedy=f"seqtasks {command} {name} ...: {what}")
    return arguments[0], arguments[1:]


def _options(recipe, prog, arguments, flags, run=False, freeze=False):
    """(fields of the recipe's Config that were given, the other options) from flags and `--config`."""
    import jsonargparse

    from seqtasks.engine.options import explain, known_fields, parser, read_config

    made = parser(recipe, prog)
    made.add_argument("--run", type=str | None, default=None, help="the run directory to make")
    made.add_argument("--config", type=str | None, default=None, help="YAML file with options, a run's config.yaml say")
    if freeze:
        made.add_argument("--freeze", nargs="+", default=[], help="patterns of layer names whose weights stay")
    for flag in flags:
        made.add_argument(f"--{flag}", action="store_true", help=_FLAGS[flag])
    fields = known_fields(recipe)
    others = ["data", "train", "valid", "test", "run", *flags, *(["freeze"] if freeze else [])]
    try:
        parsed = made.parse_args(arguments)
        if parsed.config:
            values = read_config(parsed.config)
            if values.pop("recipe", recipe.name) != recipe.name and not str(prog).endswith(".py"):
                raise UserError("is of another recipe", where=parsed.config, remedy=f"take one of {recipe.name}")
            parsed = made.parse_args(arguments, namespace=made.parse_object(values))
            named = set(values)
        else:
            named = set()
    except jsonargparse.ArgumentError as error:
        raise explain(error, [*fields, *others, "config"]) from None
    named |= {a[2:].split("=")[0] for a in arguments if a.startswith("--")}
    values = parsed.as_dict()
    return {f: values[f] for f in fields if f in named}, {o: values[o] for o in others}


_FLAGS = {
    "resume": "go on with a run that was stopped",
    "overwrite": "replace a run that exists",
    "dry_run": "look at the data and the shapes; train nothing, write nothing",
    "tokens": "ner: the inputs are split already, with spaces between the tokens",
}


def _simple(command, arguments, options, rest=None, flags=()):
    """The arguments of a command that has no recipe's options."""
    import argparse

    made = argparse.ArgumentParser(prog=f"seqtasks {command}", allow_abbrev=False, exit_on_error=False)
    made.add_argument("run", metavar="RUN", help="a run directory")
    made.add_argument("rest", nargs="*", metavar=rest or "", help=argparse.SUPPRESS if rest is None else None)
    for name, text in options.items():
        made.add_argument(name, help=text)
    for flag in flags:
        made.add_argument(f"--{flag}", action="store_true", help=_FLAGS[flag])
    made.error = lambda message: (_ for _ in ()).throw(UserError(message, where=command, remedy="see --help"))
    parsed, unknown = made.parse_known_intermixed_args(arguments)
    if unknown:
        remedy = nearest(unknown[0], [*options, *(f"--{flag}" for flag in flags), "--help"])
        raise UserError(f"unknown option {unknown[0]}", where=command, remedy=remedy)
    if parsed.rest and rest is None:
        raise UserError(f"unexpected {parsed.rest[0]!r}", where=command, remedy="see --help")
    return parsed


def _texts(parsed):
    """The raw inputs of `predict`, bytes as they are, in order."""
    if parsed.input is None and not parsed.rest:
        raise UserError("nothing to read", where="INPUT", remedy="give texts, --input FILE, or - for standard input")
    if parsed.input is not None and not Path(parsed.input).is_file() and parsed.input != "-":
        raise UserError("no such file", where=parsed.input, remedy="give --input a file with one text on each line")

    def read():
        for text in parsed.rest:
            if text == "-":
                yield from _lines(sys.stdin.buffer)
            else:
                yield os.fsencode(text)
        if parsed.input == "-":
            yield from _lines(sys.stdin.buffer)
        elif parsed.input is not None:
            with open(parsed.input, "rb") as file:
                yield from _lines(file)

    return read()


def _lines(file):
    return (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)


@contextlib.contextmanager
def _output(path):
    from seqtasks.engine.files import replacing

    if not Path(path).parent.is_dir():
        raise UserError("no such folder", where=Path(path).parent, remedy="make it, or take another --output")
    if Path(path).exists() and not Path(path).is_file():  # a device or a pipe
        with open(path, "w", encoding="utf-8") as file:
            yield file
    else:
        with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            yield file


def _summary(run):
    metrics = run.metrics
    name = metrics["metric"]
    told = (*run.recipe.task(run.config).metrics, f"{name}_interval", "examples")
    return {
        "run": str(run.directory),
        "recipe": run.recipe.name,
        "test": {k: v for k, v in metrics["test"].items() if k in told},
        "baselines": {
            title: {name: b[name], "difference_interval": b["difference_interval"]}
            for title, b in metrics["baselines"].items()
        },
        "train": metrics["train"],
        "report": str(run.directory / "report.html"),
    }


def _print(value):
    print(json.dumps(value, ensure_ascii=False))


def _load_tensorflow():
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


if __name__ == "__main__":
    sys.exit(main())
