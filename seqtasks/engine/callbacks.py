"""Keras callbacks of a training: what is checked before it begins, and the list that is called across its epochs."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras

from seqtasks.errors import UserError

RATES = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)


def callback_list(
    callbacks: Sequence[Any], model: keras.Model, epochs: int, steps: int, metrics: Collection[str],
    lower_is_better: Collection[str],
) -> keras.callbacks.CallbackList | None:  # fmt: skip
    """The callbacks as one, with the model and with `params` as `fit` sets them; None if there are none.

    A callback with `mode="auto"` that monitors a validation metric takes the direction of the metric.

    Args:
        callbacks: instances of `keras.callbacks.Callback`.
        model: the compiled model.
        epochs: of the training.
        steps: of an epoch.
        metrics: names of the validation metrics.
        lower_is_better: those of which lower values are better.

    Raises:
        UserError: if one is no callback, or cannot work in this training.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> stop = keras.callbacks.EarlyStopping(monitor="val_wer")
        >>> found = callback_list([stop], model, 3, 10, ["wer"], ["wer"])
        >>> stop.mode, stop.params["steps"], callback_list([], model, 3, 10, [], [])
        ('min', 10, None)
        >>> callback_list([keras.callbacks.EarlyStopping()], model, 3, 10, ["wer"], ["wer"])
        Traceback (most recent call last):
        seqtasks.errors.UserError: EarlyStopping: there is no 'val_loss' to monitor; known are: loss, val_wer
    """
    known = ["loss", *(f"val_{name}" for name in metrics)]
    for callback in callbacks:
        _check(callback, model, known)
        monitor = getattr(callback, "monitor", "")
        if getattr(callback, "mode", "") == "auto" and monitor.startswith("val_"):
            callback.mode = "min" if monitor.removeprefix("val_") in lower_is_better else "max"
    if not callbacks:
        return None
    return keras.callbacks.CallbackList(list(callbacks), model=model, verbose=0, epochs=epochs, steps=steps)


def _check(callback: Any, model: keras.Model, known: Sequence[str]) -> None:
    name = type(callback).__name__
    if not isinstance(callback, keras.callbacks.Callback):
        what = f"{callback!r:.60} is not a Keras callback"
        raise UserError(what, where="callbacks", remedy="give a list of instances of keras.callbacks.Callback")
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise UserError("a run keeps checkpoints itself", where=name, remedy="leave it out, and continue with resume")
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(callback, RATES) and isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        what = "cannot change the learning rate, which follows --schedule and --warmup"
        raise UserError(what, where=name, remedy="take schedule='constant' and warmup=0")
    monitor = getattr(callback, "monitor", None) if getattr(callback, "save_best_only", True) else None
    if monitor is not None and monitor not in known and (monitor == "val_loss" or callback.mode == "auto"):
        raise UserError(f"there is no {monitor!r} to monitor", where=name, remedy=f"known are: {', '.join(known)}")


def epoch_logs(loss: float | None, figures: Mapping[str, Any]) -> dict[str, float]:
    """What `on_epoch_end` gets: the loss, and each validation figure with the prefix `val_`.

    Args:
        loss: the mean loss of the epoch.
        figures: of the validation; None for a metric that is undefined, which becomes NaN.

    Example:
        >>> epoch_logs(0.5, {"accuracy": 0.75, "roc_auc": None, "seconds": 0.1, "examples": 8})
        {'loss': 0.5, 'val_accuracy': 0.75, 'val_roc_auc': nan}
    """
    logs = {"loss": math.nan if loss is None else loss}
    shown = {name: math.nan if value is None else value for name, value in figures.items() if name != "seconds"}
    return logs | {f"val_{name}": value for name, value in shown.items() if isinstance(value, float)}
