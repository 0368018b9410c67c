"""Many-to-one: one answer for a whole sequence."""

import keras

from seqtasks.layers import ReverseComplementMean


def classifier(inputs, members, classes, dropout=0.0, both_strands=False):
    """A model that scores the classes from summaries of a sequence.

    A summary of the outputs of the recurrence is one of them; one of what went into it is a short way from single words
    or motifs to the answer, which a recurrence on little data is slow to find.

    Args:
        inputs: dict of the model's Keras inputs.
        members: for each member of an ensemble the list of its summaries, Keras tensors (batch, features), e.g. of
            `seqtasks.layers.Pooling`. One is a plain network.
        classes: how many there are.
        dropout: rate before the last layer.
        both_strands: whether the batch was doubled by `seqtasks.layers.ReverseComplementBatch`.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, classes), or of several members (batch, members,
        classes), float32.

    Example:
        >>> from seqtasks.layers import Pooling
        >>> x = keras.Input((None, 4), name="frames")
        >>> classifier({"frames": x}, [[Pooling(["mean"])(x)]], classes=3).output_shape
        (None, 3)
    """
    scores = []
    for number, summaries in enumerate(members):
        tag = f"_{number}" if len(members) > 1 else ""
        x = summaries[0] if len(summaries) == 1 else keras.layers.Concatenate(name=f"summary{tag}")(summaries)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"summary_dropout{tag}")(x)
        scores.append(keras.layers.Dense(classes, dtype="float32", name=f"logits{tag}")(x))
    outputs = scores[0] if len(members) == 1 else keras.ops.stack(scores, 1)
    if both_strands:
        outputs = ReverseComplementMean(dtype="float32", name="strands")(outputs)
    return keras.Model(inputs, outputs, name="classifier")
