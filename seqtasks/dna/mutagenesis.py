"""In-silico mutagenesis: how the probability of a class changes with every single base."""

import html

import matplotlib
import numpy as np

from seqtasks import pictures
from seqtasks.data.bases import BASES
from seqtasks.tasks import Classification

LONGEST = 600  # bases of a sequence that the report shows: its mutants are three times as many


def effects(responder, sequence, label=None):
    """The change of a probability for every substitution of a sequence.

    Args:
        responder: the trained model of a `Classification` task over sequences.
        sequence: the sequence.
        label: whose probability; None takes the predicted one.

    Returns:
        (label, probability, changes): float array (bases, 4), the columns A, C, G, T; 0 for the base that is there.

    References:
        Zhou and Troyanskaya, 2015, DeepSEA, https://doi.org/10.1038/nmeth.3547
    """
    labels = responder.assets["labels"].tokens
    bases = sequence.upper().replace("U", "T")
    places = [(i, j) for i in range(len(bases)) for j, base in enumerate(BASES) if bases[i] != base]
    mutants = [bases[:i] + BASES[j] + bases[i + 1 :] for i, j in places]
    scores = responder.respond([bases, *mutants])["scores"]
    place = int(scores[0].argmax()) if label is None else labels.index(label)
    changes = np.zeros((len(bases), len(BASES)))
    for (i, j), score in zip(places, scores[1:, place], strict=True):
        changes[i, j] = score - scores[0, place]
    return labels[place], float(scores[0, place]), changes


def table(responder, sequence):
    """The rows of `seqtasks explain`: a dict for each base, its changes under `A`, `C`, `G`, `T`."""
    label, probability, changes = effects(responder, sequence)
    return [
        {"position": place, "base": base, "label": label, "score": probability, **dict(zip(BASES, row, strict=True))}
        for place, (base, row) in enumerate(zip(sequence, changes.tolist(), strict=True), 1)
    ]


def illustrate(responder, examples, most=3):
    """The part of the report that shows the effects in the first example of each of some classes."""
    if not isinstance(responder.task, Classification):
        return []
    chosen = {}
    for example in examples:
        if len(example.input) <= LONGEST:
            chosen.setdefault(example.target, example.input)
    if not chosen:
        return []
    shown = ["<p>The change of the probability of the predicted class, for each base and each substitution.</p>"]
    for number, (target, sequence) in enumerate(list(chosen.items())[:most]):
        label, probability, changes = effects(responder, sequence)
        title = f"predicted {label} ({probability:.3f}), true {target}"
        with matplotlib.rc_context(pictures.STYLE):
            picture = pictures.substitutions(sequence, changes, title, f"bases-{number}")
        shown.append(f"<h3>{html.escape(title)}</h3><figure>{picture}</figure>")
    return [("Which bases matter", "".join(shown))]
