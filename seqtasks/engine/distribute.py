"""Devices and strategies. No other module knows them."""

import tensorflow as tf

from seqtasks.errors import UserError, nearest

STRATEGIES = ("auto", "cpu", "gpu", "mirrored")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` behind `--strategy`.

    Args:
        name: `auto` (all GPUs of this machine if there are several, else the one device there is), `cpu`, `gpu` (the
            first), or `mirrored` (all GPUs, or all logical CPU devices where there is no GPU).

    Raises:
        UserError: if the name is unknown or the machine has no such device.

    Example:
        >>> strategy("cpu").num_replicas_in_sync
        1
    """
    gpus = [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices("GPU")]
    if name not in STRATEGIES:
        raise UserError(f"unknown strategy {name!r}", where="--strategy", remedy=nearest(name, STRATEGIES))
    if name == "gpu" and not gpus:
        raise UserError("TensorFlow sees no GPU here", where="--strategy", remedy="use auto or cpu")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = [d.name for d in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
        # collective operations on CPUs confuse two strategies of one process: their instance numbers collide
        across = None if gpus else tf.distribute.ReductionToOneDevice()
        return tf.distribute.MirroredStrategy(devices, cross_device_ops=across)
    if name in ("cpu", "gpu"):
        return tf.distribute.OneDeviceStrategy(f"/{name}:0")
    return tf.distribute.get_strategy()


def check_batch_size(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """A batch is divided evenly among the replicas.

    Raises:
        UserError: if that is not possible.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        right = -(-batch_size // replicas) * replicas
        raise UserError(
            f"{batch_size} does not divide among {replicas} devices", where="--batch_size", remedy=f"take {right}"
        )
