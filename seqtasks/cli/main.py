"""The command line. Standard output carries the result as JSON; progress and warnings go to standard error."""

import contextlib
import dataclasses
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import seqtasks
from seqtasks.cli import console
from seqtasks.errors import UserError, nearest


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
        from seqtasks.atomic_files import full

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
    commands = {c.__name__[1:]: c for c in COMMANDS}
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(console.USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"seqtasks {seqtasks.__version__}")
        return 0
    if arguments[0] not in commands:
        raise UserError(f"unknown command {arguments[0]!r}", remedy=nearest(arguments[0], commands))
    return commands[arguments[0]](arguments[1:]) or 0


def _recipes(arguments):
    from seqtasks.recipe import list_recipes, load_recipe

    for name in sorted(list_recipes()):
        recipe = load_recipe(name)
        told = {"rnn_type": recipe.rnn_type, "formats": list(recipe.formats), "metric": recipe.default_metric}
        console.show({"recipe": name, **told, "summary": recipe.summary})


def _how_to_resume(arguments):
    if arguments[:1] != ["train"] or "--run" not in arguments[:-1]:
        return ""
    run = arguments[arguments.index("--run") + 1]
    if not Path(run, "checkpoints").is_dir():
        return ""
    return f"; the last checkpoint is kept, go on with: seqtasks train {arguments[1]} --run {run} --resume"


def _train(arguments):
    from seqtasks.recipe import load_recipe

    name, rest = console.first(arguments, "train", "RECIPE", "a name that `seqtasks recipes` lists, or a .py file")
    recipe = load_recipe(name)
    fields, given = _options(recipe, f"seqtasks train {name}", rest, ("resume", "overwrite", "dry_run"), run=True)
    console.load_tensorflow()
    found = seqtasks.train(name, **given, **fields)
    console.show(found if given["dry_run"] else _summary(found))


def _finetune(arguments):
    name, rest = console.first(arguments, "finetune", "RUN", "a run directory")
    run = _open(name)
    fields, given = _options(run.recipe, f"seqtasks finetune {name}", rest, ("overwrite",), run=True, freeze=True)
    given["new"] = given.pop("run")
    console.load_tensorflow()
    console.show(_summary(seqtasks.finetune(run, **given, **fields)))


def _evaluate(arguments):
    options = {"--data": "other data", "--split": "train, validation or test"}
    parsed = console.simple("evaluate", arguments, options | _TOLD)
    run = _told(parsed)
    console.load_tensorflow()
    console.show(run.evaluate(parsed.data, parsed.split or "test"))


def _predict(arguments):
    options = {
        "--input": "a file with one input on each line",
        "--output": "write here instead of standard output; .bed writes that where genomes are scanned",
        "--window": "dna: bases of a window that is slid along each genome given as INPUT",
        "--stride": "dna: bases between the starts of two windows (default: the window)",
        "--threshold": "dna: least probability of what a scan tells (default: 0.5)",
        "--label": "dna: the one label that a scan looks for",
    }
    parsed = console.simple("predict", arguments, options | _TOLD, rest="INPUT", flags=("tokens",))
    run = _told(parsed)
    texts = console.texts(parsed)
    console.load_tensorflow()
    _ = run.model
    with _results(parsed.output) as output:
        if parsed.window is not None:
            _scan(run, parsed, texts, output)
        elif run.recipe.live and parsed.rest == ["-"]:
            for answer in run.live(sys.stdin.buffer):
                output.write(json.dumps(answer, ensure_ascii=False) + "\n")
                output.flush()
        else:
            where = f"{parsed.input}:" if parsed.input and not parsed.rest else "input "
            for answer in run.answers(texts, parsed.tokens, where):
                output.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _scan(run, parsed, paths, output):
    from seqtasks.dna.bed import write_bed

    window = console.number(int, "window", parsed.window)
    stride = console.number(int, "stride", parsed.stride or parsed.window)
    threshold = console.number(float, "threshold", parsed.threshold or 0.5)
    for path in paths:
        hits = run.scan(os.fsdecode(path), window, stride, threshold, parsed.label)
        if str(parsed.output).endswith(".bed"):
            write_bed(output, hits)
        else:
            for hit in hits:
                output.write(json.dumps(hit._asdict()) + "\n")


