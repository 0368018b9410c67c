"""Shell completion by `argcomplete`: commands, recipes, and the options of the command on the line."""

import argparse
import os
from collections.abc import Sequence

from seqtasks.cli import arguments
from seqtasks.cli.commands import DATA_HELP, FLAGS, RUN_HELP
from seqtasks.errors import needs
from seqtasks.options import describe
from seqtasks.recipe import list_recipes, load_recipe


def shell_code(shell: str) -> str:
    """What a shell evaluates so that it completes `seqtasks`.

    Args:
        shell: `bash` or `zsh`.

    Raises:
        UserError: if `argcomplete` is missing.
    """
    needs("argcomplete", extra="completion")
    import argcomplete

    return argcomplete.shellcode(["seqtasks"], shell=shell)


def complete() -> None:
    """Answer the shell and exit."""
    import argcomplete

    argcomplete.autocomplete(parser(os.environ.get("COMP_LINE", "").split()[1:]))


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """A parser of all commands, with the options of the one that `words` begins with.

    Args:
        words: the words on the line after `seqtasks`.
    """
    made = argparse.ArgumentParser(prog="seqtasks")
    commands = made.add_subparsers(dest="command")
    for name in arguments.all_commands():
        command = commands.add_parser(name)
        if words[:1] != [name]:
            continue
        if name == "train":
            command.add_argument("recipe", choices=sorted(list_recipes()))
            flags = [*DATA_HELP, *RUN_HELP, *FLAGS]
            if len(words) > 1 and words[1] in list_recipes():
                flags += [option.name for option in describe(load_recipe(words[1]).Config)]
            for flag in flags:
                command.add_argument(f"--{flag}")
        else:
            command.add_argument("arguments", nargs="*")
            for flag in arguments.flags_of(name, words[1:]):
                if flag.startswith("--") and flag != "--help":
                    command.add_argument(flag)
    return made
