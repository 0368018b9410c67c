"""Many-to-one: one answer for a whole sequence."""

from collections.abc import Sequence

import keras

from seqtasks.layers import CumulativeLogits, NgramScores, ReverseComplementMean
from seqtasks.models.side_columns import join_columns


def classifier(
    inputs: dict[str, keras.KerasTensor],
    members: Sequence[Sequence[keras.KerasTensor]],
    outputs: int,
    dropout: float = 0.0,
    both_strands: bool = False,
    thresholds: Sequence[float] = (),
    bias: Sequence[float] = (),
    ngrams: int = 0,
    ngram_dropout: float = 0.0,
) -> keras.Model:
    """A model that scores classes or labels, or gives a number, from summaries of a sequence.

    One summary is that of the outputs of the recurrence. A summary of its inputs is a short path from single words or
    motifs to the classes, which a recurrence is slow to learn from little data.

    Args:
        inputs: dict of the model's Keras inputs; one called `columns` joins the summaries, see `column_inputs`, and
            one called `ngrams`, the hashed n-grams of the sequence, has a linear path to the outputs.
        members: for each member of an ensemble the list of its summaries, Keras tensors (batch, features), e.g. of
            `seqtasks.layers.Pooling`. One member is a plain network.
        outputs: number of outputs: of classes or labels; one fewer than the ordered classes; 1 for a number.
        dropout: rate before the last layer.
        both_strands: whether the batch was doubled by `seqtasks.layers.ReverseComplementBatch`.
        thresholds: for ordered classes the first values of the thresholds of `seqtasks.layers.CumulativeLogits`.
        bias: first values of the bias of the outputs, such as the log-odds of labels, most of which are rare; zeros if
            there are none.
        ngrams: hashes of the n-grams; 0 if there are none.
        ngram_dropout: share of the n-grams that are left out in training.

    Returns:
        A functional `keras.Model` from `inputs` to logits (batch, outputs), or with several members (batch, members,
        outputs), float32.

    Example:
        >>> from seqtasks.layers import Pooling
        >>> x = keras.Input((None, 4), name="frames")
        >>> classifier({"frames": x}, [[Pooling(["mean"])(x)]], outputs=3).output_shape
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
        if thresholds:
            scores.append(CumulativeLogits(thresholds, dtype="float32", name=f"logits{tag}")(x))
        else:
            start = keras.initializers.Constant(list(bias)) if bias else "zeros"
            dense = keras.layers.Dense(outputs, bias_initializer=start, dtype="float32", name=f"logits{tag}")
            scores.append(dense(x))
        if ngrams:
            size = 1 if thresholds else outputs
            known = NgramScores(ngrams, size, ngram_dropout, dtype="float32", name=f"ngram_scores{tag}")
            # `keras.ops.add` may take (batch, 1) for a bias if the batch has as many rows as there are outputs
            scores[-1] = keras.ops.add(scores[-1], keras.ops.repeat(known(inputs["ngrams"]), outputs // size, 1))
    logits = scores[0] if len(members) == 1 else keras.ops.stack(scores, 1)
    if both_strands:
        logits = ReverseComplementMean(dtype="float32", name="strands")(logits)
    return keras.Model(inputs, logits, name="classifier")
