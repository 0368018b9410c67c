"""Arguments of commands on a run: the command's own options, those of its recipe, and their help."""

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from seqtasks.capabilities import Answer, Command
from seqtasks.cli import console
from seqtasks.cli.commands import ALWAYS, FLAGS, RUN_COMMANDS, TOP_COMMANDS
from seqtasks.engine import progress
from seqtasks.errors import UserError, nearest
from seqtasks.options import Option, describe, make_options
from seqtasks.recipe import Recipe, list_recipes, load_recipe

INPUT_HELP = "a table or other data file as for training, or a file with one input per line; - is standard input"
CARRY_HELP = "columns of the table, separated by commas, that the answers repeat; all for each"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, where=self.prog.removeprefix("seqtasks "), remedy="see --help")


def run_in(arguments: Sequence[str]) -> str | None:
    """The run among arguments: the first that is the directory of a run, else the first that is not an option."""
    plain = [a for a in arguments if not a.startswith("-")]
    return next((a for a in plain if Path(a, "config.yaml").is_file()), plain[0] if plain else None)


def run_command(name: str, arguments: list[str]) -> None:
    """Run a command on a run and print its answers, or write them.

    Raises:
        UserError: if there is no such command or run, or an argument is not understood.
    """
    directory = run_in(arguments)
    is_run = Path(directory or "", "config.yaml").is_file()
    if not is_run and name not in all_commands():
        raise UserError(f"unknown command {name!r}", remedy=nearest(name, all_commands()))
    if directory is None:
        raise UserError("a run directory comes first", where=name, remedy=f"seqtasks {name} RUN ...")
    run = console.open_run(directory)
    command = RUN_COMMANDS.get(name) or next((c for c in run.recipe.commands() if c.name == name), None)
    if command is None:
        _, recipes = capability_commands().get(name, (None, []))
        if not recipes:
            raise UserError(f"unknown command {name!r}", remedy=nearest(name, all_commands()))
        what, remedy = f"not for a run of {run.recipe.name}", f"use a run of {' or '.join(recipes)}"
        raise UserError(what, where=name, remedy=remedy)
    parser = _parser(command, run.recipe, run.config)
    parsed, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        options = [o for action in parser._actions for o in action.option_strings if o.startswith("--")]
        raise _unknown_option(unknown[0].partition("=")[0], command, run.recipe, options)
    if parsed.run != directory:
        raise UserError("no such run", where=parsed.run, remedy=f"the run comes first: seqtasks {name} {directory} ...")
    if parsed.inputs and not command.inputs:
        raise UserError(f"unexpected {parsed.inputs[0]!r}", where=name, remedy="see --help")
    given = {n: v for n, v in vars(parsed).items() if v is not None and n not in ("run", "inputs", "input", "output")}
    _execute(command, run, parsed, given)


def _check_format(path: Path, command: Command) -> None:
    """Raise `UserError` for a format that a command does not write, if it or another command writes such formats."""
    others = {suffix for name in list_recipes() for c in load_recipe(name).commands() for suffix in c.writers}
    if command.writers or path.suffix in others:
        remedy = f"end it in {', '.join([*command.writers, '.jsonl'])}"
        raise UserError(f"unknown format {path.suffix!r}", where=path, remedy=remedy)


def _unknown_option(flag: str, command: Command, recipe: Recipe[Any], options: Sequence[str]) -> UserError:
    """Whether an option that a command does not take is one of training, or one for runs of other recipes."""
    name = flag.lstrip("-")
    if name in {o.name for o in describe(recipe.Config)}:
        return UserError(
            "cannot be changed on a trained run", where=flag, remedy="train a new run, or fine-tune this one"
        )
    others = [n for n in sorted(list_recipes()) if name in {o.name for o in recipe_options(command, load_recipe(n))}]
    if others:
        return UserError(f"not for a run of {recipe.name}", where=flag, remedy=f"runs of {', '.join(others)} take it")
    return UserError(f"unknown option {flag}", where=command.name, remedy=nearest(flag, options))


def _execute(command: Command, run: Any, parsed: argparse.Namespace, given: dict[str, Any]) -> None:
    own = {o.name for o in describe(command.Options)} & set(given)
    options: Any = make_options(command.Options, {name: given.pop(name) for name in own})
    takes_inputs = bool(command.inputs) and command.files
    if command.name == "predict":
        special, special_options, given = run.predict_command(given, parsed.inputs)
        command, options = (special, special_options) if special else (command, options)
    carry = given.pop("carry", "")
    run = run.with_options(**given)
    inputs: Iterable[Any] = parsed.inputs
    if takes_inputs and not command.reads_stdin:
        inputs = console.read_inputs(run, parsed.inputs, parsed.input, carry)
    console.load_tensorflow()
    path = Path(parsed.output) if parsed.output else None
    write = command.writers.get(path.suffix) if path else None
    if path and not write and path.suffix not in ("", ".json", ".jsonl", ".txt"):
        _check_format(path, command)
    if path and write:
        console.check_folder(path)
        for answer in write(run, options, command.run(run, inputs, options), path) or ():
            console.show(answer)
        return
    answers: Iterable[Answer] = command.run(run, inputs, options)
    if takes_inputs and (path or not sys.stdout.isatty()):  # on a terminal the answers show how far it is
        answers = progress.counted(command.name, answers, unit="answers")
    with console.results(path) as output:
        for answer in answers:
            output.write(console.line_of(answer) + "\n")
            output.flush()


