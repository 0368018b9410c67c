"""The loop over epochs: `fit` one epoch at a time, so that training can stop at any step and continue from there."""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import write_csv
from seqtasks.engine import checkpoint
from seqtasks.engine.evaluation import text

log = logging.getLogger("seqtasks")


class Loop:
    """Trains a compiled model on batches.

    Args:
        model: compiled with `seqtasks.optimizers.AdamW`.
        batches: `Batches` of the training split.
        inputs: `inputs(features, targets, weight, index) -> (features, targets, weight)` that `fit` takes.
        validate: `validate() -> {metric: value}` of the model with its present weights.
        config: the recipe's.
        metric: name of the metric that chooses the best epoch.
        larger_is_better: whether a larger value is better.
        directory: the run's.
    """

    def __init__(
        self, model: keras.Model, batches: Any, inputs: Callable[..., Any], validate: Callable[[], dict[str, Any]],
        config: Any, metric: str, larger_is_better: bool, directory: Path,
    ) -> None:  # fmt: skip
        self.model, self.batches, self.inputs, self.validate = model, batches, inputs, validate
        self.config, self.metric, self.directory = config, metric, directory
        self.sign = 1 if larger_is_better else -1
        self.last, self.best = directory / "checkpoints" / "last.npz", directory / "checkpoints" / "best.npz"
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "rows": [], "loss": None}
        self.state |= {"best": None, "best_epoch": None, "stopped": ""}
        self.restored: list[np.ndarray] | None = None

    def resume(self) -> None:
        """Continue from the last checkpoint, if there is one."""
        if self.last.is_file():
            arrays, self.state = checkpoint.load(self.last)
            checkpoint.assign(checkpoint.variables_of(self.model), arrays)
            self.restored = [np.copy(a) for a in arrays] if self.state["step"] else None
            log.info("resuming in epoch %d at step %d", self.state["epoch"] + 1, self.state["step"])

    def run(self) -> None:
        """Train until the epochs, the patience or the time limit end; leave the best weights in the model."""
        writer = tf.summary.create_file_writer(str(self.directory / "logs"))
        with _Interrupts() as interrupts:
            while not self.state["stopped"]:
                self._epoch(interrupts, writer)
        if interrupts.caught:
            raise KeyboardInterrupt
        checkpoint.assign(self.model.weights, checkpoint.load(self.best)[0])

    def save(self) -> None:
        checkpoint.save(self.last, checkpoint.values(checkpoint.variables_of(self.model)), self.state)

    def _epoch(self, interrupts: "_Interrupts", writer: Any) -> None:
        state, epoch, start = self.state, self.state["epoch"], self.state["step"]
        watch = _Watch(self, interrupts)
        dataset = self.batches.epoch(self.config.seed, epoch, start).map(self.inputs)
        if start == 0:
            for layer in self.model.layers:
                if hasattr(layer, "reset_state"):  # states that are carried over batches
                    layer.reset_state()
        if start < len(self.batches):
            epochs = {"initial_epoch": epoch, "epochs": epoch + 1}
            fitted = fit(self.model, dataset, len(self.batches) - start, callbacks=[watch], **epochs)
            state["loss"] = fitted.history["loss"][-1]
        else:  # the checkpoint was written after the last step of the epoch
            self.restored = None
        if interrupts.caught:
            state["stopped"] = "interrupted"
            return
        self._close(epoch, writer)
        late = self.config.time_limit is not None and state["seconds"] >= self.config.time_limit
        waited = epoch + 1 - state["best_epoch"]
        if late or epoch + 1 == self.config.epochs or waited >= self.config.patience > 0:
            done = epoch + 1 == self.config.epochs
            state["stopped"] = "epochs" if done else "time_limit" if late else "patience"
        state["epoch"], state["step"] = epoch + 1, 0
        self.save()

    def _close(self, epoch: int, writer: Any) -> None:
        """Validate the averaged weights, keep them if they are the best, and write the history."""
        state, began = self.state, time.perf_counter()
        with self.model.optimizer.averaged(self.model):
            figures = self.validate()
            value = figures[self.metric]
            value = -math.inf if value is None else self.sign * value
            nothing_yet = self.sign > 0 and value == state["best"] == 0  # some metrics stay 0 for several epochs
            if state["best_epoch"] is None or value > state["best"] or nothing_yet or self.config.keep == "last":
                state["best"], state["best_epoch"] = value, epoch + 1
                checkpoint.save(self.best, checkpoint.values(self.model.weights))
        state["seconds"] += time.perf_counter() - began
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": epoch + 1, "seconds": round(state["seconds"], 2), "loss": state["loss"], "learning_rate": rate}
        row |= {f"validation_{name}": v for name, v in figures.items() if isinstance(v, float)}
        state["rows"].append(row)
        write_csv(self.directory / "history.csv", state["rows"])
        with writer.as_default(step=epoch + 1):
            for name, v in row.items():
                tf.summary.scalar(name, v)
        writer.flush()
        mark = "  best" if state["best_epoch"] == epoch + 1 else ""
        log.info(
            "epoch %d/%d  loss %.4f  validation %s %s  %.1f s%s",
            epoch + 1, self.config.epochs, row["loss"], self.metric, text(figures[self.metric]), state["seconds"], mark,
        )  # fmt: skip


def fit(model: keras.Model, dataset: Any, steps: int, **options: Any) -> Any:
    """`model.fit` over the `steps` batches of `dataset`.

    If Keras knows the number of batches, it opens the dataset again at the end of the epoch, although the next epoch
    has a dataset of its own. Therefore the number is given as `steps_per_epoch` and hidden in the dataset.
    """
    hidden = dataset.filter(lambda *batch: True)
    return model.fit(hidden, steps_per_epoch=steps, verbose=0, shuffle=False, **options)


class _Watch(keras.callbacks.Callback):
    """Counts steps and seconds, writes checkpoints, and stops at the time limit or after an interrupt."""

    def __init__(self, loop: Loop, interrupts: "_Interrupts") -> None:
        super().__init__()
        self.loop, self.interrupts = loop, interrupts
        self.first, self.logged = loop.state["step"], time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.loop.restored is not None:  # `fit` has just reset the running loss
            checkpoint.assign(checkpoint.variables_of(self.model), self.loop.restored)
            self.loop.restored = None
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loop, now = self.loop, time.perf_counter()
        state, config = loop.state, loop.config
        state["step"] = self.first + batch + 1
        state["seconds"] += now - self.began
        self.began = now
        over = config.time_limit is not None and state["seconds"] >= config.time_limit
        if self.interrupts.caught or state["step"] % config.checkpoint_steps == 0:
            state["loss"] = logs["loss"] if logs else None
            loop.save()
        if over or self.interrupts.caught:
            self.model.stop_training = True
        if logs and now - self.logged > 10:
            self.logged = now
            place = (state["epoch"] + 1, config.epochs, state["step"], len(loop.batches))
            log.info("epoch %d/%d  step %d/%d  loss %.4f", *place, logs["loss"])


class _Interrupts:
    """Turns the first Ctrl-C or SIGTERM into a flag: the current step ends and a checkpoint is written."""

    def __init__(self) -> None:
        self.caught = False
        self.before: dict[signal.Signals, Any] = {}

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.caught:
            raise KeyboardInterrupt
        self.caught = True

    def __enter__(self) -> "_Interrupts":
        if threading.current_thread() is threading.main_thread():
            self.before = {s: signal.signal(s, self._catch) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
