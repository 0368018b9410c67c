"""Devices and strategies. No other module knows them."""

import functools
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.engine import cluster, multiworker_fit
from seqtasks.errors import UserError, nearest

STRATEGIES = ("auto", "cpu", "gpu", "mirrored", "multiworker", "tpu")


def strategy(name: str = "auto", tpu: str = "") -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` behind `--strategy`.

    Args:
        name: `auto` (all GPUs of this machine if there are several, else the one device there is), `cpu`, `gpu` (the
            first), `mirrored` (all GPUs, or all logical CPU devices where there is no GPU), `multiworker` (the devices
            of all processes that `TF_CONFIG` or Slurm names; no TensorFlow operation may have run before), or `tpu`.
        tpu: the address of the TPU; empty for that of this machine, or for the one that the environment names.

    Raises:
        UserError: if the name is unknown, or there is no such device or cluster.

    Example:
        >>> strategy("cpu").num_replicas_in_sync
        1
    """
    if name not in STRATEGIES:
        raise UserError(f"unknown strategy {name!r}", where="--strategy", remedy=nearest(name, STRATEGIES))
    if tpu and name != "tpu":
        raise UserError(f"has no effect with --strategy {name}", where="--tpu", remedy="add --strategy tpu")
    if name == "tpu":
        return _tpu(tpu)
    if name == "multiworker":
        return _multiworker()
    gpus = [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices("GPU")]
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


@functools.cache  # a process joins one cluster
def _multiworker() -> tf.distribute.Strategy:
    tf.get_logger().setLevel("WARNING")  # it tells of every reduction
    found = cluster.resolver()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(found)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        what, remedy = "TensorFlow has run in this process already", "train before anything else, in a new process"
        raise UserError(what, where="--strategy multiworker", remedy=remedy) from None
    except cluster.LOST as error:
        what, remedy = f"the processes do not meet ({error.message:.80})", "start all of them again"
        raise UserError(what, where="--strategy multiworker", remedy=remedy) from None


@functools.cache
def _tpu(address: str) -> tf.distribute.Strategy:
    from seqtasks.engine import tpu

    return tpu.strategy(address)


def hardware() -> str:
    """The processor and the devices in words."""
    names = [d.name for d in tf.config.list_logical_devices() if d.device_type != "CPU"]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return ", ".join([f"{os.cpu_count()} x {model}", *names])


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


def distributed(strategy: tf.distribute.Strategy, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The batches of this process, each divided evenly among its devices: the first rows belong to the first.

    Args:
        strategy: the strategy.
        dataset: batches of the rows of this process; they divide among its devices.

    Returns:
        A `tf.distribute.DistributedDataset`; the dataset itself where there is one device.

    Example:
        >>> rows = tf.data.Dataset.range(4).batch(2)
        >>> [batch.tolist() for batch in distributed(strategy("cpu"), rows).as_numpy_iterator()]
        [[0, 1], [2, 3]]
    """
    if strategy.num_replicas_in_sync == 1:
        return dataset
    local = strategy.num_replicas_in_sync // cluster.share(strategy)[1]

    def parts(*batch: tf.Tensor) -> tf.data.Dataset:
        def split(rows: tf.Tensor) -> tf.Tensor:
            size = rows.shape[0] // local if rows.shape[0] else tf.shape(rows)[0] // local
            divided = tf.reshape(rows, tf.concat([[local, size], tf.shape(rows)[1:]], 0))
            return tf.ensure_shape(divided, [local, size if rows.shape[0] else None, *rows.shape[1:]])

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(split, batch))

    divided = dataset if local == 1 else dataset.flat_map(parts)
    return strategy.distribute_datasets_from_function(lambda context: divided)


def is_divided(variable: Any) -> bool:
    """Whether each device has rows of its own of a variable, such as the states that a text carries.

    Example:
        >>> is_divided(tf.Variable(0.0))
        False
    """
    own = getattr(variable, "synchronization", "") == "on_read" and variable.aggregation == "only_first_replica"
    return own and isinstance(variable.value, tf.distribute.DistributedValues)


def gathered(variable: Any) -> np.ndarray:
    """The rows of a divided variable, of all devices in order; all processes take part."""
    strategy = variable.value.distribute_strategy
    own = np.concatenate([part.numpy() for part in strategy.experimental_local_results(variable.value)])
    number, processes = cluster.share(strategy)
    rows = np.zeros((processes, own.size))
    rows[number] = own.ravel()
    return cluster.total(strategy, rows.ravel()).reshape(-1, *own.shape[1:]).astype(own.dtype)


def divide(variable: Any, rows: np.ndarray) -> None:
    """Give each device its rows of a divided variable."""
    strategy = variable.value.distribute_strategy
    number, processes = cluster.share(strategy)
    own = np.split(rows, processes)[number]
    parts = strategy.experimental_local_results(variable.value)
    for part, values in zip(parts, np.split(own, len(parts)), strict=True):
        part.assign(values)


def is_tpu(strategy: tf.distribute.Strategy) -> bool:
    """Whether every step is compiled for a TPU, which needs batches of few shapes."""
    return isinstance(strategy, tf.distribute.TPUStrategy)


def check_model(strategy: tf.distribute.Strategy, config: Any, model: Any) -> None:
    """Raise `UserError` if the strategy cannot train a model."""
    if is_tpu(strategy):
        from seqtasks.engine import tpu

        tpu.check(config, model)


def repair(model: keras.Model) -> None:
    """Give a model what Keras' `fit` lacks under its strategy, and batch statistics over all devices."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and model.distribute_strategy.num_replicas_in_sync > 1:
            layer.synchronized = True
    if is_tpu(model.distribute_strategy):
        from seqtasks.engine import tpu

        tpu.repair(model)
    elif cluster.share(model.distribute_strategy)[1] > 1:
        multiworker_fit.repair(model)


def check_named(run: Any, fields: Mapping[str, Any]) -> None:
    """Raise `UserError` if several processes would each make up the name of the run.

    Args:
        run: the run directory, if one is given.
        fields: the options that are given.
    """
    if run is None and fields.get("strategy") == "multiworker":
        what, remedy = "all processes need the same run directory", "name one, on storage that they share"
        raise UserError(what, where="--run", remedy=remedy)


def scaled(config: object, replicas: int) -> dict[str, float]:
    """What `--device_scaling` makes of a batch size and a learning rate that are meant for one device.

    Args:
        config: the options.
        replicas: the number of devices.

    Returns:
        The options that change, by name: the size and rate over all devices.

    Example:
        >>> from seqtasks.options import Options
        >>> scaled(Options(device_scaling="sqrt", batch_size=8, learning_rate=0.01), 4)
        {'device_scaling': 'none', 'batch_size': 32, 'learning_rate': 0.02}
        >>> scaled(Options(batch_size=8), 4)
        {}
    """
    how, size = (getattr(config, name) for name in ("device_scaling", "batch_size"))
    if how == "none":
        return {}
    rate = getattr(config, "learning_rate") * (replicas if how == "linear" else replicas**0.5)  # noqa: B009
    changed = {"device_scaling": "none", "batch_size": size if size == "auto" else size * replicas}
    return changed | {"learning_rate": rate}
