"""The gradient over time: how far back its recurrent layers can learn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.layers import Bidirectional, StatefulRNN

RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional, Bidirectional, StatefulRNN)


def gradient_flow(model: keras.Model, batch: Sequence[Any], path: str | Path | None = None) -> dict[str, np.ndarray]:
    """The norm of the gradient of the loss with respect to the inputs of each recurrent layer, at every time step.

    It is the derivative through all later steps. If it shrinks with the distance from the loss, the layer cannot learn
    from early steps (a vanishing gradient). If it grows, training steps are too large (an exploding gradient).

    Args:
        model: a compiled functional `keras.Model`.
        batch: `(inputs, targets)` or `(inputs, targets, weights)`, as `fit` takes them.
        path: a .png or .svg file for a chart, or None.

    Returns:
        {name of the layer: array (time,)}: the norm over features for one example, as the mean over the examples whose
        gradient is not zero at that step; NaN where there is none.

    Example:
        >>> from seqtasks.cells import SimpleRNNCell
        >>> from seqtasks.layers import RNN
        >>> model = keras.Sequential([keras.Input((50, 3)), RNN(SimpleRNNCell(8), name="rnn"), keras.layers.Dense(1)])
        >>> model.compile(loss="mse")
        >>> norms = gradient_flow(model, (np.ones((4, 50, 3), "float32"), np.ones((4, 1), "float32")))["rnn"]
        >>> norms.shape
        (50,)

    References:
        Pascanu, Mikolov and Bengio, 2013, section 2, https://arxiv.org/abs/1211.5063
    """
    inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    layers = [layer for layer in model.layers if isinstance(layer, RECURRENT) and _read(layer).dtype[:3] != "int"]
    if not layers:
        return {}
    opened = keras.Model(model.inputs, [[_read(layer) for layer in layers], model.outputs[0]])

    @tf.function
    def gradients(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x for x in tf.nest.flatten(inputs) if x.dtype.is_floating])
            read, outputs = opened(inputs, training=False)
            loss = model.compute_loss(inputs, targets, outputs, weights, training=False)
            loss *= tf.cast(tf.shape(tf.nest.flatten(inputs)[0])[0], loss.dtype)  # of one example, not of a batch
        return tape.gradient(loss, read, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    norms = {}
    for layer, gradient in zip(layers, gradients(inputs), strict=True):
        each = np.linalg.norm(keras.ops.convert_to_numpy(gradient).astype("float64"), axis=-1)  # (batch, time)
        each = each.T if isinstance(layer, StatefulRNN) else each
        live = (each > 0).sum(0)
        norms[layer.name] = np.where(live > 0, each.sum(0) / np.maximum(live, 1), np.nan)
    if path is not None:
        _draw(norms, path)
    return norms


def _read(layer: keras.layers.Layer) -> Any:
    """What a layer of a functional model reads, a Keras tensor."""
    return tf.nest.flatten(layer.input)[0]


def rows(norms: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The rows of `gradient_flow.csv`.

    Example:
        >>> rows({"rnn": np.array([0.5, np.nan])})
        [{'step': 1, 'rnn': 0.5}, {'step': 2, 'rnn': None}]
    """
    longest = max(map(len, norms.values()), default=0)

    def cell(values: np.ndarray, step: int) -> float | None:
        return float(values[step]) if step < len(values) and np.isfinite(values[step]) else None

    return [{"step": t + 1, **{name: cell(v, t) for name, v in norms.items()}} for t in range(longest)]


def _draw(norms: dict[str, np.ndarray], path: str | Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, values in norms.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    axes.set(xlabel="time step", ylabel="norm of the gradient", yscale="log")
    axes.legend()
    figure.savefig(path)