def _parser(command: Command, recipe: Recipe[Any] | None, config: Any = None) -> _Parser:
    """The parser of a command on a run; values are texts, which `make_options` checks."""
    parser = _Parser(
        prog=f"seqtasks {command.name}",
        usage=f"seqtasks {command.name} RUN {f'[{command.inputs} ...] ' if command.inputs else ''}[--OPTION VALUE ...]",
        description=command.help,
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a run directory")
    parser.add_argument(
        "inputs", nargs="*", metavar=command.inputs or "", help=argparse.SUPPRESS if not command.inputs else ""
    )
    if command.inputs and command.files:
        parser.add_argument("--input", metavar="FILE", help=INPUT_HELP)
        parser.add_argument("--carry", metavar="COLUMNS", default=argparse.SUPPRESS, help=CARRY_HELP)
    parser.add_argument("--output", metavar="FILE", help=_output_help(command, recipe))
    for flag in ALWAYS:
        parser.add_argument(f"--{flag}", action="store_true", default=argparse.SUPPRESS, help=FLAGS[flag])
    _add(parser, "options", describe(command.Options), {})
    if recipe:
        _add(parser, "options of this run", recipe_options(command, recipe), vars(config) if config else {})
        return parser
    owners: dict[Option, list[str]] = {}
    for name in sorted(list_recipes()):
        for option in recipe_options(command, load_recipe(name)):
            known = next((o for o in owners if o.name == option.name), option)
            owners.setdefault(known, []).append(name)
    for names in dict.fromkeys(tuple(names) for names in owners.values()):
        _add(parser, f"options of runs of {', '.join(names)}", [o for o in owners if tuple(owners[o]) == names], None)
    return parser


def recipe_options(command: Command, recipe: Recipe[Any]) -> list[Option]:
    """The options that a recipe adds to a command: what can be changed on a run, and those of its own `predict`."""
    found = [o for o in describe(recipe.Config) if o.changeable and (command.name in RUN_COMMANDS or o.group == "data")]
    found = found if command.name in RUN_COMMANDS or (command.inputs and command.files) else []
    if command.name == "predict":
        found += [o for c in recipe.commands() if c.name == "predict" for o in describe(c.Options)]
    taken = {o.name for o in describe(command.Options)}
    return [o for o in found if o.name not in taken]


def _add(
    parser: argparse.ArgumentParser, title: str, options: Sequence[Option], values: Mapping[str, Any] | None
) -> None:
    """Add a group of options; the help shows their default, or their value in a run, or neither for several recipes."""
    group = parser.add_argument_group(title) if options else parser
    for option in options:
        text = option.full_help
        if values is not None:
            default = values.get(option.name, option.default)
            text += f" (default: {'none' if default in (None, '') else default})"
        flag: dict[str, Any] = {"metavar": option.name.upper()}
        if option.hint is bool:  # a flag must not take the next input as its value
            flag = {"action": "store_const", "const": "false" if option.default else "true"}
        if f"--{option.name}" not in parser._option_string_actions:
            group.add_argument(f"--{option.name}", help=text.replace("%", "%%"), default=argparse.SUPPRESS, **flag)


def _output_help(command: Command, recipe: Recipe[Any] | None) -> str:
    text = "write the answers here instead of standard output"
    commands = [command, *(c for c in recipe.commands() if c.name == command.name)] if recipe else [command]
    formats = list(dict.fromkeys(suffix for c in commands for suffix in c.writers))
    return f"{text}; {', '.join(formats)} writes that format" if formats else text


def capability_commands() -> dict[str, tuple[Command, list[str]]]:
    """Commands that capabilities of installed recipes bring: {name: (command, names of the recipes)}."""
    found: dict[str, tuple[Command, list[str]]] = {}
    for name in sorted(list_recipes()):
        for command in load_recipe(name).commands():
            if command.name != "predict":
                found.setdefault(command.name, (command, []))[1].append(name)
    return found


def all_commands() -> Iterator[str]:
    """The names of all commands."""
    yield from (*TOP_COMMANDS, *RUN_COMMANDS, *capability_commands())


def help_of_run_command(name: str) -> str:
    """The help of a command on a run, for all recipes.

    Raises:
        UserError: if there is no such command.
    """
    command = RUN_COMMANDS.get(name) or capability_commands().get(name, (None,))[0]
    if command is None:
        raise UserError(f"unknown command {name!r}", remedy=nearest(name, all_commands()))
    return _parser(command, None).format_help()


def flags_of(name: str, arguments: Sequence[str]) -> list[str]:
    """The flags of a command, for the run among its arguments if there is one."""
    directory, run = run_in(arguments), None
    if directory and Path(directory, "config.yaml").is_file():
        with contextlib.suppress(UserError):  # nothing that is not trusted is executed to complete a line
            run = console.open_run(directory)
    brought = run.recipe.commands() if run else (c for c, _ in capability_commands().values())
    command = RUN_COMMANDS.get(name) or next((c for c in brought if c.name == name), None)
    return list(_parser(command, run and run.recipe)._option_string_actions) if command else []
