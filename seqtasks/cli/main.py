"""The command line. Standard output carries the result as JSON; progress and warnings go to standard error."""

import errno
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence

import seqtasks
from seqtasks.cli import arguments as parsing
from seqtasks.cli.commands import RUN_COMMANDS, TOP_COMMANDS
from seqtasks.cli.console import Warnings
from seqtasks.engine import progress, signals
from seqtasks.engine.trust import trusting
from seqtasks.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 2 an error of the user, 130 after Ctrl-C, 143 after SIGTERM, 1 a fault of the program.
    """
    given = [_underscored(a) for a in (sys.argv[1:] if arguments is None else arguments)]
    given, quiet = _without("--quiet", given)
    given, trust = _without("--trust", given)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[progress.Handler()])
    logging.getLogger("seqtasks").setLevel(logging.INFO)
    notes = Warnings(quiet, held=given[:1] in (["train"], ["finetune"]))
    warnings.showwarning = lambda message, *_, **__: notes.add(f"seqtasks: warning: {message}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "_ARGCOMPLETE" in os.environ:
        from seqtasks.cli.completion import complete

        complete()
    try:
        shown = progress.shown(quiet, always=True)
        with signals.raised(), shown, notes, progress.before_training(notes.release), trusting(trust):
            return _dispatch(given)
    except UserError as error:
        print(f"seqtasks: {error}", file=sys.stderr)
    except KeyboardInterrupt as error:
        number, word = (15, "terminated") if isinstance(error, signals.Terminated) else (2, "interrupted")
        print("; ".join([f"seqtasks: {word}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 128 + number
    except OSError as error:
        from seqtasks.atomic_files import full

        where, remedy = error.filename or "output", "check the disk and its permissions"
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(f"seqtasks: {full(where)}", file=sys.stderr)
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
            print(f"seqtasks: {UserError(error.strerror or 'refused', where, remedy)}", file=sys.stderr)
        else:
            raise
    return 2


def _underscored(argument: str) -> str:
    """Options have underscores; hyphens are accepted as the same. Texts stay as they are."""
    if not re.fullmatch(r"--[A-Za-z][\w-]*(=.*)?", argument, re.DOTALL):
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _without(flag: str, given: list[str]) -> tuple[list[str], bool]:
    """(the other arguments, whether a flag is among them); after `--` it is a text."""
    end = given.index("--") if "--" in given else len(given)
    return [a for i, a in enumerate(given) if a != flag or i > end], flag in given[:end]


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("--help", "-h", "help"):
        print(help_text(), end="")
        return 0 if given else 2
    if given[0] == "--version":
        print(f"seqtasks {seqtasks.__version__}")
    elif given[0] in TOP_COMMANDS:
        TOP_COMMANDS[given[0]].run(given[1:])
    else:
        name, rest = given[0], given[1:]
        if {"--help", "-h"} & set(rest) and parsing.run_in(rest) is None:
            print(help_text(name), end="")
        else:
            parsing.run_command(name, rest)
    return 0


def help_text(command: str = "", recipe: str | None = None) -> str:
    """The text of `seqtasks --help`, or of `seqtasks COMMAND --help`.

    Args:
        command: a command; empty for all.
        recipe: for `train`, the recipe whose options are listed.

    Raises:
        UserError: if there is no such command.
    """
    if command in TOP_COMMANDS:
        return TOP_COMMANDS[command].help_text(recipe)
    if command:
        return parsing.help_of_run_command(command)
    lines = [
        "seqtasks: from raw files to a trained, measured, exported sequence model",
        "",
        *(_line(c.usage, c.help) for c in TOP_COMMANDS.values()),
        *(_line(f"{c.name} RUN {c.inputs}".strip(), c.help) for c in RUN_COMMANDS.values()),
    ]
    for command_, names in parsing.capability_commands().values():
        lines.append(
            _line(f"{command_.name} RUN {command_.inputs}".strip(), f"{command_.help}; runs of {', '.join(names)}")
        )
    return "\n".join([*lines, "", *NOTES, ""])


NOTES = (
    "RECIPE is a name or the path of a .py file. Without --data a recipe uses its small built-in sample.",
    "`seqtasks train RECIPE --help` lists the options of a recipe, `seqtasks COMMAND RUN --help` those of a run.",
    "`--quiet`, before or after a command, leaves only errors and the result. `--trust` lets a run execute the",
    "recipe.py that it brings, where it was not trained on this machine.",
    "  --version   --help   --quiet   --trust",
)


def _line(usage: str, text: str) -> str:
    return f"  seqtasks {usage:<40} {text}"


if __name__ == "__main__":
    sys.exit(main())
