"""A TPU: how it is found, and what XLA, which compiles every step for it, needs of the batches."""

import glob
import os
import socket
from typing import Any

import keras
import tensorflow as tf

from seqtasks.errors import UserError

NAMED = ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS")  # variables that name a TPU of the network
CHIPS = ("/dev/accel*", "/dev/vfio/[0-9]*")  # of a machine with a TPU of its own
SECONDS = 10  # to wait for an answer


def strategy(address: str = "") -> tf.distribute.Strategy:
    """The `tf.distribute.TPUStrategy` of a TPU.

    Args:
        address: `grpc://HOST:PORT`, the name of a Cloud TPU, or `local`; empty for the one that the environment names,
            or for that of this machine.

    Raises:
        UserError: if there is none, or it does not answer.

    Example:
        >>> strategy("grpc://127.0.0.1:1")
        Traceback (most recent call last):
        seqtasks.errors.UserError: --tpu: no TPU answers at grpc://127.0.0.1:1; give the address of one that is running
    """
    named = any(os.environ.get(name) for name in NAMED)
    local = any(glob.glob(pattern) for pattern in CHIPS)
    if not address and not named and not local:
        what, remedy = "this machine has no TPU and the environment names none", "give an address with --tpu"
        raise UserError(what, where="--strategy tpu", remedy=remedy)
    address = address or ("" if named else "local")
    try:
        if address.startswith("grpc://"):
            host, _, port = address.removeprefix("grpc://").partition(":")
            socket.create_connection((host, int(port)), SECONDS).close()
        found = tf.distribute.cluster_resolver.TPUClusterResolver.connect(address)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        remedy = "give the address of one that is running"
        raise UserError(f"no TPU answers at {address or 'its address'}", where="--tpu", remedy=remedy) from error
    return tf.distribute.TPUStrategy(found)


def repair(model: keras.Model) -> None:
    """Give `fit` a step that is traced for each padded length, so that every shape in it is known.

    Args:
        model: made under the strategy, compiled and built.
    """
    strategy = model.distribute_strategy

    @tf.function
    def step(batch: Any) -> dict[str, tf.Tensor]:
        logs = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    model.train_function = lambda batches: step(next(batches))
    model._maybe_symbolic_build = lambda iterator=None, data_batch=None: None  # it is built already


def check(config: Any, model: keras.Model) -> None:
    """Raise `UserError` if a step cannot be compiled for a TPU.

    Args:
        config: the options.
        model: the model.
    """
    if config.batch_by == "tokens":
        what, remedy = "has batches of any number of rows, and a TPU needs the same in each", "take examples"
        raise UserError(what, where="--batch_by tokens", remedy=remedy)
    if texts := [i.name for i in model.inputs if i.dtype == "string"]:
        what, remedy = f"the model takes texts ({', '.join(texts)}), and a TPU takes numbers only", "encode them"
        raise UserError(what, where="--strategy tpu", remedy=remedy)
