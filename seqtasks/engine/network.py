"""The network alone, for runtimes without string operations: LiteRT and ONNX, with what encodes its inputs."""

import contextlib
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import write_json, write_text
from seqtasks.data.batches import pad
from seqtasks.engine.checking import Arrays, Real, Runtime, largest_difference, tolerance
from seqtasks.errors import UserError
from seqtasks.layers.plain_loop import plain_loops
from seqtasks.portable.capability import Portable, source

OPSET = 18
INT8_TOLERANCE = 0.1  # of the largest output: int8 weights are told apart from an error, no more
WHY = {
    "litert": "see https://ai.google.dev/edge/litert/conversion/tensorflow/ops_compatibility",
    "onnx": "see https://github.com/onnx/tensorflow-onnx/blob/main/support_status.md",
}
OUTPUT, TEXTS = "outputs", "texts to encode"


def traced(predictor: Any, batch: int | None) -> Any:
    """The network as a `tf.function` of its inputs in the order of `predictor.model.inputs`, to {"outputs": tensor}.

    Args:
        predictor: the model with its encoder.
        batch: the size of a batch, or None for any.
    """
    inputs = predictor.model.inputs
    signature = [tf.TensorSpec((batch, *i.shape[1:]), i.dtype, i.name) for i in inputs]

    @tf.function(input_signature=signature, autograph=False)
    def network(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        given = {i.name: x for i, x in zip(inputs, tensors, strict=True)}
        with plain_loops():
            return {OUTPUT: tf.cast(predictor.model(given, training=False), tf.float32)}

    return network


def write_litert(predictor: Any, directory: Path, quantize: str = "none") -> None:
    """Write `model.tflite`, for batches of one and sequences of any length.

    Args:
        predictor: the model with its encoder.
        directory: where.
        quantize: `int8` for weights of 8 bits (dynamic range), or `none`.

    Raises:
        UserError: if LiteRT has no counterpart of an operation.
    """
    module, network = tf.Module(), traced(predictor, 1)
    module.weights, module.network = [v.value for v in predictor.model.variables], network
    with tempfile.TemporaryDirectory() as folder, _quiet():
        tf.saved_model.save(module, folder, signatures=network)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, ["serving_default"])
        if quantize == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            model = converter.convert()
        except Exception as error:  # of many kinds
            raise _unconvertible("litert", str(error)) from None
    (directory / "model.tflite").write_bytes(model)


def write_onnx(predictor: Any, directory: Path) -> None:
    """Write `model.onnx`, for batches of any size and sequences of any length.

    Args:
        predictor: the model with its encoder.
        directory: where.

    Raises:
        UserError: if ONNX has no counterpart of an operation.
    """
    import tf2onnx

    network, path = traced(predictor, None), str(directory / "model.onnx")
    with _quiet():
        try:
            model, _ = tf2onnx.convert.from_function(network, network.input_signature, opset=OPSET, output_path=path)
        except Exception as error:
            raise _unconvertible("onnx", str(error)) from None
    left = {node.op_type for node in _nodes(model.graph)} & set(dir(tf.raw_ops))
    if left := {name for name in left if not _is_onnx(name)}:
        raise _unconvertible("onnx", f"'tf.{sorted(left)[0]}' op")


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)


def _is_onnx(name: str) -> bool:
    import onnx

    return onnx.defs.has(name)


