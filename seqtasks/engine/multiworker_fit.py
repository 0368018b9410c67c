"""What Keras' `fit` needs to train on several machines, until Keras does it itself.

Under `tf.distribute.MultiWorkerMirroredStrategy` the `fit` of Keras 3 fails in two places
(https://github.com/keras-team/keras/issues/20585): it builds the model from the mean of the batches of all replicas,
which are integers of different shapes, and it averages the logs, which are scalars, along their first axis.
`tests/engine/test_multiworker.py` fails when a version of Keras has neither fault; then this module can go.
"""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


def repair(model: keras.Model) -> None:
    """Give a compiled and built model the two methods of `fit` that work on several machines.

    Args:
        model: made under the strategy.
    """
    strategy = model.distribute_strategy

    @tf.function(reduce_retracing=True)
    def step(batch: Any) -> dict[str, tf.Tensor]:
        logs = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    def train_function(batches: Iterator[Any]) -> dict[str, tf.Tensor]:
        return step(next(batches))

    def build(iterator: Any = None, data_batch: Any = None) -> None:
        """The model is built already."""

    model.train_function, model._maybe_symbolic_build = train_function, build
