"""Many-to-many, equal lengths: a label for every step."""

import keras

from seqtasks.layers import CRF


@keras.saving.register_keras_serializable("seqtasks")
class StepScores(keras.layers.Dense):
    """A dense layer over every step whose output carries no mask: its losses know a masked step by its target.

    Example:
        >>> tuple(StepScores(3)(keras.ops.zeros((2, 5, 4))).shape)
        (2, 5, 3)
    """

    def compute_mask(self, inputs, previous_mask=None):
        return None


def tagger(inputs, sequence, labels, head="crf", allowed=None):
    """A model that scores the labels of every step, each by itself or together with its neighbours.

    Args:
        inputs: dict of the model's Keras inputs.
        sequence: Keras tensor (batch, time, units), what came out of the recurrence, with its mask.
        labels: how many there are.
        head: `crf` joins neighbouring labels (train it with `seqtasks.losses.CRFLoss`); `softmax` does not
            (`seqtasks.losses.StepCrossentropy`).
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


def tune_label_bias(model, label, validate, step=0.25, patience=3):
    """Take from the score of one label, a little at a time, as long as validation gets the better for it.

    Likelihood is not what taggers are judged by: where a label is both frequent and the safe guess, as "no entity" is,
    the best tags under the likelihood find too little. What is taken goes from the bias of the last dense layer.

    Args:
        model: what `tagger` gives.
        label: number of the label.
        validate: `validate() -> figure` of the model as it is, larger is better.
        step: what is taken each time.
        patience: steps without a better figure before it stops.

    Returns:
        What was taken in all.

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

    def take(amount):
        values = start.copy()
        values[label] -= amount
        bias.assign(values)

    best, taken, waited, amount = validate(), 0.0, 0, 0.0
    while waited < patience:
        amount += step
        take(amount)
        figure = validate()
        best, taken, waited = (figure, amount, 0) if figure > best else (best, taken, waited + 1)
    take(taken)
    return taken
