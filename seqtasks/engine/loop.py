"""The loop over epochs: `fit` one epoch at a time, so that training can stop at any step and continue from there."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import write_csv
from seqtasks.engine import checkpoint, cluster, distribute, progress
from seqtasks.engine.callbacks import epoch_logs
from seqtasks.engine.displays import rate
from seqtasks.engine.evaluation import text
from seqtasks.errors import UserError

log = logging.getLogger("seqtasks")
FALL = 0.01  # share of the training loss by which it falls while there is progress
AGREE_EVERY = 10  # steps after which several processes compare the clock and signals, because it takes milliseconds
STRETCH = 2  # times `patience` that training waits at most while the training loss falls


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
        callbacks: a `keras.callbacks.CallbackList`, or None.
    """

    def __init__(
        self, model: keras.Model, batches: Any, inputs: Callable[..., Any], validate: Callable[[], dict[str, Any]],
        config: Any, metric: str, larger_is_better: bool, directory: Path,
        callbacks: keras.callbacks.CallbackList | None = None,
    ) -> None:  # fmt: skip
        self.model, self.batches, self.inputs, self.validate = model, batches, inputs, validate
        self.config, self.metric, self.directory = config, metric, directory
        self.larger, self.callbacks = larger_is_better, callbacks
        self.strategy = model.distribute_strategy
        self.chief, self.several = cluster.is_chief(self.strategy), cluster.share(self.strategy)[1] > 1
        distribute.repair(model)
        self.last, self.best = directory / "checkpoints" / "last.npz", directory / "checkpoints" / "best.npz"
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "rows": [], "loss": None}
        self.state |= {"best": None, "best_epoch": None, "waited": 0, "stopped": "", "losses": []}
        self.restored: list[np.ndarray] | None = None
        self.loss: float | None = None  # of the epoch so far
        self.began: tuple[float, int] | None = None  # time and step from which the speed counts
        self.logs: dict[str, float] = {}  # of the last epoch, for callbacks
        self.advance = progress.Stage("training")
        self.stop_at_once = False  # a callback asked for it before the first epoch

    def resume(self) -> None:
        """Continue from the last checkpoint, if there is one."""
        known = self.last.is_file() and list(checkpoint.load(self.last)[1].values())[:2]  # epoch and step
        if known != cluster.chiefs(self.strategy, lambda: known):
            what, remedy = "this process sees another checkpoint than the first one", "take storage that they share"
            raise UserError(what, where=self.last, remedy=remedy)
        if self.last.is_file():
            arrays, self.state = checkpoint.load(self.last)
            checkpoint.assign(checkpoint.variables_of(self.model), arrays)
            self.restored = [np.copy(a) for a in arrays] if self.state["step"] else None
            log.info("resuming in epoch %d at step %d", self.state["epoch"] + 1, self.state["step"])

    def run(self) -> None:
        """Train until epochs, patience, time limit or a callback end it; leave the best weights in the model."""
        logs = str(self.directory / "logs")
        writer = tf.summary.create_file_writer(logs) if self.chief else tf.summary.create_noop_writer()
        steps, state = len(self.batches), self.state
        total, done = self.config.epochs * steps, state["epoch"] * steps + state["step"]
        stage = progress.stage("training", total, "steps", self.place, done)
        self.model.stop_training = False
        trains = not state["stopped"]
        if self.callbacks and trains:
            self.callbacks.on_train_begin()
        self.stop_at_once = self.model.stop_training
        with _Interrupts(self.several) as interrupts, stage as self.advance:
            while not state["stopped"]:
                self._epoch(interrupts, writer)
        if interrupts.caught:
            raise KeyboardInterrupt
        if self.callbacks and trains:
            self.callbacks.on_train_end(self.logs)
        checkpoint.assign(self.model.weights, checkpoint.load(self.best)[0])

    def save(self) -> None:
        self._write(self.last, checkpoint.variables_of(self.model), self.state)

    def _write(self, path: Path, variables: Sequence[Any], state: Any = None) -> None:
        """Write a checkpoint. All processes take part, because devices may hold parts of a variable."""
        arrays = checkpoint.values(variables)
        if self.chief:
            checkpoint.save(path, arrays, state)

    def agree(self, interrupts: "_Interrupts") -> bool:
        """Take over the chief's clock and the signals of all processes; whether it is time for it."""
        step = self.state["step"]
        if self.several and step % AGREE_EVERY and step < len(self.batches):
            return False
        if self.several:
            given = np.array([self.state["seconds"] * self.chief, interrupts.signalled])
            self.state["seconds"], signals = cluster.total(self.strategy, given).tolist()
            interrupts.caught = signals > 0
        return True

    def place(self) -> tuple[str, str]:
        """Epoch, step, loss and the last validation figure; and the speed, in words."""
        state, config, began = self.state, self.config, self.began
        parts = [f"epoch {min(state['epoch'] + 1, config.epochs)}/{config.epochs}"]
        parts.append(f"step {state['step']}/{len(self.batches)}")
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if state["rows"]:
            parts.append(f"{self.metric} {text(state['rows'][-1].get(f'validation_{self.metric}'))}")
        if self.advance.measured is None:
            parts.append("tracing the model")
        steps = (state["step"] - began[1]) / (time.perf_counter() - began[0]) if began else 0.0
        return "  ".join(parts), f"{rate(steps * config.batch_size)} examples/s" if steps > 0 else ""

    def _epoch(self, interrupts: "_Interrupts", writer: Any) -> None:
        state, epoch, start = self.state, self.state["epoch"], self.state["step"]
        watch = _Watch(self, interrupts)
        dataset = self.batches.epoch(self.config.seed, epoch, start).map(self.inputs)
        if start == 0:
            for layer in self.model.layers:
                if hasattr(layer, "reset_state") and getattr(layer, "stateful", True):  # states carried over batches
                    layer.reset_state()
        if start < len(self.batches):
            epochs = {"initial_epoch": epoch, "epochs": epoch + 1}
            fitted = fit(self.model, dataset, len(self.batches) - start, callbacks=[watch], **epochs)
            state["loss"] = fitted.history["loss"][-1]
        else:  # the checkpoint was written after the last step of the epoch
            self.restored = None
            if self.callbacks:
                self.callbacks.on_epoch_begin(epoch)
        if interrupts.caught:
            state["stopped"] = "interrupted"
            return
        state["losses"].append(state["loss"])
        self._close(epoch, writer)

    def _close(self, epoch: int, writer: Any) -> None:
        """End an epoch: evaluate if it is due, call the callbacks, and decide whether training stops."""
        state, config = self.state, self.config
        done, late = epoch + 1 == config.epochs, self._late()
        due = done or late or self._asked() or (epoch + 1) % config.evaluate_every == 0
        with self.model.optimizer.averaged(self.model):
            figures = self._evaluate(epoch, writer) if due else {}
            self.logs = epoch_logs(state["loss"], figures)
            if self.callbacks:
                self.callbacks.on_epoch_end(epoch, self.logs)
            if self._asked() and not due:
                due = bool(self._evaluate(epoch, writer))
        late, asked = self._late(), self._asked()
        losses, worst = [row["loss"] for row in state["rows"]], is_worst(state["best"], self.larger)
        impatient = due and not worst and gives_up(losses, state["waited"], config.patience)
        if late or done or asked or impatient:
            state["stopped"] = "epochs" if done else "time_limit" if late else "callback" if asked else "patience"
        state["epoch"], state["step"] = epoch + 1, 0
        if due:
            self.save()

    def _late(self) -> bool:
        return self.config.time_limit is not None and self.state["seconds"] >= self.config.time_limit

    def _asked(self) -> bool:
        return self.callbacks is not None and bool(self.model.stop_training)

    def _evaluate(self, epoch: int, writer: Any) -> dict[str, Any]:
        """Validate the averaged weights, keep them if they are the best, and write the history."""
        state, began = self.state, time.perf_counter()
        self.advance.refresh()
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        figures, spent = cluster.chiefs(self.strategy, lambda: (self.validate(), time.perf_counter() - began))
        value, state["waited"] = figures[self.metric], state["waited"] + 1
        first, last = state["best_epoch"] is None, self.config.keep == "last"
        better = first or last or replaces(value, state["best"], self.larger)
        if better or (value == state["best"] and is_perfect(value, self.larger)):
            state["best"], state["best_epoch"], state["waited"] = value, epoch + 1, 0 if better else state["waited"]
            self._write(self.best, self.model.weights)
        state["seconds"] += spent if self.several else time.perf_counter() - began
        loss, state["losses"] = sum(state["losses"]) / len(state["losses"]), []
        row = {"epoch": epoch + 1, "seconds": round(state["seconds"], 2), "loss": loss}
        row["learning_rate"] = learning_rate
        row |= {f"validation_{name}": v for name, v in figures.items() if isinstance(v, float)}
        state["rows"].append(row)
        if self.chief:
            write_csv(self.directory / "history.csv", state["rows"])
        with writer.as_default(step=epoch + 1):
            for name, v in row.items():
                tf.summary.scalar(name, v)
        writer.flush()
        self.advance.refresh()
        mark = "  best" if state["best_epoch"] == epoch + 1 else ""
        log.info(
            "epoch %d/%d  loss %.4f  validation %s %s  %.1f s%s",
            epoch + 1, self.config.epochs, row["loss"], self.metric, text(figures[self.metric]), state["seconds"], mark,
        )  # fmt: skip
        return figures


