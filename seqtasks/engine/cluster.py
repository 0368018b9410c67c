"""The processes of a training on several machines: who they are, and what the first one tells the others.

The first process is the chief. It alone writes and validates; every process trains on its rows of each batch. Whatever
decides how training goes on is the chief's word, so that no clock and no rounding of one machine separates them.
"""

import functools
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from seqtasks.errors import UserError

log = logging.getLogger("seqtasks")
T = TypeVar("T")
LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
    tf.errors.InternalError, tf.errors.UnknownError, tf.errors.FailedPreconditionError,
)  # fmt: skip  # what a collective operation raises when a process of the cluster ends


def resolver() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Who belongs to the cluster, from `TF_CONFIG` (Kubeflow, StatefulSet) or else from the step of a Slurm job.

    Raises:
        UserError: if neither is there, or `TF_CONFIG` is not understood.
    """
    resolvers = tf.distribute.cluster_resolver
    if "TF_CONFIG" in os.environ:
        _check(os.environ["TF_CONFIG"])
        return resolvers.TFConfigClusterResolver()
    if "SLURM_STEP_NODELIST" in os.environ:
        gpus = len(tf.config.list_physical_devices("GPU"))
        if gpus:
            return resolvers.SlurmClusterResolver()
        return _SlurmOnCPUs(gpus_per_node=0, gpus_per_task=0, auto_set_gpu=False)
    what, remedy = "neither TF_CONFIG nor a Slurm job step names the processes", "set TF_CONFIG, or start it with srun"
    raise UserError(what, where="--strategy multiworker", remedy=remedy)


def _check(text: str) -> None:
    """Raise `UserError` if `TF_CONFIG` does not name this process among those of a cluster."""
    shown = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        if extra := set(cluster) - {"chief", "worker"}:
            raise UserError(f"has {', '.join(sorted(extra))}", where="TF_CONFIG", remedy="name chief and worker only")
        if not cluster[task["type"]][int(task["index"])]:
            raise KeyError
    except (ValueError, KeyError, IndexError, TypeError):
        raise UserError("does not name this process in a cluster", where="TF_CONFIG", remedy=f"give {shown}") from None


class _SlurmOnCPUs(tf.distribute.cluster_resolver.SlurmClusterResolver):
    """`SlurmClusterResolver` for nodes without GPUs: TensorFlow's counts tasks by their GPUs and finds none."""

    def cluster_spec(self) -> tf.train.ClusterSpec:
        nodes = sorted(self._task_configuration.items())
        hosts = [f"{host}:{self._port_base + i}" for host, count in nodes for i in range(count)]
        self.task_type, self.task_id = "worker", self._rank
        return tf.train.ClusterSpec({"worker": hosts})

    def num_accelerators(self, *_: Any, **__: Any) -> dict[str, int]:
        return {}


def share(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """(number of this process, number of processes) of the strategy; the chief is number 0.

    Example:
        >>> share(tf.distribute.get_strategy())
        (0, 1)
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    return _place(strategy.cluster_resolver)


def _place(found: tf.distribute.cluster_resolver.ClusterResolver) -> tuple[int, int]:
    jobs = found.cluster_spec().as_dict()
    before = len(jobs.get("chief", ())) if found.task_type == "worker" else 0
    return before + int(found.task_id or 0), sum(len(hosts) for hosts in jobs.values())


def leads(name: str) -> bool:
    """Whether this process would be the chief of a strategy by name. It joins no other process; alone, it is.

    Example:
        >>> leads("auto")
        True
    """
    alone = name != "multiworker" or not {"TF_CONFIG", "SLURM_STEP_NODELIST"} & set(os.environ)
    return alone or _place(resolver())[0] == 0


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes.

    Example:
        >>> is_chief(tf.distribute.get_strategy())
        True
    """
    return share(strategy)[0] == 0


def chiefs(strategy: tf.distribute.Strategy, make: Callable[[], Any]) -> Any:
    """What the chief makes, a JSON value, in every process; the others wait for it.

    Args:
        strategy: the strategy.
        make: `make() -> value`, called by the chief alone.

    Example:
        >>> chiefs(tf.distribute.get_strategy(), lambda: {"epoch": 1})
        {'epoch': 1}
    """
    number, processes = share(strategy)
    if processes == 1:
        return make()
    text = json.dumps(make()).encode() if number == 0 else b""
    size = int(total(strategy, np.array([len(text)]))[0])
    padded = np.frombuffer(text.ljust(size, b"\0"), np.uint8)
    return json.loads(total(strategy, padded.astype("float64")).astype(np.uint8).tobytes())


def meet(strategy: tf.distribute.Strategy, path: Path) -> None:
    """Wait for all processes, after the chief has written a file.

    Raises:
        UserError: if this process does not see the file.
    """
    chiefs(strategy, lambda: None)
    if share(strategy)[0] and not path.is_file():
        what = "this process does not see what the first one has written"
        raise UserError(what, where=path, remedy="take a --run on storage that all machines share")


def together(training: type[T]) -> type[T]:
    """A class of trainings whose `start` and `resume` tell of the end of another process as an error of the user."""

    def told(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def run(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return method(self, *arguments, **named)
            except LOST as error:
                if share(self.experiment.strategy)[1] == 1:
                    raise
                log.debug("%s", error)
                what, remedy = "another process has ended", "start all of them again with --resume"
                raise UserError(what, where="--strategy multiworker", remedy=remedy) from None

        return run

    for name in ("start", "resume"):
        setattr(training, name, told(getattr(training, name)))
    return training


def total(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """The sum of an array over the processes, float64; with one process the array itself.

    Args:
        strategy: the strategy.
        values: numbers, of the same shape in each process.

    Example:
        >>> total(tf.distribute.get_strategy(), np.array([1.0, 2.0])).tolist()
        [1.0, 2.0]
    """
    return values if share(strategy)[1] == 1 else _adder(strategy)(tf.constant(values, tf.float64)).numpy()


@functools.cache
def _adder(strategy: tf.distribute.Strategy) -> Any:
    local = strategy.num_replicas_in_sync // share(strategy)[1]

    def add(values: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        first = tf.equal(replica.replica_id_in_sync_group % local, 0)
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, values, 0))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float64)])
    def summed(values: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(add, (values,)))[0]

    return summed
