"""Many-to-one: one answer for a whole sequence."""

from collections.abc import Sequence

import keras

from seqtasks.layers import ReverseComplementMean
from seqtasks.models.side_columns import join_columns


def classifier(
    inputs: dict[str, keras.KerasTensor],
    members: Sequence[Sequence[keras.KerasTensor]],
    classes: int,
    dropout: float = 0.0,
    both_strands: bool = False,
) -> keras.Model:
    """A model that scores the classes from summaries of a sequence.

    One summary is that of the outputs of the recurrence. A summary of its inputs is a short path from single words or
    motifs to the classes, which a recurrence is slow to learn from little data.

    Args:
        inputs: dict of the model's Keras inputs; one called `columns` joins the summaries, see `column_inputs`.
        members: for each member of an ensemble the list of its summaries, Keras tensors (batch, features), e.g. of
            `seqtasks.layers.Pooling`. One member is a plain network.
        classes: number of classes.
        dropout: rate before the last layer.
        both_strands: whether the batch was doubled by `seqtasks.layers.ReverseComplementBatch`.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, classes), or with several members (batch, members,
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
        if "columns" in inputs:
            x = join_columns(x, inputs["columns"], both_strands, tag)
        scores.append(keras.layers.Dense(classes, dtype="float32", name=f"logits{tag}")(x))
    outputs = scores[0] if len(members) == 1 else keras.ops.stack(scores, 1)
    if both_strands:
        outputs = ReverseComplementMean(dtype="float32", name="strands")(outputs)
    return keras.Model(inputs, outputs, name="classifier")