def _unconvertible(format: str, message: str) -> UserError:
    found = re.search(r"'(tf\.\w+)' op", message) or re.search(r"TF Select ops: (\w+)", message)
    reason = f"it has no {found[1].removeprefix('tf.')}" if found else message.strip().splitlines()[0][:200]
    what = f"the network cannot be converted to {format}: {reason} ({WHY[format]})"
    return UserError(what, where=f"--format {format}", remedy="take saved_model, which holds every network")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what converters print of gradients, which no export needs."""
    names = ("absl", "tf2onnx", "tensorflow")
    kept = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in kept.items():
            logging.getLogger(name).setLevel(level)


def write_encoding(predictor: Any, directory: Path) -> bool:
    """Write `encoding.json`, and `encode.py` where the recipe has such an encoding; whether it has."""
    portable = predictor.recipe.capability(Portable)
    encoding = portable.describe(predictor.config, predictor.assets) if portable else None
    inputs = {i.name: {"dtype": i.dtype, "shape": list(i.shape)} for i in predictor.model.inputs}
    output = {"dtype": "float32", "shape": list(predictor.model.output_shape)}
    described: dict[str, Any] = {"recipe": predictor.recipe.name, "inputs": inputs, "outputs": {OUTPUT: output}}
    vocabularies = {n: list(a.tokens) for n, a in predictor.assets.items() if hasattr(a, "tokens")}
    if "labels" in vocabularies:
        described["labels"] = vocabularies["labels"]
    write_json(directory / "encoding.json", described | (encoding or {"vocabularies": vocabularies}))
    if encoding:
        write_text(directory / "encode.py", source(encoding["encoder"]))
    return encoding is not None


def features(predictor: Any, real: Real) -> Arrays:
    """The inputs of the network for real examples, a row each, padded as in training.

    Args:
        predictor: the model with its encoder.
        real: the examples.
    """
    task, reader = predictor.task, predictor.reader
    raw = reader.batch(real.inputs) if reader else tf.constant(real.inputs)
    columns = [tf.constant(values) for values in zip(*real.columns, strict=True)]
    found = dict(predictor.encode(raw, *columns))
    names = [i.name for i in predictor.model.inputs]
    if task.target_feature:
        targets = pad(found.pop(task.target_feature), 1, -1)
        found = task.add_decoder_inputs({name: pad(f, 1) for name, f in found.items()}, targets)
    elif not set(names) <= set(found):
        targets = pad(task.encode_target(predictor.assets, tf.constant(real.targets)), 1, -1)
        found = task.add_decoder_inputs({name: pad(f, 1) for name, f in found.items()}, targets)
    kinds = {i.name: i.dtype for i in predictor.model.inputs}
    return {name: tf.cast(pad(found[name], 1), kinds[name]).numpy() for name in names}


def network_batches(predictor: Any, real: Real, encoded: bool, format: str) -> tuple[list[Arrays], list[Arrays]]:
    """What the exported network is given, and the outputs of the run for it.

    Args:
        predictor: the model with its encoder.
        real: the examples.
        encoded: whether the export encodes texts itself.
        format: litert, which takes one example at a time, or onnx.
    """
    rows = [slice(i, i + 1) for i in range(len(real.inputs))]
    given, expected = [], []
    for chosen in rows if format == "litert" else [slice(None), rows[0]]:
        batch = features(predictor, Real(real.inputs[chosen], real.columns[chosen], real.targets[chosen]))
        expected.append({OUTPUT: np.array(tf.cast(predictor.model(batch, training=False), tf.float32))})
        if encoded:
            texts = np.array([text.encode("utf-8", "surrogateescape") for text in real.inputs[chosen]], "S")
            known = batch if predictor.task.target_feature else predictor.encode(tf.constant(real.inputs[chosen]))
            batch = {TEXTS: texts} | {name: value for name, value in batch.items() if name not in known}
        given.append(batch)
    return given, expected


def check_network(predictor: Any, directory: Path, real: Real, encoded: bool, format: str, quantize: str) -> float:
    """Compare an exported network with the run; the largest difference.

    Args:
        predictor: the model with its encoder.
        directory: the export.
        real, encoded, format: as of `network_batches`.
        quantize: as it was written.

    Raises:
        UserError: if an output differs.
    """
    given, expected = network_batches(predictor, real, encoded, format)
    found, _ = Runtime.get(format).run(directory, given)
    pairs = zip(expected, found, strict=True)
    if quantize == "none":
        return max(largest_difference(ours, theirs, tolerance(predictor)) for ours, theirs in pairs)
    scaled = []
    for ours, theirs in pairs:  # rounding is relative to the largest weights, so to the largest outputs
        scale = max(1.0, float(np.abs(ours[OUTPUT]).max()))
        both = [{OUTPUT: side[OUTPUT] / scale} for side in (ours, theirs)]
        scaled.append(largest_difference(both[0], both[1], INT8_TOLERANCE))
    return max(scaled)
