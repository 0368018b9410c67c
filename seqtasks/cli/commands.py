"""The commands that all recipes have."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import seqtasks
from seqtasks.capabilities import Answer, Command
from seqtasks.cli import console
from seqtasks.errors import UserError, explain
from seqtasks.options import Declared, add_options, describe, option
from seqtasks.recipe import Recipe, list_recipes, load_recipe
from seqtasks.yaml_files import read_yaml

DATA_HELP = {
    "data": "file, pattern of files, folder, hf:NAME or tfds:NAME; without it the built-in sample",
    "train": "file or folder with the training split",
    "valid": "file or folder with the validation split",
    "test": "file or folder with the test split",
}
RUN_HELP = {
    "run": "the run directory to make",
    "config": "YAML file with options, such as the config.yaml of a run",
}
FLAGS = {
    "resume": "continue a run that was stopped; auto: begin it if it has not begun",
    "overwrite": "replace a run that exists",
    "dry_run": "print shapes and counts; train nothing, write nothing",
    "folds": "cross-validation: one training for each of N folds of all data, with mean and spread",
    "trust": "execute the recipe.py that a run brings, where it was not trained on this machine",
    "quiet": "show no progress and no warnings, only errors and the result",
}
ALWAYS = "trust", "quiet"  # flags of every command

FINETUNE_HELP = {
    "relearn": "vocabularies of the run (files of its folder encoder) that are learnt anew from the new data"
}


@dataclasses.dataclass(frozen=True)
class TopCommand:
    """A command that does not begin with a run.

    Args:
        usage: its arguments, as in the help.
        help: what it does, in one line.
        run: `run(arguments)`.
        help_text: `help_text(recipe)`, the text of its `--help`.
    """

    usage: str
    help: str
    run: Callable[[list[str]], None]
    help_text: Callable[[str | None], str]


def _recipes(arguments: list[str]) -> None:
    if arguments:
        print(TOP_COMMANDS["recipes"].help_text(None), end="")
        return
    for name in sorted(list_recipes()):
        recipe = load_recipe(name)
        described = {"rnn_type": recipe.rnn_type, "formats": list(recipe.formats), "metric": recipe.metric}
        console.show({"recipe": name, **described, "summary": recipe.summary})


def _train(arguments: list[str]) -> None:
    name, rest = _first("train", "RECIPE", "a name that `seqtasks recipes` lists, or a .py file", arguments)
    recipe = load_recipe(name)
    fields, given = _options(recipe, f"seqtasks train {name}", rest, TRAIN_FLAGS)
    folds = given.pop("folds")
    console.load_tensorflow()
    if folds is not None:
        console.show(_cross_validate(name, folds, given, fields))
        return
    found = seqtasks.train(name, **given, **fields)
    if isinstance(found, dict) and not given["dry_run"]:
        folder = next(iter(found.values())).directory.parent
        runs = {variant: _summary(run) for variant, run in found.items()}
        console.show({"run": str(folder), "recipe": recipe.name, "runs": runs})
        return
    console.show(found if given["dry_run"] else _summary(found))


def _cross_validate(name: str, folds: int, given: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    for other in ("train", "valid", "test", "resume", "dry_run"):
        if given.pop(other):
            what, remedy = "excludes --folds", "give all data with --data: each example is tested once"
            raise UserError(what, where=f"--{other}", remedy=remedy)
    return seqtasks.cross_validate(name, **given, folds=folds, **fields)


def _finetune(arguments: list[str]) -> None:
    name, rest = _first("finetune", "RUN", "a run directory", arguments)
    run = console.open_run(name)
    fields, given = _options(run.recipe, f"seqtasks finetune {name}", rest, FINETUNE_FLAGS, finetune=True)
    given["new"] = given.pop("run")
    console.load_tensorflow()
    console.show(_summary(seqtasks.finetune(run, **given, **fields)))


def _first(command: str, name: str, what: str, arguments: list[str]) -> tuple[str, list[str]]:
    if arguments and arguments[0] in ("--help", "-h"):
        print(TOP_COMMANDS[command].help_text(None), end="")
        raise SystemExit(0)
    if not arguments or arguments[0].startswith("-"):
        raise UserError(f"{name} comes first", where=command, remedy=f"seqtasks {command} {name} ...: {what}")
    return arguments[0], arguments[1:]


def _parser(recipe: Recipe[Any], prog: str, flags: Iterable[str], finetune: bool = False) -> Any:
    import jsonargparse

    parser = jsonargparse.ArgumentParser(prog=prog, description=recipe.summary, exit_on_error=False, allow_abbrev=False)
    data, run = parser.add_argument_group("data options"), parser.add_argument_group("run")
    for name, text in DATA_HELP.items():
        data.add_argument(f"--{name}", type=str | None, default=None, help=text)
    for name, text in RUN_HELP.items():
        run.add_argument(f"--{name}", type=str | None, default=None, help=text)
    if finetune:
        for name, text in FINETUNE_HELP.items():
            run.add_argument(f"--{name}", nargs="+", default=[], help=text)
    for flag in (*flags, *ALWAYS):
        if flag == "folds":
            run.add_argument("--folds", type=int | None, default=None, help=FLAGS[flag])
        elif flag == "resume":
            kind: Any = bool | Literal["auto"]
            run.add_argument("--resume", type=kind, nargs="?", const=True, default=False, help=FLAGS[flag])
        else:
            run.add_argument(f"--{flag}", action="store_true", help=FLAGS[flag])
    add_options(parser, recipe.Config, {"data": data})
    return parser


def _options(
    recipe: Recipe[Any], prog: str, arguments: list[str], flags: tuple[str, ...], finetune: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields of the recipe's Config that were given, the other options) from flags and `--config`."""
    import jsonargparse

    parser = _parser(recipe, prog, flags, finetune)
    arguments = _gathered(recipe, arguments)
    fields = [o.name for o in describe(recipe.Config)]
    others = [*DATA_HELP, "run", *flags, *(FINETUNE_HELP if finetune else [])]
    try:
        parsed = parser.parse_args(arguments)
        named: set[str] = set()
        if parsed.config:
            values = read_yaml(parsed.config)
            named_recipe = values.pop("recipe", recipe.name)
            if named_recipe != recipe.name and not str(named_recipe).endswith(".py"):
                raise UserError("is of another recipe", where=parsed.config, remedy=f"take one of {recipe.name}")
            parsed = parser.parse_args(arguments, namespace=parser.parse_object(values))
            named = set(values)
    except jsonargparse.ArgumentError as error:
        raise explain(error, [*fields, *others, "config"]) from None
    named |= {a[2:].split("=")[0] for a in arguments if a.startswith("--")}
    parsed_values = parsed.as_dict()
    return {f: parsed_values[f] for f in fields if f in named}, {o: parsed_values[o] for o in others}