def replaces(value: float | None, best: float | None, larger: bool) -> bool:
    """Whether a validation figure replaces the best so far.

    A better one does. So does an equal one that is the worst there is, because a metric may stay there for several
    epochs while the loss falls: 0 of a score, 1 or more of an error rate, or undefined. Patience begins after that.

    Args:
        value: the figure of this epoch; None if it is undefined.
        best: the best so far.
        larger: whether a larger value is better.

    Example:
        >>> replaces(0.7, 0.6, larger=True), replaces(0.6, 0.6, larger=True), replaces(0.0, 0.0, larger=True)
        (True, False, True)
        >>> replaces(0.7, 0.6, larger=False), replaces(0.0, 0.0, larger=False), replaces(1.0, 1.0, larger=False)
        (False, False, True)
    """
    if value is None or best is None:
        return best is None
    worst = best <= 0 if larger else best >= 1
    return (value > best if larger else value < best) or (worst and value == best)


def is_worst(best: float | None, larger: bool) -> bool:
    """Whether the best validation figure so far is the worst there is: 0 of a score, an error rate of 1, or undefined.

    Args:
        best: the best so far.
        larger: whether a larger value is better.

    Example:
        >>> is_worst(0.0, larger=True), is_worst(1.0, larger=False), is_worst(49.9, larger=False)
        (True, True, False)
    """
    return best is None or (best <= 0 if larger else best == 1)


