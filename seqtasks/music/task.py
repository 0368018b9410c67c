"""Music that is foretold frame by frame."""

import numpy as np

from seqtasks import metrics
from seqtasks.tasks.task import Task


class FrameModelling(Task):
    """The likelihood of a piano roll; the model gives the log-likelihood of each frame, of all 88 keys together.

    Of the features it needs `following`, rolls (batch, time, 88), and `frames`, how many each has. Empty frames count
    as any other; the first is foretold from nothing. The answer is `{"nll", "frames", "log_probability"}`.

    Example:
        >>> row = {"log_probability": np.array(-16.0), "frames": np.array(2)}
        >>> FrameModelling().answer({}, row)
        {'nll': 8.0, 'frames': 2, 'log_probability': -16.0}
    """

    metrics = {"nll": metrics.nll, "nll_per_sequence": metrics.nll_per_sequence}
    lower_is_better = tuple(metrics)
    min_labels = 0
    target_feature = "targets"
    error_name = "nats a frame"

    def labels(self, target):
        return ()

    def add_decoder_inputs(self, features, targets):
        """The features with `previous`, the frame before each, an empty one before the first, and `following`."""
        import tensorflow as tf

        shifted = tf.pad(targets, [[0, 0], [1, 0], [0, 0]])[:, :-1]
        return features | {"decoder_inputs": tf.maximum(shifted, 0), "targets": targets}

    def decode(self, assets, outputs, features):
        import tensorflow as tf

        return {"log_probability": tf.reduce_sum(outputs, 1), "frames": features["frames"]}

    def answer(self, assets, row):
        total, frames = float(row["log_probability"]), int(row["frames"])
        return {"nll": -total / frames if frames else 0.0, "frames": frames, "log_probability": total}

    def targets(self, assets, strings):
        return np.zeros(len(strings))

    def outputs(self, assets, decoded):
        """Rows of log-probability and frames."""
        return np.stack([np.asarray(decoded[name], "float64") for name in ("log_probability", "frames")], 1)

    def compute_metrics(self, assets, targets, outputs):
        figures = {name: metric(targets, outputs) for name, metric in self.metrics.items()}
        return figures | {"frames": int(outputs[:, 1].sum())}

    def worst_examples(self, assets, targets, outputs):
        """What was least expected."""
        return [(-row[0] / row[1], i) for i, row in enumerate(outputs) if row[1] > 0]

    def format_output(self, assets, output):
        return ""

    def baseline(self, assets, model, sample):
        from seqtasks.music.piano_rolls import parse

        model.fit([parse(e.input) for e in sample])

        def guess(examples):
            found = model.score([parse(e.input) for e in examples])
            return np.array([[row.sum(), len(row)] for row in found])

        return guess