def _gathered(recipe: Recipe[Any], arguments: list[str]) -> list[str]:
    """The arguments with `--freeze A B`, and other lists of texts, as the one argument that the parser takes."""
    lists = {f"--{o.name}" for o in describe(recipe.Config) if o.hint == list[str]}
    values: list[str] | None = None
    found: list[tuple[str, list[str] | None]] = []
    for argument in arguments:
        if argument.startswith("--"):
            values = [] if argument in lists else None
            found.append((argument, values))
        elif values is None:
            found.append((argument, None))
        else:
            values.append(argument)
    joined: list[str] = []
    for argument, values in found:
        if values is None or (len(values) == 1 and values[0].startswith("[")):
            joined += [argument, *(values or [])]
        else:
            joined.append(f"{argument}={json.dumps(values)}")
    return joined


def _summary(run: Any) -> dict[str, Any]:
    metrics = run.metrics
    name = metrics["metric"]
    task = run.recipe.task(run.config)
    kept = (*task.metrics, f"{name}_interval", "examples", *task.summary)
    return {
        "run": str(run.directory),
        "recipe": run.recipe.name,
        "test": {k: v for k, v in metrics["test"].items() if k in kept},
        "baselines": {
            title: {name: b[name], "difference_interval": b["difference_interval"]}
            for title, b in metrics["baselines"].items()
        },
        "train": metrics["train"],
        "report": str(run.directory / "report.html"),
    }


