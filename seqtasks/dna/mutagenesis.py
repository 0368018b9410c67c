"""In-silico mutagenesis: how the probability of a class changes with every single base."""

import numpy as np

from seqtasks.dna.encoding import BASES


def effects(predictor, sequence, label=None):
    """The change of a probability for every substitution of a sequence.

    Args:
        predictor: the trained model of a `Classification` task over sequences.
        sequence: the sequence.
        label: whose probability; None takes the predicted one.

    Returns:
        (label, probability, changes): float array (bases, 4), the columns A, C, G, T; 0 for the base that is there.

    References:
        Zhou and Troyanskaya, 2015, DeepSEA, https://doi.org/10.1038/nmeth.3547
    """
    labels = predictor.assets["labels"].tokens
    bases = sequence.upper().replace("U", "T")
    places = [(i, j) for i in range(len(bases)) for j, base in enumerate(BASES) if bases[i] != base]
    mutants = [bases[:i] + BASES[j] + bases[i + 1 :] for i, j in places]
    scores = predictor.predict_batch([bases, *mutants])["scores"]
    place = int(scores[0].argmax()) if label is None else labels.index(label)
    changes = np.zeros((len(bases), len(BASES)))
    for (i, j), score in zip(places, scores[1:, place], strict=True):
        changes[i, j] = score - scores[0, place]
    return labels[place], float(scores[0, place]), changes


def table(predictor, sequence):
    """The rows of `seqtasks explain`: a dict for each base, its changes under `A`, `C`, `G`, `T`."""
    label, probability, changes = effects(predictor, sequence)
    return [
        {"position": place, "base": base, "label": label, "score": probability, **dict(zip(BASES, row, strict=True))}
        for place, (base, row) in enumerate(zip(sequence, changes.tolist(), strict=True), 1)
    ]
