"""Exports: a SavedModel that takes raw strings and answers in words, made of standard TensorFlow operations alone."""

import os
import shutil
from pathlib import Path

import tensorflow as tf

from seqtasks.data.batches import pad
from seqtasks.errors import UserError
from seqtasks.layers.batch_of_one import exporting


class Served(tf.Module):
    """What is saved: the weights, the lookup tables, and the functions from raw strings to answers.

    The first is the one of training and of `predict`: encode, model, decode. A model that writes has another.
    """

    def __init__(self, predictor):
        super().__init__()
        self.weights = [variable.value for variable in predictor.model.variables]
        self.tables = [asset.tables for asset in predictor.assets.values()]
        labels = predictor.assets.get("labels")

        medium, config = predictor.recipe.medium, predictor.config
        raw = medium.raw(config) if medium else {"inputs": tf.TensorSpec([None], tf.string)}
        given = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in raw.items()]

        @tf.function(input_signature=given)
        def serve(*tensors):
            inputs = medium.inputs(config, **dict(zip(raw, tensors, strict=True))) if medium else tensors[0]
            features = {name: pad(f, 1) for name, f in predictor.encode(inputs).items()}
            with exporting():
                answers = predictor.decode(features)
            return answers if labels is None else answers | {"labels": tf.identity(labels.tables[1])}

        functions = {"serving_default": serve} | ({"score": serve} if predictor.recipe.scores else {})
        if predictor.recipe.signatures:
            functions |= predictor.recipe.signatures(predictor)
        self.names = tuple(functions)
        self.captured = [f.get_concrete_function().variables for f in functions.values()] if medium else []
        for name, function in functions.items():
            setattr(self, name, function)


def export(predictor, directory, overwrite=False):
    """Write a SavedModel.

    `serving_default` takes `inputs`, a batch of raw strings (or, of recipes whose inputs are files, arrays of frames or
    sound under the names that the README gives), and gives `label` (string), `score`, `scores` (batch,
    classes), `truncated` (whether a text was longer than `max_length`) and `labels`, the names of the classes. Models
    that tell how likely a text is give that under the name `score` too; those that write have `generate`.

    Args:
        predictor: the model with its encoder.
        directory: where to write; it must not exist.
        overwrite: replace it if it does.

    Returns:
        The directory, a Path.

    Raises:
        UserError: if the directory exists, or the disk is full.
    """
    directory = Path(directory)
    if directory.exists() and not (overwrite and (directory / "saved_model.pb").is_file()):
        raise UserError("exists already", where=directory, remedy="take another directory, or add --overwrite")
    temporary = directory.with_name(f".{os.getpid()}.{directory.name}")
    module = Served(predictor)
    try:
        tf.saved_model.save(module, str(temporary), signatures={n: getattr(module, n) for n in module.names})
        if directory.exists():
            shutil.rmtree(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(directory)
    except tf.errors.ResourceExhaustedError:
        raise UserError("no space left on the device", where=directory, remedy="free some space") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return directory
