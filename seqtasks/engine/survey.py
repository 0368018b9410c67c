"""A look at the data before any training: counts, labels and a hash of each split, and what is wrong with them."""

import dataclasses
import hashlib
from collections import Counter

from seqtasks.data.sources import Held
from seqtasks.errors import UserError


@dataclasses.dataclass
class Survey:
    """What one split holds: number of examples, count of each label, SHA-256 over inputs and labels."""

    name: str
    examples: int
    labels: dict[str, int]
    sha256: str
    longest_run: int  # of one label: data sorted by label shuffles badly in a small buffer


def survey(splits, cache_mb, training=True):
    """Read every split once.

    Args:
        splits: pairs of name and source.
        cache_mb: size up to which a split is held in memory.
        training: whether there is a train split that must fit the others.

    Returns:
        (splits, surveys): {name: source}, those of up to `cache_mb` megabytes held in memory, and {name: Survey}.

    Raises:
        UserError: if a split is empty, train has one label only, or another split has a label that train has not.
    """
    read = {name: _read(source, cache_mb * 2**20) for name, source in splits}
    surveys = {name: found for name, (_, found) in read.items()}
    for name, found in surveys.items():
        if not found.examples:
            remedy = f"name another with --{'valid' if name == 'validation' else name}"
            raise UserError(f"no examples for the {name} split", where=found.name, remedy=remedy)
    splits = {name: source for name, (source, _) in read.items()}
    if not training:
        return splits, surveys
    if len(surveys["train"].labels) < 2:
        only = next(iter(surveys["train"].labels))
        remedy = "a classifier needs at least two; check the label column"
        raise UserError(f"every example has the label {only!r}", where=surveys["train"].name, remedy=remedy)
    check_labels(splits, surveys, surveys["train"].labels)
    return splits, surveys


def check_labels(splits, surveys, known):
    """Every label of every split must be known.

    Raises:
        UserError: that names the first example whose label is not.
    """
    for name, source in splits.items():
        if set(surveys[name].labels) - set(known):
            example = next(e for e in source if e.target not in known)
            raise UserError(
                f"the label {example.target!r} of the {name} split is not among those of train ({', '.join(known)})",
                where=source.where(example),
                remedy="correct it, or give train examples of it",
            )


def _read(source, limit):
    labels, digest, held, size = Counter(), hashlib.sha256(), [], 0
    run = longest = 0
    last = None
    for example in source:
        labels[example.target] += 1
        text = f"{example.input}\t{example.target}\n".encode("utf-8", "surrogatepass")
        digest.update(text)
        run = run + 1 if example.target == last else 1
        last, longest = example.target, max(longest, run)
        size += len(text)
        if held is not None:
            held.append(example)
            if size > limit:
                held = None
    if held is not None:
        source = Held(lambda: iter(held), source.name, source.size)
    found = Survey(source.name, sum(labels.values()), dict(sorted(labels.items())), digest.hexdigest(), longest)
    return source, found
