"""How an export is called: Markdown for its model card."""

import json
from typing import Any

import numpy as np
import tensorflow as tf

from seqtasks.engine.served import raw_inputs

SAVED_MODEL = """```python
import tensorflow as tf

serve = tf.saved_model.load(".").signatures["serving_default"]
answers = serve({arguments})
```"""
SERVING = """```sh
docker run -p 8501:8501 -v "$PWD:/models/{name}" -e MODEL_NAME={name} tensorflow/serving
curl -d '{body}' localhost:8501/v1/models/{name}:predict
```

in the folder that holds the versions."""
LITERT = """```python
{encode}from ai_edge_litert.interpreter import Interpreter

network = Interpreter("model.tflite").get_signature_runner()
outputs = network(**inputs)["outputs"]  # one example at a time
```"""
ONNX = """```python
{encode}from onnxruntime import InferenceSession

(outputs,) = InferenceSession("model.onnx").run(None, inputs)
```"""
ENCODE = """from encode import Encoder  # needs numpy alone

inputs = Encoder(".")(["a text"])
"""


def how_to_call(predictor: Any, format: str, name: str, encoded: bool) -> str:
    """The lines that call an export.

    Args:
        predictor: the model with its encoder.
        format: of the export.
        name: of the model.
        encoded: whether `encode.py` lies beside a network.
    """
    if format in ("litert", "onnx"):
        text = LITERT if format == "litert" else ONNX
        given = ENCODE if encoded else f"inputs = {{{', '.join(f'{i.name!r}: ...' for i in predictor.model.inputs)}}}\n"
        return f"{text.format(encode=given)}\n\n`encoding.json` names the inputs, the outputs and the labels."
    raw, side = raw_inputs(predictor), predictor.side_columns
    specs = {**raw, **(side.specs(tuple(raw)) if side else {})}
    if format == "serving":
        rows: Any = {name: _example(spec).tolist() for name, spec in specs.items()}
        body = {"inputs": rows if len(rows) > 1 else next(iter(rows.values()))}
        return SERVING.format(name=name, body=json.dumps(body))
    arguments = ", ".join(f"{name}=tf.constant({_literal(spec)})" for name, spec in specs.items())
    return SAVED_MODEL.format(arguments=arguments)


def _example(spec: tf.TensorSpec) -> np.ndarray:
    shape = [1, *(2 if n is None else n for n in spec.shape[1:])]
    return np.full(shape, "a text") if spec.dtype == tf.string else np.ones(shape, spec.dtype.as_numpy_dtype)


def _literal(spec: tf.TensorSpec) -> str:
    value = _example(spec)
    return repr(value.tolist()) if value.ndim == 1 else f"..., tf.{spec.dtype.name}"
