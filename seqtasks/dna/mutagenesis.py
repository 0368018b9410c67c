"""In-silico mutagenesis: how every single substitution changes the probability of a class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.dna.alphabets import alphabet_of

if TYPE_CHECKING:
    from seqtasks.capabilities import Predictor


def effects(
    predictor: "Predictor", sequence: str, label: str | None = None, columns: tuple[str, ...] = ()
) -> tuple[str, float, np.ndarray]:
    """The change of a probability under every single substitution in a sequence.

    Args:
        predictor: a trained model of a `Classification` task over sequences.
        sequence: the sequence.
        label: the class whose probability is computed; None for the predicted class.
        columns: the values of the side columns, if the run has any.

    Returns:
        (label, probability, changes): `changes` is a float array (bases, letters of the alphabet), for DNA A, C, G, T;
        the base that is already there has 0.

    Raises:
        ValueError: if the label is unknown.

    References:
        Zhou and Troyanskaya, 2015, DeepSEA, https://doi.org/10.1038/nmeth.3547
    """
    labels = predictor.assets["labels"].tokens
    alphabet = alphabet_of(predictor.config.alphabet)
    bases, letters = alphabet.as_read(sequence), alphabet.letters
    substitutions = [(i, j) for i in range(len(bases)) for j, letter in enumerate(letters) if bases[i] != letter]
    mutants = [bases[:i] + letters[j] + bases[i + 1 :] for i, j in substitutions]
    rows = [bases, *mutants]
    answers = predictor.predict_batch(rows, columns=[columns] * len(rows))
    scores = answers["scores"]  # (1 + mutants, classes)
    index = labels.index(answers["label"][0].decode() if label is None else label)
    changes = np.zeros((len(bases), len(letters)))
    for (i, j), score in zip(substitutions, scores[1:, index], strict=True):
        changes[i, j] = score - scores[0, index]
    return labels[index], float(scores[0, index]), changes


def effect_rows(predictor: "Predictor", sequence: str) -> list[dict[str, Any]]:
    """The answers of `seqtasks explain` for a sequence, one per base.

    Args:
        predictor: a trained model of a `Classification` task over sequences.
        sequence: the sequence.

    Returns:
        Dicts with `position` (from 1), `base`, the predicted `label`, its `score`, and the change of the score when the
        base is replaced, under each letter of the alphabet, for DNA `A`, `C`, `G`, `T`.
    """
    label, probability, changes = effects(predictor, sequence)
    letters = alphabet_of(predictor.config.alphabet).letters
    return [
        {"position": i, "base": base, "label": label, "score": probability, **dict(zip(letters, row, strict=True))}
        for i, (base, row) in enumerate(zip(sequence, changes.tolist(), strict=True), 1)
    ]
