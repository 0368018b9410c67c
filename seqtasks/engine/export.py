"""Exports: a trained model in the format of another runtime, checked there before it is kept."""

from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from seqtasks.atomic_files import check_own, full, whole_folder, write_text
from seqtasks.engine import checking, network, served, serving
from seqtasks.engine.calls import how_to_call
from seqtasks.errors import UserError, nearest, needs
from seqtasks.report.model_card import model_card

FORMATS = {  # what a folder of each may hold
    "saved_model": ("saved_model.pb", "fingerprint.pb", "variables/*", "assets/*", "README.md"),
    "serving": (),
    "litert": ("model.tflite", "encoding.json", "encode.py", "README.md"),
    "onnx": ("model.onnx", "encoding.json", "encode.py", "README.md"),
}
RUNTIMES = {"saved_model": "tensorflow", "serving": "tensorflow", "litert": "litert", "onnx": "onnx"}
PACKAGES = {"serving": ("tensorflow_serving",), "litert": ("ai_edge_litert",), "onnx": ("tf2onnx", "onnxruntime")}


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
    run: Any, directory: str | Path, format: str = "saved_model", overwrite: bool = False, quantize: str = "none",
    license: str = "", check: bool = True,
) -> Exported:  # fmt: skip
    """Write a model for another runtime.

    `saved_model` takes raw inputs and gives answers, see `seqtasks.engine.served.save`. `serving` adds such a model as
    the next version to a folder of TensorFlow Serving. `litert` and `onnx` hold the network alone, with
    `encoding.json` and, where the recipe has one, `encode.py`.

    The written model is run on real examples in a process of its own, where only its runtime can be imported. If its
    answers are not those of the run, nothing is kept. `README.md` is its model card.

    Args:
        run: the `seqtasks.engine.run.Run`.
        directory: where to write; it must not exist, except for `serving`.
        format: one of `FORMATS`.
        overwrite: replace an export that exists.
        quantize: of `litert`: `int8` for weights of 8 bits, or `none`.
        license: for the model card, an identifier such as `apache-2.0`.
        check: whether to compare it with the run.

    Raises:
        UserError: if the directory exists, the format is unknown, a package is missing, the model cannot be written in
            this format, it answers otherwise, or the disk is full.
    """
    directory = Path(directory)
    if format not in FORMATS:
        raise UserError(f"unknown format {format!r}", where="--format", remedy=nearest(format, FORMATS))
    for package in PACKAGES.get(format, ()):
        needs(package, extra=format)
    if quantize not in ("none", "int8") or (quantize == "int8" and format != "litert"):
        what = f"not for --format {format}" if quantize == "int8" else f"unknown value {quantize!r}"
        raise UserError(what, where="--quantize", remedy="take none, or int8 with --format litert")
    if format == "serving":
        if overwrite:
            what, remedy = "a version is added, none is replaced", "leave out --overwrite"
            raise UserError(what, where="--format serving", remedy=remedy)
        directory = directory / str(serving.next_version(directory))
    else:
        _check_free(directory, format, overwrite)
    if check:
        checking.Runtime.get(RUNTIMES[format])  # imports while the model is written
    real = checking.real_examples(run) if check or format == "serving" else None
    with whole_folder(directory) as temporary:
        write = _write_network if format in ("litert", "onnx") else _write_served
        difference = write(run.predictor, temporary, format, quantize, real, check)
        if (run.directory / "metrics.json").is_file():
            encoded = (temporary / "encode.py").is_file()
            call = how_to_call(run.predictor, format, run.directory.resolve().name, encoded)
            fields = run.recipe.card(run.config)
            card = model_card(run.directory, run.recipe.summary, fields, call, license)
            write_text(temporary / "README.md", card)
    return Exported(format, directory, len(real.inputs) if real and check else 0, difference)


def _write_served(predictor: Any, directory: Path, format: str, quantize: str, real: Any, check: bool) -> float:
    directory.mkdir()
    try:
        served.save(predictor, directory)
    except tf.errors.ResourceExhaustedError:
        raise full(directory) from None
    if real is None:
        return 0.0
    batch, expected = checking.serving_batch(predictor, real)
    if format == "serving":
        serving.write_warmup(directory, [checking.part(batch, slice(1)), batch])
    return checking.check_served(predictor, directory, batch, expected) if check else 0.0


def _write_network(predictor: Any, directory: Path, format: str, quantize: str, real: Any, check: bool) -> float:
    directory.mkdir()
    encoded = network.write_encoding(predictor, directory)
    if format == "litert":
        network.write_litert(predictor, directory, quantize)
    else:
        network.write_onnx(predictor, directory)
    return network.check_network(predictor, directory, real, encoded, format, quantize) if check else 0.0


def _check_free(directory: Path, format: str, overwrite: bool) -> None:
    """Raise `UserError` if a directory exists that may not be replaced."""
    if not directory.exists():
        return
    if not (overwrite and (directory / FORMATS[format][0]).is_file()):
        raise UserError("exists already", where=directory, remedy="take another directory, or add --overwrite")
    check_own(directory, FORMATS[format], "take another directory")
