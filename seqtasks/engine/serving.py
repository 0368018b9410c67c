"""The folder that TensorFlow Serving reads: a numbered SavedModel with requests that warm it up."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError, needs

WARMUP = "assets.extra/tf_serving_warmup_requests"  # where TensorFlow Serving looks for them


def next_version(directory: Path) -> int:
    """The number after the largest among the names of the versions in a folder; 1 in a new one.

    Raises:
        UserError: if it is a file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = [(folder / name).mkdir() for name in ("2", "9", "old")]
        >>> next_version(folder), next_version(folder / "new")
        (10, 1)
    """
    if directory.exists() and not directory.is_dir():
        raise UserError("is a file", where=directory, remedy="give a folder, to which a version is added")
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def write_warmup(directory: Path, batches: Sequence[dict[str, np.ndarray]]) -> None:
    """Write requests to `serving_default` that the server sends itself when it loads a SavedModel.

    Args:
        directory: the SavedModel.
        batches: the inputs of each request.
    """
    needs("tensorflow_serving", extra="serving")
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    path = directory / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in batches:
            inputs = {name: tf.make_tensor_proto(value) for name, value in batch.items()}
            spec = model_pb2.ModelSpec(signature_name="serving_default")
            request = predict_pb2.PredictRequest(model_spec=spec, inputs=inputs)
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
