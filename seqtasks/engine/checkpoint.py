"""Checkpoints: everything a training needs to continue as if it had never stopped, in one `.npz` without pickle."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.atomic_files import replacing
from seqtasks.engine import distribute
from seqtasks.errors import UserError

log = logging.getLogger("seqtasks")


class Damaged(Exception):
    """A checkpoint whose content is not what was saved."""


def variables_of(model: keras.Model) -> list[Any]:
    """Weights, states of the random generators, optimizer (moments, averages, iterations) and running loss.

    Neither `.keras` files nor `tf.train.Checkpoint` hold the states of the random generators.
    """
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    return [*model.variables, *model.optimizer.variables, *metrics]


def save(path: str | Path, arrays: Iterable[np.ndarray], state: Any = None) -> None:
    """Write arrays and a JSON value to one file with their checksum, completely or not at all."""
    given = [np.asarray(array) for array in arrays]
    text = json.dumps(state).encode()
    numbered = {str(i): array for i, array in enumerate(given)}
    numbered |= {"state": np.frombuffer(text, np.uint8), "sha256": np.frombuffer(_digest(given, text), np.uint8)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **numbered)  # type: ignore[arg-type]


def load(path: str | Path) -> tuple[list[np.ndarray], Any]:
    """(arrays, state) as they were saved.

    Raises:
        Damaged: if the file holds something else.
        OSError: if it cannot be opened.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "1.npz"
        >>> save(path, [np.ones(2)], {"step": 3})
        >>> load(path)
        ([array([1., 1.])], {'step': 3})
        >>> _ = path.write_bytes(path.read_bytes()[:-9])
        >>> load(path)
        Traceback (most recent call last):
        seqtasks.engine.checkpoint.Damaged: BadZipFile: File is not a zip file
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = [stored[str(i)] for i in range(len(stored.files) - 2)]
                text, digest = stored["state"].tobytes(), stored["sha256"].tobytes()
            state = json.loads(text)
        except Exception as error:  # whatever zip, zlib, NumPy and JSON make of damaged bytes
            raise Damaged(f"{type(error).__name__}: {error}") from None
    if digest != _digest(arrays, text):
        raise Damaged("the checksum differs")
    return arrays, state


def _digest(arrays: Iterable[np.ndarray], text: bytes) -> bytes:
    digest = hashlib.sha256(text)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.digest()


class Checkpoints:
    """The last checkpoints of a training, each of them enough to continue from.

    Args:
        directory: the folder, which must exist; nothing else is in it.
        count: how many are kept.

    Example:
        >>> import tempfile
        >>> kept = Checkpoints(Path(tempfile.mkdtemp()), count=2)
        >>> for step in (10, 20, 30):
        ...     kept.save([np.full(2, step)], {"epoch": 0, "step": step})
        >>> [path.name for path in kept.paths()]
        ['00000-00000030.npz', '00000-00000020.npz']
        >>> kept.load()
        ([array([30, 30])], {'epoch': 0, 'step': 30})
    """

    def __init__(self, directory: Path, count: int = 2) -> None:
        self.directory, self.count = directory, count

    def paths(self) -> list[Path]:
        """The files, the newest first."""
        return sorted(self.directory.glob("[0-9]*.npz"), reverse=True)

    def save(self, arrays: Iterable[np.ndarray], state: dict[str, Any]) -> None:
        """Write one, named after its epoch and step, and then remove those that are too many."""
        save(self.directory / f"{state['epoch']:05}-{state['step']:08}.npz", arrays, state)
        self._remove_others(self.paths()[: self.count])

    def load(self) -> tuple[list[np.ndarray], Any] | None:
        """(arrays, state) of the newest one that is whole; None if there is none. Newer ones that are damaged go.

        Raises:
            UserError: if all of them are damaged.
        """
        damaged: list[Path] = []
        for path in self.paths():
            try:
                found = load(path)
            except Damaged as error:
                log.warning("%s is damaged (%s): the checkpoint before it is taken", path, error)
                damaged.append(path)
                continue
            for other in damaged:
                other.unlink()
            return found
        if damaged:
            what = f"the checkpoints are damaged ({', '.join(path.name for path in damaged)})"
            raise UserError(what, where=self.directory, remedy="train a new run, or begin again with --overwrite")
        return None

    def clear(self) -> None:
        """Remove them all."""
        self._remove_others([])

    def _remove_others(self, kept: Sequence[Path]) -> None:
        for path in self.directory.glob("*.npz"):  # with what a killed process left unfinished
            if path not in kept:
                path.unlink(missing_ok=True)


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
