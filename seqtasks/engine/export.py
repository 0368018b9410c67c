"""Exports: a trained model in the format of another runtime, checked there before it is kept."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.atomic_files import check_own
from seqtasks.engine import checking, served, serving
from seqtasks.errors import UserError, nearest, needs

FORMATS = {  # what a folder of each may hold
    "saved_model": ("saved_model.pb", "fingerprint.pb", "variables/*", "assets/*"),
    "serving": (),
}


class Exported(NamedTuple):
    """What was written.

    Attributes:
        format: its format.
        path: its folder.
        examples: how many real examples it was checked with; 0 without a check.
        largest_difference: of its outputs to those of the run, relative to what is larger than 1.
    """

    format: str
    path: Path
    examples: int = 0
    largest_difference: float = 0.0


def export(
    run: Any, directory: str | Path, format: str = "saved_model", overwrite: bool = False, check: bool = True
) -> Exported:  # fmt: skip
    """Write a model for another runtime.

    `saved_model` takes raw inputs and gives answers, see `seqtasks.engine.served.save`. `serving` adds such a model as
    the next version to a folder of TensorFlow Serving.

    The written model is run on real examples in a process of its own, where only its runtime can be imported. If its
    answers are not those of the run, nothing is kept.

    Args:
        run: the `seqtasks.engine.run.Run`.
        directory: where to write; it must not exist, except for `serving`.
        format: one of `FORMATS`.
        overwrite: replace an export that exists.
        check: whether to compare it with the run.

    Raises:
        UserError: if the directory exists, the format is unknown, a package is missing, the model cannot be written in
            this format, it answers otherwise, or the disk is full.
    """
    directory = Path(directory)
    if format not in FORMATS:
        raise UserError(f"unknown format {format!r}", where="--format", remedy=nearest(format, FORMATS))
    if format == "serving":
        needs("tensorflow_serving", extra="serving")
        if overwrite:
            what, remedy = "a version is added, none is replaced", "leave out --overwrite"
            raise UserError(what, where="--format serving", remedy=remedy)
        directory = directory / str(serving.next_version(directory))
    else:
        _check_free(directory, format, overwrite)
    if check:
        checking.Runtime.get("tensorflow")  # imports while the model is written
    real = checking.real_examples(run) if check or format == "serving" else None
    with _whole(directory) as temporary:
        served.save(run.predictor, temporary)
        done = Exported(format, directory)
        if real:
            batch, expected = checking.serving_batch(run.predictor, real)
            if format == "serving":
                serving.write_warmup(temporary, [checking.part(batch, slice(1)), batch])
            if check:
                difference = checking.check_served(run.predictor, temporary, batch, expected)
                done = done._replace(examples=len(real.inputs), largest_difference=difference)
    return done


def _check_free(directory: Path, format: str, overwrite: bool) -> None:
    """Raise `UserError` if a directory exists that may not be replaced."""
    if not directory.exists():
        return
    if not (overwrite and (directory / FORMATS[format][0]).is_file()):
        raise UserError("exists already", where=directory, remedy="take another directory, or add --overwrite")
    check_own(directory, FORMATS[format], "take another directory")


@contextlib.contextmanager
def _whole(directory: Path) -> Iterator[Path]:
    """A temporary directory that takes the place of `directory` when the block ends, and is deleted if it fails."""
    temporary = directory.with_name(f".{os.getpid()}.{directory.name}")
    made = not directory.parent.exists()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if directory.exists():
            shutil.rmtree(directory)
        temporary.rename(directory)
        made = False
    except tf.errors.ResourceExhaustedError:
        raise UserError("no space left on the device", where=directory, remedy="free some space") from None
    except (NotADirectoryError, PermissionError, FileExistsError) as error:
        raise UserError(f"cannot be written ({error.strerror})", where=directory, remedy="take another") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                directory.parent.rmdir()