def _help_of_recipes(recipe: str | None) -> str:
    return "usage: seqtasks recipes\n\nOne JSON object for each recipe: its RNN type, formats, metric and summary.\n"


def _help_of_training(command: str, name: str, flags: tuple[str, ...], finetune: bool) -> Callable[[str | None], str]:
    def text(recipe: str | None) -> str:
        if recipe:
            return _parser(load_recipe(recipe), f"seqtasks {command} {recipe}", flags, finetune).format_help()
        listed = "\n".join(f"  {n:<16} {load_recipe(n).summary}" for n in sorted(list_recipes()))
        options = {**DATA_HELP, **RUN_HELP, **{flag: FLAGS[flag] for flag in (*flags, *ALWAYS)}}
        if finetune:
            options |= FINETUNE_HELP
        shared = "\n".join(f"  --{n:<14} {t}" for n, t in options.items())
        return (
            f"usage: seqtasks {command} {name} [--data PATH] [--run DIR] [--OPTION VALUE ...]\n\nrecipes:\n{listed}\n\n"
            f"options:\n{shared}\n\n`seqtasks {command} {name} --help` lists the options of the recipe.\n"
        )

    return text


HELP_OF_COMPARISON = """usage: seqtasks compare RUN RUN ... [--html FILE]

Measures runs on their test data, which must be the same, and compares each with the first: intervals by the
bootstrap, a paired test, and the options that differ. A table on a terminal, else one JSON object.

options:
  --html FILE      also write a page
"""


def _compare(arguments: list[str]) -> None:
    if {"--help", "-h"} & set(arguments):
        print(HELP_OF_COMPARISON, end="")
        return
    runs, html = _with_html(arguments)
    opened = [console.open_run(run) for run in runs]
    if html:
        console.check_folder(html)
    console.load_tensorflow()
    compared = seqtasks.compare(opened)
    console.show_comparison(compared, html)


def _with_html(arguments: list[str]) -> tuple[list[str], Path | None]:
    """The runs and the file of `--html` among the arguments of `compare`."""
    given = [part for a in arguments for part in (a.split("=", 1) if a.startswith("--html=") else [a])]
    html = None
    if "--html" in given:
        place = given.index("--html")
        if place + 1 == len(given):
            raise UserError("which file?", where="--html", remedy="seqtasks compare RUN RUN --html FILE")
        html = Path(given[place + 1])
        del given[place : place + 2]
    if unknown := [a for a in given if a.startswith("--")]:
        raise UserError(f"unknown option {unknown[0]}", where="compare", remedy="it takes --html FILE")
    return given, html


def _pull(arguments: list[str]) -> None:
    if arguments[:1] in (["--help"], ["-h"]):
        print(_help_of_pull(None), end="")
        return
    if len(arguments) != 2:
        raise UserError("takes an address and a directory", where="pull", remedy="seqtasks pull hf://OWNER/NAME DIR")
    from seqtasks.engine.hub import pull

    console.show({"run": str(pull(*arguments))})


def _help_of_pull(recipe: str | None) -> str:
    return (
        "usage: seqtasks pull hf://OWNER/NAME DIR\n\nDownloads a run that `seqtasks push` uploaded. "
        "A run of a recipe of its own holds Python code, which is executed when the run is opened.\n"
    )


def _help_of_completion(recipe: str | None) -> str:
    return 'usage: seqtasks completion bash|zsh\n\nPrints shell code: eval "$(seqtasks completion bash)"\n'


def _completion(arguments: list[str]) -> None:
    from seqtasks.cli.completion import shell_code

    if arguments[:1] in (["--help"], ["-h"]):
        print(_help_of_completion(None), end="")
    elif arguments[:1] not in (["bash"], ["zsh"]):
        raise UserError("which shell?", where="completion", remedy="give bash or zsh")
    else:
        print(shell_code(arguments[0]))


