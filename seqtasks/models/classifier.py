"""Many-to-one: one answer for a whole sequence."""

import keras

from seqtasks.layers import Pooling


def classifier(inputs, embedded, sequence, classes, pooling=("max", "mean"), dropout=0.0):
    """A model that pools a sequence over time and scores the classes.

    Beside the outputs of the recurrence the plain mean of the embedded inputs is pooled: a short way from single
    words to the answer, which a recurrence on little data is slow to find.

    Args:
        inputs: dict of the model's Keras inputs.
        embedded: Keras tensor (batch, time, dimension), what went into the recurrence.
        sequence: Keras tensor (batch, time, units), what came out of it.
        classes: how many there are.
        pooling: kinds of `seqtasks.layers.Pooling` over the recurrence.
        dropout: rate before the last layer.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, classes), float32.

    Example:
        >>> x = keras.Input((None, 4), name="frames")
        >>> model = classifier({"frames": x}, x, keras.layers.Dense(6)(x), classes=3)
        >>> model.output_shape
        (None, 3)
    """
    pooled = [Pooling(list(pooling), name="pooling")(sequence), Pooling(["mean"], name="bag_of_inputs")(embedded)]
    pooled = keras.layers.Concatenate(name="summary")(pooled)
    if dropout:
        pooled = keras.layers.Dropout(dropout, name="summary_dropout")(pooled)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(pooled)
    return keras.Model(inputs, logits, name="classifier")
