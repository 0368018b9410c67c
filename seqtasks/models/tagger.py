"""Many-to-many, equal lengths: a label for every step."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from seqtasks.layers import CRF


@keras.saving.register_keras_serializable("seqtasks")
class StepScores(keras.layers.Dense):
    """A dense layer over every step whose output carries no mask: the losses recognise a masked step by its target.

    Example:
        >>> tuple(StepScores(3)(keras.ops.zeros((2, 5, 4))).shape)
        (2, 5, 3)
    """

    def compute_mask(self, inputs: keras.KerasTensor, previous_mask: keras.KerasTensor | None = None) -> None:
        return None


def tagger(
    inputs: dict[str, keras.KerasTensor],
    sequence: keras.KerasTensor,
    labels: int,
    head: Literal["crf", "softmax"] = "crf",
    allowed: Sequence[Any] | None = None,
) -> keras.Model:
    """A model that scores the labels of every step, independently or together with the adjacent steps.

    Args:
        inputs: dict of the model's Keras inputs.
        sequence: Keras tensor (batch, time, units), the outputs of the recurrence, with its mask.
        labels: number of labels.
        head: `crf` scores pairs of adjacent labels (train it with `seqtasks.losses.CRFLoss`); `softmax` scores labels
            independently (`seqtasks.losses.StepCrossentropy`).
        allowed: constraints of the transitions, see `seqtasks.layers.CRF`.

    Returns:
        A functional `keras.Model` from `inputs` to scores, float32: (batch, time, labels, labels) for `crf`, else
        logits (batch, time, labels).

    Example:
        >>> x = keras.Input((None, 4), name="frames")
        >>> tagger({"frames": x}, x, labels=3).output_shape, tagger({"frames": x}, x, 3, "softmax").output_shape
        ((None, None, 3, 3), (None, None, 3))
    """
    if head == "softmax":
        outputs = StepScores(labels, dtype="float32", name="logits")(sequence)
    else:
        emissions = keras.layers.Dense(labels, dtype="float32", name="emissions")(sequence)
        outputs = CRF(allowed, dtype="float32", name="crf")(emissions)
    return keras.Model(inputs, outputs, name="tagger")


def tune_label_bias(
    model: keras.Model, label: int, validate: Callable[[], float], step: float = 0.25, patience: int = 3
) -> float:
    """Lowers the bias of one label in small steps while the validation metric improves.

    Taggers are trained by likelihood and judged by another metric: if a label is frequent and the safe guess, like "no
    entity", the most probable tags find too few entities. The bias is that of the last dense layer.

    Args:
        model: a model that `tagger` returned.
        label: number of the label.
        validate: `validate() -> metric` of the model in its current state, larger is better.
        step: how much the bias is lowered each time.
        patience: steps without improvement after which it stops.

    Returns:
        By how much the bias was lowered in all.

    Example:
        >>> x = keras.Input((None, 2))
        >>> model = tagger({"x": x}, x, 2, "softmax")
        >>> best_at = lambda: -abs(float(model.get_layer("logits").bias[0]) + 0.5)
        >>> tune_label_bias(model, 0, best_at), model.get_layer("logits").bias.numpy().tolist()
        (0.5, [-0.5, 0.0])
    """
    names = {layer.name for layer in model.layers}
    bias = model.get_layer("emissions" if "emissions" in names else "logits").bias
    start = keras.ops.convert_to_numpy(bias).copy()

    def lower(amount: float) -> None:
        values = start.copy()
        values[label] -= amount
        bias.assign(values)

    best, best_amount, waited, amount = validate(), 0.0, 0, 0.0
    while waited < patience:
        amount += step
        lower(amount)
        metric = validate()
        best, best_amount, waited = (metric, amount, 0) if metric > best else (best, best_amount, waited + 1)
    lower(best_amount)
    return best_amount
