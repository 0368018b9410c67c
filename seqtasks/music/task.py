"""The task of the music recipe for piano rolls: the likelihood of each frame."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks import metrics
from seqtasks.data.sources import Example
from seqtasks.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow as tf


class FrameModelling(Task):
    """The likelihood of a piano roll; the model returns the log-likelihood of each frame, of all 88 keys together.

    The features are `targets`, rolls (batch, time, 88), and `frames`, the number of frames of each roll. Empty frames
    count as well; the first frame is predicted without input. The answer is `{"nll", "frames", "log_probability"}`.

    Example:
        >>> row = {"log_probability": np.array(-16.0), "frames": np.array(2)}
        >>> FrameModelling().answer({}, row)
        {'nll': 8.0, 'frames': 2, 'log_probability': -16.0}
    """

    metrics = {"nll": metrics.nll, "nll_per_sequence": metrics.nll_per_sequence}
    lower_is_better = tuple(metrics)
    min_labels = 0
    target_feature = "targets"
    error_name = "nats per frame"

    def labels(self, target: str) -> tuple[str, ...]:
        return ()

    def add_decoder_inputs(self, features: dict[str, Any], targets: "tf.Tensor") -> dict[str, Any]:
        """Adds `targets`, and `decoder_inputs`: the previous frame of each, an empty one before the first."""
        import tensorflow as tf

        shifted = tf.pad(targets, [[0, 0], [1, 0], [0, 0]])[:, :-1]
        return features | {"decoder_inputs": tf.maximum(shifted, 0), "targets": targets}

    def decode(
        self, assets: Mapping[str, Any], outputs: "tf.Tensor", features: Mapping[str, Any]
    ) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        return {"log_probability": tf.reduce_sum(outputs, 1), "frames": features["frames"]}

    def answer(self, assets: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        total, frames = float(row["log_probability"]), int(row["frames"])
        return {"nll": -total / frames if frames else 0.0, "frames": frames, "log_probability": total}

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        return np.zeros(len(strings))

    def outputs(self, assets: Mapping[str, Any], decoded: Mapping[str, np.ndarray]) -> np.ndarray:
        """Log-probability and number of frames, (examples, 2)."""
        return np.stack([np.asarray(decoded[name], "float64") for name in ("log_probability", "frames")], 1)

    def compute_metrics(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> dict[str, float | int]:
        figures = {name: metric(targets, outputs) for name, metric in self.metrics.items()}
        return figures | {"frames": int(outputs[:, 1].sum())}

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        """Negative log-likelihood per frame of all examples that have frames."""
        return [(-row[0] / row[1], i) for i, row in enumerate(outputs) if row[1] > 0]

    def format_output(self, assets: Mapping[str, Any], output: np.ndarray) -> str:
        return ""

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        from seqtasks.music.piano_rolls import parse

        model.fit([parse(e.input) for e in sample])

        def predict(examples: Sequence[Example]) -> np.ndarray:
            scores = model.score([parse(e.input) for e in examples])
            return np.array([[frames.sum(), len(frames)] for frames in scores])

        return predict
