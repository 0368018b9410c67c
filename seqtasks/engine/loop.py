"""The loop over epochs: `fit` one epoch at a time, so that training can stop at any step and continue from there."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqtasks.atomic_files import write_csv
from seqtasks.data.generators import user_errors
from seqtasks.engine import checkpoint, cluster, distribute, progress
from seqtasks.engine.callbacks import epoch_logs
from seqtasks.engine.displays import rate
from seqtasks.engine.evaluation import text
from seqtasks.engine.signals import Interrupts
from seqtasks.engine.stopping import gives_up, is_perfect, is_worst, replaces
from seqtasks.errors import UserError

log = logging.getLogger("seqtasks")
AGREE_EVERY = 10  # steps after which several processes compare the clock and signals, because it takes milliseconds


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
        self.checkpoints = checkpoint.Checkpoints(directory / "checkpoints", config.checkpoint_count)
        self.best: list[np.ndarray] | None = None  # the best weights, which each checkpoint holds too
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "rows": [], "loss": None}
        self.state |= {"best": None, "best_epoch": None, "waited": 0, "stopped": "", "losses": [], "kernels": []}
        self.restored: list[np.ndarray] | None = None
        self.loss: float | None = None  # of the epoch so far
        self.began: tuple[float, int] | None = None  # time and step from which the speed counts
        self.logs: dict[str, float] = {}  # of the last epoch, for callbacks
        self.advance = progress.Stage("training")
        self.stop_at_once = False  # a callback asked for it before the first epoch
        self.interrupts = Interrupts(self.several)
        self.saved = 0.0  # when the last checkpoint was written
        self.due = False  # whether the last one is too old

    def resume(self) -> bool:
        """Continue from the last checkpoint that is whole; whether there is one.

        Raises:
            UserError: if all checkpoints are damaged, or processes see different ones.
        """
        found = self.checkpoints.load() if self.chief else None
        state = cluster.chiefs(self.strategy, lambda: found and found[1])
        if not self.chief:  # after the chief, which removes damaged ones
            found = self.checkpoints.load()
        if state != (found and found[1]):
            what, remedy = "this process sees another checkpoint than the first one", "take storage that they share"
            raise UserError(what, where=self.checkpoints.directory, remedy=remedy)
        if found is None:
            log.info("no checkpoint yet: training begins again")
            return False
        arrays, self.state = found
        variables = checkpoint.variables_of(self.model)
        arrays, self.best = arrays[: len(variables)], arrays[len(variables) :] or None
        checkpoint.assign(variables, arrays)
        self.restored = arrays if self.state["step"] else None
        log.info("resuming in epoch %d at step %d", self.state["epoch"] + 1, self.state["step"])
        return True

    def run(self) -> None:
        """Train until epochs, patience, time limit or a callback end it; leave the best weights in the model.

        Raises:
            KeyboardInterrupt: after Ctrl-C or SIGTERM, when a checkpoint has been written.
            UserError: if the loss is no longer a finite number.
        """
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
        self.saved = time.monotonic()
        with self.interrupts, stage as self.advance:
            while not state["stopped"] and not self.interrupts.caught:
                self._epoch(writer)
            if self.interrupts.caught:
                self.save()
        self.interrupts.reraise()
        if self.callbacks and trains:
            self.callbacks.on_train_end(self.logs)
        assert self.best is not None  # the last epoch is evaluated, and the first evaluation is the best so far
        checkpoint.assign(self.model.weights, self.best)

    def save(self) -> None:
        """Write a checkpoint of the present weights and the best ones.

        All processes take part, because devices may hold parts of a variable; the chief writes.

        Raises:
            UserError: if a weight is not a finite number.
        """
        variables = checkpoint.variables_of(self.model)
        arrays, learnt = checkpoint.values(variables), {id(v) for v in self.model.trainable_variables}
        if not all(np.isfinite(a).all() for v, a in zip(variables, arrays, strict=True) if id(v) in learnt):
            raise self._diverged("a weight is not a finite number")
        if self.chief:
            self.checkpoints.save([*arrays, *(self.best or [])], self.state)
        self.saved = time.monotonic()

    def step_done(self, step: int, loss: float) -> bool:
        """Count a step, and write a checkpoint if it is due.

        Args:
            step: of the epoch, from 1.
            loss: the mean loss of the epoch so far.

        Returns:
            Whether training stops after it, at the time limit or for a signal.

        Raises:
            UserError: if the loss is not a finite number.
        """
        self.state["step"], self.state["loss"], self.loss = step, loss, loss
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        agreed = self._agree()
        if ((agreed and self.due) or step % self.config.checkpoint_steps == 0) and not self.interrupts.caught:
            self.save()
        return self.interrupts.caught or (agreed and self._late())

    def _agree(self) -> bool:
        """Look at the clock and for signals: those of the chief and of all processes; whether it is time for it."""
        state, step, minutes = self.state, self.state["step"], self.config.checkpoint_minutes
        if self.several and step % AGREE_EVERY and step < len(self.batches):
            return False
        self.due = bool(minutes) and time.monotonic() - self.saved >= 60 * minutes
        if self.several:
            own = [state["seconds"] * self.chief, self.due and self.chief, *self.interrupts.counts()]
            state["seconds"], due, *signals = cluster.total(self.strategy, np.array(own, "float64")).tolist()
            self.due = due > 0
            self.interrupts.agree(signals)
        return True

    def _diverged(self, what: str) -> UserError:
        """The error for weights that are lost: the step, its batch, and what is kept."""
        seed, epoch, step = self.config.seed, self.state["epoch"], self.state["step"]
        where = f"epoch {epoch + 1}, step {step} of {len(self.batches)}"
        batch = next(iter(self.batches.epoch(seed, epoch, step - 1).map(self.inputs)))
        broken = [t for t in tf.nest.flatten(batch) if t.dtype.is_floating and not np.isfinite(t).all()]
        faults = cluster.total(self.strategy, np.array([len(broken)]))[0]  # each process has some of the rows
        cause = "holds values that are not finite: correct the data" if faults else "holds finite values"
        kept = next((f"the last good weights are kept in {path}" for path in self.checkpoints.paths()), "")
        rate = "" if faults else ": lower --learning_rate or --clip_norm"
        remedy = f"{kept}{'; ' * bool(kept)}train a new run{rate}"
        return UserError(f"{what}; the batch (seed {seed}, epoch {epoch}, step {step - 1}) {cause}", where, remedy)

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

    def _epoch(self, writer: Any) -> None:
        epoch, start = self.state["epoch"], self.state["step"]
        watch = _Watch(self)
        dataset = self.batches.epoch(self.config.seed, epoch, start).map(self.inputs)
        if start == 0:
            for layer in self.model.layers:
                if hasattr(layer, "reset_state") and getattr(layer, "stateful", True):  # states carried over batches
                    layer.reset_state()
        if start < len(self.batches):
            epochs = {"initial_epoch": epoch, "epochs": epoch + 1}
            with user_errors():
                fit(self.model, dataset, len(self.batches) - start, callbacks=[watch], **epochs)
        else:  # the checkpoint was written after the last step of the epoch
            self.restored = None
            if self.callbacks:
                self.callbacks.on_epoch_begin(epoch)
        if self.interrupts.caught:
            return
        try:
            self._close(epoch, writer)
        except KeyboardInterrupt:
            if self.interrupts.repeatable:  # in the validation, which changes nothing
                self.save()
            raise
        self._agree()

    def _close(self, epoch: int, writer: Any) -> None:
        """End an epoch: evaluate if it is due, call the callbacks, and decide whether training stops."""
        state, config = self.state, self.config
        done, late = epoch + 1 == config.epochs, self._late()
        due = done or late or self._asked() or (epoch + 1) % config.evaluate_every == 0
        optimizer = self.model.optimizer
        with getattr(optimizer, "inner_optimizer", optimizer).averaged(self.model):  # Keras wraps that of float16
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
        if not due:
            state["losses"].append(state["loss"])
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
        figures, spent = self._validated()
        value, state["waited"] = figures[self.metric], state["waited"] + 1
        first, last = state["best_epoch"] is None, self.config.keep == "last"
        better = first or last or replaces(value, state["best"], self.larger)
        if better or (value == state["best"] and is_perfect(value, self.larger)):
            state["best"], state["best_epoch"], state["waited"] = value, epoch + 1, 0 if better else state["waited"]
            self.best = checkpoint.values(self.model.weights)
        state["seconds"] += spent if self.several else time.perf_counter() - began
        loss, state["losses"] = fmean([*state["losses"], state["loss"]]), []
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

    def _validated(self) -> tuple[dict[str, Any], float]:
        """The figures of the validation by the chief, and its seconds; a signal to the chief ends it in all."""

        def validated() -> Any:
            began = time.perf_counter()
            try:
                with self.interrupts.at_once():
                    return self.validate(), time.perf_counter() - began
            except KeyboardInterrupt:
                if not (self.several and self.interrupts.repeatable):
                    raise
                return None

        found = cluster.chiefs(self.strategy, validated)
        if found is None:
            self._agree()
            self.interrupts.repeatable = True
            self.interrupts.reraise()
        return found


def fit(model: keras.Model, dataset: Any, steps: int, **options: Any) -> Any:
    """`model.fit` over the `steps` batches of `dataset`.

    If Keras knows the number of batches, it opens the dataset again at the end of the epoch, although the next epoch
    has a dataset of its own. Therefore the number is given as `steps_per_epoch` and hidden in the dataset.
    """
    hidden = distribute.distributed(model.distribute_strategy, dataset.filter(lambda *batch: True))
    return model.fit(hidden, steps_per_epoch=steps, verbose=0, shuffle=False, **options)


class _Watch(keras.callbacks.Callback):
    """Counts steps and seconds, and stops at the time limit or after an interrupt."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop, self.first = loop, loop.state["step"]

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
        loop.state["seconds"] += now - self.began
        self.began = now
        if loop.step_done(self.first + batch + 1, (logs or {})["loss"]):
            self.model.stop_training = True
        loop.began = loop.began or (now, loop.state["step"])  # the first step includes tracing
        loop.advance()
        if loop.callbacks:
            loop.callbacks.on_train_batch_end(self.first + batch, logs)
