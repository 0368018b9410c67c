"""Runs exported models where only their runtime is: a process of its own that can import neither seqtasks nor Keras.

    python -I runtime_process.py tensorflow|litert|onnx

It is given one request per line, JSON `{"model", "batches", "results", "calls"}`: the model, a folder with the inputs
of each batch as `N.npz`, a folder for its outputs, and how often each batch is run. It answers
`{"error", "milliseconds"}` on a line: what failed or null, and how long each call of each batch took.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def load_tensorflow(path: str) -> Callable[[Arrays], Any]:
    import tensorflow as tf

    model = tf.saved_model.load(path)
    serve = model.signatures["serving_default"]

    def run(inputs: Arrays) -> dict[str, Any]:
        outputs = serve(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    run.model = model  # type: ignore[attr-defined]  # its variables live as long as it does
    return run


def load_litert(path: str) -> Callable[[Arrays], Any]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=os.path.join(path, "model.tflite")).get_signature_runner()
    return lambda inputs: runner(**inputs)


def load_onnx(path: str) -> Callable[[Arrays], Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(os.path.join(path, "model.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))


LOADERS = {"tensorflow": load_tensorflow, "litert": load_litert, "onnx": load_onnx}
PACKAGES = {"tensorflow": "tensorflow", "litert": "ai_edge_litert.interpreter", "onnx": "onnxruntime"}


def encoder(path: str) -> Callable[[Any], Arrays] | None:
    """The `encode` of the Python file beside a model, if there is one."""
    file = Path(path, "encode.py")
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location("encode", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Encoder(Path(path))


def as_stored(value: Any) -> np.ndarray:
    """An array of objects that are bytes as one of bytes, which a file can hold without pickle."""
    value = np.asarray(value)
    return np.array(value.tolist(), "S").reshape(value.shape) if value.dtype == object else value


def answer(load: Callable[[str], Callable[[Arrays], Any]], request: dict[str, Any]) -> list[list[float]]:
    """Run all batches; the milliseconds of each call of each."""
    model, encode = load(request["model"]), encoder(request["model"])
    times: list[list[float]] = []
    for file in sorted(Path(request["batches"]).glob("*.npz")):
        with np.load(file) as given:
            inputs = dict(given)
        texts = inputs.pop("texts to encode", None)
        if texts is not None:
            assert encode is not None, "there is no encode.py"
            inputs = encode([text.decode("utf-8", "surrogateescape") for text in texts.tolist()]) | inputs
        times.append([])
        for _ in range(request["calls"]):
            began = time.perf_counter()
            outputs = model(inputs)
            times[-1].append(1e3 * (time.perf_counter() - began))
        stored: dict[str, Any] = {name: as_stored(value) for name, value in outputs.items()}
        np.savez(Path(request["results"]) / file.name, **stored)
    return times


def main(name: str) -> None:
    """Answer requests until standard input ends."""
    sys.dont_write_bytecode = True  # an export holds what was written
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    for blocked in ("keras", "seqtasks", *(() if name == "tensorflow" else ("tensorflow",))):
        sys.modules[blocked] = None  # type: ignore[assignment]
    importlib.import_module(PACKAGES[name])
    for line in sys.stdin:
        reply: dict[str, Any] = {"error": None}
        try:
            reply["milliseconds"] = answer(LOADERS[name], json.loads(line))
        except Exception as error:
            reply["error"] = f"{type(error).__name__}: {error}"
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main(sys.argv[1])
