"""Checkpoints: everything a training needs to continue as if it had never stopped, in one `.npz` without pickle."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.atomic_files import replacing
from seqtasks.engine import distribute


def variables_of(model: keras.Model) -> list[Any]:
    """Weights, states of the random generators, optimizer (moments, averages, iterations) and running loss.

    Neither `.keras` files nor `tf.train.Checkpoint` hold the states of the random generators.
    """
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    return [*model.variables, *model.optimizer.variables, *metrics]


def save(path: str | Path, arrays: Iterable[np.ndarray], state: Any = None) -> None:
    """Write arrays and a JSON value to one file, completely or not at all."""
    numbered = {str(i): np.asarray(array) for i, array in enumerate(arrays)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **numbered)  # type: ignore[arg-type]
        file.flush()


def load(path: str | Path) -> tuple[list[np.ndarray], Any]:
    """(arrays, state) as they were saved."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = [stored[str(i)] for i in range(len(stored.files) - 1)]
        return arrays, json.loads(stored["state"].tobytes())


def values(variables: Iterable[Any]) -> list[np.ndarray]:
    """The values of variables as arrays."""
    return [distribute.gathered(v) if distribute.is_divided(v) else ops.convert_to_numpy(v) for v in variables]


def assign(variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Give variables the values of as many arrays."""
    for variable, array in zip(variables, arrays, strict=True):
        if distribute.is_divided(variable):
            distribute.divide(variable, array)
        else:
            variable.assign(array.reshape(variable.shape))


def copy(model: keras.Model, other: keras.Model) -> None:
    """Give another model of the same layers the weights of this one.

    Two kinds of weights stay as they are: those that belong to a training (`layer.training_state`), and those of layers
    that this model lacks and that came with weights of their own (`layer.pretrained`).

    Raises:
        ValueError: if the weights do not fit.
    """
    names = {layer.name for layer in model.layers}
    own = [layer for layer in other.layers if getattr(layer, "pretrained", False) and layer.name not in names]
    left = {id(v) for layer in own for v in layer.weights}
    left |= {id(v) for m in (model, other) for layer in m.layers for v in getattr(layer, "training_state", ())}
    source, target = ([v for v in m.weights if id(v) not in left] for m in (model, other))
    if [v.shape for v in source] != [v.shape for v in target]:
        raise ValueError("the weights do not fit")
    assign(target, values(source))