def _score(arguments):
    options = {"--input": "a file with one text on each line", "--output": "write here instead of standard output"}
    parsed = console.simple("score", arguments, options, rest="TEXT")
    run, texts = _open(parsed.run), console.texts(parsed)
    with _results(parsed.output) as output:
        for answer in run.score(list(texts)):
            output.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _generate(arguments):
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.options import helps

    fields, told = dataclasses.fields(GenerationOptions), helps(GenerationOptions)
    options = {
        "--prompt": "what each begins with; for music also the path of a MIDI file",
        **{f"--{field.name}": f"{told[field.name]} (default: {field.default})" for field in fields},
        "--show": "how many of the likeliest tokens are told of every step, beside the one chosen",
        "--output": "write here instead of standard output; for music .mid or .wav, numbered where there are several",
    }
    parsed = console.simple("generate", arguments, options)
    run = _open(parsed.run)
    given = {f.name: getattr(parsed, f.name) for f in fields if getattr(parsed, f.name) is not None}
    asked = {f.name: console.number(f.type, f.name, given[f.name]) for f in fields if f.name in given}
    found = run.generate(parsed.prompt or "", console.number(int, "show", parsed.show or "0"), **asked)
    path = Path(parsed.output or "")
    if parsed.output and run.recipe.deliver and path.suffix not in ("", ".json", ".jsonl"):
        if path.suffix not in run.recipe.delivers:
            remedy = f"end it in {', '.join(run.recipe.delivers)} or .jsonl"
            raise UserError(f"unknown format {path.suffix!r}", where=path, remedy=remedy)
        console.check_folder(path)
        _deliver(run, found, path, asked.get("num", 1))
        return
    with _results(parsed.output) as output:
        for answer in found:
            output.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _deliver(run, answers, path, count):
    """Write each answer as a file; one that cannot be is told, and is a mistake where it is the last hope."""
    written, fault = 0, None
    for number, answer in enumerate(answers, 1):
        numbered = path if count == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            console.show({"file": str(run.recipe.deliver(run.config, answer, numbered))})
            written += 1
        except UserError as error:
            fault = error
            if count > 1:
                console.show({"error": str(error)})
    if fault and not written:
        raise fault


@contextlib.contextmanager
def _results(path):
    """Where answers are written to: a file, or standard output."""
    with console.opened(path) if path else contextlib.nullcontext(sys.stdout) as output:
        yield output
        output.flush()


def _explain(arguments):
    parsed = console.simple("explain", arguments, {"--output": "write a table (.csv) here"}, rest="INPUT")
    run = _open(parsed.run)
    parsed.input = None
    texts = console.texts(parsed)
    console.load_tensorflow()
    rows = [row for text in texts for row in run.explain(text)]
    if parsed.output:
        from seqtasks.atomic_files import write_csv

        write_csv(Path(parsed.output), rows)
    else:
        for row in rows:
            console.show(row)


def _export(arguments):
    parsed = console.simple("export", arguments, {"--format": "saved_model"} | _TOLD, rest="DIR", flags=("overwrite",))
    if len(parsed.rest) != 1:
        raise UserError("which directory?", where="export", remedy="seqtasks export RUN DIR")
    if parsed.format not in (None, "saved_model"):
        raise UserError(f"unknown format {parsed.format!r}", where="--format", remedy="take saved_model")
    run = _told(parsed)
    console.load_tensorflow()
    console.show({"saved_model": str(run.export(parsed.rest[0], parsed.overwrite))})


def _report(arguments):
    console.show({"report": str(_open(console.simple("report", arguments, {}).run).report())})


def _open(directory):
    from seqtasks.engine.run import Run

    if Path(directory, "config.yaml").is_file():
        console.load_tensorflow()
    return Run(directory)


_TOLD = {
    "--beam_width": "translation, speech: hypotheses that beam search keeps at each step; 1 is greedy",
    "--n_best": "translation: hypotheses that are told",
    "--length_penalty": "translation: exponent of the length by which log-probabilities are divided",
    "--coverage_penalty": "translation: weight of the places of the source that were not looked at",
    "--no_repeat_ngram": "translation: tokens in a row that are not written twice",
    "--max_characters": "translation: of a sentence; longer ones are refused",
    "--every": "video: seconds of a video that get an answer each",
    "--language_model": "speech: a run of language_model, of characters, that has a say in what was said",
    "--language_weight": "speech: how much of a say",
    "--bonus": "speech: what each character is worth against the language model's liking for few",
}
_KINDS = {"language_model": str} | dict.fromkeys(
    ("length_penalty", "coverage_penalty", "every", "language_weight", "bonus"), float
)


def _told(parsed):
    """The run, with what decides about its answers told anew."""
    run = _open(parsed.run)
    given = ((name[2:], getattr(parsed, name[2:])) for name in _TOLD)
    return run.told(**{n: console.number(_KINDS.get(n, int), n, text) for n, text in given if text is not None})


def _options(recipe, prog, arguments, flags, run=False, freeze=False):
    """(fields of the recipe's Config that were given, the other options) from flags and `--config`."""
    import jsonargparse

    from seqtasks.options import explain, known_fields, parser, read_config

    made = parser(recipe, prog)
    made.add_argument("--run", type=str | None, default=None, help="the run directory to make")
    made.add_argument("--config", type=str | None, default=None, help="YAML file with options, a run's config.yaml say")
    if freeze:
        made.add_argument("--freeze", nargs="+", default=[], help="patterns of layer names whose weights stay")
    for flag in flags:
        made.add_argument(f"--{flag}", action="store_true", help=console.FLAGS[flag])
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


def _summary(run):
    metrics = run.metrics
    name = metrics["metric"]
    told = (*run.recipe.task(run.config).metrics, f"{name}_interval", "examples", "unknown_rate")
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


COMMANDS = (
    _recipes, _train, _evaluate, _predict, _score, _generate, _explain, _finetune, _export, _report,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