TRAIN_FLAGS, FINETUNE_FLAGS = ("resume", "overwrite", "dry_run", "folds"), ("overwrite",)
TOP_COMMANDS = {
    "recipes": TopCommand("recipes", "list the recipes", _recipes, _help_of_recipes),
    "train": TopCommand(
        "train RECIPE [--data PATH] [--run DIR]", "train a recipe", _train,
        _help_of_training("train", "RECIPE", TRAIN_FLAGS, False),
    ),
    "finetune": TopCommand(
        "finetune RUN --data PATH [--run DIR]", "continue training on other data, labels and words", _finetune,
        _help_of_training("finetune", "RUN", FINETUNE_FLAGS, True),
    ),
    "compare": TopCommand(
        "compare RUN RUN ... [--html FILE]", "figures, differences and options of runs side by side", _compare,
        lambda recipe: HELP_OF_COMPARISON,
    ),
    "pull": TopCommand("pull hf://OWNER/NAME DIR", "download a run from the Hugging Face hub", _pull, _help_of_pull),
    "completion": TopCommand("completion bash|zsh", "print shell completion code", _completion, _help_of_completion),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(Declared):
    """Options of `seqtasks evaluate`."""

    data: str | None = option(None, "other data: a file, a folder, hf:NAME or tfds:NAME", "data")
    split: str | None = option(None, "train, validation or test; null for test, or for all of other data", "data")


@dataclasses.dataclass(frozen=True)
class ExportOptions(Declared):
    """Options of `seqtasks export`."""

    format: str = option(
        "saved_model", "saved_model, serving (a version for TensorFlow Serving), litert or onnx", "answering"
    )
    quantize: str = option("none", "int8: weights of 8 bits, with --format litert", "answering")
    license: str = option("", "for the model card, such as apache-2.0", "answering")
    overwrite: bool = option(False, "replace an export that exists", "answering")
    unchecked: bool = option(False, "keep the export without running it where its runtime is", "answering")


@dataclasses.dataclass(frozen=True)
class PushOptions(Declared):
    """Options of `seqtasks push`."""

    public: bool = option(False, "whether everyone can see a new repository", "answering")
    license: str = option("", "for the model card, such as apache-2.0", "answering")


def _evaluate(run: Any, inputs: Iterable[Any], options: EvaluateOptions) -> Iterable[Answer]:
    return [run.evaluate(options.data, options.split)]


def _predict(run: Any, inputs: Iterable[bytes], options: Any) -> Iterable[Answer]:
    return run.answers(inputs, getattr(inputs, "where", "input "))


def _export(run: Any, inputs: Iterable[Any], options: ExportOptions) -> Iterable[Answer]:
    directories = list(inputs)
    if len(directories) != 1:
        raise UserError("which directory?", where="export", remedy="seqtasks export RUN DIR")
    from seqtasks.engine.export import export

    given = options.format, options.overwrite, options.quantize, options.license, not options.unchecked
    done = export(run, os.fsdecode(directories[0]), *given)
    return [{done.format: str(done.path), "examples": done.examples, "largest_difference": done.largest_difference}]


def _push(run: Any, inputs: Iterable[Any], options: PushOptions) -> Iterable[Answer]:
    from seqtasks.engine.hub import push

    addresses = list(inputs)
    if len(addresses) != 1:
        raise UserError("which address?", where="push", remedy="seqtasks push RUN hf://OWNER/NAME")
    return [{"pushed": push(run, os.fsdecode(addresses[0]), options.public, options.license)}]


def _report(run: Any, inputs: Iterable[Any], options: Any) -> Iterable[Answer]:
    return [{"report": str(run.report())}]


RUN_COMMANDS = {
    command.name: command
    for command in (
        Command("evaluate", "metrics on a split or on other data", _evaluate, EvaluateOptions),
        Command("predict", "answers to inputs, one JSON object per line", _predict, inputs="INPUT"),
        Command(
            "export",
            "write the model for another runtime and check it",
            _export,
            ExportOptions,
            "DIR",
            files=False,
        ),
        Command("push", "upload a run to the Hugging Face hub", _push, PushOptions, "hf://OWNER/NAME", files=False),
        Command("report", "write RUN/report.html", _report),
    )
}