def is_perfect(value: float | None, larger: bool) -> bool:
    """Whether a figure is the best there is: a score of 1, or an error of 0.

    A validation split of few examples is answered without an error long before the model is trained. So the last of the
    epochs without an error is kept; patience counts from the first.

    Args:
        value: a validation figure.
        larger: whether a larger value is better.

    Example:
        >>> is_perfect(1.0, larger=True), is_perfect(0.0, larger=False), is_perfect(0.0, larger=True)
        (True, True, False)
    """
    return value is not None and (value == 1 if larger else value == 0)


def gives_up(losses: Sequence[float], waited: int, patience: int) -> bool:
    """Whether training stops for lack of progress: neither the validation metric nor the training loss gets better.

    The loss still falls if its mean over the last `patience` evaluations is more than 1 % below its mean over the
    `patience` evaluations before. Then training goes on, until it has waited twice as long as `patience`.

    Args:
        losses: the training loss at each evaluation, more than `waited`.
        waited: evaluations since the best one.
        patience: how many training waits; 0 for no limit.

    Example:
        >>> gives_up([60.0, 59.0, 58.0, 57.0, 56.0], waited=2, patience=2)
        False
        >>> gives_up([60.0, 59.0, 58.9, 58.8, 58.8], waited=2, patience=2)
        True
    """
    if not waited >= patience > 0:
        return False
    recent, before = fmean(losses[-patience:]), fmean(losses[-2 * patience : -patience])
    return waited >= STRETCH * patience or not before - recent > FALL * abs(before)


def fit(model: keras.Model, dataset: Any, steps: int, **options: Any) -> Any:
    """`model.fit` over the `steps` batches of `dataset`.

    If Keras knows the number of batches, it opens the dataset again at the end of the epoch, although the next epoch
    has a dataset of its own. Therefore the number is given as `steps_per_epoch` and hidden in the dataset.
    """
    hidden = distribute.distributed(model.distribute_strategy, dataset.filter(lambda *batch: True))
    return model.fit(hidden, steps_per_epoch=steps, verbose=0, shuffle=False, **options)


class _Watch(keras.callbacks.Callback):
    """Counts steps and seconds, writes checkpoints, and stops at the time limit or after an interrupt."""

    def __init__(self, loop: Loop, interrupts: "_Interrupts") -> None:
        super().__init__()
        self.loop, self.interrupts = loop, interrupts
        self.first = loop.state["step"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.loop.restored is not None:  # `fit` has just reset the running loss
            checkpoint.assign(checkpoint.variables_of(self.model), self.loop.restored)
            self.loop.restored = None
        if self.loop.callbacks:
            self.model.stop_training = self.loop.stop_at_once
            self.loop.callbacks.on_epoch_begin(epoch)
        self.loop.loss, self.loop.began = None, None
        self.began = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.loop.callbacks:
            self.loop.callbacks.on_train_batch_begin(self.first + batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loop, now = self.loop, time.perf_counter()
        state, config = loop.state, loop.config
        state["step"] = self.first + batch + 1
        state["seconds"] += now - self.began
        self.began = now
        over = loop.agree(self.interrupts) and loop._late()
        if self.interrupts.caught or state["step"] % config.checkpoint_steps == 0:
            state["loss"] = logs["loss"] if logs else None
            loop.save()
        if over or self.interrupts.caught:
            self.model.stop_training = True
        loop.loss = logs["loss"] if logs else None
        loop.began = loop.began or (now, state["step"])  # the first step includes tracing
        loop.advance()
        if loop.callbacks:
            loop.callbacks.on_train_batch_end(self.first + batch, logs)


class _Interrupts:
    """Turns the first Ctrl-C or SIGTERM into a flag: the current step ends and a checkpoint is written.

    Args:
        several: whether several processes train, which stop after the same step: `caught` waits for `Loop.agree`.
    """

    def __init__(self, several: bool = False) -> None:
        self.several, self.signalled, self.caught = several, False, False
        self.before: dict[signal.Signals, Any] = {}

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.signalled:
            raise KeyboardInterrupt
        self.signalled = True
        self.caught = not self.several

    def __enter__(self) -> "_Interrupts":
        if threading.current_thread() is threading.main_thread():
            self.before = {s: signal.signal(s, self._catch) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
