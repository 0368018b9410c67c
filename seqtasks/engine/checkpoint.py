"""Checkpoints: everything a training needs to go on as if it had never stopped, in one `.npz` without pickle."""

import json

import numpy as np
from keras import ops

from seqtasks.atomic_files import replacing


def variables_of(model):
    """Weights, states of dropout's random generators, optimizer (moments, averages, iterations) and running loss.

    Neither `.keras` files nor `tf.train.Checkpoint` hold the states of the random generators.
    """
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    return [*model.variables, *model.optimizer.variables, *metrics]


def save(path, arrays, state=None):
    """Write arrays and a JSON value under one name, whole or not at all."""
    numbered = {str(i): np.asarray(array) for i, array in enumerate(arrays)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **numbered)
        file.flush()


def load(path):
    """(arrays, state) as they were saved."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = [stored[str(i)] for i in range(len(stored.files) - 1)]
        return arrays, json.loads(stored["state"].tobytes())


def values(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]


def assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))


def copy(model, other):
    """Give another model of the same layers the weights of this one, but for states that are carried in training.

    A `backbone` that this one lacks, whose features it was shown, keeps the weights that it has.

    Raises:
        ValueError: if they do not fit.
    """
    names = {layer.name for layer in model.layers}
    added = [layer for layer in other.layers if layer.name.startswith("backbone") and layer.name not in names]
    apart = {id(v) for layer in added for v in layer.weights}
    kept, into = ([v for v in m.weights if not v.name.startswith("carried")] for m in (model, other))
    into = [v for v in into if id(v) not in apart]
    if [v.shape for v in kept] != [v.shape for v in into]:
        raise ValueError("the weights do not fit")
    assign(into, values(kept))
