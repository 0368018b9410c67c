"""What belongs to continuing a run: whether it has begun, how it is continued, and what a measured one still lacks."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from seqtasks.engine import checkpoint
from seqtasks.engine.data_summary import SplitSummary
from seqtasks.engine.run import Run
from seqtasks.engine.run_folder import COPY, VARIANTS, checked_json, is_run, runs_in
from seqtasks.errors import UserError


def has_begun(directory: Path) -> bool:
    """Whether there is a run, or a folder of runs of which one has begun."""
    several = runs_in(directory) if (directory / VARIANTS).is_file() else []
    return any(is_run(directory / name) for name in ("", *several))


@contextlib.contextmanager
def resumable(recipe: str, directory: Path) -> Iterator[None]:
    """A context in which an interruption is told how the run is continued, if it has begun.

    Args:
        recipe: a name or the path of a .py file.
        directory: the run.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if has_begun(directory):
            command = shlex.join(["seqtasks", "train", recipe, "--run", str(directory), "--resume"])
            error.add_note(f"the last checkpoint is kept, continue with: {command}")
        raise


def check_new(directory: Path) -> None:
    """Raise `UserError` if a run without a checkpoint was to begin with the weights of other runs, which are not kept.

    Args:
        directory: the run.
    """
    known = checked_json(directory, "environment.json")
    if known.keys() & {"parent", "pretrained"}:
        what = "was stopped before it had the weights that it was to start from"
        raise UserError(what, where=directory, remedy="begin again with --overwrite")


def check_unchanged(directory: Path, summaries: Mapping[str, SplitSummary]) -> None:
    """Raise `UserError` if the data is not that with which the run in a directory began.

    Args:
        directory: the run.
        summaries: of the splits, by name.
    """
    name = "environment.json"
    known = checked_json(directory, name)
    for split, summary in summaries.items():
        try:
            before = known["data"][split]["sha256"]
        except (LookupError, TypeError):
            raise UserError("does not describe the data", where=directory / name, remedy=COPY) from None
        if before != summary.sha256:
            what = "the data has changed since the run began"
            raise UserError(what, where=summary.name, remedy="train a new run")


def complete(run: Run) -> Run:
    """Write the report of a run that has been measured, if it lacks one, and remove the checkpoints.

    Args:
        run: with `metrics.json`.

    Returns:
        The run.
    """
    if not (run.directory / "report.html").is_file():
        run.report()
    if not run.config.checkpoint_keep:
        checkpoint.Checkpoints(run.directory / "checkpoints").clear()
    return run
