"""Many-to-one: one answer for a whole sequence."""

import keras

from seqtasks.layers import StrandMean


def classifier(inputs, summaries, classes, dropout=0.0, both_strands=False):
    """A model that scores the classes from summaries of a sequence.

    A summary of the outputs of the recurrence is one of them; one of what went into it is a short way from single words
    or motifs to the answer, which a recurrence on little data is slow to find.

    Args:
        inputs: dict of the model's Keras inputs.
        summaries: list of Keras tensors (batch, features), e.g. of `seqtasks.layers.Pooling`.
        classes: how many there are.
        dropout: rate before the last layer.
        both_strands: whether the batch was doubled by `seqtasks.layers.BothStrands`.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, classes), float32.

    Example:
        >>> from seqtasks.layers import Pooling
        >>> x = keras.Input((None, 4), name="frames")
        >>> classifier({"frames": x}, [Pooling(["mean"])(x)], classes=3).output_shape
        (None, 3)
    """
    summary = summaries[0] if len(summaries) == 1 else keras.layers.Concatenate(name="summary")(summaries)
    if dropout:
        summary = keras.layers.Dropout(dropout, name="summary_dropout")(summary)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(summary)
    if both_strands:
        logits = StrandMean(dtype="float32", name="strands")(logits)
    return keras.Model(inputs, logits, name="classifier")
