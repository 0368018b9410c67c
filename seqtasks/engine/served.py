"""What a SavedModel holds: functions from raw inputs to answers, made of standard TensorFlow operations alone."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from seqtasks.capabilities import FileInputs
from seqtasks.data import pairs
from seqtasks.data.batches import pad
from seqtasks.data.side_columns import signature_names
from seqtasks.engine.predictor import Predictor
from seqtasks.layers.batch_of_one import exporting
from seqtasks.layers.cudnn import without_cudnn


class Served(tf.Module):
    """What is saved: the weights, the lookup tables, and the functions from raw inputs to answers.

    `serving_default` is the function of training and of `predict`: encode, model, decode. Capabilities of the recipe
    add others.

    Args:
        predictor: the model with its encoder.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.weights = [variable.value for variable in predictor.model.variables]
        self.tables = [asset.tables for asset in predictor.assets.values()]
        labels = predictor.assets.get("labels")
        files, config = predictor.recipe.capability(FileInputs), predictor.config
        raw, side = raw_inputs(predictor), predictor.side_columns
        beside = side.specs(tuple(raw)) if side else {}
        signature = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in [*raw.items(), *beside.items()]]

        @tf.function(input_signature=signature)
        def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            given, columns = tensors[: len(raw)], tensors[len(raw) :]
            if files:
                inputs = files.from_serving(config, **dict(zip(raw, given, strict=True)))
            else:
                inputs = pairs.join_in_graph(*given) if len(given) > 1 else given[0]
            features = {name: pad(f, 1) for name, f in predictor.encode(inputs, *columns).items()}
            with exporting():
                answers = predictor.decode(features)
            if labels is None:
                return answers
            names = labels.tables[1]  # a row for each input, since servers split every output by its first dimension
            size = tf.shape(next(iter(answers.values())))[0]
            return answers | {"labels": tf.tile(names[tf.newaxis], [size, 1])}

        functions = {"serving_default": serve}
        for capability in predictor.recipe.capabilities:
            functions |= capability.signatures(predictor, serve)
        self.names = tuple(functions)
        self.captured = [f.get_concrete_function().variables for f in functions.values()] if files else []
        for name, function in functions.items():
            setattr(self, name, function)


def raw_inputs(predictor: Predictor) -> Mapping[str, tf.TensorSpec]:
    """How an exported model takes raw inputs: {name: spec}. Those of pairs are called as their columns were."""
    if files := predictor.recipe.capability(FileInputs):
        return files.serving_spec(predictor.config)
    texts = predictor.assets.get("texts")
    names = signature_names(texts.tokens if texts else ["inputs"], "text")
    return {name: tf.TensorSpec([None], tf.string) for name in names}


def save(predictor: Predictor, directory: Path) -> None:
    """Write a SavedModel.

    `serving_default` takes `inputs`, a batch of raw strings (or, if the recipe's inputs are files, arrays under the
    names of its `FileInputs.serving_spec`; for pairs of texts two batches), and a batch for each side column: numbers
    float32, NaN where one is missing, categories strings. It returns what the task decodes: for classification `label`
    (string), `score`, `scores` and `labels`, the names of the classes, both (batch, classes). The first dimension of
    every output is the batch, as servers want it. Capabilities add signatures, such as `generate`.

    Args:
        predictor: the model with its encoder.
        directory: where to write.
    """
    with without_cudnn():  # the model may be served without a GPU
        module = Served(predictor)
        tf.saved_model.save(module, str(directory), signatures={name: getattr(module, name) for name in module.names})
